"""The guided pendulum: Gymnasium's equations without wind, the wind, and the reward."""

import numpy as np
import pytest
from gymnasium.envs.classic_control.pendulum import PendulumEnv, angle_normalize

import stackelberg_envs as se

IDS = ["stackelberg/GuidedCartPole-v0", "stackelberg/GuidedPendulum-v0"]


CONTEXT = np.zeros(1, np.int32)


def one_step(game, state, wind, push):
    made = game.step(None, None, np.array([state]), CONTEXT, np.array([[wind]]), np.array([[push]]))
    return made.next_state[0], made.leader_reward[0], made.follower_reward[0], made.terminated[0]


def test_pendulum_without_wind_is_gymnasiums():
    env, game = PendulumEnv(), se.make_game(IDS[1])
    env.reset(seed=0)
    rng = np.random.default_rng(1)
    for _ in range(300):
        angle, speed = rng.uniform(-np.pi, np.pi), rng.uniform(-8, 8)
        torque = rng.uniform(-2.5, 2.5)  # beyond its limits too
        env.state = np.array([angle, speed])
        _, reward, _, _, _ = env.step(np.array([torque]))
        following, _, paid, over = one_step(game, [np.cos(angle), np.sin(angle), speed], 0.0, torque)
        moved, faster = env.state
        np.testing.assert_allclose(following, [np.cos(moved), np.sin(moved), faster], atol=1e-13)
        assert paid == pytest.approx(reward, abs=1e-12)
        assert not over


def test_pendulum_wind_and_the_leaders_reward():
    game = se.make_game(IDS[1])
    for angle in (0.4, -0.4, 3.0, -3.0):
        state = np.array([np.cos(angle), np.sin(angle), 0.5])
        calm, blown = (one_step(game, state, wind, 0.1) for wind in (0.0, 0.6))
        assert blown[0][2] - calm[0][2] == pytest.approx(0.05 * 2.0 * 0.6 * np.cos(angle) ** 2, abs=1e-14)
        assert blown[1] == min(0.0, -np.sin(angle))
    assert angle_normalize(np.pi) == -np.pi
