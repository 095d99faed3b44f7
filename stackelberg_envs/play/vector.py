"""The simulator of games whose states are vectors: the game's own functions, called for one copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.errors import PhaseError
from stackelberg_envs.games.actions import action_bounds, checked_actions, no_actions, require_action_space
from stackelberg_envs.games.vector import VectorGame, call_game
from stackelberg_envs.play.simulators import Bounds, Nothing, cumulative

if TYPE_CHECKING:
    from gymnasium.spaces import Space

__all__ = ["VectorSimulator", "draw_contexts", "with_zero"]


class VectorSimulator:
    """The simulator of a vector game: batches of one copy. States and actions are vectors.

    Parameters
    ----------
    game
        A vector game.

    Notes
    -----
    The arrays it hands out are read-only, because infos show them. Where there is no state or action, zeros
    stand in infos, and -1 for actions that are integers; ``played`` tells them from real ones.
    """

    def __init__(self, game: VectorGame) -> None:
        self.game = game
        self.follower_action_space = require_action_space(game.follower_action_space, "follower_action_space")
        self.leader_action_space: Space[Any] | None = game.leader_action_space
        self.leader_choice_space: Space[Any] | None = game.leader_choice_space
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
        states = call_game(self.game, "initial_states", rng, np.repeat(self._context, num_followers))
        return context, [_read_only(state) for state in states]

    def leader_action(self, state: Array) -> Array:
        """Draw from the committed policy, shape (A,)."""
        drawn = call_game(self.game, "leader_actions", self._stream(), self._x, state[None], self._context)
        return _read_only(drawn[0])

    def check_follower_action(self, action: Any) -> Any:
        """Return the action as a read-only array of shape (B,), or as an integer for Discrete spaces."""
        checked = checked_actions([action], 1, self._follower, "follower action")[0]
        return int(checked[0]) if self._scalar else _read_only(checked)

    def action_mask(self, state: Any, leader_action: Any) -> None:
        """Return None: every action can be taken."""

    def check_leader_action(self, action: Any) -> Array:
        """Return the action as a read-only array of shape (A,)."""
        return _read_only(checked_actions([action], 1, self._leader, "leader action")[0])

    def step(self, state: Array, leader_action: Any, follower_action: Any) -> tuple[Array, float, float, bool]:
        """Make one step of one copy."""
        made = call_game(
            self.game,
            "step",
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


def draw_contexts(game: VectorGame, rng: np.random.Generator, n: int) -> IntArray:
    """Return n contexts of a vector game, shape (n,); no number is drawn where there is one context."""
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
