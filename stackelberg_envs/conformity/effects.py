"""Whether a vector game does what its commitment says: its functions, played twice under two commitments.

Equal random numbers are used both times, so that whatever differs is the commitment's doing. Differences of rewards are
those of the declared effect, row by row. Where next states or leader's actions differ, their log-densities must be
those by which they are drawn: held to it by means over many rows, with a stated rate of false alarms.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.conformity.clauses import ROUNDING, agree, attempt, require_clause, require_mean
from stackelberg_envs.errors import ConformityError
from stackelberg_envs.games.linear_quadratic import LinearQuadraticGame
from stackelberg_envs.games.samples import SampledEffect, Samples
from stackelberg_envs.games.vector import BatchStep, VectorGame

__all__ = ["check_effects", "without_bound"]

#: Part of the largest change by which a change of rewards may differ from what the effect says.
RELATIVE_TOLERANCE = 1e-6
#: Rows by which log-densities are tried.
ROWS = 10_000
#: Draws whose mean centres an outcome.
CENTRES = 4
#: Mean of |q - p| / (p + q) for the densities under the two commitments, at most: else few rows would count.
LARGEST_DISTANCE = 0.4
#: Numbers of an outcome that are tried, at most.
MAX_NUMBERS = 64
#: Halvings of the way between two commitments until the densities overlap.
HALVINGS = 60


def check_effects(game: VectorGame, x: Array, y: Array, samples: Samples, rng: np.random.Generator) -> None:
    """Hold what changes between two commitments to what the game's commitment says.

    Parameters
    ----------
    game
        The game.
    x, y
        Admissible commitments.
    samples
        Where: states, contexts and actions that were played.
    rng
        For draws; equal generators make equal checks.
    """
    game = without_bound(game)
    with attempt("step plays the same steps under two commitments"):
        first, second = (_stepped(game, z, samples, copy.deepcopy(rng)) for z in (x, y))
    with attempt("leader_actions draws under two commitments"):
        shown = [_led(game, z, samples, copy.deepcopy(rng)) for z in (x, y)]
    effects = [_effect(game, z, replace(samples, next_state=made.next_state)) for z, made in ((x, first), (y, second))]
    moved = (first.next_state != second.next_state).any(axis=1)
    drawn = _rewards_are_drawn(game, x, samples, first, rng)
    # Where the reward is drawn and the next state has moved, terms without x may have changed too: seen with densities.
    rows = ~moved | ~np.array(drawn)
    for name in ("leader_reward", "follower_reward"):
        _check_reward(game, name, (first, second), effects, rows)
    _require_declared(game, "transition", moved.any() or (first.terminated != second.terminated).any())
    _require_declared(game, "leader_policy", not np.array_equal(shown[0], shown[1]))
    rows = rng.integers(len(samples), size=ROWS)
    many = Samples(*(np.asarray(getattr(samples, name))[rows] for name in vars(samples)))
    if "leader_policy" in game.commitment.changes and game.leader_action_space is not None:
        _check_density(game, "leader_policy", (x, y), many, False, rng)
    if "transition" in game.commitment.changes:
        _check_density(game, "transition", (x, y), many, drawn, rng)


@singledispatch
def without_bound(game: VectorGame) -> VectorGame:
    """Return a game without the bounds of its states that its densities and exact values ignore; most have none."""
    return game


@without_bound.register
def _(game: LinearQuadraticGame) -> VectorGame:
    return game.replace(state_bound=np.inf)


def _stepped(game: VectorGame, x: Array, samples: Samples, rng: np.random.Generator) -> BatchStep:
    moves = samples.leader_action.copy(), samples.follower_action.copy()
    return game.step(rng, x, samples.state.copy(), samples.context.copy(), *moves)


def _led(game: VectorGame, x: Array, samples: Samples, rng: np.random.Generator) -> Array:
    return game.leader_actions(rng, x, samples.state.copy(), samples.context.copy())


def _effect(game: VectorGame, x: Array, samples: Samples) -> SampledEffect:
    with attempt("commitment.effect_at returns what x sets at samples"):
        effect = game.commitment.effect_at(x, samples)
    require_clause(
        isinstance(effect, SampledEffect), "commitment.effect_at returns a SampledEffect", type(effect).__name__
    )
    return effect


def _rewards_are_drawn(game: VectorGame, x: Array, samples: Samples, made: BatchStep, rng: np.random.Generator) -> bool:
    """Return whether rewards depend on what is drawn in the step."""
    again = _stepped(game, x, samples, rng.spawn(1)[0])
    pairs = ((made.leader_reward, again.leader_reward), (made.follower_reward, again.follower_reward))
    return not all(np.array_equal(one, other) for one, other in pairs)


def _check_reward(
    game: VectorGame, name: str, made: tuple[BatchStep, BatchStep], effects: list[SampledEffect], rows: NDArray[Any]
) -> None:
    paid = [np.asarray(getattr(each, name))[rows] for each in made]
    said = [np.zeros(len(paid[0])) if part is None else np.asarray(part)[rows] for part in _parts(effects, name)]
    changes = paid[1] - paid[0], said[1] - said[0]
    sizes = [float(np.abs(array).max(initial=0.0)) for array in (*paid, *said)]
    same, error = agree(*changes, RELATIVE_TOLERANCE, rounding=64 * ROUNDING * max(sizes, default=0.0))
    if same:
        return
    declared = name in game.commitment.changes
    worst = int(np.abs(changes[0] - changes[1]).argmax())
    raise ConformityError(
        f"step pays as effect_at says: between two commitments the {name} of one step changes by "
        f"{changes[0][worst]:.6g} and effect_at by {changes[1][worst]:.6g} (error {error:.1e}); {name} is "
        f"{'declared' if declared else 'not declared'} in `changes`"
    )


def _parts(effects: list[SampledEffect], name: str) -> list[Any]:
    return [getattr(effect, name) for effect in effects]


def _require_declared(game: VectorGame, name: str, changes: Any) -> None:
    what = {"transition": "next states or ends of `step`", "leader_policy": "leader_actions"}[name]
    require_clause(
        not changes or name in game.commitment.changes,
        f"what changes with the commitment is declared in `changes`: {what} change, but {name!r} is not declared",
    )


# ---------------------------------------------------------------------------------------------- densities


def _check_density(
    game: VectorGame, name: str, between: tuple[Array, Array], samples: Samples, pays: bool, rng: np.random.Generator
) -> None:
    """Check that outcomes drawn under two commitments are of the densities that the effect says.

    For densities p and q and any function f, the mean of f q / (p + q) under p is that of f p / (p + q) under q. Both
    weights lie between 0 and 1, so that means of bounded functions have bounds that hold for any densities. Where
    `pays`, rewards are drawn too: what is left of them without the effect must then look alike as well.
    """
    x, y = between
    stream = copy.deepcopy(rng)
    drawn, numbers = _outcomes(game, name, x, samples, pays, copy.deepcopy(stream))
    at_x = _log_density(game, name, x, samples, drawn)
    require_clause(np.isfinite(at_x).all(), f"effect_at's {name} is finite where it was drawn")
    z, ratios = _overlapping(x, y, lambda point: _log_density(game, name, point, samples, drawn) - at_x, name)
    others, their_numbers = _outcomes(game, name, z, samples, pays, copy.deepcopy(stream))
    back = _log_density(game, name, x, samples, others) - _log_density(game, name, z, samples, others)
    centre = np.mean([_outcomes(game, name, x, samples, pays, each)[1] for each in rng.spawn(CENTRES)], axis=0)
    sizes = np.abs(numbers).max(axis=0, initial=0.0)
    _compare(name, (numbers - centre, their_numbers - centre), (_share(ratios), _share(back)), sizes)


def _log_density(game: VectorGame, name: str, z: Array, samples: Samples, outcome: Array) -> Array:
    given = replace(samples, next_state=outcome) if name == "transition" else replace(samples, leader_action=outcome)
    value = getattr(_effect(game, z, given), name)
    require_clause(value is not None, f"effect_at sets the log-density of what it declares, {name!r}", "got None")
    return np.asarray(value)


def _share(ratios: Array) -> Array:
    """Return q / (p + q) of log(q / p), shape (n,)."""
    return 0.5 * (1.0 + np.tanh(0.5 * ratios))


def _outcomes(
    game: VectorGame, name: str, z: Array, samples: Samples, pays: bool, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return what was drawn, shape (n, size), and the numbers by which draws are compared, shape (n, at least size)."""
    if name == "leader_policy":
        shown = _led(game, z, samples, rng)
        return shown, shown
    made = _stepped(game, z, samples, rng)
    if not pays:
        return made.next_state, made.next_state
    effect = _effect(game, z, replace(samples, next_state=made.next_state))
    said = [0.0 if part is None else part for part in (effect.leader_reward, effect.follower_reward)]
    rest = made.leader_reward - said[0], made.follower_reward - said[1]
    return made.next_state, np.column_stack([made.next_state, *rest])


def _overlapping(x: Array, y: Array, log_ratio: Callable[[Array], Array], name: str) -> tuple[Array, Array]:
    """Return a commitment on the way from x to y under which much of what x draws is as probable, and log-ratios."""
    share = 1.0
    for _ in range(HALVINGS):
        z = x + share * (y - x)
        ratios = log_ratio(z)
        if np.isfinite(ratios).all() and np.abs(np.tanh(0.5 * ratios)).mean() <= LARGEST_DISTANCE:
            return z, ratios
        share *= 0.5
    raise ConformityError(
        f"effect_at's {name} is a log-density that changes gradually with x: it does not, between {x.ravel()[:4]} and "
        f"its neighbours; what is drawn must not be possible under one commitment and impossible under the next"
    )


def _compare(name: str, numbers: tuple[Array, Array], shares: tuple[Array, Array], sizes: Array) -> None:
    """Compare means of bounded functions of centred outcomes, shape (n, size), weighted by shares, shape (n,)."""
    clause = f"effect_at's {name} is the log-density by which outcomes are drawn (means of {{}})"
    require_mean(shares[0] - shares[1], 0.0, 0.0, 2.0, clause.format("ratios of densities"))
    for i in range(min(len(sizes), MAX_NUMBERS)):
        drawn, other = (part[:, i] for part in numbers)
        spread = float(drawn.std())
        if spread <= 1e3 * ROUNDING * sizes[i]:
            # What is never drawn under x may be drawn elsewhere only where the density there outweighs that at x.
            moved = np.abs(other - drawn) > 1e-9 * sizes[i]
            require_mean(moved * shares[1], 0.0, 0.0, 1.0, clause.format(f"number {i}, which does not vary under x"))
            continue
        one, two = np.tanh(drawn / spread), np.tanh(other / spread)
        for power in (1, 2):
            values = one**power * shares[0] - two**power * shares[1]
            require_mean(values, 0.0, 0.0, 2.0, clause.format(f"number {i}, power {power}"))
