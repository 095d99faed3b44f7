"""Responses that play against the leader in :class:`~stackelberg_envs.faces.gymnasium_views.LeaderEnv`.

A response says how followers act under a commitment. What it returns depends on the kind of game; a
:class:`Responder` draws actions from it. ``responder_of.register(kind)`` adds kinds of games.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import singledispatch
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array, as_float, require_rows_sum_to_one, require_shape
from stackelberg_envs.errors import ArgumentError, PhaseError
from stackelberg_envs.games.actions import checked_actions
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.markov_primitives import checked_policies
from stackelberg_envs.games.tabular import Game, TabularGame
from stackelberg_envs.games.vector import FollowerPolicy, VectorGame
from stackelberg_envs.play.rollout import require_feasible
from stackelberg_envs.play.session import Session, neutral_commitment
from stackelberg_envs.play.simulators import cumulative

__all__ = [
    "MarkovResponder",
    "Responder",
    "Response",
    "TabularResponder",
    "VectorResponder",
    "checked_tables",
    "responder_of",
    "soft_response",
]

RESPONSE_AXES = ("context", "state", "leader action")
#: (game, x) -> the response: of a tabular game an array of shape ([K,] S, A, B), of a vector one a FollowerPolicy.
Response = Callable[[Any, Array], Any]


class Responder(ABC):
    """Draws the followers' actions from the response to the commitment in force.

    Parameters
    ----------
    response
        Maps (game, x) to the response; it is asked again only when x has changed.
    """

    def __init__(self, game: Game, response: Response) -> None:
        if not callable(response):
            raise ArgumentError(f"response: expected a function (game, x) -> policy, got {type(response).__name__}")
        self.game: Any = game
        self.response = response
        self._answered: tuple[Array, Any] | None = None

    def answer(self, session: Session) -> Any:
        """Return the checked response to the session's commitment."""
        x = session.x
        if x is None:
            raise PhaseError("response: expected a commitment first")
        if self._answered is None or not np.array_equal(self._answered[0], x):
            self._answered = (x.copy(), self._checked(self.response(self.game, x)))
        return self._answered[1]

    @abstractmethod
    def _checked(self, answer: Any) -> Any:
        """Return a response in the form that :meth:`draw` reads, or raise ArgumentError."""

    @abstractmethod
    def draw(self, answer: Any, session: Session, rng: np.random.Generator) -> list[Any]:
        """Return one action per follower, None for those that are finished."""


class TabularResponder(Responder):
    """Draws from tables."""

    def _checked(self, answer: Any) -> Array:
        """Return running sums, shape (Z, A, B)."""
        return checked_tables(self.game, answer)

    def draw(self, answer: Array, session: Session, rng: np.random.Generator) -> list[int | None]:
        """Draw each action by one uniform number."""
        base = (session.context or 0) * self.game.shape[0]
        return [
            None if finished else int(np.searchsorted(answer[base + state, shown or 0], rng.random(), side="right"))
            for state, shown, finished in zip(session.states, session.leader_actions, session.finished, strict=True)
        ]


def checked_tables(game: TabularGame, answer: Any) -> Array:
    """Return a response of a tabular game, by context or by joint state, as running sums, shape (Z, A, B).

    Raises
    ------
    ArgumentError
        Another shape, rows that do not sum to one, or actions that are not feasible.
    """
    policy = as_float(answer, "response", ArgumentError)
    require_shape(policy, list(dict.fromkeys([game.array_shape, game.table_shape])), "response", ArgumentError)
    policy = require_rows_sum_to_one(policy, "response", ArgumentError, RESPONSE_AXES)
    require_feasible(policy.reshape(game.table_shape), game.uncommitted.feasible)
    return cumulative(policy.reshape(-1, *game.shape[1:]))


class VectorResponder(Responder):
    """Draws from a policy of vectors, all followers at once; what it draws is checked against the space."""

    def __init__(self, game: VectorGame, response: Response) -> None:
        super().__init__(game, response)
        self._bounds = game.played_bounds

    def _checked(self, answer: Any) -> FollowerPolicy:
        if not callable(getattr(answer, "sample", None)):
            raise ArgumentError(
                "response: expected an object with sample(rng, states, leader_actions, contexts), "
                f"got {type(answer).__name__}"
            )
        policy: FollowerPolicy = answer
        return policy

    def draw(self, answer: FollowerPolicy, session: Session, rng: np.random.Generator) -> list[Any]:
        """Draw the actions of all followers that still play."""
        playing = [i for i, finished in enumerate(session.finished) if not finished]
        nothing = session.simulator.nothing()
        shown = [session.leader_actions[i] for i in playing]
        drawn = answer.sample(
            rng,
            np.stack([session.states[i] for i in playing]),
            np.stack([nothing.leader_action if action is None else action for action in shown]),
            np.full(len(playing), session.context, dtype=np.int32),
        )
        size = np.size(nothing.follower_action)
        require_shape(np.asarray(drawn), [(len(playing), size)], "response: its sample", ArgumentError)
        drawn = checked_actions(drawn, len(playing), self._bounds, "response: its sample")
        actions: list[Any] = [None] * session.num_followers
        for i, row in zip(playing, drawn, strict=True):
            actions[i] = row if isinstance(nothing.follower_action, np.ndarray) else int(row[0])
        return actions


class MarkovResponder(Responder):
    """Draws the actions of followers that affect each other, each from a table of its own."""

    def _checked(self, answer: Any) -> Array:
        """Return running sums, shape (n, S, B)."""
        neutral = self.game.under(neutral_commitment(self.game)).arrays
        return cumulative(checked_policies(answer, neutral))

    def draw(self, answer: Array, session: Session, rng: np.random.Generator) -> list[int | None]:
        """Draw each action by one uniform number."""
        state = session.states[0]
        return [int(np.searchsorted(table[state], rng.random(), side="right")) for table in answer]


@singledispatch
def responder_of(game: Game, response: Response | None = None) -> Responder:
    """Return what draws from a response, by default from the exact one.

    Raises
    ------
    ArgumentError
        A kind of game without responders, or a game without an exact response where none is given.
    """
    raise ArgumentError(f"game: expected a TabularGame or a VectorGame, got {type(game).__name__}")


@responder_of.register(TabularGame)
def _(game: TabularGame, response: Response | None = None) -> Responder:
    return TabularResponder(game, soft_response if response is None else response)


@responder_of.register(MarkovGame)
def _(game: MarkovGame, response: Response | None = None) -> Responder:
    return MarkovResponder(game, equilibrium_response if response is None else response)


@responder_of.register(VectorGame)
def _(game: VectorGame, response: Response | None = None) -> Responder:
    if response is None and not game.has_solution:
        raise ArgumentError(
            f"response: expected a function (game, x) -> follower policy, because no exact response of {game.name!r} "
            "is known; the policy has sample(rng, states, leader_actions, contexts)"
        )
    return VectorResponder(game, exact_policy if response is None else response)


def soft_response(game: TabularGame, x: Array) -> Array:
    """Return the exact soft best response, shape ([K,] S, A, B)."""
    from stackelberg_envs.solvers.responses import soft_best_response

    return soft_best_response(game.primitives(x)).policy.reshape(game.array_shape)


def equilibrium_response(game: MarkovGame, x: Array) -> Array:
    """Return the followers' logit equilibrium, shape (n, S, B)."""
    from stackelberg_envs.solvers.equilibrium.solution import solve_markov

    return solve_markov(game, x).policy


def exact_policy(game: VectorGame, x: Array) -> FollowerPolicy:
    """Return the soft best response of a vector game whose solution is known."""
    return game.solve(x).policy
