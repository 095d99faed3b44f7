"""Many copies of a tabular game, each with its own random stream and its own commitment, played in one compiled pass.

Copy i plays, number for number, the episode that a :class:`~stackelberg_envs.play.session.Session` with the same seed
plays: it draws the same numbers in the same order and adds up rewards in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ActionError
from stackelberg_envs.faces.observations import Observer, local_rows
from stackelberg_envs.faces.rounds import COMMITTING, OVER, PLAYING, Round, advance
from stackelberg_envs.faces.slots import Slots
from stackelberg_envs.games.primitives import Primitives
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.play.simulators import NOTHING, cumulative, record
from stackelberg_envs.play.streams import UniformStreams
from stackelberg_envs.play.tabular import MAX_ONE_HOT, UNIFORMS_PER_DRAW

__all__ = ["TabularCopies"]

#: Commitments whose arrays are kept for the next copy that is under one of them.
KEPT = 64


class _Tables(NamedTuple):
    """The arrays of one commitment, as the loop takes them."""

    primitives: Primitives
    rewards: Array
    leader_policy: Array
    probabilities: Array
    local: NDArray[np.float32]
    shown: NDArray[np.float32]
    transition: Any


class TabularCopies:
    """n copies of a game with m followers each.

    Parameters
    ----------
    game
        The game.
    n, m
        Copies, and followers of each.
    observer
        Says how observations are laid out.
    commits
        Whether an episode begins with a round in which the leader commits.
    last_step
        Play steps after which an episode is truncated.
    share
        What the followers' rewards are multiplied by on their way out.

    Attributes
    ----------
    phase
        OVER, COMMITTING or PLAYING, shape (n,).
    steps, contexts
        Play steps made, and each copy's context, shape (n,).
    now
        Each follower's state, the leader's action shown to it, whether it is finished, and the state that its
        observation shows, shape (4, n m).
    """

    def __init__(
        self,
        game: TabularGame,
        n: int,
        m: int,
        observer: Observer,
        *,
        commits: bool,
        last_step: int,
        share: float = 1.0,
    ) -> None:
        self.game, self.n, self.m = game, n, m
        S, A, B = game.shape
        K, Z = game.num_contexts, game.num_contexts * game.shape[0]
        base = game.uncommitted
        self._reserve = 1 + 2 * m
        self.streams = UniformStreams(n, UNIFORMS_PER_DRAW, backwards=True)
        self.phase = np.zeros(n, np.int64)
        self.steps, self.contexts = np.zeros((2, n), np.int64)
        self.now = np.zeros((4, n * m), np.int64)
        self.now[1] = NOTHING
        layout = observer.layout
        self.observations: NDArray[np.float32] = np.zeros((n * m, observer.space.shape[0]), np.float32)
        width = layout["commitment"].stop - layout["commitment"].start if "commitment" in layout else 0
        self._observes = observer.observes
        self._shown = np.zeros((n, width if self._observes == "all" else 0), np.float32)
        self._rewards = Slots(n, (2, Z, A, B), np.float64)
        self._policies = Slots(n, (Z, A), np.float64)
        successors = base.transition.successors.shape
        self._successors = Slots(n, successors, np.int32)
        self._probabilities = Slots(n, successors, np.float64)
        self._locals = Slots(n, (S, width) if self._observes == "local" else (0, 0), np.float32)
        self._terminal = base.continuing == 0.0
        #: Of shape (Z, A, B), or without entries where every action can always be taken.
        self._feasible = np.ones((0, 0, 0), np.bool_) if base.feasible is None else base.feasible
        initial = game.joint_initial.reshape(-1, S)
        self._first_context = cumulative(initial.sum(axis=1))
        self._first_state = cumulative(initial / initial.sum(axis=1, keepdims=True))
        start = {name: part.start for name, part in layout.items()}
        self._sizes = np.array(
            [
                int(commits),
                last_step,
                int(S <= MAX_ONE_HOT),
                start.get("leader_action", 0),
                A if A > 1 else 0,
                start.get("context", 0),
                K if K > 1 else 0,
                start.get("commitment", 0),
                start["phase"],
                start["time"],
            ],
            np.int64,
        )
        self._tick, self._share = 1.0 / game.horizon, share
        self._leader_rewards = np.zeros(n)
        #: Names of the entries of infos, in the order of the rows of a round.
        self.keys = tuple(self.seen(_unplayed(self.observations, self._leader_rewards, n, n * m)))
        #: What a round is given, but for what changes from one to the next.
        self._given: Any = None
        self._known: dict[bytes, _Tables] = {}

    # --- commitments ---------------------------------------------------------------------------------

    def commit(self, i: int, x: Array) -> None:
        """Put an admissible commitment in force in copy i."""
        tables, self._given = self._tables(x), None
        primitives = tables.primitives
        self._rewards.put(i, primitives, tables.rewards)
        self._policies.put(i, primitives.leader_policy, tables.leader_policy)
        self._successors.put(i, primitives.transition, primitives.transition.successors)
        self._probabilities.put(i, primitives.transition, tables.probabilities)
        if self._observes == "local":
            self._locals.put(i, primitives, tables.local)
        elif self._observes == "all":
            self._shown[i] = tables.shown

    def primitives(self, x: Array) -> Primitives:
        """Return the game's arrays under an admissible commitment; those of the last ones are kept."""
        return self._tables(x).primitives

    def _tables(self, x: Array) -> _Tables:
        key = x.tobytes()
        tables = self._known.pop(key, None)
        if tables is None:
            tables = self._made(x)
            if len(self._known) >= KEPT:
                del self._known[next(iter(self._known))]
        self._known[key] = tables
        return tables

    def _made(self, x: Array) -> _Tables:
        made = self.game.primitives(x)
        latest = next(reversed(self._known.values()), None)
        same = latest is not None and latest.transition is made.transition
        return _Tables(
            made,
            np.stack([made.leader_reward, made.follower_reward]),
            cumulative(made.leader_policy),
            latest.probabilities if same and latest is not None else cumulative(made.transition.probabilities),
            self._local(x),
            x.astype(np.float32).ravel(),
            made.transition,
        )

    def _local(self, x: Array) -> NDArray[np.float32]:
        rows = local_rows(self.game, x) if self._observes == "local" else None
        return np.zeros((0, 0), np.float32) if rows is None else rows

    def committing(self) -> NDArray[np.bool_]:
        """Return which copies wait for a commitment, shape (n,)."""
        return np.equal(self.phase, COMMITTING)

    def playing(self) -> NDArray[np.bool_]:
        """Return which copies are at play, shape (n,)."""
        return np.equal(self.phase, PLAYING)

    # --- rounds --------------------------------------------------------------------------------------

    def restart(self, seeds: Sequence[int | None]) -> None:
        """Let every copy begin an episode in the next round, after its stream where that has a new seed."""
        self.streams.seed(seeds)
        self.phase[:] = OVER

    def advance(self, actions: NDArray[np.int64], former: Round | None = None, *, only_play: bool = False) -> Round:
        """Make a round in every copy: begin what is over, show what was committed, play the rest.

        Parameters
        ----------
        actions
            Of the followers, shape (n m,); looked at only where a follower plays.
        former
            Only begin the episodes that this round ended, and write what they show over its numbers.
        only_play
            Leave the copies alone that are not at play; what is returned for them has no meaning.

        Raises
        ------
        ActionError
            An illegal action; nothing has moved.
        """
        columns = self.n * self.m
        self.streams.need(self._reserve)
        given = self._given
        if given is None or given[0] is not self.streams.numbers:
            given = self._given = self._arguments()
        made = former
        if made is None:
            made = _unplayed(self.observations, self._leader_rewards, self.n, columns)
        changing = actions, made.integers, made.floats, made.flags, only_play, former is not None
        illegal = advance(*given, *changing)  # type: ignore[call-arg]  # it counts each tuple as long as can be
        if illegal >= 0:
            raise self._refusal(actions, illegal)
        return made

    def _arguments(self) -> tuple[Any, ...]:
        """Return what :func:`advance` takes first."""
        return (
            self.streams.numbers,
            self.streams.place,
            self.phase,
            self.steps,
            self.contexts,
            self.now,
            self._rewards.of,
            self._rewards.arrays,
            self._policies.of,
            self._policies.arrays,
            self._successors.of,
            self._successors.arrays,
            self._probabilities.arrays,
            self._terminal,
            self._feasible,
            self._first_context,
            self._first_state,
            self._shown,
            self._locals.of,
            self._locals.arrays,
            self._sizes,
            self._tick,
            self._share,
            self.observations,
            self._leader_rewards,
        )

    def _refusal(self, actions: NDArray[np.int64], column: int) -> ActionError:
        copy, follower = divmod(column, self.m)
        whose = f"follower_{follower} at index {copy}" if self.m > 1 else f"index {copy}"
        if 0 <= actions[column] < self.game.shape[2]:
            able = np.flatnonzero(self._feasible[self._place(copy, column)]).tolist()
            return ActionError(
                f"actions: expected one that is feasible in state {self.now[0, column]}, one of {able}, "
                f"got {actions[column]} at {whose}"
            )
        return ActionError(
            f"actions: expected integers in 0..{self.game.shape[2] - 1}, got {actions[column]} at {whose}"
        )

    def _place(self, copy: int, column: int) -> tuple[int, int]:
        """Return the joint state of a follower and the leader's action shown to it."""
        return int(self.contexts[copy] * self.game.shape[0] + self.now[0, column]), max(int(self.now[1, column]), 0)

    def action_masks(self) -> NDArray[np.int8] | None:
        """Return which actions each follower can take next, shape (n m, B), ones and zeros; None where it can take all.

        It is all ones while a follower has nothing to choose.
        """
        if not self._feasible.size:
            return None
        contexts = np.repeat(np.maximum(self.contexts, 0), self.m)
        rows = self._feasible[contexts * self.game.shape[0] + self.now[0], np.maximum(self.now[1], 0)]
        plays = np.repeat(self.playing(), self.m) & (self.now[2] == 0)
        return np.where(plays[:, None], rows, True).astype(np.int8)

    def leader_observations(self) -> NDArray[np.float32]:
        """Return what the leaders observe, shape (n, L): a follower's own, or the mean over several."""
        rows = self.observations.reshape(self.n, self.m, -1)
        seen = rows[:, 0].copy()
        if self.m > 1:
            end = int(self._sizes[8])
            seen[:, :end] = np.mean(rows[:, :, :end], axis=1, dtype=np.float64)
        return seen

    def seen(self, made: Round) -> dict[str, Any]:
        """Return the entries of infos, each of shape (n m,)."""
        # One by one, which takes half as long as to unpack the arrays.
        i, f = made.integers, made.floats
        paid = f[1] if self.game.observe_rewards else None
        return record(i[0], i[1], i[2], i[3], i[4], i[5], i[6], i[7], f[0], paid)  # the rows are in this order


def _unplayed(observations: NDArray[np.float32], leader_rewards: Array, n: int, columns: int) -> Round:
    """Return room for what a round gives."""
    integers, floats = np.empty((8, columns), np.int64), np.empty((3, columns))
    return Round(observations, integers, floats, leader_rewards, np.empty((2, n), np.bool_))
