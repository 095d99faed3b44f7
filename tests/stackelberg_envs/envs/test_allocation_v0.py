"""Allocations through the public interface: as many types are told apart as there are messages."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import GameError

ID = "stackelberg/Allocation-v0"


@pytest.mark.parametrize(("num_types", "num_messages"), [(3, 1), (3, 2), (3, 3), (3, 4), (4, 2), (1, 2)])
def test_the_optimum_is_the_closed_form(num_types, num_messages):
    game = se.make_game(ID, num_types=num_types, num_messages=num_messages)
    value = min(num_types, num_messages) / num_types
    assert game.facts["reference"]["value"] == pytest.approx(value, abs=1e-15)
    assert se.best_commitment(game, evaluations=300).value == pytest.approx(value, abs=1e-7)


def test_no_follower_with_errors_earns_more():
    values = [
        se.best_commitment(se.make_game(ID, temperature=each), evaluations=300).value for each in (0.5, 0.2, 0.05)
    ]
    assert values[0] < values[1] < values[2] <= 1.0
    # Each of two wrong messages is exp(-1 / temperature) times as likely as the right one.
    assert values[1] == pytest.approx(1 / (1 + 2 * np.exp(-5.0)), abs=1e-6)


def test_even_rows_are_a_saddle():
    game = se.make_game(ID)
    solution = se.solve(game, np.full((3, 3), 1 / 3))
    assert solution.leader_value == pytest.approx(1 / 3)
    assert np.ptp(solution.gradient) == pytest.approx(0.0, abs=1e-12)


def test_under_the_best_mechanism_everybody_who_has_a_message_gets_their_item():
    game = se.make_game(ID, num_messages=2)
    x = np.eye(3)[[2, 0]]
    answer = se.hard_best_response(game, x).policy
    env, got = se.parallel_env(ID, num_messages=2), []
    for seed in range(30):
        env.reset(seed=seed)
        env.step({"leader_0": x.ravel().astype(np.float32)})
        kind, earned = env.session.context, 0.0
        while env.agents:
            choice = int(answer[kind * 3, 0].argmax())
            _, rewards, *_ = env.step({"follower_0": choice})
            assert rewards["leader_0"] == rewards["follower_0"]
            earned += rewards["leader_0"]
        got.append((kind, earned))
    assert set(got) == {(0, 1.0), (1, 0.0), (2, 1.0)}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"num_types": 0}, "num_types: expected an integer of at least 1"),
        ({"num_messages": 0}, "num_messages: expected an integer of at least 1"),
        ({"num_types": 10, "num_messages": 6}, "expected at most 100000 tables of items, got 10 to the 6"),
    ],
)
def test_what_is_no_mechanism_is_refused(arguments, words):
    with pytest.raises(GameError, match=words):
        se.make_game(ID, **arguments)
