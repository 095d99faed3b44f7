import dataclasses

import numpy as np
import pytest

import agents
from agents.leaders.zero_order import TabularZeroOrder, TabularZeroOrderConfig
from agents.observing.brief import Information
from agents.observing.trajectories import Trajectories
from agents.runs.briefing import make_brief
from stackelberg_envs.envs import discrete_toy_v1
from stackelberg_envs.errors import ArgumentError, InformationError
from stackelberg_envs.solvers.solving import solve
from tests.games import TOY_OPTIMUM

SCHEMES = [{"two_point": True}, {"baseline": "unperturbed"}, {"baseline": "running"}]
HESSIAN = np.array([[-2.0, 0.5, 0.0], [0.5, -1.0, 0.3], [0.0, 0.3, -0.5]])
SLOPE, START = np.array([1.0, -2.0, 0.5]), [0.4, -0.3, 0.2]


class Plain:
    """theta is the commitment."""

    name, size = "plain", 3

    def __call__(self, theta):
        return np.array(theta)

    def retract(self, theta):
        return theta


class Recorder:
    """An optimizer that stays where it is and notes the gradients."""

    def __init__(self):
        self.gradients = []

    def step(self, gradient):
        self.gradients.append(gradient)
        return np.zeros_like(gradient)


def quadratic(x):
    return 0.5 * x @ HESSIAN @ x + SLOPE @ x


def paid(x, reward):
    """One episode of one step that pays `reward`."""
    zero = np.zeros(1, dtype=np.int32)
    return Trajectories(
        commitment=x, num_states=1, state=zero, leader_action=zero, follower_action=zero, next_state=zero,
        leader_reward=np.array([reward]), follower_reward=None, offsets=np.array([0, 1]),
        terminated=np.array([True]), context=zero,
    )  # fmt: skip


def make(seed=0, **options):
    brief = make_brief(discrete_toy_v1.make_game(), TabularZeroOrder.information)
    brief = dataclasses.replace(brief, parametrisation=Plain())
    return TabularZeroOrder(brief, TabularZeroOrderConfig(start=START, **options), np.random.default_rng(seed))


@pytest.mark.parametrize(
    "scheme", [SCHEMES[0], *(pytest.param(scheme, marks=pytest.mark.deep) for scheme in SCHEMES[1:])], ids=str
)
@pytest.mark.parametrize(
    ("noise", "count", "sharpness"),
    [
        (0.5, 6_000, 0.06),
        pytest.param(0.0, 20_000, 0.035, marks=pytest.mark.deep),
        pytest.param(0.5, 20_000, 0.035, marks=pytest.mark.deep),
    ],
)
def test_the_estimate_is_unbiased_for_the_smoothed_objectives_gradient(scheme, noise, count, sharpness):
    # Smoothing a quadratic by a Gaussian adds a constant: the gradient is that of the quadratic itself.
    leader = make(perturbation=0.7, **scheme)
    leader.optimizer = recorder = Recorder()
    rng = np.random.default_rng(1)
    while len(recorder.gradients) < count:
        x = leader.commit()
        leader.update(paid(x, quadratic(x) + noise * rng.standard_normal()))
    estimates = np.array(recorder.gradients)
    error = estimates.std(axis=0, ddof=1) / np.sqrt(len(estimates))
    # 4.5 standard errors in three components: one false alarm in 50,000.
    assert (np.abs(estimates.mean(axis=0) - (HESSIAN @ START + SLOPE)) < 4.5 * error).all()
    assert (error < sharpness).all()


@pytest.mark.parametrize(("scheme", "probes"), list(zip(SCHEMES, ([-1, 1], [0, 1], [1]), strict=True)), ids=str)
def test_the_commitments_of_one_estimate(scheme, probes):
    leader = make(perturbation=0.5, **scheme)
    offsets = []
    for _ in probes:
        offsets.append(leader.commit() - START)
        direction = leader._direction
        leader.update(paid(leader.commit(), 0.0))
    for offset, probe in zip(offsets, probes, strict=True):
        np.testing.assert_allclose(offset, 0.5 * probe * direction)


def test_perturbations_shrink_as_in_the_published_code_if_wanted():
    leader = make(perturbation=0.6, shrinking=1.0)
    leader.optimizer = Recorder()
    for t in range(1, 5):
        leader.update(paid(leader.commit(), 0.0))
        np.testing.assert_allclose(leader.commit() - START, 0.6 / t * leader._direction)
        leader.update(paid(leader.commit(), 0.0))


def test_a_symmetric_difference_is_exact_along_its_direction():
    leader = make(perturbation=0.5, two_point=True)
    leader.optimizer = recorder = Recorder()
    u = leader._direction
    for _ in range(2):
        x = leader.commit()
        leader.update(paid(x, quadratic(x)))
    np.testing.assert_allclose(recorder.gradients[0], (HESSIAN @ START + SLOPE) @ u * u)


@pytest.mark.parametrize("seeds", [range(2), pytest.param(range(5), marks=pytest.mark.deep)], ids=len)
@pytest.mark.parametrize("reward", [1.0, 2.0])
@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
def test_it_comes_near_the_optimum_of_the_toy(scheme, reward, seeds):
    game = discrete_toy_v1.make_game(reward=reward)
    values = [
        agents.run(
            game, leader="zero_order", updates=150, steps_per_update=1_500, seed=seed, evaluate_every=0,
            leader_options=scheme,
        ).leader_value
        for seed in seeds
    ]  # fmt: skip
    assert np.median(values) > 0.98 * TOY_OPTIMUM[reward]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"perturbation": 0.0}, "perturbation: expected a number greater than 0"),
        ({"shrinking": -1.0}, "shrinking: expected a number in"),
        ({"two_point": 1}, "two_point: expected True or False, got 1"),
        ({"baseline": "mean"}, "baseline: expected 'unperturbed' or 'running', got 'mean'"),
        ({"memory": 1.0}, "memory: expected a number in"),
        ({"learning_rate": -1.0}, "learning_rate: expected a number greater than 0"),
        ({"optimizer": "newton"}, "optimizer"),
    ],
)
def test_bad_options_are_refused_by_name(options, message):
    with pytest.raises((ArgumentError, KeyError), match=message):
        make(**options)


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
def test_exact_values_give_the_step_of_the_exact_difference(scheme):
    game = discrete_toy_v1.make_game(temperature=0.5)
    options = {"values": "exact", "optimizer": "sgd", "learning_rate": 0.1, "perturbation": 0.4, "decay": 0.0}
    config = TabularZeroOrderConfig(start=[0.1, 0.2, 0.3, -0.1, 0.0, 0.5], **options, **scheme)
    assert TabularZeroOrder.required_information(game.commitment, config) == Information.MODEL
    leader = TabularZeroOrder(make_brief(game, Information.MODEL), config, np.random.default_rng(3))
    value = lambda theta: solve(game, leader.brief.parametrisation(theta)).leader_value  # noqa: E731
    rng, before = np.random.default_rng(3), None
    for _ in range(4):
        theta, u = leader.theta, rng.standard_normal(6)
        leader.update(None)
        low = value(theta - 0.4 * u) if scheme.get("two_point") else value(theta)
        high, width = value(theta + 0.4 * u), 0.8 if scheme.get("two_point") else 0.4
        if scheme.get("baseline") == "running":
            low = high if before is None else before
            before = 0.9 * low + 0.1 * high
        np.testing.assert_allclose(leader.theta, theta + 0.1 * (high - low) / width * u, atol=1e-8)


def test_exact_values_need_the_game():
    game = discrete_toy_v1.make_game()
    config = TabularZeroOrderConfig(values="exact")
    with pytest.raises(InformationError, match="exact values"):
        TabularZeroOrder(make_brief(game, Information.RESPONSE), config, np.random.default_rng(0))
    with pytest.raises(ArgumentError, match="values: expected 'observed' or 'exact', got 'true'"):
        TabularZeroOrder(
            make_brief(game, Information.MODEL), TabularZeroOrderConfig(values="true"), np.random.default_rng(0)
        )


def test_the_running_average_keeps_as_much_of_the_past_as_it_is_told():
    leader = make(baseline="running", memory=0.25, perturbation=0.5)
    rises = [leader.estimate([value]) @ leader._direction * 0.5 for value in (4.0, 8.0, 0.0)]
    # The averages before them: 4 itself, 4, and 0.25 4 + 0.75 8.
    np.testing.assert_allclose(rises, np.array([0.0, 4.0, -7.0]) * (leader._direction @ leader._direction))
