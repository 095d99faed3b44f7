"""Estimators: from trajectories to cotangents, and what is learned on the way.

Where to begin. On tables: :mod:`~agents.estimators.boltzmann_covariance` has the estimate itself, pure functions of one
commitment's play; then what it is given and what keeps a state from one commitment to the next:
:mod:`~agents.estimators.counts` (all that is counted, and `lstd`), :mod:`~agents.estimators.critics`,
:mod:`~agents.estimators.temperature`. :mod:`~agents.estimators.visit_averages` has the response term of HPGD in place
of the trace. Where states are vectors: :mod:`~agents.estimators.vector`, then :mod:`~agents.estimators.step_model` and
what it is made with, :mod:`~agents.estimators.action_nodes` and :mod:`~agents.estimators.regression`;
:mod:`~agents.estimators.fitted_values` is the other critic. Whole models of a game are in
:mod:`agents.estimators.models`; :mod:`~agents.estimators.likelihood` fits the tabular one;
:mod:`~agents.estimators.unrolled` differentiates one.
"""

from stackelberg_envs.games.cotangents import StepCotangents

from .boltzmann_covariance import (
    StepValues,
    ValueEstimates,
    boltzmann_covariance,
    score_function,
    step_coefficients,
    tabulate,
)
from .counts import BehaviourEstimate, EvaluationTask, Lstd, TabularCounts
from .critics import CRITICS, ExpectedSarsaCritic, MonteCarlo, make_critic

__all__ = [
    "CRITICS",
    "BehaviourEstimate",
    "EvaluationTask",
    "ExpectedSarsaCritic",
    "Lstd",
    "MonteCarlo",
    "StepCotangents",
    "StepValues",
    "TabularCounts",
    "ValueEstimates",
    "boltzmann_covariance",
    "make_critic",
    "score_function",
    "step_coefficients",
    "tabulate",
]
