"""AMD: adaptive model design, the hypergradient by a fixed number of inner sweeps through the known game.

Chen et al., "Adaptive Model Design for Markov Decision Process", ICML 2022. The designer predicts how the agent reacts
by solving the agent's decision process, so it has to know the game: its level is MODEL. Deviations from the paper:
docs/reproduction.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import InformationError

from ..estimators.unrolled import WarmStart, unrolled_solution
from ..observing.brief import Information, TabularBrief
from ..observing.trajectories import Trajectories
from ..options import Count
from ..state import stateful
from .base import GradientConfig, GradientLeader, register_leader

__all__ = ["Amd", "AmdConfig"]


@dataclass(frozen=True)
class AmdConfig(GradientConfig):
    """Hyperparameters of AMD.

    Attributes
    ----------
    inner_iterations
        Sweeps per update, of each recursion in :mod:`agents.estimators.unrolled`. What n sweeps leave of an error is
        discount^n of it; with discount 1, as much as the chance that play lasts longer than n steps.
    warm
        Whether an update continues from the values of the last one; otherwise it starts from zeros.
    """

    inner_iterations: Count = 200
    warm: bool = True


@register_leader("amd")
class Amd(GradientLeader):
    """Hypergradient by inner sweeps, in the game itself.

    It never looks at the trajectories. Each update makes a fixed number of sweeps in the game, under the last
    commitment, and climbs along the hypergradient that results.
    """

    brief: TabularBrief
    information = Information.MODEL
    Config = AmdConfig
    off_policy: ClassVar[bool] = True
    serves: ClassVar[frozenset[str]] = frozenset({"feasible actions", "discount 1"})
    state_fields = stateful.fields(
        _start=stateful.Record(
            WarmStart,
            follower_values=stateful.Array(),
            leader_values=stateful.Array(),
            occupancy=stateful.Array(),
            state_flow=stateful.Array(),
        ),
        _value=stateful.Number(),
    )

    def __init__(self, brief: TabularBrief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        if brief.model is None:
            raise InformationError("amd: expected the game itself (level MODEL), got a brief without it")
        self._start = WarmStart.zeros(brief.num_joint_states)
        self._value = 0.0

    def gradient(self, trajectories: Trajectories) -> tuple[Array, dict[str, float]]:
        """Return dJ/dx as the sweeps find it, and a bound on the error of the follower's values."""
        del trajectories
        x = self.brief.commitment.check(self.commit())
        solution = unrolled_solution(self.brief.model.primitives(x), self.config.inner_iterations, self._start)
        if self.config.warm:
            self._start = solution.warm_start
        self._value = solution.leader.value
        commitment = self.brief.commitment
        wanted, shape = commitment.changes, self.brief.array_shape
        cotangents = solution.direct(wanted, shape) + solution.through_response(wanted, shape)
        return commitment.vjp(x, cotangents), {"response_error": solution.best.error}

    def judge(self, trajectories: Trajectories) -> tuple[float, float]:
        """Return J as the sweeps found it, which has no noise."""
        del trajectories
        return self._value, 0.0
