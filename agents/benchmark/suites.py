"""What a sweep compares: tasks, leaders and followers with their settings, seeds and budgets, checked before any work.

A suite comes from Python (:func:`make_suite`) or from a file of data (``suite_files.py``); :func:`plan` turns it into
jobs, and says which leaders cannot play which games, and why.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeAlias

import numpy as np
from msgspec import Meta

from agents.benchmark.jobs import Job
from agents.benchmark.store import Entrant, Sweep, TaskFacts
from agents.benchmark.worker import Limits, Payload
from agents.followers.base import FOLLOWERS, Follower
from agents.leaders.base import LEADERS, Leader
from agents.options import Count, Options, make_config
from agents.registry import Registry
from agents.runs.config import ExperimentConfig
from agents.runs.fingerprints import fingerprint
from agents.runs.lineup import Lineup, line_up
from stackelberg_envs.errors import ArgumentError, InformationError
from stackelberg_envs.faces.registration import spec
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.vector import VectorGame
from stackelberg_envs.validation import checked, shown

__all__ = ["LeftOut", "Plan", "Player", "Suite", "Task", "make_suite", "plan", "player_of"]

#: Environments and players of these packages change with the package's version only.
OWN = ("agents.", "stackelberg_envs.")
STEPS, STEPS_PER_UPDATE, PER_DECADE, SEEDS = 100_000, 1_000, 8, 5
#: Seeds from here on are for tuning, and are never reported.
TUNING_SEEDS = 1_000_000

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
    note
        One line for tables.
    """

    kind: Any
    name: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, eq=False)
class Suite(Options):
    """Tasks x leaders x followers x seeds.

    Attributes
    ----------
    name, description
        For tables.
    tasks, leaders
        At least one of each.
    followers
        None: to each game its own.
    seeds
        Each below 1,000,000; those from there on are for tuning.
    steps, steps_per_update
        Budget of tasks that have none of their own.
    checkpoints_per_decade
        Measurements per factor of ten of the observed steps.
    """

    name: str
    tasks: tuple[Task, ...]
    leaders: tuple[Player, ...]
    followers: tuple[Player, ...] | None = None
    seeds: tuple[Seed, ...] = tuple(range(SEEDS))
    steps: Count = STEPS
    steps_per_update: Count = STEPS_PER_UPDATE
    checkpoints_per_decade: Annotated[int, Meta(ge=1, le=100)] = PER_DECADE
    description: str = ""


class LeftOut(NamedTuple):
    """A leader that cannot play a task, and why."""

    task: str
    leader: str
    follower: str
    reason: str


class Plan(NamedTuple):
    """What a suite comes to: what workers are sent, what the store notes, and what is left out."""

    payloads: list[Payload]
    sweep: Sweep
    left_out: list[LeftOut]


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
    chosen = range(checked(seeds, Count, "sweep: seeds")) if isinstance(seeds, int) else seeds
    options = {
        "name": name or "sweep",
        "tasks": tuple(_task(given, label) for label, given in _labelled(games, "games")),
        "leaders": tuple(player_of(given, "leader", label) for label, given in _labelled(leaders, "leaders")),
        "seeds": tuple(chosen),
        **more,
    }
    if followers is not None:
        options["followers"] = tuple(
            player_of(given, "follower", label) for label, given in _labelled(followers, "followers")
        )
    made: Suite = make_config(Suite, options, "sweep")
    return made


def plan(suite: Suite, limits: Limits = Limits()) -> Plan:  # noqa: B008 - it is frozen
    """Return the jobs of a suite, after everything that it names has been found to exist and to fit.

    Raises
    ------
    UnknownNameError, ArgumentError, GameError
        A name that nobody registered, with the nearest ones; an option or an argument that does not exist or is out
        of range; two tasks or leaders of one name; a suite in which no leader can play any game.
    """
    for what, given in (("tasks", suite.tasks), ("leaders", suite.leaders), ("seeds", suite.seeds)):
        if not given:
            raise ArgumentError(f"suite {suite.name!r}: expected at least one of its {what}, got none")
    seeds = list(dict.fromkeys(suite.seeds))
    tasks = [_Game.of(task) for task in suite.tasks]
    leaders = [_Settled.of(player, LEADERS) for player in suite.leaders]
    followers = [_Settled.of(player, FOLLOWERS) for player in suite.followers or ()]
    _require_distinct([task.name for task in tasks], "tasks")
    _require_distinct([leader.name for leader in leaders], "leaders")
    payloads, left_out, used = [], [], set()
    for task in tasks:
        for leader in leaders:
            for follower in followers or [_Settled("", "", task.game.suggested_follower, {}, None, "")]:
                try:
                    _lined_up(task, leader, follower)
                except (_DoesNotServeError, InformationError) as exc:
                    left_out.append(LeftOut(task.name, leader.name, follower.kind, str(exc)))
                    continue
                used.add(leader.name)
                jobs = (_job(suite, task, leader, follower, seed) for seed in seeds)
                payloads += [_payload(job, task, leader, follower, limits) for job in jobs]
    if not payloads:
        reasons = "; ".join(sorted({item.reason for item in left_out}))
        raise ArgumentError(f"suite {suite.name!r}: expected a leader that can play one of its games: {reasons}")
    sweep = Sweep(
        name=suite.name,
        description=suite.description,
        tasks=[task.facts for task in tasks],
        entrants=[
            Entrant(name=each.name, leader=each.kind, summary=each.note) for each in leaders if each.name in used
        ],
        jobs=[payload.job.address for payload in payloads],
    )
    return Plan(payloads, sweep, left_out)


def player_of(given: Any, role: str, label: str = "") -> Player:
    """Return a leader or follower with its settings from a name, a class, a pair with options, or a player.

    Raises
    ------
    ArgumentError
        Something else.
    """
    if isinstance(given, Player):
        options = {"kind": given.kind, "options": given.options, "note": given.note, "name": label or given.name}
        return Player(**options)
    options = {}
    if isinstance(given, tuple | list) and len(given) == 2 and isinstance(given[1], Mapping):
        given, options = given[0], dict(given[1])
    if not isinstance(given, str | type):
        raise ArgumentError(
            f"{role}: expected a name, 'module:Class', a class or a pair with options, got {shown(given)}"
        )
    return Player(given, name=label, options=options)


def _task(given: Any, label: str) -> Task:
    if isinstance(given, Task):
        return given if not label else Task(**{**vars(given), "name": label})
    if not isinstance(given, str | TabularGame | VectorGame):
        raise ArgumentError(f"games: expected an id, a game or a Task, got {shown(given)}")
    return Task(given, name=label)


def _labelled(given: Any, what: str) -> list[tuple[str, Any]]:
    """Return what was given, one or several, with the labels that it has, or "" without one."""
    if isinstance(given, Mapping):
        return [(checked(label, str, f"sweep: {what}"), item) for label, item in given.items()]
    pair = isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], Mapping)
    several = isinstance(given, Iterable) and not isinstance(given, str) and not pair
    return [("", item) for item in given] if several else [("", given)]


@dataclass(frozen=True)
class _Game:
    """A task with its game."""

    task: Task
    name: str
    game: Any
    #: What workers make it from: the id without its module, and that module; or the game itself.
    id: str
    module: str
    sent: Any
    digest: str

    @classmethod
    def of(cls, task: Task) -> _Game:
        if not isinstance(task.game, str):
            if not isinstance(task.game, TabularGame | VectorGame):
                raise ArgumentError(f"task: game: expected an id or a game, got {shown(task.game)}")
            if task.arguments:
                raise ArgumentError(f"task {task.name or task.game.name!r}: expected no arguments beside a game")
            return cls(
                task, task.name or task.game.name, task.game, task.game.name, "", task.game, fingerprint(task.game)
            )
        entry, module = spec(task.game), task.game.rpartition(":")[0]
        game = entry.make(**task.arguments)
        own = entry.module.startswith(OWN)
        name = task.name or _with_options(entry.id.partition("/")[2].rpartition("-v")[0], task.arguments)
        return cls(
            task, name, game, entry.id, module or ("" if own else entry.module), None, "" if own else fingerprint(game)
        )

    @property
    def facts(self) -> TaskFacts:
        task = self.task
        best = self.game.facts.get("best_known") if task.best_known is None else task.best_known
        return TaskFacts(name=self.name, start=task.start, best_known=best, note=task.note)


@dataclass(frozen=True)
class _Settled:
    """A leader or follower with its settings, found."""

    name: str
    note: str
    kind: str
    options: Mapping[str, Any]
    #: The class, if it is not of this package, and the hash of its source.
    sent: Any
    code: str

    @classmethod
    def of(cls, player: Player, registry: Registry[Any]) -> _Settled:
        kind, role = player.kind, registry.role
        if isinstance(kind, str) and ":" in kind:
            kind = _imported(kind, role)
        if isinstance(kind, type):
            base = Leader if role == "leader" else Follower
            if not issubclass(kind, base):
                raise ArgumentError(f"{role}: expected a class derived from agents.{base.__name__}, got {kind!r}")
            word = f"{kind.__module__}:{kind.__qualname__}"
            name = _own_name(kind, registry) or word
            if name == word:
                registry.register(word)(kind)
        else:
            name, kind = checked(kind, str, role), registry.find(kind)
        own = kind.__module__.startswith(OWN)
        label = player.name or _with_options(name.rpartition(":")[2], player.options)
        return cls(label, player.note, name, dict(player.options), None if own else kind, "" if own else _code_of(kind))


class _DoesNotServeError(Exception):
    """No class of this name plays games of this kind."""


def _lined_up(task: _Game, leader: _Settled, follower: _Settled) -> Lineup:
    """Return who plays, or raise as a run would: nothing is wrong with a leader that serves other games only."""
    for player, registry in ((leader, LEADERS), (follower, FOLLOWERS)):
        try:
            registry.serving(player.kind, task.game)
        except ArgumentError as exc:
            raise _DoesNotServeError(str(exc)) from exc
    config = ExperimentConfig(
        game=task.game,
        leader=leader.kind,
        leader_options=dict(leader.options),
        follower=follower.kind,
        follower_options=dict(follower.options),
        parametrisation=task.task.parametrisation,
    )
    found = line_up(config)
    # Some look at the game only when they are made.
    try:
        found.leader(found.brief, found.leader_config, np.random.default_rng(0)).close()
    except ArgumentError as exc:
        raise _DoesNotServeError(str(exc)) from exc
    return found


def _job(suite: Suite, task: _Game, leader: _Settled, follower: _Settled, seed: int) -> Job:
    options = task.task
    return Job(
        task=task.name,
        game=task.id,
        game_arguments=dict(options.arguments),
        game_digest=task.digest,
        entrant=leader.name,
        leader=leader.kind,
        leader_options=dict(leader.options),
        leader_code=leader.code,
        follower=follower.kind,
        follower_options=dict(follower.options),
        follower_code=follower.code,
        parametrisation=options.parametrisation,
        steps=suite.steps if options.steps is None else options.steps,
        steps_per_update=suite.steps_per_update if options.steps_per_update is None else options.steps_per_update,
        checkpoints_per_decade=suite.checkpoints_per_decade,
        seed=seed,
    )


def _payload(job: Job, task: _Game, leader: _Settled, follower: _Settled, limits: Limits) -> Payload:
    modules = (task.module,) if task.module else ()
    return Payload(job, task.sent, leader.sent, follower.sent, modules, limits)


def _imported(word: str, role: str) -> type[Any]:
    """Return the class of ``module:Class``."""
    module, _, name = word.partition(":")
    try:
        found: Any = functools.reduce(getattr, name.split("."), importlib.import_module(module))
    except Exception as exc:
        raise ArgumentError(f"{role}: expected 'module:Class', got {word!r} ({type(exc).__name__}: {exc})") from exc
    if not isinstance(found, type):
        raise ArgumentError(f"{role}: expected 'module:Class', got {word!r}, which is {shown(found)}")
    return found


def _own_name(kind: type[Any], registry: Registry[Any]) -> str | None:
    """Return the name under which a class is registered; None where it is not."""
    return next((name for name in registry.names() if kind in registry.classes[name]), None)


def _code_of(kind: type[Any]) -> str:
    """Return the hash of the file that a class is written in; of the class, where there is none."""
    try:
        path = inspect.getsourcefile(kind)
        data = None if path is None else Path(path).read_bytes()
    except (OSError, TypeError):
        data = None
    return fingerprint(kind) if data is None else hashlib.sha256(data).hexdigest()


def _with_options(name: str, options: Mapping[str, Any]) -> str:
    told = ", ".join(f"{key}={value}" for key, value in options.items())
    return f"{name} ({told})" if told else name


def _require_distinct(names: Sequence[str], what: str) -> None:
    twice = [name for index, name in enumerate(names) if name in names[:index]]
    if twice:
        raise ArgumentError(f"{what}: expected a name for each, got {twice[0]!r} twice; give one of them another name")
