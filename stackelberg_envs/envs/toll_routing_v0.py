"""Toll routing: tolls on roads that travellers crowd, and that others avoid because of the tolls.

| | |
| --- | --- |
| id | `stackelberg/TollRouting-v0` |
| states S | nodes of the network: 2 (Pigou), 4 (Braess), 24 (Sioux Falls) |
| leader actions A | 1: it only configures |
| follower actions B | the roads that leave a node: up to 2, 2 and 5; others are not feasible |
| contexts K | destinations: 1, 1 and 24, as likely as travellers go there |
| commitment | a toll in [0, ``max_toll``] on each road: shape (2,), (5,) and (76,) |
| horizon | the number of nodes |
| discounts | 1, 1: a trip ends at its destination |
| temperature | 0.05, 0.05 and 0.5, in units of time |

Everybody who takes a road makes it slower for all others, and does not pay for that. In Braess' network a short cut
that costs nothing makes all trips longer, because all take it. A toll can repair it.

What x changes
    What each road costs a traveller: its toll, and its latency under the traffic that all travellers make of these
    tolls.
Dynamics
    A traveller goes from node to node. It may take the roads that lead towards its destination: to nodes that are
    nearer to it in the times of the equilibrium without tolls, or as near and fewer roads away. On networks where
    nobody can drive in circles these are all roads.
Traffic
    There is a continuum of travellers, and the traffic is their logit equilibrium: flows that lead to the costs that
    lead to these flows. It is the only one. A follower is one of them. What it does alone moves no traffic, so it meets
    the equilibrium whatever it does, and its soft best response is what all others do. Why so: a link is as crowded as
    all have made it by the end, which no step knows before, and in a continuum nobody has to.
    With ``commuters=n`` there are n followers instead, who choose whole routes at the same time, each of them a part of
    1/n of the traffic. They do move it, and each other's times. As n grows their equilibrium comes to that of the
    continuum.
Travellers who learn
    ``agents.followers.origin_destination.PairLearners`` has one learner for each pair of origin and destination, 528 on
    Sioux Falls. Each makes trips in the traffic of all, and comes to the logit equilibrium by soft Q-learning; how fast
    is in docs/reference/followers/soft_q_learning.md.
Follower's reward
    Minus the latency and the toll of the road it takes.
Leader's reward
    Minus the latency. It does not keep the tolls: what is paid is not lost to society.
End
    At the destination.
What is known
    Closed form, in the limit of temperature 0: on Pigou's network, latencies 1 and x^p, the toll p / (p + 1) on the
    second road makes the mean time 0.75, 0.615 and 0.465 for p = 1, 2 and 4, and 1 without. On Braess' network a toll
    of 0.5 on the short cut makes it 1.5, and 2 without. On Sioux Falls the mean time without tolls comes to 7,480,225 /
    360,600 = 20.744. With a toll on every road these are the best times at every temperature: tolls bring about any
    split of the traffic. On Sioux Falls the best tolls known make the mean time 19.97, and 20.58 without.
What learning leaders reach
    With defaults, 50 updates of 400 steps, seeds 0 and 1: shares of the way from no tolls to the best known value, as
    ``python benchmarks/untuned.py closed-form-v1 --each`` tells them. `certainty_equivalent`: 100 % on "pigou", 93.4 %
    and 96.3 % on "braess". `bchg`: 99.8 % and 100 %, 93.2 % and 99.2 %.
Arguments
    ``network`` ("pigou", "braess", "sioux_falls", or a dict of a network of your own, see
    :func:`stackelberg_envs.envs.toll_routing.networks.checked_network`), ``power`` (Pigou's p), ``max_toll``,
    ``tolled`` (numbers of the roads with a toll, default all), ``temperature``, ``commuters``,
    ``horizon``.
Sources
    Pigou (1920); Braess (1968); Roughgarden and Tardos (2002); recursive logit: Baillon and Cominetti (2008), Fosgerau,
    Frejinger and Karlstrom (2013). Sioux Falls: LeBlanc, Morlok and Pierskalla (1975), data of Transportation Networks
    for Research (github.com/bstabler/TransportationNetworks).
Version history
    v0: first version.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import as_integers, require_count, require_positive, require_temperature
from stackelberg_envs.envs.toll_routing.commuters import commuters_game
from stackelberg_envs.envs.toll_routing.networks import checked_network, named_network, towards_destinations
from stackelberg_envs.envs.toll_routing.references import reference
from stackelberg_envs.envs.toll_routing.tolls import Tolls
from stackelberg_envs.errors import GameError
from stackelberg_envs.faces.best_known import known_facts
from stackelberg_envs.faces.registration import declare
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.solvers.equilibrium.congestion import Network

#: Of each network, the temperature and the largest toll, in its units of time.
USUAL = {"pigou": (0.05, 1.0), "braess": (0.05, 1.0), "sioux_falls": (0.5, 10.0)}


def make_game(
    *,
    network: str | dict[str, Any] = "pigou",
    power: float = 1.0,
    max_toll: float | None = None,
    tolled: list[int] | None = None,
    temperature: float | None = None,
    commuters: int | None = None,
    horizon: int | None = None,
) -> TabularGame | MarkovGame:
    """Toll routing as a tabular game of one of many travellers, or as a game of a few commuters.

    Parameters
    ----------
    network
        "pigou", "braess", "sioux_falls", or a dict with tails, heads, base, slope, power and demand.
    power
        Of the latency of Pigou's second road.
    max_toll
        Upper bound of each toll, in units of time; default 1, and 10 on Sioux Falls.
    tolled
        Numbers of the roads that have a toll; default all.
    temperature
        Of the travellers, in units of time; default 0.05, and 0.5 on Sioux Falls.
    commuters
        Followers who choose whole routes at once; default a continuum of travellers.
    horizon
        Steps after which an episode is cut, at least those of the longest trip; default the number of nodes.

    Raises
    ------
    GameError
        A network that is none, see its page, a power for another one than Pigou's, or more commuters than tables have
        room for.
    """
    if network != "pigou" and power != 1.0:
        raise GameError(f"power: expected 1 on networks other than 'pigou', whose second road has it, got {power!r}")
    if isinstance(network, str):
        roads, nodes = named_network(network, power)
        warmth, dearest = USUAL[network]
    else:
        roads = checked_network(network)
        nodes, (warmth, dearest) = tuple(map(str, range(roads.num_nodes))), USUAL["pigou"]
    heat = require_temperature(warmth if temperature is None else temperature)
    most = require_positive(dearest if max_toll is None else max_toll, "max_toll")
    roads = towards_destinations(roads, heat)
    E = len(roads.tails)
    wanted: Any = np.arange(E) if tolled is None else tolled
    priced = as_integers(wanted, "tolled") if np.size(wanted) else np.zeros(0, dtype=np.int64)
    if priced.ndim != 1 or not len(priced) or ((priced < 0) | (priced >= E)).any() or len(set(priced)) < len(priced):
        raise GameError(f"tolled: expected different roads in 0..{E - 1}, got {tolled!r:.80}")
    names = [f"{nodes[roads.tails[e]]}-{nodes[roads.heads[e]]}" for e in priced]
    names = [name if names.count(name) == 1 else f"{name} ({e})" for name, e in zip(names, priced, strict=True)]
    setting: dict[str, Any] = {
        "network": network,
        "power": float(power),
        "max_toll": most,
        "temperature": heat,
        "commuters": commuters,
    }
    facts: dict[str, Any] = {"states": nodes}
    if isinstance(network, str) and tolled is None:
        facts |= known_facts("stackelberg/TollRouting-v0", **setting)
        known = None if commuters is not None else reference(network, float(power), most, heat)
        facts |= {} if known is None else {"reference": known.as_fact()}
    if commuters is not None:
        n = require_count(commuters, "commuters", 1, GameError)
        few = commuters_game(roads, n, priced, most, heat, names)
        return few.replace(name="Toll routing", facts=facts, horizon=len(nodes) if horizon is None else horizon)
    many = _continuum(roads, priced, most, heat, names)
    return many.replace(facts=facts, horizon=len(nodes) if horizon is None else horizon)


def _continuum(
    roads: Network, priced: NDArray[np.int64], most: float, temperature: float, names: list[str]
) -> TabularGame:
    K, S = roads.demand.shape
    leaving = [np.flatnonzero(roads.tails == s) for s in range(S)]
    B = max(map(len, leaving))
    links = np.full((S, B), -1)
    for s, ways in enumerate(leaving):
        links[s, : len(ways)] = ways
    open_links = (links >= 0) & roads.usable[:, links]
    # Where no road leads to the destination nobody goes to it; a trip that is over takes one step that costs nothing.
    closed = np.asarray(~open_links.any(axis=2))
    feasible = open_links.copy()
    feasible[closed, 0] = True
    heads = np.where(links >= 0, roads.heads[links], np.arange(S)[:, None])
    landing = np.where(open_links, heads, np.arange(S)[:, None])
    travellers = roads.demand.sum(axis=1)
    zeros = np.zeros((S, 1, B))
    shape = (S, 1, B) if K == 1 else (K, S, 1, B)
    return TabularGame(
        transition=Transition.from_lists(landing.reshape(*shape, 1), np.ones((*shape, 1))),
        leader_reward=zeros,
        follower_reward=zeros,
        initial=(roads.demand / travellers[:, None]).reshape(shape[:-2]),
        terminal=closed.astype(np.float64).reshape(shape[:-2]),
        feasible=feasible.reshape(shape),
        leader_discount=1.0,
        follower_discount=1.0,
        temperature=temperature,
        made_for={"temperature": temperature},
        commitment=Tolls(roads, temperature, priced, most, links, open_links, names),
        context_probabilities=None if K == 1 else travellers / travellers.sum(),
        horizon=S,
        name="Toll routing",
    )


FACES = declare(make_game, reference="stackelberg_envs.envs.toll_routing.references:least_mean_time")
raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES
followers_aec_env, leader_vector_env = FACES.followers_aec_env, FACES.leader_vector_env
parallel_vector_env = FACES.parallel_vector_env
