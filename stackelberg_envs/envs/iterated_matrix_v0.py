"""Iterated matrix games: a leader commits to how it answers the last round, in each of twelve 2 x 2 games.

| | |
| --- | --- |
| id | `stackelberg/IteratedMatrix-v0` |
| states S | 15: 5 observations, and for each the follower's choice |
| leader actions A | 2: C and D |
| follower actions B | 2: C and D |
| contexts K | 1 |
| commitment | the probability of C and D after each observation, shape (5, 2) |
| horizon | 20: ten rounds of two steps |
| discounts | 0.9 a round for both |
| temperature | 0.1 |

What x changes
    The leader's policy, which remembers one round: it knows that play begins, or what both did last.
Dynamics
    Both choose at once. The next observation is what they chose: the leader's action first, then the follower's.
Follower's reward
    Its payoff in the game of the round, less 2.5, in the round's second step. It is divided by the square root of the
    discount, so that J is the discounted sum over rounds. So a sum without discounts of what faces pay is 1 / 0.949, or
    1.054, times that of the payoffs: ten rounds of 1.5 sum to 15.8, and not to 15.
Leader's reward
    The same from the leader's side; the games are symmetric.
End
    By the time limit, after ``rounds`` rounds.
What is known
    Payoffs are the ranks 1 to 4, and up to the names of actions there are twelve such symmetric games. Ten undiscounted
    rounds under the best deterministic commitment, which a best answer of memory one meets, are worth 6 in
    `prisoners_dilemma`, 5 in `deadlock` and `compromise`, and 15, the most there is, in the nine others: `stag_hunt`,
    `chicken`, `assurance`, `coordination`, `harmony`, `peace`, `concord`, `leader` and `hero`. All 32 x 32 pairs of
    strategies were tried, and a follower that plans by value iteration plays the same. In the prisoner's dilemma the
    leader takes advantage of the first round, and cooperates as long as the follower does. J is of endless discounted
    play against a follower with errors; its best known values are those of mixed commitments.
What learning leaders reach
    With defaults, 50 updates of 400 steps, seeds 0 and 1: shares of the way from even mixtures to the best known value,
    as ``python benchmarks/untuned.py closed-form-v1 --each`` tells them. `certainty_equivalent`: 99.93 % and 99.99 % in
    `prisoners_dilemma`, 100 % in `stag_hunt`, 100 % and 99.99 % in `hero`. `bchg`: 98.4 % and 98.5 %, 99.99 %
    and 99.98 %, 99.96 % and 93.3 %.
Arguments
    ``matrix``, a name, ``rounds``, ``discount``, ``temperature``.
Sources
    Gerstgrasser and Parkes (2023), Oracles and followers: Stackelberg equilibria in deep multi-agent reinforcement
    learning; Robinson and Goforth (2005), The topology of the 2 x 2 games.
Version history
    v0: first version.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackelberg_envs.arrays import require_count
from stackelberg_envs.envs.iterated_matrix.ordinal import OBSERVATIONS, ORDINAL, ROUNDS, payoffs
from stackelberg_envs.errors import GameError, unknown_name
from stackelberg_envs.faces.best_known import known_facts
from stackelberg_envs.faces.references import Reference
from stackelberg_envs.faces.registration import declare
from stackelberg_envs.games.simultaneous import simultaneous_game
from stackelberg_envs.games.tabular import TabularGame

ID = "stackelberg/IteratedMatrix-v0"


def make_game(
    *, matrix: str = "prisoners_dilemma", rounds: int = 10, discount: float = 0.9, temperature: float = 0.1
) -> TabularGame:
    """Iterated matrix games as tabular games.

    Parameters
    ----------
    matrix
        Name of one of the twelve games.
    rounds
        After which an episode is truncated.
    discount
        Of both players, per round.
    temperature
        Weight of the follower's entropy, reward units.

    Raises
    ------
    UnknownNameError
        No game of that name.
    """
    if matrix not in ORDINAL:
        raise unknown_name("matrix", matrix, ORDINAL)
    rounds = require_count(rounds, "rounds", error=GameError)
    leader, follower = payoffs(matrix)
    S = len(OBSERVATIONS)
    after = np.zeros((S, 2, 2, S))
    after[:, [0, 1, 0, 1], [0, 0, 1, 1], [1, 2, 3, 4]] = 1.0
    facts: dict[str, Any] = {
        "matrix": matrix,
        "leader_payoff": leader,
        "follower_payoff": follower,
        "rows": ("C", "D"),
        "columns": ("C", "D"),
        **known_facts(ID, matrix=matrix, discount=discount, temperature=temperature),
    }
    if rounds == ROUNDS:
        meaning = "ten undiscounted rounds, deterministic commitments, temperature 0, ties for the leader"
        source = "all 32 x 32 pairs of strategies of memory one"
        facts["reference"] = Reference(ORDINAL[matrix][1], "certified by enumeration", meaning, source).as_fact()
    return simultaneous_game(
        np.tile(leader, (S, 1, 1)),
        np.tile(follower, (S, 1, 1)),
        after,
        leader_discount=discount,
        follower_discount=discount,
        temperature=temperature,
        horizon=rounds,
        states=OBSERVATIONS,
        name="Iterated matrix game",
        facts=facts,
    )


FACES = declare(
    make_game,
    renderer="stackelberg_envs.pictures.tables:tables",
    reference="stackelberg_envs.envs.iterated_matrix.ordinal:planned_value",
)
raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES
followers_aec_env, leader_vector_env = FACES.followers_aec_env, FACES.leader_vector_env
parallel_vector_env = FACES.parallel_vector_env
