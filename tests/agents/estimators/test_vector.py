"""Estimators on games of vectors: against the exact hypergradient, with exact values and with learned ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import stackelberg_envs as se
from agents.estimators import step_coefficients
from agents.estimators.step_model import steps_left
from agents.estimators.vector import Rule, make_vector_estimator
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from agents.runs.collection import collect
from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.linear_forms import BumpReward

MIDDLE = np.full(8, 0.5)


def cosine(one: Array, other: Array) -> float:
    return float((one * other).sum() / (np.linalg.norm(one) * np.linalg.norm(other)))


def building(**changes: Any) -> Any:
    return se.make_game("stackelberg/BuildingThermal-v1", **changes)


def calm_building() -> Any:
    """Return the building near its set point at a high temperature: there the published estimator's noise is small."""
    game = building(temperature=1.0)
    return game.replace(numbers=replace(game.numbers, initial_covariance=0.01 * np.eye(4)))


def estimate(game: Any, x: Array, steps: int, seed: int, **options: Any) -> tuple[Array, dict[str, float]]:
    seen = collect(game, x, game.solve(x), steps=steps, rng=seed)
    settings = {"critic": "lstd", "features": "quadratic", "trace": "expected", "rule": Rule(), **options}
    brief = make_brief(game, Information.REWARDS_OBSERVED)
    return make_vector_estimator(brief, **settings, rng=np.random.default_rng(0)).gradient(seen)


def wide_lqr() -> Any:
    """Return the plane with a wide bump and a strong follower: there its response is a large part of the gradient."""
    game = se.make_game("stackelberg/BilevelLqr-v1", horizon=40, follower_discount=0.9, leader_noise=0.05)
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


def test_expected_traces_are_much_less_noisy_than_sampled_ones() -> None:
    game = building()
    truth = game.solve(MIDDLE).gradient
    errors = {
        trace: np.linalg.norm(estimate(game, MIDDLE, 10_000, 0, trace=trace)[0] - truth)
        for trace in ("expected", "sampled")
    }
    assert errors["expected"] < 0.5 * np.linalg.norm(truth)
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


def test_cosine_rises_with_the_sample_on_the_plane() -> None:
    game, x = wide_lqr(), np.array([[-1.0, -2.0]])
    truth = game.solve(x).gradient
    few, many = (
        np.median([cosine(estimate(game, x, steps, seed, features="local")[0], truth) for seed in range(3)])
        for steps in (400, 4_000)
    )
    assert few < many
    assert many > 0.95


def test_play_that_is_not_finite_gives_no_step_and_says_so() -> None:
    game = building()
    seen = collect(game, MIDDLE, game.solve(MIDDLE), steps=1_000, rng=0)
    broken = replace(seen, next_state=np.full_like(seen.next_state, np.nan))
    brief = make_brief(game, Information.REWARDS_OBSERVED)
    made = make_vector_estimator(brief, "lstd", "quadratic", "expected", Rule(), np.random.default_rng(0))
    found = made.gradient(broken)
    assert not found[0].any()
    assert found[1] == {"skipped": 1.0}


@pytest.mark.parametrize(("name", "value"), [("critic", "expected_sarsa"), ("trace", "long")])
def test_unknown_options_are_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ArgumentError, match=f"{name}: expected one of .* got '{value}'"):
        estimate(building(), MIDDLE, 200, 0, **{name: value})


@pytest.mark.parametrize("leader", ["bchg", "naive", "hpgd"])
@pytest.mark.parametrize("policy", ["linear", "mlp"])
def test_clipped_policies_have_gradients_by_default(leader, policy):
    import agents

    arguments = {"policy": policy}
    record = agents.run(
        "stackelberg/GuidedPendulum-v0", leader=leader, steps=2_000, evaluate_every=0, game_arguments=arguments
    )
    assert record.status == "finished"
