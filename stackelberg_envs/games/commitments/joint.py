"""Several effects of one commitment."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from stackelberg_envs.arrays import ROW_SUM_TOLERANCE, Array, frozen
from stackelberg_envs.errors import GameError
from stackelberg_envs.games.commitments.base import Commitment, Effect
from stackelberg_envs.games.commitments.incentives import IncentiveCost
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.transitions import Transition

__all__ = ["Joint"]

#: Entries of effects that add up.
ADDED = ("follower_reward", "leader_reward")


class Joint(Commitment):
    """Several effects of the same x, for instance an incentive and what it costs.

    Parameters
    ----------
    parts
        Commitments over arrays of one shape and with equal bounds; the checks and the default parametrisation of
        the first hold. Rewards add up; only one part may set the leader's policy, and one the transition. An
        :class:`IncentiveCost` whose bounds are scalars takes the shape of the others. So do the names of the entries,
        which one part is enough to say.
    """

    def __init__(self, *parts: Commitment) -> None:
        if not parts:
            raise GameError("Joint: expected at least one commitment, got none")
        for i, part in enumerate(parts):
            if not isinstance(part, Commitment):
                raise GameError(f"Joint: expected commitments, got {part!r} as part {i}")
        self.parts = _of_one_shape(parts)
        first = self.parts[0]
        super().__init__(first.low, first.high)
        self._open = all(_takes_any_shape(part) for part in parts)
        for i, part in enumerate(self.parts[1:], start=1):
            _require_equal_bounds(first, part, i)
        for name in ("leader_policy", "transition"):
            if sum(name in part.changes for part in parts) > 1:
                raise GameError(f"Joint: expected at most one part that sets the {name}, got several")
        self.changes = frozenset[str]().union(*(part.changes for part in parts))
        named = {part.names: i for i, part in reversed(list(enumerate(parts))) if part.names is not None}
        if len(named) > 1:
            raise GameError(
                f"Joint: expected the same names in all parts, got others in parts {sorted(named.values())}"
            )
        for names in named:
            self.names = names
            # The first part checks x, and says where it is wrong.
            self.parts = (copy.copy(first), *self.parts[1:])
            self.parts[0].names = names
        self.parametrisation = first.parametrisation
        # A subclass with another effect has said nothing of it.
        self.always_fits = type(self).effect is Joint.effect and all(part.always_fits for part in parts)

    @property
    def affine(self) -> bool:  # type: ignore[override]
        """Whether every part is affine in x, and what a subclass makes of them is not known to be something else."""
        return type(self).effect is Joint.effect and all(part.affine for part in self.parts)

    @property
    def kinks(self) -> Array:  # type: ignore[override]
        """The first kink that a part has in each entry, nan where none has one."""
        found = np.full(self.shape, np.nan)
        for part in self.parts:
            if part.kinks is not None:
                found = np.where(np.isnan(found), part.kinks, found)
        return found

    def check(self, x: ArrayLike) -> Array:
        """Check by the first part's rule."""
        return self.parts[0].check(x)

    def project(self, x: ArrayLike) -> Array:
        """Project by the first part's rule."""
        return self.parts[0].project(x)

    def effect(self, x: Array) -> Effect:
        """Add the rewards of all parts; at most one part sets the policy, and one the transition."""
        joint: dict[str, Any] = {}
        for part in self.parts:
            for name, entry in vars(part.effect(x)).items():
                if entry is not None:
                    joint[name] = joint[name] + entry if name in ADDED and name in joint else entry
        return Effect(**joint)

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Add the derivatives of the parts."""
        out = np.zeros(x.shape)
        for part in self.parts:
            out = out + part.vjp(x, cotangents)
        return out

    def possible_transitions(self) -> list[Transition] | None:
        """Return those of the part that brings the transition."""
        bringing = [part for part in self.parts if "transition" in part.changes]
        return bringing[0].possible_transitions() if bringing else None

    def local(self, x: Array) -> Array | None:
        """Return the first part's local view."""
        return self.parts[0].local(x)


def _of_one_shape(parts: tuple[Commitment, ...]) -> tuple[Commitment, ...]:
    """Return the parts, costs of open size given the shape of the first part that has one."""
    shape = next((part.shape for part in parts if not _takes_any_shape(part)), None)
    if shape is None:
        return parts
    made = tuple(_reshaped(part, shape) if _takes_any_shape(part) else part for part in parts)
    for i, part in enumerate(made):
        if part.shape != shape:
            raise GameError(
                f"Joint: expected commitments of one shape, {shape} as the first, got {part.shape} as part {i}, "
                f"{type(part).__name__}; give it bounds of shape {shape}, such as np.full({shape}, high)"
            )
    return made


def _takes_any_shape(part: Commitment) -> bool:
    return isinstance(part, IncentiveCost | Joint) and part._open


def _reshaped(part: Commitment, shape: tuple[int, ...]) -> Commitment:
    made = copy.copy(part)
    made.__dict__.pop("space", None)
    made.low, made.high = (frozen(np.full(shape, float(bound[0]))) for bound in (part.low, part.high))
    if isinstance(made, Joint):
        made.parts = tuple(_reshaped(inner, shape) for inner in made.parts)
    return made


def _require_equal_bounds(first: Commitment, part: Commitment, i: int) -> None:
    """Raise unless a part's bounds are the first one's: a cost reads the sign of x from them."""
    for name in ("low", "high"):
        expected, got = getattr(first, name), getattr(part, name)
        scale = np.maximum(np.abs(first.low), np.abs(first.high))
        off = np.abs(expected - got) > ROW_SUM_TOLERANCE * scale
        if off.any():
            where = tuple(int(k) for k in np.argwhere(off)[0])
            raise GameError(
                f"Joint: expected parts with equal bounds, got {name} = {expected[where]:g} in the first and "
                f"{got[where]:g} in part {i}, {type(part).__name__}, at index {where}"
            )
