"""The tree of outcomes: histories, where success leads, and the answers of an agent without errors."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.envs.contract.tree import answers, histories, outcomes, paid_at, stages_of


def test_nodes_are_histories():
    names = histories(3)
    assert names[:7] == ("start", "S", "F", "SS", "SF", "FS", "FF")
    assert [stages_of(len(histories(stages))) for stages in (1, 2, 5)] == [1, 2, 5]
    made = outcomes(3, np.array([0.25]))
    for node, (good, bad) in enumerate(made.successors[:7, 0, 0]):
        before = "" if node == 0 else names[node]
        assert (names[good], names[bad]) == (before + "S", before + "F")
    assert made.probabilities[0, 0, 0].tolist() == [0.25, 0.75]


def test_bonuses_are_paid_where_success_leads():
    names, paid = histories(2), paid_at(2)
    assert {(names[node], bonus) for node, bonus in zip(*paid.nonzero(), strict=True)} == {
        ("S", 0),
        ("SS", 1),
        ("FS", 2),
    }


@pytest.mark.parametrize("seed", range(5))
def test_answers_are_those_of_the_hard_best_response(seed):
    game = se.make_game("stackelberg/Contract-v0", num_stages=3)
    x = np.random.default_rng(seed).random(7)
    best, worth = answers(x, game.facts["success"], game.facts["cost"])
    response = se.hard_best_response(game, x)
    assert response.policy[:7, 0].argmax(axis=1).tolist() == best.tolist()
    cold = game.replace(temperature=1e-9)
    assert se.solve(cold, x).follower_value == pytest.approx(worth[0], abs=1e-6)


def test_of_equal_efforts_the_one_that_succeeds_most_is_told():
    assert answers(np.array([0.2]), np.array([0.0, 0.5, 0.8]), np.array([0.0, 0.1, 0.3]))[0].tolist() == [1]
