"""Briefing: what a leader of a given level is told of a game, and what it is shown of play."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np

from stackelberg_envs.errors import ArgumentError, InformationError
from stackelberg_envs.games.samples import ActionSpec
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.vector import AnyGame, VectorGame

from ..estimators.models.published import model_class_of
from ..learning.parametrisations import make_parametrisation
from ..observing.brief import Brief, Information, TabularBrief, VectorBrief

__all__ = ["make_brief"]


@singledispatch
def make_brief(game: Any, level: Information, parametrisation: str | None = None, leader: str = "this leader") -> Brief:
    """Return what a leader of the given level may know of a game; ``make_brief.register`` adds kinds of game.

    Raises
    ------
    InformationError
        The game keeps private what the level includes.
    ArgumentError
        No game.
    """
    del level, parametrisation, leader
    raise ArgumentError(f"game: expected a game, got {type(game).__name__}")


@make_brief.register
def _(
    game: TabularGame, level: Information, parametrisation: str | None = None, leader: str = "this leader"
) -> TabularBrief:
    S, A, B = game.shape
    return TabularBrief(
        **_common(game, level, parametrisation, leader),
        num_states=S,
        num_leader_actions=A,
        num_follower_actions=B,
        leader_policy=np.full((S, A), 1.0 / A) if game.leader_policy is None else game.leader_policy,
    )


@make_brief.register
def _(
    game: VectorGame, level: Information, parametrisation: str | None = None, leader: str = "this leader"
) -> VectorBrief:
    space = game.leader_action_space
    return VectorBrief(
        **_common(game, level, parametrisation, leader),
        state_size=int(np.prod(game.state_space.shape)),
        leader_action_size=0 if space is None else int(np.prod(space.shape)),
        follower_actions=ActionSpec.of(game.follower_action_space),
        model_class=model_class_of(game.model_class),
    )


def _common(game: AnyGame, level: Information, parametrisation: str | None, leader: str) -> dict[str, Any]:
    """Return what every brief holds."""
    if level >= Information.REWARDS_OBSERVED and not game.observe_rewards:
        raise InformationError(
            f"{leader}: needs {level.name}, but this game keeps the follower's rewards private; "
            f"leaders of level {Information.ACTIONS_ONLY.name} would work"
        )
    return {
        "information": level,
        "commitment": game.commitment,
        "parametrisation": make_parametrisation(game.commitment, parametrisation),
        "num_contexts": game.num_contexts,
        "leader_discount": game.leader_discount,
        "follower_discount": game.follower_discount,
        "temperature": game.temperature if game.publish_temperature or level >= Information.RESPONSE else None,
        "horizon": game.horizon,
        "model": game if level >= Information.MODEL else None,
    }
