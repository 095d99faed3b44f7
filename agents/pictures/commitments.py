"""What a leader learned: its commitment as a map, as bars or as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.vector import AnyGame

from .figures import BEST, LEARNED, MUTED, PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_commitment", "incentive_colours"]

WALL = "#3A3F47"
#: Entries up to which a heatmap prints its numbers.
MOST_NUMBERS = 40


def draw_commitment(axes: Axes, x: Array, game: AnyGame | None, names: Sequence[str] = ()) -> None:
    """Draw x: on the map of a game whose facts have "cells", else as bars or, of two axes or more, as a table.

    `names` are those of its entries; by default the game's own.
    """
    facts = {} if game is None else game.facts
    names = names or (None if game is None else game.commitment.names) or ()
    cells = np.asarray(facts.get("cells", ()))
    if cells.shape == (x.size, 2):
        _draw_map(axes, x.ravel(), cells, facts)
    elif x.ndim == 1:
        _draw_bars(axes, x, names)
    else:
        _draw_table(axes, x.reshape(len(x), -1), game, names)


def _draw_map(axes: Axes, x: Array, cells: Array, facts: dict[str, Any]) -> None:
    """Draw incentives on the floor plan: walls dark, the stronger the incentive the deeper its colour."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    colours = incentive_colours(x)
    squares = [Rectangle((column - 0.5, row - 0.5), 1.0, 1.0) for row, column in cells]
    floor = PatchCollection(squares, edgecolors="#DCDCDC", linewidths=0.5, cmap=colours["cmap"])
    floor.set_array(x)
    floor.set_clim(colours["vmin"], colours["vmax"])
    axes.add_collection(floor)
    axes.set_facecolor(WALL)
    rows, columns = cells.max(axis=0) + 1.5
    axes.set(xlim=(-0.5, columns), ylim=(rows, -0.5), aspect="equal")
    axes.tick_params(length=0, labelbottom=False, labelleft=False)
    _add_bar(axes, floor, "incentive: what each visit pays the follower (reward units)")
    _draw_places(axes, facts)
    axes.set_title("What it learned: an incentive for each cell", loc="left")


def incentive_colours(x: Array) -> dict[str, Any]:
    """Return colours in which zero is pale; both ends deep where incentives of both signs occur."""
    low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
    if low < 0.0 < high:
        width = max(-low, high)
        return {"cmap": "PuOr_r", "vmin": -width, "vmax": width}
    if low == high:
        high = 1.0
    return {"cmap": "Oranges_r" if low < 0.0 else "Oranges", "vmin": low, "vmax": high}


def _draw_places(axes: Axes, facts: dict[str, Any]) -> None:
    from matplotlib.patches import Patch

    goals = list(facts.get("goals", ()))
    places = [
        ("follower's start", "o", LEARNED, [facts["start"]] if "start" in facts else []),
        ("leader's target", "*", BEST, [facts["target"]] if "target" in facts else []),
        ("follower's goal" + "s" * (len(goals) > 1), "D", PALETTE[3], goals),
    ]
    for label, marker, colour, cells in places:
        if cells:
            down, right = np.array(cells, dtype=float).T
            style: dict[str, Any] = {
                "marker": marker,
                "s": 260 if marker == "*" else 110,
                "c": colour,
                "label": label,
            }
            axes.scatter(right, down, edgecolors="white", linewidths=1.4, **style)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        [*handles, Patch(color=WALL)],
        [*labels, "wall"],
        loc="upper center",
        bbox_to_anchor=(0.5, -0.02),
        ncols=2,
        frameon=False,
        fontsize=9,
    )


def _draw_bars(axes: Axes, x: Array, names: Sequence[str]) -> None:
    axes.bar(np.arange(len(x)), x, color=LEARNED, width=0.8)
    axes.axhline(0.0, color=MUTED, linewidth=0.8)
    axes.set_xlabel("entry of the commitment")
    axes.set_ylabel("value")
    if len(names) == len(x):
        axes.set_xticks(np.arange(len(x)), names, rotation=30, ha="right")
    else:
        _whole_numbers(axes.xaxis, len(x))
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("What it learned: the final commitment", loc="left")


def _draw_table(axes: Axes, x: Array, game: AnyGame | None, entries: Sequence[str]) -> None:
    is_policy = game is not None and game.commitment.changes == {"leader_policy"}
    colours = {"cmap": "Blues", "vmin": 0.0, "vmax": 1.0} if is_policy else incentive_colours(x)
    image = axes.imshow(x, aspect="auto", **colours)
    _add_bar(axes, image, "probability of the leader's action" if is_policy else "value")
    axes.set_ylabel("state" if is_policy else "row of the commitment")
    axes.set_xlabel("leader's action" if is_policy else "column of the commitment")
    _whole_numbers(axes.xaxis, x.shape[1])
    _whole_numbers(axes.yaxis, x.shape[0])
    names = () if game is None else game.facts.get("states", ())
    if len(names) == len(x) <= MOST_NUMBERS // 2:
        axes.set_yticks(np.arange(len(names)), [str(name) for name in names])
    if x.size <= MOST_NUMBERS:
        _write_numbers(axes, image, x, entries)
    axes.set_title(f"What it learned: the final {'policy' if is_policy else 'commitment'}", loc="left")


def _write_numbers(axes: Axes, image: Any, x: Array, entries: Sequence[str]) -> None:
    names = iter(entries if len(entries) == x.size else [""] * x.size)
    shades = image.to_rgba(x)[..., :3] @ (0.3, 0.59, 0.11)
    for (row, column), value in np.ndenumerate(x):
        colour = "black" if shades[row, column] > 0.5 else "white"
        axes.text(column, row, f"{next(names)}\n{value:.3f}".strip(), ha="center", va="center", color=colour)


def _whole_numbers(axis: Any, count: int) -> None:
    """Label entries 0..count-1, all of them where there is room."""
    from matplotlib.ticker import MaxNLocator

    if count <= MOST_NUMBERS // 2:
        axis.set_ticks(np.arange(count))
    else:
        axis.set_major_locator(MaxNLocator(integer=True))


def _add_bar(axes: Axes, image: Any, label: str) -> None:
    figure = axes.get_figure()
    if figure is not None:
        figure.colorbar(image, ax=axes, label=label, fraction=0.046, pad=0.03)
