"""PPO and IPPO of AgileRL: followers in many copies at once and through PettingZoo, and a leader."""

import sys
import time

import numpy as np
import torch
from agilerl.algorithms import IPPO, PPO
from agilerl.rollouts import collect_rollouts
from agilerl.training.train_multi_agent_on_policy import train_multi_agent_on_policy
from agilerl.vector.dummy_vec_env import PzDummyVecEnv

import stackelberg_envs as se
from clients.common import commitment_of, finish, follower_result, leader_result, neutral

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


def followers_of_pettingzoo(id, **face):  # noqa: A002
    """Return the followers of a PettingZoo environment."""
    return se.followers_env(id, **face)


def leaders(id, **face):  # noqa: A002
    """Return 8 copies of a leader whom the exact response answers."""
    return se.leader_vector_env(id, num_envs=8, autoreset="same_step", normalize=True, **face)


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
    envs.reset(seed=0)
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
    torch.manual_seed(0)
    began, face = time.perf_counter(), {**SCALED, "commitment": commitment_of(id)}
    discount = float(se.make_game(id).follower_discount)
    agent = learn(followers(id, **face), updates=updates, steps=steps, rate=rate, discount=discount, **options)

    def act(observations):
        agent.get_action(observations)
        return most_probable(agent.actor)

    seconds = time.perf_counter() - began
    return follower_result(id, "vector_env", act, steps=updates * steps * COPIES, seconds=seconds, **face)


def followers_alone(id, *, steps, rate=1e-3):  # noqa: A002
    """Train the followers of a game by IPPO through PettingZoo, and compare one with the exact response."""
    torch.manual_seed(0)
    began, face = time.perf_counter(), {**SCALED, "commitment": commitment_of(id)}
    env = followers_of_pettingzoo(id, **face)
    agents = env.possible_agents
    env.reset(seed=0)
    agent = IPPO(
        {name: env.observation_space(name) for name in agents},
        {name: env.action_space(name) for name in agents},
        agent_ids=agents,
        gamma=float(se.make_game(id).follower_discount),
        learn_step=1024,
        batch_size=128,
        lr=rate,
        update_epochs=8,
        **OPTIONS,
    )
    (agent,), _ = train_multi_agent_on_policy(
        PzDummyVecEnv(env), id, "IPPO", [agent], max_steps=steps, evo_steps=steps, eval_steps=1, verbose=False
    )

    def act(observations):
        agent.get_action({agents[0]: observations})
        return most_probable(next(iter(agent.actors.values())))

    seconds = time.perf_counter() - began
    return follower_result(id, "followers_env", act, steps=steps, seconds=seconds, **face)


def leader(id, *, updates):  # noqa: A002
    """Train the leader of a game against the exact response."""
    torch.manual_seed(0)
    began, envs = time.perf_counter(), leaders(id)
    options = {"batch_size": 64, "ent_coef": 0.0}
    agent = learn(envs, updates=updates, steps=16, rate=3e-3, discount=0.0, **options)
    observations, _ = envs.reset(seed=0)
    agent.get_action(observations)
    box = se.make_game(id).commitment.space
    x = box.low + (most_probable(agent.actor)[0] + 1) / 2 * (box.high - box.low)
    seconds = time.perf_counter() - began
    return leader_result(id, "leader_vector_env", neutral(id), x, steps=updates * 16 * 8, seconds=seconds)


def main():
    """Run everything."""
    torch.set_num_threads(1)
    results = [
        follower("stackelberg/DiscreteToy-v1", updates=20),
        followers_alone("stackelberg/DiscreteToy-v1", steps=30_000),
        leader("stackelberg/RandomTabular-v1", updates=45),
    ]
    return finish("agilerl", "agilerl", results)


if __name__ == "__main__":
    sys.exit(main())
