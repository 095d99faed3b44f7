"""Zero order: gradient ascent on differences of observed values at randomly perturbed parameters.

The one-sided form is the zero-order baseline of Thoma et al., "Contextual Bilevel Reinforcement Learning for Incentive
Alignment", NeurIPS 2024, arXiv 2406.01575. Smoothing by a Gaussian: Nesterov and Spokoiny, "Random Gradient-Free
Minimization of Convex Functions", Foundations of Computational Mathematics 17 (2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import InformationError
from stackelberg_envs.games.commitments.base import Commitment

from ..learning.optimizers import length, make_optimizer
from ..observing.brief import Brief, Information, TabularBrief
from ..observing.trajectories import Trajectories
from ..options import Positive, Unit, Weight
from ..state import stateful
from .base import GradientConfig, register_leader
from .black_box import BlackBoxLeader

__all__ = ["TabularZeroOrder", "TabularZeroOrderConfig", "ZeroOrder", "ZeroOrderConfig"]

#: Where the commitments of one estimate lie, in units of the perturbation u: the baseline first.
PROBES = {"two_point": (-1.0, 1.0), "unperturbed": (0.0, 1.0), "running": (1.0,)}


@dataclass(frozen=True)
class ZeroOrderConfig(GradientConfig):
    """Hyperparameters of the zero-order leader, besides those of gradient leaders.

    Attributes
    ----------
    learning_rate
        Of the ascent along the differences; see :class:`agents.GradientConfig` for what else it has.
    perturbation
        Standard deviation sigma of the perturbation of theta in the first estimate, in units of
        the parametrisation: for "projection" the widths of the box.
    shrinking
        In estimate t = 1, 2, ... the standard deviation is perturbation / t^shrinking. The published code has 1 and
        exact values. With observed returns, the effect of a small perturbation cannot be seen for their noise.
    two_point
        Whether to take the symmetric difference (J(theta + sigma u) - J(theta - sigma u)) / (2 sigma) u, from two
        commitments, instead of a one-sided one.
    baseline
        What the one-sided difference (J(theta + sigma u) - baseline) / sigma u is taken from: "unperturbed", the value
        at theta (two commitments per step), or "running", an average of earlier values (one per step).
    memory
        Weight of the past in the running average.
    """

    learning_rate: Positive = 0.05
    perturbation: Positive = 0.3
    shrinking: Unit = 0.0
    two_point: bool = False
    baseline: Literal["unperturbed", "running"] = "unperturbed"
    memory: Weight = 0.9


@register_leader("zero_order")
class ZeroOrder(BlackBoxLeader):
    """Differences of returns at nearby commitments.

    It needs nothing but its own returns. It tries commitments beside the present one and climbs along the difference.

    Up to the noise of the returns, its estimates are unbiased for the gradient of J smoothed by the perturbation.
    """

    kinds = frozenset({"vector", "environment", "markov"})
    Config: ClassVar[type[Any]] = ZeroOrderConfig
    state_fields = stateful.fields(
        optimizer=stateful.Part(like="theta"),
        _centre=stateful.Array(),
        _direction=stateful.Array(),
        _values=stateful.List(stateful.Number(), most=lambda self: len(self._probes) - 1),
        _running=stateful.Number(optional=True),
        _steps=stateful.Count(),
    )

    def __init__(self, brief: Brief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        self.optimizer = make_optimizer(config.optimizer, config.learning_rate)
        self._probes = PROBES["two_point" if config.two_point else config.baseline]
        self._centre = self.theta
        self._values: list[float] = []
        self._running: float | None = None
        self._steps = 0
        self._turn()

    @property
    def _sigma(self) -> float:
        """The present standard deviation."""
        return float(self.config.perturbation / (1.0 + self._steps) ** self.config.shrinking)

    def _turn(self) -> None:
        """Draw a new direction and begin with its first probe."""
        self._direction = self.rng.standard_normal(self._centre.size)
        self._values = []
        self.theta = self._probe()

    def _probe(self) -> Array:
        offset = self._probes[len(self._values)] * self._sigma
        return np.asarray(self._centre + offset * self.unit * self._direction)

    def following(self, value: float) -> tuple[Array, dict[str, float]]:
        """Go on to the next probe, or step along the estimate when all are known."""
        self._values.append(value)
        if len(self._values) < len(self._probes):
            return self._probe(), {"gradient_norm": float("nan")}
        gradient = self.estimate(self._values)
        self._centre = self.climbed(self._centre, gradient, self.optimizer, self._steps)
        self._steps += 1
        self._turn()
        return self.theta, {"gradient_norm": length(gradient)}

    def estimate(self, values: list[float]) -> Array:
        """Return the estimate of dJ/dtheta, shape (P,), from the values at the probes."""
        baseline = self._running_value(values[-1]) if len(values) == 1 else values[0]
        distance = self._probes[-1] - (self._probes[0] if len(values) == 2 else 0.0)
        rise = (values[-1] - baseline) / (distance * self._sigma)
        return np.asarray(rise * self._direction / self.unit)

    def _running_value(self, value: float) -> float:
        """Return the average of the values before this one, and take this one in."""
        before = value if self._running is None else self._running
        self._running = self.config.memory * before + (1.0 - self.config.memory) * value
        return before


@dataclass(frozen=True)
class TabularZeroOrderConfig(ZeroOrderConfig):
    """Hyperparameters of the zero-order leader with tables: it may read exact values.

    Attributes
    ----------
    values
        "observed" returns, or "exact" values, read from the game as the published code does: the declared level is
        then MODEL, and one update does all of an estimate.
    """

    values: Literal["observed", "exact"] = "observed"


@register_leader("zero_order")
class TabularZeroOrder(ZeroOrder):
    """Differences of returns at nearby commitments.

    It needs nothing but its own returns, unless it is told to read exact values.
    """

    brief: TabularBrief
    kinds = frozenset({"tabular"})
    Config = TabularZeroOrderConfig
    #: The follower's values, from which the next solution starts.
    state_fields = stateful.fields(
        _start=stateful.Array(lambda self: (self.brief.num_joint_states,), optional=True),
    )

    def __init__(self, brief: TabularBrief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        self._start: Array | None = None
        if config.values == "exact":
            if brief.model is None:
                raise InformationError("zero_order: expected the game itself (level MODEL) for exact values")
            self.theta = self._centre

    @classmethod
    def required_information(cls, commitment: Commitment, config: Any, public_temperature: bool = True) -> Information:
        """Exact values need the game itself."""
        del commitment, public_temperature
        return Information.MODEL if config.values == "exact" else cls.information

    def update(self, trajectories: Trajectories) -> dict[str, float]:
        """Judge the present candidate and choose the next; with exact values, all candidates of a step at once."""
        if self.config.values == "observed":
            return super().update(trajectories)
        self.observe_rewards(trajectories)
        diagnostics: dict[str, float] = {}
        for _ in self._probes:
            self.theta = self._probe()
            value = self._exact_value()
            if value > self.best_value:
                self.best_theta, self.best_value = self.theta, value
            _, diagnostics = self.following(value)
        self.theta = self._centre
        return {"best_value": self.best_value, **diagnostics}

    def _exact_value(self) -> float:
        """Return J at the present candidate."""
        from stackelberg_envs.solvers.soft import solve_primitives  # only who plans loads solvers

        solution = solve_primitives(self.brief.model.primitives(self.commit()), start=self._start)
        self._start = solution.best.state_values
        return solution.leader.value
