"""The public conformity suite: what a game and its faces promise, clause by clause.

It holds an environment to what PettingZoo's and Gymnasium's own tests do not see: determinism over whole
episodes, that a follower sees the commitment it is paid under, that the leader's rewards are the game's.
Run it on an environment of your own, beside the official tests.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import singledispatch
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.conformity.clauses import attempt
from stackelberg_envs.conformity.clauses import require_clause as _require
from stackelberg_envs.conformity.derivatives import check_vjp
from stackelberg_envs.conformity.environments import check_environments
from stackelberg_envs.conformity.faces import check_env
from stackelberg_envs.conformity.markov import check_markov_game
from stackelberg_envs.conformity.travel import require_travel
from stackelberg_envs.conformity.values import check_tabular_values, tell_horizon
from stackelberg_envs.conformity.vector_games import check_vector_game, few_steps
from stackelberg_envs.errors import ArgumentError, ConformityError
from stackelberg_envs.games.commitments.base import Effect
from stackelberg_envs.games.environments import EnvironmentGame
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.tabular import Game, Primitives, TabularGame
from stackelberg_envs.games.vector import VectorGame
from stackelberg_envs.play.resets import require_seed

__all__ = ["check_env", "check_game"]

#: Commitments a game is tried under.
RANDOM_COMMITMENTS = 3
#: Gradients of the oracle are compared up to this Z * A * B.
MAX_SOLVED = 20_000


@singledispatch
def check_game(game: Game, *, seed: int = 0) -> None:
    """Check that a game keeps its promises: shapes, distributions, derivatives, what play is worth, how it travels.

    Parameters
    ----------
    game
        A tabular or a vector game, or one that :func:`stackelberg_envs.wrap_commitment` made;
        ``check_game.register(kind)`` adds kinds.
    seed
        For everything random in the check: equal seeds make equal checks.

    Raises
    ------
    ConformityError
        The first clause that does not hold, and where. What the game itself raises in a check is its cause.
    ArgumentError
        No game, or no seed.

    Notes
    -----
    Of an environment that nobody looks into play is checked: that it can be made and stepped under every commitment,
    that equal seeds play equal episodes, that no commitment leaves a trace in environments that are made later, and
    that both sides are paid what the commitment says. Such a game need not travel.

    Where the horizon cuts off much of what endless play is worth, that is no fault; it is logged as a warning by the
    logger ``stackelberg_envs.check_game``.

    Comparisons of means by random numbers raise on a sound game with a probability of 1e-6 at most, all together. For
    tabular games that bound holds whatever their returns are distributed like; for vector games means over hundreds
    of episodes are taken to be normal.

    Examples
    --------
    >>> import stackelberg_envs as se
    >>> se.check_game(se.make_game("stackelberg/DiscreteToy-v1"))
    """
    raise ArgumentError(f"game: expected a TabularGame, a VectorGame or an EnvironmentGame, got {type(game).__name__}")


@check_game.register(TabularGame)
def _(game: TabularGame, *, seed: int = 0) -> None:
    rng, commitments = _tried(game, seed)
    for x in commitments:
        _check_effect(game, x)
        with attempt("the game has arrays under every admissible commitment"):
            _check_primitives(game, game.primitives(x))
    x, start, end = _random_commitments(game, rng, 3)
    with attempt("commitment.vjp returns a derivative"):
        _check_vjp(game, x, rng)
    if game.num_contexts * np.prod(game.shape) <= MAX_SOLVED:
        with attempt("the game can be solved and played"):
            _check_gradient(game, start, end)
            check_tabular_values(game, commitments[0], rng)
            tell_horizon(game, commitments[0])
    twin = require_travel(game, "game")
    with attempt("a pickled or copied game is the same game"):
        same = _equal_arrays(game.primitives(x), twin.primitives(x))
    _require(same, "a pickled or copied game is the same game")


@check_game.register(MarkovGame)
def _(game: MarkovGame, *, seed: int = 0) -> None:
    rng, commitments = _tried(game, seed)
    for x in commitments:
        _check_effect(game, x)
    check_markov_game(game, commitments[0], commitments[1], rng)
    twin = require_travel(game, "game")
    with attempt("a pickled or copied game is the same game"):
        arrays = [each.under(commitments[0]).arrays for each in (game, twin)]
    _require(_equal_arrays(*arrays), "a pickled or copied game is the same game")


@check_game.register(VectorGame)
def _(game: VectorGame, *, seed: int = 0) -> None:
    rng, commitments = _tried(game, seed)
    check_vector_game(game, commitments, rng)
    twin = require_travel(game, "game")
    with attempt("a pickled or copied game is the same game"):
        played = [few_steps(each, commitments[0], np.random.default_rng(seed)) for each in (game, twin)]
    _require(_equal_arrays(*played), "a pickled or copied game is the same game")


@check_game.register(EnvironmentGame)
def _(game: EnvironmentGame, *, seed: int = 0) -> None:
    rng, commitments = _tried(game, seed)
    check_environments(game, commitments, rng)


def _equal_arrays(one: Any, other: Any) -> bool:
    """Return whether two records hold equal arrays; what is no array is compared by its own arrays."""
    pairs = [(getattr(one, item.name), getattr(other, item.name)) for item in fields(one)]
    return all(_same(a, b) for a, b in pairs)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    return _equal_arrays(a, b) if is_dataclass(a) else np.array_equal(a, b)


def _tried(game: Game, seed: int) -> tuple[np.random.Generator, list[Array]]:
    """Return the random stream of a check, and commitments to try the game under, which are admissible."""
    rng = np.random.default_rng(require_seed(seed))
    commitments = _random_commitments(game, rng, RANDOM_COMMITMENTS)
    for x in commitments:
        _check_admissible(game, x)
    return rng, commitments


def _random_commitments(game: Game, rng: np.random.Generator, n: int) -> list[Array]:
    commitment = game.commitment
    with attempt("commitment.project makes any numbers within the bounds admissible"):
        return [commitment.project(rng.uniform(commitment.low, commitment.high)) for _ in range(n)]


def _check_admissible(game: Game, x: Array) -> None:
    commitment, before = game.commitment, x.copy()
    _require(x.shape == commitment.shape, "a projected commitment has the commitment's shape", x.shape)
    with attempt("commitment.project, check and space take a projected commitment"):
        again, checked, space = commitment.project(x), commitment.check(x), commitment.space
        known = space.contains(x.astype(space.dtype).ravel())
    # Each entry in units of its own bounds.
    scale = np.maximum(np.abs(commitment.low), np.abs(commitment.high))
    _require((np.abs(again - x) <= 1e-12 * scale).all(), "projecting a commitment twice is projecting it once")
    _require((np.abs(checked - x) <= 1e-9 * scale).all(), "a projected commitment passes the check unchanged")
    _require(known, "a projected commitment, as one row, lies in the space")
    _require(np.array_equal(x, before), "commitment.project and check leave their argument as it was")


def _check_effect(game: TabularGame | MarkovGame, x: Array) -> None:
    commitment, before = game.commitment, x.copy()
    with attempt("commitment.effect returns what x changes"):
        effect, again = commitment.effect(x), commitment.effect(x)
        rows = commitment.local(x)
    _require(isinstance(effect, Effect), "commitment.effect returns an Effect", type(effect).__name__)
    _require(np.array_equal(x, before), "commitment.effect leaves x as it was")
    _require(_equal_arrays(effect, again), "commitment.effect gives equal results for equal commitments")
    undeclared = [n for n, value in vars(effect).items() if value is not None and n not in commitment.changes]
    _require(not undeclared, "a commitment changes only what it declares in `changes`", undeclared)
    # Where a part of x is the same in every state it has one row.
    _require(rows is None or len(rows) in (1, game.shape[0]), "local(x) has a row per state")


def _check_primitives(game: TabularGame, primitives: Primitives) -> None:
    S, A, B = game.shape
    Z = game.num_contexts * S
    N = primitives.transition.successors.shape[-1]
    shapes = {
        "leader_policy": (Z, A),
        "follower_reward": (Z, A, B),
        "leader_reward": (Z, A, B),
        "initial": (Z,),
        "continuing": (Z,),
    }
    for name, shape in shapes.items():
        array = getattr(primitives, name)
        _require(array.shape == shape, f"primitives.{name} has shape {shape}", array.shape)
        _require(np.isfinite(array).all(), f"primitives.{name} is finite")
    rows = {
        "leader_policy": primitives.leader_policy,
        "initial": primitives.initial,
        "transition": primitives.transition.probabilities,
        "believed_transition": primitives.believed_transition.probabilities,
    }
    for name, array in rows.items():
        _require((array >= 0).all(), f"primitives.{name} is not negative")
        _require(np.allclose(array.sum(axis=-1), 1.0, atol=1e-9), f"the rows of primitives.{name} sum to one")
    _require(primitives.transition.successors.shape == (Z, A, B, N), "successors have shape (Z, A, B, N)")
    contexts = np.arange(Z).reshape(Z, 1, 1, 1) // S
    possible = primitives.transition.probabilities > 0
    stays = (primitives.transition.successors // S == contexts) | ~possible
    _require(stays.all(), "a context never changes in play")
    _require(np.isin(primitives.continuing, (0.0, 1.0)).all(), "continuing is 0 or 1")


def _check_vjp(game: TabularGame, x: Array, rng: np.random.Generator) -> None:
    play, shape = game.primitives(x), game.array_shape
    last = game.shape[0] if play.transition.dense else play.transition.successors.shape[-1]
    shapes = {
        "follower_reward": shape,
        "leader_reward": shape,
        "leader_policy": shape[:-1],
        "transition": (*shape, last),
    }
    values = {name: getattr(play, name) for name in shapes if name != "transition"}
    check_vjp(game.commitment, x, shapes, {**values, "transition": play.transition.probabilities}, rng)


def _check_gradient(game: TabularGame, start: Array, end: Array) -> None:
    """Compare the oracle's gradient with differences of J halfway between two commitments."""
    from stackelberg_envs.solvers.solving import solve

    middle = solve(game, 0.5 * (start + end))
    exact, slopes = float((middle.gradient * (end - start)).sum()), []
    size = float(np.abs(middle.leader.state_values).max())
    for step in (1e-5, 1e-4, 1e-3):
        ahead, behind = (solve(game, start + (0.5 + sign * step) * (end - start)).leader_value for sign in (1, -1))
        slopes.append((ahead - behind) / (2 * step))
        # The difference of two values of this size carries this much rounding.
        if abs(exact - slopes[-1]) <= 1e-4 * max(abs(exact), abs(slopes[-1])) + 1e-11 * size / step:
            return
    raise ConformityError(f"the oracle's gradient agrees with finite differences of J: {exact:.8g} and {slopes}")
