"""Exact where a game of vectors has no solver: it knows the game and the follower's policy, and plays many episodes.

J is then no exact number but a mean over episodes of the game itself, against the given follower as it responds to the
commitment, always from the same random numbers. So differences between commitments are known much better than values.
The search is that of :mod:`agents.planning.commitment_search`, one commitment in each update.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.play.rollout import rollout

from ..estimators.common_starts import CommonStarts
from ..learning.parametrisations import unit_of
from ..observing.brief import Brief, Information
from ..observing.trajectories import Trajectories
from ..planning.box import box_point
from ..planning.commitment_search import DRAWN, CommitmentSearch
from ..state import stateful
from .base import Leader, starting_point

__all__ = ["EstimatedExact"]

#: Episodes by which a commitment is judged, and what their random numbers are drawn from.
EPISODES, SEED = 200, 2**31 - 2
#: Which part of the updates tries commitments drawn evenly.
DRAWS = 0.25


class EstimatedExact(Leader):
    """What plays as `exact` in a game of vectors without a solver.

    Attributes
    ----------
    x
        The commitment to judge next.
    starts, search
        What the commitments so far earned, and where the search among them is.
    """

    name = "exact"
    kinds = frozenset({"vector"})
    information = Information.MODEL
    state_fields = stateful.fields(
        x=stateful.Array(),
        starts=stateful.Part(),
        search=stateful.Part(),
        _best=stateful.Array(like="x", optional=True),
    )

    def __init__(self, brief: Brief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        parametrisation = brief.parametrisation
        self.x = parametrisation(starting_point(config.start, parametrisation.size, rng, unit_of(parametrisation)))
        self.starts, self.search = CommonStarts(), CommitmentSearch(self.x.size, brief.updates)
        self._best: Array | None = None

    def commit(self) -> Array:
        """Return the commitment to judge next."""
        return self.x

    def recommend(self) -> Array:
        """Return the best commitment that was judged; before there is any, the first one."""
        return self.x if self._best is None else self._best

    def update(self, trajectories: Trajectories) -> dict[str, float]:
        """Judge the commitment by play against the follower as it responds to it, and choose the next.

        Raises
        ------
        ArgumentError
            Play without the follower's policy, as of several followers.
        """
        policy: Any = trajectories.response
        if policy is None:
            raise ArgumentError(
                "exact: expected one follower with a policy in a game without an exact solution, got none"
            )
        game, commitment, search = self.brief.model, self.brief.commitment, self.search
        seen = rollout(game.under(self.x), policy, np.random.default_rng(SEED), episodes=EPISODES)
        returns = seen.returns(game.leader_discount)
        self.starts.add(seen, game.leader_discount)
        arm = search.turn if search.arms else DRAWN
        search.add(box_point(self.x, commitment.low, commitment.high), arm)
        values, variances = self.starts.judged()
        search.forget(len(values))
        if len(search.points) > DRAWS * search.updates and not search.arms:
            search.begin(values, variances)
        point = search.next(values, variances, self.rng)[0] if search.arms else self.rng.random(self.x.size)
        low, high = commitment.low, commitment.high
        self._best, self.x = (
            np.asarray(low + (high - low) * each.reshape(low.shape))
            for each in (search.points[search.best(values, variances)], point)
        )
        return {
            "estimated_value": float(returns.mean()),
            "standard_error": float(returns.std(ddof=1) / np.sqrt(len(returns))),
        }
