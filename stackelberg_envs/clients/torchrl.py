"""Many copies of one follower as a batched TorchRL environment, on the package's own vectors.

from stackelberg_envs.clients.torchrl import FollowerEnv

env = FollowerEnv("stackelberg/FourRooms-v0", num_envs=64)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box

from stackelberg_envs.errors import ArgumentError, MissingExtraError, PhaseError
from stackelberg_envs.faces.clients import check_client
from stackelberg_envs.faces.registration import vector_env

try:
    import torch
    from tensordict import TensorDict, TensorDictBase
    from torchrl.data import Bounded, Categorical, Composite, Unbounded
    from torchrl.envs import EnvBase
except ImportError as exc:
    raise MissingExtraError(f'clients.torchrl: expected TorchRL, got {exc}: pip install "torchrl>=0.11"') from exc

__all__ = ["FollowerEnv"]


class FollowerEnv(EnvBase):
    """One follower under a given commitment, in n copies that step in one call; batch size [n].

    Parameters
    ----------
    id
        Of the game; None where ``game=`` is given.
    num_envs
        n.
    device
        Where tensors are; the game itself is played on the processor.
    options
        Those of :func:`stackelberg_envs.vector_env`, ``autoreset`` apart: TorchRL says itself when an episode begins.

    Attributes
    ----------
    vector
        The Gymnasium vector environment beneath.

    Raises
    ------
    ArgumentError
        ``autoreset``, or actions that TorchRL has no specification for; the message says which argument helps.

    Notes
    -----
    Observations are float32, shape [n, L], rewards float32, [n, 1]. Discrete actions are numbers, int64, [n], and
    boxes float32, [n, d]. Copy i plays the episodes of :func:`stackelberg_envs.follower_env` with seed s + i after
    ``set_seed(s)``. A partial reset begins the next episode of copies whose episode is over.
    """

    def __init__(self, id: str | None = None, num_envs: int = 1, *, device: Any = "cpu", **options: Any) -> None:  # noqa: A002
        if "autoreset" in options:
            raise ArgumentError("autoreset: expected none, TorchRL itself says when an episode begins")
        # The first observations come with the step that ended an episode, and wait for the reset.
        self.vector: Any = vector_env(id, num_envs=num_envs, autoreset="same_step", **options)
        check_client(_One(self.vector.single_action_space), "torchrl")
        n = self.vector.num_envs
        super().__init__(device=torch.device(device), batch_size=torch.Size([n]))
        self._seed: int | None = None
        self._waiting = np.zeros(n, np.bool_)
        self._first = np.empty((n, 0), np.float32)
        seen: Any = self.vector.observation_space
        done = (n, 1)
        self.observation_spec = Composite(observation=_bounded(seen, self.device), shape=(n,))
        action: Any = self.vector.single_action_space
        self.action_spec = (
            _bounded(self.vector.action_space, self.device)
            if isinstance(action, Box)
            else Categorical(int(action.n), shape=(n,), device=self.device)
        )
        self.reward_spec = Unbounded(shape=done, device=self.device)
        flags = {
            name: Categorical(2, shape=done, dtype=torch.bool, device=self.device)
            for name in ("done", "terminated", "truncated")
        }
        self.done_spec = Composite(flags, shape=(n,))

    def _reset(self, tensordict: TensorDictBase | None = None, **_: Any) -> TensorDictBase:
        mask = None if tensordict is None else tensordict.get("_reset", None)
        if mask is None:
            self._first, _ = self.vector.reset(seed=self._seed)
            self._seed = None
            self._waiting[:] = False
            return self._told(self._first)
        begins = mask.reshape(-1).cpu().numpy()
        early = np.flatnonzero(begins & ~self._waiting)
        if early.size:
            raise PhaseError(
                f"reset: expected copies whose episode is over, or all copies; copy {early[0]} still plays"
            )
        self._waiting &= ~begins
        return self._told(self._first)

    def _step(self, tensordict: TensorDictBase) -> TensorDictBase:
        if self._waiting.any():
            raise PhaseError(f"step: expected reset of copy {np.flatnonzero(self._waiting)[0]}, whose episode is over")
        actions = tensordict["action"].cpu().numpy()
        seen, rewards, terminated, truncated, infos = self.vector.step(actions)
        self._waiting = terminated | truncated
        self._first = seen
        if self._waiting.any():
            seen = seen.copy()
            seen[self._waiting] = np.stack(infos["final_obs"][self._waiting])
        told = self._told(seen, terminated, truncated)
        told["reward"] = self._column(rewards).to(torch.float32)
        return told

    def _set_seed(self, seed: int | None) -> None:
        self._seed = seed

    def _told(self, seen: Any, terminated: Any = None, truncated: Any = None) -> TensorDictBase:
        none = np.zeros(self.vector.num_envs, np.bool_)
        ends = none if terminated is None else terminated
        cut = none if truncated is None else truncated
        told = {
            "observation": torch.as_tensor(seen).to(self.device),
            "terminated": self._column(ends),
            "truncated": self._column(cut),
            "done": self._column(ends | cut),
        }
        return TensorDict(told, batch_size=self.batch_size, device=self.device)

    def _column(self, values: Any) -> torch.Tensor:
        return torch.as_tensor(values).reshape(-1, 1).clone().to(self.device)


class _One:
    """What :func:`check_client` asks of an environment, for one copy."""

    def __init__(self, space: Any) -> None:
        self.action_space = space


def _bounded(space: Any, device: Any) -> Any:
    """Return the specification of a batch of boxes; bounds that are infinite are none."""
    low, high = torch.as_tensor(space.low), torch.as_tensor(space.high)
    if not (torch.isfinite(low).all() and torch.isfinite(high).all()):
        return Unbounded(shape=low.shape, device=device)
    return Bounded(low=low, high=high, shape=low.shape, dtype=torch.float32, device=device)
