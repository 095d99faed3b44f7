r"""The follower's soft best response: the Gibbs policy of its soft values.

Soft: the fixed point of

.. math::
    \bar V(s) = \sum_a f(a|s) \lambda \log\sum_b
    \exp\Big(\tfrac1\lambda\big(r_F + \gamma_F (1-\text{terminal}) P \bar V\big)\Big)

is found by Newton's method. Newton's step is the evaluation of the present Gibbs policy with its entropy
(soft policy iteration), the operator is convex and monotone, so the iterates rise to the fixed point from
any start and converge quadratically (Puterman and Brumelle 1979). Each step costs one backup and one linear
solve; a matrix serves several steps as long as each of them gains a factor of twenty.

What counts is the policy. Its error is that of the values over the temperature, and it is what the tolerance is about.
Where rounding in floats alone is more than that, the last steps are made in twice the precision.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from stackelberg_envs.arrays import Array, IntArray, require_at_least
from stackelberg_envs.errors import ArgumentError, ConvergenceError, GameError
from stackelberg_envs.games.primitives import Primitives
from stackelberg_envs.jit import WORTH_PARTS, compiled, in_parts
from stackelberg_envs.solvers.soft.krylov import Krylov
from stackelberg_envs.solvers.soft.linear import resolvent
from stackelberg_envs.solvers.soft.precise import ROUNDING, Reference
from stackelberg_envs.solvers.soft.precise_bounds import Bounds

__all__ = [
    "BestResponse",
    "Operator",
    "gibbs_policy",
    "operator_of",
    "soft_bellman_backup",
    "soft_best_response",
]

DEFAULT_TOLERANCE = 1e-10
MAX_NEWTON_STEPS = 200
#: A step that leaves less than this part of the residual is followed by one with the same matrix.
CHORD_PROGRESS = 0.05
#: Part of a step's residual that its linear solve may leave, and where solves are not prepared: at first, when steps
#: gain little, and when they gain much.
SOLVED, FIRST_SOLVED, LEAST_SOLVED = 1e-3, 1e-2, 1e-5
#: Temperatures below this leave no room for the digits of what is divided by them.
LEAST_TEMPERATURE = 1e-290
#: Values and their ratio to the temperature stay below this, so that nothing overflows on the way.
LARGEST = 1e290
#: exp of this is a thousandth of the unit of rounding.
LEAST_EXPONENT = -43.0

#: A soft Bellman operator, as :func:`soft_bellman_backup` takes it.
Operator = tuple[Array, IntArray, Array, Array, Array, float, float]


@dataclass(frozen=True, eq=False)
class BestResponse:
    """A follower policy and the values it comes from, over joint states.

    Attributes
    ----------
    q
        Q_F, shape (Z, A, B); minus infinity for actions that are not feasible.
    values
        V_F before the leader's action is averaged out, shape (Z, A).
    state_values
        Averaged over the leader's policy, shape (Z,); pass it as `start` to a later solve.
    policy
        g(b | s, a), shape (Z, A, B); the last axis sums to one, and actions that are not feasible have exactly 0.
    error
        Bound on the largest error of `state_values`, reward units.
    policy_error
        Bound on the largest error of a probability in `policy`; 0 for a hard response, which is a choice.
    unsettled
        Estimate of the relative error of its probabilities that iteration and rounding leave; 0 where refined.
    reference
        The solution in twice the precision, where one was needed.
    """

    q: Array
    values: Array
    state_values: Array
    policy: Array
    error: float
    policy_error: float = 0.0
    unsettled: float = 0.0
    reference: Reference | None = None


def operator_of(game: Primitives) -> Operator:
    """Return the soft Bellman operator of the follower, in the dynamics that it believes in."""
    lists = game.believed_transition
    return (
        game.barred_reward,
        lists.successors,
        lists.probabilities,
        game.leader_policy,
        game.continuing,
        game.follower_discount,
        game.temperature,
    )


def soft_best_response(
    game: Primitives,
    *,
    tolerance: float = DEFAULT_TOLERANCE,
    start: Array | None = None,
    settle: float | None = None,
) -> BestResponse:
    """Soft best response by Newton's method.

    Parameters
    ----------
    game
        The game under a commitment: ``game.primitives(x)``.
    tolerance
        Bound on the error of every probability of the response. It has no unit: rewards and temperature in other units
        change nothing. 0 asks for all that floats can hold.
    start
        State values to start from, shape (Z,), for instance those of a nearby commitment.
    settle
        How far iterations go on before rounding is looked at: the error of a probability that they leave; default
        `tolerance`.

    Raises
    ------
    GameError
        A temperature or rewards so small or large that floats cannot hold what follows from them.
    ConvergenceError
        A tolerance, other than 0, that floats cannot reach: they hold probabilities to 1.2e-16.

    Notes
    -----
    With T the backup and V the present values, no value of an action is further from the true one than
    discount / (1 - discount) * |T V - V|, rounding of T included; with discount 1 than |T V - V| times the most steps
    that play has in the mean. A probability changes by at most a quarter of what the values of two actions move apart,
    over the temperature. Where rounding alone exceeds the tolerance, residuals are taken in twice the precision
    (:mod:`stackelberg_envs.solvers.soft.precise`).
    """
    values, settle = _checked_start(game, tolerance, start), tolerance if settle is None else settle
    operator, system, temperature = operator_of(game), None, game.temperature
    Z, A, B = game.follower_reward.shape
    q, soft_values, out, policy = np.empty((Z, A, B)), np.empty((Z, A)), np.empty(Z), np.empty((Z, A, B))
    terms = game.believed_transition.probabilities.shape[3] + A + 4
    # A probability's error for a residual.
    gain = game.follower_discount / game.follower_process.stopping_rate
    factor = 0.5 * gain / temperature
    best = last = np.inf
    for _ in range(MAX_NEWTON_STEPS):
        residual, largest = _backed_up(operator, values, q, soft_values, out)
        # Bounds on the rounding of the backup, of its sums and the logarithm, and on what that, exp and the division
        # do to a probability.
        floor = ROUNDING * (terms * largest + 4 * temperature * math.log(B))
        exponent = floor / temperature + 8 * ROUNDING
        # What rounding leaves of the tolerance is for the iteration; if that is nothing, more steps are of no use.
        left = tolerance - factor * floor - exponent
        settled = factor * (residual - floor) <= settle and (factor * residual <= left or left <= 0)
        # At rounding the residual stalls; another Newton step would not lower it.
        if settled or (residual <= 8 * floor and residual >= 0.5 * best):
            break
        gained = 1.0 if system is None else residual / last
        # While the last factorisation still gains much it is kept, where a solve costs a tenth of a new one. Not before
        # values are right to a temperature: until then policies change, and old ones can lead round in circles.
        if system is None or gained > CHORD_PROGRESS or gain * residual > temperature or not system.costly:
            _answer(q, soft_values, temperature, policy)
            joint = game.joint_policy(policy)
            # Where lists are many, what was written down for the last policy is as large as they are.
            system = system.rewritten(joint) if isinstance(system, Krylov) else resolvent(game.follower_process, joint)
        # A Newton step squares what the last one gained: more than that a solve need not gain.
        solved = SOLVED if system.costly else min(FIRST_SOLVED, max(gained**2, LEAST_SOLVED))
        best, last = min(best, residual), residual
        values = values + system.solve(out - values, max(solved * residual, floor))
    else:
        raise ConvergenceError(
            f"soft best response: expected an error of at most {tolerance:.1e} of every probability, reached "
            f"{factor * best:.1e} after {MAX_NEWTON_STEPS} Newton steps"
        )
    error = gain * (residual + floor) + floor
    policy_error = 0.5 * gain * (residual + floor) / temperature + exponent
    if policy_error > tolerance:
        return refined(game, out, tolerance)
    _answer(q, soft_values, temperature, policy)
    unsettled = (0.5 * gain * max(residual - floor, 0.0) + floor) / temperature
    return BestResponse(q, soft_values, out, policy, error, policy_error, unsettled)


def refined(game: Primitives, start: Array, tolerance: float) -> BestResponse:
    """Return the soft best response found in twice the precision from values near it, then rounded."""
    made = Reference(game, start)
    known = made.value_error
    policy_error = ROUNDING + 0.5 * known / made.game.temperature
    if tolerance < policy_error:
        policy_error = ROUNDING + Bounds(made).policy
    if 0 < tolerance < policy_error:
        raise ConvergenceError(
            f"soft best response: expected an error of at most {tolerance:.1e} of every probability, reached "
            f"{policy_error:.1e}, which is what floats hold; 0 takes it"
        )
    return replace(rounded_response(made), policy_error=policy_error, reference=made)


def rounded_response(made: Reference) -> BestResponse:
    """Return the response of a solution in twice the precision, with a bound on the error of its values only."""
    unit, values = made.follower_unit, made.values[0]
    error = unit * (made.value_error + ROUNDING * float(np.abs(values).max()))
    return BestResponse(unit * made.q[0], unit * made.soft_values[0], unit * values, made.policy[0], error)


def _checked_start(game: Primitives, tolerance: float, start: Array | None) -> Array:
    """Return the values to start from; raise where those of the game, or over the temperature, leave floats' range."""
    if type(tolerance) is not float or not tolerance >= 0.0:
        require_at_least(tolerance, 0.0, "tolerance")
    temperature, reward = game.temperature, game.follower_reward
    if temperature < LEAST_TEMPERATURE:
        raise GameError(f"temperature: expected at least {LEAST_TEMPERATURE:g}, got {temperature:.3g}")
    size = max(float(reward.max()), -float(reward.min()))
    entropy = temperature * math.log(reward.shape[2])
    rate = game.follower_process.stopping_rate
    reach = size / rate + entropy / rate
    if not reach < LARGEST:
        raise GameError(
            f"follower_reward, temperature: expected values that floats can hold, up to {LARGEST:g}, got rewards up to "
            f"{size:.3g} and temperature {temperature:.3g} at discount {game.follower_discount:g}"
        )
    if not reach / temperature < LARGEST:
        raise GameError(
            f"temperature: expected one beside which rewards up to {size:.3g} can be told apart, got {temperature:.3g}"
        )
    values = np.zeros(game.initial.shape) if start is None else np.array(start, dtype=np.float64)
    if values.shape != game.initial.shape:
        raise ArgumentError(f"start: expected shape {game.initial.shape}, got {values.shape}")
    if not np.isfinite(values).all():
        raise ArgumentError(f"start: expected finite numbers, got {values[~np.isfinite(values)][0]}")
    return values


def _backed_up(operator: Operator, values: Array, q: Array, soft_values: Array, out: Array) -> tuple[float, float]:
    """Make a soft Bellman backup, of many states in parts; see :func:`soft_bellman_backup`."""
    reward, successors, probabilities, leader_policy, continuing, discount, temperature = operator
    if successors.size < WORTH_PARTS:  # cutting costs as much as the loop itself in small games
        return soft_bellman_backup(*operator, values, q, soft_values, out)

    def loop(part: slice) -> tuple[float, float]:
        lists, found = (successors[part], probabilities[part]), (q[part], soft_values[part], out[part])
        leader, alive, own = leader_policy[part], continuing[part], values[part]
        soft_bellman_backup(reward[part], *lists, leader, alive, discount, temperature, values, *found)
        return float(np.abs(out[part] - own).max()), float(np.abs(out[part]).max())

    residuals, largest = zip(*in_parts(loop, len(out), successors.size), strict=True)
    return max(residuals), max(largest)


def _answer(q: Array, soft_values: Array, temperature: float, policy: Array) -> None:
    """Write the Gibbs policy, of many states in parts; see :func:`gibbs_policy`."""
    if q.size < WORTH_PARTS:
        gibbs_policy(q, soft_values, temperature, policy)
        return
    in_parts(lambda part: gibbs_policy(q[part], soft_values[part], temperature, policy[part]), len(q), q.size)


@compiled
def soft_bellman_backup(
    reward: Array,
    successors: IntArray,
    probabilities: Array,
    leader_policy: Array,
    continuing: Array,
    discount: float,
    temperature: float,
    values: Array,
    q: Array,
    soft_values: Array,
    out: Array,
) -> tuple[float, float]:
    """Soft Bellman backup of `values`; temperature 0 takes the maximum instead.

    `q` (Z, A, B), `soft_values` (Z, A) and `out` (Z,) are overwritten. Returns the largest |out - values| and
    the largest |out|.
    """
    Z, A, B = q.shape
    N = successors.shape[3]
    residual, largest = 0.0, 0.0
    for s in range(Z):
        scale = discount * continuing[s]
        total = 0.0
        for a in range(A):
            best = 0
            for b in range(B):
                ahead = 0.0
                if scale != 0.0:
                    for n in range(N):
                        ahead += probabilities[s, a, b, n] * values[successors[s, a, b, n]]
                q[s, a, b] = reward[s, a, b] + scale * ahead
                if q[s, a, b] > q[s, a, best]:
                    best = b
            soft = q[s, a, best]
            if temperature > 0.0:
                mass = 1.0
                for b in range(B):
                    # The best action's own term is 1; terms below rounding are not worth an exponential.
                    if b != best and q[s, a, b] - soft > LEAST_EXPONENT * temperature:
                        mass += np.exp((q[s, a, b] - soft) / temperature)
                soft += temperature * np.log(mass)
            soft_values[s, a] = soft
            total += leader_policy[s, a] * soft
        out[s] = total
        residual = max(residual, abs(total - values[s]))
        largest = max(largest, abs(total))
    return residual, largest


@compiled
def gibbs_policy(q: Array, soft_values: Array, temperature: float, out: Array) -> None:
    """Write exp((q - v) / temperature), normalised, into `out` (Z, A, B)."""
    Z, A, B = q.shape
    for s in range(Z):
        for a in range(A):
            mass = 0.0
            for b in range(B):
                out[s, a, b] = np.exp((q[s, a, b] - soft_values[s, a]) / temperature)
                mass += out[s, a, b]
            for b in range(B):
                out[s, a, b] /= mass
