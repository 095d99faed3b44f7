"""Pictures of an episode, one after the other, as the bytes of an image file: GIF, animated PNG, or the last one."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.errors import ArgumentError

if TYPE_CHECKING:
    from stackelberg_envs.pictures.canvas import Pixels

__all__ = ["SUFFIXES", "encoded", "require_suffix"]

#: Endings of file names: films, and a still of the last picture.
SUFFIXES = (".gif", ".apng", ".png")
#: Colours of a GIF.
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
        palette = _frequent_colours(pictures)
        frames = [Image.fromarray(_by_index(picture, palette)) for picture in pictures]
        for frame in frames:
            frame.putpalette(palette.tobytes())
    kind = {".gif": "GIF", ".apng": "PNG"}[suffix]
    frames[0].save(
        file, format=kind, save_all=True, append_images=frames[1:], duration=times, loop=0, optimize=True, disposal=1
    )
    return file.getvalue()


def _numbered(picture: Pixels) -> NDArray[np.uint32]:
    """Return the colour of each pixel as one number, flat."""
    return picture.reshape(-1, 3).astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)


def _frequent_colours(pictures: Sequence[Pixels]) -> Pixels:
    """Return the colours that occur most often, shape (n, 3).

    Flat areas so keep their colour to the bit; what is left out are shades between them, at smooth edges.
    """
    shown = pictures[:: max(1, len(pictures) // 8)]
    pixels = np.concatenate([_numbered(picture) for picture in [*shown, pictures[-1]]])
    colours, counts = np.unique(pixels, return_counts=True)
    often = colours[np.argsort(-counts, kind="stable")[:COLOURS]]
    return np.stack([often >> 16, often >> 8 & 255, often & 255], axis=1).astype(np.uint8)


def _by_index(picture: Pixels, palette: Pixels) -> Pixels:
    """Return the index of the palette's nearest colour at each pixel, shape (H, W)."""
    _, first, where = np.unique(_numbered(picture), return_index=True, return_inverse=True)
    colours = picture.reshape(-1, 3)[first].astype(np.float64)
    apart = np.linalg.norm(colours[:, None] - palette[None], axis=2)
    return np.asarray(apart.argmin(axis=1)[where].reshape(picture.shape[:2]), dtype=np.uint8)
