"""The tree of outcomes of a job in stages.

Nodes are numbered level by level: success at node i leads to 2 i + 1, failure to 2 i + 2. Of a job of T stages the
first 2^T - 1 nodes are stages at which somebody works, and the 2^T after them are ends.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.transitions import Transition

__all__ = ["answers", "histories", "outcomes", "paid_at", "stages_of"]

#: Parts of their size by which efforts differ that are equally good.
TIED = 1e-9


def stages_of(nodes: int) -> int:
    """Return the number of stages of a tree with so many nodes."""
    return (nodes + 1).bit_length() - 2


def histories(stages: int) -> tuple[str, ...]:
    """Return what has happened before each node: "start", "S" after a success, "SF" after a success and a failure."""
    level, found = [""], ["start"]
    for _ in range(stages):
        level = [before + outcome for before in level for outcome in "SF"]
        found += level
    return tuple(found)


def answers(bonuses: Array, success: Array, cost: Array) -> tuple[NDArray[np.int64], Array]:
    """Return the best effort of an agent without errors at each working node, and what the job is then worth to it.

    Both of shape (2^T - 1,). Of efforts that are equally good, the one that succeeds most.
    """
    working = len(bonuses)
    best, worth = np.zeros(working, dtype=np.int64), np.zeros(2 * working + 1)
    for node in reversed(range(working)):
        good, bad = bonuses[node] + worth[2 * node + 1], worth[2 * node + 2]
        own = success * good + (1.0 - success) * bad - cost
        ties = np.flatnonzero(own >= own.max() - TIED * max(1.0, float(np.abs(own).max())))
        best[node] = ties[success[ties].argmax()]
        worth[node] = own[best[node]]
    return best, worth[:working]


def outcomes(stages: int, success: Array) -> Transition:
    """Return how efforts lead from node to node; ends stay, which nobody sees."""
    working, nodes = 2**stages - 1, 2 ** (stages + 1) - 1
    shape = (nodes, 1, len(success), 2)
    landing, chances = np.zeros(shape, dtype=np.int64), np.zeros(shape)
    landing[:] = np.arange(nodes)[:, None, None, None]
    landing[:working, 0] = (2 * np.arange(working)[:, None] + [1, 2])[:, None]
    chances[:working, 0] = np.stack([success, 1.0 - success], axis=-1)
    chances[working:, ..., 0] = 1.0
    return Transition.from_lists(landing, chances)


def paid_at(stages: int) -> Array:
    """Return at which nodes each bonus is paid, shape (nodes, 2^T - 1): where success at its node leads to."""
    working = 2**stages - 1
    paid = np.zeros((2 ** (stages + 1) - 1, working))
    paid[2 * np.arange(working) + 1, np.arange(working)] = 1.0
    return paid
