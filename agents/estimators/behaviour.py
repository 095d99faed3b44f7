"""The follower's policy as an observer estimates it: relative frequencies."""

from __future__ import annotations

import numpy as np

from agents.estimators.counts import count_actions
from agents.observing.trajectories import Trajectories
from agents.state import stateful
from agents.state.stateful import Stateful
from stackelberg_envs.arrays import Array, require_at_least

__all__ = ["BehaviourEstimate"]


class BehaviourEstimate(Stateful):
    """Counts of follower actions under the present commitment, backed by the last estimate.

    Parameters
    ----------
    shape
        (Z, A, B).
    prior_visits
        Weight of the last commitment's estimate, in visits: it decides where the present one was never seen,
        and steadies rows seen a few times.

    Attributes
    ----------
    policy
        The estimate of g(b | z, a), shape (Z, A, B); the last axis sums to one, rows never seen are uniform.
    """

    state_fields = stateful.fields(policy=stateful.Array(low=0.0, high=1.0), _seen=stateful.Array())

    def __init__(self, shape: tuple[int, int, int], prior_visits: float = 1.0) -> None:
        self.policy = np.full(shape, 1.0 / shape[2])
        self.prior_visits = require_at_least(prior_visits, 0.0, "prior_visits")
        self._seen = np.zeros((*shape[:2], 1), dtype=np.bool_)

    def update(self, trajectories: Trajectories) -> Array:
        """Return the estimate after one more commitment's play, shape (Z, A, B)."""
        counts = np.where(self._seen, self.prior_visits * self.policy, 0.0)
        count_actions(trajectories.joint_state, trajectories.leader_action, trajectories.follower_action, counts)
        totals = counts.sum(axis=2, keepdims=True)
        self.policy = np.divide(counts, totals, out=self.policy.copy(), where=totals > 0)
        self._seen |= totals > 0
        return self.policy
