"""Warehouse: a leader sets what aisles cost and which way they are open; a robot fetches and delivers as it likes best.

| | |
| --- | --- |
| id | `stackelberg/Warehouse-v0` |
| states S | 57: 19 cells x 3 tasks (fetch at one of two pick stations, bring to the drop station) |
| leader actions A | 1 (the leader only configures) |
| follower actions B | 4: up, right, down, left |
| contexts K | 1 |
| commitment | costs of 7 aisles in [0, 0.5], closed shares of their 14 directions in [0, 1], shape (21,) |
| horizon | 200 |
| discounts | 0.97, 0.97 |
| temperature | 0.05 |

What x changes
    In an aisle's cells the follower pays the aisle's cost at each step; it is a number of its route planner and
    earns the leader nothing. A move along an aisle in a direction that is closed for a share c of the time fails
    with probability c, and the robot waits where it is. A share of 1 makes a one-way aisle, two of them close it.
Dynamics
    The robot starts at the first drop station and is told where to fetch. Its move fails with probability ``slip``;
    a move into shelves or a wall stays. At the right pick station it loads, for one step, and is told a drop
    station; at the right drop station it unloads, for one step, and is told the next pick station. Stations are
    drawn evenly.
Follower's reward
    1 for each delivery, minus ``energy`` at each step, minus the cost of the aisle that it is in.
Leader's reward
    1 for each delivery, minus ``danger`` for each step in a cell where people work (``!``). The robot does not care
    about people, and the short way leads past them.
End
    Only by the time limit.
What is known
    Where nothing is set, the robot takes the short way past the people and J is 0.659737. Closing that aisle in
    both directions gives 1.708928, its highest cost alone 1.709201. The best known rules, J = 1.730371, do both and
    set small costs of 0.01 to 0.04 everywhere else: they earn the leader nothing, but a robot that pays for each
    step hurries. The yardstick ended there from 5 of 63 starts, so it is no proof. On the medium floor J is
    -0.305187 where nothing is set. With default settings and 100,000 observed steps, two seeds each,
    ``certainty_equivalent`` ends at 1.708005 and 1.707725, ``bchg`` and ``hpgd`` at 1.708291 and 1.703936, ``naive``
    at 0.811575 and 0.659793, ``cma_es`` at 0.545051 and 0.526163 (``stackelberg sweep practice-v1 --seeds 2 --output
    runs/practice``).
Arguments
    ``floor``, ``costs``, ``max_cost``, ``danger``, ``energy``, ``slip``, ``temperature``, ``discount``,
    ``horizon``, ``num_robots``. ``floor`` is "small" (5 x 5), "medium" (13 x 23: 1,730 states), "large" (31 x 37:
    8,565 states), or a plan of your own as text: ``#`` shelves, ``.`` floor, ``!`` people, ``P`` pick and ``D``
    drop stations. An aisle is a run of cells between shelves. With ``costs="cells"`` there is a cost for each cell
    that is no station. ``num_robots`` robots have the same task each in a copy of the floor: they do not block one
    another, and the leader is paid their mean. The large floor is meant for robots that learn.
Sources
    Made for this package; guiding a warehouse robot is the example that Kudo et al. (2026), arXiv 2603.14867, begin
    with.
Version history
    v0: first version.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import (
    require_at_least,
    require_count,
    require_discount,
    require_number,
    require_positive,
    require_share,
    require_temperature,
)
from stackelberg_envs.envs.warehouse.floor import FLOORS, MOVES, Floor, read_floor
from stackelberg_envs.envs.warehouse.rules import FloorRules
from stackelberg_envs.errors import ArgumentError, GameError
from stackelberg_envs.faces.best_known import known_facts
from stackelberg_envs.faces.registration import declare
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.transitions import Transition


def make_game(
    *,
    floor: str = "small",
    costs: str = "aisles",
    max_cost: float = 0.5,
    danger: float = 0.2,
    energy: float = 0.02,
    slip: float = 0.05,
    temperature: float = 0.05,
    discount: float = 0.97,
    horizon: int = 200,
    num_robots: int = 1,
) -> TabularGame:
    """Warehouse as a tabular game.

    Parameters
    ----------
    floor
        "small", "medium", "large", or the text of a plan.
    costs
        What has a cost: "aisles" or "cells".
    max_cost
        Largest cost, the follower's reward units per step.
    danger
        What a step where people work costs the leader.
    energy
        What a step costs the follower.
    slip
        Probability that a move fails.
    temperature
        Weight of the follower's entropy, reward units.
    discount
        Of both players, per step.
    horizon
        Steps after which an episode is truncated.
    num_robots
        Robots, each in a copy of the floor.

    Raises
    ------
    GameError
        A plan with rows of different lengths, an unknown letter, or a station that cannot be reached, with the place;
        or one in which there is nothing to set a cost of.
    ArgumentError
        Other words for `costs`, no robots.
    """
    if costs not in ("aisles", "cells"):
        raise ArgumentError(f"costs: expected 'aisles' or 'cells', got {costs!r}")
    plan = read_floor(floor)
    danger, energy = require_at_least(danger, 0.0, "danger"), require_number(energy, "energy")
    slip, max_cost = require_share(slip, "slip"), require_positive(max_cost, "max_cost")
    num_robots = require_count(num_robots, "num_robots")
    cell, task = _cells_and_tasks(plan)
    dropping = cell == np.append(np.full(len(plan.picks), -1), plan.drops)[task]
    S = len(cell)
    shown: tuple[NDArray[np.bool_], ...] = (dropping, plan.people[cell])
    delivered, among = (np.broadcast_to(each[:, None, None], (S, 1, len(MOVES))).astype(np.float64) for each in shown)
    initial = np.zeros(S)
    initial[plan.drops[0] + len(plan.cells) * np.arange(len(plan.picks))] = 1.0 / len(plan.picks)
    facts: dict[str, Any] = {"floor": plan, "costs": costs}
    facts |= known_facts(
        "stackelberg/Warehouse-v0",
        floor=floor if floor in FLOORS else "\n".join(plan.rows),
        max_cost=max_cost,
        temperature=temperature,
        discount=discount,
        costs=costs,
        danger=danger,
        energy=energy,
        slip=slip,
    )
    open_floor = _open_floor(plan, slip)
    return TabularGame(
        transition=open_floor,
        leader_reward=delivered - danger * among,
        follower_reward=delivered - energy,
        initial=initial,
        leader_discount=require_discount(discount, "discount"),
        follower_discount=discount,
        temperature=require_temperature(temperature),
        commitment=_rules(plan, open_floor, costs, max_cost),
        horizon=horizon,
        num_followers=num_robots,
        name="Warehouse",
        facts=facts,
    )


def _cells_and_tasks(plan: Floor) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return cell and task of each state; tasks are to fetch at each pick station, then to bring to each drop."""
    tasks, N = len(plan.picks) + len(plan.drops), len(plan.cells)
    return np.tile(np.arange(N), tasks), np.repeat(np.arange(tasks), N)


def _open_floor(plan: Floor, slip: float) -> Transition:
    """Return the dynamics where nothing is closed: first where the move leads, then where the robot is, then others."""
    cell, task = _cells_and_tasks(plan)
    S, N, picks, drops = len(cell), len(plan.cells), len(plan.picks), len(plan.drops)
    width = max(2, picks, drops)
    successors = np.broadcast_to(np.arange(S)[:, None, None, None], (S, 1, len(MOVES), width)).copy()
    probabilities = np.zeros(successors.shape)
    successors[:, 0, :, 0] = task[:, None] * N + plan.landing[cell]
    probabilities[..., 0], probabilities[..., 1] = 1.0 - slip, slip
    for t, station in enumerate((*plan.picks, *plan.drops)):
        following = np.arange(picks, picks + drops) if t < picks else np.arange(picks)
        there = t * N + station
        successors[there, 0, :, : len(following)] = following * N + station
        probabilities[there] = 0.0
        probabilities[there, 0, :, : len(following)] = 1.0 / len(following)
    return Transition.from_lists(successors, probabilities)


def _rules(plan: Floor, open_floor: Transition, costs: str, max_cost: float) -> FloorRules:
    """Return the commitment: costs of places, and two gates for each aisle, of its moves forwards and backwards."""
    cell, _ = _cells_and_tasks(plan)
    stations = np.isin(np.arange(len(plan.cells)), (*plan.picks, *plan.drops))
    by_cell = np.where(stations, -1, np.cumsum(~stations) - 1)
    place = plan.aisle if costs == "aisles" else by_cell
    named = plan.aisle_names if costs == "aisles" else [f"({r}, {c})" for r, c in plan.cells[~stations]]
    if not len(named) + len(plan.aisle_names):
        wanted = "an aisle" if costs == "aisles" else "a cell that is no station"
        raise GameError(f"floor: expected {wanted}, which the leader sets the cost of, got none")
    gate = np.full((len(plan.cells), len(MOVES)), -1)
    for i, aisle in enumerate(plan.aisle):
        for direction in range(2 if aisle >= 0 else 0):
            gate[i, plan.along[aisle, direction]] = 2 * aisle + direction
    names = [f"cost {name}" for name in named]
    names += [f"closed {name} {way}" for name in plan.aisle_names for way in ("forwards", "backwards")]
    return FloorRules(place[cell], gate[cell], open_floor, max_cost, names)


FACES = declare(make_game, renderer="stackelberg_envs.envs.warehouse.picture:warehouse")
raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES
followers_aec_env, leader_vector_env = FACES.followers_aec_env, FACES.leader_vector_env
parallel_vector_env = FACES.parallel_vector_env
