import itertools

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import GameError
from stackelberg_envs.play.rollout import rollout

ID = "stackelberg/TollRouting-v0"
#: Pigou's p -> the marginal toll and the mean time under it.
PIGOU = {1.0: (0.5, 0.75), 2.0: (2 / 3, 0.615), 4.0: (0.8, 0.465)}


def game(**arguments):
    return se.make_game(ID, **arguments)


def near_optimum(played):
    """Tolls under which Pigou's traffic splits at best, at the game's temperature: the second road's alone."""
    power = played.commitment.network.power[1]
    share = (1.0 / (power + 1.0)) ** (1.0 / power)
    return [0.0, 1.0 - share**power - played.temperature * np.log(share / (1.0 - share))]


@pytest.mark.parametrize("power", PIGOU)
def test_pigou_with_its_marginal_toll_as_the_temperature_falls(power):
    toll, cost = PIGOU[power]
    cold = game(power=power, temperature=1e-3)
    assert -se.solve(cold, [0.0, toll]).leader_value == pytest.approx(cost, abs=1e-3)
    assert -se.solve(cold, [0.0, 0.0]).leader_value == pytest.approx(1.0, abs=8e-3)


def test_braess_with_a_toll_on_the_short_cut_as_the_temperature_falls():
    cold = game(network="braess", temperature=1e-3)
    without, with_toll = (-se.solve(cold, [0.0, 0.0, 0.0, 0.0, x]).leader_value for x in (0.0, 0.5))
    assert without == pytest.approx(2.0, abs=0.02)
    assert with_toll == pytest.approx(1.5, abs=1e-3)


def test_sioux_falls_without_tolls_as_the_temperature_falls():
    """The published user equilibrium: 7,480,225 in all."""
    free = [-se.solve(game(network="sioux_falls", temperature=t), np.zeros(76)).leader_value for t in (0.2, 0.1)]
    wardrop = 7480225.3449 / 360600.0
    assert free[0] < free[1] < wardrop
    assert free[1] == pytest.approx(wardrop, rel=4e-3)


@pytest.mark.parametrize(("arguments", "tolls"), [({"power": 2.0}, None), ({"network": "braess"}, [0, 0, 0, 0, 0.5])])
def test_the_best_commitment_played_earns_its_value(arguments, tolls):
    """Means of 4,000 trips against exact values: a false alarm in some 15,000 runs."""
    made = game(**arguments)
    x = np.array(near_optimum(made) if tolls is None else tolls, dtype=float)
    solved = se.solve(made, x)
    returns = rollout(made.under(x), solved.response, np.random.default_rng(1), episodes=4000).returns(1.0)
    assert abs(returns.mean() - solved.leader_value) < 4.0 * returns.std() / np.sqrt(4000) + 1e-12
    if tolls is None:
        assert solved.leader_value == pytest.approx(made.facts["reference"]["value"], abs=1e-9)


@pytest.mark.parametrize(("network", "D"), [("pigou", 2), ("braess", 5), ("sioux_falls", 76)])
def test_a_traveller_does_what_all_others_do_and_the_gradient_goes_through_the_traffic(network, D):
    """By a second method: choices and times of the traffic, which is solved in flows and not in values."""
    made = game(network=network)
    rng = np.random.default_rng(0)
    x, change = 0.4 * rng.uniform(size=D), rng.normal(size=D)
    solved, traffic = se.solve(made, x), made.commitment.traffic(x)
    total = made.commitment.network.total
    assert solved.leader_value == pytest.approx(-traffic.total_time / total, rel=1e-9)
    taken = made.commitment.open_links
    links = np.broadcast_to(made.commitment.links, taken.shape)[taken]
    contexts = np.nonzero(taken)[0]
    found = solved.response.reshape(taken.shape)[taken]
    np.testing.assert_allclose(found, traffic.loading.probabilities[contexts, links], atol=1e-8)
    assert solved.gradient @ change == pytest.approx(-traffic.total_time_gradient @ change / total, rel=1e-6)
    ends = [se.solve(made, x + sign * 1e-4 * change).leader_value for sign in (1, -1)]
    assert solved.gradient @ change == pytest.approx((ends[0] - ends[1]) / 2e-4, rel=2e-5)


def test_few_commuters_come_to_the_continuum():
    """Each of n carries a part of 1/n: what chance does to the traffic, and each to its own road, falls like that."""
    x, many = [0.0, 0.5], -se.solve(game(temperature=0.3), [0.0, 0.5]).leader_value
    gaps = [-se.solve(game(temperature=0.3, commuters=n), x).leader_value - many for n in (2, 4, 8)]
    assert all(0.4 < later / earlier < 0.6 for earlier, later in itertools.pairwise(gaps))
    braess = game(network="braess", commuters=2, temperature=0.3)
    assert (braess.kind, braess.shape, braess.num_followers) == ("markov", (1, 3, 9), 2)


def test_commuters_meet_each_other_in_play():
    env = se.followers_env(ID, commuters=2)
    env.reset(seed=0)
    assert env.step({"follower_0": 1, "follower_1": 1})[1] == {"follower_0": -1.0, "follower_1": -1.0}
    env.reset(seed=0)
    assert env.step({"follower_0": 1, "follower_1": 0})[1] == {"follower_0": -0.5, "follower_1": -1.0}
    se.check_game(env.unwrapped.game)


def test_a_network_of_ones_own_and_tolls_on_some_roads():
    given = {"tails": [0, 0], "heads": [1, 1], "base": [1.0, 0.0], "slope": [0.0, 0.5], "power": [1.0, 1.0]}
    made = game(network={**given, "demand": [[0.0, 2.0], [0.0, 0.0]]}, tolled=[1], temperature=0.01)
    assert made.commitment.names == ("0-1 (1)",) or made.commitment.shape == (1,)
    assert -se.solve(made, [0.5]).leader_value == pytest.approx(0.75, abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"network": "paris"}, "expected one of pigou, braess, sioux_falls"),
        ({"network": {"demand": [[1.0]]}}, "expected a dict with tails, heads"),
        ({"tolled": [2]}, r"tolled: expected different roads in 0..1, got \[2\]"),
        ({"tolled": [0, 0]}, "expected different roads"),
        ({"tolled": []}, r"tolled: expected different roads in 0..1, got \[\]"),
        ({"network": "braess", "power": 2.0}, "power: expected 1 on networks other than 'pigou'"),
        ({"power": 0.0}, "power: expected a number greater than 0"),
        ({"max_toll": -1.0}, "max_toll"),
        ({"network": "sioux_falls", "commuters": 2}, "one origin and one destination, got 528 pairs"),
        ({"network": "braess", "commuters": 15}, "expected tables of at most"),
    ],
)
def test_what_is_no_network_is_refused_by_name(arguments, message):
    with pytest.raises(GameError, match=message):
        game(**arguments)


def test_changing_the_list_of_roads_changes_no_game():
    tolled = np.array([1])
    made = game(tolled=tolled)
    tolled[0] = 0
    assert made.commitment.tolled.tolist() == [1]


def test_another_temperature_of_a_traveller_alone_is_refused():
    with pytest.raises(
        GameError, match=r"temperature: expected 0\.05, for which this game's rewards or its commitment"
    ):
        game().replace(temperature=0.1)
    assert game(commuters=2).replace(temperature=0.1).temperature == 0.1


def test_the_game_passes_its_checks():
    se.check_game(game(network="braess"))
