"""Presets: settings of leaders by a name, those of their papers and those that were tuned for a task.

A class says in ``presets`` what it is called with. Tuned settings are files of data, with how they were found, one per
leader: what holds without a block of its own, ``default``, then a block per task, ``[[tuned]]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple

from msgspec import Meta

from stackelberg_envs.errors import ArgumentError, UnknownNameError
from stackelberg_envs.faces.ids import newest_id

from ..options import Count, Options, make_config
from .files import named, write_atomically
from .toml_files import read_toml, refuse_code, require_known, tables_of, toml_of

__all__ = [
    "TUNING_SEEDS",
    "Preset",
    "Presets",
    "Settings",
    "has_tuned",
    "load_presets",
    "preset_names",
    "read_presets",
    "settings_of",
]

FORMAT = 1
FOLDER = Path(__file__).parent / "data" / "presets"
#: Seeds from here on are for tuning, and are never reported.
TUNING_SEEDS = 1_000_000
HEAD = "# By 'stackelberg tune'. Values are of the seeds that chose the settings: results need other seeds.\n"

TuningSeed = Annotated[int, Meta(ge=TUNING_SEEDS)]


@dataclass(frozen=True)
class Preset(Options):
    """Settings for one task, and how they were found.

    Attributes
    ----------
    game, arguments
        Id and arguments of the environment.
    follower
        Name; "" is the game's own.
    options
        Of the leader, where they differ from its defaults.
    steps, steps_per_update
        Budget of each run.
    trials
        Settings that were tried, the defaults included.
    seeds
        Of the runs of each trial; none of them below 1,000,000, where those of results are.
    value, default_value
        Mean over the seeds of J, in reward units, of what was recommended at the end; with the defaults.
    held_out_value, held_out_default
        The same on seeds that chose nothing; None where nobody looked.
    version
        Of this package.
    """

    game: str
    steps: Count
    steps_per_update: Count
    trials: Count
    seeds: tuple[TuningSeed, ...]
    value: float
    default_value: float | None = None
    held_out_value: float | None = None
    held_out_default: float | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    follower: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    version: str = ""

    @property
    def beats_default(self) -> bool:
        """Whether it is known to be worth more than the defaults, on seeds that chose nothing."""
        if self.held_out_value is None or self.held_out_default is None:
            return False
        return self.held_out_value > self.held_out_default

    @property
    def task(self) -> str:
        """What it is for, in words."""
        return _task_in_words(self.game, self.arguments, self.follower)

    def is_for(self, game: str, arguments: Mapping[str, Any], follower: str) -> bool:
        """Whether it is for this task."""
        same = newest_id(self.game) == newest_id(game) and self.follower == follower
        return same and self.arguments == _plain(arguments)


@dataclass(frozen=True)
class Presets(Options):
    """A file of presets.

    Attributes
    ----------
    leader
        Registered name, or ``module:Class``.
    default
        Options for tasks without a block of their own.
    tuned
        One for each task.
    """

    leader: str
    default: dict[str, Any] = field(default_factory=dict)
    tuned: tuple[Preset, ...] = ()

    def find(self, game: str, arguments: Mapping[str, Any], follower: str) -> Preset | None:
        """Return the preset of a task; None without one."""
        return next((preset for preset in self.tuned if preset.is_for(game, arguments, follower)), None)

    def options_for(self, game: str, arguments: Mapping[str, Any], follower: str) -> dict[str, Any]:
        """Return the options for a task: its own, else those for all."""
        found = self.find(game, arguments, follower)
        return dict(self.default if found is None else found.options)

    def with_preset(self, preset: Preset) -> Presets:
        """Return these presets with another one, in the place of what its task had."""
        others = tuple(each for each in self.tuned if not each.is_for(preset.game, preset.arguments, preset.follower))
        return Presets(self.leader, self.default, (*others, preset))

    def write(self, path: Path) -> None:
        """Write the file; it appears whole or not at all.

        Raises
        ------
        OutputError
            It cannot be written.
        """
        tuned = [{key: value for key, value in vars(each).items() if value not in (None, "")} for each in self.tuned]
        data = {"format": FORMAT, "leader": self.leader, "default": self.default, "tuned": tuned}
        with named(f"{path}: expected a file that can be written"):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, (HEAD + toml_of(data)).encode())


class Settings(NamedTuple):
    """What a preset says for one run.

    Attributes
    ----------
    name
        As it was given; "" for none.
    options
        Of the leader, where they differ from its defaults.
    steps_per_update
        That the settings were found with; None where nobody said it.
    """

    name: str = ""
    options: Mapping[str, Any] = MappingProxyType({})
    steps_per_update: int | None = None


def settings_of(
    preset: str | None,
    leader: str,
    own: Mapping[str, Mapping[str, Any]],
    game: str | None,
    arguments: Mapping[str, Any],
    follower: str,
) -> Settings:
    """Return what a preset says for a run.

    Parameters
    ----------
    preset
        One of the leader's own, as "published"; "tuned", what this package has for the task; the path of a .toml
        file; or None.
    leader
        Its registered name.
    own
        The presets that its class declares.
    game, arguments, follower
        The task: id of the game, or None where it has none, its arguments, and the follower's name, "" for the
        game's own.

    Raises
    ------
    ArgumentError, UnknownNameError
        A preset of another leader or for other tasks only, or a name that there is not, with those that there are.
    OutputError
        A file that cannot be read, or is no TOML.
    """
    if not preset:
        return Settings()
    if preset in own:
        return Settings(preset, dict(own[preset]))
    if preset != "tuned" and not preset.endswith(".toml"):
        known = [*own, *(["tuned"] if leader in preset_names() else [])]
        others = f"expected one of {', '.join(map(repr, known))}, or" if known else "expected"
        raise UnknownNameError(f"preset: {others} the path of a .toml file for leader {leader!r}, got {preset!r}")
    found = load_presets(preset, leader)
    block = None if game is None else found.find(game, arguments, follower)
    if block is not None:
        return Settings(preset, dict(block.options), block.steps_per_update)
    if found.default:
        return Settings(preset, dict(found.default))
    tasks = "; ".join(dict.fromkeys(each.task for each in found.tuned)) or "none"
    wanted = _task_in_words(game or "a game without an id", arguments, follower)
    raise ArgumentError(f"preset {preset!r} of leader {leader!r}: expected one of its tasks ({tasks}), got {wanted}")


def has_tuned(leader: str, game: str, arguments: Mapping[str, Any], follower: str) -> bool:
    """Whether this package has tuned settings of a leader for a task; see :func:`settings_of`."""
    return leader in preset_names() and load_presets("tuned", leader).find(game, arguments, follower) is not None


def _task_in_words(game: str, arguments: Mapping[str, Any], follower: str) -> str:
    told = ", ".join(f"{name}={value}" for name, value in arguments.items())
    return game + (f" ({told})" if told else "") + (f" against {follower}" if follower else "")


def preset_names() -> list[str]:
    """Return the leaders that have tuned settings in this package, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_presets(preset: str, leader: str) -> Presets:
    """Return the presets of a leader.

    Parameters
    ----------
    preset
        "tuned", those of this package; or the path of a .toml file.
    leader
        Whose they have to be.

    Raises
    ------
    ArgumentError, UnknownNameError
        Neither, none for this leader, or what is no preset, by its place.
    OutputError
        A file that cannot be read, or is no TOML.
    """
    if preset != "tuned" and not preset.endswith(".toml"):
        raise ArgumentError(f"preset: expected 'tuned' or the path of a .toml file, got {preset!r}")
    if preset == "tuned" and leader not in preset_names():
        raise ArgumentError(
            f"preset: expected a leader with presets ({', '.join(preset_names())}), got {leader!r}; "
            "'stackelberg tune' writes some, and preset=PATH takes them"
        )
    path = FOLDER / f"{leader}.toml" if preset == "tuned" else Path(preset)
    found = read_presets(path)
    if found.leader != leader:
        raise ArgumentError(f"{path}: expected presets of {leader!r}, got those of {found.leader!r}")
    return found


def read_presets(path: Path) -> Presets:
    """Return the presets in a file.

    Raises
    ------
    ArgumentError, UnknownNameError, OutputError
        As :func:`load_presets`.
    """
    data, place = read_toml(path, "presets"), str(path)
    require_known(data, ["format", *(item.name for item in fields(Presets))], place)
    if data.pop("format", None) != FORMAT:
        raise ArgumentError(f"{place}: expected presets of format {FORMAT}")
    refuse_code({key: value for key, value in data.items() if key != "leader"}, (), place)
    tuned = []
    for row, where in tables_of(data, "tuned", place):
        require_known(row, [item.name for item in fields(Preset)], where)
        tuned.append(make_config(Preset, row, where))
    made: Presets = make_config(Presets, {**data, "tuned": tuple(tuned)}, place)
    return made


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments as a file has them: lists where Python has tuples."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in arguments.items()}
