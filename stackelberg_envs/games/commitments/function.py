"""A commitment given by a plain function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from numpy.typing import ArrayLike

from stackelberg_envs.arrays import Array, require_flag
from stackelberg_envs.errors import GameError, StackelbergError
from stackelberg_envs.games.commitments.base import ENTRIES, MISTAKES, Commitment, Effect, as_effect

__all__ = ["FunctionCommitment"]


class FunctionCommitment(Commitment):
    """A commitment given by a plain function x -> Effect; its derivative is by central differences.

    Parameters
    ----------
    function
        Maps x to its :class:`Effect`; called with x slightly outside the bounds too.
    low, high
        Bounds of x.
    changes
        Names of the effect entries it sets.
    affine
        Whether every array of its effect is an affine function of x: :func:`stackelberg_envs.certify` needs that.
    names
        A name for each entry of x.

    Raises
    ------
    GameError
        No function, names that no effect has; later, when the function raises or returns no effect.
    """

    def __init__(
        self,
        function: Callable[[Array], Effect],
        low: ArrayLike,
        high: ArrayLike,
        changes: Iterable[str],
        *,
        affine: bool = False,
        names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(low, high, names=names)
        if not callable(function):
            raise GameError(f"function: expected a function from x to an Effect, got {function!r}")
        self.function = function
        self.changes = _checked_changes(changes)
        self.affine = require_flag(affine, "affine", GameError)

    def effect(self, x: Array) -> Effect:
        """Return what the function returns."""
        try:
            effect = self.function(x)
        except StackelbergError:
            raise
        except MISTAKES as exc:
            name = getattr(self.function, "__name__", type(self.function).__name__)
            raise GameError(f"commitment: its function {name} raised {type(exc).__name__}: {exc}") from exc
        if not isinstance(effect, Effect):
            raise GameError(f"commitment: expected its function to return an Effect, got {type(effect).__name__}")
        return as_effect(effect)


def _checked_changes(changes: object) -> frozenset[str]:
    if isinstance(changes, frozenset | set | list | tuple) and all(name in tuple(ENTRIES) for name in changes):
        return frozenset(changes)
    raise GameError(f"changes: expected a set of names among {sorted(ENTRIES)}, got {changes!r}")
