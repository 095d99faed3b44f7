"""Soft DQN against exact responses."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from agents.followers.action_values import ActionTable
from agents.followers.soft_dqn import SoftDqn
from tests.agents.followers.deep_games import (
    BALANCE,
    DEVIATION,
    LINE,
    QUICK,
    TASTES,
    Balance,
    X,
    distance,
    dqn,
    exact_policy,
    learned_policy,
    mean_of_next,
)


def balanced(states, context):
    """Return the best response in Balance, shape (n, 6), by soft value iteration on a grid with quadrature."""
    grid, actions = np.linspace(-12.0, 12.0, 481), ActionTable(LINE.follower_action_space).actions
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    pays, values = -0.3 * (grid - TASTES[context]) ** 2, np.zeros(481)
    ahead = mean_of_next(grid[:, None], actions)[..., None] + DEVIATION * nodes
    for _ in range(80):
        q = pays[:, None] + 0.8 * np.interp(ahead, grid, values) @ (weights / weights.sum())
        values = 0.2 * np.log(np.exp((q - q.max(axis=1, keepdims=True)) / 0.2).sum(axis=1)) + q.max(axis=1)
    found = np.exp((q - q.max(axis=1, keepdims=True)) / 0.2)
    table = found / found.sum(axis=1, keepdims=True)
    return np.column_stack([np.interp(states, grid, column) for column in table.T])


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="the extra torch is not installed")


@pytest.mark.parametrize("options", [{}, {"huber": 3.0}])
def test_soft_dqn_finds_the_best_response(torch, options):
    follower = dqn(**options)
    assert follower.learn(LINE.under(X)) == 6_400
    found, exact = learned_policy(follower), exact_policy()
    # What it would be to ignore the context, the leader's action, or to act evenly.
    for axis in (0, 2, 3):
        assert distance(exact.mean(axis=axis, keepdims=True), exact) > 0.15
    assert distance(found, exact) < 0.12
    states, a, k = np.array([[10.0]] * 1000), np.ones((1000, 1)), np.ones(1000, np.int32)
    b = follower.policy.sample(np.random.default_rng(1), states, a, k)
    expected = np.log(found[1, 3, 1, follower.policy.table.index(b)])
    np.testing.assert_allclose(follower.policy.log_prob(states, a, k, b), expected, rtol=1e-4)
    far = np.array([[1e6]])
    every = follower.policy.table.actions
    assert np.isfinite(follower.policy.log_prob(*(np.repeat(v, 6, axis=0) for v in (far, [[0.0]], [0])), every)).all()
    # 1,000 draws; each frequency is within 4.5 standard deviations, at most 0.071: a false alarm in 1e5.
    frequency = np.bincount(follower.policy.table.index(b), minlength=6) / 1000
    np.testing.assert_allclose(frequency, found[1, 3, 1], atol=0.071)


@pytest.mark.parametrize("afterstates", [False, True])
def test_soft_dqn_acts_for_what_comes_later(torch, afterstates):
    follower, states = dqn(afterstates=afterstates, steps=12_800), np.linspace(-3.0, 3.0, 25)
    follower.learn(BALANCE.under(X))
    for context in range(2):
        exact = balanced(states, context)
        found = follower.policy.probabilities(states[:, None], np.zeros((25, 1)), np.full(25, context))
        assert distance(np.full_like(exact, 1 / 6), exact) > 0.4
        assert distance(found, exact) < (0.08 if afterstates else 0.12)


@dataclass(frozen=True, eq=False, kw_only=True)
class Dearer(Balance):
    """The same in other units: all the follower's rewards are so many times as large."""

    times: float = 1.0

    def step(self, rng, x, states, contexts, leader_actions, follower_actions):
        made = super().step(rng, x, states, contexts, leader_actions, follower_actions)
        return replace(made, follower_reward=self.times * made.follower_reward)


@pytest.mark.parametrize("options", [{}, {"afterstates": True, "huber": 2.0}])
@pytest.mark.parametrize("times", [2.0**-332, 2.0**-8, 2.0**332])
def test_what_dqn_learns_depends_on_no_unit(torch, times, options):
    found = []
    for scale in (1.0, times):
        game = replace_game(BALANCE, Dearer, times=scale, temperature=0.2 * scale)
        follower = dqn(**{**QUICK, "steps": 512}, **options)
        follower.learn(game.under(X))
        states, acts = np.linspace(-3.0, 3.0, 7)[:, None], np.zeros((7, 1))
        found.append(follower.policy.probabilities(states, acts, np.zeros(7, np.int32)))
    np.testing.assert_array_equal(found[1], found[0])
    assert np.ptp(found[0], axis=1).max() > 1e-3


def replace_game(game, kind, **changes):
    names = ("commitment", "leader_discount", "follower_discount", "temperature", "horizon", "context_probabilities")
    return kind(**{**{name: getattr(game, name) for name in names}, **changes})


def test_targets_are_computed_anew_so_often_and_for_so_many_transitions(torch, monkeypatch):
    refresh, taken = SoftDqn._refresh, []

    def noted(follower, game):
        refresh(follower, game)
        taken.append(follower._taken)

    monkeypatch.setattr(SoftDqn, "_refresh", noted)
    follower = dqn(**QUICK, target_every=4, target_rows=40)
    follower.learn(LINE.under(X))
    taken.clear()
    follower.learn(LINE.under(X))  # 16 gradient steps
    assert taken == [40] * 4


def test_it_explores_while_it_learns_as_often_as_asked_for_and_never_when_it_is_watched(torch):
    # So cold that without exploration one action is almost all that is played.
    follower, game = dqn(**QUICK, exploration=1.0), LINE.replace(temperature=1e-3)
    follower.learn(game.under(X))
    assert follower.policy.exploration == 0.0
    states, nothing = np.zeros((6_000, 1)), np.zeros(6_000, np.int32)
    drawn = follower.explorer(game).sample(np.random.default_rng(0), states, np.zeros((6_000, 1)), nothing)
    counts = np.bincount(2 * drawn[:, 0] + drawn[:, 1], minlength=6)
    # Even draws of 6 actions: 1,000 of each, with a standard deviation of 29; false alarm 3e-6, seed fixed.
    np.testing.assert_allclose(counts, 1_000, atol=5 * 29)
