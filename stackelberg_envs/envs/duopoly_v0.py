"""Duopoly: a firm commits to its output before its competitors choose.

| | |
| --- | --- |
| id | `stackelberg/Duopoly-v0` |
| states S | 1 |
| leader actions A | 1 (the leader only sets its output) |
| follower actions B | 97 outputs, from 0 to 2,400; of several followers fewer |
| contexts K | 1 |
| commitment | the leader's output, shape (1,), from 0 to 5,000 |
| horizon | 1 |
| discounts | 1, 1 |
| temperature | 5000 |

What x changes
    What all earn for each unit: the market price falls with the sum of all outputs.
Dynamics
    The follower chooses its output, and the episode is over. With ``num_followers=n`` there are n of them, who choose
    at the same time and lower the price for each other. Their answer to x is an equilibrium among them.
Follower's reward
    Its profit, (choke price - x - Q - unit cost) q, where Q is what all followers make. The price may fall below zero.
Leader's reward
    Its profit, (choke price - x - Q - unit cost) x.
End
    After one step.
What is known
    With m the choke price less the unit cost and n followers, the leader's best output is m / 2, each follower answers
    m / (2 (n + 1)), and profits are m^2 / (4 (n + 1)) and m^2 / (4 (n + 1)^2). With one follower these are outputs of
    2,000 and 1,000, and profits of 2,000,000 and 1,000,000; with two the leader earns 1,333,333 and with three
    1,000,000. A follower with errors makes a normal output around its best one, with variance temperature / 2, here 50
    squared. What it is paid depends on the others' outputs only by their mean, so the equilibrium's means are those of
    Cournot's, and the leader's optimum is the same at every temperature at which the steps of q, here 25, are no larger
    than about one and a half standard deviations, and outputs are six of them or more; the follower's profit is less by
    temperature / 2. At lower temperatures followers can only come to an equilibrium on the grid. At x = 2,000 Cournot's
    outputs lie on it, and the equilibrium tends to them, if it is followed there; but firms whose steps are coarse for
    their temperature have other equilibria, too.
What learning leaders reach
    With defaults, 50 updates of 400 steps, seeds 0 and 1: shares of the way from the middle of the outputs to the best
    known value, as ``python benchmarks/untuned.py closed-form-v1 --each`` tells them. `certainty_equivalent`: 100 %
    twice; `bchg`: 99.9 % and 97.5 %.
Arguments
    ``choke_price``, ``unit_cost``, ``num_followers``, ``outputs``, ``temperature``.
Sources
    von Stackelberg (1934), Marktform und Gleichgewicht; Sherali, Soyster and Murphy (1983) for n followers.
Version history
    v0: first version.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array, require_at_least, require_count, require_positive, require_temperature
from stackelberg_envs.envs.duopoly.output import LeaderOutput, best_output
from stackelberg_envs.errors import GameError
from stackelberg_envs.faces.best_known import known_facts
from stackelberg_envs.faces.references import Reference, with_normal_errors
from stackelberg_envs.faces.registration import declare
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.transitions import Transition

ID = "stackelberg/Duopoly-v0"
#: How far outputs go, in parts of what each follower makes where the leader makes nothing.
REACH = 1.2
#: Outputs of up to two followers, and of more: with both the best answers to the best output are among them.
USUAL, FEWER = 97, 25
#: Entries of all followers' tables, at most.
MOST_ENTRIES = 2**22


def make_game(
    *,
    choke_price: float = 5000.0,
    unit_cost: float = 1000.0,
    num_followers: int = 1,
    outputs: int | None = None,
    temperature: float = 5000.0,
) -> TabularGame | MarkovGame:
    """Duopoly as a tabular game of one step, or as a game of several followers who compete with each other.

    Parameters
    ----------
    choke_price
        At which nobody buys; the market price falls by one for each unit.
    unit_cost
        Of all firms.
    num_followers
        Firms that choose after the leader, all at the same time.
    outputs
        How many a follower chooses from, evenly spaced from 0 to 1.2 times what each would make without a leader;
        default 97, and 25 of three followers or more.
    temperature
        Weight of the followers' entropy, reward units.

    Raises
    ------
    GameError
        Numbers that are not positive, a cost above the choke price, or tables too large for so many followers.
    """
    choke_price = require_positive(choke_price, "choke_price")
    unit_cost = require_at_least(unit_cost, 0.0, "unit_cost", GameError)
    if unit_cost >= choke_price:
        raise GameError(f"unit_cost: expected less than the choke price {choke_price:g}, got {unit_cost:g}")
    n, margin = require_count(num_followers, "num_followers", 1, GameError), choke_price - unit_cost
    usual = USUAL if n <= 2 else FEWER
    count = usual if outputs is None else require_count(outputs, "outputs", 2, GameError)
    if math.log(n) + n * math.log(count) > math.log(MOST_ENTRIES):
        raise GameError(
            f"outputs: expected so few that {n} followers have tables of at most {MOST_ENTRIES} entries, "
            f"{n} x outputs^{n}, got {count}"
        )
    q = np.linspace(0.0, REACH * margin / (n + 1), count)
    source = "von Stackelberg (1934): the first-order conditions of both firms"
    several = "Sherali, Soyster and Murphy (1983): the first-order conditions of all firms"
    temperature = require_temperature(temperature)
    _, answer, value = best_output(choke_price, unit_cost, n)
    meaning = f"{with_normal_errors(np.sqrt(temperature / 2.0), float(q[1]), answer)}, outputs without steps"
    known = Reference(value, "closed form", meaning, source if n == 1 else several)
    setting = {"choke_price": choke_price, "unit_cost": unit_cost, "num_followers": n, "outputs": count}
    facts: dict[str, Any] = {"states": ("the market",), "amount": "output", "amounts": q, **setting}
    facts |= {"reference": known.as_fact(), **known_facts(ID, temperature=temperature, **setting)}
    shared: dict[str, Any] = {"initial": np.ones(1), "terminal": np.ones(1), "temperature": temperature, "horizon": 1}
    shared |= {"name": "Duopoly", "facts": facts}
    if n > 1:
        return _competing(np.stack(np.meshgrid(*[q] * n, indexing="ij")).reshape(n, -1), margin, choke_price, shared)
    return TabularGame(
        transition=Transition.from_dense(np.ones((1, 1, count, 1))),
        leader_reward=np.zeros((1, 1, count)),
        follower_reward=((margin - q) * q)[None, None],
        leader_discount=1.0,
        follower_discount=1.0,
        commitment=LeaderOutput(margin, choke_price, q),
        **shared,
    )


def _competing(made: Array, margin: float, highest: float, shared: dict[str, Any]) -> MarkovGame:
    """Return the game of followers who make these outputs, shape (n, M) by joint actions."""
    together, M = made.sum(axis=0), made.shape[1]
    return MarkovGame(
        follower_rewards=((margin - together) * made)[:, None],
        leader_reward=np.zeros((1, M)),
        transition=Transition.from_dense(np.ones((1, 1, M, 1))),
        leader_discount=0.0,
        follower_discount=0.0,
        commitment=LeaderOutput(margin, highest, made[:, None, None], together),
        **shared,
    )


FACES = declare(
    make_game,
    renderer="stackelberg_envs.envs.duopoly.picture:duopoly",
    reference="stackelberg_envs.envs.duopoly.output:leader_profit",
)
raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES
followers_aec_env, leader_vector_env = FACES.followers_aec_env, FACES.leader_vector_env
parallel_vector_env = FACES.parallel_vector_env
