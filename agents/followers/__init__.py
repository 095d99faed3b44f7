"""Followers, one algorithm per file; the folder is walked."""

from __future__ import annotations

from .base import FOLLOWERS, Follower, FollowerView, register_follower
from .learners import register_learner

__all__ = ["Follower", "FollowerView", "follower_class", "follower_names", "register_follower", "register_learner"]

follower_names = FOLLOWERS.names
follower_class = FOLLOWERS.find
