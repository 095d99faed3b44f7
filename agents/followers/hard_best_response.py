"""Hard best response: the follower of the classical Stackelberg game, with a rule for ties."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stackelberg_envs.solvers.soft import hard_best_response

from ..options import Positive
from ..state import stateful
from .base import FollowerView, RestartingFollower, TabularFollowerConfig, register_follower

__all__ = ["HardBestResponse", "HardBestResponseConfig"]


@dataclass(frozen=True)
class HardBestResponseConfig(TabularFollowerConfig):
    """Options of the follower without entropy.

    Attributes
    ----------
    tie_break
        Which of several optimal actions it takes: with "optimistic" the best for the leader, with "pessimistic" the
        worst.
    tie_margin
        Two actions are tied if they differ by at most this part of what the better one is worth to the follower.
    tolerance
        Bound on the error of its values, relative to the largest of them.
    """

    tie_break: Literal["optimistic", "pessimistic"] = "optimistic"
    tie_margin: Positive = 1e-10
    tolerance: Positive = 1e-10


@register_follower("hard_best_response")
class HardBestResponse(RestartingFollower):
    """Exact best response without entropy.

    It maximises its rewards without any entropy bonus, whatever the game's temperature. It keeps nothing from one
    commitment to the next, so `restart` makes no difference.
    """

    Config = HardBestResponseConfig
    serves = frozenset({"feasible actions", "discount 1"})
    state_fields = stateful.fields()

    def begin(self, view: FollowerView) -> None:
        """There is nothing to forget."""

    def adapt(self, view: FollowerView) -> int:
        """Solve for the hard best response."""
        options = self.config
        self.policy = hard_best_response(
            view.primitives, tie_break=options.tie_break, tie_margin=options.tie_margin, tolerance=options.tolerance
        ).policy
        return 0
