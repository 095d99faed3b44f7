"""The cart-pole's values on a grid, against the game's own moves and SciPy's interpolation."""

import numpy as np
import pytest
import scipy

from stackelberg_envs.envs.guided_cartpole.grid import CartPoleGrid
from stackelberg_envs.envs.guided_cartpole_v0 import MAX_ANGLE, MAX_POSITION, TIME_STEP, make_game
from stackelberg_envs.solvers.grids.response import PLANNED, PLAYED

GAME = make_game()
GRID = CartPoleGrid(GAME, (5, 7, 5, 6))
VALUES = np.random.default_rng(0).uniform(0, 100, size=GRID.shape)
LAST = 1.0 + 0.1 * np.log(2.0)


def worth(states):
    """Return W at states, by interpolation between grid points."""
    x, v, angle, w = states.T
    ahead = np.stack([v, w, angle + TIME_STEP * w, x + TIME_STEP * v], axis=1)
    over = (np.abs(ahead[:, 3]) > MAX_POSITION) | (np.abs(ahead[:, 2]) > MAX_ANGLE)
    inside = np.clip(ahead, [axis[0] for axis in GRID.axes], [axis[-1] for axis in GRID.axes])
    return np.where(over, LAST, scipy.interpolate.interpn(GRID.axes, VALUES, inside))


def test_one_step_ahead_is_worth_what_the_game_leads_to():
    rng = np.random.default_rng(1)
    high = np.array([2.4, 2.5, MAX_ANGLE, 3.0])
    states, winds = rng.uniform(-high, high, size=(200, 4)), rng.uniform(-1, 1, 200)
    exponents = GRID.exponents(VALUES, states, winds)
    for node, push in enumerate(np.linspace(-1, 1, PLAYED)):
        made = GAME.move(states, np.full(200, push), winds)
        expected = 0.99 / 0.1 * np.where(made.terminated, 0.0, worth(made.next_state))
        np.testing.assert_allclose(exponents[:, node], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("mean", [0.3, 0.95])
def test_a_sweep_is_the_right_hand_side_of_the_equation(mean):
    swept = GRID.backup(VALUES, np.full(GRID.shape, mean)).ravel()
    speeds = list(GRID.axes[:2])
    for place in np.random.default_rng(2).choice(VALUES.size, 40, replace=False):
        state, expected = GRID.states[place], 0.0
        for wind in np.minimum([mean - 0.2, mean + 0.2], 1.0):
            pushes = np.linspace(-1, 1, PLANNED)
            made = GAME.move(np.tile(state, (PLANNED, 1)), pushes, np.full(PLANNED, wind))
            x, angle = made.next_state[0, 0], made.next_state[0, 2]
            around = [(x, v, angle, w) for v in speeds[0] for w in speeds[1]]
            table = worth(np.array(around)).reshape(len(speeds[0]), -1)
            reached = np.clip(made.next_state[:, [1, 3]], [a[0] for a in speeds], [a[-1] for a in speeds])
            q = 0.99 / 0.1 * scipy.interpolate.interpn(speeds, table, reached)
            b = np.linspace(-1, 1, 100_001)
            exponent = np.interp(b, pushes, q)
            total = scipy.integrate.trapezoid(np.exp(exponent - exponent.max()), b)
            expected += 0.5 * (1.0 + 0.1 * (exponent.max() + np.log(total)))
        assert swept[place] == pytest.approx(expected, abs=1e-3)


def test_grid_points_are_where_the_step_does_not_end_the_episode():
    n = len(GRID.states)
    assert n == VALUES.size
    near = GRID.states * (1 - 1e-9)
    assert not GAME.move(near, np.zeros(n), np.zeros(n)).terminated.any()
    low, high = GRID.bounds
    assert (low, high) == pytest.approx((LAST, 100 * LAST))
