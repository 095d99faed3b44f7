"""Speed of tax design: best response and hypergradient on the grid, drawing of actions, simulator.

    python benchmarks/speed_tax.py [--quick]

Table 1: a best response of both household types to 1e-6 (target: 100 ms), cold, and warm from a commitment 2 % away,
beside plain soft value iteration over all 1,250 actions on the same nodes, to the same bound; with the gradient; and
the error that the grid makes in J. Table 2: steps per second of the simulator alone and with the exact response
drawing the actions, for several numbers of copies. All times are the processor's, of one thread
(OPENBLAS_NUM_THREADS=1), so that other work on the machine counts little.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

from stackelberg_envs.envs import tax_design_v0
from stackelberg_envs.envs.tax_design.economy import asset_utility, consumption_utility, every_action

TOLERANCE, TARGET = 1e-6, 100.0
X = np.array([0.62, 0.1, 0.1, 0.3])


def milliseconds(function, repetitions):
    """Median processor time of a call, after one to warm up."""
    function()
    times = []
    for _ in range(repetitions):
        begin = time.process_time()
        function()
        times.append(time.process_time() - begin)
    return 1e3 * statistics.median(times)


def plain_value_iteration(game, solution):
    """Soft value iteration over all actions of both types, each with its own row of next assets."""
    actions = every_action(game.rules)
    grid = solution.types[0].saving.problem.grid
    moves = (1 - X[0]) * actions.hours - actions.consumption.sum(axis=1)
    move, which = np.unique(moves.round(12), return_inverse=True)
    mean = np.clip(grid.nodes[:, None] + move, -100, 100)
    rows = grid.weights * np.exp(-0.5 * ((grid.nodes - mean[:, :, None]) / 5) ** 2)
    rows /= rows.sum(axis=2, keepdims=True)
    gamma, temperature, out = game.follower_discount, game.temperature, []
    for preferences in game.households.preferences:
        reward = consumption_utility(actions.consumption, X[1:], preferences) - 0.1 * actions.hours**2
        reward = asset_utility(game.households, grid.nodes)[:, None] + reward
        values, residual = np.zeros(len(grid)), np.inf
        while gamma / (1 - gamma) * residual > TOLERANCE:
            q = reward + gamma * (rows @ values)[:, which]
            top = q.max(axis=1, keepdims=True)
            new = top[:, 0] + temperature * np.log(np.exp((q - top) / temperature).sum(axis=1))
            residual, values = np.abs(new - values).max(), new
        out.append(values)
    return out


def response_table(repetitions):
    print(f"Best response of both types to {TOLERANCE:.0e}; milliseconds of one core, median of {repetitions}")
    print(f"{'temperature':>12s}{'nodes':>7s}{'cold':>8s}{'warm':>8s}{'cold + gradient':>17s}"
          f"{'plain':>10s}{'ratio':>8s}{'grid error of J':>17s}")  # fmt: skip
    for temperature in (0.1, 0.3):
        game = tax_design_v0.make_game(temperature=temperature)
        solution = game.solve(X)
        begin = time.process_time()
        plain = plain_value_iteration(game, solution)
        slow = 1e3 * (time.process_time() - begin)
        difference = max(np.abs(a - b).max() for a, b in zip(plain, solution.values, strict=True))
        if difference > 1e-4:
            raise SystemExit(f"the two solvers differ by {difference:.1e}")
        start = game.solve(0.98 * X).values
        cold = milliseconds(lambda g=game: g.solve(X, tolerance=TOLERANCE), repetitions)
        warm = milliseconds(lambda g=game, s=start: g.solve(X, tolerance=TOLERANCE, start=s), repetitions)
        full = milliseconds(lambda g=game: g.solve(X, tolerance=TOLERANCE).gradient, repetitions)
        S = len(solution.types[0].saving.problem.grid)
        print(f"{temperature:12g}{S:7d}{cold:8.1f}{warm:8.1f}{full:17.1f}{slow:10.0f}{slow / cold:8.0f}"
              f"{solution.grid_error:17.1e}{'' if cold <= TARGET else '   target of 100 ms MISSED'}")  # fmt: skip


def simulator_table(copies, seconds):
    game = tax_design_v0.make_game()
    policy, rng = game.solve(X).policy, np.random.default_rng(0)
    print(f"\nSteps per second of one core\n{'copies':>8s}{'simulator':>14s}{'drawing actions':>18s}{'both':>14s}")
    for n in copies:
        contexts, silent = np.arange(n, dtype=np.int32) % 2, np.zeros((n, 0))
        states = game.initial_states(rng, contexts)
        actions = policy.sample(rng, states, silent, contexts)
        rates = [
            per_second(function, n, seconds)
            for function in (
                lambda s=states, c=contexts, a=silent, b=actions: game.step(rng, X, s, c, a, b),
                lambda s=states, c=contexts, a=silent: policy.sample(rng, s, a, c),
            )
        ]
        both = 1 / (1 / rates[0] + 1 / rates[1])
        print(f"{n:8d}{rates[0]:14,.0f}{rates[1]:18,.0f}{both:14,.0f}")


def per_second(function, n, seconds):
    function()
    begin, calls = time.process_time(), 0
    while time.process_time() - begin < seconds:
        function()
        calls += 1
    return n * calls / (time.process_time() - begin)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    quick = parser.parse_args().quick
    response_table(3 if quick else 15)
    simulator_table((1, 1024) if quick else (1, 64, 1024, 16_384), 0.3 if quick else 2.0)


if __name__ == "__main__":
    main()
