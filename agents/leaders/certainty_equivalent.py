"""Certainty equivalence: a model of the observed play, and the exact hypergradient in that model.

From the trajectories alone the leader counts the dynamics and averages both players' rewards, and fits the dynamics
and what it does not know of the follower to all it saw, the follower's actions included. Inside that model it
plans at no cost in follower steps: the follower's soft best response is solved again for every commitment it
thinks about, from many starts and with temperature continuation. What the model does not know it goes and
finds out: the first commitments pay the follower for going where little was seen.

Theory, section 6; the method is this project's own. Off-policy: play under old commitments stays useful.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from agents.estimators.likelihood import CommitmentHistory
from agents.estimators.models.counted import ObservedModel
from agents.leaders.base import Leader, register_leader, starting_point
from agents.learning.parametrisations import unit_of
from agents.observing.brief import Brief, Information
from agents.observing.trajectories import Trajectories
from agents.options import AtLeastOne, Natural, NonNegative, Positive, Start, option
from agents.planning.box import BoxSearchConfig
from agents.planning.linear_certainty_equivalence import IdentifiedPlanner
from agents.planning.theta import Objective, Search, SearchConfig, ascend
from agents.state import stateful
from stackelberg_envs.arrays import Array
from stackelberg_envs.games.cotangents import Cotangents

#: A fit of fewer iterations than this is none.
LEAST_ITERATIONS = 10
#: One of its iterations costs so many evaluations of the model for each commitment of the history.
FIT_COST = 2
GOLDEN_RATIO = 0.5 * (5.0**0.5 - 1.0)

__all__ = ["CertaintyEquivalent", "CertaintyEquivalentConfig"]


@dataclass(frozen=True)
class CertaintyEquivalentConfig(SearchConfig, BoxSearchConfig):
    """Options of the certainty-equivalent leader.

    Attributes
    ----------
    start
        "zeros", "random" (standard normal theta), or an array of the parametrisation's size.
    explore
        So many commitments after the first are chosen to learn about the game.
    exploration
        "barring": see :meth:`CertaintyEquivalent.explore`; "random": every entry at one of its bounds.
    replan
        A new search from many starts whenever the observed steps have grown by this factor.
    refit
        A new fit of the model to all play whenever the observed steps have grown by this factor.
    belief
        "fitted": the follower may believe in other dynamics than those observed, with a tremble that is fitted; see
        :mod:`agents.estimators.likelihood`. "observed": it believes in those observed.
    fit_iterations
        L-BFGS iterations of a fit; with 0 the dynamics are counted only.
    work
        About so many transition probabilities are read in one update: searches and refinements end there, the next
        update goes on with the search; fits are shortened, or left out where they would be too short. None: no limit.
        A number, not a time, so that equal seeds give equal runs.
    refine
        L-BFGS iterations from the present theta after every other update.
    shrinkage
        See :class:`agents.estimators.models.counted.ObservedModel`.
    random_starts, continuation_starts, vertex_starts, ladder, iterations, start_scale
        How hard to search; see :class:`agents.planning.theta.SearchConfig`.
    draws
        On batched games: so many commitments after the first are drawn evenly from the box.
    box_draws, box_starts, box_ladder, box_iterations, polish
        How hard to search on batched games; see :class:`agents.planning.box.BoxSearchConfig`.
    """

    start: Start = "zeros"
    explore: Natural = option(20, kinds=["tabular"])
    exploration: Literal["barring", "random"] = option("barring", kinds=["tabular"])
    replan: AtLeastOne = 2.0
    refine: Natural = 5
    shrinkage: NonNegative = option(1.0, kinds=["tabular"])
    draws: Natural = option(2, kinds=["batched"])
    refit: AtLeastOne = option(1.25, kinds=["tabular"])
    belief: Literal["fitted", "observed"] = option("fitted", kinds=["tabular"])
    fit_iterations: Natural = option(100, kinds=["tabular"])
    work: Positive | None = option(4e6, kinds=["tabular"])


@register_leader("certainty_equivalent")
class CertaintyEquivalent(Leader):
    """Plans in a model of what it has seen."""

    information = Information.REWARDS_OBSERVED
    Config = CertaintyEquivalentConfig
    off_policy: ClassVar[bool] = True
    kinds = frozenset({"tabular", "batched"})
    state_fields = stateful.fields(
        theta=stateful.Array(),
        identified=stateful.Part(optional=True),
        model=stateful.Part(optional=True),
        commitments_seen=stateful.Part(optional=True),
        _updates=stateful.Count(),
        _planned_at=stateful.Number(low=0.0),
        _fitted_at=stateful.Number(low=0.0),
        _search=stateful.Part(make=lambda self: self._new_search(np.random.default_rng(0), 1.0), optional=True),
        _exploring=stateful.Array(lambda self: self.brief.commitment.shape, optional=True),
    )

    def __init__(self, brief: Brief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        self.theta = starting_point(config.start, brief.parametrisation.size, rng, unit_of(brief.parametrisation))
        self.identified: IdentifiedPlanner | None = None
        self._updates = 0
        self._planned_at = self._fitted_at = 0.0
        self._search: Search | None = None
        self._exploring: Array | None = None
        if brief.kind == "batched":
            self.identified = IdentifiedPlanner(brief, config, brief.parametrisation(self.theta), rng)
        else:
            self.model = ObservedModel(brief, config.shrinkage)
            self.commitments_seen = CommitmentHistory(brief.table_shape, commitment_shape=brief.commitment.shape)

    def _new_search(self, rng: np.random.Generator, unit: Array | float) -> Search:
        """Return a search that begins where the leader is."""
        return Search(len(self.theta), self.config, rng, [self.theta, np.zeros_like(self.theta)], unit)

    def commit(self) -> Array:
        """Return a commitment that explores, for the first updates; then the best one known."""
        if self.identified is not None:
            return self.identified.x
        if self._exploring is not None and (self._updates <= self.config.explore or self.model.behaviour is None):
            return self._exploring
        return self.brief.parametrisation(self.theta)

    def update(self, trajectories: Trajectories) -> dict[str, float]:
        """Add the play to the model, then plan."""
        if self.identified is not None:
            return self.identified.update(trajectories)
        self.model.observe(trajectories)
        self.commitments_seen.add(trajectories)
        self._updates += 1
        steps = float(self.model.counts.visits.sum())
        diagnostics = {"seen_pairs": float((self.model.counts.visits > 0).mean())}
        exploring = self._updates <= self.config.explore
        if not exploring and steps >= self.config.refit * self._fitted_at:
            self._fitted_at = steps
            self._fit()
        if self.model.behaviour is not None:
            diagnostics["temperature"] = self.model.behaviour.temperature
            diagnostics["tremble"] = self.model.behaviour.tremble
        # Without a temperature there is nothing to plan with: it goes on looking.
        if exploring or self.model.behaviour is None:
            self._exploring = self.explore()
            return diagnostics
        return {**self._plan(steps), **diagnostics}

    def _plan(self, steps: float) -> dict[str, float]:
        """Improve theta in the model: by a search, a part of one, or a few iterations from where it is."""
        objective = Objective(self.brief, self.model.primitives)
        if self._search is None and steps >= self.config.replan * self._planned_at:
            self._planned_at = steps
            self._search = self._new_search(self.rng, objective.unit)
        if self._search is None:
            found = ascend(objective, self.theta, iterations=self.config.refine, evaluations=self._allowed())
        else:
            found = self._search.run(objective, self._allowed())
            self._search = None if self._search.done else self._search
        self.theta = found.theta
        return {"model_value": found.value, "model_evaluations": float(objective.evaluations)}

    def _fit(self) -> None:
        """Fit the model to all play, as far as the work of one update goes."""
        allowed, iterations = self._allowed(), self.config.fit_iterations
        if allowed is not None:
            iterations = min(iterations, allowed // (FIT_COST * len(self.commitments_seen)))
            iterations = 0 if iterations < LEAST_ITERATIONS else iterations
        self.model.fit(self.commitments_seen, belief=self.config.belief == "fitted", iterations=iterations)

    def _allowed(self) -> int | None:
        """Return how many evaluations of the model the work of one update is enough for, at least one."""
        return None if self.config.work is None else max(1, int(self.config.work / self.model.size))

    def recommend(self) -> Array:
        """Return the best commitment known; before anything is known of the follower, the first one."""
        return self.brief.parametrisation(self.theta) if self.identified is None else self.identified.recommend()

    def shorten(self, share: float = 0.5) -> bool:
        """Go a share of the way back to the last commitment that was played, on batched games."""
        return self.identified is not None and self.identified.shorten(share)

    def explore(self) -> Array:
        """Return an extreme commitment that bars the ways known best.

        The entries that pay the follower for what was seen most stand at the bound that pays less, all others at
        the one that pays more, so that it has to find another way. How many varies on a logarithmic scale.
        A leader's own policy is drawn at random instead: whatever it does, it sees the consequences.
        """
        commitment = self.brief.commitment
        if self.config.exploration == "random" and "follower_reward" in commitment.changes:
            return np.where(self.rng.random(commitment.shape) < 0.5, commitment.low, commitment.high)
        if "follower_reward" not in commitment.changes:
            rows = self.rng.dirichlet(np.full(commitment.shape[-1], 0.5), size=commitment.shape[:-1])
            return commitment.project(rows)
        visits = self.model.counts.visits.reshape(self.brief.array_shape)
        weight = Cotangents(visits, np.zeros_like(visits), np.zeros(visits.shape[:-1]))
        paid = commitment.vjp(0.5 * (commitment.low + commitment.high), weight)
        # Multiples of the golden ratio fill the range evenly, however many of them there are.
        count = int(np.exp(self._updates * GOLDEN_RATIO % 1.0 * np.log(paid.size)))
        barred = np.abs(paid) >= np.sort(np.abs(paid), axis=None)[-count]
        return np.where(barred == (paid >= 0), commitment.low, commitment.high)
