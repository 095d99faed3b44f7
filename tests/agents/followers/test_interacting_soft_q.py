"""Followers that learn side by side come to the logit equilibrium, and to what others explore where they do."""

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.followers.interacting_soft_q import InteractingSoftQConfig, InteractingSoftQLearning
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.solvers.equilibrium.one_follower import largest_loss
from stackelberg_envs.solvers.equilibrium.uniqueness import contraction_bound
from tests.games import interacting_game, weakly_interacting_game

#: Two-sided, for each probability of a test; there are at most 12, so a false alarm in less than 1 of 10,000 tests.
ERRORS = 4.6
#: What steps of the least size leave of bias, from the curvature of the softmax.
BIAS = 0.002


def learned(game, seed, x=0.0, **options):
    follower = InteractingSoftQLearning(InteractingSoftQConfig(**options), np.random.default_rng(seed)).show(game)
    assert follower.learn(game.under(np.full(game.commitment.shape, x))) == options["steps"]
    return follower.policy


def require_near(policies, truth):
    """Hold the mean of policies of independent learners to a table."""
    error = policies.std(axis=0, ddof=1) / np.sqrt(len(policies))
    assert (np.abs(policies.mean(axis=0) - truth) <= ERRORS * error + BIAS).all()


@pytest.mark.parametrize("temperature", [1.0, 0.5, 0.25])
def test_learners_come_to_the_logit_equilibrium_as_the_temperature_falls(temperature):
    game = weakly_interacting_game(temperature=temperature)
    assert contraction_bound(game.under([0.0]).arrays) < 1.0
    truth = se.solve(game, [0.0]).policy
    late, early = (
        np.stack([learned(game, seed, steps=steps, least_step=0.001) for seed in range(20)]) for steps in (20_000, 200)
    )
    require_near(late, truth)
    assert np.square(late - truth).mean() < 0.1 * np.square(early - truth).mean()


def test_what_others_explore_is_answered():
    """With exploration they come to the equilibrium of the game in which everybody's hand trembles."""
    alone = np.array([[0.6, -0.4], [0.1, 0.5]])
    payoff = np.stack([alone, 0.5 * alone[::-1].T])  # (n, B, B)
    trembling = np.array([[0.8, 0.2], [0.2, 0.8]])  # rows: what is meant
    met = np.stack([payoff[0] @ trembling.T, trembling @ payoff[1]])
    games = [
        weakly_interacting_game(
            follower_rewards=rewards[:, None],
            leader_reward=np.zeros((1, 4)),
            transition=np.ones((1, 4, 1)),
            initial=[1.0],
            commitment=se.Transfer(np.zeros((2, 1, 1, 4, 1)), 0.0, 1.0),
        )
        for rewards in (payoff, met)
    ]
    policies = [learned(games[0], seed, steps=20_000, least_step=0.001, exploration=0.4) for seed in range(20)]
    truth, without = (se.solve(game, [0.0]).policy for game in reversed(games))
    assert np.abs(truth - without).max() > 0.015
    require_near(np.stack(policies), truth)


def test_actions_that_are_not_feasible_are_never_taken():
    feasible = np.ones((3, 4, 2), dtype=bool)
    feasible[1, 2, 0] = feasible[0, 0, 1] = False
    game = interacting_game(feasible=feasible, temperature=1.0)
    policy = learned(game, 0, steps=20_000, x=0.2)
    assert (policy[~feasible] == 0.0).all()
    np.testing.assert_allclose(policy, se.solve(game, [0.2, 0.2]).policy, atol=0.1)


def test_the_losses_say_how_far_learners_are_from_the_equilibrium():
    game = weakly_interacting_game()
    arrays = game.under([0.5]).arrays
    short, long = (largest_loss(arrays, list(learned(game, 0, steps=n, x=0.5))) for n in (5, 20_000))
    assert 0.0 <= long < 0.05 * short
    assert largest_loss(arrays, list(se.solve(game, [0.5]).policy)) == pytest.approx(0.0, abs=1e-10)


def test_a_run_has_one_table_of_all_and_goes_on_from_it():
    game = weakly_interacting_game()
    options = {"steps": 2_000, "first_steps": 4_000, "initial_q": 1.0}
    given = {"follower": "soft_q_learning", "follower_options": options, "steps_per_update": 40}
    record, again = (agents.run(game, leader="random_search", updates=3, seed=1, **given) for _ in range(2))
    assert record.follower_steps == 4_000 + 2 * 2_000
    assert record.observed_steps == 3 * 40
    assert 0.0 < record.response_gap < 0.1
    np.testing.assert_array_equal(record.curve["leader_value"], again.curve["leader_value"])


def test_learners_that_would_lose_the_entropy_of_others_are_refused():
    reward = np.random.default_rng(0).uniform(size=(3, 4))
    game = weakly_interacting_game(follower_rewards=[reward, -reward], zero_sum=True)
    with pytest.raises(ArgumentError, match=r"lose the entropy of the other besides \(zero_sum\)"):
        agents.run(game, leader="random_search", follower="soft_q_learning", updates=1)
