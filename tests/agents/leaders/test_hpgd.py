"""HPGD against the hypergradient: exactly, in the mean, and as a learner."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

import agents
from agents.estimators import ValueEstimates
from agents.leaders import leader_class
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from stackelberg_envs.envs import discrete_toy_v1, four_rooms_v0, random_tabular_v1
from stackelberg_envs.errors import InformationError
from stackelberg_envs.solvers.solving import solve

KINDS = [("features", 1), ("features", 2), ("policy", 1), ("policy", 2), ("transition", 1), ("costly features", 1)]


@pytest.mark.parametrize("critic", [None, "monte_carlo", "lstd"])
@pytest.mark.parametrize(("kind", "K"), KINDS)
def test_on_exact_frequencies_the_estimate_is_the_hypergradient(exact_play, kind, K, critic):
    for seed in range(2):
        play = exact_play(kind, seed=seed, K=K)
        truth = play.differences()
        estimate = play.gradient("hpgd", critic=critic)
        np.testing.assert_allclose(estimate, truth, atol=1e-6 * np.abs(truth).max())


@pytest.mark.parametrize("kind", ["features", "policy", "transition"])
def test_extra_play_does_not_move_the_exact_estimate(exact_play, kind):
    play = exact_play(kind, seed=1)
    leader = play.leader("hpgd_oracle")
    leader.brief = replace(leader.brief, uniform_play=lambda steps: play.seen)
    truth = play.differences()
    estimate = leader.brief.parametrisation.vjp(play.theta, leader.gradient(play.seen)[0])
    np.testing.assert_allclose(estimate, truth, atol=1e-6 * np.abs(truth).max())


FALSE_ALARM_RATE = 1e-3
BATCHES = 150


def z_scores(commitment):
    """Return how many standard errors the mean of the estimates is off, by entry of theta.

    The leader's discount makes what the horizon of 15 cuts off negligible (0.4^15 = 1e-6); the follower's does not.
    Averages over visits make a bias of order 1 / visits: with 24,000 steps it is far below the standard error.
    """
    game = random_tabular_v1.make_game(
        S=4, A=2, B=2, D=4, branching=3, commitment=commitment,
        leader_discount=0.4, follower_discount=0.9, temperature=1.5, horizon=15, seed=3,
    )  # fmt: skip
    theta = np.random.default_rng(0).standard_normal(make_leader("hpgd", game).theta.size)
    leader = make_leader("hpgd", game, start=list(theta), critic="monte_carlo")
    solution = solve(game, leader.commit())
    values = ValueEstimates(
        solution.primitives.leader_policy, solution.best.policy, solution.leader.q, solution.best.values
    )
    leader.estimate_values = lambda *told: (values, {})
    rng = np.random.default_rng(1)
    rows = np.array(
        [
            leader.gradient(agents.collect(game, solution.x, solution.response, episodes=1_600, rng=rng))[0].ravel()
            for _ in range(BATCHES)
        ]
    )
    rows = np.array([leader.brief.parametrisation.vjp(theta, row.reshape(solution.x.shape)) for row in rows])
    error = rows.std(axis=0, ddof=1) / np.sqrt(BATCHES)
    return np.abs(rows.mean(axis=0) - leader.brief.parametrisation.vjp(theta, solution.gradient)) / error


# A correct estimator fails one of these in a thousand: two-sided normal quantile, Bonferroni over theta; fixed seeds.
@pytest.mark.parametrize("commitment", ["features", "policy"])
def test_in_the_mean_the_estimate_is_the_hypergradient(commitment):
    z = z_scores(commitment)
    assert z.max() < norm.isf(FALSE_ALARM_RATE / 2 / z.size)


def make_leader(name, game, seed=0, **options):
    kind = leader_class(name)
    brief = make_brief(game, kind.required_information(game.commitment, kind.Config()))
    return kind(brief, kind.Config(**options), np.random.default_rng(seed))


def level(name, game):
    kind = leader_class(name)
    return kind.required_information(game.commitment, kind.Config())


def test_levels():
    toy, rooms = discrete_toy_v1.make_game(), four_rooms_v0.make_game()
    assert level("hpgd", toy) == Information.REWARDS_OBSERVED
    assert level("hpgd", rooms) == Information.ACTIONS_ONLY
    assert level("hpgd_oracle", rooms) == Information.CONTROLS_TRAINING


def test_without_control_over_the_starts_the_oracle_variant_is_refused():
    game = discrete_toy_v1.make_game()
    x = np.full((3, 2), 0.5)
    leader = make_leader("hpgd_oracle", game)
    with pytest.raises(InformationError, match="expected a brief with uniform_play"):
        leader.update(agents.collect(game, x, solve(game, x).response, steps=10, rng=0))


def test_extra_play_is_counted():
    record = agents.run(
        four_rooms_v0.make_game(), leader="hpgd_oracle", updates=3, steps_per_update=500,
        leader_options={"extra_steps": 200}, evaluate_every=0,
    )  # fmt: skip
    assert record.observed_steps == 3 * 700
    assert record.information == "CONTROLS_TRAINING"


@pytest.mark.parametrize("leader", ["hpgd", "hpgd_oracle"])
def test_it_learns_the_toy(leader):
    record = agents.run(
        discrete_toy_v1.make_game(), leader=leader, updates=150, steps_per_update=1_500, seed=1, evaluate_every=0
    )
    assert record.leader_value > 0.98 * 34.992641
