import itertools

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.solvers.certificates.affine import affine_game
from stackelberg_envs.solvers.certificates.boxes import feasible
from stackelberg_envs.solvers.certificates.directions import policy_derivatives, reduced_rows, turned
from tests.games import toll_game
from tests.stackelberg_envs.solvers.certificates.small_games import Box, games


@pytest.mark.parametrize("name", ["features", "mistaken", "contexts", "toll", "policy"])
def test_derivatives_are_those_of_the_solver(name):
    box = Box(name, 0.3, seed=2)
    game, z, step = box.game, box.centre, 1e-5
    best = box.solution(z).best
    weights = np.sqrt(best.policy[..., :, None] * best.policy[..., None, :])
    found = policy_derivatives(box.arrays, z).reshape(*weights.shape, box.D)
    for i in range(box.D):
        if (box.arrays.leader_policy[..., 1 + i] != 0).any():
            continue
        shift = step * np.eye(box.D)[i]
        moved = (box.solution(z + shift).best.q - box.solution(z - shift).best.q) / (2 * step * game.temperature)
        apart = weights * (moved[..., :, None] - moved[..., None, :])
        # Each state and action of the leader has a weight of its own besides.
        size = np.abs(found[..., i]).reshape(*moved.shape[:2], -1).max(axis=-1)
        other = np.abs(apart).reshape(*moved.shape[:2], -1).max(axis=-1)
        own = np.divide(size, other, out=np.zeros_like(size), where=other > 1e-9)[..., None, None]
        np.testing.assert_allclose(found[..., i], own * apart, atol=1e-6 * (1 + size.max()))


def test_reduced_rows_span_the_same():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((2, 5))
    made, pivots = reduced_rows(rows)
    np.testing.assert_allclose(made[:, pivots], np.eye(2), atol=1e-12)
    assert np.linalg.matrix_rank(np.vstack([rows, made]), tol=1e-9) == 2


def test_tolls_of_one_way_become_a_sum():
    game = toll_game()
    made = affine_game(game)
    new = turned(made, made.coordinates(se.best_commitment(game, evaluations=300).commitment))
    assert new.arrays.limits.shape == (2, 7)
    rng = np.random.default_rng(0)
    inside = 0
    for corner in itertools.product((0.0, 1.0), repeat=6):
        # The coordinates reach to all commitments.
        z = new.coordinates(np.array(corner))
        assert z.min() >= -1e-12
        assert z.max() <= 1 + 1e-12
    for x in rng.random((50, 6)):
        z = new.coordinates(x)
        assert (z >= 0).all()
        assert (z <= 1).all()
        assert feasible(z, new.arrays.limits)
        np.testing.assert_allclose(new.commitment(z), x, atol=1e-12)
        beyond = rng.random(6)
        inside += feasible(beyond, new.arrays.limits)
        there = new.commitment(beyond)
        assert feasible(beyond, new.arrays.limits) == bool(((there >= 0) & (there <= 1)).all())
    assert 0 < inside < 50


def test_games_all_of_whose_entries_move_the_policy_stay_as_they_are():
    for name in ("features", "mixture", "policy", "contexts"):
        made = affine_game(games()[name])
        assert turned(made, np.full(len(made.directions), 0.4)) is made
