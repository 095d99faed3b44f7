"""Linear-quadratic games at the door: every matrix is checked, nothing is asked for twice, and all is copied."""

from dataclasses import fields, replace

import numpy as np
import pytest

from stackelberg_envs.errors import CommitmentError, GameError
from stackelberg_envs.games.commitments.dynamics import DynamicsCommitment
from stackelberg_envs.games.commitments.gain import GainCommitment
from stackelberg_envs.games.linear_forms import (
    BumpReward,
    LinearForm,
    LinearGaussianPolicy,
    LinearNumbers,
    QuadraticReward,
    free_dynamics,
)
from stackelberg_envs.games.linear_quadratic import LinearQuadraticGame
from stackelberg_envs.games.matrices import as_symmetric, require_definite, require_semidefinite
from stackelberg_envs.games.trajectories import Samples
from tests.games import BUILDING, LQR

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


# --- matrices ---------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"action_bound": "wide"}, "action_bound: expected a number greater than 0"),
        ({"action_bound": np.inf}, "action_bound: expected a number greater than 0"),
        ({"action_bound": 1e100}, "action_bound: expected a number that float32 can carry"),
        ({"state_bound": np.nan}, "state_bound: expected a number greater than 0"),
        ({"state_bound": 1e-50}, "state_bound: expected a number that float32 can carry"),
        ({"form": None}, "form: expected a LinearForm, got NoneType"),
        ({"numbers": {}}, "numbers: expected a LinearNumbers, got dict"),
        ({"publish_temperature": "no"}, "publish_temperature: expected True or False"),
        ({"temperature": 10**30}, "temperature: .* 64 bits"),
        ({"context_probabilities": [0.5, 0.4]}, "context_probabilities: expected rows that sum to one"),
        ({"context_probabilities": np.ma.masked_equal([1.0, 0.0], 0)}, "context_probabilities: .* MaskedArray"),
    ],
)
def test_arguments_of_the_game_are_checked(changes, match):
    with pytest.raises(GameError, match=match):
        LQR.replace(**changes)


# --- nothing is asked for twice ---------------------------------------------------------------------------


def test_the_form_of_a_gain_takes_everything_from_the_commitment():
    form = LinearForm.of_gain(GainCommitment((2, 3), 1.0, 0.5), np.zeros((1, 3, 3)), 1)
    K = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(form.gain(K), K)
    np.testing.assert_array_equal(form.leader_noise, 0.25 * np.eye(2))
    assert form.basis.shape == (1, 7, 3, 3)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"leader_noise": [[0.04]]}, r"leader_noise: expected 0.01 at index \(0, 0\), as .*noise=0.1.*, got 0.04"),
        ({"gains": np.zeros((3, 1, 2))}, r"gains: expected 1 at index \(1, 0, 0\), as GainCommitment"),
        ({"price": 0.5}, "form: by it x changes the leader_reward, but the commitment declares only"),
        ({"basis": np.ones((4, 3, 2, 2))}, "form: by it x changes the transition, but the commitment declares only"),
    ],
)
def test_a_gain_and_a_form_that_differ_are_refused_with_both(changes, match):
    with pytest.raises(GameError, match=match):
        tank(form=replace(tank().form, **changes))


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"weights": 2 * BUILDING.numbers.weights}, r"weights: expected 2 at index \(0,\), .*, got 1"),
        ({"follower_input": 2 * BUILDING.numbers.follower_input}, r"follower_input: expected 0.2 at index \(0, 0\)"),
        ({"noise": 2 * BUILDING.numbers.noise}, r"noise: expected 0.0008 at index \(0, 0\), .*, got 0.0004"),
        ({"form": replace(BUILDING.form, price=0.2)}, r"price: expected 0.2, .*, got 0.1"),
    ],
)
def test_dynamics_that_differ_are_refused_with_both(given, match):
    held = {name: getattr(BUILDING.numbers, name) for name in ("weights", "follower_input", "noise")}
    arguments = {"form": BUILDING.form} | held | given
    commitment = DynamicsCommitment(**arguments, low=np.zeros(8), high=np.ones(8))
    with pytest.raises(GameError, match=match):
        BUILDING.replace(commitment=commitment)


def test_a_commitment_takes_the_numbers_that_are_replaced():
    other = replace(BUILDING.numbers, weights=2 * BUILDING.numbers.weights)
    game = BUILDING.replace(numbers=other)
    np.testing.assert_array_equal(game.commitment.weights, other.weights)
    still = BUILDING.replace(numbers=replace(BUILDING.numbers, noise=np.zeros((4, 4))))
    samples = Samples(np.zeros((1, 4)), np.zeros((1, 0)), np.zeros((1, 2)), np.zeros((1, 4)), np.zeros(1, np.int32))
    with pytest.raises(CommitmentError, match="noise: expected a positive definite covariance"):
        still.commitment.effect_at(np.zeros(8), samples)


@pytest.mark.parametrize(
    ("build", "match"),
    [
        (lambda: GainCommitment(2, 1.0, 0.1), "shape: expected a tuple of sizes, got 2"),
        (lambda: GainCommitment((2,), 1.0, 0.1), "shape: expected two sizes"),
        (lambda: GainCommitment((1, 2), -1.0, 0.1), "bound: expected a number greater than 0"),
        (
            lambda: GainCommitment((1, 2), 1.0, 1e-100),
            r"leader_noise: expected a number in \[1e-50, 1e\+50\], got 1e-100",
        ),
        (lambda: GainCommitment((1, 2), 1.0, True), "leader_noise: expected a number greater than 0, got True"),
        (lambda: DynamicsCommitment(None, [1], [[1]], [[1]], [0], [1]), "form: expected a LinearForm, got NoneType"),
        (lambda: DynamicsCommitment(BUILDING.form, [1], [[1]], [[1]], [0], [1]), r"low, high: expected shape \(8,\)"),
    ],
)
def test_arguments_that_make_no_commitment_are_refused(build, match):
    with pytest.raises(GameError, match=match):
        build()


def test_a_policy_needs_a_covariance():
    policy = LinearGaussianPolicy(np.zeros((1, 2)), np.zeros((1, 1)), np.array([[-1.0]]))
    with pytest.raises(GameError, match="covariance: expected a positive definite"):
        policy.sample(np.random.default_rng(0), np.zeros((1, 2)), np.zeros((1, 1)), np.zeros(1, np.int32))


# --- copies -----------------------------------------------------------------------------------------------


def parts_of(game):
    return [game.form, game.numbers, game.reward]


@pytest.mark.parametrize("game", [LQR, BUILDING], ids=lambda game: game.name)
def test_no_array_of_a_linear_game_can_be_written_to(game):
    for part in parts_of(game):
        for item in fields(part):
            value = getattr(part, item.name)
            assert not isinstance(value, np.ndarray) or not value.flags.writeable, item.name
    assert not game.context_probabilities.flags.writeable


def test_changing_what_was_given_changes_no_linear_game():
    given = {item.name: np.array(getattr(BUILDING.numbers, item.name)) for item in fields(LinearNumbers)}
    form = {name: np.array(getattr(BUILDING.form, name)) for name in ("basis", "gains", "leader_noise")}
    costs = [np.array(BUILDING.reward.state_cost), np.array(BUILDING.reward.action_cost)]
    weights, bounds = np.ones(1), [np.zeros(8), np.ones(8)]
    made_form = LinearForm(**form, follower_action_size=2, price=0.1)
    made = LinearNumbers(**given)
    commitment = DynamicsCommitment(
        made_form, given["weights"], given["follower_input"], given["noise"], bounds[0], bounds[1]
    )
    game = BUILDING.replace(
        form=made_form,
        numbers=made,
        commitment=commitment,
        reward=QuadraticReward(*costs),
        context_probabilities=weights,
    )
    x = np.full(8, 0.5)
    before = game.solve(x)
    for array in [*given.values(), *form.values(), *costs, *bounds, weights]:
        array[...] = 7.0
    after = game.solve(x)
    assert after.leader_value == before.leader_value
    np.testing.assert_array_equal(after.gradient, before.gradient)
