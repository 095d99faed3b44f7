"""Speed of the linear-quadratic games: exact solutions, play, identification, and whole leader updates.

    python benchmarks/speed_lqr.py [--repetitions 50]

Milliseconds, medians: by the clock, and of the process, which other work on the machine disturbs less. 10,000 steps
are 100 episodes of 100 steps, as in the published experiments. "Leader update" is a whole one in a run: the commitment,
the exact follower's response, 10,000 steps of play, the update. The aim on the building is 50 ms. The finite
differences solve the follower's problem twice per entry of x. Set OPENBLAS_NUM_THREADS=1 to see one core.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import solve_discrete_are

import agents
from agents.estimators.models.published import model_class_of
from agents.leaders import leader_class, leader_names
from stackelberg_envs.envs import bilevel_lqr_v1, building_thermal_v1
from stackelberg_envs.games.linear_quadratic import LinearQuadraticGame
from stackelberg_envs.play.rollout import rollout
from stackelberg_envs.solvers.linear_quadratic.riccati import riccati

STEPS = 10_000
#: Records in the model: as after so many updates.
RECORDS = 20
LEADERS = ("bchg", "naive", "certainty_equivalent", "cma_es")
AIM = 50.0


def milliseconds(function: Callable[[], Any], repetitions: int) -> tuple[float, float]:
    """Median times of a call after one to warm up: by the clock and of the process."""
    function()
    times = []
    for _ in range(repetitions):
        begin = time.perf_counter(), time.process_time()
        function()
        times.append((time.perf_counter() - begin[0], time.process_time() - begin[1]))
    clock, process = 1e3 * np.median(times, axis=0)
    return float(clock), float(process)


def line(name: str, function: Callable[[], Any], repetitions: int) -> float:
    clock, process = milliseconds(function, repetitions)
    print(f"  {name:<48s}{clock:9.3f}{process:9.3f}")
    return process


def differences(game: LinearQuadraticGame, x: np.ndarray) -> None:
    for index in np.ndindex(x.shape):
        shift = np.zeros(x.shape)
        shift[index] = 1e-4
        for y in (x + shift, x - shift):
            _ = game.solve(y).leader_value


def rows(game: LinearQuadraticGame, x: np.ndarray, repetitions: int) -> None:
    print(f"{game.name}, milliseconds{'':<28s}    clock  process")
    solution, rng = game.solve(x), np.random.default_rng(0)
    numbers, parts = game.numbers, solution.parts
    arguments = parts.drift, numbers.follower_input, numbers.state_cost, numbers.action_cost
    root = np.sqrt(parts.discount)
    line("Riccati equation, doubling", lambda: riccati(*arguments, parts.discount), repetitions)
    scaled = root * arguments[0], root * arguments[1], *arguments[2:]
    line("  the same by scipy.linalg.solve_discrete_are", lambda: solve_discrete_are(*scaled), repetitions)
    line(
        "solve: response and both values",
        lambda: (game.solve(x).leader_value, game.solve(x).follower_value),
        repetitions,
    )
    exact = line("solve with hypergradient", lambda: game.solve(x).gradient, repetitions)
    rough = line("  the same by central differences", lambda: differences(game, x), max(3, repetitions // 5))
    print(f"  {'  ratio':<48s}{rough / exact:9.1f}")
    line(f"play, {STEPS:,} steps", lambda: rollout(game.under(x), solution.policy, rng, steps=STEPS), repetitions)
    record, family = rollout(game.under(x), solution.policy, rng, steps=STEPS), model_class_of(game.model_class)
    compressed = [family.compress(record) for _ in range(RECORDS)]
    line(f"identification: compress {STEPS:,} steps", lambda: family.compress(record), repetitions)
    line(f"identification: fit {RECORDS} compressed records", lambda: family.fit(compressed), repetitions)
    model = family.fit(compressed)
    line("model: value and gradient", lambda: model.value_and_gradient(x), repetitions)


def update_rows(game: LinearQuadraticGame, repetitions: int) -> None:
    print(f"{game.name}, a whole leader update with {STEPS:,} steps")
    for name in LEADERS:
        if name not in leader_names() or "vector" not in leader_class(name, "vector").kinds:
            continue
        experiment = agents.Experiment(
            agents.ExperimentConfig(game, leader=name, updates=10_000, steps_per_update=STEPS, evaluate_every=0)
        )
        process = line(name, experiment.step, repetitions)
        if game.name.startswith("Building") and process > AIM:
            print(f"  {'':<48s}the aim of {AIM:g} ms is missed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=50)
    repetitions = parser.parse_args().repetitions
    cases = ((bilevel_lqr_v1.make_game(), np.array([[-1.0, -2.0]])), (building_thermal_v1.make_game(), np.full(8, 0.5)))
    for game, x in cases:
        rows(game, x, repetitions)
    for game, _ in cases:
        update_rows(game, max(5, repetitions // 2))


if __name__ == "__main__":
    main()
