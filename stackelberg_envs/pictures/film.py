"""Pictures of an episode, one after the other, as the bytes of an image file: GIF, animated PNG, or the last one."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from stackelberg_envs.errors import ArgumentError

if TYPE_CHECKING:
    from stackelberg_envs.pictures.canvas import Pixels

__all__ = ["SUFFIXES", "encoded", "require_suffix"]

#: Endings of file names: films, and a still of the last picture.
SUFFIXES = (".gif", ".apng", ".png")
#: Colours of a GIF: pictures have few, and smooth edges between them.
COLOURS = 256
#: How long the last picture stays, in pictures.
LAST = 8


def require_suffix(suffix: str) -> str:
    """Return the ending of a file's name in small letters, or raise ArgumentError for one that nobody can write."""
    found = suffix.lower()
    if found not in SUFFIXES:
        raise ArgumentError(f"picture: expected a file name ending in {', '.join(SUFFIXES)}, got {suffix!r}")
    return found


def encoded(pictures: Sequence[Pixels], suffix: str, fps: int) -> bytes:
    """Return pictures as the bytes of a file.

    Parameters
    ----------
    pictures
        At least one, of one shape (H, W, 3), uint8.
    suffix
        ".gif" or ".apng" for a film, which begins again at its end; ".png" for its last picture.
    fps
        Pictures a second, at most 50: viewers play what is faster at a pace of their own.

    Raises
    ------
    ArgumentError
        No pictures, or an ending that is none of these.
    """
    from PIL import Image

    suffix = require_suffix(suffix)
    if not pictures:
        raise ArgumentError("pictures: expected at least one, got none")
    frames = [Image.fromarray(picture) for picture in pictures]
    file = io.BytesIO()
    if suffix == ".png":
        frames[-1].save(file, format="PNG", optimize=True)
        return file.getvalue()
    one = round(1000 / fps)
    times = [one] * (len(frames) - 1) + [LAST * one]
    if suffix == ".gif":
        # One palette for all: each would otherwise have its own, and colours would flicker.
        together = Image.fromarray(_side_by_side(pictures))
        palette = together.quantize(COLOURS, dither=Image.Dither.NONE)
        frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    kind = {".gif": "GIF", ".apng": "PNG"}[suffix]
    frames[0].save(
        file, format=kind, save_all=True, append_images=frames[1:], duration=times, loop=0, optimize=True, disposal=1
    )
    return file.getvalue()


def _side_by_side(pictures: Sequence[Pixels]) -> Pixels:
    """Return up to eight of the pictures, spread over the film, as one."""
    import numpy as np

    chosen = pictures[:: max(1, len(pictures) // 8)]
    return np.concatenate(chosen, axis=1)
