"""Best responses to a commitment, for a game and a commitment or for the arrays of both."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from numpy.typing import ArrayLike

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.primitives import Primitives
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.solvers import soft
from stackelberg_envs.solvers.soft.best_response import DEFAULT_TOLERANCE, BestResponse
from stackelberg_envs.solvers.soft.hard_response import DEFAULT_TIE_MARGIN

__all__ = ["hard_best_response", "soft_best_response"]


def soft_best_response(
    game: TabularGame | Primitives,
    x: ArrayLike | None = None,
    *,
    tolerance: float = DEFAULT_TOLERANCE,
    start: Array | None = None,
) -> BestResponse:
    """Soft best response of the follower to a commitment.

    Parameters
    ----------
    game
        A tabular game, or the arrays of one under a commitment, ``game.primitives(x)``.
    x
        The commitment, where a game is given.
    tolerance
        Bound on the error of every probability of the response; it has no unit. 0 asks for all that floats can hold.
    start
        State values to start from, shape (Z,), for instance those of a nearby commitment.

    Raises
    ------
    ArgumentError
        A game without a commitment, or a game of another kind.
    CommitmentError
        A commitment outside its space.
    ConvergenceError
        A tolerance, other than 0, that floats cannot reach.

    Examples
    --------
    >>> import stackelberg_envs as se
    >>> game = se.make_game("stackelberg/DiscreteToy-v1")
    >>> se.soft_best_response(game, [[0.5, 0.5]] * 3).policy.shape
    (3, 2, 3)
    """
    return soft.soft_best_response(_primitives(game, x), tolerance=tolerance, start=start)


def hard_best_response(
    game: TabularGame | Primitives,
    x: ArrayLike | None = None,
    *,
    tie_break: str = "optimistic",
    tie_margin: float = DEFAULT_TIE_MARGIN,
    tolerance: float = DEFAULT_TOLERANCE,
) -> BestResponse:
    """Hard best response of the follower to a commitment: no entropy; ties go for the leader or against it.

    Parameters
    ----------
    game
        A tabular game, or the arrays of one under a commitment, ``game.primitives(x)``; its temperature is ignored.
    x
        The commitment, where a game is given.
    tie_break
        "optimistic": among optimal actions the follower takes the leader's best; "pessimistic": its worst.
    tie_margin
        Two actions are tied where what separates them is at most this share of what the better one is worth; see
        :func:`stackelberg_envs.solvers.soft.hard_best_response`.
    tolerance
        Bound on the error of the follower's values, as a share of the largest of them.

    Raises
    ------
    ArgumentError
        A game without a commitment, a game of another kind, an unknown tie rule, or a margin out of its range.
    CommitmentError
        A commitment outside its space.

    Examples
    --------
    >>> import stackelberg_envs as se
    >>> game = se.make_game("stackelberg/DiscreteToy-v1")
    >>> best = se.hard_best_response(game, [[0.5, 0.5]] * 3, tie_break="pessimistic")
    >>> sorted(set(best.policy.ravel().tolist()))
    [0.0, 1.0]
    """
    parts = _primitives(game, x)
    return soft.hard_best_response(parts, tie_break=tie_break, tie_margin=tie_margin, tolerance=tolerance)


@singledispatch
def _primitives(game: Any, x: ArrayLike | None) -> Primitives:
    """Return the arrays of a game under a commitment."""
    raise ArgumentError(
        f"game: expected a tabular game or its arrays under a commitment, got {type(game).__name__}; "
        "solve(game, x).response is the soft best response in other games"
    )


@_primitives.register
def _(game: Primitives, x: ArrayLike | None) -> Primitives:
    if x is not None:
        raise ArgumentError("x: expected None beside the arrays of a game, which are under a commitment already")
    return game


@_primitives.register
def _(game: TabularGame, x: ArrayLike | None) -> Primitives:
    if x is None:
        raise ArgumentError("x: expected the commitment that is responded to, got None")
    return game.primitives(x)
