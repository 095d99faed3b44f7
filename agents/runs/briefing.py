"""Briefing: what a leader of a given level is told of a game, and what it is shown of play."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np

from stackelberg_envs.errors import ArgumentError, InformationError
from stackelberg_envs.games.environments import EnvironmentGame
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.observed import Numbers, Seen, Vectors
from stackelberg_envs.games.samples import ActionSpec
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.vector import AnyGame, VectorGame

from ..estimators.models.published import model_class_of
from ..learning.parametrisations import make_parametrisation
from ..observing.brief import Brief, EnvironmentBrief, Information, MarkovBrief, TabularBrief, VectorBrief

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
        feasible=game.uncommitted.feasible,
    )


@make_brief.register
def _(
    game: MarkovGame, level: Information, parametrisation: str | None = None, leader: str = "this leader"
) -> MarkovBrief:
    S, B, _ = game.shape
    return MarkovBrief(
        **_common(game, level, parametrisation, leader),
        num_followers=game.num_followers,
        num_states=S,
        num_follower_actions=B,
        feasible=game.feasible,
        zero_sum=game.zero_sum,
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


@make_brief.register
def _(
    game: EnvironmentGame, level: Information, parametrisation: str | None = None, leader: str = "this leader"
) -> Brief:
    if level > Information.REWARDS_OBSERVED:
        raise InformationError(
            f"{leader}: needs {level.name}, but {game.name!r} is an environment that nobody looks into: it cannot be "
            f"set to a state, and its model and the follower's policy are not known; leaders of level "
            f"{Information.ACTIONS_ONLY.name} or {Information.REWARDS_OBSERVED.name} would work"
        )
    common = _common(game, level, parametrisation, leader)
    return _brief_of(game.seen, common) if game.commitment.changes else EnvironmentBrief(**common)


@singledispatch
def _brief_of(seen: Seen, common: dict[str, Any]) -> Brief:
    """Return a brief as of the game that an environment looks like."""
    raise NotImplementedError(type(seen).__name__)


@_brief_of.register
def _(seen: Numbers, common: dict[str, Any]) -> Brief:
    S = seen.S + 1
    sizes: dict[str, Any] = {"num_states": S, "num_leader_actions": 1, "num_follower_actions": seen.B}
    return TabularBrief(**common, **sizes, leader_policy=np.ones((S, 1)))


@_brief_of.register
def _(seen: Vectors, common: dict[str, Any]) -> Brief:
    assert seen.actions is not None  # noqa: S101 - a commitment with an effect was held to that
    sizes: dict[str, Any] = {"state_size": seen.size, "leader_action_size": 0}
    return VectorBrief(**common, **sizes, follower_actions=seen.actions, model_class=None)


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
