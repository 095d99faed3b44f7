"""SoBiRL against the hypergradient: exactly, in the mean, and as a learner."""

import numpy as np
import pytest
from scipy.stats import norm

import agents
from agents.leaders import leader_class
from agents.observing.brief import Information, redact
from agents.runs.briefing import make_brief
from stackelberg_envs.envs import discrete_toy_v1, four_rooms_v0, random_tabular_v1
from stackelberg_envs.errors import InformationError
from stackelberg_envs.solvers.solving import solve
from tests.games import TOY_OPTIMUM

KINDS = [("features", 1), ("features", 2), ("policy", 1), ("policy", 2), ("transition", 1), ("costly features", 1)]


@pytest.mark.parametrize("options", [{}, {"masked": True}, {"masked": True, "discounts": (1.0, 1.0)}], ids=str)
@pytest.mark.parametrize("baseline", [False, True])
@pytest.mark.parametrize(("kind", "K"), KINDS)
def test_on_exact_frequencies_the_estimate_is_the_hypergradient(exact_play, kind, K, baseline, options):
    for seed in range(1 if options else 2):
        play = exact_play(kind, seed=seed, K=K, **options)
        truth = play.differences()
        estimate = play.gradient("sobirl", baseline=baseline)
        np.testing.assert_allclose(estimate, truth, atol=1e-6 * np.abs(truth).max())


def make_leader(game, **options):
    kind = leader_class("sobirl")
    brief = make_brief(game, kind.required_information(game.commitment, kind.Config()))
    return kind(brief, kind.Config(**options), np.random.default_rng(0))


FALSE_ALARM_RATE = 1e-3


@pytest.mark.parametrize("commitment", ["features", "policy"])
def test_in_the_mean_the_estimate_is_the_hypergradient(commitment):
    # A correct estimator fails this once in a thousand (Bonferroni over theta); the seed is fixed. What the horizon
    # of 15 cuts off the leader's return is negligible (0.4^15 = 1e-6), what it cuts off the follower's is bootstrapped.
    game = random_tabular_v1.make_game(
        S=4, A=2, B=2, D=4, branching=3, commitment=commitment,
        leader_discount=0.4, follower_discount=0.9, temperature=1.5, horizon=15, seed=3,
    )  # fmt: skip
    theta = np.random.default_rng(0).standard_normal(make_leader(game).theta.size)
    leader = make_leader(game, start=list(theta))
    solution = solve(game, leader.commit())
    rng = np.random.default_rng(1)
    rows = []
    for _ in range(100):
        seen = agents.collect(game, solution.x, solution.response, episodes=3_000, rng=rng)
        seen = redact(seen, Information.RESPONSE, solution.policy)
        rows.append(leader.brief.parametrisation.vjp(theta, leader.gradient(seen)[0]))
    truth = leader.brief.parametrisation.vjp(theta, solution.gradient)
    error = np.std(rows, axis=0, ddof=1) / 10
    assert (np.abs(np.mean(rows, axis=0) - truth) / error).max() < norm.isf(FALSE_ALARM_RATE / 2 / theta.size)
    assert error.max() < 0.1 * np.abs(truth).max()


def test_the_baseline_lowers_the_noise():
    game = discrete_toy_v1.make_game(temperature=0.5)
    x = np.full((3, 2), 0.5)
    solution = solve(game, x)
    spread = {}
    for baseline in (False, True):
        leader = make_leader(game, baseline=baseline)
        rows = [
            leader.gradient(redact(
                agents.collect(game, x, solution.response, steps=15_000, rng=seed),
                Information.RESPONSE, solution.policy,
            ))[0]
            for seed in range(20)
        ]  # fmt: skip
        spread[baseline] = np.std(rows, axis=0).max()
    assert spread[True] < 0.5 * spread[False]


def level(name, game):
    kind = leader_class(name)
    return kind.required_information(game.commitment, kind.Config())


def test_it_needs_the_response():
    rooms = four_rooms_v0.make_game()
    assert level("sobirl", rooms) == Information.RESPONSE
    x = make_leader(rooms).commit()
    with pytest.raises(InformationError, match="sobirl: expected the follower's policy"):
        make_leader(rooms).update(agents.collect(rooms, x, solve(rooms, x).response, steps=100, rng=0))


def test_it_learns_the_toy():
    record = agents.run(
        discrete_toy_v1.make_game(), leader="sobirl", updates=150, steps_per_update=3_000, seed=1, evaluate_every=0
    )
    assert record.information == "RESPONSE"
    assert record.leader_value > 0.95 * TOY_OPTIMUM[1.0]
