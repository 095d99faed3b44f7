"""Solves straight from the lists, against those with a matrix; small games are treated as if they were large."""

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest

from stackelberg_envs import jit
from stackelberg_envs.envs import random_tabular_v1
from stackelberg_envs.errors import ConvergenceError
from stackelberg_envs.games.transitions import Transition
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


@pytest.mark.parametrize("large", [True, False])
def test_solves_for_another_policy_or_discount_are_those_made_anew(as_if_large, monkeypatch, large):
    if not large:
        monkeypatch.setattr(krylov, "STREAMED", 1 << 40)
    parts, joint, vector = given()
    other = parts.joint_policy(np.random.default_rng(9).dirichlet(np.ones(3), size=(120, 2)))
    lists = parts.transition, parts.continuing
    first = krylov.Krylov(joint, *lists, 0.9)
    before = first.solve(vector, 1e-12)
    beside = first.discounted(0.5)
    cases = (lambda: first, joint, 0.9), (lambda: beside, joint, 0.5), (lambda: first.rewritten(other), other, 0.9)
    for make, policy, discount in cases:
        made = make()
        matrix = np.eye(120) - discount * krylov.policy_matrix(policy, *lists).toarray()
        np.testing.assert_allclose(made.solve(vector, 1e-12), np.linalg.solve(matrix, vector), rtol=0, atol=1e-10)
        found = made.solve_transposed(vector, 1e-11)
        np.testing.assert_allclose(found, np.linalg.solve(matrix.T, vector), rtol=0, atol=1e-10)
        assert made.costly is not large
    assert np.abs(before).max() > 1.0


def test_a_response_of_many_states_rewrites_what_it_has(as_if_large, monkeypatch):
    """Policies are written anew into one array, and the gradient shares the leader's; so memory is that of two."""
    made = []
    monkeypatch.setattr(krylov, "Products", lambda *given: made.append(Products(*given)) or made[-1])
    small = game(seed=3)
    x = np.full((60, 2), 0.5)
    found = solve(small, x, tolerance=1e-8)
    assert np.abs(found.gradient).max() > 0.0
    assert len(made) == 2
    monkeypatch.undo()
    np.testing.assert_allclose(found.gradient, solve(small, x).gradient, rtol=0, atol=1e-11)


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


def lists_of(kind, Z):
    """Where states lead: anywhere, mostly on around a ring, or hardly ever out of one half."""
    rng = np.random.default_rng(7)
    if kind == "random":
        return rng.integers(0, Z, (Z, 2, 2, 3)), rng.dirichlet(np.ones(3), (Z, 2, 2))
    if kind == "ring":
        around = (np.arange(Z)[:, None, None, None] + np.arange(3) - 1) % Z
        return np.broadcast_to(around, (Z, 2, 2, 3)), rng.dirichlet([0.02, 0.02, 5.0], (Z, 2, 2))
    half = Z // 2
    within = rng.integers(0, half, (Z, 2, 2, 3)) + half * (np.arange(Z) // half)[:, None, None, None]
    within[..., 0] = (within[..., 0] + half) % Z
    return within, rng.dirichlet([1e-5, 1.0, 1.0], (Z, 2, 2))


@pytest.mark.parametrize("kind", ["random", "ring", "halves"])
@pytest.mark.parametrize("discount", [0.9, 0.999, 0.999999])
def test_errors_are_within_the_bound_that_the_tolerance_promises(as_if_large, monkeypatch, kind, discount):
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 1)  # quicker for so few states
    rng, Z = np.random.default_rng(5), 200
    successors, probabilities = lists_of(kind, Z)
    transition, ones = Transition(successors.astype(np.int32), probabilities), np.ones(Z)
    joint = rng.dirichlet(np.full(4, 0.3), Z).reshape(Z, 2, 2)
    matrix = np.eye(Z) - discount * krylov.policy_matrix(joint, transition, ones).toarray()
    for rhs in (ones, rng.standard_normal(Z) * 10.0 ** rng.uniform(-8, 8, Z), 1e-30 * np.eye(Z)[3]):
        for transposed, norm in [(False, np.inf), (True, 1)]:
            system = krylov.Krylov(joint, transition, ones, discount)
            dense = matrix.T if transposed else matrix
            tolerance = 1e-10 * np.linalg.norm(rhs, norm)
            found = (system.solve_transposed if transposed else system.solve)(rhs, tolerance)
            expected = np.linalg.solve(dense, rhs)
            rounding = krylov.ACCEPTED * np.finfo(float).eps * np.linalg.norm(np.abs(rhs) + 2 * np.abs(found), norm)
            # The dense answer is rounded, too.
            bound = (max(tolerance, rounding) + rounding) / (1 - discount)
            assert np.linalg.norm(found - expected, norm) <= bound


def test_what_no_method_solves_is_an_error_and_no_answer(as_if_large, monkeypatch):
    class Useless:
        def solve(self, rhs, trans):
            return np.zeros_like(rhs)

    parts, joint, rhs = given()
    system = krylov.Krylov(joint, parts.transition, parts.continuing, 0.9)
    monkeypatch.setitem(vars(system), "_factor", Useless())
    for solved in (system.solve, system.solve_transposed):
        with pytest.raises(ConvergenceError, match="linear solve: expected a residual of at most"):
            solved(rhs, 1e-10)


def test_solves_in_several_threads_are_those_in_one(as_if_large, monkeypatch):
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 2)
    parts, joint, rhs = given()

    def system():
        return krylov.Krylov(joint, parts.transition, parts.continuing, 0.9)

    shared, expected = system(), system().solve(rhs, 1e-12)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda one: one.solve(rhs, 1e-12), [system(), system(), shared, shared]))
    for values in found:
        np.testing.assert_array_equal(values, expected)
