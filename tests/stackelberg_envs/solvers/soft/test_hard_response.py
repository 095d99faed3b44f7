"""The hard best response: the best of all policies, and ties."""

import itertools

import numpy as np
import pytest

from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.commitments.policy_table import PolicyTable
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.solvers.responses import hard_best_response
from stackelberg_envs.solvers.soft import leader_value, linear
from tests.stackelberg_envs.solvers.soft.small_games import one_state, primitives


def deterministic_policies(Z, A, B):
    for choice in itertools.product(range(B), repeat=Z * A):
        yield np.eye(B)[np.reshape(choice, (Z, A))]


def follower_values(game, policy):
    """Follower's values of a policy, no entropy, by one dense solve."""
    joint = game.leader_policy[:, :, None] * policy
    kernel = np.einsum("sab,sabt->st", joint, game.believed_transition.to_dense())
    matrix = np.eye(len(kernel)) - game.follower_discount * game.continuing[:, None] * kernel
    return np.linalg.solve(matrix, (joint * game.follower_reward).sum(axis=(1, 2)))


def brute_force(game, sign):
    """Best leader value, times sign, among the follower's optimal deterministic policies."""
    policies = list(deterministic_policies(*game.follower_reward.shape))
    values = np.array([follower_values(game, policy) for policy in policies])
    best = values.max(axis=0)
    optimal = [p for p, v in zip(policies, values, strict=True) if (v >= best - 1e-9).all()]
    return best, max(sign * leader_value(game, policy) for policy in optimal), len(optimal)


@pytest.mark.parametrize("seed", range(6))
def test_hard_response_is_the_best_of_all_policies(seed):
    game = primitives(seed, S=3, A=2, B=2, terminal=seed % 2)
    best = hard_best_response(game)
    expected, value, ties = brute_force(game, 1.0)
    np.testing.assert_allclose(best.state_values, expected, atol=1e-9)
    if ties == 1:
        assert leader_value(game, best.policy) == pytest.approx(value, abs=1e-9)
    assert set(np.unique(best.policy)) == {0.0, 1.0}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("tie_break", "sign"), [("optimistic", 1.0), ("pessimistic", -1.0)])
@pytest.mark.parametrize("limit", [0, 10**6], ids=["krylov", "dense"])
def test_ties_go_for_or_against_the_leader(seed, tie_break, sign, limit, monkeypatch):
    monkeypatch.setattr(linear, "choose", lambda *_: "dense" if limit else "krylov")
    rng = np.random.default_rng(seed)
    game = TabularGame(
        transition=np.eye(3)[rng.integers(3, size=(3, 2, 2))],
        leader_reward=rng.integers(-1, 2, size=(3, 2, 2)),
        follower_reward=rng.integers(0, 2, size=(3, 2, 2)),
        initial=np.full(3, 1 / 3),
        leader_discount=0.9,
        follower_discount=0.5,
        temperature=1.0,
        commitment=PolicyTable(3, 2),
    ).primitives(np.full((3, 2), 0.5))
    _, value, ties = brute_force(game, sign)
    found = leader_value(game, hard_best_response(game, tie_break=tie_break).policy)
    assert ties > 1 or seed not in (0, 1)  # the instances are not all without ties
    assert sign * found == pytest.approx(value, abs=1e-8)


@pytest.mark.parametrize(("tie_break", "leader"), [("optimistic", 2.0), ("pessimistic", -1.0)])
def test_a_follower_without_preference_decides_by_the_rule(tie_break, leader):
    game = one_state([1.0, 1.0, 0.0, 1.0], [0.0, 2.0, 9.0, -1.0])
    best = hard_best_response(game, tie_break=tie_break)
    assert leader_value(game, best.policy) == pytest.approx(leader / 0.1)
    assert best.state_values[0] == pytest.approx(10.0)


def test_values_equal_up_to_rounding_are_ties():
    assert 0.1 + 0.2 > 0.3
    game = one_state([0.1 + 0.2, 0.3], [0.0, 1.0], discount=0.0)
    assert leader_value(game, hard_best_response(game).policy) == 1.0
    assert leader_value(game, hard_best_response(game, tie_break="pessimistic").policy) == 0.0


@pytest.mark.parametrize("discount", [0.9, 0.999])
@pytest.mark.parametrize("limit", [0, 10**6], ids=["krylov", "dense"])
def test_breaking_ties_never_cycles_between_equals(discount, limit, monkeypatch):
    monkeypatch.setattr(linear, "choose", lambda *_: "dense" if limit else "krylov")
    rng = np.random.default_rng(3)
    S = 40
    game = TabularGame(
        transition=np.eye(S)[rng.integers(S, size=(S, 1, 4))],
        leader_reward=np.full((S, 1, 4), 1 / 3),
        follower_reward=np.zeros((S, 1, 4)),
        initial=np.full(S, 1 / S),
        leader_discount=discount,
        follower_discount=discount,
        temperature=1.0,
        commitment=PolicyTable(S, 1),
    ).primitives(np.ones((S, 1)))
    for rule in ("optimistic", "pessimistic"):
        best = hard_best_response(game, tie_break=rule)
        assert leader_value(game, best.policy) == pytest.approx(1 / 3 / (1 - discount))


def test_unknown_tie_rule_is_refused():
    with pytest.raises(ArgumentError, match=r"tie_break: expected 'optimistic' or 'pessimistic', got 'lucky'"):
        hard_best_response(primitives(), tie_break="lucky")
