"""Exact, where followers affect each other: ascents on the hypergradient through their logit equilibrium."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.solvers.equilibrium.solution import solve_markov

from ..observing.brief import Information, MarkovBrief
from ..observing.trajectories import Trajectories
from ..options import Count, Options
from ..planning.box import BoxObjective
from ..planning.search import ascend
from ..state import stateful
from .base import Leader, register_leader

__all__ = ["MarkovExact", "MarkovExactConfig"]


@dataclass(frozen=True)
class MarkovExactConfig(Options):
    """Options of the exact leader of followers that affect each other.

    Attributes
    ----------
    starts
        Ascents that it makes, one an update: from the middle of the box, and from places drawn evenly in it.
    iterations
        L-BFGS iterations of each.
    """

    starts: Count = 5
    iterations: Count = 200


@register_leader("exact")
class MarkovExact(Leader):
    """Exact gradients of the game through the followers' equilibrium, from many starts.

    Each of its first updates makes an ascent by L-BFGS in the box of commitments; then it announces the best that it
    has come to. J may jump where the followers' equilibrium does, and the ascents are local: what it finds is no
    certificate.
    """

    brief: MarkovBrief
    information = Information.MODEL
    Config = MarkovExactConfig
    kinds = frozenset({"markov"})
    needs_response = False
    state_fields = stateful.fields(
        _best=stateful.Array(lambda self: self.brief.commitment.shape),
        _best_value=stateful.Number(),
        _made=stateful.Count(),
    )

    def __init__(self, brief: MarkovBrief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        commitment = brief.commitment
        self._best = commitment.project(0.5 * (commitment.low + commitment.high))
        self._best_value, self._made = -np.inf, 0

    def parameters(self) -> Array | None:
        """Return None: it works with commitments themselves."""
        return None

    def commit(self) -> Array:
        """Return the best commitment so far."""
        return self._best

    def update(self, trajectories: Trajectories) -> dict[str, float]:
        """Make one more ascent; the trajectories are not looked at."""
        del trajectories
        if self._made < self.config.starts:
            self._ascend()
            self._made += 1
        return {"ascents": float(self._made), "best_value": self._best_value}

    def _ascend(self) -> None:
        commitment = self.brief.commitment
        drawn = commitment.project(self.rng.uniform(commitment.low, commitment.high))
        start = drawn if self._made else self._best
        objective = BoxObjective(self._value, commitment.low, commitment.high)
        units: list[Array] = []
        ascend(objective, objective.point(start), iterations=self.config.iterations, visit=units.append)
        for x in (start, objective.commitment(units[-1])):
            found = float(solve_markov(self.brief.model, commitment.project(x)).leader_value)
            if found > self._best_value:
                self._best, self._best_value = commitment.project(x), found

    def _value(self, x: Array, scale: float) -> tuple[float, Array]:
        """Return J and dJ/dx at a multiple of the game's temperature."""
        game = self.brief.model
        game = game if scale == 1.0 else game.replace(temperature=scale * game.temperature)
        solution = solve_markov(game, x)
        return solution.leader_value, np.asarray(solution.gradient)
