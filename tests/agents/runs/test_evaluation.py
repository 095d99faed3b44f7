"""Values in the record: exact, or from play."""

import numpy as np
import pytest

import agents
from agents.followers.base import FOLLOWERS
from agents.leaders.base import LEADERS
from agents.runs.evaluation import VectorEvaluation
from tests.agents.runs.aim import Aimed, Jumpy, small_game


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """Register the players of this file for one test: the names of the package are tested elsewhere."""
    monkeypatch.setitem(LEADERS.classes, "jumpy", (Jumpy,))
    monkeypatch.setitem(FOLLOWERS.classes, "aimed", (Aimed,))


def test_a_black_box_leader_finds_the_optimum_of_a_game_of_vectors():
    game = small_game()
    record = agents.run(game, leader="cma_es", updates=60, steps_per_update=200, seed=1)
    assert record.follower == "aimed" and record.information == "ACTIONS_ONLY"
    assert abs(record.commitment[0] - 1.0) < 0.2
    assert record.leader_value == pytest.approx(game.solve(record.commitment).leader_value)
    assert record.observed_steps == 60 * 200


def test_values_in_the_record_are_exact_for_exact_followers():
    game = small_game()
    record = agents.run(game, leader="random_search", updates=3, steps_per_update=40, seed=0)
    assert record.start_value == pytest.approx(game.solve(np.zeros(1)).leader_value, abs=10)
    assert np.isfinite(record.curve["leader_value"]).all()


def test_a_game_without_a_solver_is_judged_by_play():
    game = small_game()
    evaluation = VectorEvaluation(game)
    follower = Aimed(Aimed.Config(), np.random.default_rng(0))
    view = game.under(np.zeros(1))
    follower.learn(view)
    exact = evaluation.value(view, follower)
    follower.solution = None
    estimate = evaluation.value(view, follower)
    # 200 episodes of 20 steps; b has deviation .22, so r_L one of .45 and a discounted sum one of about .45 * 2.3.
    assert abs(estimate - exact) < 4 * 0.45 * 2.3 / np.sqrt(200)
