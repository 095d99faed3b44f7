"""The faces of a game: what makes each, where that is, and the arguments it takes beside the game's own."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stackelberg_envs.errors import ArgumentError

if TYPE_CHECKING:
    from gymnasium import Env
    from gymnasium.vector import VectorEnv
    from pettingzoo import AECEnv, ParallelEnv

    from stackelberg_envs.faces.vector_agents import ParallelVectorEnv

__all__ = ["FACE_ENTRY_POINTS", "Faces", "load", "options_of", "require_game", "taken_elsewhere"]


@dataclass(frozen=True)
class Faces:
    """The constructors every environment module offers; each takes the game's and its own arguments.

    ``game=`` passes a finished game instead of its arguments: for games of one's own, for changes by
    ``game.replace(...)``, and where the game has an argument of the same name as the face (then the face's is meant).

    Notes
    -----
    Taken apart by assignment it gives the first seven, in this order; the others are there by name.
    """

    raw_env: Callable[..., AECEnv[str, Any, Any]]
    env: Callable[..., AECEnv[str, Any, Any]]
    parallel_env: Callable[..., ParallelEnv[str, Any, Any]]
    followers_env: Callable[..., ParallelEnv[str, Any, Any]]
    follower_env: Callable[..., Env[Any, Any]]
    leader_env: Callable[..., Env[Any, Any]]
    vector_env: Callable[..., VectorEnv[Any, Any, Any]]
    followers_aec_env: Callable[..., AECEnv[str, Any, Any]]
    leader_vector_env: Callable[..., VectorEnv[Any, Any, Any]]
    parallel_vector_env: Callable[..., ParallelVectorEnv]

    def __iter__(self) -> Iterator[Callable[..., Any]]:
        """Return the faces that modules of environments take apart."""
        return (getattr(self, name) for name in UNPACKED)


#: The faces that :class:`Faces` gives when it is taken apart.
UNPACKED = ("raw_env", "env", "parallel_env", "followers_env", "follower_env", "leader_env", "vector_env")
#: Face -> where its class or function is; imported when first used.
FACE_ENTRY_POINTS = {
    "raw_env": "stackelberg_envs.faces.aec:RawEnv",
    "env": "stackelberg_envs.faces.aec:wrapped_env",
    "parallel_env": "stackelberg_envs.faces.parallel:ParallelFace",
    "followers_env": "stackelberg_envs.faces.followers:FollowersEnv",
    "follower_env": "stackelberg_envs.faces.gymnasium_views:FollowerEnv",
    "leader_env": "stackelberg_envs.faces.gymnasium_views:leader_env",
    "vector_env": "stackelberg_envs.faces.vector:follower_vector_env",
    "followers_aec_env": "stackelberg_envs.faces.aec:followers_aec_env",
    "leader_vector_env": "stackelberg_envs.faces.vector_leaders:leader_vector_env",
    "parallel_vector_env": "stackelberg_envs.faces.vector_agents:parallel_vector_env",
}


def load(entry_point: str) -> Callable[..., Any]:
    """Return what ``"module:name"`` names."""
    module, _, name = entry_point.partition(":")
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ArgumentError(f"entry point: expected 'module:name', got {entry_point!r} ({error})") from error
    return found


@functools.cache
def options_of(constructor: Callable[..., Any]) -> frozenset[str]:
    """Return the keyword arguments of a face that users may give."""
    names = inspect.signature(constructor).parameters
    return frozenset(names) - {"game", "renderer", "name"}


def taken_elsewhere(names: Iterable[str]) -> str:
    """Return, for a message about unknown arguments, which faces take those that some face knows."""
    takers = {
        name: [face for face, where in FACE_ENTRY_POINTS.items() if name in options_of(load(where))] for name in names
    }
    return "".join(f"; {name} is taken by {', '.join(faces)}" for name, faces in takers.items() if faces)


def require_game(game: Any) -> None:
    """Raise ArgumentError unless a game is one."""
    # Importing the package registers ids and loads no games.
    from stackelberg_envs.games.tabular import Game

    if isinstance(game, type) or not isinstance(game, Game):
        shown = getattr(game, "__name__", type(game).__name__)
        raise ArgumentError(f"game: expected a TabularGame or a VectorGame, got {shown}")
