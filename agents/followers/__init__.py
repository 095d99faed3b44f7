"""Followers, one algorithm per file; the folder is walked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from agents.followers import base
from agents.followers.base import FOLLOWERS, Follower, FollowerView

__all__ = ["Follower", "FollowerView", "follower_class", "follower_names", "register_follower"]

Kind = TypeVar("Kind", bound="type[Follower]")


def register_follower(name: str) -> Callable[[Kind], Kind]:
    """Class decorator: make a follower of your own known by `name`.

    Raises
    ------
    ArgumentError
        The name is taken.
    """
    FOLLOWERS.walk()
    return base.register_follower(name)


def follower_names() -> list[str]:
    """Return the names of all followers."""
    return FOLLOWERS.names()


def follower_class(name: str) -> type[Follower]:
    """Return the class registered under `name`.

    Raises
    ------
    UnknownNameError
        With the nearest names.
    """
    return FOLLOWERS.find(name)
