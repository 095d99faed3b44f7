"""Memory and time of one large random game, solved in a process of its own.

    python benchmarks/memory_large_game.py [--states 100000]

The target is 2 GB for 10^5 states, 4 x 4 actions and 5 successors a row, the follower's values to 1e-8.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np

TARGET_GB = 2.0


def measure(states: int) -> dict[str, float]:
    """Build, solve and differentiate the game; seconds of each and the peak resident memory."""
    from stackelberg_envs.envs import random_tabular_v1
    from stackelberg_envs.solvers.solving import solve

    warm = random_tabular_v1.make_game(S=800, A=4, B=4, branching=5, commitment="policy")
    solve(warm, np.full((800, 4), 0.25)).gradient  # noqa: B018 (compiles the kernels)
    times = [time.perf_counter()]
    game = random_tabular_v1.make_game(S=states, A=4, B=4, branching=5, commitment="policy")
    times.append(time.perf_counter())
    solution = solve(game, np.full((states, 4), 0.25), tolerance=1e-8)
    times.append(time.perf_counter())
    gradient = solution.gradient
    times.append(time.perf_counter())
    build, solved, differentiated = np.diff(times)
    # ru_maxrss is in kilobytes, on macOS in bytes.
    unit = 1.0 if sys.platform == "darwin" else 1024.0
    return {
        "peak GB": unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e9,
        "build s": build,
        "solve s": solved,
        "gradient s": differentiated,
        "error bound": solution.best.error,
        "leader value": solution.leader_value,
        "largest |dJ/dx|": float(np.abs(gradient).max()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--states", type=int, default=100_000)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure(arguments.states)))
        return
    command = [sys.executable, __file__, "--child", "--states", str(arguments.states)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(run.stdout)
    print(f"random game, {arguments.states} states, 4 x 4 actions, branching 5")
    for name, value in found.items():
        print(f"  {name:16s} {value:12.4g}")
    print(f"  target {TARGET_GB} GB: {'met' if found['peak GB'] < TARGET_GB else 'MISSED'}")


if __name__ == "__main__":
    main()
