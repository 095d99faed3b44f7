"""Leaders, one algorithm per file; the folder is walked."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from agents.leaders import base
from agents.leaders.base import LEADERS, GradientConfig, GradientLeader, Leader
from stackelberg_envs.errors import unknown_name

__all__ = ["GradientConfig", "GradientLeader", "Leader", "leader_class", "leader_names", "register_leader"]

Kind = TypeVar("Kind", bound="type[Leader]")


@cache
def _walk() -> None:
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")


def register_leader(name: str) -> Callable[[Kind], Kind]:
    """Class decorator: make a leader of your own known by `name`.

    Raises
    ------
    ArgumentError
        The name is taken.
    """
    _walk()
    return base.register_leader(name)


def leader_names() -> list[str]:
    """Return the names of all leaders."""
    _walk()
    return sorted(LEADERS)


def leader_class(name: str) -> type[Leader]:
    """Return the class registered under `name`.

    Raises
    ------
    UnknownNameError
        With the nearest names.
    """
    _walk()
    if name not in LEADERS:
        raise unknown_name("leader", name, LEADERS)
    return LEADERS[name]
