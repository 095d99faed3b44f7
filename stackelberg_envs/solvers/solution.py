"""What the exact solutions of all games have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from stackelberg_envs.arrays import Array

__all__ = ["EpisodeValues", "Solution"]


@dataclass(frozen=True)
class EpisodeValues:
    """Values of an episode that is cut at the horizon; the follower responds as if play had no end.

    Attributes
    ----------
    horizon
        Play steps after which the episode is cut; a terminal state may end it before.
    leader_value
        The leader's discounted reward, reward units.
    follower_value
        The follower's discounted reward with its entropy bonus, reward units.
    follower_reward_value
        The follower's discounted reward alone, reward units.
    """

    horizon: int
    leader_value: float
    follower_value: float
    follower_reward_value: float


class Solution(ABC):
    """Everything exact about one commitment; derivatives and errors are computed on first use.

    Attributes
    ----------
    x
        The commitment.
    leader_value
        J(x), the leader's discounted reward, reward units; over endless play unless the game says otherwise.
    follower_value
        What the follower maximises: its value at the initial distribution, entropy bonus included, in the dynamics that
        it believes in, over endless play; reward units.
    follower_reward_value
        What the response earns, without entropy bonus, in the true dynamics, over endless play; reward units.
    episode
        What an episode is worth as it is played, cut at the game's horizon.
    policy
        The follower's soft best response as followers hold it: over joint states, shape (Z, A, B), in tabular games; an
        object that draws actions where states are vectors.
    response
        The same in the game's own shape, ([K,] S, A, B), in tabular games.
    direct_gradient, response_gradient
        dJ/dx with the response held fixed, and the part that goes through it; the shape of x.
    leader_value_error, follower_value_error, policy_error, gradient_error
        Bounds on the errors of `leader_value`, of `follower_value`, of every number in the response, and of every entry
        of `gradient`.

    Tabular solutions also have `occupancy`.
    """

    x: Array

    @property
    @abstractmethod
    def leader_value(self) -> float: ...  # noqa: D102 - all under Attributes
    @property
    @abstractmethod
    def follower_value(self) -> float: ...  # noqa: D102
    @property
    @abstractmethod
    def follower_reward_value(self) -> float: ...  # noqa: D102
    @property
    @abstractmethod
    def episode(self) -> EpisodeValues: ...  # noqa: D102
    @property
    @abstractmethod
    def policy(self) -> Any: ...  # noqa: D102
    @property
    @abstractmethod
    def direct_gradient(self) -> Array: ...  # noqa: D102
    @property
    @abstractmethod
    def response_gradient(self) -> Array: ...  # noqa: D102
    @property
    @abstractmethod
    def leader_value_error(self) -> float: ...  # noqa: D102
    @property
    @abstractmethod
    def follower_value_error(self) -> float: ...  # noqa: D102
    @property
    @abstractmethod
    def policy_error(self) -> float: ...  # noqa: D102
    @property
    @abstractmethod
    def gradient_error(self) -> float: ...  # noqa: D102

    @property
    def response(self) -> Any:  # noqa: D102
        return self.policy

    @property
    def gradient(self) -> Array:
        """The hypergradient dJ/dx, the shape of x."""
        return self.direct_gradient + self.response_gradient

    @property
    def value_error(self) -> float:
        """The larger of `leader_value_error` and `follower_value_error`, reward units."""
        return max(self.leader_value_error, self.follower_value_error)

    def __repr__(self) -> str:
        """Return one line."""
        return f"{type(self).__name__}(leader_value={self.leader_value:.6g}, x of shape {self.x.shape})"
