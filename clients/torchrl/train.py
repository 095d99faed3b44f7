"""Train followers by TorchRL's PPO, in many copies at once."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import torch
from tensordict import TensorDict
from tensordict.nn import InteractionType, TensorDictModule, set_interaction_type
from tensordict.nn.distributions import NormalParamExtractor
from torch import nn
from torchrl.envs.utils import step_mdp
from torchrl.modules import ProbabilisticActor, TanhNormal, ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

import stackelberg_envs as se
from clients.common import Result, finish, follower_result

# --- glue
from stackelberg_envs.clients.torchrl import FollowerEnv

FORMS = {"normalize": True, "flatten_actions": True, "scale_rewards": True, "scale_observations": True}


def make_env(id: str, copies: int) -> FollowerEnv:  # noqa: A002
    """Return copies of a game's follower under the neutral commitment."""
    return FollowerEnv(id, num_envs=copies, **FORMS)


# --- end of glue


class Learner:
    """PPO for one follower: networks, loss and one update from a batch of play.

    Parameters
    ----------
    spec
        Of the actions.
    size
        Length of an observation.
    discount
        The follower's.
    rate
        Of Adam, at the beginning.
    """

    def __init__(self, spec: Any, size: int, discount: float, rate: float) -> None:
        discrete = not spec.dtype.is_floating_point
        outputs = int(spec.n) if discrete else 2 * spec.shape[-1]
        body: list[nn.Module] = _layers(size, outputs)
        nn.init.constant_(body[-1].weight, 0.0)
        if not discrete:
            body.append(NormalParamExtractor())
        keys = ["logits"] if discrete else ["loc", "scale"]
        options = {} if discrete else {"distribution_kwargs": {"low": -1.0, "high": 1.0}}
        self.policy = ProbabilisticActor(
            TensorDictModule(nn.Sequential(*body), in_keys=["observation"], out_keys=keys),
            in_keys=keys,
            spec=spec,
            distribution_class=torch.distributions.Categorical if discrete else TanhNormal,
            return_log_prob=True,
            **options,
        )
        value = ValueOperator(nn.Sequential(*_layers(size, 1)), in_keys=["observation"])
        self.advantage = GAE(gamma=discount, lmbda=0.95, value_network=value, average_gae=True)
        self.loss = ClipPPOLoss(self.policy, value, entropy_coeff=0.003, critic_coeff=1.0)
        self.adam = torch.optim.Adam(self.loss.parameters(), lr=rate, eps=1e-5)
        self.rate = rate

    def update(self, data: TensorDict, left: float, *, epochs: int = 8, batch: int = 256) -> None:
        """Learn from play of shape [copies, steps]; `left` is the share of training that is left."""
        for group in self.adam.param_groups:
            group["lr"] = self.rate * max(left, 0.05)
        for _ in range(epochs):
            with torch.no_grad():
                self.advantage(data)
            flat = data.reshape(-1)
            for rows in torch.randperm(flat.shape[0]).split(batch):
                losses = self.loss(flat[rows])
                total = losses["loss_objective"] + losses["loss_critic"] + losses["loss_entropy"]
                self.adam.zero_grad()
                total.backward()
                nn.utils.clip_grad_norm_(self.loss.parameters(), 5.0)
                self.adam.step()

    def act(self, observations: np.ndarray) -> np.ndarray:
        """Return the most probable actions."""
        with torch.no_grad(), set_interaction_type(InteractionType.DETERMINISTIC):
            seen = TensorDict({"observation": torch.as_tensor(observations)}, batch_size=[len(observations)])
            return self.policy(seen)["action"].numpy()


def _layers(inputs: int, outputs: int, width: int = 64) -> list[nn.Module]:
    return [nn.Linear(inputs, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, outputs)]


def train_copies(
    id: str,  # noqa: A002
    *,
    updates: int,
    steps: int = 128,
    copies: int = 16,
    rate: float = 1e-3,
) -> Result:
    """Train a follower in many copies that step in one call."""
    torch.manual_seed(0)
    began = time.perf_counter()
    env = make_env(id, copies)
    env.set_seed(0)
    learner = Learner(env.action_spec_unbatched, env.observation_spec["observation"].shape[-1], discount_of(id), rate)
    state = env.reset()
    for update in range(updates):
        with torch.no_grad():
            data = env.rollout(
                steps,
                learner.policy,
                auto_reset=False,
                break_when_any_done=False,
                tensordict=state,
                set_truncated=False,
            )
            state = env.maybe_reset(step_mdp(data[:, -1]))
        learner.update(data, 1.0 - update / updates)
    seconds = time.perf_counter() - began
    view = f"FollowerEnv({', '.join(FORMS)})"
    return follower_result(id, view, learner.act, steps=updates * steps * copies, seconds=seconds, **FORMS)


def discount_of(id: str) -> float:  # noqa: A002
    """Return the follower's discount."""
    return float(se.make_game(id).follower_discount)


if __name__ == "__main__":
    torch.set_num_threads(1)
    results = [
        train_copies("stackelberg/FourRooms-v0", updates=60),
    ]
    sys.exit(finish("torchrl", "torchrl", results))
