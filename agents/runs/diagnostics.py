"""What a leader says of an update, beside the run's own columns."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from stackelberg_envs.errors import ArgumentError

__all__ = ["COLUMNS", "checked_diagnostics"]

#: Columns of the curve that are the run's own, so that no diagnostic of a leader may be called so.
COLUMNS = ("observed_steps", "leader_value", "recommended_value", "observed_return", "whole_episodes", "halvings")


def checked_diagnostics(given: Any, leader: str) -> dict[str, float]:
    """Return what an update of a leader returned, if it can stand beside the run's own columns.

    Parameters
    ----------
    given
        Name -> number.
    leader
        The leader's name, for the message.

    Raises
    ------
    ArgumentError
        Something else, a name that is no string or one of the run's own columns, or a value that is no real number.
    """
    owner = f"leader {leader!r}: update"
    if not isinstance(given, dict):
        raise ArgumentError(f"{owner}: expected a dict of diagnostics, name to number, got {type(given).__name__}")
    for name, value in given.items():
        if not isinstance(name, str) or name in COLUMNS:
            raise ArgumentError(
                f"{owner}: expected diagnostics with names other than those of the run's own columns "
                f"({', '.join(COLUMNS)}), got {name!r}"
            )
        if np.ndim(value) or not isinstance(value, numbers.Real | np.number | np.bool_ | np.ndarray):
            raise ArgumentError(f"{owner}: diagnostic {name!r}: expected a real number, got {value!r:.200}")
    return given
