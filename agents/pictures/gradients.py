"""Pictures of estimated gradients beside the exact one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..runs.gradients import Comparison
from ..runs.records import prepare_folder
from .figures import PALETTE, new_figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_comparison"]


def plot_comparison(found: Comparison, path: str | Path) -> Path:
    """Draw cosine and relative error against sample size: medians and interquartile bands over seeds.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    ArgumentError, OutputError
        A file name of another format, or a file that cannot be written.
    """
    figure = new_figure((9.0, 3.8))
    left, right = figure.subplots(1, 2)
    _draw(left, found, "cosine", "cosine to the exact gradient")
    _draw(right, found, "relative_error", "relative error")
    right.set_yscale("log")
    left.axhline(0.0, color="0.7", linewidth=0.8)
    left.set_ylim(top=1.03)
    right.legend(frameon=False, fontsize="small")
    cut = "" if found.horizon is None else f"\n(exact: play without end; episodes cut after {found.horizon} steps)"
    figure.suptitle(f"{found.game}: estimates of dJ/dθ from one batch of observed play{cut}")
    prepare_folder(Path(path).parent)
    return save(figure, path)


def _draw(axes: Axes, found: Comparison, name: str, label: str) -> None:
    for i, leader in enumerate(dict.fromkeys(row.leader for row in found.rows)):
        rows = sorted((row for row in found.rows if row.leader == leader), key=lambda row: row.size)
        sizes = [row.size for row in rows]
        low, middle, high = np.quantile([getattr(row, name) for row in rows], [0.25, 0.5, 0.75], axis=1)
        colour = PALETTE[i % len(PALETTE)]
        axes.plot(sizes, middle, color=colour, marker="o", markersize=3, label=leader)
        axes.fill_between(sizes, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set(xscale="log", xlabel="observed follower steps", ylabel=label)
