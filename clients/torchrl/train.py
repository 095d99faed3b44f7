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
from torchrl.envs import PettingZooWrapper
from torchrl.envs.utils import step_mdp
from torchrl.modules import ProbabilisticActor, TanhNormal, ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

import stackelberg_envs as se
from clients.common import SEED, Result, commitment_of, finish, follower_result

# --- glue
from stackelberg_envs.clients.torchrl import FollowerEnv

FORMS = {"normalize": True, "flatten_actions": True, "scale_rewards": True, "scale_observations": True}
#: In games of vectors many copies are fast if they share one random stream.
VECTORS = {**FORMS, "shared_stream": True}


def make_env(id: str, copies: int, face: dict[str, bool]) -> FollowerEnv:  # noqa: A002
    """Return copies of a game's follower."""
    return FollowerEnv(id, num_envs=copies, commitment=commitment_of(id), **face)


# --- end of glue


class Parts(nn.Module):
    """Logits of numbered actions from those of their parts: a choice from each of several sets, the last fastest.

    So what is learned of one part holds whatever the others are: 25 numbers say all of the 1,250 of TaxDesign.
    """

    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.sizes = list(sizes)

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        """Return logits, shape (..., product of the sizes)."""
        first, *others = numbers.split(self.sizes, dim=-1)
        for other in others:
            first = (first[..., :, None] + other[..., None, :]).flatten(-2)
        return first


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
    bonus
        For entropy.
    parts
        Sizes of the sets that a numbered action is a choice from each of, if it is.
    """

    def __init__(
        self,
        spec: Any,
        size: int,
        discount: float,
        *,
        rate: float = 1e-3,
        bonus: float = 0.003,
        parts: tuple[int, ...] = (),
    ) -> None:
        self.discrete = discrete = not spec.dtype.is_floating_point
        outputs = sum(parts) or (int(spec.n) if discrete else 2 * spec.shape[-1])
        body: list[nn.Module] = _layers(size, outputs)
        nn.init.constant_(body[-1].weight, 0.0)
        if parts:
            body.append(Parts(parts))
        if not discrete:
            body.append(NormalParamExtractor())
        self.body = nn.Sequential(*body)
        keys = ["logits"] if discrete else ["loc", "scale"]
        options = {} if discrete else {"distribution_kwargs": {"low": -1.0, "high": 1.0}}
        self.policy = ProbabilisticActor(
            TensorDictModule(self.body, in_keys=["observation"], out_keys=keys),
            in_keys=keys,
            spec=spec,
            distribution_class=torch.distributions.Categorical if discrete else TanhNormal,
            return_log_prob=True,
            default_interaction_type=InteractionType.RANDOM,  # else `rollout` plays the likeliest actions
            **options,
        )
        value = ValueOperator(nn.Sequential(*_layers(size, 1)), in_keys=["observation"])
        self.advantage = GAE(gamma=discount, lmbda=0.95, value_network=value, average_gae=True)
        self.loss = ClipPPOLoss(self.policy, value, entropy_coeff=bonus, critic_coeff=1.0)
        self.adam = torch.optim.Adam(self.loss.parameters(), lr=rate, eps=1e-5)
        self.rate = rate

    def update(self, data: TensorDict, left: float, *, epochs: int, batch: int) -> None:
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
        seen = torch.as_tensor(observations)
        with torch.no_grad(), set_interaction_type(InteractionType.DETERMINISTIC):
            if self.discrete:
                return self.body(seen).argmax(dim=1).numpy()
            return self.policy(TensorDict({"observation": seen}, batch_size=seen.shape[:1]))["action"].numpy()


def _layers(inputs: int, outputs: int, width: int = 64) -> list[nn.Module]:
    return [nn.Linear(inputs, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, outputs)]


def train_copies(
    id: str,  # noqa: A002
    face: dict[str, bool],
    *,
    updates: int,
    steps: int = 64,
    copies: int = 64,
    epochs: int = 8,
    batch: int = 1024,
    **options: Any,
) -> Result:
    """Train a follower in many copies that step in one call."""
    torch.manual_seed(SEED)
    began = time.perf_counter()
    env = make_env(id, copies, face)
    env.set_seed(SEED)
    size = env.observation_spec["observation"].shape[-1]
    learner = Learner(env.action_spec_unbatched, size, discount_of(id), **options)
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
        learner.update(data, 1.0 - update / updates, epochs=epochs, batch=batch)
    seconds = time.perf_counter() - began
    view = f"FollowerEnv({', '.join(FORMS)})"
    return follower_result(id, view, learner.act, steps=updates * steps * copies, seconds=seconds, **face)


def in_turn(id: str, *, updates: int, episodes: int, epochs: int, batch: int, **options: float) -> Result:  # noqa: A002
    """Train a follower in the form in which both act at every step, and it sees what the leader has just done."""
    torch.manual_seed(SEED)
    began = time.perf_counter()
    # --- glue
    face = se.env(id, commitment="per_step")
    groups = {"leader": ["leader_0"], "follower": ["follower_0"]}
    env = PettingZooWrapper(face, use_mask=True, group_map=groups, categorical_actions=True, seed=SEED)
    # --- end of glue
    states = face.unwrapped.observation_layout["state"]
    commitment = torch.as_tensor(commitment_of(id))
    spec, size = env.full_action_spec["follower", "action"], face.observation_space("follower_0").shape[0]
    learner = Learner(spec, size, discount_of(id), **options)

    def act(leader_sees: torch.Tensor, follower_sees: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Let the leader draw from its commitment, and the follower from its policy; the mask says who is heard."""
        leads = torch.multinomial(commitment[leader_sees[:, states].argmax(dim=1)], 1)[:, 0]
        own = learner.policy(TensorDict({"observation": follower_sees}, batch_size=follower_sees.shape[:1]))
        return leads, own["action"], own["action_log_prob"]

    both = TensorDictModule(
        act,
        in_keys=[(name, "observation") for name in groups],
        out_keys=[("leader", "action"), ("follower", "action"), ("follower", "action_log_prob")],
    )
    for update in range(updates):
        with torch.no_grad():
            played = [own_turns(env.rollout(2 * se.make_game(id).horizon, both)) for _ in range(episodes)]
        learner.update(torch.stack(played), 1.0 - update / updates, epochs=epochs, batch=batch)
    seconds = time.perf_counter() - began
    steps = updates * episodes * se.make_game(id).horizon
    view = 'env(commitment="per_step")'
    return follower_result(id, view, learner.act, steps=steps, seconds=seconds, observe_commitment="none")


def own_turns(play: TensorDict) -> TensorDict:
    """Return the follower's turns as an episode: what follows is what it sees when its turn comes again."""
    rows = play[play["follower", "mask"][:, 0]]
    own, then = rows["follower"][:, 0], rows["next", "follower"][:, 0]
    following = then.select("reward", "done", "terminated", "truncated")
    last = then["observation"][-1:]
    following["observation"] = torch.cat([own["observation"][1:], last])
    own["next"] = following
    return own.exclude("info", "mask")


def discount_of(id: str) -> float:  # noqa: A002
    """Return the follower's discount."""
    return float(se.make_game(id).follower_discount)


#: Id, arguments of the environment, and of training.
RUNS: tuple[tuple[str, dict[str, bool], dict[str, Any]], ...] = (
    ("stackelberg/DiscreteToy-v1", FORMS, {"updates": 15}),
    ("stackelberg/BuildingThermal-v1", VECTORS, {"updates": 50}),
    ("stackelberg/TaxDesign-v0", VECTORS, {"updates": 50, "bonus": 0.0, "parts": (10, 5, 5, 5)}),
    ("stackelberg/GuidedCartPole-v0", VECTORS, {"updates": 25}),
    ("stackelberg/BilevelLqr-v1", VECTORS, {"updates": 25}),
    ("stackelberg/FourRooms-v0", FORMS, {"updates": 50}),
    ("stackelberg/RandomTabular-v1", FORMS, {"updates": 25, "bonus": 0.03, "batch": 512, "rate": 3e-3}),
)

if __name__ == "__main__":
    torch.set_num_threads(1)
    results = [
        in_turn("stackelberg/DiscreteToy-v1", updates=10, episodes=3, epochs=10, batch=64, rate=3e-3, bonus=0.01)
    ]
    results += [train_copies(name, face, **options) for name, face, options in RUNS]
    sys.exit(finish("torchrl", "torchrl", results))
