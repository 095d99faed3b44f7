"""How a run ends: the follower responds to what is recommended, and every number says what it is."""

from __future__ import annotations

import copy

import numpy as np

from stackelberg_envs.errors import StackelbergError

from ..followers import Follower, FollowerView
from .evaluation import Evaluation

__all__ = ["meanings", "responding"]


def responding(follower: Follower, view: FollowerView) -> Follower | None:
    """Return a copy of the follower that has responded to the commitment; None where it cannot, or cannot be copied.

    One with a delay is told as often as it needs to hear of it. The follower itself does not change, so that a run
    which is stopped at this point goes on as if it had not come to it.
    """
    try:
        # The game does not change, and may be large.
        twin = copy.deepcopy(follower, {id(view.game): view.game})
    except Exception:
        return None
    try:
        for _ in range(twin.delay + 1):
            twin.learn(view)
    except (StackelbergError, ArithmeticError, np.linalg.LinAlgError):
        return None
    return twin


def meanings(evaluation: Evaluation, follower: Follower) -> dict[str, str]:
    """Return what the values of a record are, in words, by their names; see :class:`agents.RunRecord`."""
    exact = "exact, play without end, against the best response"
    actual = evaluation.meaning(follower)
    against = exact if evaluation.is_exact else actual
    return {
        "start_value": f"first commitment announced: {against}",
        "neutral_value": f"admissible commitment nearest to zero: {exact}",
        "leader_value": f"final commitment: {against}",
        "actual_value": f"final commitment: {actual}",
        "episode_value": "final commitment: exact, an episode cut at the horizon, against the same best response",
        "curve.leader_value": f"commitment announced in this update: {actual}",
        "curve.recommended_value": f"commitment recommended after this update: {exact}",
        "curve.observed_return": "mean over the whole episodes of this update, cut at the horizon, as they were played",
    }
