"""Seeded stepping through commitment and play; every face of a game stands on one :class:`Session`.

An episode is round 0, in which the leader commits, and rounds 1..H, in which the followers play. The context
and the initial states are drawn *after* the commitment: a leader cannot commit to one thing in one context
and to another in the next. Where the game has leader actions, the session draws each of them from the
committed policy before the follower acts and shows it.

``per_step`` sessions are the uncommitted variant: the leader chooses its action at every step, before the
followers, and therefore sees context and states from the start.
"""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Sequence
from functools import singledispatch
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.errors import ActionError, ArgumentError, PhaseError
from stackelberg_envs.games.actions import action_bounds, checked_actions, no_actions, require_action_space
from stackelberg_envs.games.batched import BatchedGame, begin_states, draw_leader_actions, make_step
from stackelberg_envs.games.tabular import Game, Primitives, TabularGame
from stackelberg_envs.play.resets import require_seed

if TYPE_CHECKING:
    from gymnasium.spaces import Space

__all__ = [
    "COMMITMENT",
    "DONE",
    "PLAY",
    "READY",
    "BatchedSimulator",
    "Nothing",
    "Session",
    "Simulator",
    "TabularSimulator",
    "neutral_commitment",
    "simulator_of",
]

#: Phases of a session, in order; READY is before the first reset.
READY, COMMITMENT, PLAY, DONE = "ready", "commitment", "play", "done"

#: Uniform numbers drawn at once: a call per number would cost more than the rest of a step.
UNIFORMS_PER_DRAW = 1024
#: Up to this many states an observation is one-hot, beyond it a number in [0, 1].
MAX_ONE_HOT = 1000
#: Tables up to this size are kept as Python lists.
MAX_LISTED = 1 << 16
#: States of one episode that are kept for pictures.
LONGEST_TRAIL = 1000
#: In infos, where a number of a context, state or action does not exist yet.
NOTHING = -1


#: Least and greatest values.
Bounds = tuple[NDArray[np.float32], NDArray[np.float32]]


class Nothing(NamedTuple):
    """What stands in infos where a state or an action does not exist, of the kind and shape of one that does."""

    state: Any
    leader_action: Any
    follower_action: Any


class Simulator(Protocol):
    """What a session needs to know of a game. States and actions are whatever the simulator says they are.

    Attributes
    ----------
    follower_action_space, leader_action_space
        Gymnasium spaces of one follower's action and of the leader's play action (None where the leader only
        configures).
    state_bounds
        Least and greatest values of a state in an observation, two arrays of shape (W,).
    leader_action_bounds
        The same for the leader's play action; of shape (0,) where it only configures.
    """

    follower_action_space: Space[Any]
    leader_action_space: Space[Any] | None
    state_bounds: Bounds
    leader_action_bounds: Bounds

    def nothing(self) -> Nothing:
        """Return what stands in infos for what does not exist yet; arrays are new ones."""

    def seed(self, seed: int | None) -> None:
        """Start a new random stream; with None, go on with the present one."""

    def commit(self, x: Array) -> None:
        """Put an admissible commitment in force."""

    def reset(self, num_followers: int) -> tuple[int, list[Any]]:
        """Draw and return the context and each follower's initial state."""

    def leader_action(self, state: Any) -> Any:
        """Draw the leader's action in a state from the committed policy."""

    def check_follower_action(self, action: Any) -> Any:
        """Return a legal follower action, or raise ActionError."""

    def check_leader_action(self, action: Any) -> Any:
        """Return a legal play action of the leader, or raise ActionError."""

    def step(self, state: Any, leader_action: Any, follower_action: Any) -> tuple[Any, float, float, bool]:
        """Return (next state, leader's reward, follower's reward, whether nothing follows)."""

    def write_state(self, row: NDArray[np.float32], previous: Any, state: Any) -> None:
        """Write a state into the first W numbers of `row`, which hold `previous` (None: zeros)."""

    def write_leader_action(self, row: NDArray[np.float32], start: int, previous: Any, action: Any) -> None:
        """Write the leader's action into `row` from `start`, where `previous` is (None: zeros)."""


class TabularSimulator:
    """The simulator of a tabular game, by table look-ups. States are numbers 0..S-1 within the context.

    Parameters
    ----------
    game
        A tabular game.
    """

    def __init__(self, game: TabularGame) -> None:
        from gymnasium.spaces import Discrete

        self.game = game
        self._S, self._A, self._B = game.shape
        self.follower_action_space: Space[Any] = Discrete(self._B)
        self.leader_action_space: Space[Any] | None = Discrete(self._A) if self._A > 1 else None
        self._one_hot = self._S <= MAX_ONE_HOT
        self.state_bounds = _unit_bounds(self._S if self._one_hot else 1)
        self.leader_action_bounds = _unit_bounds(self._A if self._A > 1 else 0)
        initial = game.joint_initial.reshape(-1, self._S)
        self._contexts = cumulative(initial.sum(axis=1))
        self._initial = cumulative(initial / initial.sum(axis=1, keepdims=True))
        self._base = 0
        self._rng: np.random.Generator | None = None
        self._uniforms: list[float] = []
        self._committed: Array | None = None
        self._transition: Any = None
        self._nothing = Nothing(NOTHING, NOTHING, NOTHING)

    def nothing(self) -> Nothing:
        """-1 for each."""
        return self._nothing

    def seed(self, seed: int | None) -> None:
        """Start a new random stream; with None, go on with the present one."""
        if seed is not None or self._rng is None:
            self._rng = np.random.default_rng(seed)
            self._uniforms = []

    def commit(self, x: Array) -> None:
        """Look up the game's arrays under x, unless it is the commitment of the last episode."""
        if self._committed is not None and np.array_equal(self._committed, x):
            return
        primitives = self.game.primitives(x)
        self._committed = np.array(x)
        self._leader_reward = _table(primitives.leader_reward)
        self._follower_reward = _table(primitives.follower_reward)
        self._terminal = _table(primitives.continuing == 0.0)
        if self._A > 1:
            self._leader_policy = _table(cumulative(primitives.leader_policy))
        self._use_transition(primitives)

    def _use_transition(self, primitives: Primitives) -> None:
        # Most commitments leave the dynamics alone; their tables are then made once.
        if self._transition is primitives.transition:
            return
        self._transition = primitives.transition
        self._successors = _table(primitives.transition.successors)
        self._cumulative = _table(cumulative(primitives.transition.probabilities))
        self._N = primitives.transition.successors.shape[-1]

    def reset(self, num_followers: int) -> tuple[int, list[int]]:
        """Draw the context, then each follower's state."""
        context = int(np.searchsorted(self._contexts, self._uniform(), side="right"))
        self._base = context * self._S
        row = self._initial[context]
        states = [int(np.searchsorted(row, self._uniform(), side="right")) for _ in range(num_followers)]
        return context, states

    def _uniform(self) -> float:
        if not self._uniforms:
            if self._rng is None:
                raise PhaseError("simulator: expected seed() before the first draw")
            self._uniforms = self._rng.random(UNIFORMS_PER_DRAW).tolist()
        return self._uniforms.pop()

    def leader_action(self, state: int) -> int:
        """Draw from the committed policy."""
        u = self._uniform()
        row = (self._base + state) * self._A
        a = 0
        while u >= self._leader_policy[row + a]:
            a += 1
        return a

    def check_follower_action(self, action: Any) -> int:
        """Return the action as an integer in 0..B-1."""
        if type(action) is int and 0 <= action < self._B:
            return action
        return _checked_index(action, self._B, "follower action")

    def check_leader_action(self, action: Any) -> int:
        """Return the action as an integer in 0..A-1."""
        return _checked_index(action, self._A, "leader action")

    def step(self, state: int, leader_action: int, follower_action: int) -> tuple[int, float, float, bool]:
        """Pay for the visit; a terminal state then keeps the follower, any other sends it on."""
        z = self._base + state
        i = (z * self._A + leader_action) * self._B + follower_action
        leader_reward, follower_reward = self._leader_reward[i], self._follower_reward[i]
        if self._terminal[z]:
            return state, leader_reward, follower_reward, True
        u = self._uniforms.pop() if self._uniforms else self._uniform()
        n = i * self._N
        table = self._cumulative
        while u >= table[n]:
            n += 1
        return self._successors[n] - self._base, leader_reward, follower_reward, False

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
        """One-hot; zeros where there is no action."""
        if previous is not None:
            row[start + previous] = 0.0
        if action is not None:
            row[start + action] = 1.0


class _Items:
    """A flat array whose entries are read as Python numbers."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array.ravel()

    def __getitem__(self, i: int) -> Any:
        return self._array.item(i)


def _table(array: NDArray[Any]) -> Any:
    """Return a flat table of Python numbers: a list while that is small, since lists are read fastest."""
    return array.ravel().tolist() if array.size <= MAX_LISTED else _Items(array)


def _unit_bounds(width: int) -> Bounds:
    return np.zeros(width, np.float32), np.ones(width, np.float32)


class BatchedSimulator:
    """The simulator of a batched game: batches of one copy. States and actions are vectors.

    Parameters
    ----------
    game
        A batched game.

    Notes
    -----
    The arrays it hands out are read-only, because infos show them. Where there is no state or action, zeros
    stand in infos, and -1 for actions that are integers; ``played`` tells them from real ones.
    """

    def __init__(self, game: BatchedGame) -> None:
        self.game = game
        self.follower_action_space = require_action_space(game.follower_action_space, "follower_action_space")
        self.leader_action_space: Space[Any] | None = game.leader_action_space
        self._follower = action_bounds(self.follower_action_space)
        self._silent = np.zeros((1, 0))
        self._leader = (
            (self._silent[0], self._silent[0])
            if self.leader_action_space is None
            else action_bounds(require_action_space(self.leader_action_space, "leader_action_space"))
        )
        space = game.state_space
        self._W = space.shape[0]
        self.state_bounds = with_zero(space.low, space.high)
        self.leader_action_bounds = with_zero(*self._leader)
        self._scalar = self.follower_action_space.shape == ()
        self._rng: np.random.Generator | None = None

    def nothing(self) -> Nothing:
        """Zeros, and -1 for actions that are integers."""
        action = no_actions(self._follower, 1)[0]
        return Nothing(
            _read_only(np.zeros(self._W)),
            _read_only(no_actions(self._leader, 1)[0]),
            int(action[0]) if self._scalar else _read_only(action),
        )

    def seed(self, seed: int | None) -> None:
        """Start a new random stream; with None, go on with the present one."""
        if seed is not None or self._rng is None:
            self._rng = np.random.default_rng(seed)

    def commit(self, x: Array) -> None:
        """Keep x for the episode."""
        self._x = np.array(x)

    def _stream(self) -> np.random.Generator:
        if self._rng is None:
            raise PhaseError("simulator: expected seed() before the first draw")
        return self._rng

    def reset(self, num_followers: int) -> tuple[int, list[Array]]:
        """Draw the context, then each follower's state."""
        rng = self._stream()
        context = int(draw_contexts(self.game, rng, 1)[0])
        self._context: IntArray = np.full(1, context, dtype=np.int32)
        states = begin_states(self.game, rng, np.repeat(self._context, num_followers))
        return context, [_read_only(state) for state in states]

    def leader_action(self, state: Array) -> Array:
        """Draw from the committed policy, shape (A,)."""
        drawn = draw_leader_actions(self.game, self._stream(), self._x, state[None], self._context)
        return _read_only(drawn[0])

    def check_follower_action(self, action: Any) -> Any:
        """Return the action as a read-only array of shape (B,), or as an integer for Discrete spaces."""
        checked = checked_actions([action], 1, self._follower, "follower action")[0]
        return int(checked[0]) if self._scalar else _read_only(checked)

    def check_leader_action(self, action: Any) -> Array:
        """Return the action as a read-only array of shape (A,)."""
        return _read_only(checked_actions([action], 1, self._leader, "leader action")[0])

    def step(self, state: Array, leader_action: Any, follower_action: Any) -> tuple[Array, float, float, bool]:
        """Make one step of one copy."""
        made = make_step(
            self.game,
            self._stream(),
            self._x,
            state[None],
            self._context,
            self._silent if self.leader_action_space is None else leader_action[None],
            np.reshape(follower_action, (1, -1)),
        )
        return (
            _read_only(made.next_state[0]),
            float(made.leader_reward[0]),
            float(made.follower_reward[0]),
            bool(made.terminated[0]),
        )

    def write_state(self, row: NDArray[np.float32], previous: Any, state: Array) -> None:
        """Write the vector itself."""
        del previous
        row[: self._W] = state

    def write_leader_action(self, row: NDArray[np.float32], start: int, previous: Any, action: Array | None) -> None:
        """Write the vector itself; zeros where there is no action."""
        del previous
        row[start : start + self._leader[0].size] = 0.0 if action is None else action


def draw_contexts(game: BatchedGame, rng: np.random.Generator, n: int) -> IntArray:
    """Return n contexts of a batched game, shape (n,); no number is drawn where there is one context."""
    if game.num_contexts == 1:
        return np.zeros(n, dtype=np.int32)
    sums = cumulative(game.context_probabilities)
    return np.searchsorted(sums, rng.random(n), side="right").astype(np.int32)


def with_zero(low: NDArray[Any], high: NDArray[Any]) -> Bounds:
    """Return bounds as float32 that contain zero, which stands for "none yet" in observations."""
    return np.minimum(low, 0.0).astype(np.float32), np.maximum(high, 0.0).astype(np.float32)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


@singledispatch
def simulator_of(game: Game) -> Simulator:
    """Return the simulator of a game; ``simulator_of.register(kind)`` adds kinds of games.

    Raises
    ------
    ArgumentError
        A game of a kind that has none.
    """
    raise ArgumentError(f"game: expected a TabularGame or a BatchedGame, got {type(game).__name__}")


simulator_of.register(TabularGame, TabularSimulator)
simulator_of.register(BatchedGame, BatchedSimulator)


def cumulative(probabilities: Array) -> Array:
    """Return running sums along the last axis, infinite from the last possible entry on.

    With infinity there a draw can neither fall off the end by rounding nor land on padding.
    """
    sums = np.cumsum(probabilities, axis=-1)
    possible = probabilities > 0
    last = probabilities.shape[-1] - 1 - np.argmax(possible[..., ::-1], axis=-1)
    sums[np.arange(probabilities.shape[-1]) >= last[..., None]] = np.inf
    return sums


def neutral_commitment(game: Game) -> Array:
    """Return the commitment nearest to zero: no incentive, no tax, a uniform policy."""
    return game.commitment.project(np.zeros(game.commitment.shape))


def _checked_index(action: Any, count: int, name: str) -> int:
    try:
        index = operator.index(action)
    except TypeError:
        raise ActionError(f"{name}: expected an integer in 0..{count - 1}, got {action!r}") from None
    if not 0 <= index < count:
        raise ActionError(f"{name}: expected an integer in 0..{count - 1}, got {index}")
    return index


class Session:
    """One leader and n followers, from commitment to the end of play.

    Parameters
    ----------
    game
        The game.
    num_followers
        Followers that play at once, each in its own copy of the decision process; default the game's. All
        share the episode's context; the leader is paid the mean over followers.
    per_step
        Whether the leader chooses its action at every step instead of committing.
    simulator
        Stands in for the game's own.

    Attributes
    ----------
    phase
        READY, COMMITMENT, PLAY or DONE.
    x
        The commitment in force; None in the commitment phase.
    context
        Index of the context; None until it is drawn.
    states, leader_actions
        Each follower's present state, and the leader's action shown to it (None where there is none).
    trail
        The followers' states since the start of play, one tuple per step, for pictures; the last thousand at most.
    played
        Play steps made.
    terminated, truncated
        How the episode ended; at most one is True.
    leader_reward, follower_rewards
        Of the last round.
    leader_return, follower_returns
        Undiscounted sums over the episode so far.
    records
        What an observer sees of the last round, one dict of numbers per follower; see :meth:`play`.
    """

    def __init__(
        self,
        game: Game,
        *,
        num_followers: int | None = None,
        per_step: bool = False,
        simulator: Simulator | None = None,
    ) -> None:
        self.game = game
        self.simulator = simulator_of(game) if simulator is None else simulator
        self._no_leader_action = self.simulator.nothing().leader_action
        self.num_followers = game.num_followers if num_followers is None else num_followers
        self.per_step = per_step
        self.has_leader_actions = self.simulator.leader_action_space is not None
        if per_step and not self.has_leader_actions:
            raise ArgumentError(
                "commitment: expected a game with leader actions (A > 1) for 'per_step', "
                f"but in {game.name!r} the leader only configures"
            )
        self.horizon = game.horizon
        self._observe_rewards = bool(getattr(game, "observe_rewards", True))
        self._share = 1.0 / self.num_followers
        self.phase = READY
        self.trail: deque[tuple[Any, ...]] = deque(maxlen=LONGEST_TRAIL)
        self._clear()

    def _clear(self) -> None:
        n = self.num_followers
        self.x: Array | None = None
        self.context: int | None = None
        self.states: list[Any] = [None] * n
        self.leader_actions: list[Any] = [None] * n
        self.finished = [False] * n
        self.trail.clear()
        self.played = 0
        self._waits_for_leader = self.per_step
        self.terminated = self.truncated = False
        self.leader_reward = self.leader_return = 0.0
        self.follower_rewards, self.follower_returns = [0.0] * n, [0.0] * n
        self.records = [self._idle_record(i) for i in range(n)]

    def reset(self, seed: int | None = None) -> None:
        """Begin an episode in the commitment phase.

        Parameters
        ----------
        seed
            Starts a new random stream; None goes on with the present one.

        Raises
        ------
        ArgumentError
            A seed that is no integer of at least 0.
        """
        self.simulator.seed(require_seed(seed))
        self._clear()
        self.phase = COMMITMENT
        if self.per_step:
            self._begin(neutral_commitment(self.game))
            self.records = [self._idle_record(i) for i in range(self.num_followers)]

    def commit(self, x: ArrayLike) -> None:
        """Put a commitment in force, draw context and initial states, and show the first leader actions.

        Parameters
        ----------
        x
            Projected on the admissible commitments.

        Raises
        ------
        CommitmentError
            Wrong shape, or a number that is not finite.
        PhaseError
            Not in the commitment phase, or a per-step session.
        """
        self._require(COMMITMENT, "commit")
        if self.per_step:
            raise PhaseError("commit: expected lead(), because in this session the leader chooses at every step")
        self._begin(self.game.commitment.project(x))
        self.phase = PLAY
        if self.has_leader_actions:
            self._draw_leader_actions()
        self.records = [self._idle_record(i) for i in range(self.num_followers)]

    def _begin(self, x: Array) -> None:
        self.simulator.commit(x)
        self.x = x
        self.context, self.states = self.simulator.reset(self.num_followers)
        self.trail.append(tuple(self.states))

    def _draw_leader_actions(self) -> None:
        draw = self.simulator.leader_action
        self.leader_actions = [
            None if finished else draw(state) for state, finished in zip(self.states, self.finished, strict=True)
        ]

    def lead(self, actions: Sequence[Any]) -> None:
        """Set the leader's actions for the coming play step, one per follower (per-step sessions).

        Raises
        ------
        ActionError
            An illegal action.
        PhaseError
            A session in which the leader commits, or one that is over.
        """
        if not self.per_step:
            raise PhaseError("lead: expected a per-step session; here the leader's policy was committed")
        if self.phase not in (COMMITMENT, PLAY):
            raise PhaseError(f"lead: expected a running episode, got phase {self.phase!r}; call reset() first")
        check = self.simulator.check_leader_action
        checked = [check(action) for action in actions]
        self.leader_actions = [
            None if finished else action for action, finished in zip(checked, self.finished, strict=True)
        ]
        if self.phase == COMMITMENT:
            self.records = [self._idle_record(i) for i in range(self.num_followers)]
        self.phase = PLAY
        self._waits_for_leader = False

    def play(self, actions: Sequence[Any]) -> None:
        """Let every follower act once.

        Parameters
        ----------
        actions
            One per follower; those of finished followers are ignored.

        Raises
        ------
        ActionError
            An illegal action; the message names the follower. The episode is left as it was.
        PhaseError
            Before the commitment, or after the end.

        Notes
        -----
        `records` then holds, per follower, the transition just made: ``played`` (1; 0 for a follower that
        idled or before play), ``state`` it acted in, ``leader_action`` shown, ``follower_action`` taken,
        ``leader_reward`` its part of the leader's reward before the mean, ``follower_reward`` (absent where
        the game keeps it private), ``next_state``, ``terminal`` (1 if nothing follows), ``context`` and
        ``step``, the number of play steps made. For states and actions that do not exist stand the values of
        ``simulator.nothing``: -1 for numbers, zeros for vectors.
        """
        if self.phase != PLAY or self._waits_for_leader:
            self._require_play()
        self.advance(self._checked(actions))

    def advance(self, actions: Sequence[Any]) -> None:
        """Make a play step with actions that are legal by their making; see :meth:`play`.

        For actions drawn from a given response, whose tails may lie outside the space that learners act in.
        """
        self.played += 1
        total = 0.0
        for i, action in enumerate(actions):
            total += self._idle(i) if self.finished[i] else self._move(i, action)
        self.leader_reward = total * self._share
        self.leader_return += self.leader_reward
        self._end_round()

    def _move(self, i: int, action: Any) -> float:
        """Make follower i's transition, write its record and return what it earns the leader."""
        states, shown = self.states, self.leader_actions[i]
        state = states[i]
        following, leader_reward, follower_reward, terminal = self.simulator.step(
            state, 0 if shown is None else shown, action
        )
        states[i] = following
        self.follower_rewards[i] = follower_reward
        self.follower_returns[i] += follower_reward
        record = {
            "played": 1,
            "step": self.played,
            "context": self.context,
            "state": state,
            "leader_action": self._no_leader_action if shown is None else shown,
            "follower_action": action,
            "next_state": following,
            "terminal": 0,
            "leader_reward": leader_reward,
        }
        if self._observe_rewards:
            record["follower_reward"] = follower_reward
        if terminal:
            self.finished[i], record["terminal"] = True, 1
        self.records[i] = record
        return leader_reward

    def _idle(self, i: int) -> float:
        self.records[i] = self._idle_record(i)
        self.follower_rewards[i] = 0.0
        return 0.0

    def _end_round(self) -> None:
        self.trail.append(tuple(self.states))
        if self.finished[0] and all(self.finished):
            self.terminated, self.phase = True, DONE
        elif self.played >= self.horizon:
            self.truncated, self.phase = True, DONE
        if self.per_step:
            self.leader_actions = [None] * self.num_followers
            self._waits_for_leader = True
        elif self.has_leader_actions:
            # Also after the last step: who bootstraps a truncated episode needs a whole observation.
            self._draw_leader_actions()

    def _checked(self, actions: Sequence[Any]) -> list[Any]:
        """Return legal actions, None for finished followers; nothing has moved when one is refused."""
        if len(actions) != self.num_followers:
            raise ActionError(f"play: expected {self.num_followers} actions, got {len(actions)}")
        check, finished = self.simulator.check_follower_action, self.finished
        checked: list[Any] = []
        try:
            for action in actions:
                checked.append(None if finished[len(checked)] else check(action))
        except ActionError as error:
            # How many were legal is whose turn it was.
            raise ActionError(f"follower_{len(checked)}: {error}") from None
        return checked

    def _idle_record(self, i: int) -> dict[str, Any]:
        """Return the record of a round in which follower i made no transition."""
        state, nothing = self.states[i], self.simulator.nothing()
        record = {
            "played": 0,
            "step": self.played,
            "context": NOTHING if self.context is None else self.context,
            "state": nothing.state,
            "leader_action": nothing.leader_action,
            "follower_action": nothing.follower_action,
            "next_state": nothing.state if state is None else state,
            "terminal": 0,
            "leader_reward": 0.0,
        }
        if self._observe_rewards:
            record["follower_reward"] = 0.0
        return record

    def _require_play(self) -> None:
        self._require(PLAY, "play")
        raise PhaseError("play: expected the leader's action of this step first; call lead()")

    def _require(self, phase: str, call: str) -> None:
        if self.phase == phase:
            return
        advice = {
            READY: "call reset() first",
            COMMITMENT: "the leader has to commit first",
            PLAY: "the commitment of this episode is in force",
            DONE: "the episode is over, call reset()",
        }[self.phase]
        raise PhaseError(f"{call}: expected the {phase} phase, got phase {self.phase!r}; {advice}")
