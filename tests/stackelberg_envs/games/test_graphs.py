"""Games on graphs are what the graph says."""

import numpy as np
import pytest
from scipy.optimize import minimize

import stackelberg_envs as se
from stackelberg_envs.errors import GameError
from stackelberg_envs.games.commitments.base import finite_difference_vjp
from stackelberg_envs.games.cotangents import Cotangents

nx = pytest.importorskip("networkx")


def roads(directed=True):
    graph = (nx.DiGraph if directed else nx.Graph)()
    graph.add_edge("A", "B", time=0.4)
    graph.add_edge("B", "D", time=0.5, harm=0.2)
    graph.add_edge("A", "C", time=0.3)
    graph.add_edge("C", "D", time=0.9)
    graph.add_edge("A", "D", time=1.5)
    return graph


def test_places_and_tolls_have_the_names_of_nodes_and_edges():
    game = se.toll_game(roads(), "A", "D", max_toll=2.0, name="four places")
    assert (game.name, game.shape, game.facts["states"]) == ("four places", (4, 1, 3), ("A", "B", "D", "C"))
    assert game.commitment.names == ("A-B", "A-C", "A-D", "B-D", "C-D")
    assert game.commitment.high.max() == 2.0
    assert game.terminal.tolist() == [0, 0, 1, 0]
    some = se.toll_game(roads(False), "A", "D", tolled=[("D", "B"), ["A", "C"]])
    assert some.commitment.names == ("B-D", "A-C")
    se.check_game(some)


@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_a_cold_commuter_takes_the_shortest_way_at_time_plus_toll(directed, seed):
    graph = roads(directed)
    game = se.toll_game(graph, "A", "D", temperature=1e-3, follower_discount=0.999999)
    x = np.random.default_rng(seed).uniform(size=game.commitment.shape)
    for (u, v), toll in zip((name.split("-") for name in game.commitment.names), x, strict=True):
        graph.edges[u, v]["cost"] = graph.edges[u, v]["time"] + toll
    shortest = nx.shortest_path_length(graph, "A", "D", weight="cost")
    best = se.hard_best_response(game, x)
    assert -best.state_values[0] == pytest.approx(shortest, abs=1e-5)


def test_the_leader_earns_its_share_of_the_tolls_less_the_harm():
    game = se.toll_game(roads(), "A", "D", share=0.5, temperature=1e-3, leader_discount=0.9)
    x = np.zeros(5)
    x[game.commitment.names.index("A-B")], x[game.commitment.names.index("B-D")] = 0.05, 0.2
    assert se.solve(game, x).leader_value == pytest.approx(0.5 * 0.05 + 0.9 * (0.5 * 0.2 - 0.2), abs=1e-6)


def test_where_there_are_fewer_roads_the_rest_wait():
    game = se.toll_game(roads(), "A", "D", waiting=0.25, time="time", harm="none")
    b = game.facts["states"].index("B")
    np.testing.assert_allclose(game.follower_reward[b, 0], [-0.5, -0.25, -0.25])
    np.testing.assert_array_equal(game.transition.successors[b, 0, :, 0], [2, b, b])
    assert not game.leader_reward.any()


def test_patrols_fine_whom_they_meet_and_strikes_end_the_visit():
    game = se.patrol_game(nx.path_graph(3), entry=1, targets={0: 1.0, 2: 1.5}, fine=2.0, share=0.5, step_cost=0.2)
    assert game.shape == (4, 1, 3)
    assert game.facts["states"] == ("0", "1", "2", "gone")
    x = np.array([[0.25, 0.5, 0.25]])
    under = game.primitives(x)
    np.testing.assert_allclose(under.follower_reward[:, 0, 2], [1.0 - 0.2 - 0.5, -0.2 - 1.0, 1.5 - 0.2 - 0.5, 0.0])
    np.testing.assert_allclose(under.leader_reward[:, 0, 2], [-1.0 + 0.25, 0.5, -1.5 + 0.25, 0.0])
    assert game.transition.successors[2, 0, 2, 0] == 3
    se.check_game(game)
    draws = np.random.default_rng(0).standard_normal((2, 4, 1, 3))
    cotangents = Cotangents(follower_reward=draws[0], leader_reward=draws[1])
    found = game.commitment.vjp(x, cotangents)
    np.testing.assert_allclose(found, finite_difference_vjp(game.commitment, x, cotangents), atol=1e-8)


def test_the_best_patrol_is_found_by_another_search_too():
    targets = {0: 1.0, 4: 1.2}
    game = se.patrol_game(nx.path_graph(5), entry=2, targets=targets, temperature=0.1, step_cost=0.3, share=0.2)

    def loss(y):
        shares = np.exp(y - y.max())
        return -se.solve(game, [shares / shares.sum()]).leader_value

    starts = np.random.default_rng(0).normal(size=(6, 5))
    found = -min(minimize(loss, start, method="L-BFGS-B", options={"maxiter": 60}).fun for start in starts)
    assert se.best_commitment(game).value == pytest.approx(found, abs=1e-3)


def lacking():
    graph = roads()
    graph.add_edge("D", "E")
    return graph


def timed(value):
    graph = roads()
    graph.add_edge("A", "B", time=value)
    return graph


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: se.toll_game([("A", "B")], "A", "B"), "graph: expected a graph of networkx, got list"),
        (lambda: se.toll_game(nx.MultiGraph(roads()), "A", "D"), "got a multigraph; put a node into one of them"),
        (lambda: se.toll_game(nx.empty_graph(3), 0, 1), "graph: expected at least one edge, got none"),
        (lambda: se.toll_game(roads(), "X", "D"), "origin: expected a node of the graph, got 'X'"),
        (lambda: se.toll_game(roads(), "A", "X"), "destination: expected a node of the graph, got 'X'"),
        (lambda: se.toll_game(roads(), "D", "A"), "destination: expected a node that a way leads to from the origin"),
        (lambda: se.toll_game(roads(), "A", "A"), "destination: expected a node that a way leads to from the origin"),
        (lambda: se.toll_game(lacking(), "A", "D"), r"an attribute 'time' of every edge, got none of \('D', 'E'\)"),
        (lambda: se.toll_game(timed(-1.0), "A", "D"), r"of \('A', 'B'\): expected a number of at least 0, got -1"),
        (lambda: se.toll_game(roads(), "A", "D", tolled=[("B", "A")]), r"tolled: expected edges of the graph, got"),
        (lambda: se.toll_game(roads(), "A", "D", tolled=[3]), "tolled: expected edges of the graph, got 3"),
        (lambda: se.toll_game(roads(), "A", "D", tolled=[]), "tolled: expected at least one edge, got none"),
        (lambda: se.toll_game(roads(), "A", "D", max_toll=0.0), "max_toll: expected a number greater than 0"),
        (lambda: se.patrol_game(roads(), "X", {"D": 1.0}), "entry: expected a node of the graph, got 'X'"),
        (lambda: se.patrol_game(roads(), "A", ["D"]), "targets: expected a dict of nodes and what they are worth"),
        (lambda: se.patrol_game(roads(), "A", {"X": 1.0}), "targets: expected a node of the graph, got 'X'"),
        (
            lambda: se.patrol_game(roads(), "B", {"A": 1.0}),
            "targets: expected nodes that can be reached from 'B', got 'A'",
        ),
        (lambda: se.patrol_game(roads(), "B", {"D": 1.0, "C": 1.0}), "that can be reached from 'B', got 'C'"),
        (lambda: se.patrol_game(roads(), "A", {"D": -1.0}), r"targets\['D'\]: expected a finite number of at least 0"),
        (lambda: se.patrol_game(roads(), "A", {"D": 1.0}, step_cost=-0.1), "step_cost: expected a finite number of at"),
        (lambda: se.patrol_game(roads(), "A", {"D": 1.0}, share=1.5), r"share: expected a share in \[0, 1\], got 1.5"),
        (lambda: se.patrol_game(nx.DiGraph, "A", {"D": 1.0}), "graph: expected a graph of networkx, got type"),
        (lambda: se.patrol_game(roads(), np.zeros(2), {"D": 1.0}), "entry: expected a node of the graph"),
        (lambda: se.toll_game(roads(), ["A"], "D"), "origin: expected a node of the graph"),
        (lambda: se.toll_game(roads(), "A", "D", share=-0.5), r"share: expected a share in \[0, 1\], got -0.5"),
        (lambda: se.toll_game(roads(), "A", "D", waiting=-1.0), "waiting: expected a finite number of at least 0"),
        (lambda: se.toll_game(roads(), "A", "D", time=["time"]), "time: expected a string"),
        (lambda: se.toll_game(roads(), "A", "D", tolled="AB"), "tolled: expected a list of edges, got 'AB'"),
        (lambda: se.toll_game(roads(), "A", "D", tolled=3), "tolled: expected a list of edges, got 3"),
        (lambda: se.toll_game(roads(), "A", "D", tolled=[(["A"], "B")]), "tolled: expected edges of the graph"),
        (lambda: se.toll_game(timed([1.0, 2.0]), "A", "D"), r"graph: time of \('A', 'B'\): expected a finite number"),
        (lambda: se.toll_game(timed(np.nan), "A", "D"), r"graph: time of \('A', 'B'\): expected a finite number, got"),
        (lambda: se.patrol_game(roads(), "A", {"D": "much"}), r"targets\['D'\]: expected a finite number"),
        (lambda: se.patrol_game(roads(), "A", {"D": 1.0}, fine=0.0), "fine: expected a number greater than 0"),
    ],
)
def test_what_is_no_map_is_refused_by_name(make, words):
    with pytest.raises(GameError, match=words):
        make()
