"""What leaders learned, drawn on the environment, as pictures inside the page."""

from __future__ import annotations

import base64
import io
from contextlib import suppress

import msgspec
import numpy as np

from agents.benchmark.jobs import Job
from agents.benchmark.records import Result
from agents.pictures.commitments import draw_commitment
from agents.pictures.figures import new_figure
from stackelberg_envs.errors import StackelbergError
from stackelberg_envs.games.vector import AnyGame

__all__ = ["Drawings"]

DPI = 80


class Drawings:
    """Draws commitments; games are made once each."""

    def __init__(self) -> None:
        self._games: dict[bytes, AnyGame | None] = {}

    def draw(self, job: Job, result: Result) -> str:
        """Return the commitment of a job as the address of a picture that holds itself: ``data:image/png;...``.

        A text that is empty says that the commitment is none that can be drawn.
        """
        try:
            x = np.asarray(result.commitment, dtype=np.float64)
        except (TypeError, ValueError):  # records come from elsewhere, too
            return ""
        if not x.size or not x.ndim or not np.isfinite(x).all():
            return ""
        figure = new_figure((5.6, 4.6))
        axes = figure.add_subplot()
        draw_commitment(axes, x, self._game(job))
        axes.set_title("", loc="left")
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=DPI)
        return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()

    def _game(self, job: Job) -> AnyGame | None:
        """Return the game of a job, None where it is none that is registered here: a record must not name code."""
        from stackelberg_envs.faces.registration import make_game, registered_ids

        key = msgspec.json.encode([job.game, job.game_arguments], order="deterministic")
        if key not in self._games:
            self._games[key] = None
            if job.game in registered_ids():
                with suppress(StackelbergError, TypeError):
                    self._games[key] = make_game(job.game, **job.game_arguments)
        return self._games[key]
