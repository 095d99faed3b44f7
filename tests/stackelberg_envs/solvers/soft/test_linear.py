"""All linear solvers against NumPy, and where they are hard."""

import numpy as np
import pytest

from stackelberg_envs.envs import four_rooms_v0, random_tabular_v1
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.solvers.soft import krylov, linear, occupancy
from stackelberg_envs.solvers.solving import solve
from tests.games import grid_world


def system(seed=0, K=2, discount=0.95, terminal=1, S=9):
    game = random_tabular_v1.make_game(S=S, K=K, terminal=terminal, seed=seed, commitment="policy")
    parts = game.primitives(np.full((S, 2), 0.5))
    rng = np.random.default_rng(seed)
    joint = 0.5 * rng.dirichlet(np.ones(3), size=(K * S, 2))
    kernel = parts.continuing[:, None] * np.einsum("sab,sabt->st", joint, parts.transition.to_dense())
    matrix = np.eye(K * S) - discount * kernel
    return (parts.leader_process._replace(discount=discount), joint), matrix, rng.standard_normal(K * S)


@pytest.fixture(params=["krylov", "streamed", "dense", "band"])
def resolvent(request, monkeypatch):
    method = "krylov" if request.param == "streamed" else request.param
    monkeypatch.setattr(linear, "choose", lambda *_: method)
    if request.param == "streamed":
        monkeypatch.setattr(krylov, "STREAMED", 0)
    return linear.resolvent


@pytest.mark.parametrize("K", [1, 2, 3])
@pytest.mark.parametrize("discount", [0.0, 0.9, 0.999, 0.999999])
def test_all_solvers_agree_with_numpy(resolvent, K, discount):
    arguments, matrix, rhs = system(K, K, discount)
    found = resolvent(*arguments)
    expected = np.linalg.solve(matrix, rhs)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found.solve(rhs, 1e-12), expected, rtol=0, atol=1e-8 * scale)
    expected = np.linalg.solve(matrix.T, rhs)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found.solve_transposed(rhs, 1e-12), expected, rtol=0, atol=1e-8 * scale)


@pytest.mark.parametrize("terminal", [30, 59])
def test_where_most_states_are_terminal_the_others_are_solved_alone(resolvent, terminal, monkeypatch):
    arguments, matrix, rhs = system(1, S=60, terminal=terminal)
    monkeypatch.setattr(linear, "MANY", 100)
    found = resolvent(*arguments)
    assert isinstance(found, linear._Living)
    expected, expected_transposed = np.linalg.solve(matrix, rhs), np.linalg.solve(matrix.T, rhs)
    np.testing.assert_allclose(found.solve(rhs, 1e-13), expected, rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.solve_transposed(rhs, 1e-13), expected_transposed, rtol=0, atol=1e-10)


@pytest.mark.parametrize("tolerance", [1e-2, 1e-6, 1e-12])
def test_residuals_keep_to_the_tolerance(resolvent, tolerance):
    arguments, matrix, rhs = system(1, S=60, terminal=0)
    found = resolvent(*arguments)
    assert np.abs(matrix @ found.solve(rhs, tolerance) - rhs).max() <= tolerance
    assert np.abs(matrix.T @ found.solve_transposed(rhs, tolerance) - rhs).sum() <= tolerance


@pytest.mark.parametrize("tolerance", [0.0, 1e-300])
def test_impossible_tolerances_end_at_rounding(resolvent, tolerance):
    arguments, matrix, rhs = system(2, S=60)
    found = resolvent(*arguments)
    assert np.abs(matrix @ found.solve(rhs, tolerance) - rhs).max() < 1e-12
    assert np.abs(matrix.T @ found.solve_transposed(rhs, tolerance) - rhs).sum() < 1e-10


def test_a_right_hand_side_of_zeros_gives_zeros(resolvent):
    arguments, _, rhs = system()
    found = resolvent(*arguments)
    assert not found.solve(0 * rhs, 0.0).any()
    assert not found.solve_transposed(0 * rhs, 0.0).any()


def test_right_hand_sides_are_not_modified(resolvent):
    arguments, _, rhs = system()
    before = rhs.copy()
    found = resolvent(*arguments)
    found.solve(rhs, 1e-10)
    found.solve_transposed(rhs, 1e-10)
    assert (rhs == before).all()


@pytest.mark.parametrize("failure", ["gives up", "overflows"])
def test_where_krylov_fails_a_direct_solve_steps_in(failure, monkeypatch):
    monkeypatch.setattr(linear, "choose", lambda *_: "krylov")

    def useless(operator, rhs, **_):
        return (np.zeros_like(rhs) if failure == "gives up" else np.full_like(rhs, np.nan)), 1

    monkeypatch.setattr(linear.scipy.sparse.linalg, "bicgstab", useless)
    arguments, matrix, rhs = system(3, S=50)
    found = linear.resolvent(*arguments)
    np.testing.assert_allclose(found.solve(rhs, 1e-12), np.linalg.solve(matrix, rhs), atol=1e-10)
    expected = np.linalg.solve(matrix.T, rhs)
    np.testing.assert_allclose(found.solve_transposed(rhs, 1e-12), expected, atol=1e-10)


def test_a_krylov_run_that_gains_little_but_enough_is_taken(monkeypatch):
    monkeypatch.setattr(linear, "choose", lambda *_: "krylov")
    monkeypatch.setattr(krylov.Krylov, "_solve_directly", lambda *_: pytest.fail("not needed"))
    arguments, matrix, rhs = system(3, S=50)

    def timid(operator, rhs, **_):
        # Four fifths of the way: the residual falls to a fifth.
        return 0.8 * np.linalg.solve(matrix, rhs), 0

    monkeypatch.setattr(linear.scipy.sparse.linalg, "bicgstab", timid)
    tolerance = 0.3 * np.abs(rhs).max()
    found = linear.resolvent(*arguments).solve(rhs, tolerance)
    assert np.abs(rhs - matrix @ found).max() <= tolerance


@pytest.mark.parametrize(
    ("discount", "terminal", "accuracy"), [(0.99, True, 1e-9), (0.999, True, 1e-9), (0.9999, False, 1e-9)]
)
def test_a_large_grid_is_solved_alike_by_both_solvers(discount, terminal, accuracy, monkeypatch):
    game = grid_world(24, discount, terminal=terminal)
    x = np.random.default_rng(0).uniform(-0.01, 0.01, 24 * 24)
    solutions = []
    for method in ("krylov", "dense"):
        monkeypatch.setattr(linear, "choose", lambda *_, chosen=method: chosen)
        solutions.append(solve(game, x))
    sparse, dense = solutions
    scale = np.abs(dense.gradient).max()
    np.testing.assert_allclose(sparse.gradient, dense.gradient, rtol=0, atol=accuracy * scale)
    assert sparse.leader_value == pytest.approx(dense.leader_value, rel=1e-9)
    assert np.abs(sparse.best.state_values - dense.best.state_values).max() <= sparse.best.error + dense.best.error


def test_krylov_solves_a_grid_where_mixing_is_slow(monkeypatch):
    monkeypatch.setattr(linear, "choose", lambda *_: "krylov")
    game = grid_world(40, 0.999)
    solution = solve(game, np.zeros(1600))
    assert np.isfinite(solution.gradient).all()
    d = occupancy(solution.primitives, solution.best.policy)
    expected = np.einsum("s,sab,sab->", d, solution.best.policy, solution.primitives.leader_reward)
    assert solution.leader_value == pytest.approx(expected, rel=1e-9)


def test_the_method_follows_from_size_and_band():
    def method(game):
        return linear.choose(game.transition.joint(game.num_contexts), game.num_contexts)

    assert method(four_rooms_v0.make_game()) == "band"
    assert method(four_rooms_v0.make_game(goals=four_rooms_v0.TWO_GOALS)) == "band"
    assert method(random_tabular_v1.make_game(S=20)) == "dense"
    assert method(random_tabular_v1.make_game(S=1_000)) == "krylov"
    assert method(grid_world(40, 0.9)) == "band"
    assert method(grid_world(110, 0.9)) == "krylov"
    assert method(random_tabular_v1.make_game(S=100_000, A=1, B=1, branching=1, D=1)) == "krylov"


def test_the_band_is_how_far_states_lead():
    transition = Transition.from_lists([[[[1, 2]]], [[[0, 2]]], [[[2, 0]]]], [[[[0.5, 0.5]]], [[[1, 0]]], [[[1, 0]]]])
    assert transition.band == (1, 2)  # padding does not count
    assert four_rooms_v0.make_game().transition.band == (11, 11)
