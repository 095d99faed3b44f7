"""Leaders, one algorithm per file; the folder is walked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from agents.leaders import base
from agents.leaders.base import LEADERS, GradientConfig, GradientLeader, Leader

__all__ = ["GradientConfig", "GradientLeader", "Leader", "leader_class", "leader_names", "register_leader"]

Kind = TypeVar("Kind", bound="type[Leader]")


def register_leader(name: str) -> Callable[[Kind], Kind]:
    """Class decorator: make a leader of your own known by `name`.

    Raises
    ------
    ArgumentError
        The name is taken.
    """
    LEADERS.walk()
    return base.register_leader(name)


def leader_names() -> list[str]:
    """Return the names of all leaders."""
    return LEADERS.names()


def leader_class(name: str) -> type[Leader]:
    """Return the class registered under `name`.

    Raises
    ------
    UnknownNameError
        With the nearest names.
    """
    return LEADERS.find(name)
