r"""RT-Q: HPGD for leaders who control the follower's training, by randomly truncated soft Q-learning.

Thoma et al., "Contextual Bilevel Reinforcement Learning for Incentive Alignment", NeurIPS 2024, arXiv 2406.01575.
Deviations from the paper: docs/reproduction.md.

With :math:`h_k` the hypergradient at the response after :math:`2^k` iterations, a level k = 1..K is drawn with
:math:`p_k \propto 2^{-k}`, the follower trained :math:`2^{k+1}` iterations from the start, and

.. math::
    \hat h = h_1 + \frac{h_{k+1} - h_k}{p_k}, \qquad
    E \hat h = h_1 + \sum_{k=1}^K (h_{k+1} - h_k) = h_{K+1}, \qquad
    E[2^{k+1}] = \frac{2 K}{1 - 2^{-K}} .
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from msgspec import Meta

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import InformationError
from stackelberg_envs.solvers.soft import evaluate

from ..estimators.counts import BehaviourEstimate
from ..estimators.expected import solution_with
from ..estimators.models.counted import ObservedModel
from ..observing.brief import Information, TabularBrief
from ..observing.trajectories import Trajectories
from ..options import NonNegative, Positive
from ..state import stateful
from .base import GradientConfig, GradientLeader, register_leader

__all__ = ["Rtq", "RtqConfig", "expected_iterations", "level_probabilities", "truncated_estimate"]


@dataclass(frozen=True)
class RtqConfig(GradientConfig):
    """Hyperparameters of RT-Q.

    Attributes
    ----------
    levels
        K: the estimate's expectation is the hypergradient at the response after 2^(K + 1) iterations.
    shrinkage
        In the model of play: how much the average over the follower's actions counts beside what was seen of one
        action, as much as so many visits. It decides what is believed of an action that was never seen.
    max_norm
        Limit on the length of the gradient by theta, in units of the largest reward seen, as for all gradient leaders.
        There is one here by default, because high levels are rare and divided by small probabilities.
    """

    levels: Annotated[int, Meta(ge=1, le=60)] = 8
    shrinkage: NonNegative = 1.0
    max_norm: Positive | None = 10.0


@register_leader("rtq")
class Rtq(GradientLeader):
    """Randomly truncated soft Q-learning.

    To train a follower to the end in every update takes long, and to stop early gives a wrong gradient. This leader has
    the follower trained for a random number of iterations, mostly few, and weights the result so that the mean is
    right.

    An estimate combines the hypergradients at three responses. They are computed in a model of all play that was
    observed so far, whatever the commitment was.
    """

    brief: TabularBrief
    information = Information.CONTROLS_TRAINING
    off_policy: ClassVar[bool] = True
    serves: ClassVar[frozenset[str]] = frozenset({"feasible actions", "discount 1"})
    Config = RtqConfig
    state_fields = stateful.fields(model=stateful.Part(), behaviour=stateful.Part(), _value=stateful.Number())

    def __init__(self, brief: TabularBrief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        self.probabilities = level_probabilities(config.levels)
        self.model = ObservedModel(brief, config.shrinkage)
        self.behaviour = BehaviourEstimate(brief.table_shape, prior_visits=0.0, feasible=brief.feasible)
        self._value = 0.0

    def gradient(self, trajectories: Trajectories) -> tuple[Array, dict[str, float]]:
        """Update the model, draw a level, have the follower trained, and combine the three hypergradients."""
        self.model.observe(trajectories)
        x = self.commit()
        # Of responses, only the observed one is always trained to the end.
        self._value = evaluate(self.model.primitives(x), self.behaviour.update(trajectories)).value
        level = 1 + int(self.rng.choice(len(self.probabilities), p=self.probabilities))
        estimate = self.estimate(x, level)
        return estimate, {"level": float(level), "training_iterations": 2.0 ** (level + 1)}

    def estimate(self, x: Array, level: int) -> Array:
        """Return the estimate of dJ/dx for a level that was drawn, the shape of x."""
        if self.brief.train is None:
            raise InformationError("rtq: expected a brief with train (level CONTROLS_TRAINING), got one without")
        # All powers of two are asked for, so that each response is the same whatever the level.
        responses = self.brief.train(x, [2**k for k in range(1, level + 2)], self.rng)
        first, low, high = (self._hypergradient(x, responses[i]) for i in (0, -2, -1))
        return truncated_estimate(first, low, high, self.probabilities[level - 1])

    def _hypergradient(self, x: Array, response: Array) -> Array:
        commitment, solution = self.brief.commitment, solution_with(self.model.primitives(x), response)
        wanted, shape = commitment.changes, self.brief.array_shape
        return commitment.vjp(x, solution.direct(wanted, shape) + solution.through_response(wanted, shape))

    def judge(self, trajectories: Trajectories) -> tuple[float, float]:
        """Return the value of the observed behaviour in the model; its noise is not known."""
        del trajectories
        return self._value, 0.0


def level_probabilities(levels: int) -> Array:
    """Return p_k, proportional to 2^-k for k = 1..K, shape (K,)."""
    weights = 2.0 ** -np.arange(1, levels + 1)
    return np.asarray(weights / weights.sum())


def expected_iterations(levels: int) -> float:
    """Return E[2^(k + 1)] = 2 K / (1 - 2^-K), the expected cost of one estimate in iterations of the follower."""
    return float(level_probabilities(levels) @ 2.0 ** np.arange(2, levels + 2))


def truncated_estimate(first: Array, low: Array, high: Array, probability: float) -> Array:
    """Return first + (high - low) / probability."""
    return np.asarray(first + (high - low) / probability)
