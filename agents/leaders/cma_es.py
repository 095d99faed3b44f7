"""CMA-ES: covariance matrix adaptation over theta, one candidate per leader update.

Hansen, "The CMA Evolution Strategy: A Tutorial", arXiv 1604.00772, as implemented by the package `cmaes`.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from msgspec import Meta

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, MissingExtraError

from ..estimators.common_starts import CommonStarts
from ..observing.brief import Brief
from ..observing.trajectories import Trajectories
from ..options import MOST, Count, Options, Positive, Start, Unit
from ..state import stateful
from ..state.stateful import Pending, Stateful, assign, load_fields, save_fields
from ..state.tree import Tree
from .base import register_leader, starting_point
from .black_box import BlackBoxLeader

__all__ = ["CmaEs", "CmaEsConfig", "TabularCmaEs", "VectorCmaEs", "VectorCmaEsConfig"]

#: Follower steps under one commitment, at least, where episodes are short.
LEAST_STEPS = 250


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


class CmaEs(BlackBoxLeader):
    """Draws candidates around a mean, and moves and reshapes that distribution towards the better ones."""

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
        seed = int(self.rng.integers(2**31))
        bounds, first = self._bounds(), mean / self.unit
        if bounds is not None:
            first = np.clip(first, bounds[:, 0], bounds[:, 1])
        return _Search(first, self.config.sigma, self.config.population, seed, bounds)

    def _bounds(self) -> Array | None:
        """Return between which numbers theta is drawn, in its units, shape (P, 2); None for all."""
        return None

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


@register_leader("cma_es")
class TabularCmaEs(CmaEs):
    """Evolution strategy over commitments.

    It draws candidates from a normal distribution, and moves and reshapes that towards the better ones. When the
    package finds that it has converged, it begins again around the best candidate.
    """

    kinds = frozenset({"tabular", "markov"})
    state_fields = stateful.fields()


@dataclass(frozen=True)
class VectorCmaEsConfig(CmaEsConfig):
    """Hyperparameters of CMA-ES in games of vectors, where it first looks all over the box.

    Attributes
    ----------
    sigma
        First standard deviation around the best of the draws, in widths of the box.
    draws
        Which part of the updates tries commitments drawn evenly from the box, after `start`.
    finals
        Which part of the updates, the last ones, plays the best candidates and the mean again, one after the other.
    finalists
        How many candidates these are, besides the mean.
    """

    sigma: Positive = 0.2
    draws: Unit = 0.25
    finals: Unit = 0.15
    finalists: Count = 4


@register_leader("cma_es")
class VectorCmaEs(CmaEs):
    """Evolution strategy over commitments, after a look all over the box.

    In a quarter of its updates it tries commitments drawn evenly from the box, since in games of vectors most places
    are flat. Around the best it then draws candidates from a normal distribution, and moves and reshapes that towards
    the better ones. The last updates play the best candidates and the mean again, so that it does not end with the
    luckiest. Returns count less what the first states of their episodes explain, by a regression over all play.
    """

    kinds = frozenset({"vector", "environment"})
    Config = VectorCmaEsConfig
    state_fields = stateful.fields(
        _tried=stateful.List(stateful.Tuple(stateful.Array(like="theta"), stateful.Number())),
        _finalists=stateful.List(
            stateful.Tuple(stateful.Array(like="theta"), stateful.List(stateful.Number())), optional=True
        ),
        _starts=stateful.Part(),
    )

    def __init__(self, brief: Brief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        self._tried: list[tuple[Array, float]] = []
        self._finalists: list[tuple[Array, list[float]]] | None = None
        self._starts = CommonStarts()
        if self._draws:
            self.theta = starting_point(config.start, self.theta.size, rng, self.unit)

    def _bounds(self) -> Array | None:
        """Return those of the box where theta is x: beyond them nothing changes, and a search would drift."""
        if self.brief.parametrisation.name != "projection":
            return None
        commitment = self.brief.commitment
        room = np.stack([commitment.low.ravel(), commitment.high.ravel()], axis=1) / self.unit[:, None]
        return np.where(np.diff(room, axis=1) > 0, room, [[-np.inf, np.inf]])

    def _anywhere(self) -> Array:
        """Return a theta drawn evenly from the box; standard normal, in its units, where theta is not x."""
        bounds = self._bounds()
        if bounds is None:
            return np.asarray(self.unit * self.rng.standard_normal(self.theta.size))
        commitment = self.brief.commitment
        width = commitment.high - commitment.low
        return np.asarray(commitment.low + width * self.rng.random(commitment.shape)).ravel()

    @classmethod
    def preferred_steps(cls, brief: Brief, config: Any) -> int:
        """Two episodes: the search averages over many commitments, and each costs a response."""
        del config
        return max(2 * brief.horizon, LEAST_STEPS)

    @property
    def _draws(self) -> int:
        return int(self.config.draws * (self.brief.updates or 0))

    @property
    def _first_final(self) -> float:
        """The update with which the finals begin; never where no budget is told."""
        updates = self.brief.updates
        return np.inf if updates is None else updates - int(self.config.finals * updates)

    def observed_value(self, trajectories: Trajectories) -> float:
        """Return the mean return, less what the first states explain."""
        return self._starts.value(trajectories, self.brief.leader_discount)

    def following(self, value: float) -> tuple[Array, dict[str, float]]:
        """Draw from the box, then search, then play the best again."""
        if self._finalists is not None:
            return self._final(value)
        self._tried.append((self.theta, value))
        n = len(self._tried)
        if n >= self._first_final:
            self._finalists = self._chosen()
            return self._finalists[0][0], {"generation": float(self._search.generation)}
        if n <= self._draws:
            if n == self._draws:
                self._search = self._begin(self.best_theta)
                return self._asked(), {"generation": 0.0}
            return self._anywhere(), {"generation": 0.0}
        return super().following(value)

    def _chosen(self) -> list[tuple[Array, list[float]]]:
        """Return the mean of the search and the best candidates, none of them played again yet."""
        ranked = sorted(self._tried, key=lambda pair: -pair[1])[: self.config.finalists]
        mean = self.brief.parametrisation.retract(self.unit * self._search.mean)
        return [(mean, []), *((theta, []) for theta, _ in ranked)]

    def _final(self, value: float) -> tuple[Array, dict[str, float]]:
        """Note how a finalist did and play the one that was played least."""
        assert self._finalists is not None  # noqa: S101 - the caller looks
        next(
            seen for theta, seen in self._finalists if theta is self.theta or np.array_equal(theta, self.theta)
        ).append(value)
        counts = [len(seen) for _, seen in self._finalists]
        played = [(float(np.mean(seen)), theta) for theta, seen in self._finalists if seen]
        self.best_value, self.best_theta = max(played, key=lambda pair: pair[0])
        following = self._finalists[int(np.argmin(counts))][0]
        return following, {"generation": float(self._search.generation)}


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

    def __init__(
        self, mean: Array, sigma: float, population: int | None, seed: int, bounds: Array | None = None
    ) -> None:
        try:
            package = importlib.import_module("cmaes")
        except ImportError as exc:
            raise MissingExtraError(
                "cma_es: this leader needs the package cmaes, which `pip install cmaes` installs"
            ) from exc
        self._cma: Any = package.CMA(
            mean=np.array(mean), sigma=sigma, bounds=bounds, population_size=population, seed=seed
        )

    @property
    def population(self) -> int:
        return int(self._cma.population_size)

    @property
    def mean(self) -> Array:
        return np.asarray(self._cma.mean, dtype=np.float64)

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
