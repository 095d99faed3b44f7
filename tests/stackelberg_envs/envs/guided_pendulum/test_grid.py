"""The pendulum's values on a grid, against the game's own moves and SciPy's interpolation."""

import numpy as np
import pytest
import scipy

from stackelberg_envs.envs.guided_pendulum.grid import PendulumGrid
from stackelberg_envs.envs.guided_pendulum_v0 import TIME_STEP, as_states, make_game
from stackelberg_envs.solvers.grids.response import PLANNED, PLAYED

GAME = make_game()
GRID = PendulumGrid(GAME, (12, 17))
VALUES = np.random.default_rng(0).uniform(-300, 0, size=GRID.shape)
ANGLES, SPEEDS = GRID.axes
AROUND = np.concatenate([ANGLES, [np.pi]])


def worth(angles, speeds):
    """Return W, by interpolation between grid points on the circle."""
    table = np.concatenate([VALUES, VALUES[:1]])
    return scipy.interpolate.interpn((AROUND, SPEEDS), table, np.stack([angles, speeds], axis=1))


def after(states, torques, winds):
    made = GAME.move(states, torques, winds)
    cosine, sine, speed = made.next_state.T
    return made.follower_reward, np.arctan2(sine, cosine), speed


def test_one_step_ahead_is_worth_what_the_game_leads_to():
    rng = np.random.default_rng(1)
    angles, speeds = rng.uniform(-np.pi, np.pi, 200), rng.uniform(-8, 8, 200)
    states, winds = as_states(angles, speeds), rng.uniform(-1, 1, 200)
    exponents = 0.1 * GRID.exponents(VALUES, states, winds)
    for node, torque in enumerate(np.linspace(-2, 2, PLAYED)):
        reward, angle, speed = after(states, np.full(200, torque), winds)
        expected = reward + angles**2 + 0.1 * speeds**2 + 0.99 * worth(angle, speed)
        np.testing.assert_allclose(exponents[:, node], expected, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("mean", [0.3, -0.95])
def test_a_sweep_is_the_right_hand_side_of_the_equation(mean):
    swept = GRID.backup(VALUES, np.full(GRID.shape, mean)).ravel()
    torques = np.linspace(-2, 2, PLANNED)
    for place in np.random.default_rng(2).choice(VALUES.size, 40, replace=False):
        state, angle, expected = GRID.states[place], ANGLES[place // len(SPEEDS)], 0.0
        turned = (angle + TIME_STEP * SPEEDS + np.pi) % (2 * np.pi) - np.pi
        table = worth(turned, SPEEDS)
        for wind in np.maximum([mean - 0.2, mean + 0.2], -1.0):
            reward, _, speed = after(np.tile(state, (PLANNED, 1)), torques, np.full(PLANNED, wind))
            q = (reward + 0.99 * np.interp(speed, SPEEDS, table)) / 0.1
            b = np.linspace(-2, 2, 100_001)
            exponent = np.interp(b, torques, q)
            total = scipy.integrate.trapezoid(np.exp(exponent - exponent.max()), b)
            expected += 0.05 * (exponent.max() + np.log(total))
        assert swept[place] == pytest.approx(expected, abs=1e-3)


def test_values_lie_between_the_worst_and_the_best_for_ever():
    low, high = GRID.bounds
    for values, side in ((np.full(GRID.shape, low), 1), (np.full(GRID.shape, high), -1)):
        assert (side * (GRID.backup(values, np.zeros(GRID.shape)) - values) >= -1e-9).all()
