"""How time and memory grow with the number of states, from 10^3 to 10^6, beside QuantEcon and mdpsolver.

    python benchmarks/scale.py [--states 1000 10000 100000 1000000] [--error] [--others PYTHON] [--tables]

Ours is the game of benchmarks/memory_large_game.py: built, solved, and differentiated. The others know no games; with
`--others`, the Python of an environment where they are installed, they solve an ordinary decision process with as many
numbers in its kernel: as many states, 4 actions and 20 successors, discount 0.9, to 1e-8, by modified policy iteration.
mdpsolver takes nested lists, and is measured up to 10^5 states. Every measurement has a process of its own.

Adds its measurements to docs/tables/scale.jsonl, and makes docs/tables/scale.md and docs/figures/scale.png of the last
ones there; `--tables` measures nothing. `--error` bounds the error of the gradient, in another run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

DOCS = Path(__file__).parent.parent / "docs"
RESULTS, TABLE, FIGURE = (DOCS / name for name in ("tables/scale.jsonl", "tables/scale.md", "figures/scale.png"))
STATES, LISTED = (1_000, 10_000, 100_000, 1_000_000), 100_000
OURS, QUANTECON, MDPSOLVER = "stackelberg_envs", "QuantEcon", "mdpsolver"
#: What the other packages do: arguments are the name of one and a number of states.
OTHER = """
import json, resource, sys, time
import numpy as np
name, S = sys.argv[1], int(sys.argv[2])
A, N, discount = 4, 20, 0.9

def process(S):
    rng = np.random.default_rng(0)
    successors = rng.integers(S, size=(S * A, N), dtype=np.int32)
    weights = rng.standard_exponential((S * A, N))
    weights /= weights.sum(axis=1, keepdims=True)
    return successors, weights, rng.standard_normal(S * A)

def quantecon(S):
    import scipy.sparse
    from quantecon.markov import DiscreteDP
    successors, weights, reward = process(S)
    kernel = scipy.sparse.csr_matrix(
        (weights.ravel(), successors.ravel(), np.arange(0, S * A * N + 1, N)), shape=(S * A, S))
    pairs = np.repeat(np.arange(S), A), np.tile(np.arange(A), S)
    built = DiscreteDP(reward, kernel, discount, *pairs)
    return lambda: built.solve(method="modified_policy_iteration", epsilon=2e-8).v

def mdpsolver(S):
    import mdpsolver
    successors, weights, reward = process(S)
    model = mdpsolver.model()
    model.mdp(discount=discount, rewards=reward.reshape(S, A).tolist(),
              tranMatProbs=weights.reshape(S, A, N).tolist(), tranMatColumns=successors.reshape(S, A, N).tolist())
    return lambda: model.solve(algorithm="mpi", tolerance=1e-8)

make = {"QuantEcon": quantecon, "mdpsolver": mdpsolver}[name]
make(300)()
times = [(time.perf_counter(), time.process_time())]
solve = make(S)
times.append((time.perf_counter(), time.process_time()))
solve()
times.append((time.perf_counter(), time.process_time()))
(build, build_cpu), (solved, solved_cpu) = np.diff(times, axis=0).tolist()
print("\\n" + json.dumps({"peak GB": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e9,
    "build s": build, "solve s": solved, "build processor s": build_cpu, "solve processor s": solved_cpu}))
"""


def other(python: str, name: str, states: int) -> dict[str, float]:
    """Measure another package."""
    run = subprocess.run([python, "-c", OTHER, name, str(states)], check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return found


def keep(package: str, states: int, found: dict[str, float]) -> None:
    """Add a measurement to those there are."""
    rounded = {name: float(f"{value:.4g}") for name, value in found.items()}
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"package": package, "states": states, **rounded}) + "\n")
    print(package, states, rounded, flush=True)


def kept() -> dict[tuple[str, int], dict[str, Any]]:
    """Return the last measurement of each package and size; an error is that of the last run that bounded it."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for line in RESULTS.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        place = found.setdefault((row["package"], row["states"]), {})
        timed = "gradient error" not in row
        place.update(row if timed else {"gradient error": row["gradient error"]})
    return found


def table() -> str:
    """Return the measurements as a table in Markdown."""
    lines = [
        "| package | states | build | solve | gradient | all | all, on the clock | peak, GB | error of gradient |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (package, states), row in sorted(kept().items(), key=lambda item: (item[0][0] != OURS, item[0])):
        parts = [part for part in ("build", "solve", "gradient") if f"{part} s" in row]
        used = [row[f"{part} processor s"] for part in parts]
        seconds = [f"{one:.3g}" for one in used] + [""] * (3 - len(used))
        clock = sum(row[f"{part} s"] for part in parts)
        error = f"{row['gradient error']:.1e}" if "gradient error" in row else ""
        lines.append(
            f"| {package} | {states:,} | {' | '.join(seconds)} | {sum(used):.3g} | {clock:.3g} | {row['peak GB']:.2f} "
            f"| {error} |"
        )
    return "\n".join(lines) + "\n"


def draw() -> None:
    """Draw seconds of the processor and gigabytes against the number of states."""
    from agents.pictures.figures import new_figure, save

    figure, found = new_figure((9.0, 3.6)), kept()
    axes = figure.subplots(1, 2)
    for package in (OURS, QUANTECON, MDPSOLVER):
        rows = sorted((states, row) for (name, states), row in found.items() if name == package)
        if not rows:
            continue
        sizes = [states for states, _ in rows]
        parts = ("build processor s", "solve processor s")
        label = f"{package}: build and solve"
        axes[0].plot(sizes, [sum(row[part] for part in parts) for _, row in rows], "o-", label=label)
        if package == OURS:
            gradient = [row["gradient processor s"] for _, row in rows]
            axes[0].plot(sizes, gradient, "o--", label=f"{package}: gradient")
        axes[1].plot(sizes, [row["peak GB"] for _, row in rows], "o-", label=package)
    for one, text in zip(axes, ("processor time, s", "peak memory, GB"), strict=True):
        one.set(xscale="log", yscale="log", xlabel="states", ylabel=text)
        one.legend(frameon=False, fontsize=8)
    save(figure, FIGURE)


def main() -> None:
    from benchmarks.memory_large_game import in_own_process

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--states", type=int, nargs="*", default=STATES)
    parser.add_argument(
        "--error", action="store_true", help="bound the error of the gradient, and measure nothing else"
    )
    parser.add_argument("--others", metavar="PYTHON", help="measure the other packages, and not ours")
    parser.add_argument("--tables", action="store_true", help="measure nothing")
    arguments = parser.parse_args()
    for states in () if arguments.tables else arguments.states:
        if arguments.others:
            keep(QUANTECON, states, other(arguments.others, QUANTECON, states))
            if states <= LISTED:
                keep(MDPSOLVER, states, other(arguments.others, MDPSOLVER, states))
        else:
            keep(OURS, states, in_own_process(states, *(["--error"] if arguments.error else [])))
    TABLE.write_text(table(), encoding="utf-8")
    draw()


if __name__ == "__main__":
    main()
