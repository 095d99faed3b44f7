"""Estimators: pure functions from trajectories to cotangents, and the critics they need."""

from agents.estimators.behaviour import BehaviourEstimate
from agents.estimators.boltzmann_covariance import (
    Coefficients,
    ValueEstimates,
    boltzmann_covariance,
    score_function,
    tabulate,
)
from agents.estimators.critics import CRITICS, ExpectedSarsa, Lstd, MonteCarlo, make_critic

__all__ = [
    "CRITICS",
    "BehaviourEstimate",
    "Coefficients",
    "ExpectedSarsa",
    "Lstd",
    "MonteCarlo",
    "ValueEstimates",
    "boltzmann_covariance",
    "make_critic",
    "score_function",
    "tabulate",
]
