r"""The follower's policy, counted and carried along from one commitment to the next.

Counts under one commitment are few. But the Boltzmann identity says how the policy changes with the commitment: to
first order

.. math::
    \log g'(b|s,a) = \log g(b|s,a) + \frac{1}{\lambda}\big(\Delta Q_F(s,a,b) - E_g\, \Delta Q_F(s,a,\cdot)\big) ,

where :math:`\Delta Q_F` is the change of the follower's action values with its behaviour as it was. So what was counted
before still counts, less the further the policy has moved. How much less is reckoned in variances: that of a logarithm
of n visits is about 1 / n, and what a first-order step of size d leaves out is of the order of d^2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array

from ..observing.trajectories import Trajectories
from ..state import stateful
from ..state.stateful import Stateful
from .counts import count_actions, even_policy

__all__ = ["CarriedBehaviour"]

#: Variance that a step of the policy's logarithm of size d adds: from what is of second order, and from errors of the
#: model that the step is reckoned in.
SECOND_ORDER, MODEL_ERROR = 0.5, 0.03
#: An action not seen in n visits is taken to be played as often as this part of a visit in n + 1.
UNSEEN = 0.1


class CarriedBehaviour(Stateful):
    """The follower's policy under the present commitment, from all play so far.

    Parameters
    ----------
    shape
        (Z, A, B).
    feasible
        Which actions can be taken, shape (Z, A, B); default all.

    Attributes
    ----------
    policy
        The estimate of g(b | z, a), shape (Z, A, B); rows never seen are even.
    weight
        How many visits of the present commitment each row is as good as, shape (Z, A).
    """

    state_fields = stateful.fields(policy=stateful.Array(low=0.0, high=1.0), weight=stateful.Array(low=0.0))

    def __init__(self, shape: tuple[int, int, int], feasible: NDArray[np.bool_] | None = None) -> None:
        self.policy = even_policy(shape, feasible)
        self._feasible = feasible
        self.weight = np.zeros(shape[:2])

    @property
    def smoothed(self) -> Array:
        """The estimate with every feasible action possible, shape (Z, A, B): what was not seen may still come."""
        able = self._feasible
        count = self.policy.shape[2] if able is None else able.sum(axis=2, keepdims=True)
        least = UNSEEN / (self.weight[:, :, None] + 1.0) / count
        policy = np.maximum(self.policy, least if able is None else np.where(able, least, 0.0))
        return np.asarray(policy / policy.sum(axis=2, keepdims=True))

    def carry(self, shift: Array) -> None:
        """Move on to another commitment.

        Parameters
        ----------
        shift
            The change of Q_F over the temperature, shape (Z, A, B), less its mean under :attr:`smoothed`.
        """
        smoothed = self.smoothed
        logits = np.log(smoothed, out=np.full_like(smoothed, -np.inf), where=smoothed > 0) + shift
        policy = np.exp(logits - logits.max(axis=2, keepdims=True))
        self.policy = policy / policy.sum(axis=2, keepdims=True)
        step = np.abs(shift).max(axis=2)
        with np.errstate(over="ignore"):
            lost = SECOND_ORDER * step**4 + MODEL_ERROR * step**2
            self.weight = self.weight / (1.0 + self.weight * lost)

    def update(self, trajectories: Trajectories) -> Array:
        """Return the estimate after play under the present commitment, shape (Z, A, B)."""
        counts = np.zeros_like(self.policy)
        count_actions(trajectories.joint_state, trajectories.leader_action, trajectories.follower_action, counts)
        new = counts.sum(axis=2, keepdims=True)
        weight = self.weight[:, :, None]
        total = weight + new
        self.policy = np.divide(weight * self.policy + counts, total, out=self.policy.copy(), where=new > 0)
        self.weight = total[:, :, 0]
        return self.policy
