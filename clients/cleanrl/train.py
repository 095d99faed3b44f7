"""Proximal policy optimisation in a single file, on the package's own vectors."""

import sys
import time

import numpy as np
import torch
from gymnasium.spaces import Box
from gymnasium.wrappers.vector import RescaleAction
from torch import nn
from torch.distributions import Categorical, Independent, Normal

import stackelberg_envs as se
from clients.common import SEED, commitment_of, finish, follower_result, leader_result, neutral

SCALED = {"normalize": True, "scale_rewards": True, "scale_observations": True, "shared_stream": True}
REWARDS = {"scale_rewards": True}
#: One decision among about a hundred, and play is over.
ONCE = {"steps": 60_000, "length": 16, "batch": 512, "rate": 3e-3}
#: Id -> arguments of the vector environment, and of the algorithm.
GAMES = {
    "stackelberg/DiscreteToy-v1": ({}, {"steps": 60_000}),
    "stackelberg/RandomTabular-v1": ({}, {"steps": 100_000, "rate": 3e-3, "batch": 512, "bonus": 0.03}),
    "stackelberg/FourRooms-v0": ({}, {"steps": 200_000}),
    "stackelberg/BilevelLqr-v1": (SCALED, {"steps": 100_000, "noise": 0.1}),
    "stackelberg/BuildingThermal-v1": (SCALED, {"steps": 200_000, "length": 32, "batch": 512, "trace": 0.9}),
    "stackelberg/TaxDesign-v0": (SCALED, {"steps": 200_000}),
    "stackelberg/Duopoly-v0": (REWARDS, ONCE),
    "stackelberg/IteratedMatrix-v0": (REWARDS, {"steps": 60_000, "length": 20}),
    "stackelberg/Matrix-v0": (REWARDS, {"steps": 20_000, "length": 16}),
    "stackelberg/PostedPrice-v0": (REWARDS, {"steps": 20_000, "length": 16}),
    "stackelberg/PreferenceDesign-v0": (REWARDS, {"steps": 100_000, "length": 24}),
    "stackelberg/SecurityGame-v0": (REWARDS, {"steps": 20_000, "length": 16}),
    "stackelberg/SupplyContract-v0": (REWARDS, {"steps": 100_000, "length": 20}),
    "stackelberg/TollRouting-v0": (REWARDS, {"steps": 40_000, "length": 16}),
    "stackelberg/Warehouse-v0": (REWARDS, {"steps": 200_000}),
    "stackelberg/Wholesale-v0": (REWARDS, ONCE),
    "stackelberg/GuidedCartPole-v0": (SCALED, {"steps": 100_000}),
    "stackelberg/GuidedPendulum-v0": (SCALED, {"steps": 400_000, "noise": 1.0}),
}
#: Id -> arguments of the algorithm, whose steps are commitments that are tried.
LEADERS = {"stackelberg/RandomTabular-v1": {"steps": 8_000, "length": 8, "batch": 64, "rate": 3e-3}}


class Agent(nn.Module):
    """Two networks: one for the distribution over actions, one for values."""

    def __init__(self, observed, space, noise, hidden=64):
        super().__init__()
        self.is_box = isinstance(space, Box)
        #: Of what is chosen from: several sets where actions are MultiDiscrete.
        self.sizes = [] if self.is_box else np.atleast_1d(space.nvec if space.shape else space.n).tolist()
        self.shape = space.shape
        out = space.shape[0] if self.is_box else sum(self.sizes)
        self.actor, self.critic = self.network(observed, hidden, out, 0.01), self.network(observed, hidden, 1, 1.0)
        self.log_std = nn.Parameter(torch.full((out,), float(np.log(noise))))

    @staticmethod
    def network(observed, hidden, out, gain):
        """Return a network with orthogonal weights, the last layer's of size `gain`."""
        layers = [nn.Linear(observed, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, out)]
        for layer, size in zip(layers, (np.sqrt(2), np.sqrt(2), gain), strict=True):
            nn.init.orthogonal_(layer.weight, size)
            nn.init.zeros_(layer.bias)
        return nn.Sequential(layers[0], nn.Tanh(), layers[1], nn.Tanh(), layers[2])

    def distribution(self, observations, masks=None):
        """Return the distribution over actions; those that are not feasible have none of it."""
        numbers = self.actor(observations)
        if masks is not None:
            numbers = numbers.masked_fill(masks == 0, -1e9)
        if self.is_box:
            return Independent(Normal(numbers, self.log_std.exp()), 1)
        return Choices([Categorical(logits=logits) for logits in numbers.split(self.sizes, dim=1)])

    def moves(self, actions):
        """Return actions as the environment takes them."""
        return actions.clamp(-1, 1).numpy() if self.is_box else actions.reshape(-1, *self.shape).numpy()

    def act(self, observations, masks=None):
        """Return the likeliest actions, for NumPy."""
        masks = None if masks is None else torch.as_tensor(masks)
        with torch.no_grad():
            return self.moves(self.distribution(torch.as_tensor(observations), masks).mode)


class Choices:
    """Independent choices from several sets, or from one: actions of shape (n, k)."""

    def __init__(self, parts):
        self.parts = parts

    @property
    def mode(self):
        """Return the likeliest choices."""
        return torch.stack([part.mode for part in self.parts], dim=1)

    def sample(self):
        """Return random choices."""
        return torch.stack([part.sample() for part in self.parts], dim=1)

    def log_prob(self, chosen):
        """Return the logarithms of the probabilities, shape (n,)."""
        return sum(part.log_prob(column) for part, column in zip(self.parts, chosen.T, strict=True))

    def entropy(self):
        """Return the entropies, shape (n,)."""
        return sum(part.entropy() for part in self.parts)


def advantages_of(rewards, values, last_values, ended, discount, trace):
    """Return generalised advantages, shape (T, n); an episode that ends leaves no value behind it."""
    advantages, carried = torch.zeros_like(rewards), torch.zeros_like(last_values)
    following = torch.cat([values[1:], last_values[None]])
    for t in reversed(range(len(rewards))):
        going = 1.0 - ended[t]
        error = rewards[t] + discount * following[t] * going - values[t]
        carried = error + discount * trace * going * carried
        advantages[t] = carried
    return advantages


def collect(envs, agent, observations, infos, length, discount):
    """Play `length` steps in all copies; an episode cut by time pays the value of where it was cut."""
    played = {name: [] for name in ("seen", "masks", "actions", "logs", "rewards", "ended", "values")}
    for _ in range(length):
        with torch.no_grad():
            seen = torch.as_tensor(observations)
            masks = torch.as_tensor(infos.get("action_mask", np.ones((envs.num_envs, 1))))
            distribution = agent.distribution(seen, masks)
            actions = distribution.sample()
            played["logs"].append(distribution.log_prob(actions))
            played["values"].append(agent.critic(seen)[:, 0])
        observations, rewards, terminated, truncated, infos = envs.step(agent.moves(actions))
        rewards = torch.as_tensor(rewards, dtype=torch.float32)
        if truncated.any():
            with torch.no_grad():
                last = torch.as_tensor(np.stack(infos["final_obs"][truncated]))
                rewards[torch.as_tensor(truncated)] += discount * agent.critic(last)[:, 0]
        played["seen"].append(seen)
        played["masks"].append(masks)
        played["actions"].append(actions)
        played["rewards"].append(rewards)
        played["ended"].append(torch.as_tensor(terminated | truncated, dtype=torch.float32))
    return observations, infos, {name: torch.stack(values) for name, values in played.items()}


def ppo(
    envs,
    discount,
    *,
    steps,
    length=64,
    epochs=8,
    batch=1024,
    rate=1e-3,
    trace=0.95,
    clip=0.2,
    bonus=0.0,
    noise=0.6,
    seed=SEED,
):
    """Train an agent in a vector environment, and return it."""
    torch.manual_seed(seed)
    agent = Agent(envs.single_observation_space.shape[0], envs.single_action_space, noise)
    optimiser = torch.optim.Adam(agent.parameters(), lr=rate, eps=1e-5)
    observations, infos = envs.reset(seed=seed)
    rounds = steps // (length * envs.num_envs)
    for turn in range(rounds):
        optimiser.param_groups[0]["lr"] = rate * (1 - turn / rounds)
        observations, infos, played = collect(envs, agent, observations, infos, length, discount)
        with torch.no_grad():
            last_values = agent.critic(torch.as_tensor(observations))[:, 0]
        values, ended = played["values"], played["ended"]
        advantages = advantages_of(played["rewards"], values, last_values, ended, discount, trace)
        flat = {name: value.flatten(0, 1) for name, value in played.items()}
        gains, targets = advantages.flatten(), (advantages + values).flatten()
        for _ in range(epochs):
            for rows in torch.randperm(len(gains)).split(batch):
                distribution = agent.distribution(flat["seen"][rows], flat["masks"][rows])
                ratio = (distribution.log_prob(flat["actions"][rows]) - flat["logs"][rows]).exp()
                gain = (gains[rows] - gains[rows].mean()) / (gains[rows].std() + 1e-8)
                policy_loss = -torch.min(ratio * gain, ratio.clamp(1 - clip, 1 + clip) * gain).mean()
                value_loss = (agent.critic(flat["seen"][rows])[:, 0] - targets[rows]).square().mean()
                loss = policy_loss + 0.5 * value_loss - bonus * distribution.entropy().mean()
                optimiser.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
                optimiser.step()
    return agent


def follower(id, face, options):  # noqa: A002
    """Train the follower of a game, and compare it with the exact response."""
    began = time.perf_counter()
    # --- glue
    envs = se.vector_env(id, num_envs=64, autoreset="same_step", commitment=commitment_of(id), **face)
    # --- end of glue
    agent = ppo(envs, se.make_game(id).follower_discount, **options)
    seconds = time.perf_counter() - began
    return follower_result(id, "vector_env", agent.act, steps=options["steps"], seconds=seconds, **face)


def leader(id, options):  # noqa: A002
    """Train the leader of a game against the exact soft response."""
    began = time.perf_counter()
    # --- glue
    envs = RescaleAction(se.leader_vector_env(id, num_envs=16, autoreset="same_step"), -1.0, 1.0)
    # --- end of glue
    agent = ppo(envs, 1.0, **options)
    observations, _ = envs.reset(seed=SEED)
    box = envs.unwrapped.single_action_space
    x = box.low + (agent.act(observations)[0] + 1) / 2 * (box.high - box.low)
    seconds = time.perf_counter() - began
    return leader_result(id, "leader_vector_env", neutral(id), x, steps=options["steps"], seconds=seconds)


def main():
    """Train everybody, and say what was learned."""
    torch.set_num_threads(1)
    results = [follower(name, face, options) for name, (face, options) in GAMES.items()]
    results += [leader(name, options) for name, options in LEADERS.items()]
    return finish("cleanrl", "torch", results)


if __name__ == "__main__":
    sys.exit(main())
