"""The toll game: what is known of it, and that it holds what it is for."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.optimize import differential_evolution, minimize

import stackelberg_envs as se
from benchmarks import toll_game as module
from benchmarks.toll_game import toll_game
from stackelberg_envs.errors import ArgumentError
from tests.house import ROOT


def value(x, game):
    return -se.solve(game, x).leader_value


@pytest.mark.parametrize("num_tolls", [2, 6])
def test_a_global_search_finds_the_value_that_is_known(num_tolls):
    game = toll_game(num_tolls)
    found = differential_evolution(value, [(0, 1)] * num_tolls, args=(game,), seed=0, maxiter=60, popsize=10)
    assert -found.fun == pytest.approx(game.facts["best_known"], abs=1e-6)


def test_nobody_takes_the_way_round_at_first_and_an_ascent_from_there_ends_lower():
    game = toll_game()
    assert se.solve(game, np.full(6, 0.5)).response[module.B, 0, module.AROUND] < 1e-4
    bounds = [(0, 1)] * 6
    found = minimize(value, np.full(6, 0.5), (game,), bounds=bounds, method="L-BFGS-B")
    assert -found.fun == pytest.approx(1.3701, abs=1e-3)
    assert game.facts["best_known"] > 1.53


def test_the_game_conforms():
    se.check_game(toll_game(2))


def test_its_id_takes_its_arguments():
    # In a process of its own: other tests count the ids that are registered.
    code = (
        "import stackelberg_envs as se;"
        "print(se.make_game('benchmarks.games:benchmarks/TollGame-v0', num_tolls=2).commitment.shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "(2,)\n"


def test_what_is_known_is_of_the_settings_it_was_found_at():
    assert "best_known" not in toll_game(temperature=0.1).facts


def test_another_number_of_tolls_is_refused():
    with pytest.raises(ArgumentError, match=r"num_tolls: expected one of \[2, 6\], got 3"):
        toll_game(3)
