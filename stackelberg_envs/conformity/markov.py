"""What a game of interacting followers promises; :func:`stackelberg_envs.check_game` runs it."""

from __future__ import annotations

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.conformity.clauses import attempt, require_clause, require_mean
from stackelberg_envs.conformity.derivatives import check_vjp
from stackelberg_envs.errors import ConformityError
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.play.rollout import rollout
from stackelberg_envs.solvers.solving import solve

__all__ = ["check_markov_game"]

#: Up to so many entries of all followers' rewards the game is solved and played.
MAX_SOLVED = 50_000
#: Episodes that are played, and the steps of each.
EPISODES, STEPS = 2_000, 60
#: Residual that an equilibrium may have, in units of the temperature.
RESIDUAL = 1e-8


def check_markov_game(game: MarkovGame, x: Array, other: Array, rng: np.random.Generator) -> None:
    """Check the commitment's derivative, the equilibrium, the gradient through it, and that play earns its values.

    Parameters
    ----------
    game
        The game.
    x, other
        Admissible commitments.
    rng
        For cotangents and play.
    """
    n, S, M = game.follower_rewards.shape
    arrays = game.under(x).arrays
    full = (n, S, 1, M)
    lists = arrays.transition
    last = S if lists.dense else lists.successors.shape[-1]
    values = {"follower_reward": arrays.follower_rewards, "leader_reward": arrays.leader_reward}
    shapes = {"follower_reward": full, "leader_reward": full, "transition": (S, 1, M, last)}
    with attempt("commitment.vjp returns a derivative"):
        check_vjp(game.commitment, x, shapes, {**values, "transition": lists.probabilities}, rng)
    if n * S * M > MAX_SOLVED:
        return
    with attempt("the game can be solved and played"):
        _check_equilibrium(game, x)
        _check_gradient(game, x, other)
        _check_values(game, x, rng)


def _check_equilibrium(game: MarkovGame, x: Array) -> None:
    found = solve(game, x)
    require_clause(found.residual <= RESIDUAL * game.temperature, "the equilibrium's equations hold", found.residual)
    rows = found.policy.sum(axis=-1)
    require_clause(np.allclose(rows, 1.0, atol=1e-9), "the rows of the followers' policies sum to one")


def _check_gradient(game: MarkovGame, x: Array, other: Array) -> None:
    """Compare the gradient with differences of J along a line; a nearby start keeps to one branch of equilibria."""
    direction = other - x
    middle = solve(game, x + 0.5 * direction)
    exact, slopes = float((middle.gradient * direction).sum()), []
    size = float(np.abs(middle.leader.values).max())
    for step in (1e-5, 1e-4, 1e-3):
        ends = [
            solve(game, x + (0.5 + sign * step) * direction, start=middle.equilibrium.q).leader_value
            for sign in (1, -1)
        ]
        slopes.append((ends[0] - ends[1]) / (2 * step))
        if abs(exact - slopes[-1]) <= 1e-4 * max(abs(exact), abs(slopes[-1])) + 1e-11 * size / step:
            return
    raise ConformityError(f"the gradient agrees with finite differences of J: {exact:.8g} and {slopes}")


def _check_values(game: MarkovGame, x: Array, rng: np.random.Generator) -> None:
    played = game.replace(horizon=min(game.horizon, STEPS), observe_rewards=True)
    found, committed = solve(played, x), played.under(x)
    seen = rollout(committed, found.policy, rng, episodes=EPISODES)
    arrays, horizon = committed.arrays, played.horizon
    mean = np.asarray(seen.follower_reward).mean(axis=1)
    for side, rewards, table, exact in (
        ("leader", seen.leader_reward, arrays.leader_reward, found.episode.leader_value),
        ("follower", mean, arrays.follower_rewards.mean(axis=0), found.episode.follower_reward_value),
    ):
        discount = getattr(game, f"{side}_discount")
        returns = np.add.reduceat(discount**seen.time * rewards, seen.offsets[:-1])
        weight = (1.0 - discount**horizon) / (1.0 - discount)
        spread = weight * (max(0.0, float(table.max())) - min(0.0, float(table.min())))
        require_mean(returns, exact, 0.0, spread, f"play earns the {side} its exact value, over {horizon} steps")
