"""What one episode is worth as it is played: up to the horizon, after which nobody is paid."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EpisodeValues"]


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
