"""What writing a checkpoint costs on Four-Rooms, the write to disk included: milliseconds, medians of 20.

    python benchmarks/speed_checkpoints.py [--updates 3] [--leaders bchg ...]

"processor" is what of it the process computes. The aim is less than 5 ms.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import agents

#: `biac` is for policy commitments.
LEADERS = [name for name in agents.leader_names() if name != "biac"]
OPTIONS = {"certainty_equivalent": {"explore": 1}}


def milliseconds(leader, updates, folder):
    """Return the median wall and processor time of a save, after some updates."""
    config = agents.ExperimentConfig(
        "stackelberg/FourRooms-v0",
        leader=leader,
        updates=updates,
        steps_per_update=1_000,
        evaluate_every=0,
        leader_options=OPTIONS.get(leader, {}),
    )
    experiment = agents.Experiment(config)
    for _ in range(updates):
        experiment.step()
    times = []
    for _ in range(20):
        start = time.perf_counter(), time.process_time()
        experiment.save(folder)
        times.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    return [1e3 * statistics.median(column) for column in zip(*times, strict=True)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=3)
    parser.add_argument("--leaders", nargs="+", choices=LEADERS, default=LEADERS)
    arguments = parser.parse_args()
    print("| leader | checkpoint, ms | processor, ms | bytes |\n| --- | --- | --- | --- |")
    for leader in arguments.leaders:
        with tempfile.TemporaryDirectory() as folder:
            wall, processor = milliseconds(leader, arguments.updates, Path(folder))
            size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
            print(f"| `{leader}` | {wall:.2f} | {processor:.2f} | {size:,} |", flush=True)


if __name__ == "__main__":
    main()
