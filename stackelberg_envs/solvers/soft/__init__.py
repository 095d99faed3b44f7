"""Planning on plain arrays: best responses, evaluation, hypergradients. Nothing here knows a game."""

from stackelberg_envs.games.primitives import Primitives
from stackelberg_envs.solvers.soft.best_response import BestResponse, soft_best_response
from stackelberg_envs.solvers.soft.evaluation import (
    LeaderEvaluation,
    episode_values,
    evaluate,
    follower_reward_value,
    leader_value,
    occupancy,
    response_gap,
)
from stackelberg_envs.solvers.soft.hard_response import hard_best_response
from stackelberg_envs.solvers.soft.hypergradient import Flows, Plan, hypergradient, make_plan

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
