"""Values from present and past play, for leaders that commit to their policy alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.estimators.replay import own_policy
from agents.estimators.vector import ReplayEstimator, Rule
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from agents.runs.collection import collect
from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError

LQR = "stackelberg/BilevelLqr-v1"
of_seeds = pytest.mark.parametrize("seeds", [range(3), pytest.param(range(5), marks=pytest.mark.deep)], ids=len)


def estimator(game: Any, **options: Any) -> ReplayEstimator:
    settings = {
        "critic": "fitted",
        "features": "local",
        "trace": "expected",
        "rule": Rule(),
        "replay": 4_000,
        **options,
    }
    return ReplayEstimator(make_brief(game, Information.REWARDS_OBSERVED), **settings, rng=np.random.default_rng(0))


def after_past_play(game: Any, x: Array, seed: int, **options: Any) -> Array:
    """Return the estimate at x of an estimator that saw ten commitments on a way that ends there, 400 steps each."""
    made, rng = estimator(game, **options), np.random.default_rng(seed)
    for k in range(10, 0, -1):
        y = x + 0.06 * k + 0.1 * rng.standard_normal(x.shape)
        made.gradient(collect(game, y, game.solve(y), steps=400, rng=100 * seed + k))
    found, told = made.gradient(collect(game, x, game.solve(x), steps=400, rng=1_000 + seed))
    assert told["skipped"] == 0.0
    return found


def test_the_follower_values_are_those_of_the_riccati_equation(exact_values: Any) -> None:
    game, x = se.make_game(LQR), np.array([[-5.0, -5.0]])
    made = estimator(game)
    for k in (2, 1, 0):
        seen = collect(game, x + 0.3 * k, game.solve(x + 0.3 * k), steps=2_000, rng=k)
        found = made.step_model(seen)
    rewards = found.follower_reward + game.temperature * found.behaviour.entropy
    learned = found.player(rewards, game.follower_discount).of_next(seen.next_state)
    cost = exact_values(game, x).solution.best.cost_to_go
    exact = -np.einsum("ni,ij,nj->n", seen.next_state, cost, seen.next_state)
    assert np.std(learned - exact) < 0.02 * np.std(exact)


# Where the published curve stays; both entries of the gradient matter, though one is 80 to 700 times the other.
@pytest.mark.parametrize(
    "x", [(-9.5, -9.0), *(pytest.param(x, marks=pytest.mark.deep) for x in ((0.0, 0.0), (-1.0, -2.0)))], ids=str
)
def test_past_play_shows_the_slope_that_present_play_does_not(x: tuple[float, float]) -> None:
    game, K = se.make_game(LQR), np.array([x])
    truth = game.solve(K).gradient
    found = np.array([after_past_play(game, K, seed) for seed in range(5)])
    assert (np.abs(np.median(found, axis=0) - truth) < 0.4 * np.abs(truth)).all()


@pytest.mark.deep
@of_seeds
def test_leader_actions_earn_nothing_where_rewards_depend_on_states(seeds: range) -> None:
    # What features leave unexplained, laid to the leader's action, made this entry vary by 0.012.
    game, K = se.make_game(LQR), np.array([[-5.0, -5.0]])
    found = np.array([after_past_play(game, K, seed, rule=Rule(with_response=False)) for seed in seeds])
    assert np.abs(found[:, 0, 1]).max() < 0.005


@of_seeds
def test_naive_estimates_the_direct_term(seeds: range) -> None:
    game, K = se.make_game(LQR), np.array([[-9.5, -9.0]])
    exact = game.solve(K)
    found = np.median([after_past_play(game, K, s, rule=Rule(with_response=False)) for s in seeds], axis=0)
    # The second entry is five times as large with the follower's response.
    assert np.abs(found - exact.direct_gradient)[0, 1] < 0.3 * np.abs(exact.response_gradient[0, 1])
    assert found[0, 0] == pytest.approx(exact.direct_gradient[0, 0], rel=0.2)


@pytest.mark.parametrize("name", ["stackelberg/BuildingThermal-v1", "stackelberg/TaxDesign-v0"])
def test_commitments_that_change_the_game_are_refused(name: str) -> None:
    with pytest.raises(ArgumentError, match="'fitted' is for commitments that change the leader's policy only"):
        estimator(se.make_game(name))
    with pytest.raises(ArgumentError, match="replay: expected an integer of at least 0, got -1"):
        estimator(se.make_game(LQR), replay=-1)


@pytest.mark.parametrize("leader", ["bchg", "naive", "hpgd"])
def test_leaders_run_with_it_and_go_on_with_the_same_bits(leader: str, tmp_path: Any) -> None:
    def stop(state: Any) -> None:
        if state.update == 2:
            raise KeyboardInterrupt

    options = {"critic": "fitted", "features": "local", "replay": 800}
    settings = {"leader": leader, "updates": 4, "steps_per_update": 400, "evaluate_every": 0, "leader_options": options}
    whole = agents.run(LQR, **settings)
    agents.run(LQR, output=tmp_path / "run", checkpoint_every=1, progress=stop, **settings)
    resumed = agents.run(resume=tmp_path / "run")
    np.testing.assert_array_equal(whole.commitment, resumed.commitment)
    assert np.abs(whole.commitment).max() > 0


def test_ends_stop_values() -> None:
    # The same play, once with its end a terminal state: the last step's value loses what follows.
    game, x = se.make_game(LQR), np.array([[-9.5, -9.0]])
    seen = collect(game, x, game.solve(x), steps=400, rng=0)
    ended = replace(seen, terminated=np.ones_like(seen.terminated))
    values = []
    for play in (seen, ended):
        found = estimator(game).step_model(play)
        values.append(found.player(found.leader_reward, 0.9).of_next(play.next_state))
    last = seen.offsets[1:] - 1
    assert (values[1][last] == 0.0).all()
    assert np.abs(values[0][last]).max() > 0


@pytest.mark.parametrize("x", [(-9.9, -9.5), (-9.0, -10.0)], ids=str)
def test_past_play_under_any_commitments_does_not_blow_the_estimate_up(x: tuple[float, float]) -> None:
    # Some of them hold nothing, so that states leave for far away, and few were anywhere near the ridge.
    game, K = se.make_game(LQR), np.array([x])
    truth = game.solve(K).gradient
    for seed in range(2):
        made, rng = estimator(game), np.random.default_rng(seed)
        for _ in range(20):
            y = rng.uniform(game.commitment.low, game.commitment.high)
            past = collect(game, y, game.solve(y), steps=200, rng=rng)
            made._replay.add(past, own_policy(game.commitment, y, past.samples))
        found, _ = made.gradient(collect(game, K, game.solve(K), steps=200, rng=rng))
        assert (found * truth).sum() > 0.95 * np.linalg.norm(found) * np.linalg.norm(truth)
        assert np.linalg.norm(found) < 5.0 * np.linalg.norm(truth)
