"""Leaders, one algorithm per file; the folder is walked."""

from __future__ import annotations

from .base import LEADERS, GradientConfig, GradientLeader, Leader, register_leader

__all__ = ["GradientConfig", "GradientLeader", "Leader", "leader_class", "leader_names", "register_leader"]

leader_names = LEADERS.names
leader_class = LEADERS.find
