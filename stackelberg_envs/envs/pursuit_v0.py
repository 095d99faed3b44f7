"""Pursuit: a leader lights a park in which a pursuer chases an evader that is just as fast; both are followers.

| | |
| --- | --- |
| id | `stackelberg/Pursuit-v0` |
| states S | 56: the cell of each of 2 followers, 8 cells round a block |
| leader actions A | 1 (the leader only configures) |
| follower actions B | 5 each: stay, up, right, down, left |
| followers | 2: the pursuer, and the evader, the last one |
| contexts K | 1 |
| commitment | a light in [0, 0.5] for each cell, and an addition to a capture in [0, 1], shape (9,) |
| horizon | 60 |
| discounts | 0.9, 0.9 |
| temperature | 0.05 |

Round the block nobody catches an evader that is as fast. It shuns the light, though, and a leader who knows where to
put it leaves the evader few dark cells. Where there is light changes what the evader does, so what the
pursuer does, so again what the evader does: followers answer each other, and their answer to the leader is an
equilibrium.

What x changes
    In a cell with light the evader pays so much for each step that it begins there. A capture pays its pursuers the
    addition, besides their prize.
Dynamics
    All move at once, without seeing where the others go. A move into a wall stays. The evader is caught by a pursuer
    who lands in the same cell or changes places with it. Then the next chase begins where the first one did.
Followers' rewards
    A pursuer earns ``prize`` and the addition for a capture, shared evenly by those who make it, and pays ``effort``
    for each move. The evader pays 1 for a capture, and the light.
Leader's reward
    1 for a capture less what it adds to it, and minus ``upkeep`` for each unit of light in the park at each step.
End
    Only by the time limit.
What is known
    Where nothing is set the evader runs round the block, and J is 0.003350. The best known lights pay 1.050544: five
    cells in a row are lit, from where the pursuer begins to where the evader does, and leave it the other three. A
    capture pays 0.154 more. Without that addition the same lights are worth 0.429646. Exact gradients ended there, or
    at its mirror image, from 12 of 130 starts, and at no more than 0.701717 from all others: no proof. Two pursuers
    on 3 x 2 cells catch the evader without any light: J is 1.089442.
What learning leaders reach
    With defaults, 40 updates, seeds 0 and 1, followers at their equilibrium (``stackelberg run
    stackelberg/Pursuit-v0 --leader random_search --updates 40 --seed 0``): `exact`, which is told the game, 1.050544 in
    both; `random_search` 0.449895 and 0.275491, `cma_es` -0.194764 and -0.266196, `zero_order` -0.344711 and -0.371425.
    The default leader `bchg` with its default 100,000 steps: 0.6868 and 0.7152, two thirds of the way from nothing set.
Arguments
    ``park``, ``max_light``, ``max_reward``, ``upkeep``, ``prize``, ``effort``, ``zero_sum``, ``temperature``,
    ``discount``, ``horizon``. ``park`` is "block", "open" (the same without the block), "pair" (two pursuers on 3 x 2
    cells: 150 states, three followers), or a plan of your own as text: ``#`` walls, ``.`` cells, ``P`` where pursuers
    begin, as many as there are, ``E`` where the evader does. With ``zero_sum=True`` a single pursuer gains just what
    the evader loses, by captures, light and the addition, which is then a fine, and each loses what the entropy of the
    other is worth. Such a game has one equilibrium at every temperature, and a solver of its own, which takes a tenth
    of the time.
Sources
    Made for this package. Games of pursuit: Isaacs (1965), Differential games. A park of cells in which all move at
    once is a stochastic game: Shapley (1953); its logit equilibria: McKelvey and Palfrey (1995).
Version history
    v0: first version.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackelberg_envs.arrays import (
    Array,
    require_at_least,
    require_discount,
    require_flag,
    require_positive,
    require_temperature,
)
from stackelberg_envs.envs.pursuit.lights import Lights
from stackelberg_envs.envs.pursuit.park import PARKS, Park, read_park
from stackelberg_envs.errors import GameError
from stackelberg_envs.faces.best_known import known_facts
from stackelberg_envs.faces.registration import declare
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.transitions import Transition

ID = "stackelberg/Pursuit-v0"


def make_game(
    *,
    park: str = "block",
    max_light: float = 0.5,
    max_reward: float = 1.0,
    upkeep: float = 0.02,
    prize: float = 0.2,
    effort: float = 0.05,
    zero_sum: bool = False,
    temperature: float = 0.05,
    discount: float = 0.9,
    horizon: int = 60,
) -> MarkovGame:
    """Pursuit as a game of pursuers and an evader who affect each other.

    Parameters
    ----------
    park
        "block", "open", "pair", or the text of a plan.
    max_light
        What a step in the brightest light costs the evader, reward units.
    max_reward
        Most that the leader adds to a capture, reward units.
    upkeep
        What a unit of light costs the leader, per cell and step.
    prize
        What a capture pays its pursuers without the leader, reward units.
    effort
        What a move costs a pursuer; to stay costs nothing.
    zero_sum
        Whether the one pursuer gains what the evader loses, instead of its prize less its effort.
    temperature
        Weight of each follower's entropy, reward units.
    discount
        Of everybody, per step.
    horizon
        Steps after which an episode is truncated.

    Raises
    ------
    GameError
        A plan that is none, see its page, or more than one pursuer in a game that is to be zero-sum.
    """
    plan = read_park(park)
    zero_sum = require_flag(zero_sum, "zero_sum", GameError)
    if zero_sum and plan.num_movers != 2:
        raise GameError(f"zero_sum: expected a park with one pursuer, got {plan.num_movers - 1}")
    prize, effort = (require_at_least(v, 0.0, name, GameError) for v, name in ((prize, "prize"), (effort, "effort")))
    upkeep = require_at_least(upkeep, 0.0, "upkeep", GameError)
    high = np.full(len(plan.cells) + 1, require_positive(max_light, "max_light"))
    high[-1] = require_positive(max_reward, "max_reward")
    rewards, pays, costs = _rewards(plan, prize, effort, upkeep)
    if zero_sum:
        pays[1, ..., -1] = -pays[0, ..., -1]
        rewards[0], pays[0] = -rewards[1], -pays[1]
    S, M = plan.successors.shape
    cells = [f"({row}, {column})" for row, column in plan.cells.tolist()]
    states = tuple(f"{' '.join(cells[i] for i in each[:-1])} after {cells[each[-1]]}" for each in plan.places)
    facts: dict[str, Any] = {"park": plan, "states": states}
    setting: dict[str, Any] = {"upkeep": upkeep, "prize": prize, "effort": effort, "zero_sum": zero_sum}
    setting |= {"max_light": max_light, "max_reward": max_reward, "temperature": temperature, "discount": discount}
    facts |= known_facts(ID, park=park if park in PARKS else "\n".join(plan.rows), **setting)
    return MarkovGame(
        follower_rewards=rewards,
        leader_reward=np.asarray(plan.catchers.any(axis=0), dtype=np.float64),
        transition=Transition.from_lists(plan.successors[:, None, :, None], np.ones((S, 1, M, 1))),
        initial=np.eye(S)[plan.first],
        leader_discount=require_discount(discount, "discount"),
        follower_discount=discount,
        temperature=require_temperature(temperature),
        zero_sum=zero_sum,
        commitment=Lights(pays, costs, high, [*(f"light {cell}" for cell in cells), "reward for a capture"]),
        horizon=horizon,
        name="Pursuit",
        facts=facts,
    )


def _rewards(plan: Park, prize: float, effort: float, upkeep: float) -> tuple[Array, Array, Array]:
    """Return the followers' rewards, what each entry of x pays them, and what it costs the leader.

    Shapes (n, S, M), (n, S, M, D) and (S, M, D).
    """
    S, M = plan.successors.shape
    caught = plan.catchers.any(axis=0)
    rewards = np.empty((plan.num_movers, S, M))
    rewards[:-1] = prize * plan.shares - effort * (plan.moves[:-1] != 0)[:, None]
    rewards[-1] = -1.0 * caught
    pays = np.zeros((plan.num_movers, S, M, len(plan.cells) + 1))
    pays[-1, np.arange(S), :, plan.places[:, -1]] = -1.0
    pays[:-1, ..., -1] = plan.shares
    costs = np.full((S, M, len(plan.cells) + 1), upkeep)
    costs[..., -1] = caught
    return rewards, pays, costs


FACES = declare(make_game, renderer="stackelberg_envs.envs.pursuit.picture:pursuit")
raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES
followers_aec_env, leader_vector_env = FACES.followers_aec_env, FACES.leader_vector_env
parallel_vector_env = FACES.parallel_vector_env
