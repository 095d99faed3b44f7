"""BenchMARL: followers by IPPO, and leader and follower at once by two different algorithms."""

import sys
import tempfile
import time

import numpy as np
import torch
from benchmarl.algorithms import EnsembleAlgorithmConfig, IppoConfig, MappoConfig
from benchmarl.experiment import Experiment, ExperimentConfig
from benchmarl.models.mlp import MlpConfig
from tensordict import TensorDict
from torchrl.envs import ExplorationType, set_exploration_type

import stackelberg_envs as se
from clients.common import SEED, commitment_of, finish, follower_result, leader_result

# --- glue
from stackelberg_envs.clients.benchmarl import StackelbergTask

# --- end of glue

SCALED = {"normalize": True, "flatten_actions": True, "scale_rewards": True, "scale_observations": True}


def experiment(id, task, algorithm, *, frames, folder, batch=2000, minibatch=250, envs=4, rate=1e-3):  # noqa: A002
    """Return an experiment of BenchMARL that keeps no files."""
    config = ExperimentConfig.get_from_yaml()
    config.gamma = float(se.make_game(id).follower_discount)
    config.lr = rate
    config.prefer_continuous_actions = task.supports_continuous_actions()
    config.max_n_frames = frames
    config.on_policy_collected_frames_per_batch = batch
    config.on_policy_n_envs_per_worker = envs
    config.on_policy_n_minibatch_iters = 8
    config.on_policy_minibatch_size = minibatch
    config.evaluation = config.render = config.create_json = False
    config.loggers = []
    config.save_folder = folder
    model = MlpConfig(num_cells=[64, 64], layer_class=torch.nn.Linear, activation_class=torch.nn.Tanh)
    return Experiment(task=task, algorithm_config=algorithm, model_config=model, seed=SEED, config=config)


def ppo(config, bonus):
    """Return the settings of IPPO or MAPPO, with a bonus for entropy."""
    settings = config.get_from_yaml()
    settings.entropy_coef, settings.lmbda = bonus, 0.95
    return settings


def play(made, group, observations):
    """Return what a group's policy makes of observations, shape (n, L): its action and what it is drawn from."""
    seen = TensorDict({group: TensorDict({"observation": observations[:, None]}, [len(observations), 1])})
    seen.batch_size = [len(observations)]
    with torch.no_grad(), set_exploration_type(ExplorationType.DETERMINISTIC):
        return made.group_policies[group](seen)[group]


def follower(id, *, frames, bonus=0.003, horizon=None, **options):  # noqa: A002
    """Train the followers alone by IPPO, and compare one with the exact response."""
    began, face = time.perf_counter(), {**SCALED, "commitment": commitment_of(id)}
    shorter = {} if horizon is None else {"horizon": horizon}
    task = StackelbergTask(id, leads=False, **face, **shorter)
    with tempfile.TemporaryDirectory() as folder:
        made = experiment(id, task, ppo(IppoConfig, bonus), frames=frames, folder=folder, **options)
        made.run()

    def act(observations):
        return play(made, "follower", torch.as_tensor(observations))["action"][:, 0].numpy()

    seconds = time.perf_counter() - began
    return follower_result(id, "StackelbergTask(leads=False)", act, steps=frames, seconds=seconds, **face)


def leader(id, *, menu, frames, horizon, **options):  # noqa: A002
    """Train a leader with a menu by MAPPO while the follower learns by IPPO, and say what its choice is worth."""
    began = time.perf_counter()
    algorithms = {"leader": ppo(MappoConfig, 0.003), "follower": ppo(IppoConfig, 0.003)}
    task = StackelbergTask(id, menu=menu, horizon=horizon, **SCALED)
    env = se.parallel_env(id, menu=menu, **SCALED)
    observations, _ = env.reset(seed=SEED)
    row = torch.as_tensor(observations["leader_0"])[None]

    def chances():
        return torch.softmax(play(made, "leader", row)["logits"][0, 0], dim=0).numpy()

    with tempfile.TemporaryDirectory() as folder:
        made = experiment(id, task, EnsembleAlgorithmConfig(algorithms), frames=frames, folder=folder, **options)
        first = chances()
        made.run()
    game = se.make_game(id)
    worth = np.array([se.solve(game, x).leader_value for x in env.unwrapped.menu.commitments])
    seconds, view = time.perf_counter() - began, f"StackelbergTask(menu={menu})"
    return leader_result(id, view, first, chances(), steps=frames, seconds=seconds, value=lambda p: float(p @ worth))


def main():
    """Run everything."""
    torch.set_num_threads(1)
    results = [
        follower("stackelberg/DiscreteToy-v1", frames=20_000, envs=20),
        leader("stackelberg/RandomTabular-v1", menu=4, horizon=4, frames=5000, batch=500, minibatch=125, rate=3e-3),
    ]
    return finish("benchmarl", "benchmarl", results)


if __name__ == "__main__":
    sys.exit(main())
