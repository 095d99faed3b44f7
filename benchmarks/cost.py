r"""What one update of each leader costs on Four-Rooms, and certainty equivalence on 10^4 states.

    OPENBLAS_NUM_THREADS=1 MALLOC_MMAP_THRESHOLD_=1000000000 MALLOC_TRIM_THRESHOLD_=1000000000 \
        python benchmarks/cost.py [--large]

Milliseconds of the process, so that other work on the machine counts little; medians; the update alone, without the
follower's best response and without collecting the play. The ratio is to the exact solution with its hypergradient.
The allocator is told to keep freed memory: pages that come anew from the system would be a part of the cost of large
arrays.
Writes docs/tables/cost.md.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path

import numpy as np

import agents
import stackelberg_envs as se

SIZES = (1_000, 10_000, 100_000)
#: Leaders whose options have to differ from the defaults to be timed here.
#: Its first update searches and fits, at the cost of thousands of solutions; here are those that come after.
OPTIONS = {"certainty_equivalent": {"explore": 1, "replan": 1e9, "refit": 1e9, "work": None}}
#: `exact` does all its work before the first update; `biac` is for policy commitments.
NOT_HERE = ("exact", "biac")


def seconds_of(function):
    start = time.process_time()
    function()
    return time.process_time() - start


def times(game, leader, size, repeats, options):
    """Return the seconds of each update."""
    config = agents.ExperimentConfig(
        game=game, leader=leader, updates=repeats + 3, steps_per_update=size, leader_options=options, evaluate_every=0
    )
    experiment = agents.Experiment(config)
    update, taken = experiment.leader.update, []

    def timed(seen):
        start = time.process_time()
        diagnostics = update(seen)
        taken.append(time.process_time() - start)
        return diagnostics

    experiment.leader.update = timed
    for _ in range(repeats + 3):
        experiment.step()
    return taken


def four_rooms_rows():
    game = se.make_game("stackelberg/FourRooms-v0", temperature=0.01)
    x = np.full(104, -0.2 / 105)
    se.solve(game, x)
    exact = 1e3 * float(np.median([seconds_of(lambda: se.solve(game, x).gradient) for _ in range(50)]))
    yield f"| leader | {' | '.join(f'{size:,} steps' for size in SIZES)} | ratio at 10,000 |"
    yield f"| --- {'| --- ' * (len(SIZES) + 1)}|"
    yield f"| (exact solution and hypergradient) | {exact:.2f} | | | 1 |"
    for leader in agents.leader_names():
        if leader in NOT_HERE:
            continue
        cells = [1e3 * float(np.median(times(game, leader, s, 8, OPTIONS.get(leader, {}))[3:])) for s in SIZES]
        numbers = " | ".join(f"{cell:.2f}" for cell in cells)
        yield f"| `{leader}` | {numbers} | {cells[1] / exact:.1f} |"


def large_game_row():
    """Every update from the first, searches and all, at the default limit of work; seconds of the process."""
    game = se.random_tabular(S=10_000, A=1, B=4, branching=5, leader_discount=0.95, follower_discount=0.95)
    small = se.random_tabular(S=400, A=1, B=4, branching=5, leader_discount=0.95, follower_discount=0.95)
    times(small, "certainty_equivalent", 1_000, 0, {"explore": 1, "work": 1e5})  # compiles
    taken = times(game, "certainty_equivalent", 10_000, 17, {"explore": 1})
    yield (
        f"`certainty_equivalent` on a random game of 10,000 states, 10,000 steps an update, the first {len(taken)} "
        f"updates, searches included, seconds of the process: median {np.median(taken):.2f}, "
        f"largest {max(taken):.2f}."
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true", help="only the large game; the rest of the table stays")
    path = Path("docs/tables/cost.md")
    if parser.parse_args().large:
        kept = path.read_text(encoding="utf-8").split("\n\n")[0].splitlines()
        rows = itertools.chain([""], large_game_row())
    else:
        kept, rows = [], itertools.chain(four_rooms_rows(), [""], large_game_row())
    lines = kept
    for line in rows:
        print(line, flush=True)
        lines.append(line)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
