"""Solves straight from the lists, against those with a matrix; small games are treated as if they were large."""

import numba
import numpy as np
import pytest

from stackelberg_envs import jit
from stackelberg_envs.envs import random_tabular_v1
from stackelberg_envs.solvers.soft import krylov, linear
from stackelberg_envs.solvers.soft.streaming import Products, minimal_residual
from stackelberg_envs.solvers.solving import solve


@pytest.fixture
def as_if_large(monkeypatch):
    monkeypatch.setattr(jit, "WORTH_PARTS", 0)
    monkeypatch.setattr(krylov, "STREAMED", 0)
    monkeypatch.setattr(linear, "choose", lambda *_: "krylov")


def game(**arguments):
    return random_tabular_v1.make_game(S=60, A=2, B=3, K=2, terminal=1, commitment="policy", **arguments)


def given(seed=4):
    rng = np.random.default_rng(seed)
    parts = game(seed=seed).primitives(rng.dirichlet(np.ones(2), size=60))
    return parts, parts.joint_policy(rng.dirichlet(np.ones(3), size=(120, 2))), rng.standard_normal(120)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-15), (np.float32, 1e-6)])
def test_products_are_those_of_the_matrix(as_if_large, dtype, tolerance):
    parts, joint, vector = given()
    matrix = 0.9 * krylov.policy_matrix(joint, parts.transition, parts.continuing)
    products = Products(joint, parts.transition, parts.continuing, 0.9)
    for found, expected in [(products.ahead, matrix @ vector), (products.back, matrix.T @ vector)]:
        made = found(vector.astype(dtype))
        assert made.dtype == dtype
        np.testing.assert_allclose(made, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("reduction", [1e-2, 1e-5])
def test_minimal_residual_reduces_as_asked_and_no_more(as_if_large, reduction):
    parts, joint, vector = given()
    products, calls = Products(joint, parts.transition, parts.continuing, 0.9), []

    def product(v):
        calls.append(v)
        return products.ahead(v)

    found = minimal_residual(product, vector, reduction)
    left = np.linalg.norm(vector - (found - products.ahead(found))) / np.linalg.norm(vector)
    assert 0.01 * reduction < left < 1.5 * reduction
    assert len(calls) < 20


def test_a_game_is_solved_as_with_a_matrix(as_if_large, monkeypatch):
    x = np.random.default_rng(3).dirichlet(np.ones(2), size=60)
    found = solve(game(), x)
    found.gradient  # noqa: B018 (solved now, as if the game were large)
    monkeypatch.undo()
    expected = solve(game(), x)
    assert found.leader_value == pytest.approx(expected.leader_value, rel=1e-12)
    np.testing.assert_allclose(found.response, expected.response, atol=2e-10)
    scale = np.abs(expected.gradient).max()
    np.testing.assert_allclose(found.gradient, expected.gradient, rtol=0, atol=1e-9 * scale)


def test_no_digit_depends_on_the_number_of_threads(as_if_large, monkeypatch):
    x, gradients = np.full((60, 2), 0.5), []
    for threads in (1, 2, 7):
        monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", threads)
        gradients.append(solve(game(), x).gradient.tobytes())
    assert gradients[0] == gradients[1] == gradients[2]


def test_where_single_precision_stalls_another_method_goes_on(as_if_large, monkeypatch):
    calls = []

    def useless(product, rhs, reduction):
        calls.append(reduction)
        return np.zeros_like(rhs)

    monkeypatch.setattr(krylov, "minimal_residual", useless)
    parts, joint, rhs = given()
    system = linear.resolvent(parts.leader_process, joint)
    matrix = np.eye(120) - parts.leader_discount * krylov.policy_matrix(joint, parts.transition, parts.continuing)
    for _ in range(2):
        np.testing.assert_allclose(matrix @ system.solve(rhs, 1e-12), rhs, atol=1e-11)
        np.testing.assert_allclose(matrix.T @ system.solve_transposed(rhs, 1e-12), rhs, atol=1e-11)
    assert len(calls) == 1


def test_lists_that_are_mostly_padding_are_written_down(as_if_large):
    parts, joint, _ = given()
    assert krylov.Krylov(joint, parts.transition, parts.continuing, 0.9)._products is not None
    lists = parts.transition
    padded = type(lists)(
        np.concatenate([lists.successors, np.zeros((*joint.shape, 8), np.int32)], axis=-1),
        np.concatenate([lists.probabilities, np.zeros((*joint.shape, 8))], axis=-1),
    )
    assert krylov.Krylov(joint, padded, parts.continuing, 0.9)._products is None
