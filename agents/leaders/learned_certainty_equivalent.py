"""Certainty equivalence where a game of vectors publishes no form: what it learns is what it sees.

It learns two things from all play. The first is what commitments are worth: a surrogate of the observed returns, less
what the luck of first states explains, in which it searches. The second is a model of the game itself, dynamics,
rewards and the follower's response, from regressions on random features (:mod:`agents.estimators.models.learned`).
Whenever there is much more play than before, it plans in that model, and plays what comes out. It does so only if the
model ranks the commitments that were played about as their returns do, since a follower's response can be of a form
that no such regression follows, and imagined play then leads nowhere.

The method is this project's own.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import scipy

from stackelberg_envs.arrays import Array

from ..estimators.common_starts import CommonStarts
from ..estimators.models.learned import LearnedModel, PlayMemory
from ..learning.parametrisations import unit_of
from ..observing.brief import Information, VectorBrief
from ..observing.trajectories import Trajectories
from ..planning.box import box_point
from ..planning.commitment_search import DRAWN, CommitmentSearch
from ..state import stateful
from .base import Leader, starting_point

__all__ = ["LearnedCertaintyEquivalent"]

#: Which part of the updates tries commitments drawn evenly, unless options say how many.
DRAWS = 0.15
#: Commitments that have to be known before a model is made of them, and how many a model is tried on.
LEAST_KNOWN, TRIED = 8, 24
#: Rank correlation of a model's values with those observed from which on it is planned in.
AGREEMENT = 0.5
#: Planning: rounds, candidates in each, the best ones that the next round is drawn around, and what is played.
ROUNDS, CANDIDATES, ELITE, PROPOSALS = 4, 16, 4, 2


class LearnedCertaintyEquivalent(Leader):
    """What plays as `certainty_equivalent` in a game of vectors that publishes no form, with the options of that.

    Attributes
    ----------
    x
        The commitment to play next.
    memory, starts, search
        The play, the returns, and where the search among commitments is.
    """

    brief: VectorBrief
    name = "certainty_equivalent"
    kinds = frozenset({"vector"})
    information = Information.REWARDS_OBSERVED
    off_policy: ClassVar[bool] = True
    state_fields = stateful.fields(
        x=stateful.Array(),
        memory=stateful.Part(),
        starts=stateful.Part(),
        search=stateful.Part(),
        _best=stateful.Array(like="x", optional=True),
        _played=stateful.Array(like="x"),
        _proposals=stateful.List(stateful.Array(lambda self: (self.x.size,), low=0.0, high=1.0), most=PROPOSALS),
        _arm=stateful.Count(low=DRAWN),
        _updates=stateful.Count(),
        _steps=stateful.Count(),
        _planned_at=stateful.Number(low=0.0),
    )

    def __init__(self, brief: VectorBrief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        parametrisation = brief.parametrisation
        self.x = parametrisation(starting_point(config.start, parametrisation.size, rng, unit_of(parametrisation)))
        self.memory, self.starts = PlayMemory(brief), CommonStarts()
        self.search = CommitmentSearch(self.x.size, brief.updates)
        self._best: Array | None = None
        self._played = self.x
        #: What the model proposes to play, and the arm that asked for the present commitment.
        self._proposals: list[Array] = []
        self._arm = DRAWN
        self._updates, self._steps, self._planned_at = 0, 0, 0.0

    def commit(self) -> Array:
        """Return the commitment to play next."""
        return self.x

    def recommend(self) -> Array:
        """Return the best commitment that was played; before there is any, the first one."""
        return self.x if self._best is None else self._best

    def shorten(self, share: float = 0.5) -> bool:
        """Move back towards the last commitment that was played."""
        self.x = self.x + share * (self._played - self.x)
        return True

    def update(self, trajectories: Trajectories) -> dict[str, float]:
        """Add the play to what is known, and choose the next commitment."""
        commitment, search = self.brief.commitment, self.search
        self._steps += trajectories.num_steps
        self._updates += 1
        self._played = np.asarray(trajectories.commitment)
        own = self._arm if np.array_equal(self._played, self.x) else DRAWN
        search.add(box_point(self._played, commitment.low, commitment.high), own)
        self.starts.add(trajectories, self.brief.leader_discount)
        self.memory.add(trajectories, self.rng)
        values, variances = self.starts.judged()
        search.forget(len(values))
        agreement = self._propose(values)
        draws = int(DRAWS * search.updates) if self.config.draws is None else self.config.draws
        exploring = self._updates <= draws or bool(self._proposals)
        if self._updates > draws and not search.arms:
            search.begin(values, variances)
        self._arm = DRAWN
        if self._proposals:
            point = self._proposals.pop(0)
            self._arm = search.turn if search.arms else DRAWN
        elif self._updates <= draws:
            point = self.rng.random(self.x.size)
        else:
            point, self._arm = search.next(values, variances, self.rng)
        best = search.best(values, variances)
        self._best, self.x = self._commitment(search.points[best]), self._commitment(point)
        return {"exploring": float(exploring), "best_observed_value": float(values[best]), "model_agreement": agreement}

    def _commitment(self, point: Array) -> Array:
        low, high = self.brief.commitment.low, self.brief.commitment.high
        return np.asarray(low + (high - low) * point.reshape(low.shape))

    def _propose(self, values: Array) -> float:
        """Plan in a model of the game, if there is much more play than before; return how far the model agrees."""
        late = self._updates < LEAST_KNOWN or self._steps < self.config.replan * self._planned_at
        if late or self.search.confirming:
            return float("nan")
        self._planned_at = float(self._steps)
        model = LearnedModel(self.brief, self.memory, self.rng)
        known = self.rng.permutation(len(values))[:TRIED]
        imagined = self._imagined(model, self.search.points[known])
        if np.ptp(imagined) == 0.0 or np.ptp(values[known]) == 0.0:
            return float("nan")  # where everything is worth the same, nothing has a rank
        agreement = float(scipy.stats.spearmanr(imagined, values[known]).statistic)
        if agreement >= AGREEMENT:
            self._proposals = self._planned(model, values)
        return agreement

    def _imagined(self, model: LearnedModel, points: Array) -> Array:
        """Return what a model expects of points less what its members disagree on, shape (n,)."""
        low, high = (np.ravel(end) for end in (self.brief.commitment.low, self.brief.commitment.high))
        members = model.values(low + (high - low) * points)
        return np.asarray(members.mean(axis=0) - members.std(axis=0))

    def _planned(self, model: LearnedModel, values: Array) -> list[Array]:
        """Return the best points of a search by cross-entropy in a model, from the best and any others."""
        D, best = self.x.size, self.search.points[np.argsort(-values)[:ELITE]]
        points = np.concatenate([best, self.rng.random((2 * CANDIDATES - len(best), D))])
        worth = self._imagined(model, points)
        for _ in range(ROUNDS):
            elite = points[np.argsort(-worth)[:ELITE]]
            spread = elite.std(axis=0) + 0.02
            drawn = np.clip(elite.mean(axis=0) + spread * self.rng.standard_normal((CANDIDATES, D)), 0.0, 1.0)
            points, worth = np.concatenate([points, drawn]), np.append(worth, self._imagined(model, drawn))
        return list(points[np.argsort(-worth)[:PROPOSALS]])
