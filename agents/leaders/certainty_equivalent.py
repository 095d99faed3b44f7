"""Certainty equivalence: a model of the observed play, and the exact hypergradient in that model.

Follower steps are expensive, and computing is cheap. So this leader learns a model of the game from the play it has
seen, and searches for the best commitment inside that model, which takes no follower steps.

The model has counted dynamics and averages of both players' rewards. What is unknown of the follower is fitted to all
play, the follower's actions included. For every commitment that the search looks at, the follower's soft best response
is solved anew in the model. The search begins at many starts and lowers the temperature step by step.

A model knows nothing about places that were never visited. So the first commitments explore: they pay the follower for
going where little was seen.

The method is this project's own. It is off-policy, so play under old commitments stays useful.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from agents.estimators.likelihood import CommitmentHistory
from agents.estimators.models.counted import ObservedModel
from agents.leaders.base import Leader, register_leader, starting_point
from agents.learning.parametrisations import unit_of
from agents.observing.brief import Information, TabularBrief, VectorBrief
from agents.observing.trajectories import Trajectories
from agents.options import AtLeastOne, Natural, NonNegative, Positive, Start
from agents.planning.box import BoxObjective, BoxSearchConfig, box_search
from agents.planning.search import Found, Search, ascend
from agents.planning.theta import SearchConfig, ThetaObjective, theta_search
from agents.state import stateful
from agents.state.stateful import Field
from agents.state.tree import Tree
from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, ConvergenceError, InstabilityError, OutputError
from stackelberg_envs.games.cotangents import Cotangents

#: A fit of fewer iterations than this hardly moves from its start, and is left out.
LEAST_ITERATIONS = 10
#: Evaluations of the model that one iteration of a fit costs, for each commitment of the history.
FIT_COST = 2
#: Errors of a fit that only mean that there was too little play so far.
FITLESS = (InstabilityError, ConvergenceError, np.linalg.LinAlgError)
GOLDEN_RATIO = 0.5 * (5.0**0.5 - 1.0)

__all__ = [
    "TabularCertaintyEquivalent",
    "TabularCertaintyEquivalentConfig",
    "VectorCertaintyEquivalent",
    "VectorCertaintyEquivalentConfig",
]


@dataclass(frozen=True)
class TabularCertaintyEquivalentConfig(SearchConfig):
    """Options of the certainty-equivalent leader with tables.

    Attributes
    ----------
    start
        "zeros", "random" (standard normal theta), or an array of the parametrisation's size.
    explore
        How many commitments after the first are chosen to learn about the game.
    exploration
        How they are chosen. "barring" makes the usual ways unattractive to the follower; see
        :meth:`TabularCertaintyEquivalent.explore`. "random" sets every entry to one of its bounds.
    replan
        A new search from many starts begins whenever the number of observed steps has grown by this factor.
    refine
        In all other updates: L-BFGS iterations from the present theta.
    refit
        The model is fitted anew to all play whenever the number of observed steps has grown by this factor.
    belief
        What dynamics the follower believes in. "observed": in those that were observed. "fitted": perhaps in others,
        with a tremble that is fitted; see :mod:`agents.estimators.likelihood`.
    fit_iterations
        L-BFGS iterations of a fit; with 0 the dynamics are only counted.
    work
        Limit on the computing in one update: about so many transition probabilities are read. A search that reaches it
        goes on in the next update. Fits are shortened, or left out where they would be too short. None: no limit.
        It is a number and not a time, so that equal seeds give equal runs.
    shrinkage
        How much the average over the follower's actions counts beside what was seen of one action: as much as so many
        visits. It decides what is believed of an action that was never seen.
    """

    start: Start = "zeros"
    explore: Natural = 20
    exploration: Literal["barring", "random"] = "barring"
    replan: AtLeastOne = 2.0
    refine: Natural = 5
    shrinkage: NonNegative = 1.0
    refit: AtLeastOne = 1.25
    belief: Literal["fitted", "observed"] = "fitted"
    fit_iterations: Natural = 100
    work: Positive | None = 4e6


@register_leader("certainty_equivalent")
class TabularCertaintyEquivalent(Leader):
    """Plans in a model fitted to all it has seen.

    Each update adds the new play to the model, and then improves the commitment inside the model.
    """

    brief: TabularBrief
    information = Information.REWARDS_OBSERVED
    Config = TabularCertaintyEquivalentConfig
    off_policy: ClassVar[bool] = True
    state_fields = stateful.fields(
        theta=stateful.Array(),
        model=stateful.Part(),
        commitments_seen=stateful.Part(),
        _updates=stateful.Count(),
        _planned_at=stateful.Number(low=0.0),
        _fitted_at=stateful.Number(low=0.0),
        _search=stateful.Part(make=lambda self: self._new_search(np.random.default_rng(0)), optional=True),
        _exploring=stateful.Array(lambda self: self.brief.commitment.shape, optional=True),
    )

    def __init__(self, brief: TabularBrief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        self.theta = starting_point(config.start, brief.parametrisation.size, rng, unit_of(brief.parametrisation))
        self.model = ObservedModel(brief, config.shrinkage)
        self.commitments_seen = CommitmentHistory(brief.table_shape, commitment_shape=brief.commitment.shape)
        self._updates = 0
        self._planned_at = self._fitted_at = 0.0
        #: The search that goes on in the next update, and the commitment that explores next; None where there is none.
        self._search: Search | None = None
        self._exploring: Array | None = None

    def _new_search(self, rng: np.random.Generator) -> Search:
        """Return a search that begins where the leader is."""
        unit = unit_of(self.brief.parametrisation)
        return theta_search(self.config, rng, [self.theta, np.zeros_like(self.theta)], unit)

    def commit(self) -> Array:
        """Return a commitment that explores, for the first updates; then the best one known."""
        if self._exploring is not None and (self._updates <= self.config.explore or self.model.behaviour is None):
            return self._exploring
        return self.brief.parametrisation(self.theta)

    def update(self, trajectories: Trajectories) -> dict[str, float]:
        """Add the play to the model, then plan."""
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
        # Without a temperature the follower's response cannot be computed, so it goes on exploring.
        if exploring or self.model.behaviour is None:
            self._exploring = self.explore()
            return diagnostics
        return {**self._plan(steps), **diagnostics}

    def _plan(self, steps: float) -> dict[str, float]:
        """Improve theta in the model: by a search, a part of one, or a few iterations from where it is."""
        objective = ThetaObjective(self.brief, self.model.primitives)
        if self._search is None and steps >= self.config.replan * self._planned_at:
            self._planned_at = steps
            self._search = self._new_search(self.rng)
        if self._search is None:
            found = ascend(objective, self.theta, iterations=self.config.refine, evaluations=self._allowed())
        else:
            found = self._search.run(objective, self._allowed())
            self._search = None if self._search.done else self._search
        self.theta = found.point
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
        return self.brief.parametrisation(self.theta)

    def parameters(self) -> Array:
        """Return theta, which is that of what it recommends."""
        return self.theta

    def explore(self) -> Array:
        """Return an extreme commitment that makes the follower leave the ways that were seen most.

        The entries that pay the follower for what was seen most are set to the bound that pays less, and all others to
        the bound that pays more. So the follower has to find another way. How many entries are set low varies from
        update to update, on a logarithmic scale.

        If the commitment is the leader's own policy, it is drawn at random instead: there the leader sees the
        consequences of whatever it does itself.
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


@dataclass(frozen=True)
class VectorCertaintyEquivalentConfig(BoxSearchConfig):
    """Options of the certainty-equivalent leader in vector games.

    Attributes
    ----------
    start
        "zeros", "random" (standard normal theta), or an array of the parametrisation's size.
    draws
        How many commitments after the first are drawn evenly from the box, to learn about the game.
    replan
        A new search from many starts begins whenever the number of observed steps has grown by this factor.
    refine
        In all other updates: L-BFGS iterations from the present commitment.
    """

    start: Start = "zeros"
    draws: Natural = 2
    replan: AtLeastOne = 2.0
    refine: Natural = 5


class _Remembered(Field):
    """One record, as the model class keeps it: an object of its ``record_type``, or plain values."""

    def save(self, value: Any) -> Tree:
        if is_dataclass(value) and not isinstance(value, type):
            return {item.name: getattr(value, item.name) for item in fields(value)}
        return value

    def load(self, tree: Tree, own: Any, owner: Any, where: str) -> Any:
        kind = owner.model_class.record_type
        if kind is None:
            return tree
        names = [item.name for item in fields(kind)]
        if not isinstance(tree, dict) or list(tree) != names:
            raise OutputError(f"{where}: expected a record of {', '.join(names)}, got another")
        return kind(**tree)


@register_leader("certainty_equivalent")
class VectorCertaintyEquivalent(Leader):
    """Plans in a model fitted to all it has seen.

    Some games of vectors publish their form, as `model_class`: which numbers describe the game, but not what these
    numbers are. The leader fits the numbers to the play under all commitments so far. The fitted game then gives J and
    dJ/dx of any commitment, and a search finds the best one without any follower steps.
    """

    brief: VectorBrief
    kinds = frozenset({"vector"})
    information = Information.REWARDS_OBSERVED
    Config = VectorCertaintyEquivalentConfig
    off_policy: ClassVar[bool] = True
    state_fields = stateful.fields(
        x=stateful.Array(),
        _best=stateful.Array(like="x", optional=True),
        _played=stateful.Array(like="x"),
        _records=stateful.List(_Remembered()),
        _updates=stateful.Count(),
        _steps=stateful.Count(),
        _planned_at=stateful.Number(low=0.0),
    )

    def __init__(self, brief: VectorBrief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        if brief.model_class is None:
            raise ArgumentError(
                "certainty_equivalent: expected a game that publishes its form, but this one has no model class; "
                "bchg, naive, hpgd, zero_order, cma_es and random_search need none"
            )
        self.model_class = brief.model_class
        parametrisation = brief.parametrisation
        self.x = parametrisation(starting_point(config.start, parametrisation.size, rng, unit_of(parametrisation)))
        self._best: Array | None = None
        self._played = self.x
        self._records: list[Any] = []
        self._updates, self._steps, self._planned_at = 0, 0, 0.0

    def check_state(self, loaded: dict[str, Any], where: str) -> None:
        """Raise OutputError unless the model class can make something of the records."""
        if loaded["_updates"] != len(loaded["_records"]):
            raise OutputError(
                f"{where}: expected a record of each of {loaded['_updates']} updates, got {len(loaded['_records'])}"
            )
        if not loaded["_records"]:
            return
        try:
            self.model_class.fit(loaded["_records"])
        except FITLESS:
            return
        except Exception as exc:  # of whatever kind, from arrays that do not fit together
            raise OutputError(f"{where}: expected records of play in this game, got others ({exc})") from exc

    def commit(self) -> Array:
        """Return a commitment drawn evenly from the box, for the first updates; then the best one known."""
        return self.x

    def update(self, trajectories: Trajectories) -> dict[str, float]:
        """Add the play to what is known, fit the form to it, and choose the next commitment."""
        if trajectories.follower_reward is None:
            raise ArgumentError("trajectories: expected the follower's rewards, got none")
        # Some forms need only a few numbers of a record.
        self._records.append(self.model_class.compress(trajectories))
        self._steps += trajectories.num_steps
        self._played = np.asarray(trajectories.commitment)
        self._updates += 1
        found, diagnostics = self._plan()
        if found is not None:
            self._best = found
        exploring = self._updates <= self.config.draws or self._best is None
        commitment = self.brief.commitment
        drawn = commitment.low + (commitment.high - commitment.low) * self.rng.random(commitment.shape)
        self.x = drawn if exploring or self._best is None else self._best
        return {"exploring": float(exploring), **diagnostics}

    def recommend(self) -> Array:
        """Return the best commitment known; while there is none, the present one."""
        return self.x if self._best is None else self._best

    def shorten(self, share: float = 0.5) -> bool:
        """Move back towards the last commitment that was played."""
        self.x = self.x + share * (self._played - self.x)
        return True

    def _plan(self) -> tuple[Array | None, dict[str, float]]:
        """Return the best commitment in the model, None where there is no model or nothing finite in it."""
        if self._updates < self.config.draws:
            return None, {"model_value": float("nan"), "model_unstable": 0.0}
        try:
            model = self.model_class.fit(self._records)
        except FITLESS:
            return None, {"model_value": float("nan"), "model_unstable": 1.0}
        commitment = self.brief.commitment
        value = getattr(model, "value", None)
        objective = BoxObjective(model.value_and_gradient, commitment.low, commitment.high, value)
        found = self._search(objective)
        diagnostics = {"model_value": found.value, "model_unstable": float(objective.unstable)}
        return (None if objective.unstable == objective.evaluations else objective.commitment(found.point)), diagnostics

    def _search(self, objective: BoxObjective) -> Found:
        last = objective.point(self.recommend())
        if self._steps >= self.config.replan * self._planned_at:
            self._planned_at = float(self._steps)
            starts = [last, np.full(objective.size, 0.5)]
            return box_search(objective.size, self.config, self.rng, starts).run(objective)
        return ascend(objective, last, iterations=self.config.refine)
