"""PPO of AgileRL: a follower in many copies at once."""

import sys
import time

import numpy as np
import torch
from agilerl.algorithms import PPO
from agilerl.rollouts import collect_rollouts

import stackelberg_envs as se
from clients.common import SEED, commitment_of, finish, follower_result

COPIES = 64
SCALED = {"normalize": True, "flatten_actions": True, "scale_rewards": True, "scale_observations": True}
NETWORK = {
    "latent_dim": 64,
    "encoder_config": {"hidden_size": [64], "activation": "Tanh", "output_activation": "Tanh", "layer_norm": False},
    "head_config": {"hidden_size": [64], "activation": "Tanh"},
}
OPTIONS = {"net_config": NETWORK, "gae_lambda": 0.95, "ent_coef": 0.003, "vf_coef": 1.0, "max_grad_norm": 5.0}


# --- glue


def followers(id, **face):  # noqa: A002
    """Return 64 copies of a follower, on the package's own vectors."""
    return se.vector_env(id, num_envs=COPIES, autoreset="same_step", **face)


# --- end of glue


def learn(envs, *, updates, steps, rate, discount, **options):
    """Return a PPO agent that has learned in the copies of `envs`, at a falling rate."""
    agent = PPO(
        envs.single_observation_space,
        envs.single_action_space,
        num_envs=envs.num_envs,
        learn_step=steps * envs.num_envs,
        gamma=discount,
        lr=rate,
        share_encoders=False,
        **{"update_epochs": 8, "batch_size": 1024, **OPTIONS, **options},
    )
    agent.set_training_mode(True)
    envs.reset(seed=SEED)
    kept = {}
    for update in range(updates):
        for group in agent.optimizer.optimizer.param_groups:
            group["lr"] = rate * (1 - update / updates)
        _, observations, over, scores, infos = collect_rollouts(agent, envs, **kept)
        kept = {"last_obs": observations, "last_done": over, "last_scores": scores, "last_info": infos}
        agent.learn()
    return agent


def most_probable(actor):
    """Return the most probable actions at the observations that an actor has seen last."""
    made = actor.head_net.dist
    return made.logits.argmax(dim=1).numpy() if made.mu is None else np.clip(made.mu.numpy(), -1.0, 1.0)


def follower(id, *, updates, steps=64, rate=1e-3, **options):  # noqa: A002
    """Train the follower of a game in 64 copies, and compare it with the exact response."""
    torch.manual_seed(SEED)
    began, face = time.perf_counter(), {**SCALED, "commitment": commitment_of(id)}
    discount = float(se.make_game(id).follower_discount)
    agent = learn(followers(id, **face), updates=updates, steps=steps, rate=rate, discount=discount, **options)

    def act(observations):
        agent.get_action(observations)
        return most_probable(agent.actor)

    seconds = time.perf_counter() - began
    return follower_result(id, "vector_env", act, steps=updates * steps * COPIES, seconds=seconds, **face)


def main():
    """Run everything."""
    torch.set_num_threads(1)
    results = [
        follower("stackelberg/DiscreteToy-v1", updates=20),
    ]
    return finish("agilerl", "agilerl", results)


if __name__ == "__main__":
    sys.exit(main())
