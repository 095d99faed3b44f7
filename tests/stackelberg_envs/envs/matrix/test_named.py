"""What is written of the named games is what linear programs and equilibria say, and vertices agree."""

import itertools

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.envs.matrix.named import NAMED, mixed_value, values


@pytest.mark.parametrize("name", NAMED)
def test_values_are_those_of_the_programs_and_of_the_vertices(name):
    game = NAMED[name]
    found = values(game.leader, game.follower)
    assert found == pytest.approx({"mixed": game.mixed, "pure": game.pure, "nash": game.nash}, abs=1e-9)
    assert game.mixed >= max(game.pure, game.nash)
    # The best commitment is a vertex of the set to which one answer is best: a grid that has all of these.
    leader, follower, A = np.array(game.leader, float), np.array(game.follower, float), len(game.leader)
    grid = [np.array(c) / 40 for c in itertools.product(range(41), repeat=A) if sum(c) == 40]
    best = max((x @ leader)[x @ follower >= (x @ follower).max() - 1e-9].max() for x in grid)
    assert best == pytest.approx(game.mixed, abs=1e-9)


@pytest.mark.parametrize("name", NAMED)
def test_the_reference_is_computed_again_from_the_game_itself(name):
    game = se.make_game("stackelberg/Matrix-v0", matrix=name)
    assert mixed_value(game) == pytest.approx(game.facts["reference"]["value"], abs=1e-9)
    assert (len(game.facts["rows"]), len(game.facts["columns"])) == np.shape(NAMED[name].leader)
