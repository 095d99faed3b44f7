"""What writing a checkpoint costs on Four-Rooms, the write to disk included: milliseconds, medians of 20.

    python benchmarks/speed_checkpoints.py

The aim is less than 5 ms.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import agents

#: `biac` is for policy commitments.
LEADERS = [name for name in agents.leader_names() if name != "biac"]
OPTIONS = {"certainty_equivalent": {"explore": 1}}


def milliseconds(leader, folder):
    """Return the median time of a save, after three updates."""
    config = agents.ExperimentConfig(
        "stackelberg/FourRooms-v0",
        leader=leader,
        updates=3,
        steps_per_update=1_000,
        evaluate_every=0,
        leader_options=OPTIONS.get(leader, {}),
    )
    experiment = agents.Experiment(config)
    for _ in range(3):
        experiment.step()
    times = []
    for _ in range(20):
        start = time.perf_counter()
        experiment.save(folder)
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def main():
    print("| leader | checkpoint, ms |\n| --- | --- |")
    for leader in LEADERS:
        with tempfile.TemporaryDirectory() as folder:
            print(f"| `{leader}` | {milliseconds(leader, Path(folder)):.2f} |", flush=True)


if __name__ == "__main__":
    main()
