"""Averages over visits, in one pass with a trace, against their definition with one Jacobian per step."""

from dataclasses import replace

import numpy as np
import pytest

from agents.estimators import visit_averages
from agents.estimators.visit_averages import (
    advantage_weights,
    cell_weights,
    follow_visits,
    weights_per_visit,
)
from agents.observing.trajectories import concatenate
from agents.runs.collection import collect
from stackelberg_envs.envs import random_tabular_v1
from stackelberg_envs.solvers.solving import solve

DISCOUNT = 0.8


def small_play(terminal=1, horizon=7, seed=2, episodes=6):
    game = random_tabular_v1.make_game(
        S=4, A=2, B=2, branching=2, terminal=terminal, commitment="policy",
        leader_discount=0.9, follower_discount=DISCOUNT, temperature=1.5, horizon=horizon, seed=3,
    )  # fmt: skip
    solution = solve(game, np.random.default_rng(0).dirichlet(np.ones(2), size=4))
    return game, solution, collect(game, solution.x, solution.response, episodes=episodes, rng=seed)


def definition(weights, seen, behaviour):
    """Return the response term in the coordinates (d r_F, d log f, d log P) of each recorded step, shape (T, 3).

    One Jacobian row per step (G) and per state (U, what follows an arrival there), solved as a linear system.
    """
    T, Z = seen.num_steps, len(weights)
    z, a, b = seen.joint_state, seen.leader_action, seen.follower_action
    G, H = np.zeros((2, T, 3 * T + Z))
    for start, stop in zip(seen.offsets, seen.offsets[1:], strict=False):
        for t in range(stop - 1, start - 1, -1):
            G[t, 3 * t] = 1.0
            if not seen.ends[t]:
                G[t, 3 * t + 2] = DISCOUNT
                after = np.zeros(3 * T + Z)
                after[3 * T + seen.next_joint_state[t]] = 1.0
                G[t] += DISCOUNT * (H[t + 1] if t + 1 < stop else after)
            H[t] = G[t]
            H[t, 3 * t + 1] += 1.0
    U = np.array([H[z == s].mean(axis=0) if (z == s).any() else np.zeros(3 * T + Z) for s in range(Z)])
    U = np.linalg.solve(np.eye(Z) - U[:, 3 * T :], U[:, : 3 * T])
    G = G[:, : 3 * T] + G[:, 3 * T :] @ U
    total = np.zeros(3 * T)
    for s, i in {(s, i) for s, i in zip(z.tolist(), a.tolist(), strict=True)}:
        here = (z == s) & (a == i)
        means = {j: G[here & (b == j)].mean(axis=0) for j in range(2) if (here & (b == j)).any()}
        average = G[here].mean(axis=0)
        if behaviour is not None:
            average = sum(behaviour[s, i, j] * mean for j, mean in means.items())
        for j, mean in means.items():
            total += weights[s, i, j] * (mean - average)
    return total.reshape(T, 3)


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("terminal", [0, 1])
def test_one_pass_equals_the_definition(terminal, known, cut):
    _, solution, seen = small_play(terminal, horizon=3 if terminal else 7)
    assert seen.terminated.any() == bool(terminal) and not seen.terminated.all()
    seen = seen if cut else replace(seen, terminated=np.ones_like(seen.terminated))
    rng = np.random.default_rng(4)
    weights = cell_weights(seen, rng.standard_normal(seen.num_steps), solution.leader.q.shape)
    policy, soft = solution.primitives.leader_policy, rng.standard_normal((4, 2))
    behaviour = solution.best.policy if known else None
    got = follow_visits(
        weights_per_visit(weights, seen, behaviour), seen, policy,
        follower_discount=DISCOUNT, follower_values=soft,
    )  # fmt: skip
    expected = definition(weights, seen, behaviour)
    states = (policy * soft).sum(axis=1)
    z, a = seen.joint_state, seen.leader_action
    np.testing.assert_allclose(got.follower_reward, expected[:, 0], atol=1e-8)
    np.testing.assert_allclose(got.leader_policy, expected[:, 1] * (soft[z, a] - states[z]), atol=1e-8)
    np.testing.assert_allclose(got.transition, expected[:, 2] * states[seen.next_joint_state], atol=1e-8)
    assert got.leader_reward is None


def test_weights_are_discounted_advantages_per_episode_and_centred_over_visits():
    _, solution, seen = small_play(terminal=0)
    advantage = np.random.default_rng(1).standard_normal(solution.leader.q.shape)
    got = advantage_weights(seen, advantage, leader_discount=0.9, temperature=1.5)
    expected = np.zeros_like(got)
    for start, stop in zip(seen.offsets, seen.offsets[1:], strict=False):
        for t in range(stop - start):
            cell = seen.joint_state[start + t], seen.leader_action[start + t], seen.follower_action[start + t]
            expected[cell] += 0.9**t * advantage[cell] / 1.5 / seen.num_episodes
    np.testing.assert_allclose(got, expected, atol=1e-12)
    per_visit = weights_per_visit(got, seen)
    at_steps = per_visit[seen.joint_state, seen.leader_action, seen.follower_action]
    for s, a in np.ndindex(4, 2):
        here = (seen.joint_state == s) & (seen.leader_action == a)
        assert at_steps[here].sum() == pytest.approx(0.0, abs=1e-12)


def test_concatenated_play_has_the_episodes_of_both():
    _, _, one = small_play(seed=2)
    _, _, other = small_play(seed=5, episodes=3)
    both = concatenate([one, other])
    assert both.num_episodes == 9 and both.num_steps == one.num_steps + other.num_steps
    np.testing.assert_array_equal(both.returns(0.9), np.concatenate([one.returns(0.9), other.returns(0.9)]))
    np.testing.assert_array_equal(both.ends, np.concatenate([one.ends, other.ends]))
    assert both.follower_reward is not None
    assert concatenate([one, other.without("follower_reward")]).follower_reward is None


@pytest.mark.parametrize("size", [5e-324, 1e-313, 1e-200, 1e200])
def test_weights_of_any_size_give_the_same_answer_in_few_passes(size, monkeypatch):
    _, solution, seen = small_play(terminal=0, horizon=3)
    weights = np.random.default_rng(4).integers(-3, 4, solution.leader.q.shape) * 1.0
    policy, soft = solution.primitives.leader_policy, np.zeros((4, 2))
    passes, trace = [], visit_averages.visit_trace

    def counted(*arguments):
        passes.append(1)
        assert len(passes) < 200
        trace(*arguments)

    monkeypatch.setattr(visit_averages, "visit_trace", counted)
    follow = [
        follow_visits(c, seen, policy, follower_discount=DISCOUNT, follower_values=soft)
        for c in (weights, size * weights)
    ]
    expected = size * follow[0].follower_reward
    np.testing.assert_allclose(follow[1].follower_reward, expected, rtol=1e-12, atol=5e-324)


def test_weights_that_are_no_numbers_end():
    _, solution, seen = small_play(terminal=0, horizon=3)
    weights = np.full(solution.leader.q.shape, np.nan)
    got = follow_visits(weights, seen, solution.primitives.leader_policy, follower_discount=DISCOUNT)
    assert np.isnan(got.follower_reward).any()
