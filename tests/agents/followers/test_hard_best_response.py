import numpy as np
import pytest

import agents
from agents.followers.hard_best_response import HardBestResponse, HardBestResponseConfig
from stackelberg_envs.envs import discrete_toy_v1, four_rooms_v0
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.solvers.responses import hard_best_response
from stackelberg_envs.solvers.soft import leader_value
from tests.games import one_state

#: The second action of the follower is worth 1 to the leader.
INDIFFERENT = one_state([[0.0, 1.0], [0.0, 1.0]])


def make(**options):
    return HardBestResponse(HardBestResponseConfig(**options), np.random.default_rng(0))


@pytest.mark.parametrize("tie_break", ["optimistic", "pessimistic"])
@pytest.mark.parametrize(
    ("game", "x"),
    [
        (discrete_toy_v1.make_game(reward=2.0), np.full((3, 2), 0.5)),
        (four_rooms_v0.make_game(), np.zeros(104)),
        (four_rooms_v0.make_game(), np.full(104, -0.01)),
    ],
    ids=["toy", "rooms", "rooms with incentives"],
)
def test_it_is_the_oracles_hard_best_response(game, x, tie_break):
    follower, view = make(tie_break=tie_break), game.under(x)
    assert follower.learn(view) == 0
    np.testing.assert_array_equal(follower.policy, hard_best_response(view.primitives, tie_break=tie_break).policy)
    assert ((follower.policy == 0) | (follower.policy == 1)).all()


@pytest.mark.parametrize(("tie_break", "value"), [("optimistic", 2.0), ("pessimistic", 0.0)])
def test_ties_go_for_the_leader_or_against_it(tie_break, value):
    view = INDIFFERENT.under(np.array([[0.5, 0.5]]))
    follower = make(tie_break=tie_break)
    follower.learn(view)
    assert leader_value(view.primitives, follower.policy) == pytest.approx(value)


def test_a_run_with_it_is_a_run():
    record = agents.run(
        INDIFFERENT,
        leader="naive",
        follower="hard_best_response",
        updates=2,
        steps_per_update=9,
    )
    assert record.status == "finished"
    assert record.curve["leader_value"][0] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tie_break": "random"}, "tie_break: expected 'optimistic' or 'pessimistic', got 'random'"),
        ({"tolerance": -1.0}, "tolerance: expected a number greater than 0"),
    ],
)
def test_bad_options_are_refused_by_name(options, message):
    with pytest.raises(ArgumentError, match=message):
        make(**options)
