"""What a sweep costs beyond its jobs: time per job of about a second, and memory of the runner with ten thousand jobs.

``python benchmarks/sweep_overhead.py`` takes two minutes on two cores.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import agents
from agents.benchmark.store import Store
from agents.options import Options

TOY = "stackelberg/DiscreteToy-v1"
JOBS, WORKERS = 40, 2
MANY = 10_000


@dataclass(frozen=True)
class SleeperConfig(Options):
    """No options."""


class Sleeper(agents.Leader):
    """Announces one commitment, and sleeps a second over it: the processor is free for the runner."""

    information, Config = agents.Information.ACTIONS_ONLY, SleeperConfig

    def commit(self):  # noqa: D102
        return self.brief.parametrisation(self.brief.commitment.low.ravel() * 0.0)

    def update(self, trajectories):  # noqa: D102
        time.sleep(1.0)
        return {}


class Idler(Sleeper):
    """The same without sleep."""

    def update(self, trajectories):  # noqa: D102
        return {}


def one_second():
    """Print what a worker spends beyond its jobs, once it has started: one worker, so that nothing overlaps."""
    came = []
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        agents.sweep(
            TOY,
            Sleeper,
            JOBS,
            steps=100,
            steps_per_update=100,
            output=folder,
            workers=1,
            progress=lambda tally: came.append((time.perf_counter(), tally.record)),
        )
    ends, records = zip(*came[1:], strict=True)
    busy = sum(record.provenance.seconds for record in records[1:])
    print(f"| a worker's start | {ends[0] - began - records[0].provenance.seconds:.1f} s |")
    print(f"| beyond the own time of {JOBS} jobs of a second | {(ends[-1] - ends[0]) / busy - 1:.2%} |")


def ten_thousand():
    """Print time and memory of a runner of many small jobs."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        agents.sweep(TOY, Idler, MANY, steps=100, steps_per_update=100, output=folder, workers=WORKERS, progress=False)
        total = time.perf_counter() - began
        size = sum(path.stat().st_size for path in Path(folder).rglob("*.json"))
        began = time.perf_counter()
        read = sum(1 for _ in Store(folder).records())
        reading = time.perf_counter() - began
        again = time.perf_counter()
        agents.sweep(TOY, Idler, MANY, steps=100, steps_per_update=100, output=folder, workers=WORKERS, progress=False)
        again = time.perf_counter() - again
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    print(f"| {MANY:,} small jobs | {total:.0f} s, {1e3 * total * WORKERS / MANY:.1f} ms of a worker each |")
    print(f"| the same call again, with nothing to do | {again:.1f} s |")
    print(f"| peak memory of the runner | {int(peak.split()[1]) / 1024:.0f} MiB |")
    print(f"| records on disk | {size / read / 1024:.1f} KiB each, all read in {reading:.1f} s |")


if __name__ == "__main__":
    print("| what | cost |\n| --- | --- |")
    one_second()
    ten_thousand()
