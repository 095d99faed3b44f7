"""Search the games of a suite anew for the best commitment, and say where the suite's best known value is too low.

    python benchmarks/suite_best.py SUITE [--tasks NAME ...] [--evaluations 25000] [--seed 2] [--known FOLDER ...]

FOLDER is one that benchmarks/untuned.py has written: the commitments its leaders ended at are ascended from as well.
The values of `untuned-random-v1` were raised by what this prints.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import agents
import stackelberg_envs as se
from agents.benchmark.store import Store
from stackelberg_envs.faces.registration import spec

#: Part of the way from the start by which a value has to be higher to be told.
MARGIN = 1e-6


def ended_at(folders: list[Path], task: str) -> list[np.ndarray]:
    """Return the commitments that leaders ended at."""
    records = (record for folder in folders for record in Store(folder).records())
    return [one.result.commitment for one in records if one.result is not None and one.job.task == task]


def main() -> None:
    """Print a line for each task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite")
    parser.add_argument("--tasks", nargs="+")
    parser.add_argument("--evaluations", type=int, default=25_000)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--known", type=Path, nargs="+", default=[])
    options = parser.parse_args()
    for task in agents.load_suite(options.suite).tasks:
        if options.tasks and task.name not in options.tasks:
            continue
        game = spec(task.game).make(**task.arguments)
        known = [np.reshape(x, game.commitment.shape) for x in ended_at(options.known, task.name)]
        found = se.best_commitment(game, seed=options.seed, evaluations=options.evaluations, known=known)
        start, best = float(task.start or 0.0), float(task.best_known or -np.inf)
        higher = found.value > best + MARGIN * abs(best - start)
        print(f"{task.name}: {found.value:.9g}, known {best:.9g}{', HIGHER' if higher else ''}; {found}", flush=True)


if __name__ == "__main__":
    main()
