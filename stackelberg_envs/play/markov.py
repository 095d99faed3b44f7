"""Play of games whose followers affect each other: one state, and a step that all make together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, GameError
from stackelberg_envs.games.markov import CommittedMarkov, MarkovGame
from stackelberg_envs.games.markov_primitives import MarkovPrimitives, checked_policies
from stackelberg_envs.games.trajectories import Trajectories
from stackelberg_envs.play.simulators import NOTHING, Nothing, cumulative
from stackelberg_envs.play.tabular import MAX_ONE_HOT, checked_index, unit_bounds

if TYPE_CHECKING:
    from gymnasium.spaces import Space

__all__ = ["MarkovSimulator", "rollout_markov"]


class MarkovSimulator:
    """The simulator of a game of interacting followers. The state is a number 0..S-1 that all followers share.

    Parameters
    ----------
    game
        The game.
    """

    def __init__(self, game: MarkovGame) -> None:
        from gymnasium.spaces import Discrete

        if game.feasible is not None:
            raise GameError(
                f"{game.name}: expected every action to be feasible everywhere: no interface shows masks that differ "
                "by follower"
            )
        self.game = game
        self._S, self._B, self._M = game.shape
        self.follower_action_space: Space[Any] = Discrete(self._B)
        self.leader_action_space: Space[Any] | None = None
        self.leader_choice_space: Space[Any] | None = None
        self._one_hot = self._S <= MAX_ONE_HOT
        self.state_bounds = unit_bounds(self._S if self._one_hot else 1)
        self.leader_action_bounds = unit_bounds(0)
        self._initial = cumulative(game.initial)
        self._rng = np.random.default_rng()
        self._seeded = False
        self._committed: Array | None = None
        self._nothing = Nothing(NOTHING, NOTHING, NOTHING)

    def nothing(self) -> Nothing:
        """-1 for each."""
        return self._nothing

    def seed(self, seed: int | None) -> None:
        """Start a new random stream; with None, go on with the present one."""
        if seed is not None or not self._seeded:
            self._rng, self._seeded = np.random.default_rng(seed), True

    def commit(self, x: Array) -> None:
        """Look up the game's arrays under x, unless it is the commitment of the last episode."""
        if self._committed is None or not np.array_equal(self._committed, x):
            self._arrays = self.game.under(x).arrays
            self._moves = cumulative(self._arrays.transition.probabilities[:, 0])
            self._committed = np.array(x)

    def reset(self, num_followers: int) -> tuple[int, list[int]]:
        """Draw the state that all followers begin in."""
        if num_followers != self.game.num_followers:
            raise ArgumentError(
                f"num_followers: expected all {self.game.num_followers} of {self.game.name!r}, got {num_followers}"
            )
        state = int(np.searchsorted(self._initial, self._rng.random(), side="right"))
        return 0, [state] * num_followers

    def leader_action(self, state: int) -> int:
        """Raise: the leader only configures."""
        raise ArgumentError(f"{self.game.name}: expected no leader action in state {state}: the leader only configures")

    def check_follower_action(self, action: Any) -> int:
        """Return the action as an integer in 0..B-1."""
        return checked_index(action, self._B, "follower action")

    def check_leader_action(self, action: Any) -> int:
        """Raise: the leader only configures."""
        raise ArgumentError(f"{self.game.name}: expected no leader action, got {action!r}: the leader only configures")

    def action_mask(self, state: int | None, leader_action: int | None) -> None:
        """Return None: every action is feasible."""
        del state, leader_action

    def step_together(self, state: int, actions: list[int]) -> tuple[int, float, list[float], bool]:
        """Return (next state, the leader's reward, everybody's, whether nothing follows) for one action each."""
        joint = 0
        for action in actions:
            joint = joint * self._B + action
        arrays = self._arrays
        paid = float(arrays.leader_reward[state, joint]), arrays.follower_rewards[:, state, joint].tolist()
        if arrays.continuing[state] == 0.0:
            return state, *paid, True
        n = int(np.searchsorted(self._moves[state, joint], self._rng.random(), side="right"))
        return int(arrays.transition.successors[state, 0, joint, n]), *paid, False

    def step(self, state: int, leader_action: int, follower_action: int) -> tuple[int, float, float, bool]:
        """Raise: nobody moves alone."""
        raise ArgumentError(
            f"{self.game.name}: expected the actions of all followers at once, got {follower_action} alone in state "
            f"{state} (leader action {leader_action})"
        )

    def write_state(self, row: NDArray[np.float32], previous: int | None, state: int) -> None:
        """One-hot up to 1000 states, else the number of the state scaled to [0, 1]."""
        if not self._one_hot:
            row[0] = state / (self._S - 1)
            return
        if previous is not None:
            row[previous] = 0.0
        row[state] = 1.0

    def write_leader_action(
        self, row: NDArray[np.float32], start: int, previous: int | None, action: int | None
    ) -> None:
        """Write nothing: there is none."""


def rollout_markov(
    committed: CommittedMarkov,
    policy: Any,
    rng: np.random.Generator,
    *,
    steps: int | None = None,
    episodes: int | None = None,
) -> Trajectories:
    """Play episodes of all followers together; see :func:`stackelberg_envs.play.rollout.rollout`.

    `policy` has the shape (n, S, B). In what is returned ``follower_action`` is the joint action, a number in 0..M-1,
    and ``follower_reward`` has a column for each follower, shape (T, n).
    """
    game, arrays = committed.game, committed.arrays
    table = checked_policies(policy, arrays)
    S, B, _ = game.shape
    choices = cumulative(table)
    moves = cumulative(arrays.transition.probabilities[:, 0])
    successors, initial = arrays.transition.successors[:, 0], cumulative(game.initial)
    begun = episodes if steps is None else -(-steps // game.horizon)
    rows: list[tuple[NDArray[Any], ...]] = []
    lengths: list[NDArray[np.int64]] = []
    ended: list[NDArray[np.bool_]] = []
    total = count = 0
    while begun:
        batch, length, over = _batch(arrays, choices, moves, successors, initial, rng, begun, game.horizon, B)
        rows.append(batch)
        lengths.append(length)
        ended.append(over)
        total, count = total + int(length.sum()), count + begun
        left = 0 if steps is None else max(0, steps - total)
        begun = -(-left * count // total)
    state, joint, following = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    length, over = np.concatenate(lengths), np.concatenate(ended)
    offsets = np.append(0, np.cumsum(length))
    if steps is not None and steps < total:
        N = int(np.searchsorted(offsets, steps))
        whole = offsets[1 : N + 1] <= steps
        state, joint, following = state[:steps], joint[:steps], following[:steps]
        offsets, over = np.minimum(offsets[: N + 1], steps), over[:N] & whole
    else:
        whole = np.ones(len(over), dtype=bool)
    return Trajectories.of_loop(
        commitment=committed.commitment.copy(),  # what an observer does to its own is not done to the game's
        num_states=S,
        state=state,
        leader_action=np.zeros(len(state), dtype=np.int32),
        follower_action=joint,
        next_state=following,
        leader_reward=arrays.leader_reward[state, joint],
        follower_reward=arrays.follower_rewards[:, state, joint].T.copy() if game.observe_rewards else None,
        offsets=offsets,
        terminated=over,
        context=np.zeros(len(over), dtype=np.int32),
        whole=whole,
    )


def _batch(
    arrays: MarkovPrimitives,
    choices: Array,
    moves: Array,
    successors: NDArray[np.int32],
    initial: Array,
    rng: np.random.Generator,
    n: int,
    horizon: int,
    B: int,
) -> tuple[tuple[NDArray[Any], ...], NDArray[np.int64], NDArray[np.bool_]]:
    """Play n whole episodes side by side; return their steps episode by episode, lengths, and who terminated."""
    state = np.searchsorted(initial, rng.random(n), side="right").astype(np.int32)
    running, length, over = np.ones(n, dtype=bool), np.zeros(n, dtype=np.int64), np.zeros(n, dtype=bool)
    seen: list[tuple[NDArray[Any], ...]] = []
    for _ in range(horizon):
        joint = np.zeros(n, dtype=np.int32)
        for table in choices:
            joint = joint * B + _drawn(table[state], rng.random(n))
        stays = arrays.continuing[state] == 0.0
        k = _drawn(moves[state, joint], rng.random(n))
        following = np.where(stays, state, successors[state, joint, k]).astype(np.int32)
        seen.append((state, joint.astype(np.int32), following))
        length += running
        over |= running & stays
        running &= ~stays
        if not running.any():
            break
        state = following
    counted = np.arange(len(seen)) < length[:, None]
    columns = tuple(np.stack(column, axis=1)[counted] for column in zip(*seen, strict=True))
    return columns, length, over


def _drawn(sums: Array, u: Array) -> NDArray[np.int64]:
    """Return the first entry of each row of running sums that passes u."""
    return np.asarray((u[:, None] >= sums).sum(axis=1))
