"""Critics: the leader's tables of action values, learned from observed play alone.

All keep their table between leader updates. The same critic also evaluates the *follower* from its
observed rewards: with the entropy bonus -temperature log g it estimates V_F (theory, section 5).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from agents import kernels
from agents.estimators.counts import TransitionCounts
from agents.observing.trajectories import Trajectories
from agents.state import stateful
from agents.state.stateful import Stateful
from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import unknown_name

__all__ = ["CRITICS", "Critic", "ExpectedSarsa", "Lstd", "MonteCarlo", "make_critic"]


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
        return kernels.evaluate_behaviour(
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
        kernels.discounted_returns(earned, trajectories.offsets, tails, self.discount, returns)
        counts, totals = np.zeros_like(self.q), np.zeros_like(self.q)
        kernels.count_actions(z, a, b, counts)
        kernels.scatter_add(z, a, b, returns, totals)
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
        kernels.count_actions(z, a, b, self._visits)
        kernels.scatter_add(z, a, b, own, self._rewards)
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
