"""Planning on plain arrays: best responses, evaluation, hypergradients. Nothing here knows a game."""

from stackelberg_envs.planning.best_response import BestResponse, soft_best_response
from stackelberg_envs.planning.evaluation import (
    LeaderEvaluation,
    episode_values,
    evaluate,
    follower_reward_value,
    leader_value,
    occupancy,
    response_gap,
)
from stackelberg_envs.planning.hard_response import hard_best_response
from stackelberg_envs.planning.hypergradient import Flows, Plan, hypergradient, make_plan
from stackelberg_envs.primitives import Primitives

__all__ = [
    "BestResponse",
    "Flows",
    "LeaderEvaluation",
    "Plan",
    "Primitives",
    "episode_values",
    "evaluate",
    "follower_reward_value",
    "hard_best_response",
    "hypergradient",
    "leader_value",
    "make_plan",
    "occupancy",
    "response_gap",
    "soft_best_response",
]
