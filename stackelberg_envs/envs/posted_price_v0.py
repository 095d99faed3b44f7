"""Posted price: a seller names a price, and a buyer whose value it does not know takes it or leaves it.

| | |
| --- | --- |
| id | `stackelberg/PostedPrice-v0` |
| states S | 1 |
| leader actions A | 1 (the leader only sets the price) |
| follower actions B | 2: leave, take |
| contexts K | 50 values of the buyer |
| commitment | the price, shape (1,), from 0 to 1.5 |
| horizon | 1 |
| discounts | 1, 1 |
| temperature | 0.02 |

What x changes
    What the buyer pays the seller if it takes the offer.
Dynamics
    The buyer's value is drawn: the middle of one of ``values`` equal parts of [0, 1]. It takes or leaves the offer, and
    the episode is over.
Follower's reward
    Its value less the price if it takes the offer, else 0.
Leader's reward
    The price if the buyer takes the offer, else 0.
End
    After one step.
What is known
    With values that are uniform on [0, 1] the best price is 1/2 and earns 1/4, and no other way of selling earns more.
    A buyer with errors takes an offer above its value as often as it leaves one as far below it, so mean demand is
    1 - x as before, and 1/4 at 1/2 is the optimum, to 1e-8 with the default temperature and number of values. Where
    values lie further apart than errors reach, the seller gains up to about half a step by a price just below a value.
    At temperatures above about 0.04 errors reach beyond the lowest and the highest value, and it gains by that.
What learning leaders reach
    With defaults, 50 updates of 400 steps, seeds 0 and 1: shares of the way from the middle of the prices to the best
    known value, as ``python benchmarks/untuned.py closed-form-v1 --each`` tells them. `certainty_equivalent`: 100 %
    in both; `bchg`: 97.5 % and 99.99 %.
Arguments
    ``values``, ``temperature``.
Sources
    Myerson (1981), Optimal auction design; Riley and Zeckhauser (1983), Optimal selling strategies.
Version history
    v0: first version.
"""

from __future__ import annotations

import numpy as np

from stackelberg_envs.arrays import require_count, require_temperature
from stackelberg_envs.errors import GameError
from stackelberg_envs.faces.best_known import known_facts
from stackelberg_envs.faces.references import Reference
from stackelberg_envs.faces.registration import declare
from stackelberg_envs.games.commitments.transfer import Transfer
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.transitions import Transition

ID = "stackelberg/PostedPrice-v0"
#: Of a price; nobody pays more than 1.
HIGHEST = 1.5


def make_game(*, values: int = 50, temperature: float = 0.02) -> TabularGame:
    """Posted price as a tabular game of one step, with a context for each value.

    Parameters
    ----------
    values
        Number of equally likely values of the buyer, evenly spaced in [0, 1].
    temperature
        Weight of the buyer's entropy, reward units.
    """
    count = require_count(values, "values", error=GameError)
    worth = (np.arange(count) + 0.5) / count
    takes = np.array([0.0, 1.0])
    source = "Myerson (1981): x (1 - x) is largest at 1/2"
    temperature = require_temperature(temperature)
    # Logistic errors even the steps out, and are small where values end.
    even = 1.0 / count <= 1.4 * temperature <= 1.4 / 24.0
    meaning = "this temperature" if even else "a buyer without errors"
    reference = Reference(0.25, "closed form", f"values without steps, {meaning}", source)
    return TabularGame(
        transition=Transition.from_dense(np.ones((1, 1, 2, 1))),
        leader_reward=np.zeros((1, 1, 2)),
        follower_reward=worth[:, None, None, None] * takes,
        initial=np.ones(1),
        terminal=np.ones(1),
        leader_discount=1.0,
        follower_discount=1.0,
        temperature=temperature,
        commitment=Transfer(takes[None, None, :, None], 0.0, HIGHEST, names=["price"]),
        context_probabilities=np.full(count, 1.0 / count),
        horizon=1,
        name="Posted price",
        facts={
            "states": ("the offer",),
            "amounts": takes,
            "amount": "units bought",
            "worth": worth,
            "reference": reference.as_fact(),
            **known_facts(ID, values=count, temperature=temperature),
        },
    )


FACES = declare(
    make_game,
    renderer="stackelberg_envs.pictures.offers:offers",
    reference="stackelberg_envs.envs.posted_price.revenue:best_revenue",
)
raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES
followers_aec_env, leader_vector_env = FACES.followers_aec_env, FACES.leader_vector_env
parallel_vector_env = FACES.parallel_vector_env
