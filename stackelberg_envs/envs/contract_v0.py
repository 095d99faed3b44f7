"""Contract: a principal promises a bonus for success, and an agent chooses an effort that no contract can name.

| | |
| --- | --- |
| id | `stackelberg/Contract-v0` |
| states S | 3: the work, success and failure; with T stages 2^(T+1) - 1 histories |
| leader actions A | 1 (the leader only promises) |
| follower actions B | 3 efforts |
| contexts K | 1 |
| commitment | a bonus for success at each working history, shape (2^T - 1,), from 0 to what success is worth |
| horizon | T + 1 |
| discounts | 1, 1 |
| temperature | 0.01 |

What x changes
    What the agent is paid, and the principal pays, after a success: an entry for each history of successes and failures
    at which the agent works. Bonuses are not negative: an agent without means cannot be made to pay.
Dynamics
    The agent chooses an effort, which succeeds or fails by chance. With ``num_stages`` above 1 it then goes on to the
    next stage, whatever happened. A contract can name outcomes only: the same success is paid the same, whatever the
    effort was. (Leaders that learn see the agent's choices in the play, as in all games; what they commit to cannot
    depend on them.)
Follower's reward
    Minus ``cost`` of the effort; after a success, the bonus.
Leader's reward
    After a success, ``worth`` less the bonus.
End
    After the last stage.
What is known
    Let efforts succeed with probabilities p and cost c. An effort is the agent's best one if and only if the bonus is
    at least (c - c') / (p - p') for each p' below p, and at most that for each p' above; so the least bonus that brings
    it is the largest of the quotients for p' below, or 0. With the defaults effort 0 comes for nothing, effort 1 for
    0.2 and effort 2 for 2/3, which leaves the principal 0, 0.5 (1 - 0.2) = 0.4 and 0.8 (1 - 2/3) = 0.267. So for an
    agent without errors, who breaks ties for the principal, a bonus of 0.2 is best, and worth 0.4. If effort could be
    seen, the principal would pay effort 2 its cost and keep 0.5. At temperature 0.01 the agent errs, and more so close
    to a tie: the best bonus known is 0.2714, worth 0.354325. At 0.001 they are 0.2119 and 0.393026; they go to 0.2 and
    0.4 with the temperature.
    With two stages the best contract is worth 5/6, more than twice 0.4. For a first success it pays nothing but a
    better second stage: 2/3 for success there, which leaves the agent 0.2333 above the cost of its effort, more than
    the 0.2 that effort 1 asks for. After a failure success pays 0.2. Three stages are worth 1.29, four 1.7583. These
    values are found backwards from the last stage, by what the agent is promised, and again by a program with a zero or
    one for each history and effort. At temperature 0.01 the best known contracts for one to three stages are worth
    0.354325, 0.761928 and 1.187616.
What learning leaders reach
    With defaults, 50 updates of 400 steps, seeds 0 and 1: shares of the way from bonuses in the middle to the best
    known value, as ``python benchmarks/untuned.py closed-form-v1 --each`` tells them. One stage:
    `certainty_equivalent` 100 % and 99.97 %, `bchg` 99.9 % and 99.96 %. Two stages: `certainty_equivalent` 99.98 %
    and 99.99 %, `bchg` 50.8 % and 58.5 %: it goes on paying for the first success
    itself; after 300 updates it is at 99.4 % and 99.97 %.
Arguments
    ``success``, ``cost`` of each effort, ``worth``, ``num_stages``, ``temperature``.
Sources
    Holmström (1979), Moral hazard and observability; Innes (1990), Limited liability and incentive contracting with
    ex-ante action choices; Spear and Srivastava (1987), On repeated moral hazard with discounting.
Version history
    v0: first version.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array, as_float, require_count, require_positive, require_shape
from stackelberg_envs.envs.contract.promises import best_bonus, best_value
from stackelberg_envs.envs.contract.tree import histories, outcomes, paid_at
from stackelberg_envs.errors import GameError
from stackelberg_envs.faces.best_known import known_facts
from stackelberg_envs.faces.references import Reference
from stackelberg_envs.faces.registration import declare
from stackelberg_envs.games.commitments.transfer import Transfer
from stackelberg_envs.games.tabular import TabularGame

ID = "stackelberg/Contract-v0"
#: Stages of a job: a history is a state.
MOST_STAGES = 8
#: Stages and efforts up to which the best value without errors is computed; a single stage has a formula.
SOLVED_STAGES, SOLVED_EFFORTS = 3, 5


def make_game(
    *,
    success: Sequence[float] = (0.0, 0.5, 0.8),
    cost: Sequence[float] = (0.0, 0.1, 0.3),
    worth: float = 1.0,
    num_stages: int = 1,
    temperature: float = 0.01,
) -> TabularGame:
    """Contract as a tabular game, whose states are histories of outcomes.

    Parameters
    ----------
    success
        The probability with which each effort succeeds.
    cost
        Of each effort, for the agent, reward units.
    worth
        Of a success to the principal, reward units; also the largest bonus.
    num_stages
        Stages of the job, 1 to 8, each with a success or failure of its own.
    temperature
        Weight of the agent's entropy, reward units.

    Raises
    ------
    GameError
        Probabilities or costs that are none, of different numbers of efforts, or too many stages.
    """
    chances, costs, worth = _checked(success, cost, worth)
    stages = require_count(num_stages, "num_stages", error=GameError)
    if stages > MOST_STAGES:
        raise GameError(f"num_stages: expected at most {MOST_STAGES}, got {stages}")
    paid, working = paid_at(stages), 2**stages - 1
    states = histories(stages)
    names = ["bonus" if stages == 1 else f"bonus at {history}" for history in states[:working]]
    own = np.zeros((len(paid), 1, len(costs)))
    own[:working] = 0.0 - costs  # not -0.0
    earned = worth * paid.sum(axis=1)[:, None, None] * np.ones((1, 1, len(costs)))
    setting: dict[str, Any] = {
        "success": chances,
        "cost": costs,
        "worth": worth,
        "num_stages": stages,
        "temperature": temperature,
    }
    received = np.broadcast_to(-paid[:, None, None], (len(paid), 1, len(costs), working))
    return TabularGame(
        transition=outcomes(stages, chances),
        leader_reward=earned,
        follower_reward=own,
        initial=np.eye(len(paid))[0],
        terminal=np.arange(len(paid)) >= working,
        leader_discount=1.0,
        follower_discount=1.0,
        temperature=temperature,
        commitment=Transfer(received, 0.0, worth, names=names),
        horizon=stages + 1,
        name="Contract",
        facts={
            "states": states,
            "success": chances,
            "cost": costs,
            "worth": worth,
            "num_stages": stages,
            **_reference(chances, costs, worth, stages),
            **known_facts(ID, **setting),
        },
    )


def _checked(success: Sequence[float], cost: Sequence[float], worth: float) -> tuple[Array, Array, float]:
    chances, costs = as_float(success, "success"), as_float(cost, "cost")
    if chances.ndim != 1 or len(chances) < 2:
        raise GameError(f"success: expected a probability for each of two or more efforts, got shape {chances.shape}")
    if (chances < 0).any() or (chances > 1).any():
        raise GameError(f"success: expected probabilities, got {chances.tolist()}")
    require_shape(costs, [chances.shape], "cost")
    if (costs < 0).any():
        raise GameError(f"cost: expected numbers of at least 0, got {costs.tolist()}")
    return chances, costs, require_positive(worth, "worth")


def _reference(success: Array, cost: Array, worth: float, stages: int) -> dict[str, Any]:
    meaning = "temperature 0, ties for the leader"
    if stages == 1:
        source = "the least bonus that makes each effort the agent's best one, as in Innes (1990)"
        made = Reference(best_bonus(success, cost, worth)[1], "closed form", meaning, source)
    elif stages <= SOLVED_STAGES and len(cost) <= SOLVED_EFFORTS:
        source = "backward induction over the agent's promise (Spear and Srivastava, 1987)"
        value = best_value(success, cost, worth, stages)
        made = Reference(value, "certified by branch and bound", meaning, source)
    else:
        return {}
    return {"reference": made.as_fact()}


FACES = declare(
    make_game,
    renderer="stackelberg_envs.envs.contract.picture:contract",
    reference="stackelberg_envs.envs.contract.program:contract_value",
)
raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES
followers_aec_env, leader_vector_env = FACES.followers_aec_env, FACES.leader_vector_env
parallel_vector_env = FACES.parallel_vector_env
