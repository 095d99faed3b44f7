"""Allocation: a mechanism gives out items by messages, and who wants which item is known to the sender alone.

| | |
| --- | --- |
| id | `stackelberg/Allocation-v0` |
| states S | 4: the request, and one for each of 3 messages |
| leader actions A | 3 items |
| follower actions B | 3 messages |
| contexts K | 3 types of the follower |
| commitment | a distribution over items for each message, shape (3, 3) |
| horizon | 2 |
| discounts | 1, 1 |
| temperature | 0.05 |

What x changes
    Which item is given after which message: the row of a message is a distribution over items. Messages have no meaning
    but the one that the mechanism gives them.
Dynamics
    The follower's type is drawn, all as likely: it is the item that it wants. It sends a message. The mechanism sees
    the message and not the type, draws an item from the row of the message, and the episode is over.
Follower's reward
    1 if it gets the item that it wants, else 0.
Leader's reward
    The same.
End
    After the item is given, which is the second step.
What is known
    With ``num_messages`` i and ``num_types`` n the best value is min(i, n) / n: 1 by default, 2/3 with two messages. A
    type that sends the best message gets its item with the largest probability of its column of the table. The largest
    entries of all columns sum to at most n, and to at most the sum of all entries, which is i. A table that gives
    another item after each message reaches that. All tables without mixtures are tried as well; what a table is worth
    is convex in it, so no mixture is better. No follower with errors earns more, and at temperature 0.05 it sends a
    wrong message with a probability of 4e-9.
    The commitment that leaders begin with, where all rows are even, is worth 1/3 and is a saddle: all messages are
    alike to the follower, so that no derivative tells the leader in which direction to go.
What learning leaders reach
    With defaults, 50 updates of 400 steps, seeds 0 and 1: shares of the way from even rows to the best known value, as
    ``python benchmarks/untuned.py closed-form-v1 --each`` tells them. With three messages as with two:
    `certainty_equivalent` 100 %, `bchg` 99.96 %, both in both seeds.
Arguments
    ``num_types``, ``num_messages``, ``temperature``.
Sources
    Brero et al. (2022), Stackelberg POMDP: a reinforcement learning approach for economic design, arXiv 2210.03852,
    whose simple allocation mechanisms these are; Crawford and Sobel (1982), Strategic information transmission.
Version history
    v0: first version.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackelberg_envs.arrays import require_count
from stackelberg_envs.envs.allocation.mechanisms import mechanism_value
from stackelberg_envs.errors import GameError
from stackelberg_envs.faces.best_known import known_facts
from stackelberg_envs.faces.references import Reference
from stackelberg_envs.faces.registration import declare
from stackelberg_envs.games.commitments.tied_policy import IDLE, TiedPolicy
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.transitions import Transition

ID = "stackelberg/Allocation-v0"
#: Allocations without mixtures that are tried, and so the numbers of types and messages.
MOST_TABLES = 100_000


def make_game(*, num_types: int = 3, num_messages: int = 3, temperature: float = 0.05) -> TabularGame:
    """Allocation as a tabular game of two steps, with a context for each type.

    Parameters
    ----------
    num_types
        Of the follower, each of which wants an item of its own; also the number of items.
    num_messages
        That the follower can send.
    temperature
        Weight of the follower's entropy, reward units.

    Raises
    ------
    GameError
        No type, no message, or more tables than can be tried.
    """
    n, i = (
        require_count(num_types, "num_types", error=GameError),
        require_count(num_messages, "num_messages", 1, GameError),
    )
    if i * np.log(n) > np.log(MOST_TABLES):
        raise GameError(f"num_types, num_messages: expected at most {MOST_TABLES} tables of items, got {n} to the {i}")
    # The message leads to its state, whatever the leader does; there the item is given.
    landing = np.broadcast_to(1 + np.arange(i), (1 + i, n, i)).copy()
    landing[1:] = 1 + np.arange(i)[:, None, None]
    gets = np.zeros((n, 1 + i, n, i))
    gets[:, 1:] = np.eye(n)[:, None, :, None]
    source = "the largest entries of the columns of a table, whose rows sum to one"
    reference = Reference(mechanism_value(n, i), "closed form", "temperature 0", source)
    facts: dict[str, Any] = {
        "states": ("request", *(f"message {m}" for m in range(i))),
        "reference": reference.as_fact(),
        **known_facts(ID, num_types=n, num_messages=i, temperature=temperature),
    }
    return TabularGame(
        transition=Transition.from_lists(landing[..., None], np.ones((1 + i, n, i, 1))),
        leader_reward=gets,
        follower_reward=gets,
        initial=np.eye(1 + i)[0],
        terminal=np.append(0.0, np.ones(i)),
        leader_discount=1.0,
        follower_discount=1.0,
        temperature=temperature,
        commitment=TiedPolicy([IDLE, *range(i)], n),
        context_probabilities=np.full(n, 1.0 / n),
        horizon=2,
        name="Allocation",
        facts=facts,
    )


FACES = declare(
    make_game,
    renderer="stackelberg_envs.envs.allocation.picture:allocation",
    reference="stackelberg_envs.envs.allocation.mechanisms:best_mechanism",
)
raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES
followers_aec_env, leader_vector_env = FACES.followers_aec_env, FACES.leader_vector_env
parallel_vector_env = FACES.parallel_vector_env
