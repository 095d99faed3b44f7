"""The vector environment of a game, by its kind."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from numpy.typing import ArrayLike

from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.faces.vector_base import FollowerVectorEnv
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.tabular import Game, TabularGame
from stackelberg_envs.games.vector import VectorGame
from stackelberg_envs.pictures.canvas import GENERIC_RENDERER
from stackelberg_envs.play.session import simulator_of

__all__ = ["FollowerVectorEnv", "follower_vector_env"]


@singledispatch
def follower_vector_env(
    game: Game,
    num_envs: int = 1,
    *,
    commitment: ArrayLike | None = None,
    observe_commitment: str = "all",
    normalize: bool = False,
    flatten_actions: bool = False,
    scale_rewards: bool = False,
    scale_observations: bool = False,
    copy: bool = True,
    autoreset: str = "next_step",
    shared_stream: bool = False,
    max_episode_steps: int | None = None,
    renderer: str = GENERIC_RENDERER,
    name: str | None = None,
) -> FollowerVectorEnv:
    """Return the :class:`FollowerVectorEnv` of a kind of game; ``follower_vector_env.register(kind)`` adds kinds."""
    simulator_of(game)  # refuses with what there is instead, where there is something
    raise ArgumentError(f"game: expected a TabularGame or a VectorGame, got {type(game).__name__}")


@follower_vector_env.register(TabularGame)
def _(game: TabularGame, num_envs: int = 1, *, shared_stream: bool = False, **options: Any) -> FollowerVectorEnv:
    from stackelberg_envs.faces.vector_tabular import TabularVectorEnv  # brings Numba

    if shared_stream is not False:
        raise ArgumentError(
            f"shared_stream: expected no such argument for {game.name!r}, a game of tables: its copies are as "
            f"fast with streams of their own; got {shared_stream!r}"
        )
    return TabularVectorEnv(game, num_envs, **options)


@follower_vector_env.register(MarkovGame)
def _(game: MarkovGame, num_envs: int = 1, **options: Any) -> FollowerVectorEnv:
    from stackelberg_envs.solvers.equilibrium.one_follower import one_follower

    return follower_vector_env(one_follower(game), num_envs, **options)


@follower_vector_env.register(VectorGame)
def _(game: VectorGame, num_envs: int = 1, **options: Any) -> FollowerVectorEnv:
    from stackelberg_envs.faces.vector_games import VectorGameVectorEnv

    return VectorGameVectorEnv(game, num_envs, **options)
