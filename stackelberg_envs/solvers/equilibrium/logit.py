"""The logit equilibrium of n followers: everybody's soft best response to what all others do.

It is also called the quantal response equilibrium of a Markov game, in stationary policies. At high temperatures there
is one, and iteration contracts to it; at low ones there may be several. So by default the equilibrium is followed from
a high temperature down to the game's own, along the path of solutions, which may turn: the path is followed by its arc
length (predictor, then Newton's method across it). What comes out is the same for equal games, whatever was solved
before: the principal branch, as McKelvey and Palfrey (1995) call it. :func:`logit_equilibria` looks for others.

Letters as in :mod:`stackelberg_envs.games.markov_primitives`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stackelberg_envs.arrays import Array, as_float, require_count, require_positive, require_shape
from stackelberg_envs.errors import ArgumentError, ConvergenceError
from stackelberg_envs.games.markov_primitives import MarkovPrimitives
from stackelberg_envs.solvers.equilibrium.linearisation import Linearisation
from stackelberg_envs.solvers.equilibrium.uniqueness import contraction_bound

__all__ = ["DEFAULT_TOLERANCE", "Equilibrium", "logit_equilibria", "logit_equilibrium"]

#: Of the residual G(Q) - Q, in units of the temperature: by half of it at most is a probability off that answers Q.
DEFAULT_TOLERANCE = 1e-11
#: What rounding leaves of a residual, in units of the largest value.
ROUNDING = 64 * np.finfo(np.float64).eps
NEWTON_STEPS = 60
HALVINGS = 30
#: The path begins at this many times the largest payoff difference.
HOT = 4.0
#: Of the path: its longest step in the logarithm of the temperature, its shortest, and the most steps.
LONGEST, SHORTEST, MOST_STEPS = 1.0, 1e-6, 5000
#: How far a point of the path may lie from where the tangent led, in units of the temperature: no further than that
#: another branch is met, and how straight the path has to be (the cosine between two tangents).
NEAR, STRAIGHT = 0.1, 0.9
#: Policies nearer than this are one equilibrium.
SAME = 1e-6


@dataclass(frozen=True, eq=False)
class Equilibrium:
    """A logit equilibrium.

    Attributes
    ----------
    policies
        g_i(b_i | s), shape (S, B_i) for each follower; rows sum to one.
    values
        V_i(s), entropy included, shape (n, S).
    q
        What each own action is worth against the others, side by side, shape (S, m).
    residual
        The largest entry of G(Q) - Q, reward units: how far the equations are from holding.
    steps
        Steps of Newton's method, along the whole path.
    unique
        Whether the contraction bound proves that there is no other equilibrium.
    at
        The derivative of the equations there.
    """

    policies: list[Array]
    values: Array
    q: Array
    residual: float
    steps: int
    unique: bool
    at: Linearisation


def logit_equilibrium(
    game: MarkovPrimitives, *, tolerance: float = DEFAULT_TOLERANCE, start: Array | None = None
) -> Equilibrium:
    """Return the logit equilibrium on the principal branch, or the one that Newton's method finds from a start.

    Parameters
    ----------
    game
        The game.
    tolerance
        Largest residual, in units of the temperature, besides what rounding leaves.
    start
        Values of own actions, shape (S, m), of a nearby game. Where there are several equilibria it may lead to another
        than the principal one.

    Raises
    ------
    ArgumentError
        A start of another shape, or with numbers that are not finite.
    ConvergenceError
        The equations were not solved; the message has the residual that was left.
    """
    require_positive(tolerance, "tolerance")
    if start is not None:
        start = as_float(start, "start", ArgumentError)
        require_shape(start, [(game.num_states, sum(game.sizes))], "start", ArgumentError)
    unique = game.zero_sum or contraction_bound(game) < 1.0
    if start is not None or unique:
        begin = _uniform_values(game, game.temperature) if start is None else start
        found, steps = _newton(game, begin, game.temperature, tolerance)
        if _solved(found, tolerance):
            return _equilibrium(found, steps, unique)
        if start is not None:
            raise _stuck(found, "Newton's method from the given start")
    found, steps = _follow(game, tolerance)
    return _equilibrium(found, steps, unique)


def logit_equilibria(
    game: MarkovPrimitives, *, starts: int = 20, seed: int = 0, tolerance: float = DEFAULT_TOLERANCE
) -> list[Equilibrium]:
    """Return all equilibria that were found, the principal one first: there may be more.

    Parameters
    ----------
    game
        The game.
    starts
        Newton's method begins so many times at values for random policies, mixed and nearly pure ones in turn.
    seed
        Of the random policies.
    tolerance
        As of :func:`logit_equilibrium`.
    """
    found = [logit_equilibrium(game, tolerance=tolerance)]
    if found[0].unique:
        return found
    rng = np.random.default_rng(require_count(seed, "seed", 0))
    for number in range(require_count(starts, "starts")):
        begin = _random_values(game, rng, scale=_spread_of(game) if number % 2 else 0.0)
        try:
            new = logit_equilibrium(game, tolerance=tolerance, start=begin)
        except ConvergenceError:
            continue
        if all(_distance(new, known) > SAME for known in found):
            found.append(new)
    return found


def _distance(one: Equilibrium, other: Equilibrium) -> float:
    return max(float(np.abs(mine - theirs).max()) for mine, theirs in zip(one.policies, other.policies, strict=True))


def _equilibrium(at: Linearisation, steps: int, unique: bool) -> Equilibrium:
    return Equilibrium(at.policies, at.values, at.q, _size(at.residual), steps, unique, at)


def _size(array: Array) -> float:
    return float(np.abs(array).max())


def _solved(at: Linearisation, tolerance: float) -> bool:
    largest = max(_size(at.values), _size(at.payoffs))
    return bool(_size(at.residual) <= tolerance * at.temperature + ROUNDING * largest)


def _stuck(at: Linearisation, how: str) -> ConvergenceError:
    return ConvergenceError(
        f"logit equilibrium: expected a fixed point, but {how} stopped at temperature {at.temperature:.6g} with a "
        f"residual of {_size(at.residual):.3g} (reward units)"
    )


def _uniform_values(game: MarkovPrimitives, temperature: float) -> Array:
    """Return values of own actions while everybody plays evenly and expects nothing later."""
    return Linearisation(game, np.zeros((game.num_states, sum(game.sizes))), temperature).image


def _random_values(game: MarkovPrimitives, rng: np.random.Generator, scale: float) -> Array:
    """Return values of own actions whose softmax is any policy, all as likely, and nearer to a pure one by a scale."""
    shape = game.num_states, sum(game.sizes)
    return game.temperature * np.log(rng.exponential(size=shape)) + scale * rng.uniform(-4.0, 4.0, size=shape)


def _spread_of(game: MarkovPrimitives) -> float:
    rewards = game.follower_rewards
    return float((rewards.max(axis=(1, 2)) - rewards.min(axis=(1, 2))).max())


def _newton(game: MarkovPrimitives, q: Array, temperature: float, tolerance: float) -> tuple[Linearisation, int]:
    """Return the last point of Newton's method with step halving, and the number of its steps."""
    at = Linearisation(game, q, temperature)
    for step in range(NEWTON_STEPS):
        if _solved(at, tolerance):
            return _polished(at), step + 1
        try:
            direction = at.solve(at.residual)
        except (np.linalg.LinAlgError, RuntimeError):  # a singular system
            return at, step
        moved = _halved(at, direction)
        if moved is None:
            return at, step
        at = moved
    return at, NEWTON_STEPS


def _polished(at: Linearisation) -> Linearisation:
    """Return the point one more step on, unless rounding makes that a worse one."""
    after = Linearisation(at.game, at.q + at.solve(at.residual), at.temperature)
    return after if _size(after.residual) < _size(at.residual) else at


def _halved(at: Linearisation, direction: Array) -> Linearisation | None:
    """Return the first point along a direction, halved again and again, at which the residual is smaller."""
    share, before = 1.0, float(np.linalg.norm(at.residual))
    if not np.isfinite(direction).all():
        return None
    for _ in range(HALVINGS):
        made = Linearisation(at.game, at.q + share * direction, at.temperature)
        if float(np.linalg.norm(made.residual)) <= (1.0 - 0.1 * share) * before:
            return made
        share /= 2.0
    return None


def _follow(game: MarkovPrimitives, tolerance: float) -> tuple[Linearisation, int]:
    """Follow the path of equilibria from a high temperature to the first that has the game's; with all Newton steps."""
    at, total = _hottest(game, tolerance)
    goal, length = float(np.log(game.temperature)), LONGEST
    along = _tangent(at, None)
    for _ in range(MOST_STEPS):
        # Falling towards the goal, it is not passed: a path that turns just behind it would be met on its way back.
        ahead = (goal - float(np.log(at.temperature))) / along[1] if along[1] < 0.0 else np.inf
        ends = ahead <= length
        made = _ended(at, along, ahead, tolerance) if ends else _corrected(at, along, length, tolerance)
        total += 1 if made is None else made[1]
        after = None if made is None else _tangent(made[0], along)
        if made is None or after is None or (not ends and _cosine(along, after, made[0]) < STRAIGHT):
            length = min(length, ahead) / 2.0
            if length < SHORTEST:
                break
            continue
        if ends:
            return made[0], total
        at, along, length = made[0], after, min(LONGEST, 1.5 * length)
    raise _stuck(at, "the path from high temperatures")


def _ended(
    at: Linearisation, along: tuple[Array, float], length: float, tolerance: float
) -> tuple[Linearisation, int] | None:
    """Return the equilibrium at the game's temperature where a step leads to it; None where the step is too long."""
    predicted = at.q + length * along[0]
    made, steps = _newton(at.game, predicted, at.game.temperature, tolerance)
    if not _solved(made, tolerance) or _size(_in_units(made.q - predicted, made)) > NEAR:
        return None
    return made, steps


def _hottest(game: MarkovPrimitives, tolerance: float) -> tuple[Linearisation, int]:
    """Return an equilibrium at a temperature so high that Newton's method finds it from even play."""
    temperature, total = max(HOT * _spread_of(game), game.temperature), 0
    for _ in range(20):
        at, steps = _newton(game, _uniform_values(game, temperature), temperature, tolerance)
        total += steps
        if _solved(at, tolerance):
            return at, total
        temperature *= HOT
    raise _stuck(at, "Newton's method from even play")


def _tangent(at: Linearisation, before: tuple[Array, float] | None) -> tuple[Array, float]:
    """Return the direction of the path, in Q (units of the temperature) and in log temperature, of length one."""
    by_tau = at.solve(at.by_log_temperature)
    norm = float(np.sqrt(1.0 + (_in_units(by_tau, at) ** 2).mean()))
    along = by_tau / norm, 1.0 / norm
    forward = -1.0 if before is None else _inner(along, before, at)
    return along if forward > 0.0 else (-along[0], -along[1])


def _in_units(q: Array, at: Linearisation) -> Array:
    """Return changes of values of actions as policies feel them: centred, in units of the temperature."""
    made = np.empty_like(q)
    for own in at.own:
        made[:, own] = (q[:, own] - q[:, own].mean(axis=1, keepdims=True)) / at.temperature
    return made


def _cosine(one: tuple[Array, float], other: tuple[Array, float], at: Linearisation) -> float:
    return _inner(one, other, at) / float(np.sqrt(_inner(one, one, at) * _inner(other, other, at)))


def _inner(one: tuple[Array, float], other: tuple[Array, float], at: Linearisation) -> float:
    return float((_in_units(one[0], at) * _in_units(other[0], at)).mean()) + one[1] * other[1]


def _corrected(
    at: Linearisation, along: tuple[Array, float], length: float, tolerance: float
) -> tuple[Linearisation, int] | None:
    """Return the point of the path that lies across from a step along its tangent; None where the step is too long."""
    q, tau = at.q + length * along[0], float(np.log(at.temperature)) + length * along[1]
    base = q, tau
    for step in range(8):
        point = Linearisation(at.game, q, float(np.exp(tau)))
        if step and _solved(point, tolerance):
            near = _size(_in_units(q - base[0], point)) <= NEAR and abs(tau - base[1]) <= NEAR
            return (point, step) if near else None
        try:
            right, bend = point.solve(point.residual), point.solve(point.by_log_temperature)
        except (np.linalg.LinAlgError, RuntimeError):
            return None
        off = _inner((q - base[0] + right, tau - base[1]), along, at)
        change = -off / _inner((bend, 1.0), along, at)
        dq = right + change * bend
        if not np.isfinite(dq).all() or _size(_in_units(dq, point)) > 10.0 * NEAR or abs(change) > 10.0 * NEAR:
            return None
        q, tau = q + dq, tau + change
    return None
