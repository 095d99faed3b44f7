r"""What a commitment is worth, from a few episodes of play under it, and how sure that is.

The mean of the episodes' returns is a poor judge of commitments where episodes are few: most of its noise is where the
episodes happened to begin, and all but the first steps of an episode hardly count. Where the discount makes an
episode's end unfelt, so that play might as well go on, values of states say the same with less noise:

.. math::
    J \approx \frac{1}{M} \sum_i \psi(s^i_0)\, u , \qquad
    \psi(s)\, u \approx E\big[r + \gamma\, \psi(s')\, u \,\big|\, s\big] ,

in which every step of an episode has its part, and an episode that the step budget cut misses nothing. First states may
come from all play, since no commitment moves them: then all that are judged are judged from the same starts.

Two fits of u add up:

* where moves are linear in the state and both actions, of the part of the reward that is quadratic in these, by the
  fitted moves and behaviour: in a linear-quadratic game nothing but its own process noise is left;
* of the rest, by least-squares temporal differences with Gaussian bumps beside quadratic features.

Where the end is felt, episodes count as they were played.

Letters: T steps, W state size, F features, M first states.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, IntArray

from ..observing.trajectories import Trajectories
from .action_nodes import GaussianNodes, gaussian_nodes
from .first_states import FirstStates
from .regression import Bumps, LeastSquares, Regression, Whitening, quadratic_features

__all__ = ["FELT", "judged"]

#: The end of an episode is felt where the discount over its length is larger than this.
FELT = 1e-3
#: Bumps beside the quadratic features; the steps that each needs at least, and each pair of entries in a quadratic fit.
BUMPS, STEPS_PER_FEATURE = 10, 4
#: Ridge of the equations, relative to their diagonal: bumps nearly lie in each other's span.
RIDGE = 1e-6
#: Parts of the play, each of which is left out once for the standard error of what the fitted moves say.
FOLDS = 8
#: Errors of a fit below this part of what is fitted are rounding.
EXACT = 1e-9


def judged(trajectories: Trajectories, discount: float, first: FirstStates | None = None) -> tuple[float, float]:
    """Return what a commitment of a vector game is worth, and the standard error of that, reward units.

    Parameters
    ----------
    trajectories
        Play under the commitment, at least one step.
    discount
        The leader's, in [0, 1), per play step.
    first
        First states of other play, too, those of `trajectories` among them; default its own alone. The standard error
        then leaves out what the choice of first states adds: that is common to all commitments judged from the same
        ones.

    Returns
    -------
    tuple[float, float]
        The error is infinite where there are fewer than two episodes, or no fit.
    """
    if discount ** float(trajectories.lengths.max()) > FELT:
        return _by_returns(trajectories, discount)
    begun = first or FirstStates(trajectories.state.shape[1])
    if first is None:
        begun.add(trajectories)
    value, variance, among_starts = _by_values(trajectories, discount, begun.states, begun.contexts)
    if first is None:
        variance += among_starts / max(len(begun.states) - 1, 1)
    if not np.isfinite(value + variance):
        return _by_returns(trajectories, discount)
    # A fit that goes astray is worth no more, and no less, than the same reward for ever.
    rewards = trajectories.leader_reward / (1.0 - discount)
    value = float(np.clip(value, rewards.min(), rewards.max()))
    return value, float(np.sqrt(variance)) if trajectories.num_episodes > 1 else np.inf


def _by_returns(play: Trajectories, discount: float) -> tuple[float, float]:
    """Return the mean return of the episodes as they were played, and its standard error."""
    returns = play.returns(discount)
    error = np.std(returns, ddof=1) / np.sqrt(len(returns)) if len(returns) > 1 else np.inf
    return float(returns.mean()), float(error)


def _by_values(play: Trajectories, discount: float, starts: Array, contexts: IntArray) -> tuple[float, float, float]:
    """Return the mean value of first states, its variance, and the variance of a value among first states."""
    rest, moved = play.leader_reward, _Moves.of(play)
    values, variance = np.zeros(len(starts)), 0.0
    if moved is not None:
        rest = moved.rest
        values = moved.values(starts, discount)
        parts = [moved.values(starts, discount, left_out).mean() for left_out in range(FOLDS)]
        variance = (FOLDS - 1) * float(np.var(parts))
    if np.abs(rest).max() > EXACT * np.abs(play.leader_reward).max():
        others, more = _temporal_differences(play, rest, discount, starts, contexts)
        values, variance = values + others, variance + more
    return float(values.mean()), variance, float(np.var(values))


class _Moves:
    """Linear moves of one commitment's play, a linear Gaussian behaviour of both players, and a quadratic reward.

    Attributes
    ----------
    rest
        What the quadratic leaves of the rewards, shape (T,).
    """

    def __init__(self, play: Trajectories, rows: Array) -> None:
        self._state, self._next, self._rows = play.state, play.next_state, rows
        self._reward = play.leader_reward
        self._fold = np.arange(play.num_steps) % FOLDS
        self._psi = _Quadratic(Whitening.of(play.state))
        self._paid = _Quadratic(Whitening.of(rows))
        self.rest = self._reward - self._paid(rows) @ LeastSquares(self._paid(rows)).solve(self._reward)

    @classmethod
    def of(cls, play: Trajectories) -> _Moves | None:
        """Return the fit, or None where play has ends, discrete actions, too few steps or moves that are not linear."""
        actions = np.asarray(play.follower_action)
        if actions.dtype.kind != "f" or play.terminated.any():
            return None
        rows = np.concatenate([play.state, play.leader_action, actions], axis=1)
        D = rows.shape[1]
        columns = 1 + D + D * (D + 1) // 2
        if columns * STEPS_PER_FEATURE > play.num_steps or Regression.simplest(rows, play.next_state).squares:
            return None
        return cls(play, rows)

    def values(self, starts: Array, discount: float, left_out: int | None = None) -> Array:
        """Return the values of first states, shape (M,), from the steps that are not in the fold left out."""
        kept = self._fold != left_out
        state, rows, W = self._state[kept], self._rows[kept], self._state.shape[1]
        motion = Regression.of(rows, self._next[kept], squares=False)
        behaviour = Regression.of(state, rows[:, W:], squares=False)
        paid = LeastSquares(self._paid(rows)).solve(self._reward[kept])
        noise = _nodes(self._next[kept] - motion(rows), len(motion.weights))
        acts = _nodes(rows[:, W:] - behaviour(state), len(behaviour.weights))
        psi, mean = self._psi(state), behaviour(state)
        ahead, rewards = np.zeros_like(psi), np.zeros(len(psi))
        for weight, shift in zip(acts.weights, acts.shifts, strict=True):
            there = np.concatenate([state, mean + shift], axis=1)
            rewards += weight * (self._paid(there) @ paid)
            reached = motion(there)
            for share, move in zip(noise.weights, noise.shifts, strict=True):
                ahead += weight * share * self._psi(reached + move)
        squares = LeastSquares(psi)
        operator = discount * squares.solve(ahead)
        if not np.isfinite(operator).all() or np.abs(np.linalg.eigvals(operator)).max() >= 1.0:
            return np.full(len(starts), np.nan)
        return np.asarray(self._psi(starts) @ np.linalg.solve(np.eye(len(operator)) - operator, squares.solve(rewards)))


class _Quadratic:
    """Quadratic features of rows."""

    def __init__(self, whitening: Whitening) -> None:
        self._whitening = whitening

    def __call__(self, rows: Array) -> Array:
        return quadratic_features(self._whitening(rows))


def _nodes(residual: Array, parameters: int) -> GaussianNodes:
    return GaussianNodes.of(residual, parameters, *gaussian_nodes(residual.shape[1], True))


def _temporal_differences(
    play: Trajectories, rewards: Array, discount: float, starts: Array, contexts: IntArray
) -> tuple[Array, float]:
    """Return the values of first states, shape (M,), and the variance of their mean.

    That is of independent errors of the steps, each times what the step counts in the mean: the equations' own inverse.
    """
    features = _features(play)
    here = features(play.state, np.repeat(play.context, play.lengths))
    ahead = features(play.next_state, np.repeat(play.context, play.lengths)) * (1.0 - play.ends)[:, None]
    T, F = here.shape
    first = features(starts, contexts)
    if F >= T:
        return np.full(len(starts), np.nan), np.nan
    squares = (here**2).sum(axis=0)
    matrix = here.T @ (here - discount * ahead) + RIDGE * np.diag(np.maximum(squares, RIDGE * squares.max()))
    weights = np.linalg.solve(matrix, here.T @ rewards)
    counts = here @ np.linalg.solve(matrix.T, first.mean(axis=0))
    errors = rewards + discount * ahead @ weights - here @ weights
    return first @ weights, float(((counts * errors) ** 2).sum() * T / (T - F))


def _features(play: Trajectories) -> Callable[[Array, NDArray[np.integer]], Array]:
    """Return quadratic features, bumps at states where play was, and which of its contexts it is."""
    whitening = Whitening.of(np.concatenate([play.state, play.next_state[play.offsets[1:] - 1]]))
    # Always the same centres for the same play: a judgement has no luck of its own.
    bumps = Bumps(BUMPS).among(whitening(play.state), np.random.default_rng(0))
    kinds = np.unique(play.context)[1:]

    def features(states: Array, contexts: NDArray[np.integer]) -> Array:
        z = whitening(states)
        return np.concatenate([quadratic_features(z), bumps(z), contexts[:, None] == kinds], axis=1)

    return features
