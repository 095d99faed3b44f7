"""Who plays what: the game and the players that a configuration names, with their options, checked before any work."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.faces.registration import spec
from stackelberg_envs.games.environments import EnvironmentGame
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.vector import AnyGame, VectorGame

from ..followers import Follower
from ..followers.base import FOLLOWERS
from ..leaders import Leader
from ..leaders.base import LEADERS
from ..observing.brief import Brief, Information
from ..observing.budget import Budget, budget_of
from .briefing import make_brief
from .presets import Settings, settings_of

if TYPE_CHECKING:
    from .config import ExperimentConfig

__all__ = ["Lineup", "line_up"]


@dataclass(frozen=True, eq=False)
class Lineup:
    """What a run is made of.

    Attributes
    ----------
    game, name
        The game, and the name it goes by in records: its id where it has one.
    leader, leader_config, settings
        Class and options of the leader, and what a preset says of them.
    level, brief
        The level of information it works at with these options, and what it is told.
    budget
        Of the run, which the brief tells too.
    follower_name, follower, follower_config
        Name, class and options of the follower.
    """

    game: AnyGame
    name: str
    leader: type[Leader]
    leader_config: Any
    settings: Settings
    level: Information
    brief: Brief
    budget: Budget
    follower_name: str
    follower: type[Follower]
    follower_config: Any


def line_up(config: ExperimentConfig) -> Lineup:
    """Return what a configuration names.

    Raises
    ------
    UnknownNameError, ArgumentError, GameError, InformationError
        Whatever is wrong with names, options or the game's arguments, or with their fit to each other.
    """
    game, name = _game_of(config)
    leader = LEADERS.serving(config.leader, game)
    follower_name = game.suggested_follower if config.follower is None else config.follower
    follower = FOLLOWERS.serving(follower_name, game)
    settings = _settings(config, leader, game, name)
    leader_config = LEADERS.configure(config.leader, leader, {**settings.options, **config.leader_options})
    follower_config = FOLLOWERS.configure(follower_name, follower, config.follower_options)
    public = game.publish_temperature
    level = leader.required_information(game.commitment, leader_config, public_temperature=public)
    brief = make_brief(game, level, config.parametrisation, leader=config.leader)
    likes = settings.steps_per_update or leader.preferred_steps(brief, leader_config)
    budget = budget_of(config.steps, config.updates, config.steps_per_update, likes)
    brief = replace(brief, **budget._asdict())
    return Lineup(
        game=game,
        name=name,
        leader=leader,
        leader_config=leader_config,
        settings=settings,
        level=level,
        brief=brief,
        budget=budget,
        follower_name=follower_name,
        follower=follower,
        follower_config=follower_config,
    )


def _settings(config: ExperimentConfig, leader: type[Leader], game: AnyGame, name: str) -> Settings:
    """Return what the preset of a configuration says."""
    follower = "" if config.follower in (None, game.suggested_follower) else config.follower
    known_by = name if isinstance(config.game, str) else None
    return settings_of(config.preset, config.leader, leader.presets, known_by, config.game_arguments, follower)


def _game_of(config: ExperimentConfig) -> tuple[AnyGame, str]:
    if isinstance(config.game, str):
        entry = spec(config.game)
        return entry.make(**config.game_arguments), entry.id
    if not isinstance(config.game, TabularGame | VectorGame | EnvironmentGame | MarkovGame):
        raise ArgumentError(f"game: expected a game or an id, got {type(config.game).__name__}")
    if config.game_arguments:
        given = ", ".join(config.game_arguments)
        raise ArgumentError(f"game_arguments: expected none beside a finished game, got {given}")
    return config.game, config.game.name
