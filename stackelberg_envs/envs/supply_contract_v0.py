"""Supply contract: a supplier offers a price, a buy-back and a share of revenue; a shop orders week by week.

| | |
| --- | --- |
| id | `stackelberg/SupplyContract-v0` |
| states S | 45: the week (4) and the stock on the shelves (0 to 10); and the season's end |
| leader actions A | 1 (the leader only offers a contract) |
| follower actions B | 11: order 0 to 10 units; what does not fit on the shelves is not delivered |
| contexts K | 1 |
| commitment | wholesale price in [0, 10], buy-back price in [0, 10], share of revenue in [0, 1], shape (3,) |
| horizon | 5 |
| discounts | 1, 1 (a season ends) |
| temperature | 0.5 |

What x changes
    Who gets what of the money that the customers pay, and nothing else: in each week the shop pays the supplier the
    wholesale price for each unit that it orders and the share of its revenue, and at the end the supplier pays the
    buy-back price for each unit that is left.
Dynamics
    In each week the shop sees its stock, orders, and is delivered at once. Then customers come: their number is
    binomial, of ``customers`` people who come with probability 1/2 each. Who finds nothing goes away for ever. What
    is left stays on the shelves.
Follower's reward
    The expected profit of the shop in the week: ``price`` for each unit that is sold, minus what it pays to the
    supplier, minus ``holding`` for each unit that stays on the shelves. In the last week it gets the buy-back price
    for what stays. Orders of which the same is delivered, because no more fits, cost ``temperature`` times the
    logarithm of their number: this takes back what their entropy would add, so that the shop chooses between
    deliveries.
Leader's reward
    What the shop pays, minus ``cost`` for each unit that is made. In the last week it pays the buy-back price for
    each unit that stays, and gets ``salvage`` for it elsewhere.
End
    After the last week the season's end is visited, which pays nothing.
What is known
    One owner of both, who makes no errors, would expect 103.872551 in a season; no contract changes what both earn
    together but by what the shop orders, so this bounds J for every contract (the fact ``centralised_value``, by
    backward induction). The best known contract is J = 84.381946, at a wholesale price of 2.56, below the cost of
    3, a buy-back price of 2.51 and 66 % of the revenue; the yardstick ends there from every start. With
    ``holding=0`` contracts with wholesale price k ``cost``, buy-back price k ``salvage`` and share 1 - k leave the
    shop the part k of what both earn, so that it orders what the owner of both would, and J comes to (1 - k) of the
    owner's value as the temperature falls: at k = 0.1 and temperature 0.001 it is 97.456 of 108.289. A smaller part
    is worth less to the shop than its temperature, and it orders carelessly. With default settings and 50,000
    observed steps, two seeds each, ``certainty_equivalent`` ends at 84.291782 and 84.186163, ``bchg`` and ``hpgd`` at
    84.285385 and 84.266212, ``naive`` at 84.103386 and 69.275514, ``cma_es`` at 82.390023 and 84.040501
    (``stackelberg sweep practice-v1 --seeds 2 --output runs/practice``).
Arguments
    ``weeks``, ``shelf``, ``customers``, ``price``, ``cost``, ``salvage``, ``holding``, ``temperature``,
    ``horizon``.
Sources
    Contracts that share risk: Pasternack (1985) on buy-backs; Cachon and Lariviere (2005), "Supply chain
    coordination with revenue-sharing contracts"; a survey by Cachon (2003), "Supply chain coordination with
    contracts".
Version history
    v0: first version.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackelberg_envs.arrays import (
    Array,
    require_at_least,
    require_count,
    require_number,
    require_positive,
    require_room,
    require_temperature,
)
from stackelberg_envs.envs.supply_contract.season import Season, binomial, centralised_value, expected
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.faces.best_known import known_facts
from stackelberg_envs.faces.registration import declare
from stackelberg_envs.games.commitments.transfer import Transfer
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.transitions import Transition

#: Of a week; their probabilities are written one by one.
MOST_CUSTOMERS = 10_000
TERMS = ("wholesale price", "buy-back price", "revenue share")


def make_game(
    *,
    weeks: int = 4,
    shelf: int = 10,
    customers: int = 8,
    price: float = 10.0,
    cost: float = 3.0,
    salvage: float = 1.0,
    holding: float = 0.5,
    temperature: float = 0.5,
    horizon: int | None = None,
) -> TabularGame:
    """Supply contract as a tabular game.

    Parameters
    ----------
    weeks
        Of a season.
    shelf
        Units for which there is room.
    customers
        People who come with probability 1/2 each, in each week, 1 to 10,000.
    price
        What a customer pays for a unit; also the bound of both prices of the contract.
    cost
        Of making a unit.
    salvage
        What a unit that is left is worth to the supplier; less than `cost`.
    holding
        What a unit that stays on the shelves costs the shop per week.
    temperature
        Weight of the follower's entropy, in the unit of money.
    horizon
        Steps after which an episode is truncated; default the weeks and one for the season's end, which is the least.

    Raises
    ------
    ArgumentError
        A cost that is not between salvage and price, too many customers, or more weeks and units than there is memory
        for.
    """
    weeks, shelf, customers = (
        require_count(value, name) for value, name in ((weeks, "weeks"), (shelf, "shelf"), (customers, "customers"))
    )
    if customers > MOST_CUSTOMERS:
        raise ArgumentError(f"customers: expected at most {MOST_CUSTOMERS} people, got {customers}")
    require_room((weeks, shelf + 1, shelf + 1, shelf + 1), "weeks, shelf", ArgumentError)
    cost = require_number(cost, "cost")
    price, temperature = require_positive(price, "price"), require_temperature(temperature)
    salvage, holding = require_at_least(salvage, 0.0, "salvage"), require_at_least(holding, 0.0, "holding")
    if not salvage < cost < price:
        raise ArgumentError(f"cost: expected a number between salvage, {salvage:g}, and price, {price:g}, got {cost}")
    season = Season(weeks, shelf, binomial(customers), price, cost, salvage, holding)
    ordered, sold, left, landing, chances = expected(season)
    S, last = len(ordered), np.repeat(np.arange(weeks + 1), shelf + 1)[: len(ordered)] == weeks - 1
    returned = left * last[:, None]
    facts: dict[str, Any] = {"season": season, "centralised_value": centralised_value(season)}
    facts |= known_facts(
        "stackelberg/SupplyContract-v0",
        weeks=weeks,
        shelf=shelf,
        customers=customers,
        price=price,
        cost=cost,
        salvage=salvage,
        holding=holding,
        temperature=temperature,
    )
    return TabularGame(
        transition=Transition.from_lists(landing[:, None], chances[:, None]),
        leader_reward=(salvage * returned - cost * ordered)[:, None],
        follower_reward=(price * sold - holding * left - temperature * np.log(_alike(ordered)))[:, None],
        initial=np.eye(S)[0],
        terminal=np.eye(S)[-1],
        leader_discount=1.0,
        follower_discount=1.0,
        temperature=temperature,
        made_for={"temperature": temperature},
        commitment=Transfer(
            np.stack([ordered, -returned, price * sold], axis=-1)[:, None], 0.0, [price, price, 1.0], names=TERMS
        ),
        horizon=weeks + 1 if horizon is None else horizon,
        name="Supply contract",
        facts=facts,
    )


def _alike(ordered: Array) -> Array:
    """Return how many orders have the delivery that an order has in each state, shape (S, B)."""
    return np.asarray((ordered[:, :, None] == ordered[:, None, :]).sum(axis=-1), dtype=np.float64)


FACES = declare(make_game, renderer="stackelberg_envs.envs.supply_contract.picture:supply_contract")
raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES
followers_aec_env, leader_vector_env = FACES.followers_aec_env, FACES.leader_vector_env
parallel_vector_env = FACES.parallel_vector_env
