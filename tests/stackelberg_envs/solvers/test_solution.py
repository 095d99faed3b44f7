"""What an episode is worth, in every kind of game."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.envs import bilevel_lqr_v1, building_thermal_v1, random_tabular_v1, tax_design_v0
from stackelberg_envs.play.rollout import rollout


def paid_one_per_step(horizon, **changes):
    return se.TabularGame(
        transition=np.ones((1, 1, 2, 1)), leader_reward=np.ones((1, 1, 2)), follower_reward=[[[1.0, 0.0]]],
        initial=[1.0], leader_discount=0.99, follower_discount=0.9, temperature=0.5,
        commitment=se.StateIncentive(-1.0, 1.0, where=[1.0]), horizon=horizon, **changes,
    )  # fmt: skip


def test_a_leader_paid_one_per_step_is_worth_less_where_play_is_cut():
    solution = se.solve(paid_one_per_step(5), [0.0])
    assert solution.leader_value == pytest.approx(100.0, rel=1e-12)
    assert solution.episode.leader_value == pytest.approx((1 - 0.99**5) / 0.01, rel=1e-12)
    assert solution.episode.horizon == 5


@pytest.mark.parametrize("horizon", [1, 2, 7, 100_000_000])
def test_bonus_and_reward_of_the_follower_have_closed_forms(horizon):
    solution = se.solve(paid_one_per_step(horizon), [0.0])
    taken = 1 / (1 + np.exp(-2.0))
    entropy = -(taken * np.log(taken) + (1 - taken) * np.log(1 - taken))
    endless, cut = 10.0, (1 - 0.9**horizon) / 0.1
    assert solution.follower_reward_value == pytest.approx(endless * taken, rel=1e-12)
    assert solution.follower_value == pytest.approx(endless * (taken + 0.5 * entropy), rel=1e-12)
    assert solution.episode.follower_reward_value == pytest.approx(cut * taken, rel=1e-12)
    assert solution.episode.follower_value == pytest.approx(cut * (taken + 0.5 * entropy), rel=1e-12)


def mean_and_error(totals):
    return totals.mean(), totals.std(ddof=1) / np.sqrt(len(totals))


def test_tabular_episodes_are_worth_what_play_brings():
    """Five standard errors at a fixed seed: one draw in 10^6 would fail."""
    game = random_tabular_v1.make_game(S=6, A=2, B=3, K=2, terminal=1, commitment="policy", seed=4)
    game = game.replace(horizon=7, leader_discount=0.95, follower_discount=0.8)
    solution = se.solve(game, np.full((6, 2), 0.5))
    from agents.runs.collection import collect

    seen = collect(game, solution.x, solution.best, episodes=4_000, rng=np.random.default_rng(0))
    starts = np.arange(len(seen.state)) - np.repeat(seen.offsets[:-1], np.diff(seen.offsets))
    for name, discount in (("leader", 0.95), ("follower_reward", 0.8)):
        reward = seen.leader_reward if name == "leader" else seen.follower_reward
        totals = np.add.reduceat(discount**starts * reward, seen.offsets[:-1])
        mean, error = mean_and_error(totals)
        assert abs(getattr(solution.episode, f"{name}_value") - mean) < 5 * error


def test_a_long_episode_is_worth_what_endless_play_is():
    game = random_tabular_v1.make_game(S=6, A=2, B=3, commitment="policy", seed=4).replace(horizon=10_000)
    solution = se.solve(game, np.full((6, 2), 0.5))
    for name in ("leader_value", "follower_value", "follower_reward_value"):
        assert getattr(solution.episode, name) == pytest.approx(getattr(solution, name), rel=1e-9)


def test_a_follower_with_other_beliefs_is_paid_by_the_true_dynamics():
    belief = random_tabular_v1.make_game(S=4, A=1, B=3, seed=9).transition
    game = random_tabular_v1.make_game(S=4, A=1, B=3, seed=1).replace(believed_transition=belief, horizon=10_000)
    x = 0.5 * (game.commitment.low + game.commitment.high)
    solution = se.solve(game, x)
    assert solution.episode.follower_reward_value == pytest.approx(solution.follower_reward_value, rel=1e-9)
    assert solution.episode.follower_value != pytest.approx(solution.follower_value, rel=1e-3)


BATCHED = [
    (bilevel_lqr_v1.make_game(), np.array([[0.3, -0.4]])),
    (building_thermal_v1.make_game(), np.full(8, 0.5)),
    (tax_design_v0.make_game(horizon=30), np.full(4, 0.3)),
]


@pytest.mark.parametrize(("game", "x"), BATCHED, ids=lambda value: getattr(value, "name", ""))
def test_episodes_of_vector_games_are_worth_what_play_brings(game, x):
    """Five standard errors at a fixed seed: one draw in 10^6 would fail."""
    solution = game.solve(x)
    seen = rollout(game.under(x), solution.response, np.random.default_rng(0), episodes=2_000)
    steps = np.arange(len(seen.state)) - np.repeat(seen.offsets[:-1], np.diff(seen.offsets))
    bonus = -game.temperature * solution.response.log_prob(
        seen.state, seen.leader_action, np.repeat(seen.context, np.diff(seen.offsets)), seen.follower_action
    )
    for name, reward, discount in (
        ("leader_value", seen.leader_reward, game.leader_discount),
        ("follower_value", seen.follower_reward + bonus, game.follower_discount),
        ("follower_reward_value", seen.follower_reward, game.follower_discount),
    ):
        mean, error = mean_and_error(np.add.reduceat(discount**steps * reward, seen.offsets[:-1]))
        assert abs(getattr(solution.episode, name) - mean) < 5 * error + 1e-3 * abs(mean) * (game.horizon == 30), name


@pytest.mark.parametrize(("game", "x"), BATCHED, ids=lambda value: getattr(value, "name", ""))
def test_long_episodes_of_vector_games_are_worth_what_endless_play_is(game, x):
    solution = game.replace(horizon=5_000).solve(x)
    for name in ("leader_value", "follower_value", "follower_reward_value"):
        assert getattr(solution.episode, name) == pytest.approx(getattr(solution, name), rel=1e-8)
    assert solution.response is solution.policy
