"""Followers that affect each other, each trained by an algorithm of stable-baselines3: they answer each other in turn.

After each commitment the followers take turns, several times over. In its turn a follower trains in its own decision
process, in which all others play what they play at present, and then plays what it has learned. This is iterated best
response with learners in the place of best responses. Where nobody changes any more that is an equilibrium, of hard or
soft responses by the algorithm; it need not come to that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, cast

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.vector import AnyGame
from stackelberg_envs.solvers.equilibrium.one_follower import one_follower

from ..options import Count
from ..state import stateful
from .base import FollowerConfig, FollowerView, RestartingFollower, register_follower
from .sb3 import Sb3, Sb3Config

__all__ = ["InteractingSb3", "InteractingSb3Config"]


@dataclass(frozen=True)
class InteractingSb3Config(FollowerConfig):
    """Options of the wrapper where followers affect each other.

    Attributes
    ----------
    algorithm
        As for one follower. Those that learn a distribution over actions can come to mixed equilibria; "DQN" cannot.
    steps
        Environment steps of each follower after each commitment, over all its turns. Algorithms that collect whole
        batches round each turn up.
    turns
        How often each follower trains after each commitment.
    observe_commitment, model_options
        As for one follower.
    """

    algorithm: str = "PPO"
    steps: Count = 20_000
    turns: Count = 5
    observe_commitment: Literal["all", "local", "none"] = "all"
    model_options: dict[str, Any] = field(default_factory=dict)


@register_follower("sb3")
class InteractingSb3(RestartingFollower):
    """Any fitting algorithm of stable-baselines3, a model for each follower.

    The followers take turns. In its turn each trains in its own decision process while the others play what they have
    learned; at first all play evenly.

    Attributes
    ----------
    members
        One follower each, which never meets the others: it is shown a game in which they are a part of the dynamics.
    policy
        Of all followers, shape (n, S, B).
    """

    Config = InteractingSb3Config
    kinds = frozenset({"markov"})
    needs_trust = True
    state_fields = stateful.fields(members=stateful.Parts())

    def __init__(self, config: Any, rng: np.random.Generator) -> None:
        super().__init__(config, rng)
        self.members: list[Sb3] = []

    def show(self, game: AnyGame) -> InteractingSb3:
        """Say which game it will be shown.

        Raises
        ------
        ArgumentError
            Followers lose the entropy of others, which no reward shows.
        MissingExtraError
            stable-baselines3 is not installed.
        """
        super().show(game)
        config, several = self.config, cast("MarkovGame", game)
        if several.zero_sum:
            raise ArgumentError(
                f"sb3: expected followers that learn from their own rewards alone, but those of {game.name!r} lose the "
                "entropy of the other besides (zero_sum), which no reward shows"
            )
        own = Sb3Config(
            algorithm=config.algorithm,
            steps=-(-config.steps // config.turns),
            observe_commitment=config.observe_commitment,
            model_options=config.model_options,
        )
        self.members = [Sb3(own, np.random.default_rng(i)) for i in range(several.num_followers)]
        for i, member in enumerate(self.members):
            member.show(one_follower(several, i, policies=_even(several)))
        return self

    def begin(self, view: FollowerView) -> None:
        """Forget all models; all play evenly."""
        if view.game is not self.game:
            self.show(view.game)
        for member in self.members:
            member.policy = None
            member.rng = np.random.default_rng(int(self.rng.integers(2**63)))
        self.policy = _even(cast("MarkovGame", self.game))

    def adapt(self, view: FollowerView) -> int:
        """Let all train in turn under the commitment."""
        game, policy, steps = cast("Any", view).game, np.array(self.policy), 0
        for _ in range(self.config.turns):
            for i, member in enumerate(self.members):
                steps += member.learn(one_follower(game, i, policies=policy).under(view.commitment))
                policy[i] = member.policy[:, 0]
        self.policy = policy
        return steps


def _even(game: MarkovGame) -> Array:
    """Return the policies that take all feasible actions alike, shape (n, S, B)."""
    able = np.ones(game.table_shape) if game.feasible is None else game.feasible.astype(np.float64)
    return np.asarray(able / able.sum(axis=2, keepdims=True))
