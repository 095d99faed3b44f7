"""``stackelberg render``: an episode of an environment as an animation."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .parser import add_command, add_id
from .values import typed

if TYPE_CHECKING:
    from rich.console import Console

    from stackelberg_envs.arrays import Array
    from stackelberg_envs.games.vector import AnyGame

    from .parser import Commands

__all__ = ["act", "add"]

EPILOG = """\
examples:
  stackelberg render stackelberg/FourRooms-v0 --output rooms.gif
  stackelberg render stackelberg/DiscreteToy-v1 --commitment start --steps 20 --output toy.png
  stackelberg render stackelberg/FourRooms-v0 --commitment runs/demo --output learned.gif"""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    render = add_command(
        commands, "render", "draw an episode: the follower answers a commitment, and plays", act, EPILOG
    )
    add_id(render)
    render.add_argument(
        "--output",
        default="episode.gif",
        metavar="FILE",
        help=".gif or .apng, a film; .png, its last picture (default: %(default)s)",
    )
    render.add_argument(
        "--commitment",
        metavar="WHICH",
        help="best-known; start, where leaders begin; or the folder of a run, whose commitment is taken "
        "(default: best-known where one is, else start)",
    )
    render.add_argument(
        "--steps", type=typed("Count"), default=40, metavar="N", help="steps to show at most (default: %(default)s)"
    )
    render.add_argument("--seed", type=typed("Seed"), default=0, metavar="N", help="of play (default: %(default)s)")
    render.add_argument(
        "--fps", type=typed("FramesPerSecond"), default=8, metavar="N", help="steps a second (default: %(default)s)"
    )


def act(options: argparse.Namespace, console: Console) -> int:
    """Draw the episode, and say where it is."""
    from stackelberg_envs.faces.registration import spec
    from stackelberg_envs.pictures.film import encoded, require_suffix
    from stackelberg_envs.validation import checked_path

    from ..pictures.episodes import episode
    from ..runs.files import write_atomically
    from ..runs.records import prepare_folder

    path = checked_path(options.output, "--output")
    suffix = require_suffix(path.suffix)
    entry = spec(options.id)
    game = entry.make(**dict(options.set))
    x = _commitment(game, options.commitment)
    prepare_folder(path.parent)
    pictures = episode(game, x, steps=options.steps, seed=options.seed, renderer=entry.renderer)
    write_atomically(path, encoded(pictures, suffix, options.fps))
    console.print(f"Picture: {path}", soft_wrap=True)
    return 0


def _commitment(game: AnyGame, which: str | None) -> Array:
    from stackelberg_envs.errors import OutputError

    from ..pictures.episodes import named_commitment
    from ..runs.records import load_record

    if which is None or not Path(which).exists():
        return named_commitment(game, which)
    learned = load_record(which).commitment
    if learned is None:
        raise OutputError(f"{which}: expected a run that ended with a commitment, but this one has none")
    return game.commitment.check(learned)
