"""Speed of the exact oracle, with ratios, in one run.

    python benchmarks/speed_oracle.py [--quick]

Table 1: Four-Rooms, against a dense NumPy soft value iteration to the same tolerance (target: 20 times
faster, cold). Table 2: where the three linear solvers break even; ``choose`` in
``stackelberg_envs/solvers/soft/linear.py`` comes from it. Set OPENBLAS_NUM_THREADS=1 to see one core.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from stackelberg_envs.envs import four_rooms_v0, random_tabular_v1
from stackelberg_envs.games.commitments.incentives import StateIncentive
from stackelberg_envs.games.tabular import Primitives, TabularGame
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.solvers.responses import soft_best_response
from stackelberg_envs.solvers.soft import linear
from stackelberg_envs.solvers.soft.best_response import DEFAULT_TOLERANCE
from stackelberg_envs.solvers.solving import solve

TOLERANCE = DEFAULT_TOLERANCE
TARGET = 20.0
LARGEST_DENSE = 2_100
METHODS = ("band", "dense", "krylov")


def milliseconds(function: Callable[[], Any], repetitions: int) -> float:
    """Median time of a call, after one to warm up."""
    function()
    times = []
    for _ in range(repetitions):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return 1e3 * statistics.median(times)


def numpy_soft_value_iteration(game: Primitives, kernel: np.ndarray, tolerance: float) -> np.ndarray:
    """Dense soft value iteration, stopped by the same bound on the error."""
    S, A, B, _ = kernel.shape
    flat = kernel.reshape(-1, S)
    gamma, temperature = game.follower_discount, game.temperature
    scale = gamma * game.continuing[:, None, None]
    values = np.zeros(S)
    while True:
        q = game.follower_reward + scale * (flat @ values).reshape(S, A, B)
        top = q.max(axis=2)
        soft = top + temperature * np.log(np.exp((q - top[:, :, None]) / temperature).sum(axis=2))
        new = (game.leader_policy * soft).sum(axis=1)
        if gamma / (1 - gamma) * np.abs(new - values).max() <= tolerance:
            return new
        values = new


def four_rooms_table(repetitions: int) -> None:
    print(f"Four-Rooms, 104 states, error at most {TOLERANCE:.0e}; milliseconds, median of {repetitions}")
    print(f"{'temperature':>12s}{'NumPy':>10s}{'cold':>8s}{'ratio':>8s}{'warm':>8s}{'ratio':>8s}"
          f"{'solve + gradient':>18s}")  # fmt: skip
    rng = np.random.default_rng(0)
    for temperature in (0.001, 0.005, 0.05):
        game = four_rooms_v0.make_game(temperature=temperature)
        x = -0.2 * rng.dirichlet(np.ones(105))[:104]
        parts, kernel = game.primitives(x), game.transition.to_dense()
        near = soft_best_response(game.primitives(0.99 * x), tolerance=TOLERANCE).state_values
        exact = soft_best_response(parts, tolerance=TOLERANCE).state_values
        difference = np.abs(numpy_soft_value_iteration(parts, kernel, TOLERANCE) - exact).max()
        if difference > 2 * TOLERANCE:
            raise SystemExit(f"the two solvers differ by {difference:.1e}")
        plain, cold, warm, full = (
            milliseconds(function, repetitions)
            for function in (
                lambda p=parts, k=kernel: numpy_soft_value_iteration(p, k, TOLERANCE),
                lambda p=parts: soft_best_response(p, tolerance=TOLERANCE),
                lambda p=parts, v=near: soft_best_response(p, tolerance=TOLERANCE, start=v),
                lambda g=game, y=x: solve(g, y, tolerance=TOLERANCE).gradient,
            )
        )
        print(f"{temperature:12g}{plain:10.2f}{cold:8.3f}{plain / cold:8.0f}{warm:8.3f}{plain / warm:8.0f}"
              f"{full:18.3f}{'' if plain / cold >= TARGET else '   target of 20 MISSED'}")  # fmt: skip


def grid_world(side: int, discount: float) -> TabularGame:
    """A square grid with a goal in the corner: values travel far, so Krylov methods take many steps."""
    S = side * side
    row, column = divmod(np.arange(S), side)
    landing = [np.clip(row + r, 0, side - 1) * side + np.clip(column + c, 0, side - 1) for r, c in four_rooms_v0.MOVES]
    successors = np.broadcast_to(np.stack(landing, axis=-1)[:, None, None, :], (S, 1, 4, 4))
    rows = np.where(np.eye(4, dtype=bool), 0.8, 0.2 / 3)
    goal = np.eye(S)[-1]
    reward = np.tile(goal[:, None, None], (1, 1, 4))
    return TabularGame(
        transition=Transition.from_lists(successors, np.broadcast_to(rows, successors.shape)),
        leader_reward=reward,
        follower_reward=reward,
        initial=np.eye(S)[0],
        terminal=goal,
        leader_discount=discount,
        follower_discount=discount,
        temperature=0.01,
        commitment=StateIncentive(-0.1, 0.1, where=1 - goal),
    )


def random_game(states: int) -> TabularGame:
    return random_tabular_v1.make_game(S=states, A=2, B=4, branching=5)


def break_even_row(name: str, game: TabularGame, repetitions: int) -> None:
    x = 0.0 * game.commitment.low
    times = {}
    chosen = linear.choose(game.transition, 1)
    for method in METHODS:
        if game.shape[0] > LARGEST_DENSE and method != "krylov" and (name == "random" or method == "dense"):
            times[method] = float("nan")
            continue
        linear.choose, original = (lambda *_, m=method: m), linear.choose
        times[method] = milliseconds(lambda: solve(game, x, tolerance=TOLERANCE).gradient, repetitions)
        linear.choose = original
    cells = "".join(f"{time:10.2f}" for time in times.values())
    print(f"{name:>14s}{game.shape[0]:8d}{cells}{chosen:>10s}")


def break_even_table(sizes: tuple[int, ...], repetitions: int) -> None:
    print("\nSolve + gradient by each linear solver, milliseconds, and the one chosen")
    print(f"{'game':>14s}{'states':>8s}" + "".join(f"{method:>10s}" for method in METHODS) + f"{'chosen':>10s}")
    for states in sizes:
        side = round(states**0.5)
        break_even_row("random", random_game(states), repetitions)
        break_even_row("grid, 0.99", grid_world(side, 0.99), repetitions)
        break_even_row("grid, 0.999", grid_world(side, 0.999), repetitions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer sizes and repetitions")
    quick = parser.parse_args().quick
    four_rooms_table(3 if quick else 20)
    break_even_table(
        (100, 400) if quick else (100, 200, 300, 400, 500, 700, 1000, 2000, 5000, 10000), 2 if quick else 5
    )


if __name__ == "__main__":
    main()
