"""Past play that a critic keeps, and the leader's own policy, by which it is read anew.

A leader that commits to its policy alone changes neither dynamics nor rewards, so steps played under earlier
commitments tell of them as much as present ones. Its own past actions are kept in units of its own noise: with the
present policy they become those that it would have played.

Letters: n steps, A size of the leader's action.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, OutputError
from stackelberg_envs.games.samples import SampledCommitment, Samples

from ..observing.trajectories import Trajectories
from ..state import stateful
from ..state.stateful import Stateful

__all__ = ["OwnPolicy", "PastPlay", "Played", "joined", "own_policy"]

#: Steps of differences by an action are at least this part of the largest action.
LEAST_WIDTH = 1e-3
#: Relative error of a log-density that is taken for a Gaussian one.
GAUSSIAN = 1e-5


@dataclass(frozen=True, eq=False)
class OwnPolicy:
    """The leader's Gaussian policy at steps: mean and standard deviation of each action, shape (n, A)."""

    mean: Array
    spread: Array


def own_policy(commitment: SampledCommitment, x: Array, samples: Samples) -> OwnPolicy:
    """Return the leader's own policy from its log-density around the recorded actions.

    Parameters
    ----------
    commitment
        One that sets the leader's policy, and that to independent Gaussian actions.
    x
        The commitment in force.
    samples
        The steps; their leader actions are only where differences are taken.

    Raises
    ------
    ArgumentError
        The log-density is not quadratic in the action.
    """
    played = samples.leader_action
    mean, spread = np.empty(played.shape), np.empty(played.shape)
    width = np.maximum(np.std(played, axis=0), LEAST_WIDTH * np.abs(played).max(axis=0))
    width = np.where(width > 0, width, 1.0)
    for i, w in enumerate(width):
        step = np.zeros(played.shape[1])
        step[i] = w
        middle, up, down, far = (_log_density(commitment, x, samples, k * step) for k in (0, 1, -1, 2))
        curvature, slope = up + down - 2.0 * middle, 0.5 * (up - down)
        error = np.abs(far - (middle + 2.0 * slope + 2.0 * curvature)).max()
        if not (curvature < 0).all() or error > GAUSSIAN * np.abs(np.stack([middle, up, down, far])).max():
            raise ArgumentError("critic: 'fitted' is for leaders whose policy is Gaussian with independent actions")
        mean[:, i] = played[:, i] - w * slope / curvature
        spread[:, i] = w / np.sqrt(-curvature)
    return OwnPolicy(mean, spread)


def _log_density(commitment: SampledCommitment, x: Array, samples: Samples, shift: Array) -> Array:
    found = commitment.effect_at(x, replace(samples, leader_action=samples.leader_action + shift)).leader_policy
    if found is None:
        raise ArgumentError("critic: 'fitted' is for commitments that set the leader's policy")
    return found


@dataclass(frozen=True, eq=False)
class Played:
    """Play of one commitment: its steps, rewards of both, and the leader's actions in units of its own noise."""

    samples: Samples
    leader_reward: Array
    follower_reward: Array | None
    going: Array
    noise: Array


#: What actions come as.
NUMBERS = (np.float64, np.float32, np.int64, np.int32)
TABLE, COLUMN = stateful.Array((None, None), dtype=NUMBERS), stateful.Array((None,))


class PastPlay(Stateful):
    """The latest play, of at most `most` steps beside the present ones; whole batches go.

    Parameters
    ----------
    most
        Steps.
    widths
        Of states, leader actions and follower actions, and the number of contexts, to check what a checkpoint says.
    """

    state_fields = stateful.fields(
        _played=stateful.List(
            stateful.Record(
                Played,
                samples=stateful.Record(
                    Samples,
                    state=TABLE,
                    leader_action=TABLE,
                    follower_action=TABLE,
                    next_state=TABLE,
                    context=stateful.Array((None,), dtype=(np.int32, np.int64), low=0),
                ),
                leader_reward=COLUMN,
                follower_reward=stateful.Array((None,), optional=True),
                going=COLUMN,
                noise=TABLE,
            )
        )
    )

    def __init__(self, most: int, widths: tuple[int, int, int, int] | None = None) -> None:
        self.most, self.widths = most, widths
        self._played: deque[Played] = deque()

    def check_state(self, loaded: dict[str, Any], where: str) -> None:
        """Raise OutputError unless all arrays of a batch have its steps, and the widths are those of the game."""
        for i, one in enumerate(loaded["_played"]):
            steps, n = one.samples, len(one.samples)
            tables = (steps.state, steps.leader_action, steps.follower_action)
            columns = (*tables, steps.next_state, steps.context, one.leader_reward, one.going, one.noise)
            paid = () if one.follower_reward is None else (one.follower_reward,)
            right = {len(column) for column in (*columns, *paid)} == {n}
            right = (
                right and steps.next_state.shape == steps.state.shape and one.noise.shape == steps.leader_action.shape
            )
            if self.widths is not None:
                *widths, K = self.widths
                right = right and [table.shape[1] for table in tables] == widths and bool((steps.context < K).all())
            if not right:
                raise OutputError(f"{where}[{i}]: expected the play of this game, got other columns")

    def add(self, trajectories: Trajectories, policy: OwnPolicy) -> list[Played]:
        """Keep one more commitment's play and return all that is kept, present play last."""
        steps = trajectories.samples
        noise = (steps.leader_action - policy.mean) / policy.spread
        going = np.asarray(~trajectories.ends, dtype=np.float64)
        self._played.append(Played(steps, trajectories.leader_reward, trajectories.follower_reward, going, noise))
        while sum(len(played.samples) for played in list(self._played)[:-1]) > self.most:
            self._played.popleft()
        return list(self._played)


def joined(played: Sequence[Played]) -> Played:
    """Return several commitments' play as one, in order."""
    names = ("state", "leader_action", "follower_action", "next_state", "context")
    steps = Samples(*(np.concatenate([getattr(one.samples, name) for one in played]) for name in names))
    leader, going, noise = (
        np.concatenate([getattr(one, name) for one in played]) for name in ("leader_reward", "going", "noise")
    )
    paid = [one.follower_reward for one in played if one.follower_reward is not None]
    return Played(steps, leader, np.concatenate(paid) if len(paid) == len(played) else None, going, noise)
