r"""The follower's temperature in games of vectors, where the game keeps it private: from its actions and its values.

A soft-optimal follower plays :math:`g(b|s) \propto \exp(Q(s,b)/\lambda)`.

Where actions are a box they are taken for Gaussian, and their advantages, the temperature times the log-density, are
regressed on that (:func:`fit_gaussian`).

Where they are discrete there may be too many to sum over. Of two steps let it be known which two actions were taken,
and not which of them in which step (:func:`fit_swaps`). The odds that it was as recorded are

.. math::
    \exp\big(D/\lambda\big) , \qquad D = Q(s,b) + Q(s',b') - Q(s,b') - Q(s',b) ,

in which neither the values of states nor sums over actions appear. Whatever part of the reward is one of the state plus
one of the action cancels as well. So one search over a single number finds the temperature that makes the recorded
pairs likeliest: a logistic regression without a constant.

Values depend on the temperature through the entropy. They are found anew with each estimate, a few times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import scipy

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.samples import SampledCommitment

from .action_nodes import weighted_sum
from .step_model import PlayerValues, StepModel
from .temperature import LARGEST, LARGEST_ERROR, LEAST, TemperatureFit

__all__ = ["fit_gaussian", "fit_swaps", "swap_differences", "temperature_in"]

#: How often values are found anew.
ROUNDS = 3
#: How often each step is paired.
PAIRINGS = 4


def swap_differences(
    model: StepModel,
    follower: PlayerValues,
    commitment: SampledCommitment,
    x: Array,
    rng: np.random.Generator,
) -> Array:
    """Return D of pairs of steps of one context, reward units, shape (pairs,).

    Parameters
    ----------
    model, follower
        What was fitted to play, and the follower's values, in which an action has the reward of the recorded one.
    commitment, x
        What was announced: its part of the follower's reward is known for every action.
    rng
        Pairs the steps.
    """
    steps, found = model.steps, []
    for _ in range(PAIRINGS):
        partner = np.arange(len(steps))
        for context in np.unique(steps.context):
            rows = rng.permutation(np.flatnonzero(steps.context == context))
            first, second = rows[0 : len(rows) // 2 * 2 : 2], rows[1::2]
            partner[first], partner[second] = second, first
        swapped = steps.follower_action[partner]
        gain = follower.q(model.recorded) - follower.q(model.reach(steps.leader_action, swapped))
        own, other = (
            commitment.effect_at(x, replace(steps, follower_action=b)).follower_reward
            for b in (steps.follower_action, swapped)
        )
        if own is not None and other is not None:
            gain = gain + own - other
        pairs = np.flatnonzero(partner > np.arange(len(steps)))
        found.append(gain[pairs] + gain[partner[pairs]])
    return np.concatenate(found)


def fit_swaps(differences: Array) -> TemperatureFit | None:
    """Return the temperature that makes pairs likeliest, or None where they do not identify it.

    Parameters
    ----------
    differences
        D, reward units, shape (pairs,); each step is in several pairs, which is counted once.
    """
    spread = float(np.abs(differences).max(initial=0.0))
    if not 0.0 < spread < np.inf:
        return None
    scaled = differences / spread

    def loss(log_multiple: float) -> float:
        return float(np.logaddexp(0.0, -np.exp(-log_multiple) * scaled).sum())

    bounds = np.log(LEAST), np.log(LARGEST)
    found = float(scipy.optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6}).x)
    chance = scipy.special.expit(np.exp(-found) * scaled)
    information = float((chance * (1.0 - chance) * scaled**2).sum()) / PAIRINGS
    fit = TemperatureFit(spread * float(np.exp(found)), spread**2 * information)
    return fit if np.exp(found) < LARGEST_ERROR * np.sqrt(information) else None


def fit_gaussian(model: StepModel, follower: PlayerValues) -> TemperatureFit | None:
    """Return the temperature of a follower whose actions are Gaussian, or None where advantages do not identify it.

    Its advantages are the temperature times the log-density of its actions, less their means; of both the part that is
    quadratic in the actions' distance from their mean is known best.
    """
    behaviour, steps = model.behaviour, model.steps
    away = steps.follower_action - weighted_sum(behaviour.weights, behaviour.action_nodes)
    n, B = away.shape
    spread = away.T @ away / n
    if np.linalg.matrix_rank(spread, hermitian=True) < B:
        return None
    surprise = 0.5 * (B - np.einsum("tb,bc,tc->t", away, np.linalg.inv(spread), away))
    square = float(surprise @ surprise)
    temperature = float(follower.advantage @ surprise) / square
    if not 0.0 < temperature < np.inf:
        return None
    left = (follower.advantage - temperature * surprise) * surprise
    error = np.sqrt(float(left @ left) / (square * temperature) ** 2 + 2.0 / (n * B))
    return TemperatureFit(temperature, (temperature / error) ** 2) if error < LARGEST_ERROR else None


def temperature_in(
    model: StepModel,
    values_at: Callable[[float], PlayerValues],
    temperature: float,
    commitment: SampledCommitment,
    x: Array,
    rng: np.random.Generator,
) -> TemperatureFit | None:
    """Return what one commitment's play says of the temperature; None where it does not identify it.

    Parameters
    ----------
    model
        What was fitted to the play.
    values_at
        Temperature -> the follower's values.
    temperature
        The present estimate, reward units.
    commitment, x, rng
        See :func:`swap_differences`.
    """
    fit, boxed = None, model.steps.follower_action.dtype.kind == "f"
    for _ in range(ROUNDS):
        follower = values_at(temperature if fit is None else fit.temperature)
        fit = (
            fit_gaussian(model, follower) if boxed else fit_swaps(swap_differences(model, follower, commitment, x, rng))
        )
    return fit
