"""Numbers, rewards and forms of linear-quadratic games: what is refused, and what is mended."""

from dataclasses import replace

import numpy as np
import pytest

from stackelberg_envs.errors import GameError
from stackelberg_envs.games.commitments.gain import GainCommitment
from stackelberg_envs.games.linear_forms import (
    BumpReward,
    LinearForm,
    LinearNumbers,
    QuadraticReward,
    free_dynamics,
)
from stackelberg_envs.games.linear_quadratic import LinearQuadraticGame
from stackelberg_envs.games.matrices import as_symmetric, require_definite, require_semidefinite

SCALES = pytest.mark.parametrize("c", [1e-100, 1e-12, 1.0, 1e12, 1e100])


def numbers(**changes):
    given = {
        "weights": np.array([0.9, 0.1, -0.2, 0.7]),
        "follower_input": np.array([[0.0], [1.0]]),
        "leader_input": np.zeros((2, 1)),
        "noise": 0.01 * np.eye(2),
        "state_cost": np.eye(2),
        "action_cost": np.eye(1),
        "initial_mean": np.array([1.0, 0.0]),
        "initial_covariance": 0.1 * np.eye(2),
    }
    return LinearNumbers(**(given | changes))


def tank(reward=None, commitment=None, form=None, **changes):
    """Two states, one action of each player; the leader plays a gain."""
    commitment = GainCommitment((1, 2), 1.0, 0.1) if commitment is None else commitment
    form = LinearForm.of_gain(commitment, free_dynamics(2, 2), 1) if form is None else form
    return LinearQuadraticGame(
        form=form,
        numbers=numbers(**changes),
        reward=QuadraticReward(np.eye(2), np.eye(1)) if reward is None else reward,
        commitment=commitment,
        leader_discount=0.9,
        follower_discount=0.9,
        temperature=0.1,
        horizon=20,
    )


def test_an_upper_triangular_cost_is_refused_with_what_to_write():
    match = r"reward.state_cost: .* got 3 at \(0, 1\) and 0 at \(1, 0\); .* half of their sum, 1.5, at both places"
    with pytest.raises(GameError, match=match):
        QuadraticReward(state_cost=[[1, 3], [0, 4]], action_cost=[[1]])
    with pytest.raises(GameError, match="state_cost: expected a symmetric matrix"):
        numbers(state_cost=[[1, 3], [0, 4]])


@SCALES
def test_what_is_symmetric_up_to_rounding_is_symmetrised(c):
    """No draw of 600 is refused: covariances, also singular and badly scaled ones, as users compute them."""
    rng = np.random.default_rng(0)
    for trial in range(600):
        n = int(rng.integers(2, 5))
        G, root = rng.standard_normal((n, n)), rng.standard_normal((n, int(rng.integers(1, n + 1))))
        G = np.diag(10.0 ** rng.uniform(-6, 6, n)) @ G if trial % 2 else G
        computed = G @ (c * root @ root.T) @ G.T
        made = as_symmetric(computed, "noise")
        require_semidefinite(made, "noise")
        np.testing.assert_array_equal(made, made.T)
        np.testing.assert_allclose(made, 0.5 * (computed + computed.T), rtol=1e-15)


def test_noise_made_by_a_product_makes_a_game():
    rng = np.random.default_rng(1)
    for _ in range(50):
        G, root = rng.standard_normal((2, 2)), rng.standard_normal((2, 2))
        noise = G @ (root @ root.T) @ G.T
        np.testing.assert_allclose(tank(noise=noise).numbers.noise, noise, rtol=1e-12)


@SCALES
def test_asymmetry_beyond_rounding_is_refused_in_any_unit(c):
    for matrix in (
        [[1.0, 0.1], [0.1 + 1e-6, 1.0]],
        [[1e12, 0.0, 0.0], [0.0, 1.0, 0.3], [0.0, 0.1, 1.0]],  # a small block beside a large one
        [[0.0, 1.0], [-1.0, 0.0]],
    ):
        with pytest.raises(GameError, match="M: expected a symmetric matrix"):
            as_symmetric(c * np.array(matrix), "M")


@SCALES
def test_definiteness_is_judged_in_any_unit(c):
    singular, badly_scaled = c * np.ones((2, 2)), c * np.diag([1e20, 1e-3])
    require_semidefinite(singular, "M")
    require_semidefinite(c * np.diag([1.0, -1e-18]), "M")
    require_definite(badly_scaled, "M")
    for bad in (c * np.diag([1.0, -1e-6]), c * np.array([[1.0, 1.001], [1.001, 1.0]]), -c * np.eye(1)):
        with pytest.raises(GameError, match="M: expected eigenvalues of at least 0, got "):
            require_semidefinite(bad, "M")
    for bad in (singular, np.zeros((1, 1)), -c * np.eye(2)):
        with pytest.raises(GameError, match="M: expected eigenvalues of at least 1e-12, got "):
            require_definite(bad, "M")


@pytest.mark.parametrize(
    ("name", "bad", "match"),
    [
        ("noise", [[-0.01, 0.0], [0.0, 0.01]], "noise: expected eigenvalues of at least 0"),
        ("noise", [[0.1, 0.2], [0.2, 0.1]], "noise: expected eigenvalues of at least 0"),
        ("initial_covariance", [[1.0, 2.0], [2.0, 1.0]], "initial_covariance: expected eigenvalues"),
        ("state_cost", [[-1.0, 0.0], [0.0, 1.0]], "state_cost: expected eigenvalues"),
        ("action_cost", [[0.0]], "action_cost: expected eigenvalues of at least 1e-12, got 0"),
        ("action_cost", [[-1.0]], "action_cost: expected eigenvalues"),
        ("weights", [[1.0]], r"weights: expected a vector, got shape \(1, 1\)"),
        ("weights", [1.0], r"weights: expected finite numbers of shape \(4,\)"),
        ("follower_input", [1.0, 2.0], "follower_input: expected a matrix"),
        ("follower_input", [[np.inf], [0.0]], "follower_input: expected finite numbers"),
        ("noise", np.ma.masked_equal(np.eye(2), 0), "noise: .* MaskedArray"),
        ("noise", 1j * np.eye(2), "noise: .*complex"),
        ("noise", [[1.0, 0.0]], "noise: expected a square matrix"),
        ("initial_mean", ["a", "b"], "initial_mean: expected numbers"),
    ],
)
def test_numbers_that_make_no_game_are_refused(name, bad, match):
    with pytest.raises(GameError, match=match):
        tank(**{name: bad})


@pytest.mark.parametrize(
    ("reward", "match"),
    [
        (lambda: QuadraticReward(np.eye(3), np.eye(1)), r"reward.state_cost: expected shape \(2, 2\), got \(3, 3\)"),
        (lambda: QuadraticReward(np.eye(2), np.eye(2)), r"reward.action_cost: expected shape \(1, 1\)"),
        (lambda: QuadraticReward([[np.nan]], [[1]]), "reward.state_cost: expected finite numbers"),
        (lambda: BumpReward([0.0], [1.0]), r"reward.target: expected shape \(2,\), got \(1,\)"),
        (
            lambda: BumpReward([0.0, 0.0], [1.0, 0.0]),
            r"width: expected numbers greater than 0, got 0.0 at index \(1,\)",
        ),
        (lambda: BumpReward([0.0, 0.0], [1.0]), r"width: expected shape \(2,\)"),
        (lambda: BumpReward([0.0, np.inf], [1.0, 1.0]), "target: expected finite numbers"),
        (lambda: "much", "reward: expected a "),
    ],
)
def test_rewards_that_fit_no_game_are_refused(reward, match):
    with pytest.raises(GameError, match=match):
        tank(reward=reward())


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"leader_noise": [[-0.01]]}, "leader_noise: expected eigenvalues of at least 0, got -0.01"),
        ({"leader_noise": np.eye(2)}, r"leader_noise: expected shape \(1, 1\) for these gains"),
        ({"basis": np.zeros((4, 3, 2, 3))}, r"basis: expected shape \(N, 1 \+ D, W, W\)"),
        ({"gains": np.zeros((2, 1, 2))}, r"gains: expected shape \(1 \+ D, A, W\), \(3, A, 2\)"),
        ({"price": "much"}, "price: expected a finite number, got 'much'"),
        ({"price": True}, "price: expected a finite number, got True"),
        ({"follower_action_size": 1.0}, "follower_action_size: expected an integer of at least 1"),
    ],
)
def test_forms_that_fit_no_game_are_refused(changes, match):
    with pytest.raises(GameError, match=match):
        replace(tank().form, **changes)
