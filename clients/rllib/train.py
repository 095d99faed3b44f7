"""Train followers by RLlib's PPO through Gymnasium."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import numpy as np
import ray
import torch
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.tune.registry import register_env

import stackelberg_envs as se
from clients.common import Result, finish, follower_result

# --- glue
FORMS = {"normalize": True, "flatten_actions": True, "scale_rewards": True, "scale_observations": True}
register_env("stackelberg_follower", lambda config: se.follower_env(config["id"], **FORMS))
# --- end of glue


def train(id: str, *, updates: int, frames: int = 2048, copies: int = 8, rate: float = 1e-3) -> Result:  # noqa: A002
    """Train a follower under the neutral commitment."""
    began = time.perf_counter()
    config = (
        PPOConfig()
        .environment("stackelberg_follower", env_config={"id": id})
        .env_runners(num_env_runners=0, num_envs_per_env_runner=copies, rollout_fragment_length="auto")
        .rl_module(model_config=DefaultModelConfig(fcnet_hiddens=[64, 64], vf_share_layers=False))
        .training(
            gamma=float(se.make_game(id).follower_discount),
            lr=[[0, rate], [updates * frames, rate / 20]],
            lambda_=0.95,
            train_batch_size_per_learner=frames,
            minibatch_size=256,
            num_epochs=8,
            entropy_coeff=0.003,
            vf_clip_param=1e6,
            vf_loss_coeff=0.5,
            use_kl_loss=False,
            clip_param=0.2,
        )
        .debugging(seed=0, log_level="ERROR")
    )
    algorithm = config.build_algo()
    for _ in range(updates):
        algorithm.train()
    module = algorithm.get_module()

    def act(observations: np.ndarray) -> Any:
        with torch.no_grad():
            made = module.forward_inference({"obs": torch.as_tensor(observations)})["action_dist_inputs"].numpy()
        if hasattr(module.action_space, "n"):
            return made.argmax(axis=1)
        return np.clip(made[:, : module.action_space.shape[0]], -1.0, 1.0)

    seconds = time.perf_counter() - began
    view = f"follower_env({', '.join(FORMS)})"
    result = follower_result(id, view, act, steps=updates * frames, seconds=seconds, **FORMS)
    algorithm.stop()
    return result


if __name__ == "__main__":
    logging.getLogger("ray").setLevel(logging.ERROR)
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    results = [
        train("stackelberg/DiscreteToy-v1", updates=15),
        train("stackelberg/FourRooms-v0", updates=60),
    ]
    sys.exit(finish("rllib", "ray", results))
