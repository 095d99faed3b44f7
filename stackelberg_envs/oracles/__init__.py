"""Exact solvers of games: the planning functions, and `solve`, which applies them to a game and a commitment."""

from stackelberg_envs.oracles.episode import EpisodeValues
from stackelberg_envs.oracles.responses import hard_best_response, soft_best_response
from stackelberg_envs.oracles.solution import Solution, solve
from stackelberg_envs.planning import (
    BestResponse,
    evaluate,
    hypergradient,
    leader_value,
    occupancy,
    response_gap,
)

__all__ = [
    "BestResponse",
    "EpisodeValues",
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
