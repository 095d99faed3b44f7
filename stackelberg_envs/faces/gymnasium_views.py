"""Gymnasium's views of a game: one follower under a commitment, or the leader against a response."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import ArrayLike, NDArray

from stackelberg_envs.arrays import Array, require_flag
from stackelberg_envs.errors import ArgumentError, PhaseError
from stackelberg_envs.faces import common
from stackelberg_envs.faces.environment_leader import EnvironmentLeaderEnv
from stackelberg_envs.faces.followers import given_commitment
from stackelberg_envs.faces.forms import Forms, formed_simulator, leader_form
from stackelberg_envs.faces.responses import Response, responder_of
from stackelberg_envs.games.environments import EnvironmentGame
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.tabular import Game, TabularGame
from stackelberg_envs.games.vector import VectorGame
from stackelberg_envs.pictures.canvas import GENERIC_RENDERER
from stackelberg_envs.play.resets import require_options, require_seed
from stackelberg_envs.play.session import DONE, PLAY, READY, Session, neutral_commitment

__all__ = ["FollowerEnv", "LeaderEnv", "Response", "leader_env", "one_of"]


@singledispatch
def one_of(game: Game) -> Game:
    """Return the game that one follower plays, while the others do what they do."""
    return game


@one_of.register(MarkovGame)
def _(game: MarkovGame) -> Game:
    from stackelberg_envs.solvers.equilibrium.one_follower import one_follower

    return one_follower(game)


class FollowerEnv(common.SessionFace, gymnasium.Env[Any, Any]):
    """One follower under a given commitment, as a Gymnasium environment.

    Parameters
    ----------
    game
        The game; with several followers, this is one of them. Where followers affect each other it is the first of
        them, while the others play their equilibrium; :func:`stackelberg_envs.one_follower` makes the game of another.
    commitment
        In force in every episode whose reset does not bring another in ``options={"commitment": x}``; default
        the one nearest to zero. May be reassigned between episodes (``env.unwrapped.commitment = x``).
    observe_commitment, normalize, flatten_actions, scale_rewards, scale_observations, render_mode, renderer, name
        See :class:`stackelberg_envs.faces.parallel.ParallelFace`.

    Notes
    -----
    Infos describe the transition just made, with the same keys at reset and at every step; see
    :meth:`stackelberg_envs.play.session.Session.play`.
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
        normalize: bool = False,
        flatten_actions: bool = False,
        scale_rewards: bool = False,
        scale_observations: bool = False,
        render_mode: str | None = None,
        renderer: str = GENERIC_RENDERER,
        name: str | None = None,
    ) -> None:
        game = one_of(game)
        forms = Forms(normalize, flatten_actions, scale_rewards, scale_observations)
        session = Session(game, num_followers=1, simulator=formed_simulator(game, forms))
        self._open(session, forms, observe_commitment, render_mode, renderer)
        self.commitment = neutral_commitment(game) if commitment is None else commitment
        self.metadata = common.metadata(name, game, is_parallelizable=False)
        self.observation_space = common.copy_of(self.observer.space)
        self.action_space = common.action_space_of(session, 0)

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
        ArgumentError
            Another option, or a seed that is no integer of at least 0; nothing has changed then.
        """
        x, seed = given_commitment(self.game, self._commitment, options), require_seed(seed)
        super().reset(seed=seed)
        self._restart(seed)
        self._commit(x)
        self._shown()
        return self.observer.follower(0), self._follower_infos()[0]

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
        self._shown()
        return (
            self.observer.follower(0),
            session.follower_rewards[0] * self._follower_share,
            session.terminated,
            session.truncated,
            self._follower_infos()[0],
        )

    def action_masks(self) -> NDArray[np.bool_]:
        """Return True for the actions that can be taken now, shape (B,): what sb3-contrib's MaskablePPO asks for.

        Raises
        ------
        ArgumentError
            A game in which every action can always be taken: it has no masks.
        """
        masks = self.session.action_masks()
        if masks is None:
            raise ArgumentError(f"action_masks: expected a game with feasible actions, got {self.game.name!r} without")
        return masks[0].astype(np.bool_)


class LeaderEnv(common.SessionFace, gymnasium.Env[Any, Any]):
    """The leader's problem as a one-step Gymnasium environment: commit, a response plays, the leader is paid.

    Parameters
    ----------
    game
        The game.
    response
        Maps (game, x) to the followers' policy, drawn from in play: for a tabular game an array of shape
        ([K,] S, A, B), for a vector one a :class:`stackelberg_envs.games.vector.FollowerPolicy`. Default the exact
        soft best response, where that is known.
    discounted
        Whether the leader is paid its discounted return over the episode, or the plain sum.
    menu, menu_seed
        See :class:`stackelberg_envs.faces.common.Menu`; the action space is then Discrete.
    scale_rewards
        Whether the return is divided by what the leader's typical reward makes in the longest episode.
    observe_commitment, normalize, scale_observations, render_mode, renderer, name
        See :class:`stackelberg_envs.faces.parallel.ParallelFace`.

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
        game: Game,
        *,
        response: Response | None = None,
        discounted: bool = True,
        menu: int | Sequence[ArrayLike] | None = None,
        menu_seed: int = 0,
        observe_commitment: str = "all",
        normalize: bool = False,
        scale_rewards: bool = False,
        scale_observations: bool = False,
        render_mode: str | None = None,
        renderer: str = GENERIC_RENDERER,
        name: str | None = None,
    ) -> None:
        self.responder = responder_of(game, response)
        self.discounted = require_flag(discounted, "discounted")
        forms = Forms(normalize=normalize, scale_rewards=scale_rewards, scale_observations=scale_observations)
        self._open(Session(game), forms, observe_commitment, render_mode, renderer)
        self._leader_share = forms.share_of_episodes(game, discounted=self.discounted)
        self.menu = None if menu is None else common.Menu(game, menu, menu_seed)
        self.metadata = common.metadata(name, game, is_parallelizable=False)
        self.observation_space = common.copy_of(self.observer.space)
        self._form = leader_form(game, None, forms)
        self.action_space = common.copy_of(self._form.space) if self.menu is None else self.menu.space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode, in the commitment phase.

        Parameters
        ----------
        seed
            Starts a new random stream; None goes on with the present one.
        options
            None are known.

        Raises
        ------
        ArgumentError
            An option, or a seed that is no integer of at least 0; nothing has changed then.
        """
        require_options(options, advice="; here a commitment is the action")
        seed = require_seed(seed)
        super().reset(seed=seed)
        self._restart(seed)
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
        self._commit(self._form.meant(action) if self.menu is None else self.menu[action])
        responder = self.responder
        policy = responder.answer(session)
        discounted, weight = 0.0, 1.0
        while session.phase == PLAY:
            session.advance(responder.draw(policy, session, self.np_random))
            discounted += weight * session.leader_reward
            weight *= self.game.leader_discount
        self.observer.update()
        self._shown()
        reward = discounted if self.discounted else session.leader_return
        return self.observer.leader(), reward * self._leader_share, True, False, self._info(discounted)

    def _info(self, discounted: float) -> dict[str, Any]:
        session = self.session
        return {
            "leader_return": session.leader_return,
            "discounted_leader_return": discounted,
            "steps": session.played,
            "context": -1 if session.context is None else session.context,
            "terminated": int(session.terminated),
        }


@singledispatch
def leader_env(
    game: Game,
    *,
    response: Response | None = None,
    discounted: bool = True,
    menu: int | Sequence[ArrayLike] | None = None,
    menu_seed: int = 0,
    observe_commitment: str = "all",
    normalize: bool = False,
    scale_rewards: bool = False,
    scale_observations: bool = False,
    render_mode: str | None = None,
    renderer: str = GENERIC_RENDERER,
    name: str | None = None,
) -> gymnasium.Env[Any, Any]:
    """Return the leader's environment of a kind of game; ``leader_env.register(kind)`` adds kinds."""
    raise ArgumentError(
        f"game: expected a TabularGame, a MarkovGame, a VectorGame or an EnvironmentGame, got {type(game).__name__}"
    )


leader_env.register(TabularGame, LeaderEnv)
leader_env.register(MarkovGame, LeaderEnv)
leader_env.register(VectorGame, LeaderEnv)
leader_env.register(EnvironmentGame, EnvironmentLeaderEnv)
