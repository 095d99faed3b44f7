"""The page of an environment: story, arguments, numbers, picture."""

from __future__ import annotations

import inspect
import sys
import textwrap
from functools import singledispatch
from typing import Any

import numpy as np
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from stackelberg_envs.docstrings import docstring_of, meanings_of
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.faces.registration import EnvSpec, spec
from stackelberg_envs.games.environments import EnvironmentGame
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.observed import Numbers, Vectors
from stackelberg_envs.games.samples import ActionSpec
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.vector import AnyGame, VectorGame
from stackelberg_envs.pictures.canvas import draw
from stackelberg_envs.play.session import Session

from .output import in_words, plain, table
from .values import command_of

__all__ = ["show_game"]

#: Characters of names of entries that are shown.
LONGEST = 300
#: Sections of an environment's page that are left out, or shown as a table.
NOT_SHOWN = ("Arguments", "Version history")


def show_game(name: str, given: dict[str, Any], console: Console) -> None:
    """Print the page of an environment.

    Raises
    ------
    UnknownNameError
        Nobody registered the id; the message names the nearest ones.
    ArgumentError, GameError
        An argument it does not have, or of another type.
    """
    entry = spec(name)
    game = entry.make(**given)
    doc = docstring_of(sys.modules[entry.module]) or docstring_of(entry.make_game)
    console.print(Text(entry.summary, style="bold"))
    console.print()
    console.print(_facts_table(doc))
    for heading, text in _sections(doc):
        console.print(heading, style="bold")
        console.print(Padding(Text(plain(text)), (0, 0, 0, 2)))
    console.print()
    console.print(_arguments_table(entry, given))
    console.print()
    console.print(_numbers_table(game))
    picture = _picture(entry, game)
    if picture:
        console.print(Text("\nUnder the commitment nearest to zero", style="bold"))
        console.print(picture, soft_wrap=True)
    command = command_of({"game": name, "game_arguments": given})  # with the module that registers it
    console.print(f"\nTry it: {command}", soft_wrap=True)


def _facts_table(doc: str) -> Table:
    made = table(None, "", "")
    for line in doc.splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) >= 2 and cells[0].strip("-"):
            made.add_row(cells[0], plain(" | ".join(cells[1:])))
    return made


def _sections(doc: str) -> list[tuple[str, str]]:
    """Return the sections of an environment's page that tell what happens: heading, text."""
    sections: list[tuple[str, list[str]]] = []
    for line in doc.partition("\n\n")[2].splitlines():
        if not line.strip() or line.startswith("|"):
            continue
        if line.startswith(" ") and sections:
            sections[-1][1].append(line.strip())
        else:
            sections.append((line.strip(), []))
    return [(head, " ".join(text)) for head, text in sections if head not in NOT_SHOWN and text]


def _arguments_table(entry: EnvSpec, given: dict[str, Any]) -> Table:
    made = table("Arguments (--set NAME=VALUE)", "name", "default", "now", "meaning")
    meanings = meanings_of(entry.make_game)
    for name, parameter in inspect.signature(entry.make_game).parameters.items():
        default = "required" if parameter.default is parameter.empty else in_words(parameter.default)
        now = in_words(given[name]) if name in given else ""
        made.add_row(name, default, now, plain(meanings.get(name, "")))
    return made


def _numbers_table(game: AnyGame) -> Table:
    made = table("Numbers, with these arguments", "", "")
    S, A, B = _sizes(game)
    space = game.commitment
    known = game.facts.get("best_known")
    rows = {
        "states, actions": f"S = {S}, A = {A} (leader), B = {B} (follower), K = {game.num_contexts} contexts",
        "discounts": f"leader {game.leader_discount:g}, follower {game.follower_discount:g}, per step",
        "temperature": f"{game.temperature:g} reward units (weight of the follower's entropy)",
        "horizon": f"{game.horizon} steps",
        "commitment": f"shape {space.shape}, entries in [{space.low.min():g}, {space.high.max():g}]",
        **(
            {}
            if space.names is None
            else {"its entries": textwrap.shorten(", ".join(space.names), LONGEST, placeholder=" ...")}
        ),
        "it changes": ", ".join(sorted(name.replace("_", " ") for name in space.changes)) or "not known",
        "parametrisation": space.parametrisation,
        "best known return": "not recorded" if known is None else f"{known:.6g}",
    }
    for name, value in rows.items():
        made.add_row(name, value)
    return made


@singledispatch
def _sizes(game: AnyGame) -> tuple[str, str, str]:
    """Return S, A and B as text: numbers of states and actions, or R and the size of a vector."""
    raise NotImplementedError(type(game).__name__)


@_sizes.register
def _of_tables(game: TabularGame) -> tuple[str, str, str]:
    S, A, B = game.shape
    return str(S), str(A), str(B)


@_sizes.register
def _of_interacting_followers(game: MarkovGame) -> tuple[str, str, str]:
    n, S, B = game.table_shape
    return str(S), "0", f"{B} for each of {n}"


@_sizes.register
def _of_vectors(game: VectorGame) -> tuple[str, str, str]:
    leader: Any = game.leader_action_space
    actions = ActionSpec.of(game.follower_action_space)
    B = "x".join(map(str, actions.counts)) if actions.counts else f"R{actions.size}"
    return f"R{game.state_space.shape[0]}", "0" if leader is None else f"R{leader.shape[0]}", B


@_sizes.register
def _of_environments(game: EnvironmentGame) -> tuple[str, str, str]:
    return _sizes_seen(game.seen)


@singledispatch
def _sizes_seen(seen: Any) -> tuple[str, str, str]:
    """Return S, A and B of an environment, as far as they are seen."""
    raise NotImplementedError(type(seen).__name__)


@_sizes_seen.register
def _of_numbers(seen: Numbers) -> tuple[str, str, str]:
    return str(seen.S), "0", str(seen.B)


@_sizes_seen.register
def _of_rows(seen: Vectors) -> tuple[str, str, str]:
    counts = None if seen.actions is None else seen.actions.counts
    B = "not seen" if seen.actions is None else "x".join(map(str, counts)) if counts else f"R{seen.actions.size}"
    return f"R{seen.size}" if seen.size else "not seen", "0", B


def _picture(entry: EnvSpec, game: AnyGame) -> str:
    """Return the game as text under the commitment nearest to zero, or "" where there is none."""
    try:
        session = Session(game)
    except ArgumentError:  # an environment that nobody looks into
        return ""
    session.reset(seed=0)
    session.commit(game.commitment.project(np.zeros(game.commitment.shape)))
    text = draw(session, entry.renderer, "ansi")
    return text if isinstance(text, str) else ""
