"""CMA-ES: covariance matrix adaptation over theta, one candidate per leader update.

Hansen, "The CMA Evolution Strategy: A Tutorial", arXiv 1604.00772, as implemented by the package `cmaes`.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from msgspec import Meta

from agents.brief import Brief
from agents.leaders.base import register_leader
from agents.leaders.black_box import BlackBoxLeader
from agents.options import MOST, Options, Positive, Start
from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import MissingExtraError

__all__ = ["CmaEs", "CmaEsConfig"]


@dataclass(frozen=True)
class CmaEsConfig(Options):
    """Hyperparameters of CMA-ES.

    Attributes
    ----------
    sigma
        First standard deviation of theta, in units of the parametrisation: for "projection" the widths of the box.
    population
        Candidates per generation, at least 4; None takes the package's rule, 4 + 3 log P.
    start
        First mean: "zeros", "random" (standard normal), or an array of the parametrisation's size.
    """

    sigma: Positive = 0.5
    population: Annotated[int, Meta(ge=4, le=MOST)] | None = None
    start: Start = "zeros"


@register_leader("cma_es")
class CmaEs(BlackBoxLeader):
    """Where the package finds that it has converged, it begins again around the best candidate."""

    Config = CmaEsConfig

    def __init__(self, brief: Brief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        self._generation: list[tuple[Array, float]] = []
        self._search = self._begin(self.theta)
        self.theta = self._asked()

    def _begin(self, mean: Array) -> _Search:
        return _Search(mean / self.unit, self.config.sigma, self.config.population, int(self.rng.integers(2**31)))

    def _asked(self) -> Array:
        """Return the theta to try next; the package works in its units."""
        return np.asarray(self.unit * self._search.ask())

    def following(self, value: float) -> tuple[Array, dict[str, float]]:
        """Note the value, tell a whole generation, and ask for the next candidate."""
        self._generation.append((self.theta / self.unit, value))
        if len(self._generation) == self._search.population:
            self._search.tell(self._generation)
            self._generation = []
            if self._search.has_converged():
                self._search = self._begin(self.best_theta)
        return self._asked(), {"generation": float(self._search.generation)}


class _Search:
    """The package's optimizer, turned to maximise.

    Raises
    ------
    MissingExtraError
        The package is not installed.
    """

    def __init__(self, mean: Array, sigma: float, population: int | None, seed: int) -> None:
        try:
            package = importlib.import_module("cmaes")
        except ImportError as exc:
            raise MissingExtraError(
                "cma_es: this leader needs the package cmaes, which `pip install cmaes` installs"
            ) from exc
        self._cma: Any = package.CMA(mean=np.array(mean), sigma=sigma, population_size=population, seed=seed)

    @property
    def population(self) -> int:
        return int(self._cma.population_size)

    @property
    def generation(self) -> int:
        return int(self._cma.generation)

    def ask(self) -> Array:
        return np.asarray(self._cma.ask(), dtype=np.float64)

    def tell(self, generation: list[tuple[Array, float]]) -> None:
        # Ranks are all it needs; it would compare values with an absolute number to find that it has converged.
        ranks = np.unique([-value for _, value in generation], return_inverse=True)[1]
        self._cma.tell([(theta, float(rank)) for (theta, _), rank in zip(generation, ranks, strict=True)])

    def has_converged(self) -> bool:
        return bool(self._cma.should_stop())

    def checkpoint_state(self) -> dict[str, Any]:
        """Return the optimizer's numbers and its generator's state, for checkpoints."""
        numbers = {name: value for name, value in vars(self._cma).items() if name != "_rng"}
        return {"numbers": numbers, "random": self._cma._rng.get_state()}

    def restore_checkpoint_state(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`checkpoint_state` returned."""
        vars(self._cma).update(state["numbers"])
        self._cma._rng.set_state(state["random"])
