"""Figures of matplotlib: made, coloured and written in one way.

matplotlib is imported inside the functions, with figures of its own and no global state, so that drawing
works without a display, in threads, and beside other users of matplotlib.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stackelberg_envs.errors import ArgumentError, MissingExtraError, OutputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["BEST", "FINAL", "LEARNED", "MUTED", "PALETTE", "SEEN", "new_figure", "require_matplotlib", "save"]

#: Okabe and Ito's palette, told apart by people with any kind of colour vision; yellow left out, too pale.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LEARNED, FINAL, BEST = PALETTE[0], PALETTE[1], PALETTE[2]
SEEN, MUTED = PALETTE[5], "#6B6F76"
DPI = 150


def require_matplotlib() -> None:
    """Refuse before work is done for a picture that cannot be drawn.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise MissingExtraError(
            'pictures need matplotlib, which is not installed: pip install "stackelberg-envs[plots]"'
        ) from None


def new_figure(size: tuple[float, float]) -> Figure:
    """Return an empty figure of a width and a height in inches.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: str | Path) -> Path:
    """Write a figure, and return where.

    Raises
    ------
    ArgumentError
        A format that matplotlib does not know.
    OutputError
        The file cannot be written.
    """
    path = Path(path)
    known = figure.canvas.get_supported_filetypes()
    if path.suffix.removeprefix(".").lower() not in known:
        raise ArgumentError(f"picture: expected a file name ending in .png, .pdf or .svg, got {path.name!r}")
    try:
        figure.savefig(path)
    except OSError as exc:
        raise OutputError(f"picture {path}: expected a file that can be written, got {exc}") from exc
    return path
