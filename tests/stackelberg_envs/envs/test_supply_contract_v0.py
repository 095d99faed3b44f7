"""Supply contract: textbook orders, contracts that make two firms one, and the numbers of its page."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError, GameError
from stackelberg_envs.play.rollout import rollout
from stackelberg_envs.solvers.solving import solve

CONTRACT = "stackelberg/SupplyContract-v0"


def orders(game, x):
    """Return what a shop that makes no errors orders on its first day, and what the supplier gets from it."""
    response = se.hard_best_response(game, x).policy
    return int(np.argmax(response[0, 0])), solve(game, x).leader_value


@pytest.mark.parametrize("wholesale", [3.5, 5.0, 6.2, 8.0])
def test_in_one_week_the_shop_orders_the_critical_fractile(wholesale):
    # The newsvendor: the least q of which P(demand <= q) is at least (price - wholesale) / (price - buy-back).
    game = se.make_game(CONTRACT, weeks=1, holding=0.0, temperature=1e-3)
    below = np.cumsum(game.facts["season"].demand)
    for buy_back in (0.0, 2.0):
        expected = int(np.searchsorted(below, (10.0 - wholesale) / (10.0 - buy_back)))
        assert orders(game, [wholesale, buy_back, 0.0])[0] == expected


def test_one_owner_of_both_orders_by_cost_and_salvage():
    game = se.make_game(CONTRACT, weeks=1, holding=0.0, cost=4.0, salvage=2.0)
    season = game.facts["season"]
    demand, came = season.demand, np.arange(9)
    best = int(np.searchsorted(np.cumsum(demand), (10.0 - 4.0) / (10.0 - 2.0)))
    profit = demand @ (10.0 * np.minimum(came, best) + 2.0 * np.maximum(best - came, 0)) - 4.0 * best
    assert game.facts["centralised_value"] == pytest.approx(profit)


@pytest.mark.parametrize("kept", [0.1, 0.4])
def test_a_contract_that_shares_everything_evenly_makes_the_two_firms_one(kept):
    game = se.make_game(CONTRACT, holding=0.0, temperature=1e-4)
    value = solve(game, [kept * 3.0, kept * 1.0, 1.0 - kept]).leader_value
    assert value == pytest.approx((1.0 - kept) * game.facts["centralised_value"], abs=1e-2)
    assert value < (1.0 - kept) * game.facts["centralised_value"] + 1e-9


def test_no_contract_gives_the_leader_more_than_one_owner_has():
    rng = np.random.default_rng(0)
    for temperature in (0.05, 0.5, 5.0):
        game = se.make_game(CONTRACT, temperature=temperature)
        together = game.facts["centralised_value"]
        for _ in range(5):
            x = rng.uniform(game.commitment.low, game.commitment.high)
            solution = solve(game, x)
            # Who can order nothing loses nothing by a contract, but for careless orders.
            assert solution.leader_value <= together + temperature * 4 * np.log(11)
        assert solve(game, game.facts.get("best_commitment", [2.56, 2.5, 0.66])).leader_value < together


def test_what_the_two_have_together_depends_on_orders_only():
    game = se.make_game(CONTRACT)
    one, other = (game.primitives(x) for x in ([0.0, 0.0, 0.0], [7.0, 3.0, 0.4]))
    both = (each.leader_reward + each.follower_reward for each in (one, other))
    np.testing.assert_allclose(*both, atol=1e-12)


def test_the_hypergradient_is_that_of_differences():
    game, x, step = se.make_game(CONTRACT), np.array([4.0, 1.5, 0.3]), 1e-5
    expected = [
        (solve(game, x + step * unit).leader_value - solve(game, x - step * unit).leader_value) / (2 * step)
        for unit in np.eye(3)
    ]
    np.testing.assert_allclose(solve(game, x).gradient, expected, rtol=1e-6)


def test_numbers_of_the_page():
    game = se.make_game(CONTRACT)
    assert game.facts["centralised_value"] == pytest.approx(103.872551, abs=1e-6)
    assert game.facts["best_known"] == pytest.approx(84.381946, abs=1e-6)
    even = se.make_game(CONTRACT, holding=0.0, temperature=1e-3)
    assert even.facts["centralised_value"] == pytest.approx(108.289, abs=1e-3)
    assert solve(even, [0.3, 0.1, 0.9]).leader_value == pytest.approx(97.456, abs=1e-3)


def test_what_is_played_is_worth_what_is_solved():
    # One false alarm in 147,000: 4.5 standard errors.
    game = se.make_game(CONTRACT)
    x = game.facts["best_commitment"]
    played = rollout(game.under(x), solve(game, x).response, np.random.default_rng(5), episodes=4_000)
    returns = played.returns(1.0)
    error = returns.std(ddof=1) / np.sqrt(len(returns))
    assert abs(returns.mean() - game.facts["best_known"]) < 4.5 * error


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"cost": 11.0}, ArgumentError, "cost: expected a number between salvage, 1, and price, 10, got 11"),
        ({"salvage": 3.0}, ArgumentError, "cost: expected a number between salvage, 3,"),
        ({"weeks": 0}, ArgumentError, "weeks: expected an integer of at least 1, got 0"),
        ({"shelf": 0}, ArgumentError, "shelf: expected"),
        ({"customers": -1}, ArgumentError, "customers: expected"),
        ({"customers": 10_001}, ArgumentError, "customers: expected at most 10000 people, got 10001"),
        ({"weeks": 10**7}, ArgumentError, "weeks, shelf: expected at most"),
        ({"shelf": 10**4}, ArgumentError, "weeks, shelf: expected at most"),
        ({"price": 0.0}, GameError, "price: expected"),
        ({"temperature": 0.0}, GameError, "temperature: expected"),
    ],
)
def test_what_makes_no_contract_is_refused(changes, error, match):
    with pytest.raises(error, match=match):
        se.make_game(CONTRACT, **changes)


def test_another_temperature_needs_another_game():
    game = se.make_game(CONTRACT)
    with pytest.raises(GameError, match=r"temperature: expected 0\.5, for which .*, got 5"):
        game.replace(temperature=5.0)


def test_costs_are_numbers_wherever_the_game_is_made():
    with pytest.raises(GameError, match="cost: expected a finite number, got 'much'"):
        se.supply_contract_v0.make_game(cost="much")


def test_sizes_are_those_asked_for():
    game = se.make_game(CONTRACT, weeks=2, shelf=3, customers=4, price=8.0)
    assert game.shape == (9, 1, 4)
    assert game.commitment.high.tolist() == [8.0, 8.0, 1.0]


def test_orders_that_do_not_fit_are_as_if_they_were_not_there():
    game, x = se.make_game(CONTRACT), [4.0, 1.5, 0.25]
    stock = np.append(np.tile(np.arange(11), 4), 10)
    fits = stock[:, None] + np.arange(11) <= 10
    alike = np.where(fits & (stock[:, None] + np.arange(11) == 10), stock[:, None] + 1, 1)
    masked = game.replace(
        feasible=fits, follower_reward=game.follower_reward + game.temperature * np.log(alike)[:, None]
    )
    assert solve(game, x).leader_value == pytest.approx(solve(masked, x).leader_value, rel=1e-12)
    np.testing.assert_allclose(solve(game, x).best.state_values, solve(masked, x).best.state_values, rtol=1e-12)
