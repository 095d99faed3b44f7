"""The guided cart-pole: Gymnasium's equations without wind, the wind, and the rewards."""

import numpy as np
import pytest
from gymnasium.envs.classic_control.cartpole import CartPoleEnv
from scipy.linalg import solve_discrete_are

import stackelberg_envs as se
from stackelberg_envs.envs import guided_cartpole_v0 as cartpole
from stackelberg_envs.errors import GameError
from stackelberg_envs.play.rollout import rollout

IDS = ["stackelberg/GuidedCartPole-v0", "stackelberg/GuidedPendulum-v0"]


CONTEXT = np.zeros(1, np.int32)


def one_step(game, state, wind, push):
    made = game.step(None, None, np.array([state]), CONTEXT, np.array([[wind]]), np.array([[push]]))
    return made.next_state[0], made.leader_reward[0], made.follower_reward[0], made.terminated[0]


def test_cartpole_without_wind_is_gymnasiums():
    env, game = CartPoleEnv(), se.make_game(IDS[0])
    rng = np.random.default_rng(0)
    for _ in range(200):
        env.reset(seed=0)
        state = rng.uniform(-1, 1, size=4) * (2.3, 3, 0.2, 3)
        push = rng.uniform(-1, 1)
        env.state, env.force_mag = state, 10.0 * push
        _, reward, terminated, _, _ = env.step(1)
        following, _, paid, over = one_step(game, state, 0.0, push)
        np.testing.assert_allclose(following, env.state, atol=1e-14)
        assert (paid, over) == (reward, terminated)


def test_cartpole_wind_turns_the_pole_and_leaves_the_cart_alone():
    game, state = se.make_game(IDS[0]), np.array([0.1, 0.5, 0.15, -0.3])
    calm, blown = (one_step(game, state, wind, 0.3)[0] for wind in (0.0, -0.7))
    expected = 0.02 * 20.0 * -0.7 * np.cos(0.15) ** 2
    np.testing.assert_allclose(blown - calm, [0, 0, 0, expected], atol=1e-15)


@pytest.mark.parametrize(
    ("position", "paid"), [(0.25, 0.0), (0.2501, 1.0), (0.5, 1.0), (0.7499, 1.0), (0.75, 0.0), (-0.5, 0.0)]
)
def test_cartpole_leader_is_paid_inside_the_target_after_the_step(position, paid):
    game = se.make_game(IDS[0])
    assert one_step(game, [position, 0, 0, 0], 0.0, 0.0)[1] == paid
    # 0.02 s at 5 m/s lead out of the target or into it.
    assert one_step(game, [position - 0.1, 5.0, 0, 0], 0.0, 0.0)[1] == paid


@pytest.mark.parametrize(
    ("state", "over"),
    [
        ([2.41, 0, 0, 0], True),
        ([-2.41, 0, 0, 0], True),
        ([2.39, 0, 0, 0], False),
        ([0, 0, 0.2095, 0], True),
        ([0, 0, -0.2095, 0], True),
        ([0, 0, 0.2094, 0], False),
    ],
)
def test_cartpole_fails_beyond_its_limits(state, over):
    _, _, reward, terminated = one_step(se.make_game(IDS[0]), state, 0.0, 0.0)
    assert (terminated, reward) == (over, 1.0)


class Regulator:
    """Balances the pole near the middle with the gain of the linearised problem, and leans against the wind it sees."""

    def __init__(self):
        step, at = 1e-6, np.zeros((1, 4))
        directions = [*np.eye(6)]
        slopes = [
            (cartpole.euler_step(at + step * d[:4], step * d[4:5], step * d[5:6]) / (2 * step))
            - (cartpole.euler_step(at - step * d[:4], -step * d[4:5], -step * d[5:6]) / (2 * step))
            for d in directions
        ]
        moves = np.concatenate(slopes).T
        inputs = moves[:, 4:5]
        costs = solve_discrete_are(moves[:, :4], inputs, np.diag([0.02, 0.02, 1.0, 0.1]), [[0.1]])
        self.gains = np.linalg.solve(0.1 + inputs.T @ costs @ inputs, inputs.T @ costs @ moves)

    def sample(self, rng, states, leader_actions, contexts):
        push = states @ self.gains[:, :4].T + leader_actions @ self.gains[:, 5:].T
        return np.clip(-push, -1.0, 1.0)


def test_wind_can_guide_a_cart_that_minds_only_its_pole():
    # 200 episodes; the standard error of the mean is below 3, and the seeds are fixed.
    game = se.make_game(IDS[0])
    earned = []
    for x in (np.zeros(5), np.array([-3.08, -1.14, 0.28, -0.87, 0.95])):
        told = rollout(game.under(x), Regulator(), np.random.default_rng(7), episodes=200)
        earned.append((told.leader_reward.sum() / 200, len(told.state) / 200))
    (nothing, alone), (guided, together) = earned
    assert alone > 199
    assert together > 195
    assert nothing < 50
    assert guided > 170


@pytest.mark.parametrize("target", [(0.5, 0.5), (0.7, 0.2), (float("nan"), 1.0), (0.0, float("inf"))])
def test_bad_targets_are_refused(target):
    with pytest.raises(GameError, match="target: expected"):
        se.make_game(IDS[0], target=target)
