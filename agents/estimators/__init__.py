"""Estimators: pure functions from trajectories to cotangents, and the critics they need."""

from agents.estimators.behaviour import BehaviourEstimate
from agents.estimators.boltzmann_covariance import (
    StepValues,
    ValueEstimates,
    boltzmann_covariance,
    look_up,
    score_function,
    step_coefficients,
    tabulate,
)
from agents.estimators.critics import CRITICS, EvaluationTask, ExpectedSarsaCritic, Lstd, MonteCarlo, make_critic
from stackelberg_envs.games.cotangents import StepCotangents

__all__ = [
    "CRITICS",
    "BehaviourEstimate",
    "EvaluationTask",
    "ExpectedSarsaCritic",
    "Lstd",
    "MonteCarlo",
    "StepCotangents",
    "StepValues",
    "ValueEstimates",
    "boltzmann_covariance",
    "look_up",
    "make_critic",
    "score_function",
    "step_coefficients",
    "tabulate",
]
