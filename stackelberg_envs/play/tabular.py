"""The simulator of tabular games: look-ups in tables of Python numbers."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ActionError, PhaseError
from stackelberg_envs.games.tabular import Primitives, TabularGame
from stackelberg_envs.play.simulators import NOTHING, Bounds, Nothing, cumulative

if TYPE_CHECKING:
    from gymnasium.spaces import Space

__all__ = ["MAX_ONE_HOT", "TabularSimulator", "checked_index", "unit_bounds"]

#: Uniform numbers drawn at once: a call per number would cost more than the rest of a step.
UNIFORMS_PER_DRAW = 1024
#: Up to this many states an observation is one-hot, beyond it a number in [0, 1].
MAX_ONE_HOT = 1000
#: Tables up to this size are kept as Python lists.
MAX_LISTED = 1 << 16


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
        self.leader_choice_space: Space[Any] | None = self.leader_action_space
        self._one_hot = self._S <= MAX_ONE_HOT
        self.state_bounds = unit_bounds(self._S if self._one_hot else 1)
        self.leader_action_bounds = unit_bounds(self._A if self._A > 1 else 0)
        initial = game.joint_initial.reshape(-1, self._S)
        self._contexts = cumulative(initial.sum(axis=1))
        self._initial = cumulative(initial / initial.sum(axis=1, keepdims=True))
        feasible = game.uncommitted.feasible
        #: Ones for feasible actions, shape (Z, A, B).
        self._masks = None if feasible is None else feasible.astype(np.int8)
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
        return checked_index(action, self._B, "follower action")

    def action_mask(self, state: int | None, leader_action: int | None) -> NDArray[np.int8] | None:
        """Return ones for feasible actions, shape (B,); before the leader has acted, for what may be feasible then."""
        if self._masks is None:
            return None
        if state is None:
            return np.ones(self._B, np.int8)
        rows = self._masks[self._base + state]
        if leader_action is None and self._A > 1:
            return np.asarray(rows.max(axis=0))
        mask: NDArray[np.int8] = rows[leader_action or 0].copy()
        return mask

    def check_leader_action(self, action: Any) -> int:
        """Return the action as an integer in 0..A-1."""
        return checked_index(action, self._A, "leader action")

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


def checked_index(action: Any, count: int, name: str) -> int:
    """Return an action as an integer in 0..count-1, or raise ActionError."""
    try:
        index = operator.index(action)
    except TypeError:
        raise ActionError(f"{name}: expected an integer in 0..{count - 1}, got {action!r}") from None
    if not 0 <= index < count:
        raise ActionError(f"{name}: expected an integer in 0..{count - 1}, got {index}")
    return index


def unit_bounds(width: int) -> Bounds:
    """Return bounds of numbers between zero and one."""
    return np.zeros(width, np.float32), np.ones(width, np.float32)
