"""The window of ``render_mode="human"``. pygame, an extra, holds the one that a process has."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from stackelberg_envs.errors import MissingExtraError, OutputError

if TYPE_CHECKING:
    from stackelberg_envs.pictures.canvas import Pixels

__all__ = ["close", "require_pygame", "show"]


def require_pygame() -> None:
    """Refuse before there is anything to show.

    Raises
    ------
    MissingExtraError
        pygame is not installed.
    """
    # Else it greets whoever imports it on standard output.
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        import pygame  # noqa: F401
    except ImportError:
        raise MissingExtraError(
            "render_mode='human' opens a window with pygame, which is not installed: "
            'pip install "stackelberg-envs[window]"; "ansi" and "rgb_array" need nothing more'
        ) from None


def show(pixels: Pixels, title: str, fps: int) -> None:
    """Show a picture in the process's window, and wait so that no more than `fps` of them come in a second.

    Raises
    ------
    OutputError
        No display to open a window on.
    """
    import pygame

    try:
        pygame.display.init()
        size = pixels.shape[1], pixels.shape[0]
        window: Any = pygame.display.get_surface()  # None before there is one
        if window is None or window.get_size() != size:
            window = pygame.display.set_mode(size)
    except pygame.error as exc:
        raise OutputError(
            f"render_mode: expected a display for 'human', got none ({exc}); 'rgb_array' needs none"
        ) from None
    pygame.display.set_caption(title)
    window.blit(pygame.surfarray.make_surface(np.swapaxes(pixels, 0, 1)), (0, 0))
    pygame.event.pump()
    pygame.display.flip()
    pygame.time.wait(round(1000 / fps))


def close() -> None:
    """Close the window, where one is open."""
    import pygame

    pygame.display.quit()
