"""Tabular games: soft and hard best responses, evaluation, hypergradients. `solution.py` alone knows a game.

May import: `games`, the other files of `solvers` and the ground.
To read: `best_response.py`, `evaluation.py`, `hypergradient.py`, then `solution.py`.
"""

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
from stackelberg_envs.solvers.soft.hypergradient import Flows, SoftSolution, adjoint_flows, solve_primitives

__all__ = [
    "BestResponse",
    "Flows",
    "LeaderEvaluation",
    "Primitives",
    "SoftSolution",
    "adjoint_flows",
    "episode_values",
    "evaluate",
    "follower_reward_value",
    "hard_best_response",
    "leader_value",
    "occupancy",
    "response_gap",
    "soft_best_response",
    "solve_primitives",
]
