"""Wholesale: a manufacturer sets the price at which a retailer buys what it sells on.

| | |
| --- | --- |
| id | `stackelberg/Wholesale-v0` |
| states S | 1 |
| leader actions A | 1 (the leader only sets the price) |
| follower actions B | 121 quantities, from 0 to 6 |
| contexts K | 1 |
| commitment | the wholesale price, shape (1,), from 0 to the intercept |
| horizon | 1 |
| discounts | 1, 1 |
| temperature | 0.02 |

What x changes
    What the retailer pays the manufacturer for each unit.
Dynamics
    The retailer orders, and the episode is over.
Follower's reward
    (a - b q) q - w q: what q units sell for, less what they cost at wholesale price w.
Leader's reward
    (w - c) q.
End
    After one step.
What is known
    The best price is (a + c) / 2, the retailer then orders (a - c) / (4 b), and the manufacturer earns (a - c)^2 / (8
    b): with a = 10, b = 1 and c = 2 a price of 6, a quantity of 2 and a profit of 8. The retailer's profit is quadratic
    in q, so a follower with errors orders a normal amount around its best one, with variance temperature / (2 b), and
    the mean is what it would be without errors. So 8 is the optimum at every temperature at which the steps of q are no
    larger than about one and a half standard deviations, and the quantity itself is six of them or more, to 1e-9 by
    default. At higher temperatures errors are cut off at 0, so a retailer buys at prices at which it should not, and
    the manufacturer gains by it. At lower temperatures the retailer rounds to the steps h of q, and the manufacturer
    can gain up to about b h (a - c) / (4 b) by a price just below where a whole step is lost.
What learning leaders reach
    With defaults, 50 updates of 400 steps, seeds 0 and 1: shares of the way from the middle of the prices to the best
    known value, as ``python benchmarks/untuned.py closed-form-v1 --each`` tells them. `certainty_equivalent`: 100 %
    in both; `bchg`: 99.2 % and 99.4 %.
Arguments
    ``intercept``, ``slope``, ``unit_cost``, ``quantities``, ``temperature``.
Sources
    Spengler (1950), Vertical integration and antitrust policy; Cachon (2003), Supply chain coordination with contracts.
Version history
    v0: first version.
"""

from __future__ import annotations

import numpy as np

from stackelberg_envs.arrays import require_at_least, require_count, require_positive, require_temperature
from stackelberg_envs.envs.wholesale.pricing import best_price
from stackelberg_envs.errors import GameError
from stackelberg_envs.faces.best_known import known_facts
from stackelberg_envs.faces.references import Reference, with_normal_errors
from stackelberg_envs.faces.registration import declare
from stackelberg_envs.games.commitments.transfer import Transfer
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.transitions import Transition

ID = "stackelberg/Wholesale-v0"
#: How far quantities go, in parts of what the retailer takes for nothing.
REACH = 1.2


def make_game(
    *,
    intercept: float = 10.0,
    slope: float = 1.0,
    unit_cost: float = 2.0,
    quantities: int = 121,
    temperature: float = 0.02,
) -> TabularGame:
    """Wholesale as a tabular game of one step.

    Parameters
    ----------
    intercept, slope
        Of the inverse demand a - b q: the price at which nobody buys, and how much it falls with each unit.
    unit_cost
        Of the manufacturer.
    quantities
        How many the retailer chooses from, evenly spaced from 0 to 1.2 times what it takes for nothing.
    temperature
        Weight of the retailer's entropy, reward units.

    Raises
    ------
    GameError
        Numbers that are not positive, or a cost above the intercept.
    """
    intercept, slope = require_positive(intercept, "intercept"), require_positive(slope, "slope")
    unit_cost = require_at_least(unit_cost, 0.0, "unit_cost", GameError)
    if unit_cost >= intercept:
        raise GameError(f"unit_cost: expected less than the intercept {intercept:g}, got {unit_cost:g}")
    count = require_count(quantities, "quantities", 2, GameError)
    q = np.linspace(0.0, REACH * intercept / (2.0 * slope), count)
    temperature = require_temperature(temperature)
    _, best, value = best_price(intercept, slope, unit_cost)
    source = "Spengler (1950): the retailer's and the manufacturer's first-order conditions"
    meaning = with_normal_errors(np.sqrt(temperature / (2.0 * slope)), float(q[1]), best)
    reference = Reference(value, "closed form", f"{meaning}, quantities without steps", source)
    setting = {"intercept": intercept, "slope": slope, "unit_cost": unit_cost, "quantities": count}
    return TabularGame(
        transition=Transition.from_dense(np.ones((1, 1, count, 1))),
        leader_reward=-unit_cost * q[None, None],
        follower_reward=((intercept - slope * q) * q)[None, None],
        initial=np.ones(1),
        terminal=np.ones(1),
        leader_discount=1.0,
        follower_discount=1.0,
        temperature=temperature,
        commitment=Transfer(q[None, None, :, None], 0.0, intercept, names=["wholesale price"]),
        horizon=1,
        name="Wholesale",
        facts={
            "states": ("the order",),
            "amount": "quantity",
            "amounts": q,
            **setting,
            "reference": reference.as_fact(),
            **known_facts(ID, temperature=temperature, **setting),
        },
    )


FACES = declare(
    make_game,
    renderer="stackelberg_envs.pictures.offers:offers",
    reference="stackelberg_envs.envs.wholesale.pricing:manufacturer_value",
)
raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES
followers_aec_env, leader_vector_env = FACES.followers_aec_env, FACES.leader_vector_env
parallel_vector_env = FACES.parallel_vector_env
