"""GuidedGame: a leader that blows wind, by a policy of its own, at what the follower steers."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from gymnasium.spaces import Box

from stackelberg_envs.arrays import Array, IntArray, frozen_space
from stackelberg_envs.errors import GameError
from stackelberg_envs.games.leader_policies import ClippedGaussianPolicy
from stackelberg_envs.games.vector import BatchStep, VectorGame

__all__ = ["WINDS", "GuidedGame"]

#: The leader's actions.
WINDS: Box = frozen_space(Box(-1.0, 1.0, (1,), np.float32))


@dataclass(frozen=True, eq=False, kw_only=True)
class GuidedGame(VectorGame):
    """A game of one wind and one push; subclasses name their spaces and say what both do.

    Attributes
    ----------
    STATES
        The state space, shape (W,).
    PUSHES
        The follower's action space, shape (1,), symmetric: pushes outside it are clipped.
    value_grid
        Where the grid is on which a follower can plan, as "module:class"; see :mod:`stackelberg_envs.solvers.grids`.
    """

    STATES: ClassVar[Box]
    PUSHES: ClassVar[Box]
    value_grid: ClassVar[str]
    suggested_follower: ClassVar[str] = "grid_value_iteration"

    commitment: ClippedGaussianPolicy

    def __post_init__(self) -> None:
        """Check that the leader's policy sees these states and blows wind."""
        super().__post_init__()
        if not isinstance(self.commitment, ClippedGaussianPolicy):
            raise GameError(f"commitment: expected a ClippedGaussianPolicy, got {type(self.commitment).__name__}")
        network, W = self.commitment.network, self.STATES.shape[0]
        if (network.inputs, network.outputs) != (W, 1):
            got = f"{network.inputs} to {network.outputs}"
            raise GameError(f"commitment: expected a network from {W} numbers to 1, got one from {got}")

    @property
    def state_space(self) -> Box:
        """Of one state, shape (W,)."""
        return self.STATES

    @property
    def follower_action_space(self) -> Box:
        """The push, shape (1,)."""
        return self.PUSHES

    @property
    def leader_action_space(self) -> Box:
        """The wind, shape (1,)."""
        return WINDS

    def leader_actions(self, rng: np.random.Generator, x: Array, states: Array, contexts: IntArray) -> Array:
        """Draw the wind from the committed policy, shape (n, 1)."""
        del contexts
        return self.commitment.draw(rng, x, states)

    def step(
        self,
        rng: np.random.Generator,
        x: Array,
        states: Array,
        contexts: IntArray,
        leader_actions: Array,
        follower_actions: Array,
    ) -> BatchStep:
        """Make one step; nothing about it is random."""
        del rng, x, contexts
        limit = float(self.PUSHES.high[0])
        return self.move(states, np.clip(follower_actions[:, 0], -limit, limit), leader_actions[:, 0])

    @abstractmethod
    def move(self, states: Array, pushes: Array, winds: Array) -> BatchStep:
        """Make one step of states of shape (n, W), pushes inside their space and winds, both of shape (n,)."""
