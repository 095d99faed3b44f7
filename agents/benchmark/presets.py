"""Presets: settings of leaders per task, in files of data, with how they were found.

One file per leader: what holds without a block of its own, ``default``, then a block per task, ``[[tuned]]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from agents.benchmark.toml_files import read_toml, refuse_code, require_known, tables_of, toml_of
from agents.options import Count, Options, make_config
from agents.runs.files import named, write_atomically
from stackelberg_envs.errors import ArgumentError

__all__ = ["TUNING_SEEDS", "Preset", "Presets", "load_presets", "preset_names", "read_presets"]

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
    arguments: dict[str, Any] = field(default_factory=dict)
    follower: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    version: str = ""

    def is_for(self, game: str, arguments: Mapping[str, Any], follower: str) -> bool:
        """Whether it is for this task."""
        return (self.game, self.follower) == (game, follower) and self.arguments == _plain(arguments)


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


def preset_names() -> list[str]:
    """Return the leaders that have presets in this package, sorted."""
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
