"""Critics: the leader's tables of action values, learned from observed play alone.

All keep their table between leader updates. The same critic also evaluates the *follower* from its
observed rewards: with the entropy bonus -temperature log g it estimates V_F (theory, section 5).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agents.estimators.counts import TransitionCounts, count_actions, scatter_add
from agents.observing.trajectories import Trajectories
from agents.state import stateful
from agents.state.stateful import Stateful
from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.errors import unknown_name
from stackelberg_envs.jit import compiled, slice_of

__all__ = ["CRITICS", "Critic", "ExpectedSarsa", "Lstd", "MonteCarlo", "discounted_returns", "make_critic"]


class Critic(Protocol):
    """A table of action values q, shape (Z, A, B), that learns from trajectories; its state is declared."""

    q: Array

    def update(
        self,
        trajectories: Trajectories,
        rewards: Array,
        leader_policy: Array,
        behaviour: Array,
        *,
        bonus: Array | None = None,
        known: Array | None = None,
    ) -> float:
        """Learn from rewards of shape (T,) and return the mean absolute error before the update."""


class ExpectedSarsa(Stateful):
    """Tabular expected SARSA over the batch, last step to first, several sweeps.

    Parameters
    ----------
    shape
        (Z, A, B).
    discount
        Per play step.
    least_step
        The step is 1 / visits within the sweep, but at least this.
    sweeps
        Passes over each batch.
    """

    state_fields = stateful.fields(q=stateful.Array())

    def __init__(
        self,
        shape: tuple[int, int, int],
        discount: float,
        least_step: float = 0.05,
        sweeps: int = 10,
    ) -> None:
        self.q = np.zeros(shape)
        self.discount = discount
        self.least_step = least_step
        self.sweeps = sweeps

    def update(
        self,
        trajectories: Trajectories,
        rewards: Array,
        leader_policy: Array,
        behaviour: Array,
        *,
        bonus: Array | None = None,
        known: Array | None = None,
    ) -> float:
        """Learn from rewards of shape (T,).

        Parameters
        ----------
        trajectories
            What was observed under one commitment.
        rewards
            The rewards to evaluate, shape (T,).
        leader_policy, behaviour
            f, shape (Z, A), and the estimated g, shape (Z, A, B).
        bonus
            Added to q wherever it is averaged, shape (Z, A, B): the follower's entropy.
        known
            The part of the rewards that the leader itself sets, shape (Z, A, B); not used here.
        """
        del known
        extra = np.zeros_like(self.q) if bonus is None else bonus
        return evaluate_behaviour(
            trajectories.joint_state,
            trajectories.leader_action,
            trajectories.follower_action,
            trajectories.next_joint_state,
            trajectories.ends,
            rewards,
            leader_policy,
            behaviour,
            extra,
            self.discount,
            self.least_step,
            self.sweeps,
            np.empty_like(self.q),
            self.q,
            np.empty(len(self.q)),
        )


class MonteCarlo(Stateful):
    """Averages of observed returns over visits of (z, a, b).

    Parameters
    ----------
    shape
        (Z, A, B).
    discount
        Per play step.
    """

    state_fields = stateful.fields(q=stateful.Array(), _state_values=stateful.Array())

    def __init__(self, shape: tuple[int, int, int], discount: float) -> None:
        self.q = np.zeros(shape)
        self.discount = discount
        self._state_values = np.zeros(shape[0])

    def update(
        self,
        trajectories: Trajectories,
        rewards: Array,
        leader_policy: Array,
        behaviour: Array,
        *,
        bonus: Array | None = None,
        known: Array | None = None,
    ) -> float:
        """Learn from rewards of shape (T,); see :meth:`ExpectedSarsa.update`."""
        del known
        z, a, b = trajectories.joint_state, trajectories.leader_action, trajectories.follower_action
        earned = rewards if bonus is None else rewards + _bonus_of_next(trajectories, bonus, self.discount)
        last = trajectories.next_joint_state[trajectories.offsets[1:] - 1]
        tails = np.where(trajectories.terminated, 0.0, self._state_values[last])
        returns = np.empty(trajectories.num_steps)
        discounted_returns(earned, trajectories.offsets, tails, self.discount, returns)
        counts, totals = np.zeros_like(self.q), np.zeros_like(self.q)
        count_actions(z, a, b, counts)
        scatter_add(z, a, b, returns, totals)
        error = float(np.abs(returns - self.q[z, a, b]).mean())
        self.q = np.divide(totals, counts, out=self.q.copy(), where=counts > 0)
        averaged = self.q if bonus is None else self.q + bonus
        self._state_values = np.einsum("za,zab,zab->z", leader_policy, behaviour, averaged)
        return error


def _bonus_of_next(trajectories: Trajectories, bonus: Array, discount: float) -> Array:
    """Return the discounted bonus earned by the next step's action: a return excludes the bonus of its own."""
    own: Array = bonus[trajectories.joint_state, trajectories.leader_action, trajectories.follower_action]
    out = np.zeros_like(own)
    out[:-1] = discount * own[1:]
    out[trajectories.offsets[1:] - 1] = 0.0
    return out


class Lstd(Stateful):
    """Least-squares temporal differences on the table: expected SARSA's fixed point on all steps seen, solved.

    Dynamics are counted over all commitments (they do not depend on an incentive or a policy); rewards too,
    less the part the leader itself sets and knows. Only the behaviour has to be the present one.

    Parameters
    ----------
    shape
        (Z, A, B).
    discount
        Per play step.
    stationary
        Whether the dynamics are the same under every commitment. If not, only the present one's are counted.
    """

    state_fields = stateful.fields(
        **{name: stateful.Array() for name in ("q", "_rewards", "_visits")}, _model=stateful.Part()
    )

    def __init__(self, shape: tuple[int, int, int], discount: float, stationary: bool = True) -> None:
        self.q = np.zeros(shape)
        self.discount = discount
        self.stationary = stationary
        self._rewards, self._visits = np.zeros(shape), np.zeros(shape)
        self._model = TransitionCounts(shape)

    def update(
        self,
        trajectories: Trajectories,
        rewards: Array,
        leader_policy: Array,
        behaviour: Array,
        *,
        bonus: Array | None = None,
        known: Array | None = None,
    ) -> float:
        """Learn from rewards of shape (T,); see :meth:`ExpectedSarsa.update`. `known` is taken out and put back."""
        z, a, b = trajectories.joint_state, trajectories.leader_action, trajectories.follower_action
        own = rewards if known is None else rewards - known[z, a, b]
        count_actions(z, a, b, self._visits)
        scatter_add(z, a, b, own, self._rewards)
        if not self.stationary:
            self._model = TransitionCounts(self.q.shape)
        self._model.observe(trajectories)
        mean = self._rewards / np.maximum(self._visits, 1.0)
        mean = mean if known is None else np.where(self._visits > 0, mean + known, 0.0)
        before = self.q[z, a, b]
        self.q = self._model.evaluate(mean, leader_policy[:, :, None] * behaviour, self.discount, bonus)
        return float(np.abs(self.q[z, a, b] - before).mean())


#: The critics by name.
CRITICS: dict[str, type[ExpectedSarsa] | type[MonteCarlo] | type[Lstd]] = {
    "expected_sarsa": ExpectedSarsa,
    "lstd": Lstd,
    "monte_carlo": MonteCarlo,
}


def make_critic(
    name: str,
    shape: tuple[int, int, int],
    discount: float,
    *,
    stationary: bool = True,
) -> Critic:
    """Return a fresh critic by name.

    Parameters
    ----------
    name
        One of `CRITICS`.
    shape, discount
        As for all critics.
    stationary
        Whether the dynamics are the same under every commitment; only "lstd" looks further back than one commitment.

    Raises
    ------
    UnknownNameError
        Nobody registered that name.
    """
    if name not in CRITICS:
        raise unknown_name("critic", name, CRITICS)
    if name == "lstd":
        return Lstd(shape, discount, stationary)
    return CRITICS[name](shape, discount)


def evaluate_behaviour(
    states: IntArray,
    leader_actions: IntArray,
    follower_actions: IntArray,
    next_states: IntArray,
    ends: NDArray[np.bool_],
    rewards: Array,
    leader_policy: Array,
    behaviour: Array,
    bonus: Array,
    discount: float,
    least_step: float,
    sweeps: int,
    visits: Array,
    q: Array,
    state_values: Array,
) -> float:
    """Expected SARSA over recorded steps, last to first, `sweeps` times.

    `q` (Z, A, B) and its average `state_values` (Z,) are modified in place; `visits` (Z, A, B) is scratch. The
    target is reward + discount * sum_{a,b} f g (q + bonus) at the next state. The step is 1 / visits within the
    sweep, at least `least_step`: each sweep averages its own targets, so those of the first sweeps, made with
    values that had not converged, are forgotten. Backwards, because a reward then travels a whole episode in one
    sweep. Returns the mean absolute temporal-difference error of the last sweep.
    """
    steps = (states, leader_actions, follower_actions, next_states, ends, rewards)
    _average(leader_policy, behaviour, bonus, q, state_values)
    error = 0.0
    T, most = states.shape[0], slice_of(1)
    for _ in range(sweeps):
        error = 0.0
        visits[:] = 0.0
        for last in range(T, 0, -most):
            first = max(0, last - most)
            error = _evaluate_behaviour(
                *steps, leader_policy, behaviour, discount, least_step, first, last, error, visits, q, state_values
            )
    return float(error / max(T, 1))


@compiled
def _average(leader_policy: Array, behaviour: Array, bonus: Array, q: Array, out: Array) -> None:
    """Write sum_{a,b} f g (q + bonus) into `out` (Z,)."""
    Z, A, B = q.shape
    for s in range(Z):
        total = 0.0
        for a in range(A):
            for b in range(B):
                total += leader_policy[s, a] * behaviour[s, a, b] * (q[s, a, b] + bonus[s, a, b])
        out[s] = total


@compiled
def _evaluate_behaviour(
    states: IntArray,
    leader_actions: IntArray,
    follower_actions: IntArray,
    next_states: IntArray,
    ends: NDArray[np.bool_],
    rewards: Array,
    leader_policy: Array,
    behaviour: Array,
    discount: float,
    least_step: float,
    first: int,
    last: int,
    error: float,
    visits: Array,
    q: Array,
    state_values: Array,
) -> float:
    """Sweep over the steps from `last` - 1 down to `first`; returns `error` plus the absolute errors of these."""
    for t in range(last - 1, first - 1, -1):
        s, a, b = states[t], leader_actions[t], follower_actions[t]
        target = rewards[t]
        if not ends[t]:
            target += discount * state_values[next_states[t]]
        visits[s, a, b] += 1.0
        gap = target - q[s, a, b]
        change = max(least_step, 1.0 / visits[s, a, b]) * gap
        q[s, a, b] += change
        state_values[s] += leader_policy[s, a] * behaviour[s, a, b] * change
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
