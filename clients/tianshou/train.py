"""PPO of Tianshou, in Gymnasium environments of the follower, and what its collector pays a leader that commits."""

import sys
import time

import numpy as np
import torch
from tianshou.algorithm.modelfree.ppo import PPO
from tianshou.algorithm.modelfree.reinforce import ProbabilisticActorPolicy
from tianshou.algorithm.multiagent.marl import MultiAgentPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.algorithm.random import MARLRandomDiscreteMaskedOffPolicyAlgorithm as Random
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv, PettingZooEnv
from tianshou.trainer import OnPolicyTrainerParams
from tianshou.utils.net.common import Net
from tianshou.utils.net.discrete import DiscreteActor, DiscreteCritic

import stackelberg_envs as se
from clients.common import SEED, commitment_of, finish, follower_result

COPIES, LENGTH = 32, 64
#: Id -> steps of training, and the bonus for entropy.
GAMES = {"stackelberg/DiscreteToy-v1": (40_000, 0.01), "stackelberg/FourRooms-v0": (100_000, 0.003)}


def train(id, steps, bonus):  # noqa: A002
    """Return the trained policy's actions as a function of observations."""
    # --- glue
    envs = DummyVectorEnv([lambda: se.follower_env(id, commitment=commitment_of(id)) for _ in range(COPIES)])
    # --- end of glue
    envs.seed(SEED)
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


def paid(commitment, episodes=3):
    """Return what the collector counts as the leader's reward in all episodes, and what the leader was paid in play."""
    # --- glue
    face = se.env("stackelberg/DiscreteToy-v1", commitment=commitment, menu=3, horizon=20)
    env = PettingZooEnv(face)
    # --- end of glue
    policy = MultiAgentPolicy({agent: Random(env.action_space).policy for agent in face.possible_agents})
    policy.agent_idx = env.agent_idx
    buffer = VectorReplayBuffer(1_000, 1)
    Collector(policy, DummyVectorEnv([lambda: env]), buffer).collect(n_episode=episodes, reset_before_collect=True)
    rows = buffer[:]
    mine = rows.obs.agent_id == "leader_0"
    return rows.rew[mine, 0].sum(), rows.info.leader_reward[~mine].sum()


def main():
    """Train the follower of each game, and say what it has learned; then see that a leader with a last turn is paid."""
    results = []
    for id, (steps, bonus) in GAMES.items():  # noqa: A001
        np.random.seed(SEED)  # noqa: NPY002 - Tianshou draws from NumPy's global generator
        torch.manual_seed(SEED)
        torch.set_num_threads(1)
        began = time.perf_counter()
        act = train(id, steps, bonus)
        seconds = time.perf_counter() - began
        results.append(follower_result(id, "follower_env", act, steps=steps, seconds=seconds))
    code = finish("tianshou", "tianshou", results)
    for commitment in ("once", "episode"):
        counted, played = paid(commitment)
        sys.stdout.write(f'commitment="{commitment}": the leader is paid {counted:.4g} of {played:.4g}\n')
    return code or int(not np.isclose(counted, played))


if __name__ == "__main__":
    sys.exit(main())
