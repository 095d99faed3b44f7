"""Expected SARSA: a follower that learns what its own behaviour is worth, with the exploration that is part of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.jit import compiled
from stackelberg_envs.play.rollout import GameTables, draw, first_state

from ..state import stateful
from .base import register_follower
from .tabular import LearningTask, TabularLearner, gibbs_row, learn_in_slices

__all__ = ["ExpectedSarsa", "expected_sarsa"]


@register_follower("expected_sarsa")
class ExpectedSarsa(TabularLearner):
    r"""Learns a table of what its own play is worth.

    This is tabular expected SARSA with the follower's entropy. It is on-policy: it learns the value of the policy that
    it plays in training, :math:`\mu = (1 - \epsilon) \mathrm{Gibbs}(Q) + \epsilon / B`, with B the number of feasible
    actions. Its fixed point is

    .. math::
        Q = r_F + \gamma_F (1 - \text{terminal}) P \sum_a f \sum_b \mu (Q - \lambda \log \mu) .

    The mean over the leader's next action uses the announced policy. Without exploration the sum over b is the
    soft value, so the fixed point is the soft best response.
    """

    state_fields = stateful.fields()

    def learn_tables(self, game: GameTables, task: LearningTask, steps: int) -> None:
        """Play and learn in arrays."""
        expected_sarsa(self.rng, game, task, steps, self.visits, self.q)


def expected_sarsa(
    rng: np.random.Generator,
    game: GameTables,
    task: LearningTask,
    steps: int,
    visits: Array,
    q: Array,
) -> int:
    """Tabular expected SARSA with entropy in a simulator; the arguments are those of :func:`soft_q_learning`.

    The target averages over the leader's next action by its announced policy, and over the follower's by what
    it plays: its Gibbs policy, mixed with an even draw. Returns the number of episodes.
    """
    cost = 4 * q.shape[1] * q.shape[2] + game.probabilities.shape[3]
    return learn_in_slices(_expected_sarsa, rng, game, task, steps, visits, q, cost=cost)


@compiled
def _expected_sarsa(
    rng: np.random.Generator,
    game: GameTables,
    task: LearningTask,
    steps: int,
    visits: Array,
    q: Array,
    policy: Array,
    place: NDArray[np.int64],
) -> None:
    """Go on for so many steps; see :func:`agents.followers.tabular.learn_in_slices`."""
    A = q.shape[1]
    s, left, episodes = place[0], place[2], place[3]
    for _ in range(steps):
        if left == 0:
            s = first_state(game.initial, rng.random())
            left = game.horizon
            episodes += 1
        a = draw(game.leader_policy[s], rng.random()) if A > 1 else 0
        _mixed_gibbs(q[s, a], task.temperature, task.exploration, policy)
        b = draw(policy, rng.random())
        target = task.reward[s, a, b]
        u = s
        ended = game.continuing[s] == 0.0
        if not ended:
            u = game.successors[s, a, b, draw(game.probabilities[s, a, b], rng.random())]
            for v in range(A):
                if game.leader_policy[u, v] > 0.0:
                    ahead = _mixed_gibbs(q[u, v], task.temperature, task.exploration, policy)
                    target += task.discount * game.leader_policy[u, v] * ahead
        visits[s, a, b] += 1.0
        q[s, a, b] += max(task.least_step, 1.0 / visits[s, a, b]) * (target - q[s, a, b])
        left = 0 if ended else left - 1
        s = u
    place[0], place[2], place[3] = s, left, episodes


@compiled
def _mixed_gibbs(q: Array, temperature: float, exploration: float, out: Array) -> float:
    """Write the Gibbs policy of `q` (B,) mixed with an even draw into `out`; return its entropy-regularised value."""
    B = q.shape[0]
    gibbs_row(q, temperature, out)
    value, able = 0.0, 0
    for b in range(B):
        if q[b] > -np.inf:
            able += 1
    for b in range(B):
        if q[b] > -np.inf:
            out[b] = (1.0 - exploration) * out[b] + exploration / able
        if out[b] > 0.0:
            value += out[b] * (q[b] - temperature * np.log(out[b]))
    return value
