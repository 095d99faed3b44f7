"""The jobs of a suite, after everything that it names was found to exist and to fit; and who cannot play, and why."""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stackelberg_envs.errors import ArgumentError, InformationError, unknown_name
from stackelberg_envs.faces.registration import spec
from stackelberg_envs.games.environments import EnvironmentGame
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.vector import VectorGame
from stackelberg_envs.validation import checked, shown

from ..followers.base import FOLLOWERS, Follower
from ..leaders.base import LEADERS, Leader
from ..registry import Registry
from ..runs.config import ExperimentConfig
from ..runs.fingerprints import fingerprint
from ..runs.lineup import line_up
from ..runs.presets import load_presets
from .jobs import Job
from .store import Entrant, Sweep, TaskFacts
from .suites import Player, Suite, Task, with_budget
from .worker import Limits, Payload

__all__ = ["LeftOut", "Plan", "plan"]

#: Environments and players of these packages change with the package's version only.
OWN = (__name__.removesuffix("benchmark.plans"), "stackelberg_envs.")


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


def plan(suite: Suite, limits: Limits = Limits()) -> Plan:  # noqa: B008 - it is frozen
    """Return the jobs of a suite, after everything that it names has been found to exist and to fit.

    Raises
    ------
    UnknownNameError, ArgumentError, GameError
        A name that nobody registered, with the nearest ones; an option or an argument that does not exist or is out
        of range; two tasks or leaders of one name; a suite in which no leader can play any game.
    """
    for what, given in (("tasks", suite.tasks), ("seeds", suite.seeds)):
        if not given:
            raise ArgumentError(f"suite {suite.name!r}: expected at least one of its {what}, got none")
    seeds = list(dict.fromkeys(suite.seeds))
    tasks = [_Game.of(task) for task in suite.tasks]
    _require_distinct([task.name for task in tasks], "tasks")
    _require_tasks(suite, [task.name for task in tasks])
    payloads, left_out, entrants = [], [], _Entrants()
    for task in tasks:
        for leader, follower in _meetings(suite, task):
            try:
                budget = _budget(suite, task, leader, follower)
            except (_DoesNotServeError, InformationError) as exc:
                left_out.append(LeftOut(task.name, leader.name, follower.kind, str(exc)))
                continue
            entrants.add(leader)
            jobs = (_job(suite, task, leader, follower, budget, seed) for seed in seeds)
            payloads += [_payload(job, task, leader, follower, limits) for job in jobs]
    if not payloads:
        reasons = "; ".join(sorted({item.reason for item in left_out}))
        raise ArgumentError(f"suite {suite.name!r}: expected a leader that can play one of its games: {reasons}")
    sweep = Sweep(
        name=suite.name,
        description=suite.description,
        tasks=[task.facts for task in tasks],
        entrants=list(entrants.found.values()),
        jobs=[payload.job.address for payload in payloads],
    )
    return Plan(payloads, sweep, left_out)


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
            if not isinstance(task.game, TabularGame | VectorGame | EnvironmentGame):
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
    def of(cls, player: Player, registry: Registry[Any], task: _Game, follower: _Settled | None = None) -> _Settled:
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
            name, kind = checked(kind, str, role), registry.find(kind, registry.kind_of(task.game))
        own = kind.__module__.startswith(OWN)
        told = {"preset": Path(player.preset).stem} if player.preset else {}
        label = player.name or _with_options(name.rpartition(":")[2], told | player.options)
        preset = _preset(player, name, kind, task, follower)
        options = {**preset, **player.options, **player.per_task.get(task.name, {})}
        return cls(label, player.note, name, options, None if own else kind, "" if own else _code_of(kind))


class _Entrants:
    """The leaders that play something, by name, in order."""

    def __init__(self) -> None:
        self.found: dict[str, Entrant] = {}

    def add(self, leader: _Settled) -> None:
        """Note a leader.

        Raises
        ------
        ArgumentError
            Another class has its name.
        """
        entrant = Entrant(name=leader.name, leader=leader.kind, summary=leader.note)
        first = self.found.setdefault(leader.name, entrant)
        if first.leader != entrant.leader:
            raise ArgumentError(
                f"leaders: expected one class for the name {leader.name!r}, got {first.leader!r} and {leader.kind!r}"
            )


def _meetings(suite: Suite, task: _Game) -> list[tuple[_Settled, _Settled]]:
    """Return who plays a task against whom."""
    chosen = suite.leaders if task.task.leaders is None else task.task.leaders
    opposed = suite.followers if task.task.followers is None else task.task.followers
    if not chosen:
        raise ArgumentError(f"suite {suite.name!r}: expected at least one of its leaders, got none on {task.name!r}")
    followers = [_Settled.of(player, FOLLOWERS, task) for player in opposed or (Player(task.game.suggested_follower),)]
    settled = [[_Settled.of(player, LEADERS, task, follower) for follower in followers] for player in chosen]
    _require_distinct([each[0].name for each in settled], "leaders")
    return [(leader, follower) for each in settled for leader, follower in zip(each, followers, strict=True)]


def _preset(player: Player, name: str, kind: type[Any], task: _Game, follower: _Settled | None) -> Mapping[str, Any]:
    """Return the options that a leader's preset has for a task and a follower; none without a preset."""
    if not player.preset:
        return {}
    if follower is None:
        raise ArgumentError(f"follower {name!r}: expected no preset, which leaders have, got {player.preset!r}")
    own = "" if follower.kind == task.game.suggested_follower else follower.kind
    if player.preset in kind.presets:
        return dict(kind.presets[player.preset])
    return load_presets(player.preset, name).options_for(task.id, task.task.arguments, own)


def _require_tasks(suite: Suite, names: Sequence[str]) -> None:
    """Raise UnknownNameError if a player has settings for a task that there is not."""
    parties = [suite.leaders, suite.followers, *itertools.chain(*((t.leaders, t.followers) for t in suite.tasks))]
    for player in itertools.chain(*(party or () for party in parties)):
        for name in player.per_task:
            if name not in names:
                raise unknown_name("task", name, names)


class _DoesNotServeError(Exception):
    """No class of this name plays games of this kind."""


def _budget(suite: Suite, task: _Game, leader: _Settled, follower: _Settled) -> tuple[int, int]:
    """Return the steps of a run, in all and per update, or raise as the run would.

    Nothing is wrong with a leader that serves other games only.
    """
    for player, registry in ((leader, LEADERS), (follower, FOLLOWERS)):
        try:
            registry.serving(player.kind, task.game)
        except ArgumentError as exc:
            raise _DoesNotServeError(str(exc)) from exc
    own = with_budget(task.task, suite)
    config = ExperimentConfig(
        game=task.game,
        leader=leader.kind,
        leader_options=dict(leader.options),
        follower=follower.kind,
        follower_options=dict(follower.options),
        parametrisation=own.parametrisation,
        steps=own.steps,
        steps_per_update=own.steps_per_update,
    )
    found = line_up(config)
    # Some look at the game only when they are made.
    try:
        found.leader(found.brief, found.leader_config, np.random.default_rng(0)).close()
    except ArgumentError as exc:
        raise _DoesNotServeError(str(exc)) from exc
    assert own.steps is not None  # noqa: S101 - suites have a budget
    return own.steps, found.budget.steps_per_update


def _job(suite: Suite, task: _Game, leader: _Settled, follower: _Settled, budget: tuple[int, int], seed: int) -> Job:
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
        steps=budget[0],
        steps_per_update=budget[1],
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
    """Return the hash of the files that a class and its bases are written in, this package's left out.

    Where there is no file, the class itself counts. What these files import is not looked at.
    """
    strangers = [each for each in kind.__mro__ if not each.__module__.startswith((*OWN, "builtins", "abc", "typing"))]
    return hashlib.sha256("".join(map(_source_of, strangers)).encode()).hexdigest()


def _source_of(kind: type[Any]) -> str:
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
