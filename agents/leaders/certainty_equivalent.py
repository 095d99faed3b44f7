"""Certainty equivalence: a model of the observed play, and the exact hypergradient in that model.

Follower steps are expensive, and computing is cheap. So this leader learns a model of the game from the play it has
seen, and searches for the best commitment inside that model, which takes no follower steps.

The model has counted dynamics and averages of both players' rewards. What is unknown of the follower is fitted to all
play, the follower's actions included. For every commitment that the search looks at, the follower's soft best response
is solved anew in the model. The search looks at vertices and neighbours of the best plans, and climbs from many starts
to where nothing near is better, on the edges of the set of commitments as inside.

A model knows nothing about places that were never visited. So the leader also plans in an optimistic one, in which
little known places may be as good as the best known. While a plan promises more there than the best plan does, it is
played every other time: either it is as good, or the model has learned that it is not. Where the follower came and a
move of the leader's own was never seen, it is made now and then.

What commitments earned when they were played owes nothing to the model. A plan that surely earned less than another
commitment, the first one among them, is dropped, and never recommended.

The method is this project's own. It is off-policy, so play under old commitments stays useful. It is one file because
both kinds of game are served under one name.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, ConvergenceError, InstabilityError, OutputError

from ..estimators.earnings import Earnings
from ..estimators.likelihood import CommitmentHistory
from ..estimators.models.counted import ObservedModel
from ..learning.parametrisations import unit_of
from ..observing.brief import Brief, Information, TabularBrief, VectorBrief
from ..observing.trajectories import Trajectories
from ..options import AtLeastOne, Natural, NonNegative, Positive, Start
from ..planning.box import BoxObjective, BoxSearchConfig, box_point, box_search
from ..planning.exploring import barring, best_of, drawn_policy
from ..planning.search import Found, Search, ascend
from ..planning.sets import SetObjective, SetSearchConfig, reached_set, set_search
from ..state import stateful
from ..state.stateful import Field
from ..state.tree import Tree
from .base import Leader, register_leader, starting_point
from .learned_certainty_equivalent import LearnedCertaintyEquivalent

#: A fit of fewer iterations at once than this hardly moves from its start, and is left out.
LEAST_ITERATIONS = 3
#: Evaluations of the model that one iteration of a fit costs, for each commitment of the history.
FIT_COST = 2
#: Parts of the work of an update: for the fit, for planning, for looking what unknown places promise; and what of the
#: history is looked at to guess what was never tried.
FITTING, PLANNING, PROMISING, GUESSING = 0.35, 0.4, 0.15, 0.1
#: Evaluations of the model that refining a plan may cost, however large the model is.
LEAST_REFINING = 4
#: How often at most penalties of what the follower never did are moved at once.
ROUNDS = 4
#: It thinks anew when the number of observed steps has grown by this factor. Until then it goes on playing what it
#: plays: less is not worth the computing.
NEWS = 1.02
#: Commitments up to this one may all explore, later ones every other.
EARLY = 8
#: Of those chosen to explore, these bar the usual ways, or are drawn where the commitment is the leader's own policy.
BARRING = frozenset({1, 3, 5, 7, 16, 32, 64})
#: Gains below this part of the range of action values seen are none.
FLAT = 1e-3
#: What a plan has to promise beyond the best one to be played, as a part of the gain of that one over the start.
WORTH = 0.01
#: What another plan has to be better by in the model to be played instead of the present one, as such a part, times
#: the root of the observed steps. Play under one commitment over and over tells most about what is like it.
BETTER = 0.3
#: Plans kept besides the best one, and how far apart they are at least, in parts of the box.
KEPT, APART = 4, 0.02
#: How near a plan is to a commitment that failed to be taken for the same, in parts of the box.
SAME = 1e-3
#: How much of the middle of the set is mixed into a commitment under which own moves were never seen.
MIXED = (0.01, 0.3)
#: Points drawn to look what unknown places promise: inside, vertices, barring commitments.
DRAWN_INSIDE, DRAWN_VERTICES, DRAWN_BARRING = 8, 16, 4
#: Episodes under each commitment where it publishes none, and steps at least where they are short.
EPISODES, LEAST_STEPS = 10, 250
#: Commitments that are drawn evenly where a game publishes its form.
DRAWS = 2
#: Numbers that one value takes, where a model of vectors does not say it.
PLAIN_SIZE = 8_000
#: Errors of a fit that only mean that there was too little play so far.
FITLESS = (InstabilityError, ConvergenceError, np.linalg.LinAlgError)

__all__ = [
    "TabularCertaintyEquivalent",
    "TabularCertaintyEquivalentConfig",
    "VectorCertaintyEquivalent",
    "VectorCertaintyEquivalentConfig",
]


@dataclass(frozen=True)
class TabularCertaintyEquivalentConfig(SetSearchConfig):
    """Options of the certainty-equivalent leader with tables.

    Attributes
    ----------
    start
        "zeros", "random" (standard normal theta), or an array of the parametrisation's size.
    explore
        How many commitments after the first may be chosen to learn about the game. None: no limit. While the
        temperature is unknown it explores in any case.
    replan
        A new search from many starts begins whenever the number of observed steps has grown by this factor.
    refine
        Whenever it plans: L-BFGS-B iterations from the present plan, and from one of the others.
    refit
        The model is fitted anew to all play whenever the number of observed steps has grown by this factor.
    belief
        What dynamics the follower believes in. "observed": in those that were observed. "fitted": perhaps in others,
        with a tremble that is fitted; see :mod:`agents.estimators.likelihood`.
    fit_iterations
        L-BFGS iterations of a fit; with 0 the dynamics are only counted.
    work
        Limit on the computing in one update: about so many transition probabilities are read. Searches and fits that
        reach it go on in the next update. None: no limit. It is a number and not a time, so that equal seeds give
        equal runs.
    shrinkage
        How much the average over the follower's actions counts beside what was seen of one action: as much as so many
        visits, or less for rewards that scatter less than they differ between actions, and not at all for rewards
        without noise. It decides what is believed of an action that was never seen.
    """

    start: Start = "zeros"
    explore: Natural | None = None
    replan: AtLeastOne = 1.1
    refine: Natural = 5
    shrinkage: NonNegative = 1.0
    refit: AtLeastOne = 1.25
    belief: Literal["fitted", "observed"] = "fitted"
    fit_iterations: Natural = 100
    work: Positive | None = 2e6


@register_leader("certainty_equivalent")
class TabularCertaintyEquivalent(Leader):
    """Plans in a model fitted to all it has seen.

    Each update adds the new play to the model, improves the plans inside the model, and asks whether a plan that leads
    through little known places could be better than the best one. When little is new, it only adds the play.
    """

    brief: TabularBrief
    information = Information.REWARDS_OBSERVED
    Config = TabularCertaintyEquivalentConfig
    serves = frozenset({"feasible actions", "discount 1"})
    off_policy: ClassVar[bool] = True
    state_fields = stateful.fields(
        model=stateful.Part(),
        commitments_seen=stateful.Part(),
        earnings=stateful.Part(),
        _played=stateful.Array(like="_first"),
        _refined=stateful.Array(like="_first"),
        _backed=stateful.Array(like="_first"),
        _hopeful=stateful.Array(like="_first", optional=True),
        _plans=stateful.List(stateful.Array(lambda self: (self.points.size,)), most=KEPT),
        _thoughts=stateful.Count(),
        _explored=stateful.Count(),
        _tested=stateful.Flag(),
        _fit_left=stateful.Count(),
        _thought_at=stateful.Number(low=0.0),
        _planned_at=stateful.Number(low=0.0),
        _fitted_at=stateful.Number(low=0.0),
        _search=stateful.Part(make=lambda self: self._new_search(np.random.default_rng(0)), optional=True),
        _exploring=stateful.Array(lambda self: self.brief.commitment.shape, optional=True),
    )

    def __init__(self, brief: TabularBrief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        parametrisation = brief.parametrisation
        theta = starting_point(config.start, parametrisation.size, rng, unit_of(parametrisation))
        self.points = reached_set(brief)
        self._first = self.points.point(parametrisation(theta))
        self.model = ObservedModel(brief, config.shrinkage)
        self.commitments_seen = CommitmentHistory(brief.table_shape, commitment_shape=brief.commitment.shape)
        self.earnings = Earnings(self.points.size)
        #: The plan that is played, the one that is recommended, what was played of which that is a refinement, the last
        #: one that promised most, others.
        self._played, self._refined, self._backed = self._first, self._first, self._first
        self._hopeful: Array | None = None
        self._plans: list[Array] = []
        #: Whether the plan has been played since it was chosen.
        self._tested = False
        #: How often it has thought.
        self._thoughts = self._explored = self._fit_left = 0
        self._thought_at = self._planned_at = self._fitted_at = 0.0
        #: The search that goes on in the next update, and the commitment that explores next; None where there is none.
        self._search: Search | None = None
        self._exploring: Array | None = None

    @classmethod
    def preferred_steps(cls, brief: Brief, config: Any) -> int:
        """Return 500: it thinks more often than it has to, and explores early."""
        del brief, config
        return 500

    def _new_search(self, rng: np.random.Generator) -> Search:
        """Return a search that begins where the leader is."""
        return set_search(self.points, self.config, rng, [self._played, *self._plans])

    def commit(self) -> Array:
        """Return the commitment that explores next, if there is one; else the plan that is played."""
        return self._commitment(self._played) if self._exploring is None else self._exploring

    def _commitment(self, point: Array) -> Array:
        return self.brief.commitment.project(self.points.commitment(self.points.plain(point)))

    def recommend(self) -> Array:
        """Return the best plan that was played, a little better in the model; before there is any, the first one.

        Where the plan, or what was played nearest to it, surely earned less than another commitment, that other one.
        """
        better = self.earnings.better_than(self._announced_point(self._backed))
        if better is None:
            better = self.earnings.better_than(self.earnings.nearest(self._announced_point(self._refined)))
        return self._commitment(self._refined if better is None else better)

    def _announced_point(self, point: Array) -> Array:
        """Return a point as the commitment that is announced for it reads."""
        return self.points.point(self._commitment(point))

    def update(self, trajectories: Trajectories) -> dict[str, float]:
        """Add the play to the model, then plan; where there is little new, only add it."""
        self.model.observe(trajectories)
        self.commitments_seen.add(trajectories)
        played = self.points.point(np.asarray(trajectories.commitment))
        self.earnings.add(played, trajectories.returns(self.brief.leader_discount))
        steps = float(self.model.counts.visits.sum())
        diagnostics = {"seen_pairs": float((self.model.counts.visits > 0).mean())}
        if steps < NEWS * self._thought_at:
            return {**diagnostics, "exploring": float(self._exploring is not None)}
        self._thoughts, self._thought_at = self._thoughts + 1, steps
        self._fit(steps)
        if self.model.behaviour is None:
            # Without a temperature the follower's response cannot be computed.
            self._exploring = self._bar()
            return {**diagnostics, "exploring": 1.0}
        diagnostics["temperature"] = self.model.behaviour.temperature
        diagnostics["tremble"] = self.model.behaviour.tremble
        self._guess()
        objective = SetObjective(self.brief, self.points, self.model.primitives)
        value, gain = self._plan(objective, steps)
        promise = self._explore(objective, gain, trajectories)
        return {
            "model_value": value,
            "model_evaluations": float(objective.evaluations),
            "promise": promise,
            "exploring": float(self._exploring is not None),
            **diagnostics,
        }

    def _fit(self, steps: float) -> None:
        """Go on with the fit of the model to all play, as far as the work of one update goes."""
        if steps >= self.config.refit * self._fitted_at:
            self._fitted_at, self._fit_left = steps, max(self.config.fit_iterations, 1)
        if not self._fit_left:
            return
        iterations, allowed = min(self._fit_left, self.config.fit_iterations), self._allowed(FITTING)
        if allowed is not None:
            iterations = min(iterations, allowed // (FIT_COST * len(self.commitments_seen)))
            iterations = 0 if iterations < LEAST_ITERATIONS else iterations
        fit = self.model.fit(self.commitments_seen, belief=self.config.belief == "fitted", iterations=iterations)
        # With fewer evaluations than it might have had it came to its end.
        through = fit is None or fit.evaluations < iterations
        self._fit_left = 0 if through else self._fit_left - iterations

    def _guess(self) -> None:
        """Guess anew how bad that is which the follower never did, from the play under some commitments, or all."""
        tables, allowed = self.commitments_seen.tables(), self._allowed(GUESSING)
        every = 1 if allowed is None else -(-FIT_COST * len(tables) // allowed)
        rounds = ROUNDS if allowed is None else min(ROUNDS, max(1, allowed // (FIT_COST * len(tables))))
        self.model.calibrate(tables[self._thoughts % every :: every], whole=every == 1, rounds=rounds)

    def _plan(self, objective: SetObjective, steps: float) -> tuple[float, float]:
        """Improve the plans in the model; return the value of the one that is played, and its gain over the first."""
        present, first = objective.value(self._played), objective.value(self._first)
        if self._search is None and steps >= self.config.replan * self._planned_at:
            self._planned_at = steps
            self._search = self._new_search(self.rng)
        pool = self._plans[:]
        if pool:  # one of them in turn
            place = self._thoughts % len(pool)
            pool[place] = self._refined_from(objective, pool[place])
        if self._search is not None:
            known = len(self._search.ends)
            self._search.run(objective, self._allowed(PLANNING))
            pool += [end.point for end in self._search.ends[known:]]
            self._search = None if self._search.done else self._search
        refined = self.points.plain(self._refined_from(objective, self._played))
        self._tested = self._tested or self._exploring is None or self._thoughts <= EARLY
        if self._tested:
            # A plan that was never played may owe its value to an error of the model; early ones are soon replaced.
            self._refined, self._backed = refined, self._played
        pool = [refined, *(self.points.plain(point) for point in pool)]
        values = [objective.value(point) for point in pool]
        order = np.argsort(-np.asarray(values), kind="stable")
        self._plans = _apart([pool[place] for place in order])
        surest, behind = self.earnings.judged()
        failed = self.earnings.points[behind]
        fair = [place for place in order if not (np.abs(failed - pool[place]).max(axis=1) < SAME).any()]
        best = values[fair[0]] if fair else -np.inf
        gain = abs(max(values) - first)
        unplanned = np.array_equal(self._played, self._first)
        fails = behind[self.earnings.like(self._announced_point(self._played))].any()
        if fair and (unplanned or fails or best > present + BETTER / np.sqrt(steps) * gain):
            self._played, present, self._tested = pool[fair[0]], best, False
            self._refined = self._played if unplanned else self._refined
        elif fails:
            self._played, self._tested = self.earnings.points[surest], True
            present = objective.value(self._played)
        return present, gain

    def _refined_from(self, objective: SetObjective, point: Array) -> Array:
        """Return where a few iterations lead from a point; as many as the work of an update is enough for, or a few."""
        allowed = self._allowed(1.0)
        evaluations = None if allowed is None else max(LEAST_REFINING, allowed)
        return ascend(objective, point, iterations=self.config.refine, evaluations=evaluations).point

    def _explore(self, objective: SetObjective, gain: float, latest: Trajectories) -> float:
        """Choose what explores next, if anything does; return what a plan promises beyond the best, NaN unasked."""
        limit = self.config.explore
        self._exploring = None
        if limit is not None and self._explored >= limit:
            return float("nan")
        if self._unseen_moves(latest):
            self._exploring = self._mixed(latest.commitment)
            self._explored += 1
            return float("nan")
        if self._thoughts > EARLY and self._thoughts % 2:
            return float("nan")
        worth = objective.solution(self._played).leader.q[self.model.counts.visits > 0]
        hopes = SetObjective(self.brief, self.points, lambda x: self.model.optimistic(x, float(worth.max())))
        present = hopes.value(self._played)
        allowed = self._allowed(PROMISING)
        found = best_of(hopes, self._places(), 200 if allowed is None else allowed)
        self._hopeful, promise = self.points.plain(found.point), found.value - present
        # Nobody knows that there is more to be had than was ever seen: some commitments look without being promised
        # anything, and while all is worth the same they all do.
        if self._explored in BARRING or gain <= FLAT * float(np.ptp(worth)):
            self._exploring = self._bar()
        elif promise > WORTH * gain:
            self._exploring = self._commitment(self._hopeful)
        self._explored += 1
        return promise

    def _places(self) -> list[Array]:
        """Return where to look for plans that promise more."""
        points, rng = self.points, self.rng
        hopeful = [] if self._hopeful is None else [self._hopeful]
        visits, number = self.model.counts.visits, DRAWN_BARRING * self._thoughts
        barred = [points.point(barring(self.brief, visits, number + i)) for i in range(DRAWN_BARRING) if self._pays]
        drawn = [
            *points.vertices(DRAWN_VERTICES, rng),
            *(points.inside(rng) for _ in range(DRAWN_INSIDE)),
        ]
        return [self._played, *hopeful, *self._plans, *barred, *drawn]

    @property
    def _pays(self) -> bool:
        """Whether the commitment pays the follower."""
        return "follower_reward" in self.brief.commitment.changes

    def _bar(self) -> Array:
        """Return a commitment that bars the usual ways; a random one where it is the leader's own policy."""
        if not self._pays:
            return drawn_policy(self.brief, self.rng)
        return barring(self.brief, self.model.counts.visits, self._thoughts)

    def _unseen_moves(self, latest: Trajectories) -> bool:
        """Whether the follower just came where there is a move of the leader's own that nobody has seen."""
        if "leader_policy" not in self.brief.commitment.changes:
            return False
        came = np.zeros(self.brief.num_joint_states, dtype=np.bool_)
        came[latest.joint_state] = True
        unseen = self.model.counts.visits.sum(axis=2) == 0
        return bool((came[:, None] & unseen & (self.brief.effect(self._middle).leader_policy > 0)).any())

    def _mixed(self, x: Array) -> Array:
        """Return a commitment near x in which the leader makes each of its moves now and then."""
        share = float(np.exp(self.rng.uniform(*np.log(MIXED))))
        return self.brief.commitment.project((1.0 - share) * x + share * self._middle)

    @property
    def _middle(self) -> Array:
        """The commitment in the middle of the set."""
        return self._commitment(np.full(self.points.size, 0.5))

    def _allowed(self, part: float) -> int | None:
        """Return how many evaluations of the model a part of the work of one update is enough for, at least one."""
        return None if self.config.work is None else max(1, int(part * self.config.work / self.model.size))


def _apart(points: list[Array]) -> list[Array]:
    """Return the first of them that are not near one another, at most `KEPT`."""
    kept: list[Array] = []
    for point in points:
        if len(kept) < KEPT and all(np.abs(point - other).max() > APART for other in kept):
            kept.append(point)
    return kept


@dataclass(frozen=True)
class VectorCertaintyEquivalentConfig(BoxSearchConfig):
    """Options of the certainty-equivalent leader in vector games.

    Attributes
    ----------
    start
        "zeros", "random" (standard normal theta), or an array of the parametrisation's size.
    draws
        How many commitments after the first are drawn evenly from the box, to learn about the game. None: two where the
        game publishes its form, else a seventh of all updates.
    replan
        A new search from many starts begins whenever the number of observed steps has grown by this factor.
    refine
        In all other updates: L-BFGS iterations from the present commitment.
    work
        Limit on the computing of a search in one update: about so many numbers are read, of which a model says how
        many a value takes. A search that reaches it goes on in the next update. None: no limit.
    """

    start: Start = "zeros"
    draws: Natural | None = None
    replan: AtLeastOne = 2.0
    refine: Natural = 5
    work: Positive | None = 2e6


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
    dJ/dx of any commitment, and a search finds the best one without any follower steps. In games that publish none, the
    leader learns what commitments are worth from what they earned, and a model from regressions; see
    :mod:`agents.leaders.learned_certainty_equivalent`.
    """

    brief: VectorBrief
    kinds = frozenset({"vector"})
    information = Information.REWARDS_OBSERVED
    Config = VectorCertaintyEquivalentConfig
    off_policy: ClassVar[bool] = True
    state_fields = stateful.fields(
        x=stateful.Array(),
        _first=stateful.Array(like="x"),
        _best=stateful.Array(like="x", optional=True),
        _played=stateful.Array(like="x"),
        _records=stateful.List(_Remembered()),
        _updates=stateful.Count(),
        _steps=stateful.Count(),
        _planned_at=stateful.Number(low=0.0),
        _search=stateful.Part(make=lambda self: self._new_search(np.random.default_rng(0)), optional=True),
    )

    @classmethod
    def preferred_steps(cls, brief: Brief, config: Any) -> int:
        """Some episodes where the game publishes no form, since returns are all there is to go by."""
        if getattr(brief, "model_class", brief) is None:
            return max(EPISODES * brief.horizon, LEAST_STEPS)
        return super().preferred_steps(brief, config)

    def __new__(cls, brief: Any, config: Any, rng: np.random.Generator) -> Any:
        """Return the leader that learns what a game publishes nothing about, for such a game."""
        if getattr(brief, "model_class", brief) is None:
            return LearnedCertaintyEquivalent(brief, config, rng)
        return object.__new__(cls)

    def __init__(self, brief: VectorBrief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        self.model_class: Any = brief.model_class
        parametrisation = brief.parametrisation
        self.x = parametrisation(starting_point(config.start, parametrisation.size, rng, unit_of(parametrisation)))
        self._best: Array | None = None
        self._first = self._played = self.x
        self._records: list[Any] = []
        self._updates, self._steps, self._planned_at = 0, 0, 0.0
        #: The search that goes on in the next update.
        self._search: Search | None = None

    def _new_search(self, rng: np.random.Generator) -> Search:
        """Return a search from where the leader is and from the middle."""
        commitment = self.brief.commitment
        starts = [box_point(self.recommend(), commitment.low, commitment.high), np.full(self.x.size, 0.5)]
        return box_search(self.x.size, self.config, rng, starts)

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
        exploring = self._updates <= self._draws or self._best is None
        commitment = self.brief.commitment
        drawn = commitment.low + (commitment.high - commitment.low) * self.rng.random(commitment.shape)
        self.x = drawn if exploring or self._best is None else self._best
        return {"exploring": float(exploring), **diagnostics}

    def recommend(self) -> Array:
        """Return the best commitment known; while there is none, the first one: those that follow are drawn."""
        return self._first if self._best is None else self._best

    def shorten(self, share: float = 0.5) -> bool:
        """Move back towards the last commitment that was played."""
        self.x = self.x + share * (self._played - self.x)
        return True

    @property
    def _draws(self) -> int:
        return DRAWS if self.config.draws is None else self.config.draws

    def _plan(self) -> tuple[Array | None, dict[str, float]]:
        """Return the best commitment in the model, None where there is no model or nothing finite in it."""
        if self._updates < self._draws:
            return None, {"model_value": float("nan"), "model_unstable": 0.0}
        try:
            model = self.model_class.fit(self._records)
        except FITLESS:
            return None, {"model_value": float("nan"), "model_unstable": 1.0}
        commitment = self.brief.commitment
        value = getattr(model, "value", None)
        objective = BoxObjective(model.value_and_gradient, commitment.low, commitment.high, value)
        found = self._improved(objective, getattr(model, "size", PLAIN_SIZE))
        diagnostics = {
            "model_value": found.value,
            "model_unstable": float(objective.unstable),
            "model_evaluations": float(objective.evaluations),
        }
        return (None if objective.unstable == objective.evaluations else objective.commitment(found.point)), diagnostics

    def _improved(self, objective: BoxObjective, size: int) -> Found:
        """Return the end of a search, of a part of one, or of a few iterations from where the leader is."""
        allowed = None if self.config.work is None else max(1, int(self.config.work / size))
        if self._search is None and self._steps >= self.config.replan * self._planned_at:
            self._planned_at = float(self._steps)
            self._search = self._new_search(self.rng)
        if self._search is None:
            last = objective.point(self.recommend())
            return ascend(objective, last, iterations=self.config.refine, evaluations=allowed)
        found = self._search.run(objective, allowed)
        self._search = None if self._search.done else self._search
        return found
