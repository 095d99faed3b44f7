import numpy as np
import pytest

from stackelberg_envs.envs.toll_routing.networks import checked_network, named_network, towards_destinations
from stackelberg_envs.errors import GameError
from stackelberg_envs.solvers.equilibrium.congestion import traffic_equilibrium

GIVEN = {
    "tails": [0, 1, 0],
    "heads": [1, 2, 2],
    "base": [1.0, 1.0, 3.0],
    "slope": [1.0, 0.0, 0.0],
    "power": [1.0, 1.0, 1.0],
    "demand": [[0.0, 0.0, 2.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]],
}


def test_sioux_falls_is_as_large_as_it_should_be():
    network, names = named_network("sioux_falls", 1.0)
    assert (len(network.tails), network.num_nodes, names[0]) == (76, 24, "1")
    assert network.total == 360600.0
    # A flow at capacity takes 15 percent longer.
    at_capacity = network.latencies((0.15 * network.base / network.slope) ** 0.25)
    np.testing.assert_allclose(at_capacity, 1.15 * network.base)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"demand": [[0.0, 1.0, 1.0]]}, r"demand: expected a square matrix, nodes by nodes, got shape \(1, 3\)"),
        ({"demand": np.zeros((3, 3))}, "expected trips between two nodes, got none"),
        ({"demand": -np.ones((3, 3))}, r"demand: expected numbers of at least 0, got -1.0 from 0 to 0"),
        ({"base": [1.0, -1.0, 1.0]}, r"base: expected numbers of at least 0, got -1.0 of link 1 \(1 to 2\)"),
        ({"slope": [1.0, 1.0]}, r"slope: expected one number for each link, shape \(3,\), got shape \(2,\)"),
        ({"heads": [1, 5, 2]}, r"heads: expected nodes in 0..2, got 5 of link 1"),
        ({"tails": 0}, r"tails: expected one number for each link, shape \(1,\), got shape \(\)"),
        ({"power": [1.0, 1.0, 600.0], "slope": np.ones(3)}, r"expected latencies below .* of link 2 \(0 to 2\)"),
        ({"heads": [1, 1, 1]}, "expected a way for every trip, but none leads from node 0 to 2"),
    ],
)
def test_networks_that_are_none_are_refused_by_place(changes, message):
    with pytest.raises(GameError, match=message):
        checked_network(GIVEN | changes)


def test_entries_that_are_missing_are_named():
    with pytest.raises(GameError, match="expected a dict with tails, heads, base, slope, power, demand, got tails"):
        checked_network({"tails": [0]})
    with pytest.raises(GameError, match="expected one of pigou, braess, sioux_falls"):
        named_network("paris", 1.0)


def test_a_network_without_circles_keeps_all_links_that_lead_somewhere():
    network, _ = named_network("braess", 1.0)
    assert towards_destinations(network, 0.1).usable.all()


def test_towards_destinations_nobody_drives_in_circles_and_the_best_ways_are_kept():
    network, _ = named_network("sioux_falls", 1.0)
    bound = towards_destinations(network, 0.5)
    for usable in bound.usable:
        reach = np.zeros((24, 24))
        reach[network.tails[usable], network.heads[usable]] = 1.0
        assert not np.linalg.matrix_power(reach, 24).any()
    free, kept = (traffic_equilibrium(each, np.zeros(76), 0.2).total_time for each in (network, bound))
    assert kept == pytest.approx(free, rel=1e-5)
    # Warm travellers cannot drive in circles there.
    assert traffic_equilibrium(bound, np.zeros(76), 50.0).residual < 1e-12


#: A way to node 2 whose first link takes no time, and a circle: links 1 and 2 between nodes 1 and 0.
FREE = {
    "tails": [0, 1, 1],
    "heads": [1, 2, 0],
    "base": [0.0, 1.0, 1.0],
    "slope": [0.0, 1.0, 0.0],
    "power": [1.0, 1.0, 1.0],
    "demand": [[0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]],
}


def test_a_link_that_takes_no_time_leads_towards_destinations_too():
    bound = towards_destinations(checked_network(FREE), 0.05)
    assert bound.usable.tolist() == [[True, True, False]]
    assert traffic_equilibrium(bound, np.zeros(3), 0.05).total_time == pytest.approx(2.0)


@pytest.mark.parametrize("seed", range(30))
def test_every_traveller_has_a_way_and_nobody_a_circle(seed):
    """Random networks, half of whose links take no time at first."""
    rng = np.random.default_rng(seed)
    S, E = 5, 14
    tails, steps = rng.integers(S, size=E), rng.integers(1, S, size=E)
    base = rng.integers(0, 2, size=E).astype(float)
    # Links that take no time lead to higher nodes, so that no circle of them exists.
    heads = (tails + steps) % S
    base[heads < tails] = 1.0
    demand = np.zeros((S, S))
    demand[rng.integers(S), rng.integers(S)] = demand[0, S - 1] = 1.0
    given = {"tails": tails, "heads": heads, "base": base, "slope": np.zeros(E), "power": np.ones(E)}
    try:
        network = checked_network(given | {"demand": demand})
    except GameError as exc:
        assert "none leads from node" in str(exc)
        return
    bound = towards_destinations(network, 0.02)
    for d, goal in enumerate(bound.destinations):
        reach = np.zeros((S, S))
        reach[tails[bound.usable[d]], heads[bound.usable[d]]] = 1.0
        assert not np.linalg.matrix_power(reach, S).any()
        ways = sum(np.linalg.matrix_power(reach, n) for n in range(S))
        assert (ways[bound.demand[d] > 0.0, goal] > 0.0).all()


def test_a_circle_that_takes_no_time_is_refused_by_its_link():
    given = FREE | {"base": [0.0, 1.0, 0.0]}
    with pytest.raises(GameError, match=r"on empty roads link 0 \(0 to 1\) is part of a circle that takes none"):
        towards_destinations(checked_network(given), 0.05)
