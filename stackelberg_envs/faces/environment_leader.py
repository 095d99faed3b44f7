"""The leader's problem over an environment that nobody looks into, as a one-step Gymnasium environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from numpy.typing import ArrayLike, NDArray

from stackelberg_envs.arrays import Array, require_flag
from stackelberg_envs.errors import ArgumentError, PhaseError
from stackelberg_envs.faces import common
from stackelberg_envs.faces.forms import Forms, leader_form
from stackelberg_envs.faces.observations import OBSERVE_COMMITMENT, is_one_of
from stackelberg_envs.faces.responses import Response
from stackelberg_envs.games.environments import EnvironmentGame
from stackelberg_envs.pictures.canvas import GENERIC_RENDERER
from stackelberg_envs.play.environments import Acting, play_environment
from stackelberg_envs.play.resets import require_options, require_seed
from stackelberg_envs.play.session import COMMITMENT, DONE, READY

__all__ = ["EnvironmentLeaderEnv"]


class EnvironmentLeaderEnv(gymnasium.Env[Any, Any]):
    """Commit, let a response play an episode of the environment, and pay the leader.

    Parameters
    ----------
    game
        Made by :func:`stackelberg_envs.wrap_commitment`.
    response
        Maps (game, x) to what acts in the environment, with ``act(observation, rng)``; in a PettingZoo environment it
        takes and returns dicts by agent. It may learn in ``game.under(x).make()`` first. Nothing stands in for it,
        because nothing is known of the environment. It is asked again only when x has changed.
    discounted, menu, menu_seed, normalize
        See :class:`stackelberg_envs.faces.gymnasium_views.LeaderEnv`.
    observe_commitment
        "all" and "local" show x, "none" does not.
    scale_rewards, scale_observations, render_mode
        Refused: no typical sizes are known, and what there is to draw the environment draws itself.
    renderer, name
        For `metadata` of other games.

    Notes
    -----
    Observations are x, the phase (two numbers), and the steps that were played as a part of the horizon; zero where
    nothing was committed yet. Infos have the keys of :class:`stackelberg_envs.faces.gymnasium_views.LeaderEnv`. Of
    several followers the leader is paid the mean; ``steps`` are those of the environment.
    """

    def __init__(
        self,
        game: EnvironmentGame,
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
        del renderer
        if not callable(response):
            raise ArgumentError(
                "response: expected a function (game, x) -> what has act(observation, rng), because no response in "
                f"{game.name!r} is known, got {type(response).__name__}"
            )
        if not is_one_of(observe_commitment, OBSERVE_COMMITMENT):
            raise ArgumentError(f"observe_commitment: expected 'all', 'local' or 'none', got {observe_commitment!r}")
        refused = {"scale_rewards": scale_rewards, "scale_observations": scale_observations, "render_mode": render_mode}
        for argument, given in refused.items():
            if given is not None and given is not False:
                raise ArgumentError(
                    f"{argument}: expected none for {game.name!r}, an environment that nobody looks into, got {given!r}"
                )
        self.game, self.response = game, response
        self.discounted = require_flag(discounted, "discounted")
        self.menu = None if menu is None else common.Menu(game, menu, menu_seed)
        self.metadata = common.metadata(name, game, is_parallelizable=False) | {"render_modes": []}
        self.render_mode = None
        self._form = leader_form(game, None, Forms(normalize=normalize))
        self.action_space = common.copy_of(self._form.space) if self.menu is None else self.menu.space
        commitment = game.commitment
        D = 0 if observe_commitment == "none" else commitment.low.size
        self.observation_layout = {"commitment": slice(0, D), "phase": slice(D, D + 2), "time": slice(D + 2, D + 3)}
        low, high = (np.asarray(bound, np.float32).ravel()[:D] for bound in (commitment.low, commitment.high))
        rest = np.zeros(3, np.float32), np.ones(3, np.float32)
        self.observation_space = Box(
            np.concatenate([np.minimum(low, 0.0), rest[0]]),
            np.concatenate([np.maximum(high, 0.0), rest[1]]),
            dtype=np.float32,
        )
        self._phase = READY
        self._answered: tuple[Array, Acting] | None = None

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
        super().reset(seed=require_seed(seed))
        self._phase = COMMITMENT
        return self._observation(None, 0), _info(0.0, 0.0, 0, terminated=False)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Commit, let the response play an episode, and pay the leader.

        Raises
        ------
        PhaseError
            Before reset, or after the one step of an episode.
        CommitmentError
            Wrong shape, or a number that is not finite.
        ArgumentError
            A response that cannot act.
        GameError
            The environment cannot be made under x, or pays what is no number.
        """
        if self._phase != COMMITMENT:
            raise PhaseError("step: expected a new episode, which has one step; call reset() first")
        game = self.game
        x = game.commitment.project(self._form.meant(action) if self.menu is None else self.menu[action])
        counted = _Counted(self._answer(x))
        seen = play_environment(game.under(x), counted, self.np_random, episodes=1)
        self._phase = DONE
        plain, discounted = (float(seen.returns(discount).mean()) for discount in (1.0, game.leader_discount))
        info = _info(plain, discounted, counted.rounds, terminated=bool(seen.terminated.all()))
        return self._observation(x, counted.rounds), discounted if self.discounted else plain, True, False, info

    def _answer(self, x: Array) -> Acting:
        if self._answered is None or not np.array_equal(self._answered[0], x):
            made = self.response(self.game, x.copy())
            if not callable(getattr(made, "act", None)):
                raise ArgumentError(
                    f"response: expected an object with act(observation, rng), got {type(made).__name__}"
                )
            self._answered = x, made
        return self._answered[1]

    def _observation(self, x: Array | None, steps: int) -> NDArray[np.float32]:
        row = np.zeros(self.observation_space.shape or (), np.float32)
        if x is not None:
            shown = self.observation_layout["commitment"]
            row[shown] = x.ravel()[shown]
        row[self.observation_layout["phase"]] = (x is None, x is not None)
        row[-1] = steps / self.game.horizon
        return row


class _Counted:
    """A response, and in how many rounds it acted."""

    def __init__(self, policy: Acting) -> None:
        self.policy, self.rounds = policy, 0

    def act(self, observation: Any, rng: np.random.Generator) -> Any:
        self.rounds += 1
        return self.policy.act(observation, rng)


def _info(plain: float, discounted: float, steps: int, *, terminated: bool) -> dict[str, Any]:
    return {
        "leader_return": plain,
        "discounted_leader_return": discounted,
        "steps": steps,
        "context": 0 if steps else -1,
        "terminated": int(terminated),
    }
