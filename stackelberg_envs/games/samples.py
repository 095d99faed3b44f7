"""Samples: recorded steps of games whose states are vectors, and commitments that are differentiated at them.

Where states are vectors there is no array with an entry per state and action. A commitment then says what it
changes *at samples*: the log-density of the leader's action and of the transition, and its part of the two rewards.
One vector-Jacobian product turns :class:`~stackelberg_envs.StepCotangents`, an entry per recorded step, into dJ/dx.

Letters: T samples, W state size, A and B sizes of the leader's and the follower's action, D entries of x.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import GameError
from stackelberg_envs.games.commitments.base import DIFFERENCE_STEP, Commitment, Effect, central_differences
from stackelberg_envs.games.cotangents import StepCotangents
from stackelberg_envs.games.trajectories import Samples, Trajectories

__all__ = [
    "ActionSpec",
    "ModelClass",
    "SampledCommitment",
    "SampledEffect",
    "Samples",
    "sampled_difference_vjp",
]

#: Shape (n, B): float64 for boxes, integers for Discrete (B = 1) and MultiDiscrete.
Actions = NDArray[Any]


@dataclass(frozen=True, eq=False)
class ActionSpec:
    """A space of actions as plain data.

    Attributes
    ----------
    low, high
        Bounds of a box, shape (B,); None for discrete actions.
    counts
        Number of choices of each of the B discrete actions; None for a box.
    """

    low: Array | None = None
    high: Array | None = None
    counts: tuple[int, ...] | None = None

    @property
    def size(self) -> int:
        """B."""
        return len(self.low) if self.low is not None else len(self.counts or ())

    @classmethod
    def of(cls, space: Any) -> ActionSpec:
        """Return the description of a Gymnasium Box, Discrete or MultiDiscrete.

        Raises
        ------
        GameError
            Another kind of space.
        """
        if hasattr(space, "nvec"):
            return cls(counts=tuple(int(count) for count in space.nvec))
        if hasattr(space, "n"):
            return cls(counts=(int(space.n),))
        if hasattr(space, "low"):
            return cls(low=np.asarray(space.low, np.float64).ravel(), high=np.asarray(space.high, np.float64).ravel())
        raise GameError(f"space: expected a Box, Discrete or MultiDiscrete, got {space!r}")


@dataclass(frozen=True, eq=False)
class SampledEffect:
    """What a commitment sets at samples, each entry of shape (T,); None where it changes nothing.

    Attributes
    ----------
    leader_policy
        log f(a_t | s_t).
    follower_reward, leader_reward
        Its part of the rewards; terms without x may be left out.
    transition
        log P(s'_t | s_t, a_t, b_t).
    """

    leader_policy: Array | None = None
    follower_reward: Array | None = None
    leader_reward: Array | None = None
    transition: Array | None = None


class SampledCommitment(Commitment):
    """A commitment to a game whose states are vectors: it is known by what it changes at samples."""

    parametrisation = "projection"

    def effect(self, x: Array) -> Effect:
        """Return an empty effect: nothing here is a table."""
        del x
        return Effect()

    @abstractmethod
    def effect_at(self, x: Array, samples: Samples) -> SampledEffect:
        """Return what x sets at the samples; x may lie slightly outside its box, for differences."""

    def vjp_at(self, x: Array, samples: Samples, cotangents: StepCotangents) -> Array:
        """Return dJ/dx, the shape of x, from the coefficients of the samples, each of shape (T,).

        Subclasses write the derivative down; this one takes central differences.
        """
        return sampled_difference_vjp(self, x, samples, cotangents)


def sampled_difference_vjp(
    commitment: SampledCommitment, x: Array, samples: Samples, cotangents: StepCotangents, step: float = DIFFERENCE_STEP
) -> Array:
    """Return dJ/dx by central differences of the effect at the samples, two evaluations per entry of x.

    The fallback for commitments without a derivative, and the check of those that have one.
    """

    def rise(high: Array, low: Array) -> float:
        return _pair(commitment.effect_at(high, samples), commitment.effect_at(low, samples), cotangents)

    return central_differences(rise, commitment, x, step)


def _pair(plus: SampledEffect, minus: SampledEffect, cotangents: StepCotangents) -> float:
    total = 0.0
    for item in fields(SampledEffect):
        upper, lower, weight = (getattr(source, item.name) for source in (plus, minus, cotangents))
        if upper is not None and lower is not None and weight is not None:
            total += float((upper - lower) @ weight)
    return total


class ModelClass(Protocol):
    """Fits a family of models: what is public about a game's form, without its numbers.

    It lets a leader of level REWARDS_OBSERVED identify the game from play and plan in what it identified. A game of
    one's own may return an object with a `fit` only as its ``model_class``; leaders then keep whole records.
    """

    @property
    def record_type(self) -> type[Any] | None:
        """The dataclass of the records that :meth:`compress` returns; None where these are plain values."""

    def compress(self, record: Trajectories) -> Any:
        """Return what :meth:`fit` needs of a record; it may stand in for it."""

    def fit(self, data: list[Any]) -> Any:
        """Return a model, with ``value_and_gradient(x, scale=1.0) -> (J, dJ/dx)``, from play under several commitments.

        `scale` multiplies the follower's temperature, for continuation.
        """
