"""PPO of Tianshou, in Gymnasium environments of the follower."""

import sys
import time

import numpy as np
import torch
from tianshou.algorithm.modelfree.ppo import PPO
from tianshou.algorithm.modelfree.reinforce import ProbabilisticActorPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.trainer import OnPolicyTrainerParams
from tianshou.utils.net.common import Net
from tianshou.utils.net.discrete import DiscreteActor, DiscreteCritic

import stackelberg_envs as se
from clients.common import commitment_of, finish, follower_result

COPIES, LENGTH = 16, 128
#: Id -> steps of training, and the bonus for entropy.
GAMES = {"stackelberg/DiscreteToy-v1": (60_000, 0.01)}


def train(id, steps, bonus):  # noqa: A002
    """Return the trained policy's actions as a function of observations."""
    # --- glue
    envs = DummyVectorEnv([lambda: se.follower_env(id, commitment=commitment_of(id)) for _ in range(COPIES)])
    # --- end of glue
    envs.seed(0)
    space = envs.action_space[0]
    size = envs.observation_space[0].shape

    def network():
        return Net(state_shape=size, hidden_sizes=(64, 64), activation=torch.nn.Tanh)

    actor = DiscreteActor(preprocess_net=network(), action_shape=space.n, softmax_output=False)
    policy = ProbabilisticActorPolicy(
        actor=actor,
        dist_fn=lambda logits: torch.distributions.Categorical(logits=logits),
        deterministic_eval=True,
        action_space=space,
        action_scaling=False,
        action_bound_method=None,
    )
    algorithm = PPO(
        policy=policy,
        critic=DiscreteCritic(preprocess_net=network()),
        optim=AdamOptimizerFactory(lr=1e-3),
        gamma=se.make_game(id).follower_discount,
        ent_coef=bonus,
        return_scaling=True,
    )
    collector = Collector(algorithm, envs, VectorReplayBuffer(COPIES * LENGTH, COPIES))
    algorithm.run_training(
        OnPolicyTrainerParams(
            training_collector=collector,
            max_epochs=1,
            epoch_num_steps=steps,
            collection_step_num_env_steps=COPIES * LENGTH,
            update_step_num_repetitions=6,
            batch_size=512,
            verbose=False,
            show_progress=False,
        )
    )

    def act(observations):
        with torch.no_grad():
            return actor(np.asarray(observations))[0].argmax(dim=1).numpy()

    return act


def main():
    """Train the follower of each game, and say what it has learned."""
    results = []
    for id, (steps, bonus) in GAMES.items():  # noqa: A001
        np.random.seed(0)  # noqa: NPY002 - Tianshou draws from NumPy's global generator
        torch.manual_seed(0)
        torch.set_num_threads(1)
        began = time.perf_counter()
        act = train(id, steps, bonus)
        seconds = time.perf_counter() - began
        results.append(follower_result(id, "follower_env", act, steps=steps, seconds=seconds))
    return finish("tianshou", "tianshou", results)


if __name__ == "__main__":
    sys.exit(main())
