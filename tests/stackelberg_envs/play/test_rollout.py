"""Rollouts in tables against the distributions they draw from."""

import numpy as np
import pytest
from scipy import stats

import stackelberg_envs as se
from stackelberg_envs import jit
from stackelberg_envs.envs import random_tabular_v1
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.play.rollout import GameTables, rollout, tabular_rollout

#: Each statistical test below rejects a correct sampler once in 10^5 seeds; the seeds are fixed.
FALSE_ALARM = 1e-5


@pytest.fixture
def game():
    parts = random_tabular_v1.make_game(S=6, A=2, B=3, K=2, terminal=1, commitment="policy", seed=4)
    return parts.primitives(np.full((6, 2), 0.5))


class Rollout:
    def __init__(self, game, response, steps, horizon=20, episodes=None, seed=0):
        episodes = steps if episodes is None else episodes
        tables = GameTables.of(game, horizon)
        play = tabular_rollout(np.random.default_rng(seed), tables, response, steps, episodes)
        self.states, self.a, self.b, self.next, self.offsets = play
        self.steps, self.episodes = len(self.states), len(self.offsets) - 1
        self.lengths = np.diff(self.offsets)

    def returns(self, rewards, discount):
        since = np.arange(self.steps) - np.repeat(self.offsets[:-1], self.lengths)
        paid = discount**since * rewards[self.states, self.a, self.b]
        return np.add.reduceat(paid, self.offsets[:-1])


@pytest.fixture
def response():
    return np.random.default_rng(5).dirichlet(np.ones(3), size=(12, 2))


def finite_horizon_value(game, response, horizon):
    joint = game.leader_policy[:, :, None] * response
    kernel = game.continuing[:, None] * np.einsum("sab,sabt->st", joint, game.transition.to_dense())
    reward = (joint * game.leader_reward).sum(axis=(1, 2))
    here, total = game.initial, 0.0
    for t in range(horizon):
        total += game.leader_discount**t * here @ reward
        here = here @ kernel
    return total


def test_mean_return_is_the_finite_horizon_value(game, response):
    play = Rollout(game, response, 300_000)
    returns = play.returns(game.leader_reward, game.leader_discount)[:-1]
    error = (returns.mean() - finite_horizon_value(game, response, 20)) / stats.sem(returns)
    assert abs(error) < stats.norm.isf(FALSE_ALARM / 2)


def assert_drawn_from(counts, probabilities):
    """Chi-square at the stated false-alarm rate; impossible outcomes must not occur at all."""
    assert not counts[probabilities == 0].any()
    positive = probabilities > 0
    if positive.sum() > 1:
        expected = counts.sum() * probabilities[positive]
        assert stats.chisquare(counts[positive], expected).pvalue > FALSE_ALARM


def test_initial_states_actions_and_moves_follow_their_distributions(game, response):
    play = Rollout(game, response, 200_000)
    assert_drawn_from(np.bincount(play.states[play.offsets[:-1]], minlength=12), game.initial)
    state = np.bincount(play.states).argmax()
    here = play.states == state
    assert_drawn_from(np.bincount(play.a[here], minlength=2), game.leader_policy[state])
    chosen = here & (play.a == 1)
    assert_drawn_from(np.bincount(play.b[chosen], minlength=3), response[state, 1])
    alive = np.flatnonzero(game.continuing)
    moved = np.isin(play.states, alive) & (play.b == 2) & (play.a == 0) & (play.states == alive[0])
    kernel = game.transition.to_dense()[alive[0], 0, 2]
    assert_drawn_from(np.bincount(play.next[moved], minlength=12), kernel)


def test_draws_are_right_to_a_thousandth():
    """One state, a million draws: a bias of 0.003 in any probability would be seen six times out of six."""
    game = random_tabular_v1.make_game(S=1, A=1, B=4, branching=1).primitives(np.zeros(4))
    response = np.array([[[0.1, 0.0, 0.6, 0.3]]])
    play = Rollout(game, response, 1_000_000, horizon=1_000_000, episodes=1)
    assert_drawn_from(np.bincount(play.b, minlength=4), response[0, 0])


def test_each_state_follows_from_the_one_before(game, response):
    play = Rollout(game, response, 5_000, horizon=7)
    inside = np.ones(play.steps, dtype=bool)
    inside[play.offsets[:-1]] = False
    assert (play.states[1:][inside[1:]] == play.next[:-1][inside[1:]]).all()
    assert play.lengths.max() == 7
    assert (play.states // 6 == play.next // 6).all()  # the context stays


def test_a_terminal_state_is_visited_once_and_ends_the_episode(game, response):
    play = Rollout(game, response, 5_000, horizon=50)
    ended = game.continuing[play.states] == 0
    assert ended.any()
    assert (play.next[ended] == play.states[ended]).all()
    last = np.zeros(play.steps, dtype=bool)
    last[play.offsets[1:] - 1] = True
    assert last[ended].all()
    assert (play.lengths[~ended[play.offsets[1:] - 1]][:-1] == 50).all()


@pytest.mark.parametrize("steps", [1, 33, 1000])
def test_the_last_episode_is_cut_when_the_arrays_are_full(game, response, steps):
    play = Rollout(game, response, steps)
    longer = Rollout(game, response, 2_000)
    assert play.steps == play.offsets[-1] == steps
    assert (play.states == longer.states[:steps]).all()


def test_play_stops_after_the_wanted_number_of_episodes(game, response):
    play = Rollout(game, response, 1_000, horizon=5, episodes=3)
    assert play.episodes == 3
    assert play.steps == play.offsets[-1] <= 15


def test_a_horizon_of_one_plays_one_step_an_episode(game, response):
    play = Rollout(game, response, 50, horizon=1)
    assert (play.lengths == 1).all()


def test_a_seed_gives_the_same_play_and_another_seed_another(game, response):
    first, again, other = (Rollout(game, response, 500, seed=seed) for seed in (1, 1, 2))
    assert (first.states == again.states).all()
    assert (first.b == again.b).all()
    assert (first.states != other.states).any()


def test_actions_of_probability_zero_are_never_drawn(game):
    sure = np.zeros((12, 2, 3))
    sure[..., 1] = 1.0
    play = Rollout(game, sure, 2_000)
    assert (play.b == 1).all()


def test_rollouts_in_slices_are_those_in_one(monkeypatch, game, response):
    def play(steps, episodes):
        rng = np.random.default_rng(1)
        return *tabular_rollout(rng, GameTables.of(game, 9), response, steps, episodes), rng.random()

    for steps, episodes in ((500, 500), (500, 20), (37, 500)):
        monkeypatch.undo()
        whole = play(steps, episodes)
        for size in (1, 7, 36, 37):
            monkeypatch.setattr(jit, "SLICE", size)
            for one, other in zip(play(steps, episodes), whole, strict=True):
                np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["stackelberg/DiscreteToy-v1", "stackelberg/BilevelLqr-v1"])
def test_whoever_changes_what_it_observed_does_not_change_the_game(name):
    game = se.make_game(name)
    committed = game.under(game.commitment.project(np.full(game.commitment.shape, 0.5)))
    before = committed.commitment.copy()
    seen = rollout(committed, se.solve(game, before).response, np.random.default_rng(0), steps=20)
    seen.commitment[...] = 0.0
    np.testing.assert_array_equal(committed.commitment, before)


@pytest.mark.parametrize("name", ["stackelberg/DiscreteToy-v1", "stackelberg/BilevelLqr-v1"])
@pytest.mark.parametrize("budget", [{}, {"steps": 5, "episodes": 2}, {"steps": 0}, {"episodes": -1}])
def test_a_rollout_has_so_many_steps_or_so_many_episodes(name, budget):
    game = se.make_game(name)
    x = game.commitment.project(np.full(game.commitment.shape, 0.5))
    with pytest.raises(ArgumentError, match="rollout: expected"):
        rollout(game.under(x), se.solve(game, x).response, np.random.default_rng(0), **budget)
