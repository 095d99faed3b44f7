"""A game as a task of BenchMARL: leader and followers are two groups, which may learn by different algorithms.

from stackelberg_envs.clients.benchmarl import StackelbergTask

task = StackelbergTask("stackelberg/FourRooms-v0", menu=6)
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from gymnasium.spaces import Box

from stackelberg_envs.errors import ArgumentError, MissingExtraError
from stackelberg_envs.faces.clients import check_client
from stackelberg_envs.faces.common import LEADER
from stackelberg_envs.faces.registration import followers_env, parallel_env

try:
    from benchmarl.environments.common import TaskClass
    from torchrl.data import Composite
    from torchrl.envs import PettingZooWrapper
except ImportError as exc:
    raise MissingExtraError(
        f'clients.benchmarl: expected BenchMARL, got {exc}: pip install "benchmarl>=1.5" "torch<=2.13.0"'
    ) from exc

__all__ = ["StackelbergTask"]


class StackelbergTask(TaskClass):
    """Leader and followers of a game, or the followers alone, as a task.

    Parameters
    ----------
    id
        Of the game.
    leads
        Whether the leader is an agent, group "leader"; else the followers play alone under a given commitment. The
        followers are group "follower".
    options
        Those of :func:`stackelberg_envs.parallel_env`, or of :func:`stackelberg_envs.followers_env`. All boxes, or all
        discrete: BenchMARL wants actions of one kind, so a leader beside discrete followers needs ``menu=k``.

    Raises
    ------
    ArgumentError
        Actions that BenchMARL does not take, or of two kinds; the message says which argument helps.
    """

    def __init__(self, id: str, *, leads: bool = True, **options: Any) -> None:  # noqa: A002
        self._make = functools.partial(parallel_env if leads else followers_env, id, **options)
        env: Any = self._make()
        check_client(env, "benchmarl")
        boxes = {agent: isinstance(env.action_space(agent), Box) for agent in env.possible_agents}
        if len(set(boxes.values())) > 1:
            raise ArgumentError("benchmarl: expected all actions boxes or all Discrete: pass menu=k, or leads=False")
        self._continuous = all(boxes.values())
        self._horizon = int(env.unwrapped.game.horizon) + int(leads)
        self._groups = {} if not leads else {"leader": [LEADER]}
        self._groups["follower"] = [agent for agent in env.possible_agents if agent != LEADER]
        super().__init__(name=id.replace("/", "_"), config={})

    def get_env_fun(
        self, num_envs: int, continuous_actions: bool, seed: int | None, device: Any
    ) -> Callable[[], PettingZooWrapper]:
        """Return what makes one environment."""
        del num_envs, continuous_actions
        return lambda: PettingZooWrapper(
            self._make(), group_map=self._groups, categorical_actions=True, seed=seed, device=device
        )

    def supports_continuous_actions(self) -> bool:
        """Return whether actions are boxes."""
        return self._continuous

    def supports_discrete_actions(self) -> bool:
        """Return whether actions are numbers."""
        return not self._continuous

    def max_steps(self, env: Any) -> int:
        """Return the rounds of the longest episode, that of the commitment among them."""
        del env
        return self._horizon

    def has_render(self, env: Any) -> bool:
        """Return that training draws nothing."""
        del env
        return False

    def group_map(self, env: Any) -> dict[str, list[str]]:
        """Return the agents of each group."""
        del env
        return self._groups

    def observation_spec(self, env: Any) -> Composite:
        """Return what each group sees."""
        spec = env.observation_spec.clone()
        for name in list(spec.keys()):
            if name not in self._groups:
                del spec[name]
        for group in self._groups:
            for key in list(spec[group].keys()):
                if key != "observation":
                    del spec[group][key]
        return spec

    def action_spec(self, env: Any) -> Composite:
        """Return what each group does."""
        return env.full_action_spec

    def info_spec(self, env: Any) -> None:
        """Return that learners are told no infos."""
        del env

    def state_spec(self, env: Any) -> None:
        """Return that there is no common state to learn from."""
        del env

    def action_mask_spec(self, env: Any) -> None:
        """Return that no action is masked."""
        del env

    @staticmethod
    def env_name() -> str:
        """Return the name in BenchMARL's logs."""
        return "stackelberg"
