"""What saving costs a run that has done many updates: time of a record, a checkpoint and a new row, and bytes on disk.

    python benchmarks/checkpoint_cost.py

A run of `bchg` on the toy is given a curve of so many updates, as if it had done them; then it does one more update and
saves, as it does every few seconds. Columns of the table: updates; seconds until the record is written and then the
checkpoint, medians of five; kilobytes of both together and of the curve's file; seconds and kilobytes of the record
of the finished run, in which the curve is written once.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

from agents.runs.experiment import Experiment, ExperimentConfig
from agents.runs.files import CHECKPOINT_NAME, CURVE_NAME, RECORD_NAME

UPDATES = (100, 10_000, 1_000_000)
REPEATS = 5


def row(updates: int, folder: Path) -> str:
    """Return one row of the table."""
    experiment = Experiment(ExperimentConfig("stackelberg/DiscreteToy-v1", updates=2**31 - 1, steps_per_update=100))
    experiment.step()
    last = {name: float(column[-1]) for name, column in experiment.curve.columns().items()}
    for _ in range(updates - 1):
        experiment.curve.add(last)
    experiment.curve.write(folder)
    records, checkpoints = [], []
    for _ in range(REPEATS):
        experiment.step()
        start = time.perf_counter()
        experiment.curve.write(folder)
        replace(experiment.update_record(with_curve=False), curve={}).save(folder)
        records.append(time.perf_counter() - start)
        start = time.perf_counter()
        experiment.save(folder)
        checkpoints.append(time.perf_counter() - start)
    small = sum((folder / name).stat().st_size for name in (RECORD_NAME, CHECKPOINT_NAME)) / 1024
    curve = (folder / CURVE_NAME).stat().st_size / 1024
    start = time.perf_counter()
    path = experiment.update_record().save(folder)
    whole = time.perf_counter() - start
    cells = (
        f"{updates:,}",
        f"{median(records):.4f}",
        f"{median(checkpoints):.4f}",
        f"{small:,.1f}",
        f"{curve:,.0f}",
        f"{whole:.2f}",
        f"{path.stat().st_size / 1024:,.0f}",
    )
    return f"| {' | '.join(cells)} |"


def main() -> int:
    print("| updates | record, s | checkpoint, s | both, kB | curve's file, kB | finished record, s | kB |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for updates in UPDATES:
        with tempfile.TemporaryDirectory() as folder:
            print(row(updates, Path(folder)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
