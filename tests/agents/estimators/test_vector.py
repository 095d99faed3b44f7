"""Estimators on games of vectors: against the exact hypergradient, with exact values and with learned ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import stackelberg_envs as se
from agents.estimators import step_coefficients
from agents.estimators.action_nodes import GaussianBehaviour, encode, gaussian_nodes
from agents.estimators.least_squares import LeastSquares, Regression, Whitening, quadratic_features
from agents.estimators.lstd_values import LstdModel
from agents.estimators.state_features import FEATURES, make_features
from agents.estimators.step_model import steps_left
from agents.estimators.vector import Rule, make_vector_estimator
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from agents.runs.collection import collect
from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, UnknownNameError
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.linear_forms import BumpReward
from stackelberg_envs.games.samples import ActionSpec

MIDDLE = np.full(8, 0.5)


def cosine(one: Array, other: Array) -> float:
    return float((one * other).sum() / (np.linalg.norm(one) * np.linalg.norm(other)))


def building(**changes: Any) -> Any:
    return se.make_game("stackelberg/BuildingThermal-v0", **changes)


def calm_building() -> Any:
    """Return the building near its set point at a high temperature: there the published estimator's noise is small."""
    game = building(temperature=1.0)
    return game.replace(numbers=replace(game.numbers, initial_covariance=0.01 * np.eye(4)))


def estimate(game: Any, x: Array, steps: int, seed: int, **options: Any) -> tuple[Array, dict[str, float]]:
    seen = collect(game, x, game.solve(x), steps=steps, rng=seed)
    settings = {"critic": "lstd", "features": "quadratic", "trace": "mean", "rule": Rule(), **options}
    brief = make_brief(game, Information.REWARDS_OBSERVED)
    return make_vector_estimator(brief, **settings, rng=np.random.default_rng(0)).gradient(seen)


def wide_lqr() -> Any:
    """Return the plane with a wide bump and a strong follower: there its response is a large part of the gradient."""
    game = se.make_game("stackelberg/BilevelLqr-v0", horizon=40, follower_discount=0.9, leader_noise=0.05)
    return game.replace(
        reward=BumpReward(target=np.array([-0.2, 0.1]), width=np.array([0.5, 0.5])),
        numbers=replace(game.numbers, follower_input=np.array([[0.0], [1.0]])),
    )


# False alarms: a component's z of 20 batches exceeds 4 with probability 0.0008 (Student, 19 degrees of freedom);
# eight and two components: 0.6 % and 0.2 % per case, with fixed seeds.
@pytest.mark.parametrize(
    ("game", "x", "episodes", "longer"),
    [
        pytest.param(calm_building(), MIDDLE, 300, 120, id="building"),
        pytest.param(wide_lqr(), np.array([[-1.0, -2.0]]), 50, 110, id="lqr"),
    ],
)
def test_with_exact_values_the_published_estimator_is_right(
    exact_values: Any, game: Any, x: Array, episodes: int, longer: int
) -> None:
    values, solution, gradients = exact_values(game, x), game.solve(x), []
    for seed in range(20):
        # Play beyond the leader's horizon: the follower's values look further than it.
        seen = collect(game.replace(horizon=longer), x, solution, episodes=episodes, rng=seed)
        left = np.maximum(steps_left(seen, game.horizon), 0.0) if isinstance(game.reward, BumpReward) else None
        made = step_coefficients(
            seen, values.steps(seen, left), game.leader_discount, game.follower_discount, 1 / game.temperature
        )
        entries = Cotangents(**{name: getattr(made, name) for name in game.commitment.changes})
        gradients.append(game.commitment.vjp_at(x, seen.samples, entries))
    error = np.std(gradients, axis=0, ddof=1) / np.sqrt(len(gradients))
    assert (np.abs(np.mean(gradients, axis=0) - solution.gradient) < 4 * error).all()
    # The test can see something: the part that goes through the response is larger than the noise somewhere.
    assert (np.abs(solution.response_gradient) > 4 * error).any()


def test_cosine_rises_with_the_sample_on_the_building() -> None:
    game = building()
    truth = game.solve(MIDDLE).gradient
    few, many = (
        np.median([cosine(estimate(game, MIDDLE, steps, seed)[0], truth) for seed in range(5)])
        for steps in (2_000, 20_000)
    )
    assert few < many
    assert many > 0.97


def test_mean_traces_are_much_less_noisy_than_sampled_ones() -> None:
    game = building()
    truth = game.solve(MIDDLE).gradient
    errors = {
        trace: np.linalg.norm(estimate(game, MIDDLE, 10_000, 0, trace=trace)[0] - truth)
        for trace in ("mean", "sampled")
    }
    assert errors["mean"] < 0.5 * np.linalg.norm(truth)
    assert errors["sampled"] > 5.0 * np.linalg.norm(truth)


def test_naive_estimates_the_direct_term() -> None:
    game = building()
    found, _ = estimate(game, MIDDLE, 10_000, 0, rule=Rule(with_response=False))
    assert cosine(found, game.solve(MIDDLE).direct_gradient) > 0.98


@pytest.mark.parametrize("features", ["local", "network"])
def test_other_features_on_the_tax_game(features: str) -> None:
    if features == "network":
        pytest.importorskip("torch")
    game = se.make_game("stackelberg/TaxDesign-v0")
    x = np.full(4, 0.3)
    found, _ = estimate(game, x, 10_000, 0, features=features)
    assert cosine(found, game.solve(x).gradient) > 0.98


def test_values_on_the_building_are_those_of_the_riccati_equations(exact_values: Any) -> None:
    game = building()
    seen = collect(game, MIDDLE, game.solve(MIDDLE), steps=10_000, rng=0)
    found = LstdModel(seen, ActionSpec.of(game.follower_action_space), "quadratic", 1, np.random.default_rng(0))
    follower = found.player(
        seen.follower_reward + game.temperature * found.behaviour.entropy, game.follower_discount, horizon=None
    )
    cost = exact_values(game, MIDDLE).solution.best.cost_to_go
    exact = -np.einsum("ni,ij,nj->n", seen.next_state, cost, seen.next_state)
    learned = follower.of_next(seen.next_state)
    assert np.std(learned - exact) < 0.01 * np.std(exact)
    # The level: the entropy and the noise earn lambda H and pay for themselves for ever.
    policy = game.solve(MIDDLE).policy
    entropy = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * policy.covariance)[1]
    assert found.behaviour.entropy[0] == pytest.approx(entropy, abs=0.05)


def test_cosine_rises_with_the_sample_on_the_plane() -> None:
    game, x = wide_lqr(), np.array([[-1.0, -2.0]])
    truth = game.solve(x).gradient
    few, many = (
        np.median([cosine(estimate(game, x, steps, seed, features="local")[0], truth) for seed in range(3)])
        for steps in (400, 4_000)
    )
    assert few < many
    assert many > 0.95


def test_leader_values_on_the_lqr_end_with_the_horizon(exact_values: Any) -> None:
    game = se.make_game("stackelberg/BilevelLqr-v0")
    x = np.array([[-9.683, -10.25]])
    seen = collect(game, x, game.solve(x), steps=10_000, rng=0)
    found = LstdModel(seen, ActionSpec.of(game.follower_action_space), "local", 1, np.random.default_rng(0))
    learned = found.player(seen.leader_reward, game.leader_discount, horizon=game.horizon)
    exact = exact_values(game, x).steps(seen, steps_left(seen, game.horizon))
    assert np.corrcoef(learned.advantage, exact.advantage)[0, 1] > 0.9
    assert learned.of_next(seen.next_state)[seen.offsets[1:] - 1] == pytest.approx(0.0, abs=1e-12)


def test_play_that_is_not_finite_gives_no_step_and_says_so() -> None:
    game = building()
    seen = collect(game, MIDDLE, game.solve(MIDDLE), steps=1_000, rng=0)
    broken = replace(seen, next_state=np.full_like(seen.next_state, np.nan))
    brief = make_brief(game, Information.REWARDS_OBSERVED)
    found = make_vector_estimator(brief, "lstd", "quadratic", "mean", Rule(), np.random.default_rng(0)).gradient(broken)
    assert not found[0].any()
    assert found[1] == {"skipped": 1.0}


@pytest.mark.parametrize(("name", "value"), [("critic", "expected_sarsa"), ("trace", "long")])
def test_unknown_options_are_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ArgumentError, match=f"{name}: expected one of .* got '{value}'"):
        estimate(building(), MIDDLE, 200, 0, **{name: value})
    with pytest.raises(UnknownNameError, match="features"):
        make_features("cubic", np.zeros((3, 2)), 1, np.random.default_rng(0))


def test_whitening_makes_rows_uncorrelated_and_drops_copies() -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((500, 3)) @ rng.standard_normal((3, 3)) + 5.0
    rows = np.column_stack([rows, rows[:, 0] - 2.0 * rows[:, 1], np.full(500, 7.0)])
    z = Whitening.of(rows)(rows)
    np.testing.assert_allclose(z.T @ z / 500, np.diag([1.0, 1.0, 1.0, 0.0, 0.0]), atol=1e-9)


@pytest.mark.parametrize("name", [name for name in FEATURES if name != "network"])
def test_contexts_have_blocks_of_their_own(name: str) -> None:
    states = np.random.default_rng(0).standard_normal((50, 2))
    features = make_features(name, states, 2, np.random.default_rng(1))
    first, second = (features(states, np.full(50, k, dtype=np.int32)) for k in (0, 1))
    half = first.shape[1] // 2
    np.testing.assert_array_equal(first[:, :half], second[:, half:])
    assert not first[:, half:].any()


def test_regression_recovers_a_quadratic_of_nearly_collinear_rows() -> None:
    rng = np.random.default_rng(0)
    first = rng.standard_normal(400)
    rows = np.column_stack([first, 2.0 * first + 1e-3 * rng.standard_normal(400)])
    targets = (rows[:, :1] ** 2 - 3.0 * rows[:, :1] * rows[:, 1:]) + rows[:, 1:]
    fitted = Regression.of(rows, targets)
    np.testing.assert_allclose(fitted(rows + 0.1), _target(rows + 0.1), rtol=1e-6, atol=1e-6)


def _target(rows: Array) -> Array:
    return np.asarray(rows[:, :1] ** 2 - 3.0 * rows[:, :1] * rows[:, 1:] + rows[:, 1:])


def test_columns_of_zeros_get_no_weight() -> None:
    columns = np.column_stack([np.ones(10), np.zeros(10)])
    np.testing.assert_allclose(LeastSquares(columns).solve(np.full(10, 3.0)), [3.0, 0.0])


@pytest.mark.parametrize(("size", "squares"), [(1, False), (2, False), (2, True), (4, True)])
def test_nodes_have_the_moments_of_the_normal_distribution(size: int, squares: bool) -> None:
    nodes, shares = gaussian_nodes(size, squares)
    np.testing.assert_allclose(shares @ quadratic_features(nodes)[:, : 1 + size], [1.0] + [0.0] * size, atol=1e-12)
    np.testing.assert_allclose((nodes * shares[:, None]).T @ nodes, np.eye(size), atol=1e-12)


def test_behaviour_of_boxes_is_the_followers() -> None:
    game = building()
    solution = game.solve(MIDDLE)
    seen = collect(game, MIDDLE, solution, steps=10_000, rng=0)
    behaviour = GaussianBehaviour(seen.samples, linear=True)
    np.testing.assert_allclose(behaviour.covariance, solution.policy.covariance, rtol=0.1, atol=0.002)
    given, _ = behaviour.means(seen.follower_action, behaviour.action_nodes, [])
    mean = solution.policy.mean(seen.state, seen.leader_action)
    assert np.abs(given - mean).mean() < 0.01


def test_discrete_actions_are_encoded_without_a_reference_column() -> None:
    coded = encode(np.array([[0, 2], [1, 0]]), ActionSpec(counts=(2, 3)))
    np.testing.assert_array_equal(coded, [[0, 0, 1], [1, 0, 0]])
