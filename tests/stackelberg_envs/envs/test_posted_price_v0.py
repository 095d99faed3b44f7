"""Posted prices through the public interface: a quarter, at a half."""

import numpy as np
import pytest
from scipy.stats import norm

import stackelberg_envs as se
from stackelberg_envs.errors import GameError

ID = "stackelberg/PostedPrice-v0"


def test_the_optimum_with_errors_is_the_closed_form():
    found = se.best_commitment(se.make_game(ID))
    assert found.value == pytest.approx(0.25, abs=1e-7)
    assert found.commitment == pytest.approx([0.5], abs=1e-4)


@pytest.mark.parametrize("price", [0.3, 0.5, 0.8])
def test_revenue_is_that_of_the_demand_without_steps(price):
    assert se.solve(se.make_game(ID), [price]).leader_value == pytest.approx(price * (1 - price), abs=1e-6)


def test_played_at_the_best_price_it_earns_a_quarter():
    # A sound game fails with probability 1e-4; the seeds are fixed.
    env, returns = se.parallel_env(ID), []
    for seed in range(1000):
        env.reset(seed=seed)
        env.step({"leader_0": np.array([0.5], np.float32)})
        value = env.game.facts["worth"][env.session.context]
        returns.append(env.step({"follower_0": int(value > 0.5)})[1]["leader_0"])
    assert abs(np.mean(returns) - 0.25) <= norm.ppf(1 - 0.5e-4) * np.std(returns) / np.sqrt(len(returns))


def test_with_few_values_and_no_errors_the_seller_gains_half_a_step():
    # Below 0.375 three of four buy, at just 0.625 two do: 0.3125.
    found = se.best_commitment(se.make_game(ID, values=4, temperature=0.0005))
    assert 0.305 < found.value < 0.3125


def test_no_values_are_refused():
    with pytest.raises(GameError, match="values: expected an integer of at least 1"):
        se.make_game(ID, values=0)
