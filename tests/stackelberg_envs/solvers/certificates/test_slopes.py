import numpy as np
import pytest

from stackelberg_envs.solvers.certificates.affine import affine_game
from stackelberg_envs.solvers.certificates.bounds import known_at_first
from stackelberg_envs.solvers.certificates.centre import soft_response
from stackelberg_envs.solvers.certificates.policy_sets import leader_intervals
from stackelberg_envs.solvers.certificates.slopes import narrowed
from tests.stackelberg_envs.solvers.certificates.small_games import NAMES, Box, games


@pytest.mark.parametrize("width", [1.0, 0.2, 0.02])
@pytest.mark.parametrize("name", NAMES)
def test_policies_and_slopes_of_points_are_within_their_bounds(name, width):
    box = Box(name, width, seed=2)
    values, soft, q, _, _, error = soft_response(box.box, box.known.start)
    slopes, actions, low, high = narrowed(
        box.box, box.known.slopes * box.radii, values, soft, q, error, *leader_intervals(box.box.leader_policy), 4
    )
    previous = None
    for z, t in box.points(8):
        best = box.solution(z).best
        assert (low <= best.policy + 1e-9).all()
        assert (best.policy <= high + 1e-9).all()
        # Between two points of the box, each difference of values is a mean of slopes.
        for other_t, other in [(np.zeros_like(t), None), *([previous] if previous else [])]:
            before = (values, q) if other is None else other
            for (least, most), rise in ((slopes, best.state_values - before[0]), (actions, best.q - before[1])):
                step = t - other_t
                lower = np.minimum(least * step, most * step).sum(axis=-1)
                upper = np.maximum(least * step, most * step).sum(axis=-1)
                slack = 1e-8 * (1 + np.abs(rise).max())
                assert (lower - slack <= rise).all()
                assert (rise <= upper + slack).all()
        previous = t, (best.state_values, best.q)


def test_slopes_of_everything_are_those_of_a_part():
    slopes = known_at_first(affine_game(games()["toll"]).arrays).slopes
    # A toll is paid once at most, so a day that begins anywhere costs no more for it than itself.
    assert slopes.min() >= -1.0 - 1e-6
    assert slopes.max() <= 1e-6
