"""Followers, one algorithm per file; the folder is walked."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from agents.followers import base
from agents.followers.base import FOLLOWERS, Follower, FollowerView
from stackelberg_envs.errors import unknown_name

__all__ = ["Follower", "FollowerView", "follower_class", "follower_names", "register_follower"]

Kind = TypeVar("Kind", bound="type[Follower]")


@cache
def _walk() -> None:
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")


def register_follower(name: str) -> Callable[[Kind], Kind]:
    """Class decorator: make a follower of your own known by `name`.

    Raises
    ------
    ArgumentError
        The name is taken.
    """
    _walk()
    return base.register_follower(name)


def follower_names() -> list[str]:
    """Return the names of all followers."""
    _walk()
    return sorted(FOLLOWERS)


def follower_class(name: str) -> type[Follower]:
    """Return the class registered under `name`.

    Raises
    ------
    UnknownNameError
        With the nearest names.
    """
    _walk()
    if name not in FOLLOWERS:
        raise unknown_name("follower", name, FOLLOWERS)
    return FOLLOWERS[name]
