"""CMA-ES: covariance matrix adaptation over theta, one candidate per leader update.

Hansen, "The CMA Evolution Strategy: A Tutorial", arXiv 1604.00772, as implemented by the package `cmaes`.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from msgspec import Meta

from agents.leaders.base import register_leader
from agents.leaders.black_box import BlackBoxLeader
from agents.observing.brief import Brief
from agents.options import MOST, Options, Positive, Start
from agents.state import stateful
from agents.state.stateful import Pending, Stateful, assign, load_fields, save_fields
from agents.state.tree import Tree
from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, MissingExtraError

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
    """Evolution strategy over commitments.

    It draws candidates from a normal distribution, and moves and reshapes that towards the better ones. When the
    package finds that it has converged, it begins again around the best candidate.
    """

    Config = CmaEsConfig
    state_fields = stateful.fields(
        _generation=stateful.List(
            stateful.Tuple(stateful.Array(like="theta"), stateful.Number()),
            most=lambda self: self._search.population - 1,
        ),
        _search=stateful.Part(),
    )

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


HUGE = float(np.finfo(np.float64).max)
#: What changes in the package's optimizer; n is the size of theta.
CHANGING: dict[str, stateful.Field] = {
    **{name: stateful.Array(low=-HUGE, high=HUGE) for name in ("_p_sigma", "_pc", "_mean", "_C", "_Emean", "_ESigma")},
    **{
        name: stateful.Number(low=-HUGE, high=HUGE)
        for name in ("_sigma", "_Vmean", "_VSigma", "_eta_mean", "_eta_Sigma")
    },
    "_D": stateful.Array(like="_mean", optional=True),
    "_B": stateful.Array(like="_C", optional=True),
    "_g": stateful.Count(),
    "_funhist_values": stateful.Array(),
    "_rng": stateful.Rng(),
}
#: What follows from the constructor's arguments.
LASTING = {
    *(
        "_n_dim",
        "_popsize",
        "_mu",
        "_mu_eff",
        "_cc",
        "_c1",
        "_cmu",
        "_c_sigma",
        "_d_sigma",
        "_cm",
        "_chi_n",
        "_weights",
    ),
    *("_bounds", "_n_max_resampling", "_lr_adapt", "_alpha", "_beta_mean", "_beta_Sigma", "_gamma", "_tolx", "_tolxup"),
    *("_tolfun", "_tolconditioncov", "_funhist_term"),
}


class _Search(Stateful):
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

    def state_dict(self) -> dict[str, Tree]:
        """Return the optimizer's numbers and its generator.

        Raises
        ------
        ArgumentError
            A version of the package that keeps more than is known here.
        """
        unknown = vars(self._cma).keys() - CHANGING.keys() - LASTING
        if unknown:
            raise ArgumentError(f"cma_es: expected a version of cmaes that is known, got one with {', '.join(unknown)}")
        return save_fields(self._cma, self._changing)

    def checked_state(self, tree: Tree, where: str) -> Pending:
        """Return a state that was checked and can be put into force."""
        loaded = load_fields(self._cma, self._changing, tree, where)
        return Pending(lambda: assign(self._cma, loaded))

    @property
    def _changing(self) -> dict[str, stateful.Field]:
        return {name: item for name, item in CHANGING.items() if hasattr(self._cma, name)}
