"""Energy pricing through the public interface: the exact optimum is the closed form, and play earns it."""

import numpy as np
import pytest
from scipy.stats import norm

import stackelberg_envs as se
from stackelberg_envs.envs.energy_pricing.day import hour_of
from stackelberg_envs.envs.energy_pricing.pricing import best_surcharges, profit, shifts
from stackelberg_envs.errors import GameError

ID = "stackelberg/EnergyPricing-v0"
BEST = np.array([-0.6, -0.4, 0.1, -0.2, 0.9, 0.2])


def test_the_numbers_of_the_page():
    game = se.make_game(ID)
    assert best_surcharges(game.facts["demand"], game.facts["cost"], 1.0) == pytest.approx(BEST)
    assert game.facts["reference"]["value"] == pytest.approx(17.14)
    assert se.solve(game, np.zeros(6)).leader_value == pytest.approx(15.72, abs=1e-9)
    best = se.solve(game, BEST)
    assert best.leader_value == pytest.approx(17.14, abs=1e-7)
    assert best.gradient == pytest.approx(np.zeros(6), abs=1e-7)


def test_only_differences_of_surcharges_count():
    game = se.make_game(ID)
    assert se.solve(game, BEST + 0.25).leader_value == pytest.approx(se.solve(game, BEST).leader_value, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_profit_is_that_of_shifts_without_steps(seed):
    game, x = se.make_game(ID), np.random.default_rng(seed).uniform(-0.6, 0.6, 6)
    facts = game.facts
    expected = profit(x, shifts(x, 1.0), facts["demand"], facts["cost"], facts["tariff"])
    assert se.solve(game, x).leader_value == pytest.approx(expected, abs=1e-6)


def test_the_search_finds_it_with_other_numbers():
    game = se.make_game(
        ID, demand=[1.0, 2.0, 3.0], cost=[0.5, 0.5, 0.9], tariff=2.0, stiffness=0.5, max_surcharge=0.8, step=0.25
    )
    value = game.facts["reference"]["value"]
    assert se.best_commitment(game, evaluations=300).value == pytest.approx(value, abs=1e-6)


def test_surcharges_that_may_not_be_have_no_reference():
    assert "reference" not in se.make_game(ID, max_surcharge=0.7).facts
    assert "reference" in se.make_game(ID, max_surcharge=0.76).facts


def test_numbers_stand_in_no_unit():
    one, facts = se.make_game(ID), se.make_game(ID).facts
    money = {name: 100 * np.asarray(facts[name]) for name in ("cost", "tariff", "stiffness", "max_surcharge")}
    money = {name: value.tolist() for name, value in money.items()}
    other = se.make_game(ID, temperature=5.0, **money)
    assert other.facts["reference"]["value"] == pytest.approx(1714.0)
    assert se.solve(other, 100 * BEST).leader_value == pytest.approx(100 * se.solve(one, BEST).leader_value)


def test_played_under_the_best_surcharges_it_earns_the_closed_form():
    # A sound game fails with probability 1e-4; the seeds are fixed.
    game = se.make_game(ID)
    policy, rng = se.soft_best_response(game, BEST).policy[:, 0], np.random.default_rng(0)
    env, returns = se.parallel_env(ID), []
    for seed in range(150):
        env.reset(seed=seed)
        env.step({"leader_0": BEST.astype(np.float32)})
        earned, load = 0.0, 0.0
        while env.agents:
            state = int(env.session.states[0])
            choice = int(rng.choice(25, p=policy[state]))
            hour, units = hour_of(state, 12)
            load += game.facts["demand"][hour] + 0.2 * (choice - 12 if hour < 5 else -units)
            _, rewards, *_ = env.step({"follower_0": choice})
            earned += rewards["leader_0"]
        assert load == pytest.approx(game.facts["demand"].sum())
        returns.append(earned)
    room = norm.ppf(1 - 0.5e-4) * np.std(returns) / np.sqrt(len(returns))
    assert abs(np.mean(returns) - 17.14) <= room


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"demand": [1.0], "cost": [1.0]}, "demand: expected a load for each of two or more hours"),
        ({"cost": [1.0, 2.0]}, "cost: expected shape"),
        ({"stiffness": 0.0}, "stiffness: expected a number greater than 0"),
        ({"max_surcharge": -1.0}, "max_surcharge: expected a number greater than 0"),
        ({"step": 0.0}, "step: expected a number greater than 0"),
        ({"step": 1e-9}, "demand, step: expected at most"),
        ({"step": 1e-140}, "demand, step: expected at most"),
    ],
)
def test_what_is_no_day_is_refused(arguments, words):
    with pytest.raises(GameError, match=words):
        se.make_game(ID, **arguments)
