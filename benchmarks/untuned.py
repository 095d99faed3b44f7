"""Leaders without any option: what share of the way from the default start to the best known value they go.

    python benchmarks/untuned.py SUITE [--leaders bchg hpgd ...] [--tasks NAME ...] [--seeds 10] [--steps N]
                                 [--output runs/untuned] [--workers 1] [--each]

SUITE is a name ("untuned-v1", "untuned-rooms-v1", "untuned-random-v1") or a file (benchmarks/untuned-toll.toml). Runs
are kept in the folder, so that a table that was interrupted goes on, and a leader that is added later joins it. A
change of the code is not noticed: take another folder then. With --each there is a line per seed as well.

The share is (J of what is recommended in the end - J of the default start) / (best known J - J of the default start).
The default start is the commitment of zero parameters. "below start" counts seeds that end lower than it, "below naive"
those that end lower than `naive` with the same seed, by more than a thousandth of the way. Seconds are of one run.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

import agents
import stackelberg_envs as se
from agents.benchmark.records import JobRecord
from agents.benchmark.store import Store
from agents.benchmark.suites import Suite, Task
from agents.learning.parametrisations import make_parametrisation
from stackelberg_envs.faces.registration import spec

#: Modules that suites may name games of.
MODULES = ("benchmarks.games",)
#: Share of the way that is no difference.
MARGIN = 1e-3
COLUMNS = ("task", "leader", "seeds", "min", "10 %", "median", "below start", "below naive", "seconds")


class Row(NamedTuple):
    """What became of one leader on one task: shares of the way, those of `naive`, and seconds, by seed."""

    task: str
    leader: str
    shares: dict[Any, float]
    naive: dict[Any, float]
    seconds: dict[Any, float]

    def cells(self) -> list[str]:
        """Return the row as text."""
        shares, common = np.array(list(self.shares.values())), self.shares.keys() & self.naive.keys()
        behind = sum(self.shares[seed] < self.naive[seed] - MARGIN for seed in common)
        return [
            *(self.task, self.leader, str(len(shares))),
            *(f"{value:.3f}" for value in (shares.min(), np.quantile(shares, 0.1), np.median(shares))),
            str(int((shares < -MARGIN).sum())),
            str(behind) if common else "-",
            f"{np.mean(list(self.seconds.values())):.1f}",
        ]


def default_start(task: Task) -> float:
    """Return J of the commitment that leaders begin with by default."""
    game = spec(task.game).make(**task.arguments)
    parametrisation = make_parametrisation(game.commitment, task.parametrisation)
    return float(se.solve(game, parametrisation(np.zeros(parametrisation.size))).leader_value)


def best_known(task: Task) -> float:
    """Return the value that counts as the whole way: the suite's, else that which the game says itself."""
    if task.best_known is not None:
        return task.best_known
    return float(spec(task.game).make(**task.arguments).facts["best_known"])


def chosen(options: argparse.Namespace) -> Suite:
    """Return the suite with what the command line changes in it."""
    suite = agents.load_suite(options.suite, MODULES)
    changed = {**vars(suite)}
    if options.seeds is not None:
        changed["seeds"] = tuple(range(options.seeds))
    if options.leaders:
        changed["leaders"] = tuple(agents.Player(name) for name in options.leaders)
    tasks = [task for task in suite.tasks if not options.tasks or task.name in options.tasks]
    if options.steps is not None:
        tasks = [Task(**{**vars(task), "steps": options.steps}) for task in tasks]
    return Suite(**{**changed, "tasks": tuple(tasks)})


def rows_of(suite: Suite, records: Iterable[JobRecord]) -> list[Row]:
    """Return a row per task and leader, in the order of the suite."""
    scales = {task.name: (default_start(task), best_known(task)) for task in suite.tasks}
    shares: dict[tuple[str, str], dict[int, float]] = {}
    seconds: dict[tuple[str, str], dict[int, float]] = {}
    for record in sorted(records, key=lambda each: each.job.seed):
        pair, seed = (record.job.task, record.job.entrant), record.job.seed
        if record.result is not None and record.result.leader_value is not None:
            start, best = scales[record.job.task]
            shares.setdefault(pair, {})[seed] = (record.result.leader_value - start) / (best - start)
            seconds.setdefault(pair, {})[seed] = record.provenance.processor_seconds
    pairs = [(task.name, player.name or player.kind) for task in suite.tasks for player in suite.leaders]
    return [
        Row(*pair, shares[pair], shares.get((pair[0], "naive"), {}), seconds[pair]) for pair in pairs if pair in shares
    ]


def pooled(rows: Sequence[Row]) -> list[Row]:
    """Return one row per leader over all its tasks, where there are several."""
    made = []
    for leader in dict.fromkeys(row.leader for row in rows):
        own = [row for row in rows if row.leader == leader]
        if len(own) > 1:
            shares, naive, seconds = (
                {(row.task, seed): value for row in own for seed, value in getattr(row, name).items()}
                for name in ("shares", "naive", "seconds")
            )
            made.append(Row(f"all of {len(own)}", leader, shares, naive, seconds))
    return made


def markdown(rows: Iterable[Row]) -> str:
    """Return rows as a table."""
    lines = [COLUMNS, ["---"] * len(COLUMNS), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite")
    parser.add_argument("--leaders", nargs="+", metavar="NAME")
    parser.add_argument("--tasks", nargs="+", metavar="NAME")
    parser.add_argument("--seeds", type=int, metavar="N")
    parser.add_argument("--steps", type=int, metavar="N")
    parser.add_argument("--output", default="runs/untuned")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--each", action="store_true")
    options = parser.parse_args(words)
    suite = chosen(options)
    engine = "sequential" if options.workers == 1 else "loky"
    done = agents.sweep(suite, output=options.output, engine=engine, workers=options.workers, progress=False)
    for record in done.failures():
        print(f"failed: {record.job.task}, {record.job.entrant}, seed {record.job.seed}: {record.error}")
    rows = rows_of(suite, [record for record in Store(done.folder).records() if record.address in done.addresses])
    print(markdown([*rows, *pooled(rows)]))
    if options.each:
        for row in rows:
            print(
                f"{row.task}, {row.leader}: "
                + json.dumps({seed: round(share, 4) for seed, share in row.shares.items()})
            )


if __name__ == "__main__":
    main()
