"""Four-Rooms: a leader sets charges on a map, so that a walker comes by a target cell on its way to the goal.

| | |
| --- | --- |
| id | `stackelberg/FourRooms-v0` |
| states S | 104 free cells of a 13 x 13 map, row by row |
| leader actions A | 1 (the leader only configures) |
| follower actions B | 4: up, right, down, left |
| contexts K | one per goal |
| commitment | an incentive per cell in [-0.2, 0], shape (104,) |
| horizon | 200 |
| discounts | 0.99, 0.99 |
| temperature | 0.005 |

What x changes
    The follower is paid ``x[cell]`` in every cell but its goal, and the leader pays for it.
Dynamics
    The follower starts in row 4, column 1. With probability ``slip`` its move goes in one of the three other
    directions; a move into a wall stays.
Follower's reward
    1 at the goal, else the cell's incentive.
Leader's reward
    1 per step on the target cell (row 8, column 4); at the goal, minus ``penalty`` times the sum of |x|.
End
    The goal is terminal: it pays when it is visited. Otherwise after 200 steps.
What is known
    Without incentives the leader earns almost nothing at low temperatures. Gradient ascent from random logits may end
    there too, even with exact gradients. Temperature continuation and many starts end higher. The best values found are
    known for one and two goals at slip 0.33 and 0.44.
Arguments
    ``goals``, ``goal_probabilities``, ``slip``, ``follower_slip``, ``temperature``, ``penalty``,
    ``discount``, ``horizon``.
    The papers' code simulates slip 0.33 but computes the follower's response and the reported value at 0.44;
    ``follower_slip=0.44`` reproduces that. Default: the follower believes the truth.
Sources
    Thoma et al. (2024), arXiv 2406.01575, section 5.1; Kudo et al. (2026), arXiv 2603.14867, section 6.
Version history
    v0: first version.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stackelberg_envs.arrays import (
    Array,
    as_float,
    as_integers,
    require_discount,
    require_number,
    require_probability,
    require_rows_sum_to_one,
    require_shape,
    require_temperature,
)
from stackelberg_envs.errors import GameError
from stackelberg_envs.faces.best_known import known_facts
from stackelberg_envs.faces.registration import declare
from stackelberg_envs.games.commitments.incentives import IncentiveCost, StateIncentive
from stackelberg_envs.games.commitments.joint import Joint
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.transitions import Transition

MAP = """\
xxxxxxxxxxxxx
x     x     x
x     x     x
x           x
x     x     x
x     x     x
xx xxxx     x
x     xxx xxx
x     x     x
x     x     x
x           x
x     x     x
xxxxxxxxxxxxx"""
FREE = np.array([[cell != "x" for cell in row] for row in MAP.splitlines()])
#: Row and column of each state, shape (104, 2).
CELLS = np.argwhere(FREE)
STATE_OF = {(int(row), int(column)): state for state, (row, column) in enumerate(CELLS)}
START, TARGET = (4, 1), (8, 4)
ONE_GOAL = ((1, 9),)
TWO_GOALS = ((1, 9), (11, 11))
#: Up, right, down, left.
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))
LOWEST_INCENTIVE = -0.2


def make_game(
    *,
    goals: Sequence[tuple[int, int]] = ONE_GOAL,
    goal_probabilities: Sequence[float] | None = None,
    slip: float = 0.33,
    follower_slip: float | None = None,
    temperature: float = 0.005,
    penalty: float = 5.0,
    discount: float = 0.99,
    horizon: int = 200,
) -> TabularGame:
    """Four-Rooms as a tabular game.

    Parameters
    ----------
    goals
        (row, column) of each goal; one context per goal.
    goal_probabilities
        Of each goal; default equal.
    slip, follower_slip
        Probability that a move goes another way: in truth, and as the follower believes (default: the truth).
    temperature
        Weight of the follower's entropy, reward units.
    penalty
        What one unit of incentive costs the leader when the goal is reached.
    discount
        Of both players, per step.
    horizon
        Steps after which an episode is truncated.

    Raises
    ------
    GameError
        A goal that is no free cell, or a slip outside [0, 1].
    """
    penalty, temperature = require_number(penalty, "penalty"), require_temperature(temperature)
    discount, slip = require_discount(discount, "discount"), require_probability(slip, "slip")
    if follower_slip is not None:
        follower_slip = require_probability(follower_slip, "follower_slip")
    goals = _checked_goals(goals)
    states = [_state_of(goal) for goal in goals]
    even = np.full(len(states), 1.0 / len(states))
    probabilities = as_float(even if goal_probabilities is None else goal_probabilities, "goal_probabilities")
    require_shape(probabilities, [even.shape], "goal_probabilities")
    probabilities = require_rows_sum_to_one(probabilities, "goal_probabilities")
    S = len(CELLS)
    at_goal = np.zeros((len(states), S))
    at_goal[np.arange(len(states)), states] = 1.0
    if len(states) == 1:
        at_goal = at_goal[0]
    on_target = np.zeros((S, 1, 4))
    on_target[STATE_OF[TARGET]] = 1.0
    low = np.full(S, LOWEST_INCENTIVE)
    facts: dict[str, Any] = {"cells": CELLS, "goals": goals, "target": TARGET, "start": START}
    facts |= known_facts(
        "stackelberg/FourRooms-v0",
        goals=goals,
        goal_probabilities=None if np.array_equal(probabilities, even) else probabilities,
        slip=slip,
        follower_slip=slip if follower_slip is None else follower_slip,
        temperature=temperature,
        penalty=penalty,
        discount=discount,
    )
    return TabularGame(
        transition=_walk(slip, "slip"),
        believed_transition=None if follower_slip in (None, slip) else _walk(follower_slip, "follower_slip"),
        leader_reward=on_target,
        follower_reward=_per_state(at_goal),
        initial=np.eye(S)[STATE_OF[START]],
        terminal=at_goal,
        leader_discount=discount,
        follower_discount=discount,
        temperature=temperature,
        commitment=Joint(
            StateIncentive(low, 0.0, where=1.0 - at_goal, parametrisation="softmax_budget"),
            IncentiveCost(low, 0.0, price=penalty, where=at_goal),
        ),
        context_probabilities=probabilities if len(states) > 1 else None,
        horizon=horizon,
        name="Four-Rooms",
        facts=facts,
    )


def _per_state(values: Array) -> Array:
    return np.repeat(values[..., None, None], len(MOVES), axis=-1)


def _checked_goals(goals: object) -> tuple[tuple[int, int], ...]:
    # Not everything with a length tells it: a sparse matrix does not.
    if (isinstance(goals, np.ndarray) and goals.size == 0) or (isinstance(goals, Sequence) and not goals):
        raise GameError("goals: expected at least one (row, column), got none")
    cells = as_integers(goals, "goals")  # type: ignore[arg-type]
    if cells.ndim != 2 or cells.shape[1] != 2:
        raise GameError(f"goals: expected free cells (row, column) of the 13 x 13 map, got {goals!r}")
    return tuple((int(row), int(column)) for row, column in cells)


def _state_of(cell: tuple[int, int]) -> int:
    try:
        row, column = cell
        return STATE_OF[row, column]
    except (KeyError, TypeError, ValueError):
        raise GameError(f"goals: expected free cells (row, column) of the 13 x 13 map, got {cell}") from None


def _walk(slip: float, name: str) -> Transition:
    """Return the dynamics: four successors a row, one per direction the move may take."""
    landing = np.array([[_step(cell, move) for move in MOVES] for cell in CELLS])
    successors = np.broadcast_to(landing[:, None, None, :], (len(CELLS), 1, 4, 4))
    rows = np.where(np.eye(4, dtype=bool), 1.0 - slip, slip / 3.0)
    return Transition.from_lists(successors, np.broadcast_to(rows, successors.shape), name)


def _step(cell: np.ndarray, move: tuple[int, int]) -> int:
    there = (int(cell[0]) + move[0], int(cell[1]) + move[1])
    return STATE_OF.get(there, STATE_OF[int(cell[0]), int(cell[1])])


FACES = declare(make_game, renderer="stackelberg_envs.envs.four_rooms.picture:four_rooms")
raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES
followers_aec_env, leader_vector_env = FACES.followers_aec_env, FACES.leader_vector_env
parallel_vector_env = FACES.parallel_vector_env
