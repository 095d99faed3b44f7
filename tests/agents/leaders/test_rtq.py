"""RT-Q's two facts, its plug-in hypergradient, and what it reaches."""

import dataclasses

import numpy as np
import pytest

import agents
from agents.estimators.expected import solution_with
from agents.followers.soft_q_learning import SoftQLearning
from agents.followers.training import Trainer
from agents.leaders.rtq import Rtq, RtqConfig, expected_iterations, level_probabilities
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from stackelberg_envs.envs import discrete_toy_v1, four_rooms_v0, random_tabular_v1
from stackelberg_envs.errors import ArgumentError, InformationError
from stackelberg_envs.solvers.solving import solve
from tests.games import TOY_OPTIMUM

GAMES = [
    discrete_toy_v1.make_game(reward=2.0, temperature=1.0),
    random_tabular_v1.make_game(S=5, A=2, B=2, K=2, temperature=1.0, seed=3),
    random_tabular_v1.make_game(S=6, A=2, B=3, terminal=1, commitment="policy", seed=3),
    four_rooms_v0.make_game(temperature=0.01),
]
#: Some actions of the second are not feasible; what its arrays say of them is junk.
BARRED = np.random.default_rng(0).random((6, 2, 3)) < 0.3
BARRED[..., 1] = False
MASKED = GAMES[2].replace(
    feasible=~BARRED,
    **{name: np.where(BARRED, 1e3, getattr(GAMES[2], name)) for name in ("leader_reward", "follower_reward")},
    name="MaskedRandomTabular",
)


def make(game, **options):
    brief = make_brief(game, Information.CONTROLS_TRAINING).with_control(None, Trainer(game))
    return Rtq(brief, RtqConfig(**options), np.random.default_rng(0))


def informed(game, **options):
    """Return a leader that has seen play, and the commitment it saw."""
    leader = make(game, start="random", **options)
    x = leader.commit()
    leader.model.observe(agents.collect(game, x, solve(game, x).response, steps=2_000, rng=0))
    return leader, x


@pytest.mark.parametrize("game", GAMES, ids=lambda game: game.name)
@pytest.mark.parametrize("levels", [1, 4, 7])
def test_the_expectation_telescopes_to_the_gradient_after_the_last_iteration(game, levels):
    leader, x = informed(game, levels=levels)
    expectation = sum(p * leader.estimate(x, k) for k, p in enumerate(leader.probabilities, start=1))
    (response,) = leader.brief.train(x, [2 ** (levels + 1)], np.random.default_rng(0))
    full = leader._hypergradient(x, response)
    np.testing.assert_allclose(expectation, full, atol=1e-9 * max(1.0, np.abs(full).max()))
    # Not a triviality: no single estimate is the expectation.
    singles = [leader.estimate(x, k) for k in range(1, levels + 1)]
    if levels > 1:
        assert all(np.abs(single - full).max() > 1e-6 for single in singles)


def test_shrinkage_is_that_of_its_model_of_play():
    guesses = []
    for shrinkage in (0.0, 1.0, 4.0):
        leader, x = informed(GAMES[0], shrinkage=shrinkage)
        assert leader.model.shrinkage == shrinkage
        guesses.append(leader.model.primitives(x).transition.probabilities)
    # Each action's moves are taken for more like those of the others.
    sharpness = [guess.max(axis=-1).sum() for guess in guesses]
    assert sharpness[0] > sharpness[1] > sharpness[2]


@pytest.mark.parametrize("levels", [1, 2, 5, 10, 20, 40])
def test_the_expected_cost_is_linear_in_the_number_of_levels(levels):
    p = level_probabilities(levels)
    assert p.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(p[1:] / p[:-1], 0.5)
    cost = sum(p[k - 1] * 2 ** (k + 1) for k in range(1, levels + 1))
    assert expected_iterations(levels) == pytest.approx(cost)
    assert cost == pytest.approx(2 * levels / (1 - 2.0**-levels))
    assert 2 * levels <= cost <= 4 * levels


def test_levels_are_drawn_and_paid_for_as_stated():
    leader, x = informed(GAMES[0], levels=6)
    seen = agents.collect(GAMES[0], x, solve(GAMES[0], x).response, steps=150, rng=0)
    drawn = [leader.gradient(seen)[1] for _ in range(600)]
    counts = np.bincount([int(item["level"]) for item in drawn], minlength=7)[1:]
    expected = 600 * leader.probabilities
    # Chi-squared with 5 degrees of freedom passes 25.7 once in 10,000.
    assert ((counts - expected) ** 2 / expected).sum() < 25.7
    assert all(item["training_iterations"] == 2 ** (item["level"] + 1) for item in drawn)


@pytest.mark.parametrize("game", [*GAMES, MASKED], ids=lambda game: game.name)
def test_at_the_best_response_the_plan_is_the_oracles(game):
    rng = np.random.default_rng(2)
    x = game.commitment.project(rng.uniform(game.commitment.low, game.commitment.high))
    truth = solve(game, x)
    solution = solution_with(game.primitives(x), truth.best.policy)
    wanted, shape = game.commitment.changes, game.array_shape
    found = game.commitment.vjp(x, solution.direct(wanted, shape) + solution.through_response(wanted, shape))
    np.testing.assert_allclose(found, truth.gradient, atol=1e-6 * max(1.0, np.abs(truth.gradient).max()))


@pytest.mark.parametrize("game", [*GAMES[:3], MASKED], ids=lambda game: game.name)
def test_the_bias_falls_with_the_number_of_levels(game):
    rng = np.random.default_rng(2)
    x = game.commitment.project(rng.uniform(game.commitment.low, game.commitment.high))
    truth, wanted, shape = solve(game, x).gradient, game.commitment.changes, game.array_shape
    counts = [2**k for k in range(1, 13)]
    errors = []
    for response in Trainer(game)(x, counts, rng):
        solution = solution_with(game.primitives(x), response)
        found = game.commitment.vjp(x, solution.direct(wanted, shape) + solution.through_response(wanted, shape))
        errors.append(np.abs(found - truth).max() / np.abs(truth).max())
    assert errors[-1] < 1e-6 < errors[0]


@pytest.mark.parametrize("seeds", [range(2), pytest.param(range(10), marks=pytest.mark.deep)], ids=len)
@pytest.mark.parametrize("reward", [1.0, 2.0])
def test_it_reaches_the_optimum_of_the_toy(seeds, reward):
    game = discrete_toy_v1.make_game(reward=reward)
    records = [
        agents.run(game, leader="rtq", updates=150, steps_per_update=1_500, seed=seed, evaluate_every=0)
        for seed in seeds
    ]
    assert all(record.information == "CONTROLS_TRAINING" for record in records)
    assert (np.array([record.leader_value for record in records]) >= 0.97 * TOY_OPTIMUM[reward]).sum() >= round(
        0.9 * len(seeds)
    )


def test_it_trains_the_follower_of_the_run():
    options = {"updates": 2, "steps_per_update": 50, "leader": "rtq", "leader_options": {"levels": 3}}
    record = agents.run(
        GAMES[0], follower="soft_q_learning", follower_options={"steps": 10, "initial_q": 1.0}, **options
    )
    assert record.status == "finished"
    with pytest.raises(InformationError, match=r"train: expected a follower .* got 'hard_best_response'"):
        agents.run(GAMES[0], follower="hard_best_response", **options)


def test_the_level_of_a_learning_follower_does_not_change_what_it_had_learned():
    trainer = Trainer(GAMES[0], SoftQLearning, SoftQLearning.Config(exploration=0.5))
    x = np.full((3, 2), 0.5)
    short, long = (trainer(x, [2, 4, 8][:n], np.random.default_rng(5)) for n in (2, 3))
    np.testing.assert_array_equal(short, long[:2])


def test_only_leaders_that_control_training_are_handed_the_trainer():
    for name in agents.leader_names():
        run = agents.Experiment(agents.ExperimentConfig(GAMES[0], leader=name))
        given = run.leader.brief.train, run.leader.brief.uniform_play
        assert [each is not None for each in given] == [run.level >= Information.CONTROLS_TRAINING] * 2
    leader, x = informed(GAMES[0])
    leader.brief = dataclasses.replace(leader.brief, train=None)
    with pytest.raises(InformationError, match="rtq: expected a brief with train"):
        leader.estimate(x, 1)


def test_in_expectation_actions_that_are_not_feasible_are_as_those_that_are_never_taken():
    """With as many levels as it takes to forget that training began with all actions alike."""
    leader, x = informed(MASKED, shrinkage=0.0)
    terrible = GAMES[2].replace(follower_reward=np.where(BARRED, -1e3, GAMES[2].follower_reward))
    seen = agents.collect(MASKED, x, solve(MASKED, x).response, steps=2_000, rng=0)
    assert MASKED.feasible[seen.state, seen.leader_action, seen.follower_action].all()
    found = []
    for game in (MASKED, terrible):
        leader = make(game, shrinkage=0.0, levels=8)
        leader.model.observe(seen)
        found.append(sum(p * leader.estimate(x, k) for k, p in enumerate(leader.probabilities, start=1)))
    np.testing.assert_allclose(*found, atol=1e-6 * np.abs(found[1]).max())
    assert (leader.behaviour.update(seen)[BARRED] == 0.0).all()
    assert (make(MASKED).behaviour.policy[BARRED] == 0.0).all()


@pytest.mark.parametrize("levels", [0, 2.5])
def test_bad_options_are_refused_by_name(levels):
    with pytest.raises(ArgumentError, match="levels: expected an integer of at least 1"):
        make(GAMES[0], levels=levels)
