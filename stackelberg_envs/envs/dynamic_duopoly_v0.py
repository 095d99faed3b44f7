"""Dynamic duopoly: a firm commits to its output while its competitor builds up a stock that is costly to change.

| | |
| --- | --- |
| id | `stackelberg/DynamicDuopoly-v0` |
| states S | 49: the follower's stock, from 0 to 2,400 |
| leader actions A | 1 (the leader only sets its output) |
| follower actions B | 49: the stock of the next step |
| contexts K | 1 |
| commitment | the leader's output, shape (1,), or one for each stock, shape (49,); from 0 to 5,000 |
| horizon | 60 |
| discounts | 0.9, 0.9 |
| temperature | 20000 |

The follower sells as many units a step as its stock: think of machines, each of which makes one. A firm that is not in
the market yet cannot come in at once, because large changes cost more than in proportion. Until it is there the leader
earns more.

What x changes
    What both earn for each unit: the market price falls with the sum of the leader's output and the follower's stock.
Dynamics
    The stock of the next step is what the follower chooses. At first it is ``start``.
Follower's reward
    Its profit, (choke price - x - k - unit cost) k at stock k, less ``adjustment_cost`` / 2 times the square of the
    change of the stock.
Leader's reward
    Its profit, (choke price - x - k - unit cost) x.
End
    Only by the time limit.
What is known
    With a constant output, a closed form. Let m be the choke price less the unit cost. The follower's best stock is
    k* = (m - x) / 2, as in the duopoly of one step. Of its way there it goes the part 1 - rho in each step, where rho
    is the smaller root of gamma_F phi rho^2 - (2 gamma_F + phi + gamma_F phi) rho + phi = 0 and phi the adjustment
    cost; 0.5353 by default. With a = 1 / (1 - gamma_L) and b = 1 / (1 - gamma_L rho), the best output is
    m / 2 - start b / (a + b), and worth (a + b) / 2 times its square. From an empty stock these are 2,000 and
    23,858,983, of which 20,000,000 are the duopoly of one step for ever. Where changes cost nothing, b is 1; where they
    cost very much, b is a, and the leader earns what it would alone. A follower with errors chooses a normal stock
    around its best one, with variance temperature rho / phi, here 52 squared. Its mean is what it would be without
    errors, so J is the same at every temperature at which the steps of the stock, here 50, are no larger than about one
    and a half standard deviations and the stock keeps away from the ends of its range.
    With ``rule="by_stock"`` the leader may threaten: sell what it would alone while its competitor has nothing,
    and as much as is allowed as soon as it comes in. The best known outputs are worth 39,108,376; alone in the market
    it would earn 40,000,000, which bounds J. They rest on a promise that the leader would rather not keep, which is
    what a commitment is.
Arguments
    ``choke_price``, ``unit_cost``, ``adjustment_cost``, ``stocks``, ``start``, ``rule``, ``leader_discount``,
    ``follower_discount``, ``temperature``, ``horizon``.
Sources
    von Stackelberg (1934), Marktform und Gleichgewicht. Duopolies with costs of adjustment: Driskill and McCafferty
    (1989), Dynamic duopoly with adjustment costs; entry deterred by capacity: Dixit (1980), The role of investment in
    entry-deterrence. The room's numbers and formula are its own.
Version history
    v0: first version.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackelberg_envs.arrays import (
    require_at_least,
    require_count,
    require_discount,
    require_positive,
    require_room,
    require_text,
)
from stackelberg_envs.envs.duopoly.output import LeaderOutput
from stackelberg_envs.envs.dynamic_duopoly.adjustment import reference
from stackelberg_envs.errors import GameError
from stackelberg_envs.faces.best_known import known_facts
from stackelberg_envs.faces.registration import declare
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.transitions import Transition

ID = "stackelberg/DynamicDuopoly-v0"
#: How far stocks go, in parts of what the follower sells alone.
REACH = 1.2
RULES = ("constant", "by_stock")


def make_game(
    *,
    choke_price: float = 5000.0,
    unit_cost: float = 1000.0,
    adjustment_cost: float = 4.0,
    stocks: int = 49,
    start: int = 0,
    rule: str = "constant",
    leader_discount: float = 0.9,
    follower_discount: float = 0.9,
    temperature: float = 20000.0,
    horizon: int = 60,
) -> TabularGame:
    """Dynamic duopoly as a tabular game.

    Parameters
    ----------
    choke_price
        At which nobody buys; the market price falls by one for each unit.
    unit_cost
        Of both firms.
    adjustment_cost
        phi: a change of the stock by d costs phi d^2 / 2, reward units.
    stocks
        How many the follower chooses from, evenly spaced from 0 to 1.2 times what it would sell alone.
    start
        The number of the stock at which an episode begins, from 0, the empty one.
    rule
        "constant": one output; "by_stock": one for each stock.
    leader_discount, follower_discount
        Per step.
    temperature
        Weight of the follower's entropy, reward units.
    horizon
        Steps after which an episode is truncated.

    Raises
    ------
    GameError
        Numbers out of range, a cost above the choke price, a start that is no stock, or an unknown rule.
    """
    choke_price = require_positive(choke_price, "choke_price")
    unit_cost = require_at_least(unit_cost, 0.0, "unit_cost", GameError)
    if unit_cost >= choke_price:
        raise GameError(f"unit_cost: expected less than the choke price {choke_price:g}, got {unit_cost:g}")
    adjustment_cost = require_positive(adjustment_cost, "adjustment_cost")
    S, begin = require_count(stocks, "stocks", 2, GameError), require_count(start, "start", 0, GameError)
    if begin >= S:
        raise GameError(f"start: expected the number of a stock, 0 to {S - 1}, got {begin}")
    if require_text(rule, "rule", GameError) not in RULES:
        raise GameError(f"rule: expected {' or '.join(map(repr, RULES))}, got {rule!r}")
    require_room((S, 1, S), "stocks", GameError)
    discounts: dict[str, Any] = {
        name: require_discount(value, name)
        for name, value in (("leader_discount", leader_discount), ("follower_discount", follower_discount))
    }
    margin = choke_price - unit_cost
    k = np.linspace(0.0, REACH * margin / 2.0, S)
    setting: dict[str, Any] = {"choke_price": choke_price, "unit_cost": unit_cost, "adjustment_cost": adjustment_cost}
    known = known_facts(ID, **setting, stocks=S, start=begin, rule=rule, temperature=temperature, **discounts)
    facts: dict[str, Any] = {"states": tuple(f"{stock:g}" for stock in k), "stocks": k, "start": begin, **setting}
    if rule == "constant":
        facts["reference"] = reference(margin, float(k[begin]), adjustment_cost, **discounts).as_fact()
    names = ["output"] if rule == "constant" else [f"output at {stock:g}" for stock in k]
    return TabularGame(
        transition=Transition.from_lists(np.broadcast_to(np.arange(S)[:, None], (S, 1, S, 1)), np.ones((S, 1, S, 1))),
        leader_reward=np.zeros((S, 1, S)),
        follower_reward=(((margin - k) * k)[:, None] - 0.5 * adjustment_cost * (k - k[:, None]) ** 2)[:, None],
        initial=np.eye(S)[begin],
        terminal=np.zeros(S),
        **discounts,
        temperature=temperature,
        commitment=LeaderOutput(margin, choke_price, k[:, None, None], states=len(names), names=names),
        horizon=horizon,
        name="Dynamic duopoly",
        facts=facts | known,
    )


FACES = declare(
    make_game,
    renderer="stackelberg_envs.envs.dynamic_duopoly.picture:dynamic_duopoly",
    reference="stackelberg_envs.envs.dynamic_duopoly.adjustment:leader_value",
)
raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES
followers_aec_env, leader_vector_env = FACES.followers_aec_env, FACES.leader_vector_env
parallel_vector_env = FACES.parallel_vector_env
