"""Briefing: what a leader of a given level is told of a game, and what it is shown of play."""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.estimators.models.published import model_class_of
from agents.followers import Follower, follower_names
from agents.followers.base import FOLLOWERS
from agents.followers.training import Trainer
from agents.leaders import Leader, leader_names
from agents.leaders.base import LEADERS
from agents.learning.parametrisations import make_parametrisation
from agents.observing.brief import Brief, Information
from stackelberg_envs.errors import ArgumentError, InformationError
from stackelberg_envs.games.batched import AnyGame, BatchedGame
from stackelberg_envs.games.samples import ActionSpec
from stackelberg_envs.games.tabular import TabularGame

__all__ = ["kind_of", "level_of", "make_brief", "require_kind"]


def kind_of(game: AnyGame) -> str:
    """Return "tabular" or "batched"."""
    return "batched" if isinstance(game, BatchedGame) else "tabular"


def require_kind(player: type[Leader] | type[Follower], name: str, game: AnyGame) -> None:
    """Raise unless a leader or follower works on the game's kind.

    Raises
    ------
    ArgumentError
        With those that would work.
    """
    kind = kind_of(game)
    if kind in player.kinds:
        return
    role = "leader" if issubclass(player, Leader) else "follower"
    names, known = (leader_names(), LEADERS) if role == "leader" else (follower_names(), FOLLOWERS)
    fit = ", ".join(other for other in names if kind in known[other].kinds)
    raise ArgumentError(
        f"{role} {name!r}: works on {' and '.join(sorted(player.kinds))} games, but {game.name!r} is {kind}; "
        f"expected one of {fit}"
    )


def level_of(kind: type[Leader], game: AnyGame, config: Any) -> Information:
    """Return the level of information a leader works at in a game, with its options."""
    return kind.declared(game.commitment, config, public_temperature=game.publish_temperature)


def make_brief(
    game: AnyGame, level: Information, parametrisation: str | None = None, leader: str = "this leader"
) -> Brief:
    """Return what a leader of the given level may know of a game.

    Raises
    ------
    InformationError
        The game keeps private what the level includes.
    """
    if level >= Information.REWARDS_OBSERVED and not game.observe_rewards:
        raise InformationError(
            f"{leader}: needs {level.name}, but this game keeps the follower's rewards private; "
            f"leaders of level {Information.ACTIONS_ONLY.name} would work"
        )
    return Brief(
        information=level,
        commitment=game.commitment,
        parametrisation=make_parametrisation(game.commitment, parametrisation),
        num_contexts=game.num_contexts,
        leader_discount=game.leader_discount,
        follower_discount=game.follower_discount,
        temperature=game.temperature if game.publish_temperature or level >= Information.RESPONSE else None,
        horizon=game.horizon,
        model=game if level >= Information.MODEL else None,
        **(_vectors(game) if isinstance(game, BatchedGame) else _tables(game, level)),
    )


def _tables(game: TabularGame, level: Information) -> dict[str, Any]:
    S, A, B = game.shape
    return {
        "num_states": S,
        "num_leader_actions": A,
        "num_follower_actions": B,
        "leader_policy": np.full((S, A), 1.0 / A) if game.leader_policy is None else game.leader_policy,
        "train": Trainer(game) if level >= Information.CONTROLS_TRAINING else None,
    }


def _vectors(game: BatchedGame) -> dict[str, Any]:
    space = game.leader_action_space
    return {
        **dict.fromkeys(("num_states", "num_leader_actions", "num_follower_actions"), 0),
        "leader_policy": np.zeros((0, 0)),
        "kind": "batched",
        "state_size": int(np.prod(game.state_space.shape)),
        "leader_action_size": 0 if space is None else int(np.prod(space.shape)),
        "follower_actions": ActionSpec.of(game.follower_action_space),
        "model_class": model_class_of(game.model_class),
    }
