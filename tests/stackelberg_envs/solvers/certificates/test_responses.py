import numpy as np
import pytest

from stackelberg_envs.solvers.certificates.best_actions import hard_response
from stackelberg_envs.solvers.certificates.responses import Nearness, response_program, value_range
from tests.stackelberg_envs.solvers.certificates.small_games import NAMES, Box

SMALL = sorted(set(NAMES) - {"contexts", "turned", "toy"})


@pytest.mark.parametrize("width", [1.0, 0.1])
@pytest.mark.parametrize("name", SMALL)
def test_no_point_of_a_box_is_worth_more_to_the_leader(name, width):
    box = Box(name, width, seed=4)
    made = response_program(box.box, Nearness(0.0, 0.0))
    low, high = value_range(box.box, 0.0)
    upper, _ = made.program.maximise(made.goal, 1e-6, 30.0)
    for z, _ in box.points(8):
        own = box.game.primitives(box.game.commitment.project(box.made.commitment(z)))
        found = hard_response(own)
        assert (low - 1e-9 <= found.values).all()
        assert (found.values <= high + 1e-9).all()
        assert found.leader_value <= upper + 1e-6
        assert found.leader_value <= made.leader_high @ own.initial + 1e-9
        # With a kink inside, the program's rewards are larger than the game's.
        assert box.bent or made.leader_low @ own.initial - 1e-9 <= found.leader_value


@pytest.mark.parametrize("name", ["features", "policy", "mixture", "incentive"])
def test_a_small_box_loses_little(name):
    box = Box(name, 1e-4, seed=3)
    made = response_program(box.box, Nearness(0.0, 0.0))
    upper, point = made.program.maximise(made.goal, 1e-6, 30.0)
    best = max(
        hard_response(box.game.primitives(box.game.commitment.project(box.made.commitment(z)))).leader_value
        for z, _ in box.points(20)
    )
    assert upper == pytest.approx(best, abs=5e-3)
    assert point[made.choices].sum(axis=-1) == pytest.approx(1.0)


def test_values_of_a_soft_follower_are_in_their_range():
    box = Box("features", 0.5, seed=2)
    temperature = box.game.temperature
    low, high = value_range(box.box, temperature * np.log(3))
    for z, _ in box.points(10):
        values = box.solution(z).best.state_values
        assert (low <= values).all()
        assert (values <= high).all()
