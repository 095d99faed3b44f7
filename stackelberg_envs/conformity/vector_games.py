"""What a vector game promises, clause by clause; :func:`stackelberg_envs.check_game` runs it."""

from __future__ import annotations

import copy
from dataclasses import fields
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Space
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.conformity.clauses import ROUNDING, agree, attempt, require_clause, require_mean
from stackelberg_envs.conformity.effects import check_effects
from stackelberg_envs.conformity.values import check_vector_values, tell_horizon
from stackelberg_envs.errors import ConformityError, InstabilityError, StackelbergError
from stackelberg_envs.games.actions import action_bounds, checked_actions, no_actions, require_action_space
from stackelberg_envs.games.commitments.base import MISTAKES
from stackelberg_envs.games.cotangents import StepCotangents
from stackelberg_envs.games.samples import SampledCommitment, SampledEffect, Samples, sampled_difference_vjp
from stackelberg_envs.games.vector import BatchStep, SampledSolution, VectorGame, what_was_given
from stackelberg_envs.play.vector import draw_contexts

__all__ = ["UniformPolicy", "check_sampled_derivative", "check_vector_game", "few_steps", "require_clause"]

#: Copies and steps a game is tried with.
COPIES, STEPS = 7, 12
#: Steps of the differences, relative to the width of the box: the first that agrees counts.
DIFFERENCE_STEPS = (1e-5, 1e-4, 1e-6, 1e-3, 1e-7, 1e-8)
#: The same of differences of J, whose rounding is larger.
VALUE_STEPS = (1e-5, 1e-4, 1e-6, 1e-3)
RELATIVE_TOLERANCE = 1e-4
#: Change of one step's log-density, over the width of the box, that makes no difference.
NEGLIGIBLE_SLOPE = 1e-9
#: Commitments between which a gradient is tried, and under which values are, before unstable ones are given up.
ATTEMPTS = 20
#: Part of the largest number of a result by which rounding may set two calls apart.
LAST_DIGITS = 1e-13
#: Draws of initial states by which ways of drawing them are compared.
DRAWS = 5_000


class UniformPolicy:
    """Followers that act at random: uniformly in a bounded space, standard normally where a box is unbounded.

    Parameters
    ----------
    space
        Of one follower's action.
    """

    def __init__(self, space: Space[Any]) -> None:
        self.low, self.high = action_bounds(require_action_space(space, "space"))

    def sample(self, rng: np.random.Generator, states: Array, leader_actions: Array, contexts: IntArray) -> Any:
        """Draw actions, shape (n, B)."""
        del leader_actions, contexts
        n, size = len(states), self.low.size
        if self.low.dtype.kind == "i":
            return rng.integers(self.low, self.high, size=(n, size), endpoint=True)
        bounded = np.isfinite(self.low) & np.isfinite(self.high)
        even = rng.uniform(np.where(bounded, self.low, 0.0), np.where(bounded, self.high, 1.0), size=(n, size))
        normal = np.clip(rng.standard_normal((n, size)), self.low, self.high)
        return np.where(bounded, even, normal)


def check_vector_game(game: VectorGame, commitments: list[Array], rng: np.random.Generator) -> None:
    """Check the functions, the commitment's effect and derivative and, where there is one, the solution.

    Parameters
    ----------
    game
        The game.
    commitments
        Admissible ones, at least two, to try it under.
    rng
        For play and cotangents.
    """
    _check_initial_states(game, rng)
    for x, other in zip(commitments, commitments[1:] + commitments[:1], strict=True):
        with attempt("the game's functions take n copies and return arrays of n rows"):
            samples = few_steps(game, x, rng)
        with attempt("the commitment is known by what it changes at samples"):
            check_sampled_derivative(game.commitment, x, samples, rng)
        check_effects(game, x, other, samples, rng)
    if game.has_solution:
        _check_solution(game, rng)
        _check_values(game, commitments, rng)


# ------------------------------------------------------------------------------------------------- play


def few_steps(game: VectorGame, x: Array, rng: np.random.Generator) -> Samples:
    """Play some copies step by step, check each result, and return what happened."""
    policy = UniformPolicy(game.follower_action_space)
    contexts = draw_contexts(game, rng, COPIES)
    states = _twice(game.initial_states, rng, contexts)
    _check_rows(states, COPIES, game.state_space, "initial_states")
    rows: list[tuple[Any, ...]] = []
    for _ in range(min(STEPS, game.horizon)):
        shown = _twice(game.leader_actions, rng, x, states, contexts)
        _check_leader_actions(game, shown, len(states))
        actions = policy.sample(rng, states, shown, contexts)
        made = _twice(game.step, rng, x, states, contexts, shown, actions)
        _check_step(game, made, len(states))
        rows.append((states, shown, actions, made.next_state, contexts))
        going = ~made.terminated
        if not going.any():
            break
        states, contexts = made.next_state[going], contexts[going]
    return Samples(*(np.concatenate(parts) for parts in zip(*rows, strict=True)))


def _check_initial_states(game: VectorGame, rng: np.random.Generator) -> None:
    """Check that initial states are of one distribution, however many are asked for at once."""
    with attempt("initial_states draws states of n copies"):
        ways = {}
        for size in sorted({1, game.num_followers}):
            groups = [game.initial_states(rng, np.zeros(size, np.int32)) for _ in range(DRAWS)]
            ways[size] = np.stack(groups)
        at_once = game.initial_states(rng, np.zeros(DRAWS, np.int32))
    for size, states in ways.items():
        for i in range(at_once.shape[1]):
            centre, spread = float(at_once[:, i].mean()), float(at_once[:, i].std())
            if spread <= 1e3 * ROUNDING * abs(centre):
                continue
            few, many = (np.tanh((part[..., i] - centre) / spread) for part in (states, at_once))
            clause = f"initial_states draws alike {size} at a time and {DRAWS} at once: mean of number {i} of a state"
            # Differences of means of numbers in [-1, 1].
            require_mean(few.mean(axis=1) - many, 0.0, 0.0, 4.0, clause)


def _twice(function: Any, rng: np.random.Generator, *arguments: Any) -> Any:
    """Call a function with twin generators; check that results are equal and arguments untouched."""
    twin, before = copy.deepcopy(rng), copy.deepcopy(arguments)
    name = getattr(function, "__name__", "function")
    try:
        first, second = function(rng, *arguments), function(twin, *arguments)
    except MISTAKES as error:
        if isinstance(error, StackelbergError) or not isinstance(getattr(function, "__self__", None), VectorGame):
            raise
        raise ConformityError(f"the game's {name} {what_was_given(error, arguments)}") from error
    same = all(_agree(a, b) for a, b in zip(_arrays(first), _arrays(second), strict=True))
    require_clause(same, f"{name} gives equal results for equal generators")
    kept = all(np.array_equal(a, b) for a, b in zip(before, arguments, strict=True))
    require_clause(kept, f"{name} leaves its arguments as they were")
    return first


def _agree(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether two results are one up to the last digits, which some NumPy make depend on an array's place in memory."""
    if one.shape != other.shape or one.dtype.kind not in "f" or not one.size:
        return np.array_equal(one, other)
    largest = float(np.fmax(np.abs(one), np.abs(other)).max())
    if not np.isfinite(largest):  # another clause says so
        return np.array_equal(one, other, equal_nan=True)
    return np.allclose(one, other, rtol=0.0, atol=LAST_DIGITS * largest, equal_nan=True)


def _arrays(result: Any) -> list[NDArray[Any]]:
    if isinstance(result, BatchStep):
        return [np.asarray(getattr(result, item.name)) for item in fields(result)]
    return [np.asarray(result)]


def _check_rows(array: Any, n: int, space: Box, name: str) -> None:
    shape = (n, *space.shape)
    require_clause(isinstance(array, np.ndarray) and array.shape == shape, f"{name} has shape {shape}", np.shape(array))
    require_clause(array.dtype == np.float64, f"{name} is float64", array.dtype)
    require_clause(np.isfinite(array).all(), f"{name} is finite")
    narrow = array.astype(np.float32)
    require_clause(((narrow >= space.low) & (narrow <= space.high)).all(), f"{name} lies in its space")


def _check_leader_actions(game: VectorGame, shown: Any, n: int) -> None:
    space = game.leader_action_space
    if space is None:
        require_clause(np.shape(shown) == (n, 0), "leader_actions has shape (n, 0) where the leader only configures")
    else:
        _check_rows(shown, n, space, "leader_actions")


def _check_step(game: VectorGame, made: BatchStep, n: int) -> None:
    _check_rows(made.next_state, n, game.state_space, "step's next_state")
    for name in ("leader_reward", "follower_reward"):
        reward = getattr(made, name)
        require_clause(np.shape(reward) == (n,), f"step's {name} has shape (n,)", np.shape(reward))
        require_clause(np.asarray(reward).dtype == np.float64, f"step's {name} is float64")
        require_clause(np.isfinite(reward).all(), f"step's {name} is finite")
    over = made.terminated
    require_clause(np.shape(over) == (n,) and np.asarray(over).dtype == np.bool_, "step's terminated is bool, (n,)")


# ------------------------------------------------------------------------------------------- derivatives


def check_sampled_derivative(
    commitment: SampledCommitment, x: Array, samples: Samples, rng: np.random.Generator
) -> None:
    """Compare the commitment's derivative at the samples with central differences, for random cotangents."""
    T = len(samples)
    effect = commitment.effect_at(x, samples)
    require_clause(
        isinstance(effect, SampledEffect), "commitment.effect_at returns a SampledEffect", type(effect).__name__
    )
    for name, value in vars(effect).items():
        if value is None:
            continue
        require_clause(name in commitment.changes, "effect_at sets only what is declared in `changes`", name)
        require_clause(np.shape(value) == (T,), f"effect_at's {name} has shape (T,)", np.shape(value))
        require_clause(np.isfinite(value).all(), f"effect_at's {name} is finite")
    given = {name: np.asarray(value) for name, value in vars(effect).items() if value is not None}
    for name, value in given.items():
        # One entry at a time, because their units have nothing to do with each other.
        weights = {other: np.zeros(T) for other in given} | {name: rng.standard_normal(T)}
        summed = float(np.abs(value * weights[name]).sum())
        _check_vjp(commitment, x, samples, StepCotangents(**weights), name, summed)


def _check_vjp(
    commitment: SampledCommitment, x: Array, samples: Samples, weights: StepCotangents, name: str, summed: float
) -> None:
    exact = commitment.vjp_at(x, samples, weights)
    require_clause(np.shape(exact) == x.shape, "commitment.vjp_at returns the shape of x", np.shape(exact))
    width = np.where(commitment.high > commitment.low, commitment.high - commitment.low, 1.0)
    # Log-densities have no unit; where a policy is all but certain, their slopes vanish in what they are sums of.
    least = NEGLIGIBLE_SLOPE * len(samples) if name in ("leader_policy", "transition") else 0.0
    errors = []
    for step in DIFFERENCE_STEPS:
        differences = sampled_difference_vjp(commitment, x, samples, weights, step)
        rounding = least + 16 * ROUNDING * summed / step
        # In units of the widths, in which entries of x can be compared.
        same, error = agree(exact * width, differences * width, RELATIVE_TOLERANCE, rounding)
        if same:
            return
        errors.append(error)
    raise ConformityError(f"commitment.vjp_at agrees with finite differences: error {min(errors):.1e} of its {name}")


def _check_solution(game: VectorGame, rng: np.random.Generator) -> None:
    """Compare the gradient with differences of J between two commitments at which the game has finite values."""
    commitment = game.commitment
    for _ in range(ATTEMPTS):
        start, end = (commitment.project(rng.uniform(commitment.low, commitment.high)) for _ in range(2))
        try:
            with attempt("solve returns the solution that the interface asks for", InstabilityError):
                middle = game.solve(0.5 * (start + end))
                _check_parts(game, middle, rng)
                _check_slope(game, middle, start, end)
        except InstabilityError:
            continue
        return


def _check_values(game: VectorGame, commitments: list[Array], rng: np.random.Generator) -> None:
    """Compare play with exact values under the first commitment that has finite ones."""
    low, high = game.commitment.low, game.commitment.high
    others = (game.commitment.project(rng.uniform(low, high)) for _ in range(ATTEMPTS))
    for x in (*commitments, *others):
        try:
            check_vector_values(game, x, rng)
            tell_horizon(game, x)
        except InstabilityError:
            continue
        return


def _check_slope(game: VectorGame, middle: SampledSolution, start: Array, end: Array) -> None:
    exact, slopes = float((middle.gradient * (end - start)).sum()), []
    # J may be a small difference of large sums: the follower's value is of their size where the leader's is not.
    size = max(abs(middle.leader_value), float(np.abs(middle.gradient * (end - start)).sum()))
    for step in VALUE_STEPS:
        slopes.append(_slope(game, start, end, step))
        # The difference of two values of this size carries this much rounding.
        if abs(exact - slopes[-1]) <= RELATIVE_TOLERANCE * abs(exact) + 1e-12 * size / step:
            return
    raise ConformityError(f"the solution's gradient agrees with finite differences of J: {exact:.8g} and {slopes}")


def _slope(game: VectorGame, start: Array, end: Array, step: float) -> float:
    """Return the derivative of J along end - start, halfway between the two, by a central difference."""
    ahead, behind = (game.solve(start + (0.5 + sign * step) * (end - start)).leader_value for sign in (1, -1))
    return (ahead - behind) / (2 * step)


def _check_parts(game: VectorGame, solution: SampledSolution, rng: np.random.Generator) -> None:
    """Check that a solution's gradient is the sum of its parts, and that its policy acts as the game expects."""
    parts = solution.direct_gradient + solution.response_gradient
    require_clause(solution.gradient.shape == game.commitment.shape, "a solution's gradient has the shape of x")
    size = float(np.maximum(np.abs(solution.direct_gradient), np.abs(solution.response_gradient)).max(initial=0.0))
    same = np.abs(solution.gradient - parts).max(initial=0.0) <= 1e-8 * size
    require_clause(same, "a solution's gradient is the sum of its two parts")
    contexts = draw_contexts(game, rng, COPIES)
    states = game.initial_states(rng, contexts)
    shown = game.leader_actions(rng, solution.x, states, contexts)
    actions = _twice(solution.policy.sample, rng, states, shown, contexts)
    wanted = no_actions(action_bounds(game.follower_action_space), COPIES)
    require_clause(actions.shape == wanted.shape, "the policy's sample has shape (n, B)", actions.shape)
    require_clause(actions.dtype == wanted.dtype, f"the policy's sample is {wanted.dtype}", actions.dtype)
    with attempt("what the policy draws lies in the space of actions"):
        checked_actions(actions, COPIES, game.played_bounds, "the policy's sample")
    log_prob = solution.policy.log_prob(states, shown, contexts, actions)
    finite = np.shape(log_prob) == (COPIES,) and np.isfinite(log_prob).all()
    require_clause(finite, "the policy's log_prob of what it drew is finite, shape (n,)")
