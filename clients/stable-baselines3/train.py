"""PPO of stable-baselines3: followers through three interfaces, one of them with masks, and a leader."""

import sys
import time

import numpy as np
import supersuit
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import VecNormalize

import stackelberg_envs as se
from clients.common import SEED, commitment_of, finish, follower_result, leader_result, neutral
from stackelberg_envs.clients.sb3 import VecEnv


def falling(rate):
    """Return a learning rate that falls to zero."""
    return lambda share: rate * share


REWARDS = {"scale_rewards": True}
OBSERVED = {"normalize": True, "scale_observations": True}
SCALED = {**OBSERVED, "scale_rewards": True}
LARGE = {"n_steps": 64, "batch_size": 1024, "n_epochs": 8}
#: Actions near zero earn most: noise begins small.
QUIET = {**LARGE, "policy_kwargs": {"log_std_init": -2.0}}
#: Where responses are hard to tell apart.
CURIOUS = {**LARGE, "batch_size": 512, "ent_coef": 0.03, "learning_rate": falling(3e-3)}
#: Episodes of a few steps at most, and one step in which to choose among a hundred actions.
BRIEF = {"n_steps": 16, "batch_size": 1024, "n_epochs": 8}
ONCE = {"n_steps": 16, "batch_size": 512, "n_epochs": 8, "learning_rate": falling(3e-3)}
FEW = {"n_steps": 128, "batch_size": 512, "n_epochs": 6}
#: Temperatures are near the set point after twenty steps, from where little is learned: short episodes are enough.
EARLY = {**QUIET, "n_steps": 20, "batch_size": 320, "learning_rate": falling(2e-3)}
EARLY["policy_kwargs"] = {"log_std_init": -1.0}
STEADY = {"n_steps": 32, "batch_size": 512, "n_epochs": 8, "learning_rate": falling(2e-3)}
#: In training alone: an episode's length, and one random stream for all copies, which is fast in games of vectors.
SHORT, SHORTER = {"horizon": 32, "shared_stream": True}, {"horizon": 20, "shared_stream": True}


# --- glue


def native(id, **face):  # noqa: A002
    """Return 64 copies on the package's own vectors."""
    envs = VecEnv(id, num_envs=64, **face)
    envs.seed(SEED)
    return envs


def masked(id, **face):  # noqa: A002
    """Return the same in a game with feasible actions, for MaskablePPO, which asks for their masks."""
    return native(id, **face)


def rescaled(id, **face):  # noqa: A002
    """Return the same, whose rewards are divided by the spread of the returns that are earned from now on."""
    return VecNormalize(native(id, **face), norm_obs=False, gamma=se.make_game(id).follower_discount)


def gymnasium_view(id, **face):  # noqa: A002
    """Return 16 Gymnasium environments."""
    return make_vec_env(lambda: se.follower_env(id, **face), 16, seed=SEED)


def through_supersuit(id, **face):  # noqa: A002
    """Return 16 times the followers of a PettingZoo environment."""
    vector = supersuit.pettingzoo_env_to_vec_env_v1(se.followers_env(id, **face))
    return supersuit.concat_vec_envs_v1(vector, 16, num_cpus=0, base_class="stable_baselines3")


# --- end of glue

#: Id, what makes the environments, steps, arguments of the interface, those of PPO, and those of training alone. Where
#: steps are several numbers, environments are made anew after each: a beginner in TaxDesign loses a thousand times what
#: decides later, so that its rewards need another scale then.
RUNS = (
    ("stackelberg/DiscreteToy-v1", native, [80_000], {}, LARGE, {}),
    ("stackelberg/DiscreteToy-v1", gymnasium_view, [60_000], {}, FEW, {}),
    ("stackelberg/DiscreteToy-v1", through_supersuit, [60_000], {}, FEW, {}),
    ("stackelberg/RandomTabular-v1", native, [100_000], {}, CURIOUS, {}),
    ("stackelberg/FourRooms-v0", native, [300_000], {}, LARGE, {}),
    ("stackelberg/Duopoly-v0", native, [60_000], REWARDS, ONCE, {}),
    ("stackelberg/IteratedMatrix-v0", native, [60_000], REWARDS, LARGE, {}),
    ("stackelberg/Matrix-v0", native, [20_000], REWARDS, BRIEF, {}),
    ("stackelberg/PostedPrice-v0", native, [20_000], REWARDS, BRIEF, {}),
    ("stackelberg/PreferenceDesign-v0", native, [100_000], REWARDS, LARGE, {}),
    ("stackelberg/SecurityGame-v0", native, [20_000], REWARDS, BRIEF, {}),
    ("stackelberg/SupplyContract-v0", native, [100_000], REWARDS, LARGE, {}),
    ("stackelberg/TollRouting-v0", masked, [40_000], REWARDS, BRIEF, {}),
    ("stackelberg/Warehouse-v0", native, [200_000], REWARDS, LARGE, {}),
    ("stackelberg/Wholesale-v0", native, [60_000], REWARDS, ONCE, {}),
    ("stackelberg/GuidedCartPole-v0", native, [100_000], SCALED, LARGE, {"shared_stream": True}),
    ("stackelberg/BilevelLqr-v1", native, [200_000], SCALED, QUIET, {}),
    ("stackelberg/BuildingThermal-v1", native, [100_000], SCALED, EARLY, SHORTER),
    ("stackelberg/TaxDesign-v0", rescaled, [50_000, 50_000, 60_000], OBSERVED, STEADY, SHORT),
)
NAMES = {
    native: "clients.sb3.VecEnv",
    masked: "clients.sb3.VecEnv, MaskablePPO",
    rescaled: "clients.sb3.VecEnv",
    gymnasium_view: "follower_env",
    through_supersuit: "followers_env, SuperSuit",
}


def follower(id, make, stages, face, options, training):  # noqa: A002
    """Train the follower of a game, and compare it with the exact response."""
    began, face = time.perf_counter(), {**face, "commitment": commitment_of(id)}
    discount = se.make_game(id).follower_discount
    set_random_seed(SEED)  # SuperSuit's environments take no seed from a model
    envs = make(id, **face, **training)
    options = {"learning_rate": falling(1e-3), **options}
    algorithm = MaskablePPO if make is masked else PPO
    model = algorithm("MlpPolicy", envs, gamma=discount, device="cpu", **options)
    for steps in stages:
        model.learn(steps)
        model.set_env(make(id, **face, **training))

    def act(observations, *masks):
        return model.predict(observations, deterministic=True, **dict(zip(["action_masks"], masks, strict=False)))[0]

    seconds = time.perf_counter() - began
    return follower_result(id, NAMES[make], act, steps=sum(stages), seconds=seconds, **face)


def leader(id, steps):  # noqa: A002
    """Train the leader of a game against the exact response."""
    began = time.perf_counter()
    envs = make_vec_env(lambda: se.leader_env(id, normalize=True), 8, seed=SEED)
    options = {"n_steps": 16, "batch_size": 64, "n_epochs": 8, "gamma": 0.0}
    model = PPO("MlpPolicy", envs, learning_rate=3e-3, seed=SEED, device="cpu", **options)
    model.learn(steps)
    env = se.leader_env(id, normalize=True)
    observation, _ = env.reset(seed=SEED)
    action, _ = model.predict(observation, deterministic=True)
    box = se.make_game(id).commitment.space
    x = box.low + (np.clip(action, -1, 1) + 1) / 2 * (box.high - box.low)
    seconds = time.perf_counter() - began
    return leader_result(id, "leader_env", neutral(id), x, steps=model.num_timesteps, seconds=seconds)


def main():
    """Run everything."""
    torch.set_num_threads(1)
    results = [follower(*run) for run in RUNS]
    results.append(leader("stackelberg/RandomTabular-v1", 6_000))
    return finish("stable-baselines3", "stable-baselines3", results)


if __name__ == "__main__":
    sys.exit(main())
