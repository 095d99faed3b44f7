"""Whether the follower has settled, and so plays the same again when a commitment is announced again.

A leader that takes the play it sees for the follower's response is misled by a follower that still learns. It need not
be told: commitments are announced more than once, by leaders that climb from those that did well, judge their best ones
again or stay where they are, and a follower that has settled then plays by the same probabilities.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import singledispatch
from typing import Any

import numpy as np
import scipy

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.environments import EnvironmentGame
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.observed import Numbers, Vectors
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.vector import VectorGame

from ..estimators.regression import Whitening
from ..observing.trajectories import Trajectories
from ..state import stateful
from ..state.stateful import Stateful

__all__ = [
    "DRIFT",
    "DRIFT_ERROR",
    "Drift",
    "TableDrift",
    "VectorDrift",
    "drift_of",
    "has_settled",
    "regression_change",
    "squared_change",
]

#: Columns of the curve: the change, and the standard error that it has where there is none.
DRIFT, DRIFT_ERROR = "follower_drift", "follower_drift_error"
#: Steps that are kept of one play in a game of tables, episodes in a game of vectors, numbers of all plays.
KEPT, KEPT_EPISODES, KEPT_IN_ALL = 20_000, 200, 200_000
#: Eigenvalues below this, relative to the largest, are taken for zero; so are variances, relative to squares.
RANK = 1e-9
#: A mean drift of less is not worth a word, nor is one of fewer standard errors: the sum of squares has a long tail.
LEAST_DRIFT, ERRORS = 0.01, 5.0
#: So improbable must it be that the drift is above zero so often.
BY_CHANCE = 1e-4


def squared_change(before: IntArray, after: IntArray, num_actions: int) -> tuple[float, float]:
    """Return by how much the probabilities of the follower's actions differ between two plays.

    Parameters
    ----------
    before, after
        Of each step, ``place * num_actions + action``, where the place is what the follower responds to.
    num_actions
        B.

    Returns
    -------
    float
        An estimate of the sum over actions of squared differences, averaged over places by how often they were
        visited. Chance alone makes it no larger: each square is estimated by pairs of different visits, so that for
        probabilities that are the same the mean is zero. NaN where no place was visited twice in both plays.
    float
        Its standard error, were the probabilities the same.
    """
    places, row = np.unique(np.concatenate([before, after]) // num_actions, return_inverse=True)
    counts = np.zeros((2, len(places), num_actions))
    play = np.repeat((0, 1), (len(before), len(after)))
    np.add.at(counts, (play, row, np.concatenate([before, after]) % num_actions), 1.0)
    counts = counts[:, (counts.sum(axis=-1) >= 2).all(axis=0)]
    if not counts.size:
        return np.nan, np.nan
    visits = counts.sum(axis=-1)
    within = (counts * (counts - 1.0)).sum(axis=-1) / (visits * (visits - 1.0))
    across = (counts[0] * counts[1]).sum(axis=-1) / visits.prod(axis=0)
    weights = visits.sum(axis=0) / visits.sum()
    # Were both drawn from p: twice the squared covariance of one draw, over the numbers of pairs.
    p = counts.sum(axis=0) / visits.sum(axis=0)[:, None]
    spread = (p**2).sum(axis=-1) - 2.0 * (p**3).sum(axis=-1) + (p**2).sum(axis=-1) ** 2
    pairs = (1.0 / (visits * (visits - 1.0))).sum(axis=0) + 2.0 / visits.prod(axis=0)
    change = float((weights * (within.sum(axis=0) - 2.0 * across)).sum())
    return change, float(np.sqrt((weights**2 * 2.0 * spread * pairs).sum()))


def regression_change(before: Array, after: Array, num_actions: int) -> tuple[float, float]:
    """Return by how much the follower's mean action differs between two plays, as far as it is linear in columns.

    Parameters
    ----------
    before, after
        Of each whole episode of a play, the sum over steps of products of any two of (columns, actions), shape
        (N, C + B, C + B). The first column is 1.
    num_actions
        B.

    Returns
    -------
    float
        An estimate of the squared change of the mean action, averaged over steps and entries of the action, in units of
        the variance of each entry around its mean. What chance alone makes of it is taken off. How large that is, the
        differences of episodes of one play tell: for responses that are the same the mean is zero, also where the mean
        action is not linear in the columns. NaN for plays of one episode.
    float
        Its standard error, were the responses the same; rather too large, for few episodes.
    """
    if min(len(before), len(after)) < 2:
        return np.nan, np.nan
    both = np.concatenate([before, after])
    total = both.sum(axis=0)
    n, C = total[0, 0], len(total) - num_actions
    scale = np.sqrt(np.diag(total)[:C])
    scale = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(total[:C, :C] / np.outer(scale, scale))
    kept = values > RANK * values[-1]
    # Mixed like this, columns are orthogonal and their mean square is one.
    mix = vectors[:, kept] / np.sqrt(values[kept] / n) / scale[:, None]
    moments = mix.T @ both[:, :C, C:]
    fitted = moments.sum(axis=0) / n
    size = np.diag(total)[C:] / n
    variance = np.maximum(size - (fitted**2).sum(axis=0), RANK * size)
    # Of each episode, what columns and residuals have in common.
    scores = moments - mix.T @ both[:, :C, :C] @ mix @ fitted
    scores = np.divide(scores, np.sqrt(variance), out=np.zeros_like(scores), where=variance > 0)
    scores = scores.reshape(len(both), -1) * (len(both) / n)
    plays = scores[: len(before)], scores[len(before) :]
    shift = plays[0].mean(axis=0) - plays[1].mean(axis=0)
    rows = [(play - play.mean(axis=0)) / np.sqrt(len(play) * (len(play) - 1)) for play in plays]
    chance = sum(row.T @ row for row in rows)
    change = float(shift @ shift - np.trace(chance))
    return change / num_actions, float(np.sqrt(2.0) * np.linalg.norm(chance)) / num_actions


class Drift(Stateful):
    """Compares the play under each commitment with that of the last time it was announced.

    Parameters
    ----------
    shape
        Of commitments.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        #: Commitments, the last one announced last, and what is kept of their last play.
        self._played: list[tuple[Array, Any]] = []

    def note(self, commitment: Array, seen: Trajectories) -> dict[str, float]:
        """Return the columns about the change since its last play, and remember this one; NaN for what is new."""
        play = self.keep(seen)
        before, others, numbers = None, [], commitment.size + play.size
        # The latest first, so that what is too much is what was announced longest ago.
        for x, kept in reversed(self._played):
            numbers += x.size + kept.size
            if np.array_equal(x, commitment):
                before, numbers = kept, numbers - x.size - kept.size
            elif numbers <= KEPT_IN_ALL:
                others.append((x, kept))
        self._played = [*reversed(others), (commitment, play)]
        change, error = (np.nan, np.nan) if before is None else self.change(before, play)
        return {DRIFT: change, DRIFT_ERROR: error}

    @abstractmethod
    def keep(self, seen: Trajectories) -> Any:
        """Return an array of what has to be remembered of a play."""

    @abstractmethod
    def change(self, before: Any, after: Any) -> tuple[float, float]:
        """Return by how much two plays differ, and the standard error of that."""


class TableDrift(Drift):
    """In a game of tables: by probabilities of actions.

    Parameters
    ----------
    shape
        Of commitments.
    table_shape
        (Z, A, B).
    """

    state_fields = stateful.fields(
        _played=stateful.List(
            stateful.Tuple(
                stateful.Array(lambda drift: drift.shape),
                stateful.Array((None,), dtype=np.int64, low=0, high=lambda drift: drift.size - 1),
            )
        )
    )

    def __init__(self, shape: tuple[int, ...], table_shape: tuple[int, int, int]) -> None:
        super().__init__(shape)
        _, self.leader_actions, self.follower_actions = table_shape
        self.size = int(np.prod(table_shape))

    def keep(self, seen: Trajectories) -> IntArray:
        """Return the places of the first steps, with their actions."""
        places = seen.joint_state.astype(np.int64) * self.leader_actions + seen.leader_action
        return np.asarray((places * self.follower_actions + seen.follower_action)[:KEPT])

    def change(self, before: IntArray, after: IntArray) -> tuple[float, float]:
        """Return the squared change of probabilities."""
        return squared_change(before, after, self.follower_actions)


class VectorDrift(Drift):
    """In a game of vectors: by the mean action, regressed on what the follower sees.

    Parameters
    ----------
    shape
        Of commitments.
    sizes
        (W, A, B), the entries of states and of actions.
    """

    state_fields = stateful.fields(
        _seen=stateful.Record(
            Whitening,
            mean=stateful.Array(lambda drift: (drift.size,)),
            mix=stateful.Array(lambda drift: (drift.size, drift.size)),
            optional=True,
        ),
        _played=stateful.List(
            stateful.Tuple(
                stateful.Array(lambda drift: drift.shape),
                stateful.Array(lambda drift: (None, drift.columns, drift.columns)),
            )
        ),
    )

    def __init__(self, shape: tuple[int, ...], sizes: tuple[int, int, int]) -> None:
        super().__init__(shape)
        W, A, self.num_actions = sizes
        #: Of what the follower sees, the context included, and of all that is regressed.
        self.size = W + A + 1
        self.columns = 1 + self.size + self.num_actions
        self._seen: Whitening | None = None

    def keep(self, seen: Trajectories) -> Array:
        """Return sums of products of columns and actions, of each whole episode."""
        steps = seen.samples
        rows = np.column_stack([steps.state, steps.leader_action, steps.context])
        if self._seen is None:
            self._seen = Whitening.of(rows)
        columns = np.column_stack([np.ones(len(rows)), self._seen(rows), steps.follower_action])
        ends = np.flatnonzero(seen.whole)[:KEPT_EPISODES]
        products = np.zeros((len(ends), self.columns, self.columns))
        for product, end in zip(products, ends, strict=True):
            episode = columns[seen.offsets[end] : seen.offsets[end + 1]]
            product[:] = episode.T @ episode
        return products

    def change(self, before: Array, after: Array) -> tuple[float, float]:
        """Return the squared change of the mean action, in units of its variance."""
        return regression_change(before, after, self.num_actions)


@singledispatch
def drift_of(game: Any) -> Drift:
    """Return what compares a game's plays; ``drift_of.register`` adds kinds of game."""
    raise ArgumentError(f"game: expected a game, got {type(game).__name__}")


@drift_of.register
def _(game: TabularGame) -> TableDrift:
    return TableDrift(game.commitment.shape, game.table_shape)


@drift_of.register
def _(game: MarkovGame) -> TableDrift:
    S, _, M = game.shape
    return TableDrift(game.commitment.shape, (S, 1, M))


@drift_of.register
def _(game: VectorGame) -> VectorDrift:
    spaces = game.state_space, game.leader_action_space, game.follower_action_space
    W, A, B = (0 if space is None else int(np.prod(space.shape or ())) for space in spaces)
    return VectorDrift(game.commitment.shape, (W, A, B))


@drift_of.register
def _(game: EnvironmentGame) -> Drift:
    return _drift_where(game.seen, game.commitment.shape)


@singledispatch
def _drift_where(seen: Any, shape: tuple[int, ...]) -> Drift:
    """Return what compares plays of an environment, by what is seen of it."""
    raise NotImplementedError(type(seen).__name__)


@_drift_where.register
def _(seen: Numbers, shape: tuple[int, ...]) -> TableDrift:
    return TableDrift(shape, (seen.S + 1, 1, seen.B))


@_drift_where.register
def _(seen: Vectors, shape: tuple[int, ...]) -> VectorDrift:
    return VectorDrift(shape, (seen.size, 0, 0 if seen.actions is None else seen.actions.size))


def has_settled(curve: dict[str, Array]) -> tuple[bool, float]:
    """Return whether a run's follower may have settled, as far as that was measured, and the mean of its drift.

    It has not where the mean is large by the errors, or where the drift is above zero more often than chance has it:
    without a change that happens in less than half of all comparisons, since squares have a long tail.
    """
    drift, error = (curve.get(name, np.zeros(0)) for name in (DRIFT, DRIFT_ERROR))
    known = np.isfinite(drift)
    if not known.any():
        return True, np.nan
    mean, error_of_mean = float(drift[known].mean()), float(np.sqrt((error[known] ** 2).mean() / known.sum()))
    often = scipy.special.bdtrc((drift[known] > 0.0).sum() - 1, known.sum(), 0.5) < BY_CHANCE
    return not (mean > LEAST_DRIFT and (often or mean > ERRORS * error_of_mean)), mean
