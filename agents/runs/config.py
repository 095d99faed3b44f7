"""What a run depends on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from msgspec import Meta

from stackelberg_envs.games.vector import AnyGame

from ..options import Count, Natural, Options, Positive

__all__ = ["ExperimentConfig"]


@dataclass(frozen=True, eq=False)
class ExperimentConfig(Options):
    """Everything a run depends on; checked when it is made, like the options of the players.

    Attributes
    ----------
    game
        A game, or the id of a registered one.
    leader, follower
        Registered names; by default the follower that is exact in the game, or the one its kind suggests.
    steps
        Follower steps that the leader sees in all; default 100,000, unless the next two say it.
    updates
        Leader updates; default as many as there are steps for.
    steps_per_update
        Follower steps the leader sees after each commitment; default what the leader likes best, and 1,000 where only
        the number of updates is given.
    seed
        Of everything random; equal seeds give equal runs.
    game_arguments
        Arguments of the game, when `game` is an id.
    preset
        Settings of the leader by a name: "published", those of its paper; "tuned", those that this package has for this
        game and follower; or the path of a file that :func:`agents.tune` wrote. `leader_options` go over them.
    leader_options, follower_options
        Hyperparameters that differ from the defaults.
    parametrisation
        Name; default the one the commitment suggests.
    evaluate_every
        Exact leader values, of what was announced and of what is recommended after it, are computed for the record at
        every such update, the first included (0: only at the end).
    leader_process
        Whether the leader runs in a process of its own, which receives nothing but bytes.
    timeout
        Seconds that such a leader may take for one answer before the run ends with an error; None: as long as it likes.
    best_known
        Best known J, for tables and pictures; default the game's own fact, if it has one.
    """

    game: AnyGame | str
    leader: str = "bchg"
    follower: str | None = None
    steps: Count | None = None
    updates: Count | None = None
    steps_per_update: Count | None = None
    seed: Annotated[int, Meta(ge=0)] = 0
    game_arguments: dict[str, Any] = field(default_factory=dict)
    preset: str | None = None
    leader_options: dict[str, Any] = field(default_factory=dict)
    follower_options: dict[str, Any] = field(default_factory=dict)
    parametrisation: str | None = None
    evaluate_every: Natural = 1
    leader_process: bool = False
    timeout: Positive | None = 600.0
    best_known: float | None = None
