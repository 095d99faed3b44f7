"""The discrete toy: closed forms of its values, optimum and dynamics."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from stackelberg_envs.envs import discrete_toy_v1
from stackelberg_envs.solvers.solving import solve
from tests.games import TOY_OPTIMUM


def table(q):
    """The policy table of which only q = f(1 | A) matters."""
    rows = np.full((3, 2), 0.5)
    rows[discrete_toy_v1.A] = (1 - q, q)
    return rows


@pytest.mark.parametrize(
    ("reward", "q", "value"),
    [
        (1.0, 0.0, 33.653346),
        (1.0, 0.15, 34.963700),
        (1.0, 0.5, 0.617005),
        (1.0, 0.166456, 34.992641),
        (2.0, 0.0, 33.668900),
        (2.0, 0.3, 37.367885),
        (2.0, 0.502638, 39.940211),
    ],
)
def test_discrete_toy_values(reward, q, value):
    game = discrete_toy_v1.make_game(reward=reward)
    assert solve(game, table(q)).leader_value == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(("reward", "best_q", "best_value"), [(1.0, 0.166456, 34.992641), (2.0, 0.502638, 39.940211)])
def test_discrete_toy_optimum(reward, best_q, best_value):
    game = discrete_toy_v1.make_game(reward=reward)
    found = minimize_scalar(
        lambda q: -solve(game, table(q)).leader_value,
        bounds=(0.05, 0.7),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert found.x == pytest.approx(best_q, abs=1e-6)
    assert -found.fun == pytest.approx(best_value, abs=1e-6)
    gradient = solve(game, table(found.x)).gradient[discrete_toy_v1.A]
    assert gradient[1] - gradient[0] == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("reward", [1.0, 2.0])
def test_discrete_toy_values_ignore_the_other_rows(reward):
    game = discrete_toy_v1.make_game(reward=reward)
    other = table(0.3)
    other[[0, 2]] = (0.9, 0.1)
    assert solve(game, other).leader_value == pytest.approx(solve(game, table(0.3)).leader_value, abs=1e-9)


def finite_sum(game, x, discount):
    """Value of 150 steps of the stationary response, by propagating the state distribution."""
    solution = solve(game, x)
    joint = solution.primitives.leader_policy[:, :, None] * solution.best.policy
    kernel = np.einsum("sab,sabt->st", joint, game.transition.to_dense())
    reward = (joint * game.leader_reward).sum(axis=(1, 2))
    here, total = game.initial, 0.0
    for t in range(game.horizon):
        total += discount**t * here @ reward
        here = here @ kernel
    return total


@pytest.mark.parametrize(
    ("reward", "q", "discount", "value", "digits"),
    [
        (1.0, 0.166456, 1.0, 52.32, 0.005),
        (2.0, 0.502638, 1.0, 59.75, 0.005),
        (1.0, 0.166456, 0.99, 27.316, 5e-4),
    ],
)
def test_discrete_toy_values_of_one_episode(reward, q, discount, value, digits):
    game = discrete_toy_v1.make_game(reward=reward)
    assert finite_sum(game, table(q), discount) == pytest.approx(value, abs=digits)


def test_discrete_toy_gradient_has_its_sign_because_the_follower_sees_the_action():
    solution = solve(discrete_toy_v1.make_game(reward=2.0), np.full((3, 2), 0.5))
    x, gradient = solution.x, solution.gradient
    theta_gradient = x * (gradient - (x * gradient).sum(axis=1, keepdims=True))
    assert theta_gradient[discrete_toy_v1.A, 0] == pytest.approx(-0.3740, abs=5e-5)


def test_discrete_toy_dynamics():
    game = discrete_toy_v1.make_game(reward=2.0)
    landing = game.transition.to_dense().argmax(axis=-1)
    np.testing.assert_array_equal(landing[0], [[0, 1, 2], [0, 1, 2]])
    np.testing.assert_array_equal(landing[1], [[0, 1, 2], [0, 0, 0]])
    np.testing.assert_array_equal(landing[2], [[0, 2, 2], [0, 2, 2]])
    np.testing.assert_array_equal(game.leader_reward[0], [[0, 1, 0]] * 2)
    assert not game.leader_reward[1:].any()
    np.testing.assert_array_equal(game.follower_reward, [[[0, 1, 1]] * 2, [[0, 0, 2], [-1] * 3], [[0] * 3] * 2])
    assert (game.horizon, game.temperature, game.leader_discount) == (150, 0.05, 0.99)
    assert not game.terminal.any()


def test_the_toy_knows_its_optimum_where_it_is_known():
    for reward, optimum in TOY_OPTIMUM.items():
        assert discrete_toy_v1.make_game(reward=reward).facts["best_known"] == pytest.approx(optimum, abs=1e-6)
    assert "best_known" not in discrete_toy_v1.make_game(temperature=0.1).facts
