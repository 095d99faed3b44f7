"""What a sweep compares: tasks, leaders and followers with their settings, seeds and budgets, as data.

A suite comes from Python (:func:`make_suite`) or from a file (``suite_files.py``); ``plans.py`` turns it into jobs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeAlias

from msgspec import Meta

from stackelberg_envs.errors import ArgumentError, unknown_name
from stackelberg_envs.games.environments import EnvironmentGame
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.vector import VectorGame
from stackelberg_envs.validation import checked, shown

from ..observing.budget import DEFAULT_STEPS
from ..options import Count, Options, make_config
from ..runs.presets import TUNING_SEEDS

__all__ = ["Player", "Suite", "Task", "make_suite", "player_of", "task_of", "with_budget", "with_others"]

PER_DECADE, SEEDS = 8, 5
Seed = Annotated[int, Meta(ge=0, lt=TUNING_SEEDS)]
AnyPlayer: TypeAlias = Any


@dataclass(frozen=True, eq=False)
class Task(Options):
    """A game with its arguments and a budget.

    Attributes
    ----------
    game
        Id of a registered game, with the module that registers it before it (``module:id``) if it is not one of this
        package; or a game.
    name
        For tables; "" takes the id's or the game's name, with the arguments.
    arguments
        Of the game, by name, where it is an id.
    start, best_known
        J, in reward units, that count as 0 and as 1 in scores; None takes what the game and the records say.
    steps
        Follower steps that each leader may observe; None is what the suite says.
    steps_per_update
        Follower steps that each leader sees after each commitment; None is what the suite says.
    parametrisation
        Name; None is the one that the commitment suggests.
    leaders, followers
        Who plays it; None is whom the suite says.
    note
        One line for tables.
    """

    game: Any
    name: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    start: float | None = None
    best_known: float | None = None
    steps: Count | None = None
    steps_per_update: Count | None = None
    parametrisation: str | None = None
    leaders: tuple[Player, ...] | None = None
    followers: tuple[Player, ...] | None = None
    note: str = ""


@dataclass(frozen=True, eq=False)
class Player(Options):
    """A leader or a follower with its settings.

    Attributes
    ----------
    kind
        Registered name, ``module:Class``, or a class.
    name
        For tables; "" takes the name of the class, with the options.
    options
        Hyperparameters that differ from the defaults.
    per_task
        Name of a task -> hyperparameters that differ from `options` there.
    preset
        Of a leader: "published" takes those of its paper, "tuned" the settings that this package has for each task,
        the path of a .toml file those of that file; `options` and `per_task` come on top.
    note
        One line for tables.
    """

    kind: Any
    name: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    per_task: dict[str, dict[str, Any]] = field(default_factory=dict)
    preset: str = ""
    note: str = ""


@dataclass(frozen=True, eq=False)
class Suite(Options):
    """Tasks x leaders x followers x seeds.

    Attributes
    ----------
    name, description
        For tables.
    tasks
        At least one.
    leaders, followers
        Who plays tasks that do not say it themselves. Followers None: to each game its own.
    seeds
        Each below 1,000,000; those from there on are for tuning.
    steps, steps_per_update
        Budget of tasks that have none of their own. Without steps per update each leader has what it likes best.
    checkpoints_per_decade
        Measurements per factor of ten of the observed steps.
    """

    name: str
    tasks: tuple[Task, ...]
    leaders: tuple[Player, ...] = ()
    followers: tuple[Player, ...] | None = None
    seeds: tuple[Seed, ...] = tuple(range(SEEDS))
    steps: Count = DEFAULT_STEPS
    steps_per_update: Count | None = None
    checkpoints_per_decade: Annotated[int, Meta(ge=1, le=100)] = PER_DECADE
    description: str = ""


def make_suite(
    games: Any, leaders: Any, seeds: int | Iterable[int] = SEEDS, *, followers: Any = None, name: str = "", **more: Any
) -> Suite:
    """Return a suite from what is at hand.

    Parameters
    ----------
    games
        An id, a game, a :class:`Task`, or several of these; or a dict of label -> one of these.
    leaders, followers
        A name, ``module:Class``, a class, a pair of one of these and its options, a :class:`Player`, or several of
        these; or a dict of label -> one of these.
    seeds
        How many, from 0 on, or which.
    name
        For tables.
    more
        The other fields of :class:`Suite`.

    Raises
    ------
    ArgumentError, UnknownNameError
        Something that is none of these, by its place.
    """
    if leaders is None:
        raise ArgumentError("sweep: expected leaders beside games; a suite has its own")
    options = {
        "name": name or "sweep",
        "tasks": tuple(_task(given, label) for label, given in _labelled(games, "games")),
        "leaders": tuple(player_of(given, "leader", label) for label, given in _labelled(leaders, "leaders")),
        "seeds": _seeds(seeds),
        **more,
    }
    if followers is not None:
        options["followers"] = tuple(
            player_of(given, "follower", label) for label, given in _labelled(followers, "followers")
        )
    made: Suite = make_config(Suite, options, "sweep")
    return made


def player_of(given: Any, role: str, label: str = "") -> Player:
    """Return a leader or follower with its settings from a name, a class, a pair with options, or a player.

    Raises
    ------
    ArgumentError
        Something else.
    """
    if isinstance(given, Player):
        return given if not label else Player(**{**vars(given), "name": label})
    options = {}
    if isinstance(given, tuple | list) and len(given) == 2 and isinstance(given[1], Mapping):
        given, options = given[0], dict(given[1])
    if not isinstance(given, str | type):
        raise ArgumentError(
            f"{role}: expected a name, 'module:Class', a class or a pair with options, got {shown(given)}"
        )
    return Player(given, name=label, options=options)


def with_others(suite: Suite, leaders: Any = None, seeds: int | Iterable[int] | None = None) -> Suite:
    """Return a suite with other leaders or seeds than its own, where they are given; see :func:`make_suite`.

    Raises
    ------
    ArgumentError
        Something that is neither.
    """
    other: dict[str, Any] = {}
    if leaders is not None:
        other["leaders"] = tuple(player_of(given, "leader", label) for label, given in _labelled(leaders, "leaders"))
        other["tasks"] = tuple(Task(**{**vars(task), "leaders": None}) for task in suite.tasks)
    if seeds is not None:
        other["seeds"] = _seeds(seeds)
    return Suite(**{**vars(suite), **other})


def with_budget(task: Task, suite: Suite) -> Task:
    """Return a task with the budget and the followers that its suite has for it."""
    own = {
        "steps": suite.steps if task.steps is None else task.steps,
        "steps_per_update": suite.steps_per_update if task.steps_per_update is None else task.steps_per_update,
        "followers": suite.followers if task.followers is None else task.followers,
    }
    return Task(**{**vars(task), **own})


def task_of(suite: Suite, name: str) -> Task:
    """Return the task of a name, with the budget and the followers that its suite has for it.

    Raises
    ------
    UnknownNameError
        With the nearest names.
    """
    for task in suite.tasks:
        if name == (task.name or task.game):
            return with_budget(task, suite)
    raise unknown_name(f"task of {suite.name}", name, [task.name or str(task.game) for task in suite.tasks])


def _seeds(given: int | Iterable[int]) -> tuple[int, ...]:
    return tuple(range(checked(given, Count, "sweep: seeds")) if isinstance(given, int) else given)


def _task(given: Any, label: str) -> Task:
    if isinstance(given, Task):
        return given if not label else Task(**{**vars(given), "name": label})
    if not isinstance(given, str | TabularGame | VectorGame | EnvironmentGame):
        raise ArgumentError(f"games: expected an id, a game or a Task, got {shown(given)}")
    return Task(given, name=label)


def _labelled(given: Any, what: str) -> list[tuple[str, Any]]:
    """Return what was given, one or several, with the labels that it has, or "" without one."""
    if isinstance(given, Mapping):
        return [(checked(label, str, f"sweep: {what}"), item) for label, item in given.items()]
    pair = isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], Mapping)
    several = isinstance(given, Iterable) and not isinstance(given, str) and not pair
    return [("", item) for item in given] if several else [("", given)]
