"""Train followers, and a leader, by RLlib's PPO through Gymnasium."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import ray
import torch
from gymnasium.spaces import Box, MultiDiscrete
from ray.rllib.algorithms.ppo import PPO, PPOConfig
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.tune.registry import register_env

import stackelberg_envs as se
from clients.common import SEED, Result, commitment_of, finish, follower_result, leader_result, neutral

# --- glue
FORMS = {"normalize": True, "scale_rewards": True, "scale_observations": True}
register_env("stackelberg_follower", lambda config: se.follower_env(**config, **FORMS))
register_env("stackelberg_leader", lambda config: se.leader_env(**config, **FORMS))
# --- end of glue


def ppo(
    name: str,
    discount: float,
    arguments: dict[str, Any],
    *,
    updates: int,
    frames: int,
    rate: float,
    copies: int = 8,
    **options: Any,
) -> PPO:
    """Return RLlib's PPO, trained in environments with these arguments."""
    config = (
        PPOConfig()
        .environment(name, env_config=arguments)
        .env_runners(num_env_runners=0, num_envs_per_env_runner=copies, rollout_fragment_length="auto")
        .rl_module(model_config=DefaultModelConfig(fcnet_hiddens=[64, 64], vf_share_layers=False))
        .training(
            **{
                "gamma": discount,
                "lr": [[0, rate], [updates * frames, rate / 20]],
                "lambda_": 0.95,
                "train_batch_size_per_learner": frames,
                "minibatch_size": 256,
                "num_epochs": 8,
                "entropy_coeff": 0.003,
                "vf_clip_param": 1e6,
                "vf_loss_coeff": 0.5,
                "use_kl_loss": False,
                "clip_param": 0.2,
                **options,
            }
        )
        .debugging(seed=SEED, log_level="ERROR")
    )
    algorithm = config.build_algo()
    for _ in range(updates):
        algorithm.train()
    return algorithm


def likeliest(algorithm: PPO) -> Callable[[np.ndarray], np.ndarray]:
    """Return what the learned policy does most probably."""
    module = algorithm.get_module()
    space = module.action_space

    def act(observations: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            made = module.forward_inference({"obs": torch.as_tensor(observations)})["action_dist_inputs"]
        if isinstance(space, Box):
            return made[:, : space.shape[0]].clamp(-1.0, 1.0).numpy()
        if isinstance(space, MultiDiscrete):
            return torch.stack([part.argmax(dim=1) for part in made.split(space.nvec.tolist(), dim=1)], dim=1).numpy()
        return made.argmax(dim=1).numpy()

    return act


def follower(
    id: str,  # noqa: A002
    *,
    updates: int,
    frames: int = 2048,
    rate: float = 1e-3,
    training: dict[str, Any] | None = None,
    **options: Any,
) -> Result:
    """Train a follower; `training` are arguments of its environments in training alone."""
    began = time.perf_counter()
    discount = float(se.make_game(id).follower_discount)
    arguments = {"id": id, "commitment": commitment_of(id), **(training or {})}
    algorithm = ppo("stackelberg_follower", discount, arguments, updates=updates, frames=frames, rate=rate, **options)
    seconds = time.perf_counter() - began
    view, act = f"follower_env({', '.join(FORMS)})", likeliest(algorithm)
    result = follower_result(id, view, act, steps=updates * frames, seconds=seconds, **FORMS)
    algorithm.stop()
    return result


def leader(id: str, *, updates: int, frames: int, rate: float, **options: Any) -> Result:  # noqa: A002
    """Train a leader against the exact soft response; an episode is one commitment."""
    began = time.perf_counter()
    algorithm = ppo("stackelberg_leader", 0.0, {"id": id}, updates=updates, frames=frames, rate=rate, **options)
    seconds = time.perf_counter() - began
    observation, _ = se.leader_env(id, **FORMS).reset(seed=SEED)
    box = se.make_game(id).commitment.space
    x = box.low + (likeliest(algorithm)(observation[None])[0] + 1) / 2 * (box.high - box.low)
    view = f"leader_env({', '.join(FORMS)})"
    result = leader_result(id, view, neutral(id), x, steps=updates * frames, seconds=seconds)
    algorithm.stop()
    return result


#: For games of vectors: more environments, a higher rate, and no bonus for entropy.
MANY: dict[str, Any] = {"copies": 64, "rate": 2e-3, "minibatch_size": 320, "entropy_coeff": 0.0}

if __name__ == "__main__":
    logging.getLogger("ray").setLevel(logging.ERROR)
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    results = [
        leader("stackelberg/RandomTabular-v1", updates=16, frames=128, rate=3e-3, minibatch_size=64),
        follower("stackelberg/DiscreteToy-v1", updates=15),
        follower("stackelberg/FourRooms-v0", updates=60),
        # Episodes are short in training: after twenty steps temperatures are near the set point, and little is learned.
        follower("stackelberg/BuildingThermal-v1", updates=60, frames=1280, training={"horizon": 20}, **MANY),
        follower("stackelberg/TaxDesign-v0", updates=50, training={"horizon": 32}, **{**MANY, "minibatch_size": 512}),
    ]
    sys.exit(finish("rllib", "ray", results))
