"""Iterated matrix games through the public interface: ten rounds are worth what enumeration says."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.envs.iterated_matrix.ordinal import ORDINAL, best_pair
from stackelberg_envs.errors import GameError, UnknownNameError

ID = "stackelberg/IteratedMatrix-v0"


def table(strategy):
    """The commitment to a deterministic strategy."""
    return np.eye(2)[list(strategy)]


@pytest.mark.parametrize("name", ORDINAL)
def test_ten_rounds_against_the_exact_best_response_pay_the_reference_value(name):
    # Nothing is left to chance: both strategies are deterministic.
    env = se.followers_env(ID, matrix=name, commitment=table(best_pair(name).leader))
    policy = se.hard_best_response(env.game, table(best_pair(name).leader)).policy
    env.reset(seed=0)
    earned, rounds, state = 0.0, 0, 0
    while env.agents:
        choice = int(policy[state, 0].argmax())
        *_, infos = env.step({"follower_0": choice})
        info = infos["follower_0"]
        state = int(info["next_state"])
        rounds += info["state"] >= 5
        earned += info["state"] >= 5 and env.game.leader_reward[info["state"], info["leader_action"], 0] * np.sqrt(0.9)
    assert rounds == 10
    assert earned == pytest.approx(env.game.facts["reference"]["value"], abs=1e-9)


@pytest.mark.parametrize("name", ["prisoners_dilemma", "deadlock"])
def test_values_are_those_of_discounted_rounds(name):
    game = se.make_game(ID, matrix=name, temperature=0.01)
    pair = best_pair(name)
    seen, worth = 0, 0.0
    for turn in range(400):
        a, b = pair.leader[seen], pair.follower[seen]
        worth += 0.9**turn * game.facts["leader_payoff"][a, b]
        seen = 1 + a + 2 * b
    assert se.solve(game, table(pair.leader)).leader_value == pytest.approx(worth, abs=1e-6)


def test_errors_and_mixed_commitments_make_the_dilemma_worth_more():
    facts = se.make_game(ID).facts
    assert facts["best_known"] == pytest.approx(9.538453, abs=1e-6)
    assert facts["best_known"] > se.solve(se.make_game(ID), table(best_pair("prisoners_dilemma").leader)).leader_value


def test_other_lengths_and_discounts():
    game = se.make_game(ID, matrix="chicken", rounds=4, discount=0.5)
    assert game.horizon == 8
    assert "reference" not in game.facts
    assert game.leader_discount == pytest.approx(np.sqrt(0.5))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"matrix": "chiken"}, UnknownNameError, "did you mean 'chicken'"),
        ({"rounds": 0}, GameError, "rounds: expected an integer of at least 1"),
        ({"discount": 1.0}, GameError, "discount"),
    ],
)
def test_what_is_no_iterated_game_is_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        se.make_game(ID, **arguments)
