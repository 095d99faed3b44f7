"""Measurements: at the right steps, of the right commitment, against the truth, and without changing the run."""

import itertools
import math

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.benchmark.measuring import checkpoints, cosine, measure
from agents.leaders import GradientConfig, GradientLeader
from agents.runs.experiment import Experiment, ExperimentConfig
from tests.games import TOY

GAME = se.make_game(TOY)


class Known(GradientLeader):
    """Follows a multiple of the exact gradient."""

    information, Config, share = agents.Information.ACTIONS_ONLY, GradientConfig, 1.0

    def gradient(self, trajectories):
        return self.share * se.solve(GAME, self.commit()).gradient, {}


class Opposite(Known):
    share = -2.0


class Nothing(Known):
    share = 0.0


def measured(kind, steps=1_000, per_update=250, **options):
    """What is measured of a leader, by its class or name."""
    name = kind if isinstance(kind, str) else f"tests:{kind.__name__}"
    if not isinstance(kind, str):
        agents.register_leader(name)(kind)
    updates = -(-steps // per_update)
    config = ExperimentConfig(
        TOY, leader=name, updates=updates, steps_per_update=per_update, evaluate_every=0, leader_options=options
    )
    return measure(Experiment(config), steps, 8, lambda: None)


def test_checkpoints_lie_on_one_grid_and_end_with_the_budget():
    assert checkpoints(1_000, 100, 2) == [100, 316, 1_000]
    assert checkpoints(500, 100, 2) == [100, 316, 500]
    assert checkpoints(50, 100, 8) == [50]
    assert checkpoints(100, 100, 8) == [100]
    longer, shorter = checkpoints(100_000, 1_000, 8), checkpoints(20_000, 1_000, 8)
    assert set(shorter[:-1]) < set(longer)
    assert len(longer) == 17


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_a_cosine_does_not_depend_on_lengths(scale):
    one, other = np.array([3.0, 4.0]), np.array([4.0, 3.0])
    assert cosine(scale * one, other / scale) == pytest.approx(24 / 25, rel=1e-12)
    assert cosine(one, -scale * one) == pytest.approx(-1.0, rel=1e-12)


@pytest.mark.parametrize("bad", [np.zeros(2), np.array([np.nan, 1.0]), np.array([np.inf, 1.0])])
def test_there_is_no_cosine_with_nothing(bad):
    assert math.isnan(cosine(bad, np.ones(2)))
    assert math.isnan(cosine(np.ones(2), bad))


@pytest.mark.parametrize(("kind", "expected"), [(Known, 1.0), (Opposite, -1.0)])
def test_the_gradient_of_a_leader_is_held_to_the_truth_where_it_was_estimated(kind, expected):
    column = measured(kind).curve["gradient_cosine"]
    assert column[0] is None
    assert column[1:] == pytest.approx([expected] * 4, rel=1e-9)


@pytest.mark.parametrize("kind", [Nothing, "random_search"])
def test_a_leader_without_a_gradient_has_no_cosine(kind):
    assert set(measured(kind).curve["gradient_cosine"]) == {None}


def test_values_and_costs_are_those_of_the_run():
    result = measured("cma_es", 2_000, 500)
    x = np.array(result.commitment)
    assert result.leader_value == se.solve(GAME, x).leader_value
    assert result.curve["recommended_value"][-1] == result.leader_value
    assert result.curve["observed_steps"] == [0.0, 500.0, 1_000.0, 1_500.0, 2_000.0]
    assert result.totals["leader_updates"] == result.totals["follower_responses"] == 4.0
    seconds = result.curve["seconds"]
    assert seconds[0] == 0.0
    assert all(later - earlier > 0.0 for earlier, later in itertools.pairwise(seconds))


def test_the_row_before_any_play_is_the_first_commitment():
    result = measured("bchg", start="random")
    assert result.curve["recommended_value"][0] == result.curve["announced_value"][0] == result.start_value
    assert result.curve["announced_value"][1] == result.start_value
