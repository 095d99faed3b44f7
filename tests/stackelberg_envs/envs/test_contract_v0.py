"""Contracts through the public interface: bonuses of textbooks, what more stages are worth, and play that earns it."""

import numpy as np
import pytest
from scipy.stats import norm

import stackelberg_envs as se
from stackelberg_envs.errors import GameError

ID = "stackelberg/Contract-v0"


def test_the_best_bonus_goes_to_the_closed_form_as_errors_vanish():
    assert se.make_game(ID).facts["reference"]["value"] == pytest.approx(0.4, abs=1e-12)
    behind = []
    for temperature in (1e-2, 1e-3):
        found = se.best_commitment(se.make_game(ID, temperature=temperature))
        assert 0.2 < found.commitment[0] < 0.28
        behind.append(0.4 - found.value)
    assert behind[0] == pytest.approx(0.4 - 0.354325, abs=1e-6)
    # To be away from the tie by a few temperatures costs in proportion to them.
    assert 0 < behind[1] < 0.2 * behind[0]


@pytest.mark.parametrize(("bonus", "value"), [(0.1999, 0.0), (0.2001, 0.5), (0.666, 0.5), (0.667, 0.8)])
def test_an_agent_without_errors_changes_its_effort_where_the_formula_says(bonus, value):
    game = se.make_game(ID, temperature=1e-6)
    assert se.solve(game, [bonus]).leader_value == pytest.approx(value * (1.0 - bonus), abs=1e-9)


@pytest.mark.parametrize(("stages", "value"), [(2, 0.761928), (3, 1.187616)])
def test_later_stages_pay_for_earlier_ones(stages, value):
    game = se.make_game(ID, num_stages=stages)
    x, reference = game.facts["best_commitment"], game.facts["reference"]["value"]
    assert se.solve(game, x).leader_value == pytest.approx(value, abs=1e-6)
    # More than so many jobs of one stage, and less than without errors.
    assert stages * 0.354325 < value < reference
    assert x[0] == 0.0


def test_with_two_stages_the_best_contract_goes_to_five_sixths():
    game = se.make_game(ID, num_stages=2, temperature=1e-4)
    assert game.facts["reference"]["value"] == pytest.approx(5 / 6, abs=1e-12)
    # A little more than ties, so that an agent that hardly errs takes what the principal wants.
    assert se.solve(game, [0.0, 2 / 3 + 0.003, 0.2 + 0.003]).leader_value == pytest.approx(5 / 6, abs=0.006)


def test_played_under_the_best_bonus_it_earns_its_value():
    # A sound game fails with probability 1e-4; the seeds are fixed.
    game = se.make_game(ID)
    x, rng = game.facts["best_commitment"], np.random.default_rng(0)
    policy = se.soft_best_response(game, x).policy[0, 0]
    env, returns = se.parallel_env(ID), []
    for seed in range(600):
        env.reset(seed=seed)
        env.step({"leader_0": x.astype(np.float32)})
        earned = 0.0
        while env.agents:
            _, rewards, *_ = env.step({"follower_0": int(rng.choice(3, p=policy))})
            earned += rewards["leader_0"]
        returns.append(earned)
    assert set(np.round(returns, 6)) == {0.0, round(1.0 - float(np.float32(x[0])), 6)}
    room = norm.ppf(1 - 0.5e-4) * np.std(returns) / np.sqrt(len(returns))
    assert abs(np.mean(returns) - 0.354325) <= room


def test_numbers_stand_in_no_unit():
    one = se.make_game(ID, num_stages=2)
    other = se.make_game(ID, num_stages=2, worth=1e3, cost=[0, 100, 300], temperature=10)
    assert other.facts["reference"]["value"] == pytest.approx(1e3 * one.facts["reference"]["value"])
    x = np.array([0.1, 0.7, 0.3])
    assert se.solve(other, 1e3 * x).leader_value == pytest.approx(1e3 * se.solve(one, x).leader_value)


def test_a_long_job_has_no_reference():
    game = se.make_game(ID, num_stages=4)
    assert "reference" not in game.facts
    assert game.shape == (31, 1, 3)
    assert game.commitment.names[:4] == ("bonus at start", "bonus at S", "bonus at F", "bonus at SS")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"success": [0.5], "cost": [0.0]}, "success: expected a probability for each of two or more efforts"),
        ({"success": [0.0, 1.5, 0.5]}, "success: expected probabilities"),
        ({"cost": [0.0, 0.1]}, "cost: expected shape"),
        ({"cost": [0.0, -0.1, 0.3]}, "cost: expected numbers of at least 0"),
        ({"worth": 0.0}, "worth: expected a number greater than 0"),
        ({"num_stages": 0}, "num_stages: expected an integer of at least 1"),
        ({"num_stages": 9}, "num_stages: expected at most 8, got 9"),
    ],
)
def test_what_is_no_contract_is_refused(arguments, words):
    with pytest.raises(GameError, match=words):
        se.make_game(ID, **arguments)


def test_two_efforts():
    # Work succeeds surely and costs 0.25: a bonus of 0.25 is enough.
    game = se.make_game(ID, success=[0.0, 1.0], cost=[0.0, 0.25], temperature=1e-5)
    assert game.facts["reference"]["value"] == pytest.approx(0.75)
    assert se.solve(game, [0.251]).leader_value == pytest.approx(0.749)
