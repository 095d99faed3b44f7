"""Whether play is worth what the exact solution says, for both sides, at a stated rate of false alarms."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.conformity.clauses import attempt, require_clause, require_mean
from stackelberg_envs.conformity.effects import without_bound
from stackelberg_envs.errors import ConformityError, InstabilityError
from stackelberg_envs.games.actions import checked_actions
from stackelberg_envs.games.ends import SureEnd
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.vector import FollowerPolicy, VectorGame
from stackelberg_envs.play.vector import draw_contexts

__all__ = ["check_tabular_values", "check_vector_values", "tell_horizon"]

LOG = logging.getLogger("stackelberg_envs.check_game")
#: Part by which values of episodes and of endless play may differ without a word.
WORTH_TELLING = 0.01

#: What discounting leaves of the steps that are not played.
LEFT_OVER = 1e-3
#: So often at least has what is left to be halved to be less.
HALVINGS = 10
#: Steps of an episode, at least and at most.
MIN_STEPS, MAX_STEPS = 30, 2_000
#: Episodes at least and at most, and steps of all episodes: of tabular games, which play fast, and of vector games.
TABULAR_BUDGET = 200, 20_000, 1_500_000
BATCHED_BUDGET = 200, 1_000, 400_000
#: Value of a solution -> the name of its own estimate of its error, where it has one.
GRID_ERRORS = {"leader_value": "grid_error", "follower_value": "follower_grid_error"}
#: Deterministic comparisons of values, relative.
RELATIVE_TOLERANCE = 1e-6


def tell_horizon(game: Any, x: Array) -> None:
    """Log a warning where an episode, cut at the game's horizon, is worth something else than endless play.

    Both meanings are sound; but records of exact values mean one, and returns of play the other.
    """
    from stackelberg_envs.solvers.solving import solve

    if max(game.leader_discount, game.follower_discount) ** game.horizon <= LEFT_OVER:
        return
    with attempt("solve finds the exact solution", InstabilityError):
        solution = solve(game, x)
    episode = getattr(solution, "episode", None)
    for name in ("leader_value", "follower_value"):
        endless, cut = getattr(solution, name), getattr(episode, name, None)
        if cut is None or abs(endless - cut) <= WORTH_TELLING * max(abs(endless), abs(cut)):
            continue
        LOG.warning(
            "%s: %s is %.6g over endless play and %.6g over the %d steps of an episode as it is played; solve().%s and "
            "gradients mean the first, returns of play and solve().episode the second",
            game.name,
            name,
            endless,
            cut,
            game.horizon,
            name,
        )


def _steps_and_episodes(game: Any, budget: tuple[int, int, int]) -> tuple[int, int]:
    """Return how long and how often to play: until little is left of what follows, within a budget."""
    discount, ends = max(game.leader_discount, game.follower_discount), getattr(game, "ends", None)
    if ends is not None and ends.longest is not None:
        # No episode is longer, so that nothing is left.
        steps = int(ends.longest.max())
    elif ends is not None:
        steps = max(MIN_STEPS, min(HALVINGS * _half_life(ends), MAX_STEPS))
    else:
        steps = 1 if discount == 0.0 else math.ceil(math.log(LEFT_OVER) / math.log(discount))
        steps = max(MIN_STEPS, min(steps, MAX_STEPS))
    return steps, int(np.clip(budget[2] // steps, *budget[:2]))


def _half_life(ends: SureEnd) -> int:
    """Return after how many steps play is over with a chance of one half at least, by Markov's inequality."""
    return math.ceil(2.0 * ends.steps)


def _share_left(ends: SureEnd | None, discount: float, steps: int) -> float:
    """Return which part of values is left after so many steps, at most: by the discount, and as play ends."""
    if ends is None:
        return discount**steps
    if ends.longest is not None and steps >= ends.longest.max():
        return 0.0
    return float(min(discount**steps, 0.5 ** (steps // _half_life(ends))))


# ------------------------------------------------------------------------------------------------ tabular


def check_tabular_values(game: TabularGame, x: Array, rng: np.random.Generator) -> None:
    """Play a tabular game against its exact response and compare returns with exact values.

    The bound on a mean of returns holds for any distribution within the bounds of the rewards.
    """
    from stackelberg_envs.play.rollout import GameTables, tabular_rollout
    from stackelberg_envs.solvers.solving import solve

    steps, episodes = _steps_and_episodes(game, TABULAR_BUDGET)
    with attempt("solve finds the exact solution"):
        solution = solve(game.replace(horizon=steps), x)
        exact = solution.episode
    play = solution.primitives
    tables = GameTables.of(play, steps)
    *played, _, offsets = tabular_rollout(rng, tables, solution.best.policy, steps * episodes, episodes)
    for side, value in (("leader", exact.leader_value), ("follower", exact.follower_reward_value)):
        rewards, discount = getattr(play, f"{side}_reward"), getattr(play, f"{side}_discount")
        spread = _greatest_spread(rewards, discount, steps)
        returns = _returns(rewards[tuple(played)], offsets, discount)
        require_mean(returns, value, 0.0, spread, f"play earns the {side} its exact value, over {steps} steps")
    _check_endless(solution, steps)


def _greatest_spread(rewards: Array, discount: float, steps: int) -> float:
    """Return the greatest difference of two returns; an episode may end at any step, after which it earns 0."""
    weight = steps if discount == 1.0 else (1.0 - discount**steps) / (1.0 - discount)
    return weight * (max(0.0, float(rewards.max())) - min(0.0, float(rewards.min())))


def _returns(rewards: Array, offsets: Any, discount: float) -> Array:
    lengths = np.diff(offsets)
    t = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    return np.asarray(np.add.reduceat(discount**t * rewards, offsets[:-1]))


def _check_endless(solution: Any, steps: int) -> None:
    """Check that values of endless play differ from those of long episodes by what can still follow, and no more."""
    play = solution.primitives
    left = _share_left(play.ends, play.leader_discount, steps) * np.abs(solution.leader.state_values).max()
    _require_near(solution.leader_value, solution.episode.leader_value, left, "leader_value")
    joint = play.joint_policy(solution.policy)
    once_more = float(play.initial @ (joint * solution.leader.q).sum(axis=(1, 2)))
    _require_near(solution.leader_value, once_more, 0.0, "leader_value", np.abs(solution.leader.state_values).max())
    if play.believed_transition is play.transition:
        left = _share_left(play.ends, play.follower_discount, steps) * np.abs(solution.best.state_values).max()
        _require_near(solution.follower_value, solution.episode.follower_value, left, "follower_value")


def _require_near(value: float, other: float, left: float, name: str, size: float = 0.0) -> None:
    rounding = RELATIVE_TOLERANCE * max(abs(value), abs(other), size)
    require_clause(
        abs(value - other) <= left + rounding,
        f"a solution's {name} is that of its episodes and its values",
        f"{value:.8g} and {other:.8g}",
    )


# ------------------------------------------------------------------------------------------------- vector


@dataclass(frozen=True, eq=False)
class _Play:
    """Discounted sums of the leader's reward, of the follower's with its entropy bonus, and of the follower's alone.

    Attributes
    ----------
    by_group
        Of episodes that began in groups, means over each group, shape (groups, 3): followers that begin together need
        not be independent of each other.
    at_once
        Of episodes that began all at once, shape (n, 3).
    sizes
        Discounted mean size of the rewards at each step, shape (steps, 3).
    """

    by_group: Array
    at_once: Array
    sizes: Array


def check_vector_values(game: VectorGame, x: Array, rng: np.random.Generator) -> None:
    """Play a vector game against its exact response and compare returns with exact values.

    Episodes begin one group of followers at a time, as those of the faces do, and all at once, as those of `play` do.

    Raises
    ------
    InstabilityError
        The game has no finite value under x.
    """
    steps, episodes = _steps_and_episodes(game, BATCHED_BUDGET)
    played = _of_length(game, steps)
    with attempt("solve finds the exact solution", InstabilityError):
        solution = played.solve(x)
    group = game.num_followers
    with attempt("episodes are played against the solution's policy"):
        play = _play(played, x, solution.policy, rng, steps, group, episodes)
    for how, returns in (f"{group} at a time", play.by_group), ("all at once", play.at_once):
        _compare(solution, returns, play.sizes, f"over {steps} steps, with episodes begun {how}")


def _of_length(game: VectorGame, steps: int) -> VectorGame:
    """Return the game with another horizon, where its solution may count it, and without a bound that it ignores."""
    with attempt("game.replace makes the same game with another horizon"):
        return without_bound(game).replace(horizon=steps)


def _play(
    game: VectorGame, x: Array, policy: FollowerPolicy, rng: np.random.Generator, steps: int, size: int, groups: int
) -> _Play:
    """Play groups of `size` followers, each group in one context, and as many more episodes that begin all at once."""
    n, total = size * groups, (size + 1) * groups
    contexts = np.concatenate([np.repeat(draw_contexts(game, rng, groups), size), draw_contexts(game, rng, groups)])
    starts = [game.initial_states(rng, contexts[i : i + size]) for i in range(0, n, size)]
    states, bounds = np.concatenate([*starts, game.initial_states(rng, contexts[n:])]), game.played_bounds
    running, totals, sizes = np.ones(total, np.bool_), np.zeros((total, 3)), np.zeros((steps, 3))
    discounts = np.array([game.leader_discount, game.follower_discount, game.follower_discount])
    for t in range(steps):
        shown = game.leader_actions(rng, x, states, contexts)
        actions = checked_actions(policy.sample(rng, states, shown, contexts), total, bounds, "the policy's sample")
        bonus = -game.temperature * policy.log_prob(states, shown, contexts, actions)
        made = game.step(rng, x, states, contexts, shown, actions)
        follower = made.follower_reward
        paid = np.stack([made.leader_reward, follower + bonus, follower], axis=1) * discounts**t * running[:, None]
        totals, sizes[t] = totals + paid, np.abs(paid).mean(axis=0)
        running = running & ~made.terminated
        if not running.any():
            break
        states = np.where(running[:, None], made.next_state, states)
    return _Play(totals[:n].reshape(groups, size, 3).mean(axis=1), totals[n:], sizes)


def _compare(solution: Any, returns: Array, sizes: Array, how: str) -> None:
    episode = getattr(solution, "episode", None)
    for i, name in enumerate(("leader_value", "follower_value", "follower_reward_value")):
        endless, left = getattr(solution, name, None), _left_over(sizes[:, i])
        exact, allowed = (endless, left) if episode is None else (getattr(episode, name), 0.0)
        if exact is None or not np.isfinite(allowed):
            continue
        clause = f"play is worth the solution's {name} ({how})"
        try:
            require_mean(returns[:, i], exact, allowed, None, clause)
        except ConformityError:
            # Asked for only now, because it takes another solution.
            error = abs(getattr(solution, GRID_ERRORS.get(name, ""), 0.0))
            require_mean(returns[:, i], exact, allowed + error, None, clause)
        if episode is not None and endless is not None and np.isfinite(left):
            _require_near(endless, exact, left, name)


def _left_over(sizes: Array) -> float:
    """Return what later steps can still bring, by how fast the sizes of steps fall; inf where they do not fall."""
    last, before = (float(part.mean()) for part in np.array_split(sizes, 10)[-1:-3:-1])
    if last == 0.0:
        return 0.0
    length = max(1, len(sizes) // 10)
    ratio = (last / before) ** (1.0 / length) if before > last and len(sizes) >= 20 else 1.0
    return 3.0 * last * ratio / (1.0 - ratio) if ratio < 1.0 else np.inf
