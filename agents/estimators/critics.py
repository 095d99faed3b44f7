"""Critics: the leader's tables of action values, learned from observed play alone.

All keep their table between leader updates. The same critic also evaluates the *follower* from its
observed rewards: with the entropy bonus -temperature log g it estimates V_F.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import unknown_name
from stackelberg_envs.jit import compiled, slice_of

from ..observing.trajectories import Trajectories
from ..state import stateful
from ..state.stateful import Stateful
from .counts import EvaluationTask, Lstd, RecordedSteps, TabularCounts, count_actions, scatter_add

__all__ = [
    "CRITICS",
    "Critic",
    "ExpectedSarsaCritic",
    "MonteCarlo",
    "discounted_returns",
    "make_critic",
]

#: Of "expected_sarsa": a step is 1 / visits within a sweep, but at least this, so that values move on to their fixed
#: point even where the batch visits an action often.
LEAST_STEP = 0.05
#: Passes over each batch. One brings a reward to the start of its episode; more, by the states that episodes share,
#: to episodes that ended without it.
SWEEPS = 10


class Critic(Protocol):
    """A table of action values q, shape (Z, A, B), that learns from trajectories; its state is declared.

    Attributes
    ----------
    q
        The table, reward units.
    uses_counts
        Whether it reads :class:`agents.estimators.counts.TabularCounts`, which have to be brought up to date first.
    """

    q: Array
    uses_counts: bool

    def update(self, task: EvaluationTask) -> float:
        """Learn from one commitment's play; return the mean absolute change, or error, at its steps."""


class ExpectedSarsaCritic(Stateful):
    """Tabular expected SARSA over the batch, last step to first, several sweeps.

    Parameters
    ----------
    shape
        (Z, A, B).
    discount
        Per play step.
    """

    uses_counts = False
    state_fields = stateful.fields(q=stateful.Array())

    def __init__(self, shape: tuple[int, int, int], discount: float) -> None:
        self.q = np.zeros(shape)
        self.discount = discount

    def update(self, task: EvaluationTask) -> float:
        """Learn from one commitment's play; return the mean absolute temporal-difference error of the last sweep."""
        steps, rewards = RecordedSteps.of(task.trajectories), task.rewards
        joint = task.leader_policy[:, :, None] * task.behaviour
        averaged = self.q if task.entropy_bonus is None else self.q + task.entropy_bonus
        values = np.einsum("zab,zab->z", joint, averaged)
        error, T, most = 0.0, len(rewards), slice_of(1)
        for _ in range(SWEEPS):
            error, visits = 0.0, np.zeros_like(self.q)
            for last in range(T, 0, -most):
                first = max(0, last - most)
                error = _sweep(steps, rewards, joint, self.discount, first, last, error, visits, self.q, values)
        return float(error / max(T, 1))


class MonteCarlo(Stateful):
    """Averages of observed returns over visits of (z, a, b); a cut episode goes on as the last averages say.

    Parameters
    ----------
    shape
        (Z, A, B).
    discount
        Per play step.
    """

    uses_counts = False
    state_fields = stateful.fields(q=stateful.Array(), _state_values=stateful.Array())

    def __init__(self, shape: tuple[int, int, int], discount: float) -> None:
        self.q = np.zeros(shape)
        self.discount = discount
        self._state_values = np.zeros(shape[0])

    def update(self, task: EvaluationTask) -> float:
        """Learn from one commitment's play; return the mean absolute difference of returns and values before it."""
        seen, bonus = task.trajectories, task.entropy_bonus
        z, a, b = seen.joint_state, seen.leader_action, seen.follower_action
        earned = task.rewards if bonus is None else task.rewards + _bonus_of_next(seen, bonus, self.discount)
        last = seen.next_joint_state[seen.offsets[1:] - 1]
        tails = np.where(seen.terminated, 0.0, self._state_values[last])
        returns = np.empty(seen.num_steps)
        discounted_returns(earned, seen.offsets, tails, self.discount, returns)
        counts, totals = np.zeros_like(self.q), np.zeros_like(self.q)
        count_actions(z, a, b, counts)
        scatter_add(z, a, b, returns, totals)
        error = float(np.abs(returns - self.q[z, a, b]).mean())
        self.q = np.divide(totals, counts, out=self.q.copy(), where=counts > 0)
        averaged = self.q if bonus is None else self.q + bonus
        self._state_values = np.einsum("za,zab,zab->z", task.leader_policy, task.behaviour, averaged)
        return error


def _bonus_of_next(trajectories: Trajectories, bonus: Array, discount: float) -> Array:
    """Return the discounted bonus earned by the next step's action: a return excludes the bonus of its own."""
    own: Array = bonus[trajectories.joint_state, trajectories.leader_action, trajectories.follower_action]
    out = np.zeros_like(own)
    out[:-1] = discount * own[1:]
    out[trajectories.offsets[1:] - 1] = 0.0
    return out


#: The critics by name.
CRITICS: dict[str, Callable[[TabularCounts, float], Critic]] = {
    "expected_sarsa": lambda counts, discount: ExpectedSarsaCritic(counts.visits.shape, discount),
    "lstd": Lstd,
    "monte_carlo": lambda counts, discount: MonteCarlo(counts.visits.shape, discount),
}


def make_critic(name: str, counts: TabularCounts, discount: float) -> Critic:
    """Return a fresh critic by name.

    Parameters
    ----------
    name
        One of `CRITICS`.
    counts
        Of the game's table, for a critic that reads them.
    discount
        Per play step.

    Raises
    ------
    UnknownNameError
        Nobody registered that name.
    """
    if name not in CRITICS:
        raise unknown_name("critic", name, CRITICS)
    return CRITICS[name](counts, discount)


@compiled
def _sweep(
    steps: RecordedSteps,
    rewards: Array,
    joint_policy: Array,
    discount: float,
    first: int,
    last: int,
    error: float,
    visits: Array,
    q: Array,
    state_values: Array,
) -> float:
    """Sweep over the steps from `last` - 1 down to `first`; returns `error` plus the absolute errors of these.

    `q` and `visits` (Z, A, B), and `state_values` (Z,), the mean of q and the entropy bonus, are modified in place. The
    target is reward + discount * state_values at the next state. The step is 1 / visits within the sweep, at least
    `LEAST_STEP`: each sweep averages its own targets, so those of the first sweeps, made with values that had not
    converged, are forgotten. Backwards, because a reward then travels a whole episode in one sweep.
    """
    for t in range(last - 1, first - 1, -1):
        s, a, b = steps.state[t], steps.leader_action[t], steps.follower_action[t]
        target = rewards[t]
        if not steps.ends[t]:
            target += discount * state_values[steps.next_state[t]]
        visits[s, a, b] += 1.0
        gap = target - q[s, a, b]
        change = max(LEAST_STEP, 1.0 / visits[s, a, b]) * gap
        q[s, a, b] += change
        state_values[s] += joint_policy[s, a, b] * change
        error += abs(gap)
    return error


@compiled
def discounted_returns(rewards: Array, offsets: NDArray[np.int64], tails: Array, discount: float, out: Array) -> None:
    """Write the return from each step to the end of its episode into `out` (T,); `tails` (N,) follow the ends."""
    for i in range(offsets.shape[0] - 1):
        ahead = tails[i]
        for t in range(offsets[i + 1] - 1, offsets[i] - 1, -1):
            ahead = rewards[t] + discount * ahead
            out[t] = ahead
