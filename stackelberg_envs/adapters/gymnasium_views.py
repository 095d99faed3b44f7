"""Gymnasium's views of a game: one follower under a commitment, or the leader against a response."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import ArrayLike

from stackelberg_envs.adapters import common
from stackelberg_envs.adapters.followers import given_commitment
from stackelberg_envs.adapters.observations import Observer
from stackelberg_envs.arrays import Array, require_rows_sum_to_one, require_shape
from stackelberg_envs.errors import ArgumentError, PhaseError
from stackelberg_envs.games import Game, TabularGame
from stackelberg_envs.rendering import GENERIC_RENDERER
from stackelberg_envs.simulation import DONE, PLAY, READY, Session, cumulative, neutral_commitment

__all__ = ["FollowerEnv", "LeaderEnv", "Response"]

RESPONSE_AXES = ("context", "state", "leader action")
#: (game, x) -> follower policy of shape ([K,] S, A, B).
Response = Callable[[TabularGame, Array], ArrayLike]


class FollowerEnv(gymnasium.Env[Any, Any]):
    """One follower under a given commitment, as a Gymnasium environment.

    Parameters
    ----------
    game
        The game; with several followers, this is one of them.
    commitment
        In force in every episode whose reset does not bring another in ``options={"commitment": x}``; default
        the one nearest to zero. May be reassigned between episodes (``env.unwrapped.commitment = x``).
    observe_commitment
        How much of the commitment observations show: "all", "local" or "none".
    render_mode, renderer, name
        See :class:`stackelberg_envs.adapters.parallel.ParallelFace`.

    Notes
    -----
    Infos describe the transition just made, with the same keys at reset and at every step; see
    :meth:`stackelberg_envs.simulation.Session.play`.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - the name and type are Gymnasium's
        "render_modes": list(common.RENDER_MODES),
        "render_fps": common.RENDER_FPS,
    }

    def __init__(
        self,
        game: Game,
        *,
        commitment: ArrayLike | None = None,
        observe_commitment: str = "all",
        render_mode: str | None = None,
        renderer: str = GENERIC_RENDERER,
        name: str | None = None,
    ) -> None:
        self.game = game
        self.commitment = neutral_commitment(game) if commitment is None else commitment
        self.session = Session(game, num_followers=1)
        self.observer = Observer(self.session, observe_commitment)
        self.render_mode = common.require_render_mode(render_mode)
        self.renderer = renderer
        self.metadata = common.metadata(name, game, is_parallelizable=False)
        self.observation_space = common.copy_of(self.observer.space)
        self.action_space = common.copy_of(self.session.simulator.follower_action_space)
        self.observation_layout = dict(self.observer.layout)

    @property
    def commitment(self) -> Array:
        """The commitment of episodes that do not bring their own."""
        return self._commitment

    @commitment.setter
    def commitment(self, x: ArrayLike) -> None:
        self._commitment = self.game.commitment.check(x)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode, in the play phase.

        Parameters
        ----------
        seed
            Starts a new random stream; None goes on with the present one.
        options
            ``{"commitment": x}`` puts x in force for this episode.

        Raises
        ------
        CommitmentError
            x lies outside its space.
        """
        super().reset(seed=seed)
        x = given_commitment(self.game, self._commitment, options)
        self.session.reset(seed)
        self.observer.restart()
        self.session.commit(x)
        self.observer.begin_play()
        if self.render_mode == "human":
            self.render()
        return self.observer.follower(0), dict(self.session.records[0])

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Play one step.

        Raises
        ------
        PhaseError
            Before reset, or after the end.
        ActionError
            An illegal action.
        """
        session = self.session
        session.play((action,))
        self.observer.update()
        if self.render_mode == "human":
            self.render()
        return (
            self.observer.follower(0),
            session.follower_rewards[0],
            session.terminated,
            session.truncated,
            dict(session.records[0]),
        )

    def render(self) -> Any:
        """Return the picture ("rgb_array") or text ("ansi"); print the text ("human")."""
        return common.render(self.session, self.renderer, self.render_mode)


class LeaderEnv(gymnasium.Env[Any, Any]):
    """The leader's problem as a one-step Gymnasium environment: commit, a response plays, the leader is paid.

    Parameters
    ----------
    game
        A tabular game.
    response
        Maps (game, x) to a follower policy of shape ([K,] S, A, B), drawn from in play; default the soft
        best response.
    discounted
        Whether the leader is paid its discounted return over the episode, or the plain sum.
    menu, menu_seed
        See :class:`stackelberg_envs.adapters.common.Menu`; the action space is then Discrete.
    observe_commitment
        How much of the commitment observations show: "all", "local" or "none".
    render_mode, renderer, name
        See :class:`stackelberg_envs.adapters.parallel.ParallelFace`.

    Notes
    -----
    Observations are the leader's, at the start and at the end of the episode. Infos, with the same keys at
    reset and after the step: ``leader_return`` and ``discounted_leader_return``, ``steps`` played,
    ``context`` (-1 before play), ``terminated`` (1 if play ended in a terminal state, 0 by the horizon).
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - the name and type are Gymnasium's
        "render_modes": list(common.RENDER_MODES),
        "render_fps": common.RENDER_FPS,
    }

    def __init__(
        self,
        game: TabularGame,
        *,
        response: Response | None = None,
        discounted: bool = True,
        menu: int | Sequence[ArrayLike] | None = None,
        menu_seed: int = 0,
        observe_commitment: str = "all",
        render_mode: str | None = None,
        renderer: str = GENERIC_RENDERER,
        name: str | None = None,
    ) -> None:
        if not isinstance(game, TabularGame):
            raise ArgumentError(f"game: expected a TabularGame, got {type(game).__name__}")
        self.game = game
        self.response = soft_response if response is None else response
        self.discounted = discounted
        self.session = Session(game)
        self.observer = Observer(self.session, observe_commitment)
        self.menu = None if menu is None else common.Menu(game, menu, menu_seed)
        self.render_mode = common.require_render_mode(render_mode)
        self.renderer = renderer
        self.metadata = common.metadata(name, game, is_parallelizable=False)
        self.observation_space = common.copy_of(self.observer.space)
        self.action_space = common.copy_of(game.commitment.space) if self.menu is None else self.menu.space
        self.observation_layout = dict(self.observer.layout)
        self._answered: tuple[Array, Array] | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode, in the commitment phase.

        Parameters
        ----------
        seed
            Starts a new random stream; None goes on with the present one.
        options
            Ignored.
        """
        del options
        super().reset(seed=seed)
        self.session.reset(seed)
        self.observer.restart()
        return self.observer.leader(), self._info(0.0)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Commit, let the response play a whole episode, and pay the leader.

        Raises
        ------
        PhaseError
            Before reset, or after the one step of an episode.
        CommitmentError
            Wrong shape, or a number that is not finite.
        """
        session = self.session
        if session.phase in (READY, DONE):
            raise PhaseError("step: expected a new episode, which has one step; call reset() first")
        session.commit(action if self.menu is None else self.menu[action])
        self.observer.begin_play()
        policy = self._policy()
        discounted, weight = 0.0, 1.0
        while session.phase == PLAY:
            session.play(self._draw(policy))
            discounted += weight * session.leader_reward
            weight *= self.game.leader_discount
        self.observer.update()
        if self.render_mode == "human":
            self.render()
        reward = discounted if self.discounted else session.leader_return
        return self.observer.leader(), reward, True, False, self._info(discounted)

    def _policy(self) -> Array:
        """Return the response to the commitment in force, as running sums of shape (Z, A, B)."""
        x = self.session.x
        if x is None:
            raise PhaseError("response: expected a commitment first")
        if self._answered is None or not np.array_equal(self._answered[0], x):
            policy = np.asarray(self.response(self.game, x), dtype=np.float64)
            require_shape(policy, [self.game.array_shape], "response", ArgumentError)
            policy = require_rows_sum_to_one(policy, "response", ArgumentError, RESPONSE_AXES)
            self._answered = (x.copy(), cumulative(policy.reshape(-1, *self.game.shape[1:])))
        return self._answered[1]

    def _draw(self, policy: Array) -> list[int | None]:
        session = self.session
        base = (session.context or 0) * self.game.shape[0]
        random = self.np_random.random
        return [
            None if finished else int(np.searchsorted(policy[base + state, shown or 0], random(), side="right"))
            for state, shown, finished in zip(session.states, session.leader_actions, session.finished, strict=True)
        ]

    def _info(self, discounted: float) -> dict[str, Any]:
        session = self.session
        return {
            "leader_return": session.leader_return,
            "discounted_leader_return": discounted,
            "steps": session.played,
            "context": -1 if session.context is None else session.context,
            "terminated": int(session.terminated),
        }

    def render(self) -> Any:
        """Return the picture ("rgb_array") or text ("ansi"); print the text ("human")."""
        return common.render(self.session, self.renderer, self.render_mode)


def soft_response(game: TabularGame, x: Array) -> Array:
    """Return the exact soft best response, shape ([K,] S, A, B)."""
    from stackelberg_envs.oracles import soft_best_response

    return soft_best_response(game.primitives(x)).policy.reshape(game.array_shape)
