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
    from tensordict import TensorDict, TensorDictBase
    from torchrl.data import Composite
    from torchrl.envs import EnvBase, PettingZooWrapper

    from stackelberg_envs.clients.torchrl import FollowerEnv
except ImportError as exc:
    raise MissingExtraError(
        f'clients.benchmarl: expected BenchMARL, got {exc}: pip install "benchmarl>=1.5" "torch<=2.13.0"'
    ) from exc

__all__ = ["StackelbergTask"]


class FollowerGroup(FollowerEnv):
    """Copies of one follower in the layout of agents in groups: its numbers have a second axis, of the one agent.

    Parameters
    ----------
    id, num_envs, options
        See :class:`stackelberg_envs.clients.torchrl.FollowerEnv`.
    """

    def __init__(self, id: str, num_envs: int = 1, **options: Any) -> None:  # noqa: A002
        super().__init__(id, num_envs, **options)
        self.observation_spec = self._grouped("observation", self.observation_spec["observation"])
        self.action_spec = self._grouped("action", self.action_spec)
        self.reward_spec = self._grouped("reward", self.reward_spec)

    def _step(self, tensordict: TensorDictBase) -> TensorDictBase:
        told = super()._step(TensorDict({"action": tensordict["follower", "action"].squeeze(1)}, self.batch_size))
        told["follower", "reward"] = told.pop("reward").unsqueeze(1)
        return told

    def _told(self, *results: Any) -> TensorDictBase:
        told = super()._told(*results)
        told["follower"] = TensorDict({"observation": told.pop("observation").unsqueeze(1)}, (*self.batch_size, 1))
        return told

    def _grouped(self, name: str, spec: Any) -> Composite:
        shape = (*self.batch_size, 1)
        group = Composite({name: spec.unsqueeze(1)}, shape=shape)
        return Composite({"follower": group}, shape=self.batch_size)


class StackelbergTask(TaskClass):
    """Leader and followers of a game, or the followers alone, as a task.

    Parameters
    ----------
    id
        Of the game.
    leads
        Whether the leader is an agent, group "leader"; else the followers play alone under a given commitment. The
        followers are group "follower". A single follower that plays alone steps in as many copies at once as the
        experiment has environments; in all other cases BenchMARL steps one PettingZoo environment after the other.
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
        self._copies = functools.partial(FollowerGroup, id, **options)
        env: Any = self._make()
        check_client(env, "benchmarl")
        boxes = {agent: isinstance(env.action_space(agent), Box) for agent in env.possible_agents}
        if len(set(boxes.values())) > 1:
            raise ArgumentError("benchmarl: expected all actions boxes or all Discrete: pass menu=k, or leads=False")
        self._continuous = all(boxes.values())
        self._horizon = int(env.unwrapped.game.horizon) + int(leads)
        self._groups = {} if not leads else {"leader": [LEADER]}
        self._groups["follower"] = [agent for agent in env.possible_agents if agent != LEADER]
        self._alone = not leads and len(env.possible_agents) == 1
        super().__init__(name=id.replace("/", "_"), config={})

    def get_env_fun(
        self, num_envs: int, continuous_actions: bool, seed: int | None, device: Any
    ) -> Callable[[], EnvBase]:
        """Return what makes all environments of one process, or one of them, where they do not step at once."""
        del continuous_actions
        if self._alone:
            return functools.partial(self._seeded, num_envs, seed, device)
        return lambda: PettingZooWrapper(
            self._make(), group_map=self._groups, categorical_actions=True, seed=seed, device=device
        )

    def _seeded(self, num_envs: int, seed: int | None, device: Any) -> FollowerGroup:
        env = self._copies(num_envs=num_envs, device=device)
        env.set_seed(seed)
        return env

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
        spec = env.full_observation_spec_unbatched.clone()
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
        return env.full_action_spec_unbatched

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
