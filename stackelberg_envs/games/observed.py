"""What leaders see of an environment that nobody looks into: numbers or vectors, and what a commitment adds there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import GameError
from stackelberg_envs.games.commitments.base import Commitment, Effect, need
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.samples import ActionSpec, SampledCommitment, Samples

__all__ = ["Bonus", "EnvironmentStep", "Numbers", "Row", "Seen", "Vectors"]

#: (observation, action, next observation) -> what is added to the follower's and to the leader's reward.
Bonus: TypeAlias = Callable[[Any, Any, Any], tuple[float, float]]
#: State, follower's action, next state, the leader's and the follower's reward.
Row: TypeAlias = tuple[Any, Any, Any, float, float]


class EnvironmentStep(NamedTuple):
    """One step of one follower, as a leader's reward is told of it.

    Attributes
    ----------
    observation, action, reward, next_observation, terminated, truncated, info
        What the environment was given and returned; the reward is without any bonus of the commitment's own.
    agent
        Its name in a PettingZoo environment; "" in a Gymnasium environment.
    commitment
        The x in force.
    """

    observation: Any
    action: Any
    reward: float
    next_observation: Any
    terminated: bool
    truncated: bool
    info: dict[str, Any]
    agent: str
    commitment: Array


class _WithEnd(Commitment):
    """A commitment over the S states of an environment, in the game that has one state more: the end."""

    always_fits = True

    def __init__(self, inner: Commitment, S: int, B: int) -> None:
        super().__init__(inner.low, inner.high, names=inner.names)
        self.inner, self.sizes = inner, (S, 1, B)
        self.changes, self.parametrisation, self.affine = inner.changes, inner.parametrisation, inner.affine

    def check(self, x: ArrayLike) -> Array:
        """Check by the rule of the commitment itself."""
        return self.inner.check(x)

    def project(self, x: ArrayLike) -> Array:
        """Project by the rule of the commitment itself."""
        return self.inner.project(x)

    def effect(self, x: Array) -> Effect:
        """Return the effect, which is nothing at the end.

        Raises
        ------
        GameError
            It does not fit the environment's states and actions.
        """
        made = self.inner.effect(x)
        parts: dict[str, Any] = {name: self._with_end(getattr(made, name), name) for name in self.changes}
        return replace(made, **parts)

    def _with_end(self, reward: Array, name: str) -> Array:
        S, _, B = self.sizes
        try:
            full = np.broadcast_to(reward, self.sizes)
        except ValueError:
            raise GameError(
                f"space: expected a commitment for {S} states and {B} actions, but its {name} has shape "
                f"{np.shape(reward)}, which does not broadcast to {self.sizes}"
            ) from None
        return np.concatenate([full, np.zeros((1, 1, B))])

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return dJ/dx from all states but the end."""
        parts = {name: need(getattr(cotangents, name), name)[:-1] for name in self.changes}
        return self.inner.vjp(x, replace(cotangents, **parts))


class Seen(ABC):
    """What leaders see of states and actions, and what a commitment adds to rewards there.

    Attributes
    ----------
    kind
        The kind of game that it looks like to a leader.
    """

    kind: str

    @abstractmethod
    def shown(self, commitment: Commitment) -> Commitment:
        """Return the commitment as leaders are told of it."""

    @abstractmethod
    def bonus(self, commitment: Commitment, x: Array) -> Bonus:
        """Return (observation, action, next observation) -> what x adds to the follower's and the leader's reward."""

    @abstractmethod
    def rows(self, step: EnvironmentStep, paid: tuple[float, float], rng: np.random.Generator) -> list[Row]:
        """Return what is recorded of a step that paid so much to the follower and the leader."""

    @abstractmethod
    def arrays(self, rows: list[Row]) -> dict[str, Any]:
        """Return states, actions and next states of rows as :class:`Trajectories` has them, and its `num_states`."""


@dataclass(frozen=True)
class Numbers(Seen):
    """States and actions are numbers, and there is one state more, the end, which is visited once.

    Attributes
    ----------
    S, B
        How many the environment has.
    first_state, first_action
        The least of each.
    """

    S: int
    B: int
    first_state: int
    first_action: int
    kind = "tabular"

    def shown(self, commitment: Commitment) -> Commitment:  # noqa: D102
        known = isinstance(commitment, _WithEnd) and commitment.sizes == (self.S, 1, self.B)
        return commitment if known else _WithEnd(commitment, self.S, self.B)

    def bonus(self, commitment: Commitment, x: Array) -> Bonus:  # noqa: D102
        made, nothing = commitment.effect(x), np.zeros((self.S, 1, self.B))
        entries = (nothing if entry is None else entry for entry in (made.follower_reward, made.leader_reward))
        follower, leader = (entry[:, 0].tolist() for entry in entries)

        def paid(observation: Any, action: Any, following: Any) -> tuple[float, float]:
            del following
            s, b = int(observation) - self.first_state, int(action) - self.first_action
            return follower[s][b], leader[s][b]

        return paid

    def rows(self, step: EnvironmentStep, paid: tuple[float, float], rng: np.random.Generator) -> list[Row]:
        """Return the step and, if it was the last, a visit of the end, where nothing depends on the action."""
        state, action = int(step.observation) - self.first_state, int(step.action) - self.first_action
        if not step.terminated:
            return [(state, action, int(step.next_observation) - self.first_state, paid[1], paid[0])]
        visit = self.S, int(rng.integers(self.B)), self.S, 0.0, 0.0
        return [(state, action, self.S, paid[1], paid[0]), visit]

    def arrays(self, rows: list[Row]) -> dict[str, Any]:  # noqa: D102
        state, action, following = (np.array([row[i] for row in rows], dtype=np.int32) for i in range(3))
        made = {"state": state, "follower_action": action, "next_state": following, "num_states": self.S + 1}
        return {**made, "leader_action": np.zeros_like(state)}


@dataclass(frozen=True)
class Vectors(Seen):
    """States and actions are vectors; of size 0 where the environment's spaces cannot be seen as such.

    Attributes
    ----------
    size
        Of a state.
    actions
        The actions; None where they are not seen.
    """

    size: int
    actions: ActionSpec | None
    kind = "vector"

    def shown(self, commitment: Commitment) -> Commitment:  # noqa: D102
        return commitment

    def bonus(self, commitment: Commitment, x: Array) -> Bonus:  # noqa: D102
        sampled = cast("SampledCommitment", commitment)

        def paid(observation: Any, action: Any, following: Any) -> tuple[float, float]:
            rows = self.state(observation)[None], self.action(action)[None], self.state(following)[None]
            step = Samples(rows[0], np.zeros((1, 0)), rows[1], rows[2], np.zeros(1, np.int32))
            made = sampled.effect_at(x, step)
            own, leader = made.follower_reward, made.leader_reward
            return 0.0 if own is None else float(own[0]), 0.0 if leader is None else float(leader[0])

        return paid

    def rows(self, step: EnvironmentStep, paid: tuple[float, float], rng: np.random.Generator) -> list[Row]:  # noqa: D102
        del rng
        action = self.action(step.action)
        return [(self.state(step.observation), action, self.state(step.next_observation), paid[1], paid[0])]

    def arrays(self, rows: list[Row]) -> dict[str, Any]:  # noqa: D102
        state, action, following = (np.stack([row[i] for row in rows]) for i in range(3))
        made = {"state": state, "follower_action": action, "next_state": following, "num_states": 0}
        return {**made, "leader_action": np.zeros((len(rows), 0))}

    def state(self, observation: Any) -> Array:
        """Return an observation as a vector, float64."""
        return np.asarray(observation, dtype=np.float64).ravel() if self.size else np.zeros(0)

    def action(self, action: Any) -> Any:
        """Return an action as a vector, shape (B,): float64 for boxes, else int64."""
        if self.actions is None:
            return np.zeros(0)
        return np.asarray(action, dtype=np.int64 if self.actions.counts else np.float64).ravel()
