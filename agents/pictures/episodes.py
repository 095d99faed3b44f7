"""An episode as a film: a follower of the package has answered a commitment, and plays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.faces.responses import responder_of
from stackelberg_envs.pictures.canvas import GENERIC_RENDERER, draw
from stackelberg_envs.play.session import PLAY, Session

from ..followers.base import FOLLOWERS
from ..followers.several import make_follower

if TYPE_CHECKING:
    from stackelberg_envs.games.vector import AnyGame
    from stackelberg_envs.pictures.canvas import Pixels

__all__ = ["BEST_KNOWN", "START", "episode", "named_commitment"]

#: Commitments that have a name.
BEST_KNOWN, START = "best-known", "start"


def named_commitment(game: AnyGame, name: str | None = None) -> Array:
    """Return a commitment by its name.

    Parameters
    ----------
    game
        The game.
    name
        "best-known", of the game's facts; "start", where leaders begin; default the first where it is known.

    Raises
    ------
    ArgumentError
        Another name, or no best value is known of this game.
    """
    from ..learning.parametrisations import make_parametrisation

    known = game.facts.get("best_commitment")
    if name not in (None, BEST_KNOWN, START):
        raise ArgumentError(f"commitment: expected {BEST_KNOWN!r}, {START!r} or the folder of a run, got {name!r}")
    if name == BEST_KNOWN and known is None:
        raise ArgumentError(f"commitment: expected {START!r}, because no best one of this {game.name!r} is known")
    if name == START or known is None:
        start = make_parametrisation(game.commitment)
        return start(np.zeros(start.size))
    return np.asarray(known)


def episode(
    game: AnyGame, x: Array, *, steps: int = 40, seed: int = 0, renderer: str = GENERIC_RENDERER
) -> list[Pixels]:
    """Return the pictures of an episode: before the commitment, under it, and after each step.

    The follower that the game suggests answers the commitment, and plays its answer.

    Parameters
    ----------
    game
        The game.
    x
        The commitment.
    steps
        To show at most; fewer where the episode ends before.
    seed
        Of the follower and of play.
    renderer
        ``"module:name"`` of a :class:`stackelberg_envs.pictures.canvas.Renderer`.

    Returns
    -------
    list of Pixels
        Of one shape (H, W, 3), uint8.
    """
    answering, playing = np.random.default_rng(seed).spawn(2)
    name = game.suggested_follower
    kind = FOLLOWERS.serving(name, game)
    follower = make_follower(kind, FOLLOWERS.configure(name, kind, {}), answering, game)
    follower.learn(game.under(x))
    policy: Any = follower.players[0].policy
    responder = responder_of(game, lambda game, x: policy)
    session = Session(game)
    session.reset(seed)
    shown = [draw(session, renderer, "rgb_array")]
    session.commit(x)
    answer = responder.answer(session)
    shown.append(draw(session, renderer, "rgb_array"))
    while session.phase == PLAY and session.played < steps:
        session.advance(responder.draw(answer, session, playing))
        shown.append(draw(session, renderer, "rgb_array"))
    return shown  # type: ignore[return-value]  # text comes from another mode
