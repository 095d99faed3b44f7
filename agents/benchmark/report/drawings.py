"""What leaders learned, drawn on the environment, as pictures inside the page."""

from __future__ import annotations

import base64
import io
from contextlib import suppress

import msgspec
import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import StackelbergError
from stackelberg_envs.games.vector import AnyGame

from ...pictures.commitments import draw_commitment
from ...pictures.figures import new_figure
from ..jobs import Job
from ..records import Result

__all__ = ["Drawings"]

#: Inches, and dots of each: a page holds many pictures.
SIZE, DPI = (5.8, 5.2), 80


class Drawings:
    """Draws commitments; games are made once each."""

    def __init__(self) -> None:
        self._games: dict[bytes, AnyGame | None] = {}

    def draw(self, job: Job, result: Result) -> str:
        """Return the commitment of a job as the address of a picture that holds itself: ``data:image/png;...``.

        A text that is empty says that the commitment is none that can be drawn.
        """
        x = _array(result)
        if x is None:
            return ""
        figure = new_figure(SIZE)
        axes = figure.add_subplot()
        draw_commitment(axes, x, self._game(job))
        axes.set_title("", loc="left")
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=DPI)
        return _address(stream)

    def environment(self, job: Job, result: Result) -> str:
        """Return how the environment shows itself under the commitment; an empty text where that is not known."""
        from PIL import Image

        from stackelberg_envs.faces.ids import newest_id
        from stackelberg_envs.faces.registration import parallel_env

        x = _array(result)
        if x is None or self._game(job) is None:
            return ""
        stream = io.BytesIO()
        try:
            env = parallel_env(newest_id(job.game), render_mode="rgb_array", **job.game_arguments)
            env.reset(seed=0)
            leader = env.possible_agents[0]
            env.step({leader: x})
            Image.fromarray(np.asarray(env.render())).save(stream, format="png", optimize=True)
        except StackelbergError:
            return ""
        return _address(stream)

    def _game(self, job: Job) -> AnyGame | None:
        """Return the game of a job, None where it is none that is registered here: a record must not name code."""
        from stackelberg_envs.faces.ids import newest_id
        from stackelberg_envs.faces.registration import registered_ids, stored_spec

        key = msgspec.json.encode([job.game, job.game_arguments], order="deterministic")
        if key not in self._games:
            self._games[key] = None
            if newest_id(job.game) in registered_ids():
                with suppress(StackelbergError, TypeError):
                    self._games[key] = stored_spec(job.game).make(**job.game_arguments)
        return self._games[key]


def _array(result: Result) -> Array | None:
    """Return a commitment, None where it is none: records come from elsewhere, too."""
    try:
        x = np.asarray(result.commitment, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return x if x.size and x.ndim and bool(np.isfinite(x).all()) else None


def _address(stream: io.BytesIO) -> str:
    """Return a picture as its own address."""
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
