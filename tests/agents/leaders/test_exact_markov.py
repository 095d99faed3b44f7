import numpy as np
import pytest

import agents
import stackelberg_envs as se
from tests.games import interacting_game

OPTIONS = {"starts": 3, "iterations": 60}


def test_it_comes_to_the_best_of_a_grid():
    """By a second method: all commitments on a grid of 6 by 6, and nothing better there."""
    game = interacting_game()
    record = agents.run(game, leader="exact", updates=4, seed=0, steps_per_update=40, leader_options=OPTIONS)
    axis = np.linspace(0.0, 1.0, 6)
    best = max(se.solve(game, [u, v]).leader_value for u in axis for v in axis)
    assert record.leader_value >= best - 1e-9
    assert record.leader_value == pytest.approx(se.solve(game, record.commitment).leader_value, abs=1e-9)
