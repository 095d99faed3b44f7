"""The solution of a tabular game: reference arrays, combined games, extremes."""

import json
from pathlib import Path

import numpy as np
import pytest

from stackelberg_envs.envs import four_rooms_v0
from stackelberg_envs.games.commitments.incentives import Incentive
from stackelberg_envs.games.commitments.policy_table import PolicyTable
from stackelberg_envs.games.contexts import combine
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.solvers.soft import linear
from stackelberg_envs.solvers.solving import solve

REFERENCE = json.loads((Path(__file__).parents[3] / "data" / "tabular_games.json").read_text())["games"]


def reference_game(entry, **changes):
    arguments = {
        "transition": entry["transition"],
        "leader_reward": entry["leader_reward"],
        "follower_reward": entry["follower_reward"],
        "initial": entry["initial"],
        "terminal": entry["terminal"],
        "leader_discount": entry["gamma_leader"],
        "follower_discount": entry["gamma_follower"],
        "temperature": entry["temperature"],
        "commitment": PolicyTable(*np.shape(entry["leader_policy"])),
    }
    return TabularGame(**(arguments | changes))


def as_lists(kernel):
    """The same kernel as successor lists in reversed order, each successor named twice."""
    kernel = np.asarray(kernel)
    S = kernel.shape[-1]
    order = np.tile(np.arange(S)[::-1], 2)
    successors = np.broadcast_to(order, (*kernel.shape[:-1], 2 * S))
    return Transition.from_lists(successors, 0.5 * kernel[..., order])


def assert_equals_reference(solution, expected, transition_axis=None):
    cotangents = solution.cotangents
    found = {
        "leader_value": solution.leader_value,
        "follower_q": solution.follower_q,
        "follower_policy": solution.response,
        "dJ_dfollower_reward": cotangents.follower_reward,
        "dJ_dleader_reward": cotangents.leader_reward,
        "dJ_dleader_policy": cotangents.leader_policy,
        "dJ_dtransition": cotangents.transition,
    }
    for name, value in found.items():
        target = np.asarray(expected[name])
        if transition_axis is not None and name == "dJ_dtransition":
            target = target[..., transition_axis]
        np.testing.assert_allclose(value, target, rtol=0, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("entry", REFERENCE, ids=lambda entry: entry["name"])
def test_every_reference_array_is_reproduced_from_dense_kernels(entry):
    assert_equals_reference(solve(reference_game(entry), entry["leader_policy"]), entry["expected"])


@pytest.mark.parametrize("entry", REFERENCE, ids=lambda entry: entry["name"])
def test_every_reference_array_is_reproduced_from_successor_lists(entry):
    game = reference_game(entry, transition=as_lists(entry["transition"]))
    S = game.shape[0]
    axis = np.tile(np.arange(S)[::-1], 2)
    assert_equals_reference(solve(game, entry["leader_policy"]), entry["expected"], axis)


@pytest.mark.parametrize("entry", REFERENCE, ids=lambda entry: entry["name"])
@pytest.mark.parametrize("limit", [0, 10**6])
def test_every_reference_array_is_reproduced_by_both_linear_solvers(entry, limit, monkeypatch):
    monkeypatch.setattr(linear, "choose", lambda *_: "dense" if limit else "krylov")
    assert_equals_reference(solve(reference_game(entry), entry["leader_policy"]), entry["expected"])


@pytest.mark.parametrize("entry", REFERENCE, ids=lambda entry: entry["name"])
def test_two_contexts_of_the_same_game_share_its_cotangents_by_probability(entry):
    game = combine([reference_game(entry), reference_game(entry)], [0.3, 0.7])
    solution = solve(game, entry["leader_policy"])
    expected = entry["expected"]
    assert solution.leader_value == pytest.approx(expected["leader_value"], abs=1e-8)
    for k, weight in enumerate((0.3, 0.7)):
        found = solution.cotangents.transition[k]
        np.testing.assert_allclose(found, weight * np.array(expected["dJ_dtransition"]), atol=1e-8)
        found = solution.cotangents.follower_reward[k]
        np.testing.assert_allclose(found, weight * np.array(expected["dJ_dfollower_reward"]), atol=1e-8)


class Sizes:
    """Arrays of one random game; S, A, B, K vary with the seed."""

    def __init__(self, seed, K=1, A=None):
        self.rng = np.random.default_rng(seed)
        self.S, self.B, self.K = int(self.rng.integers(3, 6)), int(self.rng.integers(2, 4)), K
        self.A = int(self.rng.integers(1, 4)) if A is None else A
        self.lead = (K,) if K > 1 else ()
        self.full = (*self.lead, self.S, self.A, self.B)

    def kernels(self, *lead):
        S, A, B = self.S, self.A, self.B
        return self.rng.dirichlet(np.full(S, 0.5), size=(*lead, S, A, B))

    def terminal(self, wanted):
        terminal = np.zeros((*self.lead, self.S))
        if wanted:
            terminal[..., -1] = 1
            if self.K > 1:  # not the same state in every context
                terminal[0] = np.roll(terminal[0], 1)
        return terminal

    def game(self, commitment, terminal, **changes):
        rng = self.rng
        arguments = {
            "transition": self.kernels(*self.lead),
            "leader_reward": rng.standard_normal(self.full),
            "follower_reward": rng.standard_normal(self.full),
            "initial": rng.dirichlet(np.ones(self.S), size=self.lead),
            "terminal": self.terminal(terminal),
            "leader_policy": rng.dirichlet(np.ones(self.A), size=self.S),
            "leader_discount": float(rng.choice([0.0, 0.5, 0.9, 0.97])),
            "follower_discount": float(rng.choice([0.3, 0.8, 0.95])),
            "temperature": float(rng.uniform(0.2, 1.0)),
            "context_probabilities": rng.dirichlet(np.ones(self.K)) if self.K > 1 else None,
            "commitment": commitment,
        }
        return TabularGame(**(arguments | changes))


def policy(z):
    return PolicyTable(z.S, z.A)


@pytest.mark.parametrize("K", [2, 3])
@pytest.mark.parametrize("lists", [False, True])
def test_a_combined_game_is_the_mean_of_its_contexts(K, lists):
    z = Sizes(40 + K, 1, 2)
    commitment = Incentive(-1, 1, (z.S, z.A, z.B))
    shared = {
        "leader_discount": 0.9,
        "follower_discount": 0.8,
        "temperature": 0.3,
        "leader_policy": np.full((z.S, 2), 0.5),
    }
    kernel = as_lists if lists else np.asarray
    games = [z.game(commitment, True, transition=kernel(z.kernels()), **shared) for _ in range(K)]
    weights = z.rng.dirichlet(np.ones(K))
    combined = combine(games, weights)
    x = z.rng.uniform(-1, 1, commitment.shape)
    parts = [solve(game, x) for game in games]
    whole = solve(combined, x)
    mean = sum(w * part.leader_value for w, part in zip(weights, parts, strict=True))
    assert whole.leader_value == pytest.approx(mean, abs=1e-10)
    gradient = sum(w * part.gradient for w, part in zip(weights, parts, strict=True))
    np.testing.assert_allclose(whole.gradient, gradient, atol=1e-9)
    for k, part in enumerate(parts):
        np.testing.assert_allclose(whole.response[k], part.response, atol=1e-9)
        np.testing.assert_allclose(whole.occupancy[k], weights[k] * part.occupancy, atol=1e-10)
        expected = weights[k] * part.cotangents.transition
        np.testing.assert_allclose(whole.cotangents.transition[k], expected, atol=1e-9)


def test_one_context_with_its_axis_equals_the_game_without():
    z = Sizes(3, 1, 2)
    plain = z.game(PolicyTable(z.S, 2), True)
    axis = plain.replace(
        context_probabilities=[1.0],
        leader_reward=plain.leader_reward[None],
        follower_reward=plain.follower_reward[None],
    )
    x = np.full((z.S, 2), 0.5)
    assert solve(axis, x).response.shape == (1, *plain.shape)
    np.testing.assert_allclose(solve(axis, x).gradient, solve(plain, x).gradient, rtol=1e-12)


@pytest.mark.parametrize("temperature", [1e-3, 0.1, 10.0])
@pytest.mark.parametrize("discount", [0.0, 0.9, 0.999])
def test_extreme_temperatures_and_discounts_stay_finite(temperature, discount):
    z = Sizes(11, 2, 2)
    game = z.game(policy(z), True, temperature=temperature, leader_discount=discount, follower_discount=discount)
    solution = solve(game, np.full((z.S, 2), 0.5))
    cotangents = solution.cotangents
    for array in (cotangents.follower_reward, cotangents.leader_policy, cotangents.transition):
        assert np.isfinite(array).all()
    np.testing.assert_allclose(solution.response.sum(axis=-1), 1.0, rtol=1e-14)


def test_adding_a_constant_to_the_follower_reward_changes_nothing():
    z = Sizes(12, 1, 2)
    game = z.game(policy(z), False)
    x = np.full((z.S, 2), 0.5)
    moved = game.replace(follower_reward=game.follower_reward + 3.0)
    np.testing.assert_allclose(solve(moved, x).response, solve(game, x).response, atol=1e-10)
    assert solve(game, x).cotangents.follower_reward.sum() == pytest.approx(0.0, abs=1e-9)


def test_solve_leaves_its_arguments_alone_and_takes_float32():
    game = four_rooms_v0.make_game()
    x = np.full(104, -0.01, dtype=np.float32)
    before = x.copy()
    solution = solve(game, x)
    assert (x == before).all()
    assert solution.x.dtype == np.float64
    assert solution.leader_value == pytest.approx(solve(game, x.astype(float)).leader_value, rel=1e-12)
