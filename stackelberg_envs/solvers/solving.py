"""`solve`: everything exact about one commitment to a game."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import singledispatch
from typing import Any

from numpy.typing import ArrayLike

from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.vector import VectorGame
from stackelberg_envs.solvers.equilibrium.solution import MarkovSolution, solve_markov
from stackelberg_envs.solvers.soft.solution import TabularSolution, solve_tabular

__all__ = ["solve"]


@singledispatch
def solve(game: Any, x: ArrayLike, **options: Any) -> Any:
    """Solve a game exactly for one commitment; ``solve.register(kind)`` adds kinds of games.

    Parameters
    ----------
    game
        A tabular game, one of interacting followers, or a vector one whose exact solution is known.
    x
        The commitment, the shape of ``game.commitment``.
    options
        Of the game's solver. Of tabular games these are `tolerance`, a bound on the error of every probability of the
        follower's response, which has no unit (0 asks for all that floats can hold), and `start`,
        ``solution.best.state_values`` of a nearby commitment, to save Newton steps.

    Returns
    -------
    Solution
        ``leader_value``, ``response``, ``gradient`` and the rest; derivatives are computed on first use. Of a tabular
        game a :class:`stackelberg_envs.solvers.soft.solution.TabularSolution`, which also has ``occupancy``,
        ``follower_q`` and ``cotangents``.

    Raises
    ------
    CommitmentError
        x lies outside its space.
    ArgumentError
        A game whose exact solution is not known.
    ConvergenceError
        A tolerance, other than 0, that floats cannot reach.
    GameError
        Rewards or a temperature so large or small that floats cannot hold what follows from them.
    """
    raise ArgumentError(f"game: expected a game whose exact solution is known, got {type(game).__name__}")


@solve.register
def _(game: TabularGame, x: ArrayLike, **options: Any) -> TabularSolution:
    if options:
        _require_known(options, solve_tabular, game.name)
    return solve_tabular(game, x, **options)


@solve.register
def _(game: MarkovGame, x: ArrayLike, **options: Any) -> MarkovSolution:
    if options:
        _require_known(options, solve_markov, game.name)
    return solve_markov(game, x, **options)


@solve.register
def _(game: VectorGame, x: ArrayLike, **options: Any) -> Any:
    own: Callable[..., Any] = game.solve
    if options:
        _require_known(options, own, game.name)
    return own(game.commitment.check(x), **options)


def _require_known(options: dict[str, Any], solver: Callable[..., Any], name: str) -> None:
    """Raise unless the solver has these options."""
    kinds = inspect.signature(solver).parameters
    unknown = [option for option in options if option not in kinds]
    known = [option for option, parameter in kinds.items() if parameter.kind is parameter.KEYWORD_ONLY]
    if unknown and not any(parameter.kind is parameter.VAR_KEYWORD for parameter in kinds.values()):
        expected = f"options among {', '.join(known)}" if known else "no options of its solver"
        raise ArgumentError(f"{name}: expected {expected}, got {', '.join(unknown)}")
