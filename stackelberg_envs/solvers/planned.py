"""What the exact solutions of batched games have in common: all numbers come from a plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from stackelberg_envs.arrays import Array

__all__ = ["Planned", "PlannedSolution"]


class Planned(Protocol):
    """A game solved under one commitment."""

    @property
    def leader_value(self) -> float: ...  # noqa: D102
    @property
    def follower_value(self) -> float: ...  # noqa: D102
    @property
    def follower_reward_value(self) -> float: ...  # noqa: D102
    @property
    def direct_gradient(self) -> Array: ...  # noqa: D102
    @property
    def response_gradient(self) -> Array: ...  # noqa: D102


PlanT = TypeVar("PlanT", bound=Planned)


@dataclass(frozen=True, eq=False, repr=False)
class PlannedSolution(Generic[PlanT]):
    """Everything exact about one commitment; derivatives are computed on first use.

    Attributes
    ----------
    x
        The commitment.
    plan
        The game solved under it.
    """

    x: Array
    plan: PlanT

    def __repr__(self) -> str:
        """Return one line."""
        return f"{type(self).__name__}(leader_value={self.leader_value:.6g}, x of shape {self.x.shape})"

    @property
    def leader_value(self) -> float:
        """J(x), reward units."""
        return self.plan.leader_value

    @property
    def follower_value(self) -> float:
        """The follower's value at the initial distribution, entropy bonus included, over endless play; reward units."""
        return self.plan.follower_value

    @property
    def follower_reward_value(self) -> float:
        """The follower's discounted reward alone, without entropy bonus, over endless play; reward units."""
        return self.plan.follower_reward_value

    @property
    def direct_gradient(self) -> Array:
        """Derivative dJ/dx with the response held fixed, the shape of x."""
        return self.plan.direct_gradient

    @property
    def response_gradient(self) -> Array:
        """The part of dJ/dx that goes through the response, the shape of x."""
        return self.plan.response_gradient

    @property
    def gradient(self) -> Array:
        """The hypergradient dJ/dx, the shape of x."""
        return self.direct_gradient + self.response_gradient
