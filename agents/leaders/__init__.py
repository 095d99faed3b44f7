"""Leaders, one algorithm per file; the folder is walked."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from agents.leaders.base import LEADERS, GradientConfig, GradientLeader, Leader, register_leader
from stackelberg_envs.errors import unknown_name

__all__ = ["GradientConfig", "GradientLeader", "Leader", "leader_class", "leader_names", "register_leader"]


@cache
def _walk() -> None:
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")


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
