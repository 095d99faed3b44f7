"""The penalty method: its own gradient is exact, and tends to the hypergradient as 1 / penalty."""

import numpy as np
import pytest

import agents
from agents.leaders import leader_class
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from stackelberg_envs.envs import discrete_toy_v1, four_rooms_v0, random_tabular_v1
from stackelberg_envs.errors import ArgumentError, InformationError
from stackelberg_envs.games.commitments.incentives import IncentiveCost
from stackelberg_envs.games.commitments.joint import Joint
from stackelberg_envs.games.commitments.transition_mixture import TransitionMixture
from stackelberg_envs.solvers.soft import soft_best_response
from stackelberg_envs.solvers.solving import solve
from tests.games import TOY_OPTIMUM


def random_game(commitment, seed=0, K=1, **options):
    game = random_tabular_v1.make_game(
        S=6, A=2, B=3, K=K, terminal=1, commitment="policy" if commitment in ("policy", "transition") else "features",
        leader_discount=0.85, follower_discount=0.85, temperature=0.5, seed=seed,
    )  # fmt: skip
    if commitment == "costly features":
        cost = IncentiveCost(-np.ones(4), 1.0, price=0.5, where=np.ones(6))
        game = game.replace(commitment=Joint(game.commitment, cost))
    if options.pop("masked", False):
        barred = np.random.default_rng(seed + 9).random(game.array_shape) < 0.3
        barred[..., 1] = False
        junk = {name: np.where(barred, 1e3, getattr(game, name)) for name in ("leader_reward", "follower_reward")}
        game = game.replace(feasible=~barred, **junk)
    ending = np.full(6, options.pop("ending", 0.0)) * np.eye(6)[np.argmax(game.terminal)]
    if ending.any() and commitment != "transition":
        game = game.replace(transition=(1.0 - ending.sum()) * game.transition.to_dense() + ending)
    if commitment == "transition":
        kernels = np.random.default_rng(seed).dirichlet(np.ones(6), size=(3, 6, 2, 3))
        kernels = (1.0 - ending.sum()) * kernels + ending
        game = game.replace(commitment=TransitionMixture(kernels), transition=None)
    return game.replace(**options)


def make_leader(game, **options):
    kind = leader_class("penalty")
    return kind(make_brief(game, Information.MODEL), kind.Config(**options), np.random.default_rng(0))


def estimate(game, theta, penalty):
    leader = make_leader(game, penalty=penalty, start=list(theta))
    x = leader.commit()
    seen = agents.collect(game, x, solve(game, x).response, steps=1, rng=0)
    dx, diagnostics = leader.gradient(seen)
    return leader.brief.parametrisation.vjp(theta, dx), diagnostics["penalised_value"]


#: All actions are feasible, or some; then also no discount, where every move ends play with a chance of one in four.
ENDING = {"ending": 0.25, "leader_discount": 1.0, "follower_discount": 1.0}
OPTIONS = [{}, {"masked": True}, {"masked": True, **ENDING}]
CASES = [("features", 1), ("features", 2), ("policy", 1), ("policy", 2), ("transition", 1), ("costly features", 1)]


def starting_theta(game, seed):
    return np.random.default_rng(seed).standard_normal(make_leader(game).theta.size)


@pytest.mark.parametrize(("commitment", "K"), CASES)
@pytest.mark.parametrize(("seed", "options"), [(0, {}), (1, {}), (2, {}), *enumerate(OPTIONS[1:])], ids=str)
def test_the_error_falls_tenfold_with_a_tenfold_penalty(commitment, K, seed, options):
    game = random_game(commitment, seed, K, **options)
    theta = starting_theta(game, seed)
    brief = make_brief(game, Information.MODEL)
    solution = solve(game, brief.parametrisation(theta))
    truth = brief.parametrisation.vjp(theta, solution.gradient)
    pairs = [estimate(game, theta, penalty) for penalty in (1e2, 1e3, 1e4)]
    by_gradient = [np.abs(gradient - truth).max() for gradient, _ in pairs]
    by_value = [abs(value - solution.leader_value) for _, value in pairs]
    for errors in (by_gradient, by_value):
        np.testing.assert_allclose(np.divide(errors[:-1], errors[1:]), 10.0, rtol=0.2)
    assert by_gradient[-1] < 1e-3 * np.abs(truth).max()


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(("commitment", "K"), CASES)
def test_it_is_the_gradient_of_the_penalised_value(commitment, K, options):
    game = random_game(commitment, 1, K, **options)
    theta = starting_theta(game, 1)
    gradient, _ = estimate(game, theta, 20.0)
    steps = 1e-5 * np.eye(len(theta))
    differences = [(estimate(game, theta + h, 20.0)[1] - estimate(game, theta - h, 20.0)[1]) / 2e-5 for h in steps]
    np.testing.assert_allclose(gradient, differences, atol=1e-6 * np.abs(gradient).max())


def test_its_value_is_the_best_a_penalised_policy_can_do():
    # By definition: J + (V_F - V_F^*) / eps of the policy that is optimal for r_F + eps r_L; other policies get less.
    game, eps = random_game("features"), 0.1
    _, value = estimate(game, np.zeros(4), 1 / eps)
    x = make_brief(game, Information.MODEL).parametrisation(np.zeros(4))
    play = game.primitives(x)
    best = soft_best_response(play)
    both = type(play)(**{**vars(play), "follower_reward": play.follower_reward + eps * play.leader_reward})
    bent = soft_best_response(both).policy

    def penalised(policy):
        pi = play.leader_policy[:, :, None] * policy
        P = np.einsum("sab,sabn,sabnt->st", pi, play.transition.probabilities, np.eye(6)[play.transition.successors])
        A = np.eye(6) - 0.85 * play.continuing[:, None] * P
        soft = play.follower_reward - play.temperature * np.log(policy)
        J, V = (play.initial @ np.linalg.solve(A, (pi * r).sum(axis=(1, 2))) for r in (play.leader_reward, soft))
        return J + (V - play.initial @ best.state_values) / eps

    assert penalised(bent) == pytest.approx(value, rel=1e-8)
    assert max(penalised(best.policy), penalised(0.9 * bent + 0.1 / 3)) < value


@pytest.mark.parametrize("reward", [1.0, 2.0])
def test_it_reaches_the_optimum_of_the_toy(reward):
    record = agents.run(
        discrete_toy_v1.make_game(reward=reward), leader="penalty", updates=300, steps_per_update=1, evaluate_every=0
    )
    assert record.leader_value == pytest.approx(TOY_OPTIMUM[reward], abs=0.1)


def test_what_it_does_not_support_is_refused_by_name():
    game = random_game("policy")
    with pytest.raises(ArgumentError, match=r"penalty: expected equal discounts, got 0\.85 for the leader and 0\.5"):
        make_leader(game.replace(follower_discount=0.5))
    with pytest.raises(ArgumentError, match="penalty: expected a follower that knows the dynamics"):
        make_leader(four_rooms_v0.make_game(follower_slip=0.44))
    with pytest.raises(ArgumentError, match="penalty: expected a number greater than 0, got 0"):
        make_leader(game, penalty=0)
    kind = leader_class("penalty")
    with pytest.raises(InformationError, match="penalty: expected the game itself"):
        kind(make_brief(game, Information.RESPONSE), kind.Config(), np.random.default_rng(0))
