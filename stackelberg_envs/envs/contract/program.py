"""The best contract once more, by a program: what to pay at each node, and which effort that brings.

The agent's worth U and the principal's worth V of each node are linear in the bonuses once the effort at the node is
fixed; a zero or one for each node and effort fixes it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.envs.contract.tree import stages_of
from stackelberg_envs.errors import ConvergenceError

__all__ = ["best_contract", "contract_value"]


def best_contract(success: Array, cost: Array, worth: float, stages: int) -> tuple[float, Array]:
    """Return what the best contract is worth to the principal, and its bonuses, shape (2^T - 1,), for T stages.

    Without errors, and with ties for the principal.

    Parameters
    ----------
    success, cost
        Of each effort.
    worth
        Of a success to the principal, and the largest bonus.
    stages
        Their number T; the program has 2^T - 1 times as many zeros and ones as there are efforts.

    Raises
    ------
    ConvergenceError
        The program ended without a solution.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    working, B = 2**stages - 1, len(success)
    # Bonuses, then the agent's and the principal's worth of working nodes, then zeros and ones; U and V of ends are 0.
    count = working * (3 + B)
    far = (stages + 1) * (2.0 * worth + float(cost.max()))
    rows, most = [], []
    for node in range(working):
        good, bad, own, paid = 2 * node + 1, 2 * node + 2, working + node, 2 * working + node
        for b in range(B):
            # What the effort is worth to both: a constant, and weights.
            agent, principal = np.zeros(count), np.zeros(count)
            agent[node], principal[node] = success[b], -success[b]
            for child, share in ((good, success[b]), (bad, 1.0 - success[b])):
                if child < working:
                    agent[working + child], principal[2 * working + child] = share, share
            chosen, mine, theirs = np.zeros(count), np.zeros(count), np.zeros(count)
            chosen[3 * working + node * B + b], mine[own], theirs[paid] = far, 1.0, 1.0
            rows += [agent - mine, mine - agent + chosen, theirs - principal + chosen]
            most += [cost[b], far - cost[b], far + success[b] * worth]
    one = np.zeros((working, count))
    for node in range(working):
        one[node, 3 * working + node * B : 3 * working + (node + 1) * B] = 1.0
    low, high = np.full(count, -far), np.full(count, far)
    low[:working], high[:working] = 0.0, worth
    low[3 * working :], high[3 * working :] = 0.0, 1.0
    goal, whole = np.zeros(count), np.zeros(count)
    goal[2 * working], whole[3 * working :] = -1.0, 1.0
    limits = [LinearConstraint(np.array(rows), -np.inf, np.array(most)), LinearConstraint(one, 1.0, 1.0)]
    found = milp(goal, integrality=whole, bounds=Bounds(low, high), constraints=limits, options={"mip_rel_gap": 0.0})
    if found.x is None:
        raise ConvergenceError(f"best_contract: the program ended without a solution: {found.message}")
    return -float(found.fun), np.asarray(found.x[:working])


def contract_value(game: Any) -> float:
    """Return the principal's value of a game again, by the program."""
    facts = game.facts
    return best_contract(facts["success"], facts["cost"], facts["worth"], stages_of(game.shape[0]))[0]
