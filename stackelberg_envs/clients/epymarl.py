"""A game as EPyMARL's wrapper `gymma` takes it: tuples of spaces and observations, and a list of rewards.

python src/main.py --config=ippo_ns --env-config=gymma with common_reward=False env_args.time_limit=200
    env_args.key=stackelberg_envs.clients.epymarl:stackelberg/Tuple-v0 env_args.game_id=stackelberg/FourRooms-v0
    env_args.leads=False
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from typing import Any

import gymnasium
from gymnasium.spaces import Tuple

from stackelberg_envs.errors import ActionError
from stackelberg_envs.faces.clients import check_client
from stackelberg_envs.faces.registration import followers_env, parallel_env

__all__ = ["KEY", "TupleEnv"]

#: What `gymnasium.make`, and so EPyMARL's `env_args.key`, finds :class:`TupleEnv` by.
ID = "stackelberg/Tuple-v0"
KEY = f"{__name__}:{ID}"


class TupleEnv(gymnasium.Env[tuple[Any, ...], tuple[Any, ...]]):
    """Leader and followers of a game, or the followers alone, in one Gymnasium environment.

    Parameters
    ----------
    game_id
        Of the game.
    leads
        Whether the leader is an agent, the first one; else the followers play alone under a given commitment.
    options
        Those of :func:`stackelberg_envs.parallel_env`, or of :func:`stackelberg_envs.followers_env`. EPyMARL knows
        Discrete actions only, so a leader needs ``menu=k``.

    Attributes
    ----------
    n_agents
        Of them.

    Raises
    ------
    ArgumentError
        Actions that EPyMARL does not take; the message says which argument helps.

    Notes
    -----
    A step returns a tuple of observations, a list of rewards, one for each agent, two flags, and an info that has
    ``episode_limit``: whether the episode was cut at the horizon, after which EPyMARL learns as if play went on.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - the name and type are Gymnasium's
        "render_modes": ["rgb_array", "ansi", "human"]
    }

    def __init__(self, game_id: str, *, leads: bool = True, render_mode: str | None = None, **options: Any) -> None:
        make = parallel_env if leads else followers_env
        self._env: Any = make(game_id, render_mode=render_mode, **options)
        check_client(self._env, "epymarl")
        self.render_mode = render_mode
        self._agents = list(self._env.possible_agents)
        self.n_agents = len(self._agents)
        self.action_space = Tuple([self._env.action_space(agent) for agent in self._agents])
        self.observation_space = Tuple([self._env.observation_space(agent) for agent in self._agents])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Begin an episode: what each agent observes, and an empty info."""
        observations, _ = self._env.reset(seed=seed, options=options)
        return self._in_order(observations), {}

    def step(self, action: Any) -> tuple[tuple[Any, ...], Any, bool, bool, dict[str, Any]]:
        """Play a round, with one action for each agent.

        Raises
        ------
        ActionError
            Not one action for each agent, or an action outside its space.
        """
        given = list(action) if isinstance(action, Iterable) else [action]
        if len(given) != self.n_agents:
            raise ActionError(
                f"step: expected one action for each of {self._agents}, in this order, got {reprlib.repr(action)}"
            )
        actions = dict(zip(self._agents, given, strict=True))
        observations, rewards, terminated, truncated, _ = self._env.step(actions)
        over, cut = all(terminated.values()), all(truncated.values())
        limit = {"episode_limit": cut and not over}
        return self._in_order(observations), list(self._in_order(rewards)), over, cut, limit

    def render(self) -> Any:
        """Draw the game as `render_mode` says."""
        return self._env.render()

    def close(self) -> None:
        """Close the environment."""
        self._env.close()

    def _in_order(self, values: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(values[agent] for agent in self._agents)


gymnasium.register(ID, entry_point=f"{__name__}:TupleEnv", disable_env_checker=True)
