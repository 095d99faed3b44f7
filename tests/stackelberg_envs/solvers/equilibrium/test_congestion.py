import time

import numpy as np
import pytest

from stackelberg_envs.envs.toll_routing.networks import checked_network, named_network
from stackelberg_envs.errors import ConvergenceError
from stackelberg_envs.solvers.equilibrium import congestion
from stackelberg_envs.solvers.equilibrium.congestion import load, traffic_equilibrium

#: Of the published user equilibrium of Sioux Falls (average excess cost 3.9e-15), total travel time and some flows.
SIOUX_FALLS_TIME = 7480225.344921
SIOUX_FALLS_FLOWS = {(0, 1): 4494.6576464564205, (8, 9): 21744.076080176768, (15, 16): 11695.002916533696}


@pytest.mark.parametrize(("power", "toll", "cost"), [(1, 0.5, 0.75), (2, 2 / 3, 0.615), (4, 0.8, 0.465)])
def test_pigou_with_its_marginal_toll(power, toll, cost):
    """Closed form, as the temperature falls: the toll is the delay that the last traveller makes for all others."""
    network, _ = named_network("pigou", power)
    tolls = np.array([0.0, toll])
    free, tolled = (traffic_equilibrium(network, x, 1e-4).total_time for x in (0 * tolls, tolls))
    assert free == pytest.approx(1.0, abs=1e-3)
    assert tolled == pytest.approx(cost, abs=6e-4)


def test_braess_with_a_toll_on_the_short_cut():
    network, _ = named_network("braess", 1)
    values = [traffic_equilibrium(network, np.array([0, 0, 0, 0, x]), 1e-4).total_time for x in (0.0, 0.5)]
    assert values == pytest.approx([2.0, 1.5], abs=2e-3)


def test_two_routes_are_a_logit_by_hand():
    """By a second method: bisection on what part of the traffic takes the congested road of Pigou."""
    network, _ = named_network("pigou", 2)
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2.0
        wanted = 1.0 / (1.0 + np.exp((middle**2 + 0.3 - 1.0) / 0.2))
        low, high = (middle, high) if wanted > middle else (low, middle)
    assert traffic_equilibrium(network, np.array([0.0, 0.3]), 0.2).flows[1] == pytest.approx(low, abs=1e-12)


def test_iterating_on_flows_by_hand_leads_to_the_same_traffic():
    """By a second method: averages of flows that answer flows, as textbooks have it; no derivative."""
    network, _ = named_network("sioux_falls", 1)
    found = traffic_equilibrium(network, np.zeros(76), 1.0)
    flows = found.flows * np.random.default_rng(0).uniform(0.8, 1.2, size=76)
    for step in range(600):
        answer = load(network, network.latencies(flows), 1.0).flows
        flows = flows + (answer - flows) / (step + 8.0)
    np.testing.assert_allclose(flows, found.flows, rtol=5e-3)


def test_sioux_falls_comes_to_the_published_user_equilibrium_as_the_temperature_falls():
    network, _ = named_network("sioux_falls", 1)
    start, gaps = None, []
    for temperature in (0.1, 0.05, 0.02, 0.01):
        found = traffic_equilibrium(network, np.zeros(76), temperature, start=start)
        start = found.flows
        gaps.append(SIOUX_FALLS_TIME - found.total_time)
        assert found.residual < 1e-12
    assert gaps[0] > gaps[1] > gaps[2] > gaps[3] > 0.0
    assert gaps[-1] < 4e-4 * SIOUX_FALLS_TIME
    for (tail, head), flow in SIOUX_FALLS_FLOWS.items():
        link = np.flatnonzero((network.tails == tail) & (network.heads == head))[0]
        assert found.flows[link] == pytest.approx(flow, abs=50.0)


def test_sioux_falls_is_solved_within_a_second():
    network, _ = named_network("sioux_falls", 1)
    traffic_equilibrium(network, np.zeros(76), 0.5)  # imports
    spent = []
    for _ in range(2):
        begun = time.process_time()
        found = traffic_equilibrium(network, np.zeros(76), 0.5)
        spent.append(time.process_time() - begun)
    assert found.residual < 1e-10
    assert min(spent) < 1.0


@pytest.mark.parametrize(
    ("name", "power", "temperature"),
    [("pigou", 2, 0.2), ("pigou", 0.5, 0.2), ("braess", 1, 0.05), ("sioux_falls", 1, 0.5)],
)
def test_derivatives_by_the_tolls_are_those_of_finite_differences(name, power, temperature):
    network, _ = named_network(name, power)
    E = len(network.tails)
    rng = np.random.default_rng(1)
    tolls, change, weights = 0.3 + 0.2 * rng.uniform(size=E), rng.normal(size=E), rng.normal(size=E)
    found = traffic_equilibrium(network, tolls, temperature)
    ends = [
        traffic_equilibrium(network, tolls + sign * 1e-5 * change, temperature, tolerance=1e-14, start=found.flows)
        for sign in (1, -1)
    ]
    time_slope, latency_slope = (
        (of(ends[0]) - of(ends[1])) / 2e-5
        for of in (lambda each: each.total_time, lambda each: each.latencies @ weights)
    )
    assert found.total_time_gradient @ change == pytest.approx(time_slope, rel=1e-6)
    assert found.latency_vjp(weights) @ change == pytest.approx(latency_slope, rel=1e-6)


def test_travellers_may_differ_in_the_links_they_can_take():
    """Node 1 may be passed by travellers to 2 but not by those to 3."""
    demand = np.zeros((4, 4))
    demand[0, 2] = demand[0, 3] = 1.0
    given = {"tails": [0, 1, 0, 2], "heads": [1, 2, 2, 3], "base": [1, 1, 2, 1], "slope": [0, 0, 0, 0]}
    network = checked_network(given | {"power": [1, 1, 1, 1], "demand": demand})
    free = load(network, network.base, 1.0)
    assert free.by_destination[:, 0] == pytest.approx([0.5, 0.5])
    network.usable.flags.writeable = True
    network.usable[1, 0] = False
    bound = load(network, network.base, 1.0)
    assert bound.by_destination[:, 0] == pytest.approx([0.5, 0.0])


def test_driving_in_circles_is_refused():
    network, _ = named_network("sioux_falls", 1)
    with pytest.raises(ConvergenceError, match="driving in circles"):
        traffic_equilibrium(network, np.zeros(76), 50.0)


def test_an_empty_road_of_a_power_below_one_moves_nobody():
    """The derivative of a root has no bound at 0; nobody is there, so nothing depends on it."""
    found = traffic_equilibrium(named_network("pigou", 0.5)[0], np.array([0.0, 1000.0]), 0.5)
    assert found.flows[1] == 0.0
    assert (found.total_time_gradient == 0.0).all()


def test_what_does_not_converge_raises_with_its_residual(monkeypatch):
    monkeypatch.setattr(congestion, "NEWTON_STEPS", 1)
    network, _ = named_network("sioux_falls", 1)
    with pytest.raises(ConvergenceError, match=r"a residual of .* of all traffic"):
        traffic_equilibrium(network, np.zeros(76), 0.1)


def test_what_is_ahead_is_worth_the_log_sum_of_all_routes():
    network, costs = named_network("pigou", 1.0)[0], np.array([1.0, 0.7])
    values = load(network, costs, 0.3).values
    np.testing.assert_allclose(values, [[0.3 * np.log(np.exp(-costs / 0.3).sum()), 0.0]], atol=1e-12)
