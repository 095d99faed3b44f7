"""Duopoly: a firm commits to its output before its competitor chooses.

| | |
| --- | --- |
| id | `stackelberg/Duopoly-v0` |
| states S | 1 |
| leader actions A | 1 (the leader only sets its output) |
| follower actions B | 97 outputs, from 0 to 2,400 |
| contexts K | 1 |
| commitment | the leader's output, shape (1,), from 0 to 5,000 |
| horizon | 1 |
| discounts | 1, 1 |
| temperature | 5000 |

What x changes
    What both earn for each unit: the market price falls with the sum of both outputs.
Dynamics
    The follower chooses its output, and the episode is over.
Follower's reward
    Its profit, (choke price - x - q - unit cost) q. The price may fall below zero.
Leader's reward
    Its profit, (choke price - x - q - unit cost) x.
End
    After one step.
What is known
    With m the choke price less the unit cost, the leader's best output is m / 2, the follower answers m / 4, and
    profits are m^2 / 8 and m^2 / 16: outputs of 2,000 and 1,000, profits of 2,000,000 and 1,000,000. A follower with
    errors makes a normal output around its best one, with variance temperature / 2, here 50 squared, so the leader's
    optimum is the same at every temperature at which the steps of q, here 25, are no larger than about one and a half
    standard deviations; the follower's profit is less by temperature / 2. With n followers who compete with each other
    the leader's best output stays m / 2, and each follower makes m / (2 (n + 1)); this environment has one.
What learning leaders reach
    With defaults, 50 updates of 400 steps, seeds 0 and 1: shares of the way from the middle of the outputs to the best
    known value, as ``python benchmarks/untuned.py closed-form-v1 --each`` tells them. `certainty_equivalent`: 92.2 %
    and 99.7 %; `bchg`: 99.9 % and 97.5 %.
Arguments
    ``choke_price``, ``unit_cost``, ``outputs``, ``temperature``.
Sources
    von Stackelberg (1934), Marktform und Gleichgewicht; Sherali, Soyster and Murphy (1983) for n followers.
Version history
    v0: first version.
"""

from __future__ import annotations

import numpy as np

from stackelberg_envs.arrays import require_at_least, require_count, require_positive
from stackelberg_envs.envs.duopoly.output import LeaderOutput, best_output
from stackelberg_envs.errors import GameError
from stackelberg_envs.faces.best_known import known_facts
from stackelberg_envs.faces.references import Reference
from stackelberg_envs.faces.registration import declare
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.transitions import Transition

ID = "stackelberg/Duopoly-v0"
#: How far outputs go, in parts of what the follower makes alone.
REACH = 1.2


def make_game(
    *, choke_price: float = 5000.0, unit_cost: float = 1000.0, outputs: int = 97, temperature: float = 5000.0
) -> TabularGame:
    """Duopoly as a tabular game of one step.

    Parameters
    ----------
    choke_price
        At which nobody buys; the market price falls by one for each unit.
    unit_cost
        Of both firms.
    outputs
        How many the follower chooses from, evenly spaced from 0 to 1.2 times what it would make alone.
    temperature
        Weight of the follower's entropy, reward units.

    Raises
    ------
    GameError
        Numbers that are not positive, or a cost above the choke price.
    """
    choke_price = require_positive(choke_price, "choke_price")
    unit_cost = require_at_least(unit_cost, 0.0, "unit_cost", GameError)
    if unit_cost >= choke_price:
        raise GameError(f"unit_cost: expected less than the choke price {choke_price:g}, got {unit_cost:g}")
    count, margin = require_count(outputs, "outputs", 2, GameError), choke_price - unit_cost
    q = np.linspace(0.0, REACH * margin / 2.0, count)
    source = "von Stackelberg (1934): the first-order conditions of both firms"
    value = best_output(choke_price, unit_cost)[2]
    reference = Reference(value, "closed form", "any temperature, outputs without steps", source)
    setting = {"choke_price": choke_price, "unit_cost": unit_cost, "outputs": count}
    return TabularGame(
        transition=Transition.from_dense(np.ones((1, 1, count, 1))),
        leader_reward=np.zeros((1, 1, count)),
        follower_reward=((margin - q) * q)[None, None],
        initial=np.ones(1),
        terminal=np.ones(1),
        leader_discount=1.0,
        follower_discount=1.0,
        temperature=temperature,
        commitment=LeaderOutput(margin, choke_price, q),
        horizon=1,
        name="Duopoly",
        facts={
            "states": ("the market",),
            "amount": "output",
            "amounts": q,
            **setting,
            "reference": reference.as_fact(),
            **known_facts(ID, temperature=temperature, **setting),
        },
    )


FACES = declare(
    make_game,
    renderer="stackelberg_envs.pictures.offers:offers",
    reference="stackelberg_envs.envs.duopoly.output:leader_profit",
)
raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES
followers_aec_env, leader_vector_env = FACES.followers_aec_env, FACES.leader_vector_env
parallel_vector_env = FACES.parallel_vector_env
