"""Energy pricing: a supplier sets surcharges by the hour, and a household shifts its load to where power is cheap.

| | |
| --- | --- |
| id | `stackelberg/EnergyPricing-v0` |
| states S | 366: the hour, and how much load has been shifted so far |
| leader actions A | 1 (the leader only sets prices) |
| follower actions B | 25 shifts of the hour's load, from -2.4 to 2.4 |
| contexts K | 1 |
| commitment | a surcharge for each of 6 hours, shape (6,), from -1.2 to 1.2; only their differences count |
| horizon | 6 |
| discounts | 1, 1 |
| temperature | 0.05 |

What x changes
    What the household pays the supplier for each unit: in hour t the tariff and the surcharge x[t], less the mean of
    all surcharges. So the supplier may charge more in one hour than in another, and not more on average.
Dynamics
    Hour by hour the household chooses by how much its load differs from its habit, ``demand``. What it does not use in
    one hour it uses in another: in the last hour its load makes up for all shifts before, whatever it would like. A
    load below zero means that the household sells.
Follower's reward
    Minus the bill of the hour, and minus ``stiffness`` / 2 times the square of the shift.
Leader's reward
    The price less ``cost`` of the hour, times the load.
End
    After the last hour.
What is known
    With k the stiffness and y the surcharges less their mean, the household shifts its load by -y / k. The supplier's
    profit is then quadratic in y. By the first-order conditions it is largest where y is half of what k ``demand`` +
    ``cost`` has above its mean over hours, and that is worth the sum of y^2 / k more than the same price all day: by
    default surcharges of -0.6, -0.4, 0.1, -0.2, 0.9 and 0.2, loads from 1.8 to 2.0 where habits go from 1.2 to 2.8, and
    a profit of 17.14 instead of 15.72. A household with errors shifts normal amounts around its best ones, which sum to
    zero over H hours and each have the variance temperature (1 - 1 / H) / k, so that the mean of the profit is what it
    is without errors. So 17.14 is the optimum at every temperature at which ``step`` is no larger than about one
    standard deviation, to 1e-8 by default.
What learning leaders reach
    With defaults, 50 updates of 400 steps, seeds 0 and 1: shares of the way from no surcharges to the best known value,
    as ``python benchmarks/untuned.py closed-form-v1 --each`` tells them. `bchg`: 98.4 % and 99.3 %.
    `certainty_equivalent`: 52.9 % and 42.8 %. It plans in a model of what it
    has seen, and of the 9,150 pairs of states and shifts a household shows it those close to its best answers only.
Arguments
    ``demand``, ``cost`` of each hour, ``tariff``, ``stiffness``, ``max_surcharge``, ``step``, ``temperature``.
Sources
    Time-of-use tariffs and shifting: Boiteux (1960), Peak-load pricing; Borenstein (2005), The long-run efficiency of
    real-time electricity pricing; as a leader-follower game: Zugno et al. (2013), A bilevel model for electricity
    retailers' participation in a demand response market environment.
Version history
    v0: first version.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array, as_float, require_number, require_positive, require_room, require_shape
from stackelberg_envs.envs.energy_pricing.day import day
from stackelberg_envs.envs.energy_pricing.pricing import best_surcharges, profit, shifts
from stackelberg_envs.errors import GameError
from stackelberg_envs.faces.best_known import known_facts
from stackelberg_envs.faces.references import Reference
from stackelberg_envs.faces.registration import declare
from stackelberg_envs.games.commitments.transfer import Transfer
from stackelberg_envs.games.tabular import TabularGame

ID = "stackelberg/EnergyPricing-v0"
#: Steps that a shift may miss the range of surcharges by, because of rounding.
ROUNDING = 1e-9


def make_game(
    *,
    demand: Sequence[float] = (1.2, 1.4, 2.0, 1.8, 2.8, 2.2),
    cost: Sequence[float] = (1.0, 1.2, 1.6, 1.2, 2.4, 1.6),
    tariff: float = 3.0,
    stiffness: float = 1.0,
    max_surcharge: float = 1.2,
    step: float = 0.2,
    temperature: float = 0.05,
) -> TabularGame:
    """Energy pricing as a tabular game, whose states are hours and what has been shifted so far.

    Parameters
    ----------
    demand
        The household's load in each hour at the same price all day, units of energy.
    cost
        Of a unit in each hour, for the supplier, reward units.
    tariff
        The mean price of a unit, reward units.
    stiffness
        Of the household: how much more an hour's price has to be for it to use one unit less.
    max_surcharge
        The largest surcharge or rebate, reward units per unit of energy.
    step
        Between shifts, units of energy. They go as far as the largest difference of surcharges would move the load.
    temperature
        Weight of the household's entropy, reward units.

    Raises
    ------
    GameError
        Numbers that are not finite or not positive, a single hour, or more states and shifts than there is memory for.
    """
    habit, costs = as_float(demand, "demand"), as_float(cost, "cost")
    if habit.ndim != 1 or len(habit) < 2:
        raise GameError(f"demand: expected a load for each of two or more hours, got shape {habit.shape}")
    require_shape(costs, [habit.shape], "cost")
    tariff, stiffness = require_number(tariff, "tariff"), require_positive(stiffness, "stiffness")
    max_surcharge, step = require_positive(max_surcharge, "max_surcharge"), require_positive(step, "step")
    hours, reach = len(habit), 2.0 * max_surcharge / (stiffness * step)
    require_room((hours, hours * math.ceil(min(reach, 1e9)), 2 * math.ceil(min(reach, 1e9)) + 1, hours), "demand, step")
    n = max(1, math.ceil(reach - ROUNDING))
    made = day(hours, n, step)
    load = habit[made.hour][:, None] + made.shift
    # The price of an hour is the tariff and its surcharge, less the mean of all.
    surcharged = np.eye(hours)[made.hour] - 1.0 / hours
    setting: dict[str, Any] = {
        "demand": habit,
        "cost": costs,
        "tariff": tariff,
        "stiffness": stiffness,
        "max_surcharge": max_surcharge,
        "step": step,
    }
    return TabularGame(
        transition=made.transition,
        leader_reward=((tariff - costs[made.hour])[:, None] * load)[:, None],
        follower_reward=(-tariff * load - 0.5 * stiffness * made.shift**2)[:, None],
        initial=np.eye(len(load))[0],
        terminal=np.where(made.hour == hours - 1, 1.0, 0.0),
        leader_discount=1.0,
        follower_discount=1.0,
        temperature=temperature,
        commitment=Transfer(
            (load[..., None] * surcharged[:, None])[:, None],
            -max_surcharge,
            max_surcharge,
            names=[f"hour {hour}" for hour in range(hours)],
        ),
        horizon=hours,
        name="Energy pricing",
        facts={
            **setting,
            **_reference(habit, costs, tariff, stiffness, max_surcharge),
            **known_facts(ID, temperature=temperature, **setting),
        },
    )


def _reference(demand: Array, cost: Array, tariff: float, stiffness: float, most: float) -> dict[str, Any]:
    best = best_surcharges(demand, cost, stiffness)
    if np.ptp(best) > 2.0 * most:  # no admissible surcharges have these differences
        return {}
    value = profit(best, shifts(best, stiffness), demand, cost, tariff)
    source = "the first-order conditions of household and supplier, a linear-quadratic game"
    return {"reference": Reference(value, "closed form", "any temperature, shifts without steps", source).as_fact()}


FACES = declare(
    make_game,
    renderer="stackelberg_envs.envs.energy_pricing.picture:energy_pricing",
    reference="stackelberg_envs.envs.energy_pricing.pricing:searched_profit",
)
raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES
followers_aec_env, leader_vector_env = FACES.followers_aec_env, FACES.leader_vector_env
parallel_vector_env = FACES.parallel_vector_env
