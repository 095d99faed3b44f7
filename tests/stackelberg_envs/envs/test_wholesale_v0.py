"""Wholesale through the public interface: the exact optimum is the closed form, and play earns it."""

import numpy as np
import pytest
from scipy.stats import norm

import stackelberg_envs as se
from stackelberg_envs.errors import GameError

ID = "stackelberg/Wholesale-v0"


def test_the_optimum_with_errors_is_the_closed_form():
    found = se.best_commitment(se.make_game(ID))
    assert found.value == pytest.approx(8.0, abs=1e-9)
    assert found.commitment == pytest.approx([6.0], abs=1e-4)
    assert se.solve(se.make_game(ID), [6.0]).gradient == pytest.approx([0.0], abs=1e-6)


def test_played_under_the_best_price_it_earns_the_closed_form():
    # A sound game fails with probability 1e-4; the seeds are fixed.
    game = se.make_game(ID)
    env, returns = se.followers_env(ID, commitment=[6.0]), []
    policy, rng = se.soft_best_response(game, [6.0]).policy[0, 0], np.random.default_rng(0)
    for seed in range(600):
        env.reset(seed=seed)
        action = int(rng.choice(len(policy), p=policy))
        *_, infos = env.step({"follower_0": action})
        returns.append((6.0 - 2.0) * game.facts["amounts"][infos["follower_0"]["follower_action"]])
        assert not env.agents
    room = norm.ppf(1 - 0.5e-4) * np.std(returns) / np.sqrt(len(returns))
    assert abs(np.mean(returns) - 8.0) <= room
    assert game.facts["amounts"][int(se.hard_best_response(game, [6.0]).policy[0, 0].argmax())] == pytest.approx(2.0)


def test_a_colder_retailer_rounds_and_the_manufacturer_gains_up_to_a_step():
    step = se.make_game(ID).facts["amounts"][1]
    found = se.best_commitment(se.make_game(ID, temperature=1e-5))
    assert 8.0 < found.value <= 8.0 + step * 2.0 + 0.01


def test_other_numbers():
    game = se.make_game(ID, intercept=8.0, slope=0.5, unit_cost=0.0, quantities=61, temperature=0.1)
    assert se.best_commitment(game).value == pytest.approx(8.0**2 / (8 * 0.5), abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"intercept": 0.0}, "intercept: expected a number greater than 0"),
        ({"slope": -1.0}, "slope: expected a number greater than 0"),
        ({"unit_cost": 10.0}, "unit_cost: expected less than the intercept 10, got 10"),
        ({"unit_cost": -1.0}, "unit_cost: expected a finite number of at least 0"),
        ({"quantities": 1}, "quantities: expected an integer of at least 2"),
    ],
)
def test_what_is_no_market_is_refused(arguments, words):
    with pytest.raises(GameError, match=words):
        se.make_game(ID, **arguments)
