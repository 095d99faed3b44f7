r"""The follower's temperature, where the game keeps it private: maximum likelihood of the observed actions.

A soft-optimal follower plays :math:`g(b|s,a) \propto \exp(Q_F(s,a,b)/\lambda)`, and evaluating its behaviour with the
entropy bonus :math:`-\lambda \log g` gives values that are linear in the temperature,

.. math::
    Q_F = Q_r + \lambda Q_H , \qquad
    Q_r = r_F + \gamma_F P^g Q_r , \qquad Q_H = \gamma_F P^g (Q_H - \log g) ,

so that two evaluations serve every :math:`\lambda`. With :math:`\beta = 1/\lambda` the log-likelihood of the actions,

.. math::
    L(\beta) = \sum_{s,a,b} n(s,a,b) \left( \beta Q_r + Q_H - \log\sum_{b'} \exp(\beta Q_r + Q_H) \right) ,

is that of a conditional logit with one coefficient and an offset: concave in :math:`\beta`, so that it has one
maximum in :math:`\log\lambda` as well. Its curvature is the information
:math:`I = \sum n(s,a) \mathrm{Var}_g Q_r`; the standard error of :math:`\beta` is :math:`I^{-1/2}`, that of
:math:`\lambda` is :math:`\lambda^2 I^{-1/2}`.

Not identified, and then None: where :math:`Q_r` does not vary among the actions of any visited state (the follower is
indifferent), and where the better action is always taken (any small :math:`\lambda` explains that) or all are taken
alike (any large one does): in general, where the standard error would exceed the estimate. Without the follower's
rewards only the ratios :math:`r_F/\lambda` can be seen, never :math:`\lambda`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array

from ..state import stateful
from ..state.stateful import Stateful
from .counts import EvaluationTask, TabularCounts, count_actions

__all__ = ["AveragedTemperature", "TemperatureEstimate", "TemperatureFit", "fit_temperature"]

#: The temperature is looked for between these multiples of the largest difference of Q_r.
LEAST, LARGEST = 1e-4, 1e3
#: Fits with a larger relative standard error are none.
LARGEST_ERROR = 1.0
#: Weight of all earlier fits at each new one: they were made with a model that had seen less.
MEMORY = 0.98
#: Actions taken less often than this, over all commitments, are left out: the value of one taken once is mostly noise,
#: which a likelihood that knows of none would take for indifference.
LEAST_VISITS = 10


@dataclass(frozen=True)
class TemperatureFit:
    """A maximum of the likelihood.

    Attributes
    ----------
    temperature
        lambda, reward units.
    information
        Fisher information about 1 / lambda, in reward units squared.
    """

    temperature: float
    information: float

    @property
    def relative_error(self) -> float:
        """The standard error of log lambda; that of the counts alone, as if the values were exact."""
        return self.temperature / math.sqrt(self.information) if self.information > 0 else math.inf


def fit_temperature(
    counts: Array, reward_values: Array, entropy_values: Array, choices: NDArray[np.bool_] | None = None
) -> TemperatureFit | None:
    """Return the temperature that makes the observed actions likeliest, or None where they do not identify it.

    Parameters
    ----------
    counts
        How often each action was taken, shape (Z, A, B).
    reward_values, entropy_values
        Q_r in reward units, and Q_H, shape (Z, A, B).
    choices
        Actions whose values are known, booleans of shape (Z, A, B); default all. The likelihood is then that of the
        choice among those, which has the same maximum in expectation; other actions do not count.
    """
    counts = counts if choices is None else np.where(choices, counts, 0.0)
    rows = counts.sum(axis=2) > 0
    n, reward, entropy = counts[rows], reward_values[rows], entropy_values[rows]
    open_ = np.ones(n.shape, dtype=np.bool_) if choices is None else choices[rows]
    offset = np.where(open_, entropy, -np.inf)
    reward = np.where(open_, reward - _most_likely(reward, n), 0.0)
    spread = float(np.abs(reward).max(initial=0.0))
    if spread == 0.0:
        return None

    # In units of the spread: the search has steps relative to the logarithm itself, which a unit would shift.
    scaled = reward / spread

    def loss(log_multiple: float) -> float:
        logits = scipy.special.log_softmax(np.exp(-log_multiple) * scaled + offset, axis=1)
        return -float((n * np.where(open_, logits, 0.0)).sum())

    low, high = np.log(LEAST), np.log(LARGEST)
    found = float(scipy.optimize.minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6}).x)
    g = np.exp(scipy.special.log_softmax(np.exp(-found) * scaled + offset, axis=1))
    mean = (g * scaled).sum(axis=1, keepdims=True)
    information = float((n.sum(axis=1) * (g * (scaled - mean) ** 2).sum(axis=1)).sum())
    fit = TemperatureFit(spread * float(np.exp(found)), spread**2 * information)
    return fit if np.exp(found) < LARGEST_ERROR * math.sqrt(information) else None


def _most_likely(values: Array, counts: Array) -> Array:
    """Return each row's value of the action taken most, so that differences are taken before they are scaled."""
    return np.take_along_axis(values, counts.argmax(axis=1)[:, None], axis=1)


class AveragedTemperature(Stateful):
    """The temperature as it becomes known from one commitment to the next.

    Every batch gives a fit and its information; their logarithms are averaged, weighted by their information about
    the logarithm, older ones forgotten by and by.

    Attributes
    ----------
    temperature
        The present estimate, reward units; None while there is none.
    fit
        The last batch's own fit, or None.
    reward_range
        Of the follower's rewards seen so far.
    """

    state_fields = stateful.fields(
        temperature=stateful.Number(low=0.0, optional=True),
        fit=stateful.Record(
            TemperatureFit, temperature=stateful.Number(low=0.0), information=stateful.Number(), optional=True
        ),
        reward_range=stateful.Number(low=0.0),
        _weight=stateful.Number(),
    )

    def __init__(self) -> None:
        self.temperature: float | None = None
        self.fit: TemperatureFit | None = None
        self.reward_range = self._weight = 0.0

    @property
    def value(self) -> float:
        """The estimate; while there is none, a temperature of the size of the rewards seen, reward units."""
        return self.temperature or self.reward_range or 1.0

    def see(self, rewards: Array) -> None:
        """Keep the range of the follower's rewards, reward units."""
        self.reward_range = max(self.reward_range, float(np.ptp(rewards)))

    def learn(self, fit: TemperatureFit | None) -> float | None:
        """Take in a batch's fit, None where it has none, and return the estimate."""
        self.fit = fit
        if fit is not None:
            weight = fit.relative_error**-2
            self._weight = MEMORY * self._weight + weight
            last = fit.temperature if self.temperature is None else self.temperature
            # The mean of all logarithms moves by the new one's share: logarithms themselves would have a unit.
            share = weight / self._weight
            self.temperature = last * float((fit.temperature / last) ** share)
        return self.temperature


class TemperatureEstimate(AveragedTemperature):
    """The temperature of a follower in a game of tables, from the counts of all play.

    Parameters
    ----------
    counts
        All that was seen, the play to learn from included; others may read it too.
    discount
        The follower's, per play step.
    """

    state_fields = stateful.fields()

    def __init__(self, counts: TabularCounts, discount: float) -> None:
        super().__init__()
        self.counts, self.discount = counts, discount

    def update(self, task: EvaluationTask) -> float | None:
        """Learn from one commitment's play, the follower's rewards in it, and return the estimate."""
        seen, g = task.trajectories, task.behaviour
        self.see(task.rewards)
        taken = np.zeros_like(g)
        count_actions(seen.joint_state, seen.leader_action, seen.follower_action, taken)
        mean = self.counts.mean_reward("follower", task.announced_reward)
        reward_values = self.counts.evaluate(mean, task.leader_policy, g, self.discount)
        bonus = -np.log(np.where(g > 0, g, 1.0))
        entropy_values = self.counts.evaluate(np.zeros_like(g), task.leader_policy, g, self.discount, bonus)
        return self.learn(fit_temperature(taken, reward_values, entropy_values, self.counts.visits >= LEAST_VISITS))
