"""Algorithms of stable-baselines3 in environments that nobody looks into."""

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box

import agents
import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError, OutputError
from tests.environments import Ladder, Pair, Slide, resumes

pytest.importorskip("stable_baselines3")
UNIT = Box(0.0, 1.0, (1,), np.float64)
SMALL = {"model_options": {"n_steps": 64, "policy_kwargs": {"net_arch": [8]}}, "steps": 64}


def unchanged(env, x):
    return env


def test_a_model_learns_on_and_plays_by_its_distribution():
    game = se.wrap_commitment(Ladder, unchanged, UNIT, horizon=10, evaluation_episodes=2)
    record = agents.run(
        game, leader="random_search", follower="sb3", updates=2, steps_per_update=40, follower_options=SMALL
    )
    assert (record.status, record.follower_steps) == ("finished", 128)
    again = agents.run(
        game, leader="random_search", follower="sb3", updates=2, steps_per_update=40, follower_options=SMALL
    )
    assert again.leader_value == record.leader_value and np.isfinite(record.leader_value)


def test_boxes_are_played_by_the_best_action():
    game = se.wrap_commitment(Slide, unchanged, UNIT, horizon=10, evaluation_episodes=2)
    options = {**SMALL, "algorithm": "A2C", "policy": "MlpPolicy", "model_options": {"n_steps": 8}}
    record = agents.run(game, leader="cma_es", updates=2, steps_per_update=20, follower_options=options)
    assert record.follower == "sb3" and np.isfinite(record.leader_value)


@pytest.mark.parametrize(
    "options",
    [
        {
            "algorithm": "PPO",
            "model_options": {"n_steps": 32, "batch_size": 32, "policy_kwargs": {"net_arch": [8]}},
            "steps": 32,
        },
        {"algorithm": "DQN", "model_options": {"learning_starts": 10, "buffer_size": 60}, "steps": 40},
    ],
)
def test_a_stopped_run_goes_on_where_its_checkpoint_is_trusted(tmp_path, options):
    game = se.wrap_commitment(lambda: gymnasium.make("CartPole-v1"), unchanged, UNIT, evaluation_episodes=2)
    resumes(
        tmp_path, game, trust=True, leader="random_search", updates=4, steps_per_update=40, follower_options=options
    )


def test_a_checkpoint_with_a_model_is_not_read_unless_it_is_trusted(tmp_path):
    game = se.wrap_commitment(Slide, unchanged, UNIT, horizon=10, evaluation_episodes=2)

    def stop(state):
        raise KeyboardInterrupt

    agents.run(
        game,
        leader="random_search",
        updates=3,
        steps_per_update=20,
        follower_options=SMALL,
        output=tmp_path,
        progress=stop,
    )
    with pytest.raises(OutputError, match="the state of a follower 'sb3' may run any code; expected trust=True"):
        agents.run(game, resume=tmp_path)


def test_what_an_algorithm_does_not_take_is_refused():
    with pytest.raises(ArgumentError, match="follower 'sb3': expected what SAC takes"):
        agents.run(
            se.wrap_commitment(Ladder, unchanged, UNIT),
            leader="cma_es",
            follower="sb3",
            updates=1,
            follower_options={"algorithm": "SAC"},
        )
    with pytest.raises(ArgumentError, match="expected a Gymnasium environment, got one of PettingZoo"):
        agents.run(se.wrap_commitment(Pair, unchanged, UNIT), leader="cma_es", follower="sb3", updates=1)


@pytest.mark.deep
def test_a_leader_finds_a_pole_of_a_length_that_a_network_can_balance():
    """The leader is paid for short poles while they stand: the best length is where a network still balances them."""

    def lengthen(env, x):
        env.unwrapped.length, env.unwrapped.polemass_length = float(x[0]), 0.1 * float(x[0])
        return env

    game = se.wrap_commitment(
        lambda: gymnasium.make("CartPole-v1"),
        lengthen,
        Box(0.05, 2.0, (1,), np.float64),
        leader_reward=lambda step: 1.0 - float(step.commitment[0]) / 2.0,
        names=["length"],
    )
    record = agents.run(
        game,
        leader="cma_es",
        follower="sb3",
        updates=5,
        steps_per_update=1_000,
        evaluate_every=0,
        follower_options={"steps": 4_096, "first_steps": 12_288},
    )
    assert record.leader_value > 20.0
