"""What a session needs to know of a game: the protocol of its simulator, and the record of a step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array

if TYPE_CHECKING:
    from gymnasium.spaces import Space

__all__ = ["NOTHING", "Bounds", "Nothing", "Simulator", "cumulative", "record"]

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
    leader_choice_space
        The same for a leader that chooses at every step, which learns: finite.
    state_bounds
        Least and greatest values of a state in an observation, two arrays of shape (W,).
    leader_action_bounds
        The same for the leader's play action; of shape (0,) where it only configures.

    Notes
    -----
    Where the followers share one state, the simulator has besides ``step_together(state, actions)``, which makes the
    step of all of them and returns (next state, the leader's reward, a list of everybody's, whether nothing follows).
    """

    follower_action_space: Space[Any]
    leader_action_space: Space[Any] | None
    leader_choice_space: Space[Any] | None
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

    def action_mask(self, state: Any, leader_action: Any) -> NDArray[np.int8] | None:
        """Return ones for the actions that a follower can take, a new array; None in games where it can take all.

        A leader's action that is None is not known yet, and neither is a state.
        """

    def check_leader_action(self, action: Any) -> Any:
        """Return a legal play action of the leader, or raise ActionError."""

    def step(self, state: Any, leader_action: Any, follower_action: Any) -> tuple[Any, float, float, bool]:
        """Return (next state, leader's reward, follower's reward, whether nothing follows)."""

    def write_state(self, row: NDArray[np.float32], previous: Any, state: Any) -> None:
        """Write a state into the first W numbers of `row`, which hold `previous` (None: zeros)."""

    def write_leader_action(self, row: NDArray[np.float32], start: int, previous: Any, action: Any) -> None:
        """Write the leader's action into `row` from `start`, where `previous` is (None: zeros)."""


def record(
    played: Any,
    step: Any,
    context: Any,
    state: Any,
    leader_action: Any,
    follower_action: Any,
    next_state: Any,
    terminal: Any,
    leader_reward: Any,
    follower_reward: Any,
) -> dict[str, Any]:
    """Return what an observer sees of one round of a follower, or of one each of many; see :meth:`Session.play`.

    `follower_reward` is None where the game keeps it private, and is then left out.
    """
    seen = {
        "played": played,
        "step": step,
        "context": context,
        "state": state,
        "leader_action": leader_action,
        "follower_action": follower_action,
        "next_state": next_state,
        "terminal": terminal,
        "leader_reward": leader_reward,
    }
    if follower_reward is not None:
        seen["follower_reward"] = follower_reward
    return seen


def cumulative(probabilities: Array) -> Array:
    """Return running sums along the last axis, infinite from the last possible entry on.

    With infinity there a draw can neither fall off the end by rounding nor land on padding.
    """
    sums = np.cumsum(probabilities, axis=-1)
    possible = probabilities > 0
    last = probabilities.shape[-1] - 1 - np.argmax(possible[..., ::-1], axis=-1)
    sums[np.arange(probabilities.shape[-1]) >= last[..., None]] = np.inf
    return sums
