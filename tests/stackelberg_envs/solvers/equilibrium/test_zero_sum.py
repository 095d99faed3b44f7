from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import linprog

from stackelberg_envs.errors import GameError
from stackelberg_envs.solvers.equilibrium import zero_sum
from stackelberg_envs.solvers.equilibrium.logit import logit_equilibrium
from stackelberg_envs.solvers.equilibrium.zero_sum import matrix_games, zero_sum_equilibrium
from tests.stackelberg_envs.solvers.equilibrium.markov_arrays import random_arrays


@pytest.mark.parametrize("arguments", [{}, {"temperature": 0.01}, {"masked": True, "sizes": (3, 4)}])
def test_two_solvers_find_the_same_saddle(arguments):
    game = random_arrays(zero_sum=True, **arguments)
    fast, general = zero_sum_equilibrium(game), logit_equilibrium(game)
    assert fast.unique and fast.residual < 1e-12
    for mine, theirs in zip(fast.policies, general.policies, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-10)
    np.testing.assert_allclose(fast.values[0], -fast.values[1], atol=1e-12)


def linear_program_value(payoff):
    """The value of a matrix game to the player of its rows."""
    rows, columns = payoff.shape
    made = linprog(
        np.append(np.zeros(rows), -1.0),
        A_ub=np.hstack([-payoff.T, np.ones((columns, 1))]),
        b_ub=np.zeros(columns),
        A_eq=[np.append(np.ones(rows), 0.0)],
        b_eq=[1.0],
        bounds=[(0, None)] * rows + [(None, None)],
    )
    return -made.fun


def test_matrix_games_come_to_the_values_of_linear_programs_as_the_temperature_falls():
    payoff = np.random.default_rng(0).uniform(-1.0, 1.0, size=(5, 3, 4))
    masks = np.ones((5, 3), dtype=bool), np.ones((5, 4), dtype=bool)
    programs = np.array([linear_program_value(each) for each in payoff])
    for temperature in (0.1, 0.01, 0.003):
        values = matrix_games(payoff, masks, temperature)[0]
        assert np.abs(values - programs).max() <= temperature * np.log(4.0) + 1e-9


def test_what_is_not_zero_sum_is_refused_by_state_and_action():
    with pytest.raises(GameError, match=r"sum to zero, got .* in state 0 at joint action 0"):
        zero_sum_equilibrium(random_arrays())
    with pytest.raises(GameError, match="two followers, got 3"):
        zero_sum_equilibrium(random_arrays(sizes=(2, 2, 2)))


def test_where_matrix_games_are_too_hard_alone_the_path_is_taken(monkeypatch):
    monkeypatch.setattr(zero_sum, "NEWTON_STEPS", 1)
    assert zero_sum_equilibrium(random_arrays(zero_sum=True)).residual < 1e-12


@pytest.mark.parametrize("unit", [1.0, 1e-13])
def test_rewards_that_do_not_cancel_are_refused_in_any_unit(unit):
    game = random_arrays(zero_sum=True)
    rewards = unit * game.follower_rewards
    rewards[1, 0, 0] += 1e-6 * unit
    with pytest.raises(GameError, match=r"zero_sum: expected rewards .* in state 0 at joint action 0"):
        zero_sum.require_zero_sum(replace(game, follower_rewards=rewards))
