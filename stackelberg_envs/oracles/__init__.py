"""Exact solvers: the follower's best response, values, occupancies and the leader's hypergradient."""

from stackelberg_envs.oracles.best_response import BestResponse, hard_best_response, soft_best_response
from stackelberg_envs.oracles.evaluation import evaluate, leader_value, occupancy, response_gap
from stackelberg_envs.oracles.hypergradient import Solution, hypergradient, solve

__all__ = [
    "BestResponse",
    "Solution",
    "evaluate",
    "hard_best_response",
    "hypergradient",
    "leader_value",
    "occupancy",
    "response_gap",
    "soft_best_response",
    "solve",
]
