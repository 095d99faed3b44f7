"""Whether the follower has settled, and so plays the same again when a commitment is announced again.

A leader that takes the play it sees for the follower's response is misled by a follower that still learns. It need not
be told: commitments are announced more than once, by leaders that judge their best ones again or stay where they are,
and a follower that has settled then plays by the same probabilities.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.games.vector import AnyGame

from ..observing.trajectories import Trajectories
from ..state import stateful
from ..state.stateful import Stateful

__all__ = ["DRIFT", "DRIFT_ERROR", "Drift", "drift_of", "has_settled", "squared_change"]

#: Columns of the curve: the change, and the standard error that it has where there is none.
DRIFT, DRIFT_ERROR = "follower_drift", "follower_drift_error"
#: Commitments whose last play is remembered, and steps that are kept of each.
REMEMBERED, KEPT = 8, 20_000
#: A mean drift of less is not worth a word, nor is one of fewer standard errors: the sum of squares has a long tail.
LEAST_DRIFT, ERRORS = 0.01, 5.0


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


class Drift(Stateful):
    """Compares the play under each commitment with that of the last time it was announced.

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
        self.shape, self.table_shape = shape, table_shape
        self.size = int(np.prod(table_shape))
        self._played: deque[tuple[Array, IntArray]] = deque(maxlen=REMEMBERED)

    def note(self, commitment: Array, seen: Trajectories) -> dict[str, float]:
        """Return the columns about the change since its last play, and remember this one; NaN for what is new."""
        _, A, B = self.table_shape
        places = seen.joint_state.astype(np.int64) * A + seen.leader_action
        actions = (places * B + seen.follower_action)[:KEPT]
        earlier = next((each for each in self._played if np.array_equal(each[0], commitment)), None)
        if earlier is not None:
            self._played = deque((each for each in self._played if each is not earlier), maxlen=REMEMBERED)
        self._played.append((commitment, actions))
        change, error = (np.nan, np.nan) if earlier is None else squared_change(earlier[1], actions, B)
        return {DRIFT: change, DRIFT_ERROR: error}


def drift_of(game: AnyGame) -> Drift | None:
    """Return what compares a game's plays; None where states or actions are not counted."""
    Z, A, B = game.table_shape
    return None if Z is None or A is None or B is None else Drift(game.commitment.shape, (Z, A, B))


def has_settled(curve: dict[str, Array]) -> tuple[bool, float]:
    """Return whether a run's follower may have settled, as far as that was measured, and the mean of its drift."""
    drift, error = (curve.get(name, np.zeros(0)) for name in (DRIFT, DRIFT_ERROR))
    known = np.isfinite(drift)
    if not known.any():
        return True, np.nan
    mean, error_of_mean = float(drift[known].mean()), float(np.sqrt((error[known] ** 2).mean() / known.sum()))
    return not mean > max(LEAST_DRIFT, ERRORS * error_of_mean), mean
