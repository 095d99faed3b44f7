"""Memory and time of one large random game, solved in a process of its own.

    python benchmarks/memory_large_game.py [--states 1000000] [--error]

The target is 4 GB and 40 s on two cores for 10^6 states, 4 x 4 actions and 5 successors a row, built, solved and
differentiated; the follower's probabilities to 1e-8. `--error` bounds the error of the gradient after that, by solving
once more in twice the precision, which takes longer and more memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np

TARGET_GB, TARGET_SECONDS, TARGET_STATES = 4.0, 40.0, 1_000_000


def peak() -> float:
    """Return the peak resident memory of this process, GB."""
    # ru_maxrss is in kilobytes, on macOS in bytes.
    unit = 1.0 if sys.platform == "darwin" else 1024.0
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e9


def measure(states: int, error: bool = False) -> dict[str, float]:
    """Build, solve and differentiate the game; seconds of each, on the clock and of the processor, and the peak."""
    from stackelberg_envs.envs import random_tabular_v1
    from stackelberg_envs.solvers.solving import solve

    # Compiles the loops, those of large games among them.
    for size in (800, 20_000):
        warm = random_tabular_v1.make_game(S=size, A=4, B=4, branching=5, commitment="policy")
        solve(warm, np.full((size, 4), 0.25)).gradient  # noqa: B018
    del warm
    clocks = (time.perf_counter, time.process_time)
    times = [[clock() for clock in clocks]]
    game = random_tabular_v1.make_game(S=states, A=4, B=4, branching=5, commitment="policy")
    times.append([clock() for clock in clocks])
    solution = solve(game, np.full((states, 4), 0.25), tolerance=1e-8)
    times.append([clock() for clock in clocks])
    gradient = solution.gradient
    times.append([clock() for clock in clocks])
    (build, build_cpu), (solved, solved_cpu), (differentiated, differentiated_cpu) = np.diff(times, axis=0).tolist()
    found = {
        "peak GB": peak(),
        "build s": build,
        "solve s": solved,
        "gradient s": differentiated,
        "build processor s": build_cpu,
        "solve processor s": solved_cpu,
        "gradient processor s": differentiated_cpu,
        "error bound": solution.best.error,
        "leader value": solution.leader_value,
        "largest |dJ/dx|": float(np.abs(gradient).max()),
    }
    if error:
        found["gradient error"] = solution.gradient_error
        found["peak GB with error"] = peak()
    return found


def in_own_process(states: int, *options: str) -> dict[str, float]:
    """Measure in a process of its own."""
    command = [sys.executable, __file__, "--child", "--states", str(states), *options]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(run.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--states", type=int, default=TARGET_STATES)
    parser.add_argument("--error", action="store_true", help="bound the error of the gradient")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure(arguments.states, arguments.error)))
        return
    found = in_own_process(arguments.states, *(["--error"] if arguments.error else []))
    print(f"random game, {arguments.states} states, 4 x 4 actions, branching 5")
    for name, value in found.items():
        print(f"  {name:20s} {value:12.4g}")
    if arguments.states <= TARGET_STATES:
        seconds = found["build s"] + found["solve s"] + found["gradient s"]
        print(f"  target {TARGET_GB} GB: {'met' if found['peak GB'] < TARGET_GB else 'MISSED'}")
        print(f"  target {TARGET_SECONDS} s: {'met' if seconds < TARGET_SECONDS else 'MISSED'} with {seconds:.1f} s")


if __name__ == "__main__":
    main()
