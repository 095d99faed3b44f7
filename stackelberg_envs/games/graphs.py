"""Games on graphs: tolls on roads, and patrols of places.

A graph is one of networkx, directed or not; nothing of networkx is imported for it. Places are the graph's nodes, in
its order, and the names of the entries of commitments are those of nodes and edges.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np

from stackelberg_envs.arrays import (
    Array,
    require_at_least,
    require_number,
    require_positive,
    require_share,
    require_text,
)
from stackelberg_envs.errors import GameError
from stackelberg_envs.games.commitments.base import Effect, SimplexRows
from stackelberg_envs.games.commitments.transfer import Transfer
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.tabular import DEFAULT_HORIZON, TabularGame
from stackelberg_envs.games.transitions import Transition

__all__ = ["Patrol", "patrol_game", "toll_game"]

Node = Hashable
Edge = tuple[Any, Any]


def toll_game(
    graph: Any,
    origin: Node,
    destination: Node,
    *,
    time: str = "time",
    harm: str = "harm",
    tolled: Iterable[Edge] | None = None,
    max_toll: float = 1.0,
    share: float = 1.0,
    waiting: float | None = None,
    temperature: float = 0.05,
    leader_discount: float = 0.99,
    follower_discount: float = 0.99,
    horizon: int = DEFAULT_HORIZON,
    name: str = "toll game",
) -> TabularGame:
    """Return the game of a commuter on a road map, whose roads the leader sets tolls on.

    The commuter is at a node and takes one of the roads from there, at the cost of its time and its toll. Where a node
    has fewer roads than another has, the actions that are left over wait there for a step. At the destination the
    trip is over. The leader earns its share of the tolls, less the harm done on each road.

    Parameters
    ----------
    graph
        A graph of networkx. On the roads of an undirected one commuters drive either way, for one toll.
    origin, destination
        Nodes.
    time, harm
        Attributes of edges: how long a road takes, which every edge needs, and what its use costs the leader, by
        default 0; reward units.
    tolled
        The edges that have a toll; default all.
    max_toll
        Upper bound of every toll.
    share
        Part of the tolls that the leader receives.
    waiting
        Cost of a step of waiting; default the longest time of a road.
    temperature, leader_discount, follower_discount, horizon, name
        As of :class:`stackelberg_envs.TabularGame`.

    Raises
    ------
    GameError
        No graph, nodes or edges that it does not have, no way to the destination, an edge without a time of at
        least 0, a negative cost of waiting, or a share outside [0, 1]; the message names it.

    Examples
    --------
    >>> import networkx as nx, stackelberg_envs as se
    >>> roads = nx.DiGraph()
    >>> roads.add_edge("home", "work", time=0.4, harm=0.3)
    >>> roads.add_edge("home", "bridge", time=0.3)
    >>> roads.add_edge("bridge", "work", time=0.3)
    >>> game = se.toll_game(roads, "home", "work")
    >>> game.commitment.names
    ('home-work', 'home-bridge', 'bridge-work')
    >>> round(se.best_commitment(game).value, 2)
    0.75
    """
    for given, what in ((time, "time"), (harm, "harm")):
        require_text(given, what)
    places = _places(graph)
    start, goal = (_place(places, node, what) for node, what in ((origin, "origin"), (destination, "destination")))
    roads = _roads(graph, places)
    _require_way(roads, start, goal, destination)
    times = {edge: _time(graph, edge, time) for edge in graph.edges}
    harms = {edge: _attribute(graph, edge, harm, 0.0) for edge in graph.edges}
    numbers = _numbered(graph, graph.edges if tolled is None else tolled)
    S, B, D = len(places), max(len(ways) for s, ways in enumerate(roads) if s != goal), len(numbers)
    cost = max(times.values()) if waiting is None else require_at_least(waiting, 0.0, "waiting", GameError)
    landing, spent = np.tile(np.arange(S)[:, None], (1, B)), np.full((S, B), float(cost))
    hurt, features = np.zeros((S, B)), np.zeros((S, 1, B, D))
    spent[goal] = 0.0
    for s, ways in enumerate(roads):
        for b, (end, edge) in enumerate(ways if s != goal else ()):
            landing[s, b], spent[s, b], hurt[s, b] = end, times[edge], harms[edge]
            if edge in numbers:
                features[s, 0, b, numbers[edge]] = 1.0
    names = [f"{u}-{v}" for u, v in numbers]
    return TabularGame(
        transition=Transition.from_lists(landing[:, None, :, None], np.ones((S, 1, B, 1))),
        follower_reward=-spent[:, None],
        leader_reward=-hurt[:, None],
        initial=np.eye(S)[start],
        terminal=np.eye(S)[goal],
        leader_discount=leader_discount,
        follower_discount=follower_discount,
        temperature=temperature,
        commitment=Transfer(features, 0.0, require_positive(max_toll, "max_toll"), share, names),
        horizon=horizon,
        name=name,
        facts={"states": tuple(map(str, places))},
    )


class Patrol(SimplexRows):
    """Where the leader patrols: x is the part of the time that it is at each place, shape (1, places).

    Parameters
    ----------
    features
        What is paid per unit of presence at each place, shape (S, A, B, places): the follower pays it.
    share
        Part of it that the leader receives.
    names
        Of the places.
    """

    changes = Transfer.changes
    always_fits = True

    def __init__(self, features: Array, share: float, names: list[str]) -> None:
        self.fines = Transfer(features, 0.0, 1.0, share)
        super().__init__(0.0, 1.0, (1, self.fines.low.size), names)

    def effect(self, x: Array) -> Effect:
        """Return the fines."""
        return self.fines.effect(x[0])

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return dJ/dx from the fines."""
        return self.fines.vjp(x[0], cotangents)[None]


def patrol_game(
    graph: Any,
    entry: Node,
    targets: Mapping[Node, float],
    *,
    fine: float = 1.0,
    share: float = 0.0,
    step_cost: float = 0.1,
    temperature: float = 0.02,
    leader_discount: float = 0.99,
    follower_discount: float = 0.99,
    horizon: int = DEFAULT_HORIZON,
    name: str = "patrol game",
) -> TabularGame:
    """Return the game of an intruder on a map, of which the leader says how much of its time it patrols each place.

    The intruder enters at a node and each step moves along an edge, or strikes at a target where it is, which ends its
    visit. A strike gains it what the target is worth, and the leader loses that. Wherever it is, it meets the patrol
    with the probability that the patrol is there, and then pays a fine and goes on.

    Parameters
    ----------
    graph
        A graph of networkx.
    entry
        The node where the intruder begins.
    targets
        Node -> what a strike there is worth, reward units.
    fine
        What the intruder pays when it meets the patrol.
    share
        Part of the fines that the leader receives.
    step_cost
        What each step costs the intruder. It has to be more than what the entropy of a step is worth to it, at most the
        temperature times the logarithm of the number of actions, or the intruder wanders about for ever.
    temperature, leader_discount, follower_discount, horizon, name
        As of :class:`stackelberg_envs.TabularGame`.

    Returns
    -------
    TabularGame
        One state per place, and one more, the last, where the intruder is gone. x is one row of shares, (1, places).

    Raises
    ------
    GameError
        No graph, nodes that it does not have, a target that cannot be reached or is worth less than nothing, a
        negative cost of a step, or a share outside [0, 1].

    Examples
    --------
    >>> import networkx as nx, stackelberg_envs as se
    >>> game = se.patrol_game(nx.path_graph(3), entry=1, targets={0: 1.0, 2: 1.5})
    >>> game.shape, game.commitment.shape
    ((4, 1, 3), (1, 3))
    """
    places = _places(graph)
    start = _place(places, entry, "entry")
    given: object = targets
    if not isinstance(given, Mapping) or not given:
        raise GameError(f"targets: expected a dict of nodes and what they are worth, got {targets!r:.60}")
    worth = {
        _place(places, node, "targets"): require_at_least(value, 0.0, f"targets[{node!r}]", GameError)
        for node, value in targets.items()
    }
    roads = _roads(graph, places)
    lost = [places[s] for s in worth if s not in _reached(roads, start)]
    if lost:
        raise GameError(f"targets: expected nodes that can be reached from {entry!r}, got {lost[0]!r}")
    S, N, B = len(places) + 1, len(places), 1 + max(map(len, roads))
    landing, gain = np.tile(np.arange(S)[:, None], (1, B)), np.zeros((S, B))
    for s, ways in enumerate(roads):
        for b, (end, _) in enumerate(ways):
            landing[s, b] = end
        if s in worth:
            landing[s, B - 1], gain[s, B - 1] = S - 1, worth[s]
    here = np.eye(S, N)
    features = require_positive(fine, "fine") * np.broadcast_to(here[:, None, None], (S, 1, B, N))
    gone = np.eye(S)[-1]
    cost = require_at_least(step_cost, 0.0, "step_cost", GameError) * (1.0 - gone)
    return TabularGame(
        transition=Transition.from_lists(landing[:, None, :, None], np.ones((S, 1, B, 1))),
        follower_reward=(gain - cost[:, None])[:, None],
        leader_reward=-gain[:, None],
        initial=np.eye(S)[start],
        terminal=gone,
        leader_discount=leader_discount,
        follower_discount=follower_discount,
        temperature=temperature,
        commitment=Patrol(features, require_share(share, "share"), [str(node) for node in places]),
        horizon=horizon,
        name=name,
        facts={"states": (*map(str, places), "gone")},
    )


def _places(graph: Any) -> list[Node]:
    """Return the nodes of a graph, or raise."""
    parts = ("nodes", "edges", "adj", "is_directed", "is_multigraph")
    if isinstance(graph, type) or not all(hasattr(graph, part) for part in parts):
        raise GameError(f"graph: expected a graph of networkx, got {type(graph).__name__}")
    if graph.is_multigraph():
        raise GameError(
            "graph: expected at most one edge between two nodes, got a multigraph; put a node into one of them"
        )
    if not len(graph.edges):
        raise GameError("graph: expected at least one edge, got none")
    return list(graph.nodes)


def _place(places: list[Node], node: Any, what: str) -> int:
    # Whatever can be a node can be hashed, and what cannot may not be comparable.
    if not isinstance(node, Hashable) or node not in places:
        raise GameError(f"{what}: expected a node of the graph, got {node!r}")
    return places.index(node)


def _roads(graph: Any, places: list[Node]) -> list[list[tuple[int, Edge]]]:
    """Return where the edges of each node lead to, and each edge as the graph names it."""
    index, edges = {node: i for i, node in enumerate(places)}, set(graph.edges)
    return [[(index[v], (u, v) if (u, v) in edges else (v, u)) for v in graph.adj[u]] for u in places]


def _reached(roads: list[list[tuple[int, Edge]]], start: int) -> set[int]:
    found, new = {start}, [start]
    while new:
        new = [end for s in new for end, _ in roads[s] if end not in found]
        found.update(new)
    return found


def _require_way(roads: list[list[tuple[int, Edge]]], start: int, goal: int, destination: Node) -> None:
    if goal not in _reached(roads, start) or goal == start:
        raise GameError(f"destination: expected a node that a way leads to from the origin, got {destination!r}")


def _numbered(graph: Any, tolled: Iterable[Edge]) -> dict[Edge, int]:
    """Return the edges that have a toll, as the graph names them, and the number of each."""
    edges = set(graph.edges)
    numbers: dict[Edge, int] = {}
    listed: object = tolled
    if isinstance(listed, str | bytes) or not isinstance(listed, Iterable):
        raise GameError(f"tolled: expected a list of edges, got {tolled!r:.60}")
    given: list[Any] = list(listed)
    for edge in given:
        named = tuple(edge) if isinstance(edge, list | tuple) else (edge,)
        if not all(isinstance(end, Hashable) for end in named):
            raise GameError(f"tolled: expected edges of the graph, got {edge!r}")
        if named not in edges and not graph.is_directed():
            named = named[::-1]
        if named not in edges:
            raise GameError(f"tolled: expected edges of the graph, got {edge!r}")
        numbers.setdefault(named, len(numbers))
    if not numbers:
        raise GameError("tolled: expected at least one edge, got none")
    return numbers


def _attribute(graph: Any, edge: Edge, name: str, default: float | None) -> float:
    value = graph.edges[edge].get(name, default)
    if value is None:
        raise GameError(f"graph: expected an attribute {name!r} of every edge, got none of {edge!r}")
    return require_number(value, f"graph: {name} of {edge!r}")


def _time(graph: Any, edge: Edge, name: str) -> float:
    """Return how long a road takes: who gained by driving would drive in circles."""
    value = _attribute(graph, edge, name, None)
    if value < 0.0:
        raise GameError(f"graph: {name} of {edge!r}: expected a number of at least 0, got {value!r}")
    return value
