"""Every error this library raises on purpose.

::

    StackelbergError
    ├── GameError (ValueError)          a game's arrays do not describe a game
    ├── CommitmentError (ValueError)    a commitment outside its space
    ├── ActionError (ValueError)        an action that the space or the phase does not admit
    ├── PhaseError (RuntimeError)       a call in the wrong phase: step before reset, play before commitment
    ├── ArgumentError (ValueError)      any other argument out of range
    ├── UnknownNameError (KeyError)     an id, leader or follower nobody registered
    ├── ConformityError (AssertionError) a game or environment breaks a clause of the public contract
    ├── InstabilityError (ValueError)   a closed loop without a finite value, with its spectral radius
    ├── ConvergenceError (RuntimeError) a solver that stopped short of its tolerance
    ├── InformationError (PermissionError)  a leader asks for more than its declared level allows
    ├── LeaderProcessError (RuntimeError) a leader in a process of its own that failed, died, or gave no answer
    ├── OutputError (OSError)           a folder or file that cannot be written or read
    └── MissingExtraError (ImportError) an optional package is not installed

Each message says what was expected, what came, and where.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

__all__ = [
    "ActionError",
    "ArgumentError",
    "CommitmentError",
    "ConformityError",
    "ConvergenceError",
    "GameError",
    "InformationError",
    "InstabilityError",
    "LeaderProcessError",
    "MissingExtraError",
    "OutputError",
    "PhaseError",
    "StackelbergError",
    "UnknownNameError",
    "unknown_name",
]


class StackelbergError(Exception):
    """Base class: catches whatever this library raises on purpose."""


class GameError(StackelbergError, ValueError):
    """A game's arrays do not describe a game."""


class CommitmentError(StackelbergError, ValueError):
    """A commitment lies outside its space."""


class ActionError(StackelbergError, ValueError):
    """An action that its space or the present phase does not admit."""


class PhaseError(StackelbergError, RuntimeError):
    """A call that does not belong to the present phase."""


class ArgumentError(StackelbergError, ValueError):
    """An argument out of its range."""


class UnknownNameError(StackelbergError, KeyError):
    """A name that nobody registered."""

    def __str__(self) -> str:
        """Return the message itself: KeyError would quote it."""
        return str(self.args[0]) if self.args else ""


class ConformityError(StackelbergError, AssertionError):
    """A game or environment breaks a clause of the contract that `check_game` and `check_env` hold it to."""


class InstabilityError(StackelbergError, ValueError):
    """A closed loop that has no finite value.

    Attributes
    ----------
    spectral_radius
        Of the discounted closed loop; finite values need less than one.
    """

    def __init__(self, message: str, spectral_radius: float = float("nan")) -> None:
        super().__init__(message)
        self.spectral_radius = spectral_radius


class ConvergenceError(StackelbergError, RuntimeError):
    """A solver stopped short of its tolerance."""


class InformationError(StackelbergError, PermissionError):
    """A leader asks for more than its declared level of information."""


class LeaderProcessError(StackelbergError, RuntimeError):
    """A leader in a process of its own failed, died, sent what is no answer, or none in time.

    Where that process left a traceback, it is among the notes of the error.
    """


class OutputError(StackelbergError, OSError):
    """A folder or file cannot be written or read.

    Attributes
    ----------
    record
        What a run had when its record could not be written: an :class:`agents.RunRecord`; else None.
    """

    record: Any = None


class MissingExtraError(StackelbergError, ImportError):
    """An optional package is not installed."""


def unknown_name(kind: str, name: str, known: Iterable[str], failed: Iterable[str] = ()) -> UnknownNameError:
    """Return the error for an unregistered name, with the nearest known ones.

    Parameters
    ----------
    kind
        What was looked up, for the message: "environment", "leader".
    name
        The name that came.
    known
        All registered names.
    failed
        What went wrong while it was looked for elsewhere.
    """
    names = sorted(known)
    near = difflib.get_close_matches(str(name), names, n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(map(repr, near))}?" if near else f"known: {', '.join(map(repr, names))}"
    return UnknownNameError("; ".join([f"unknown {kind} {name!r}", hint, *failed]))
