"""How far a sweep is, for people: a bar with the time left on a terminal, a line now and then in a file."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from .jobs import Job
from .running import Tally

__all__ = ["Clock", "shown_progress"]

#: Seconds between two lines, where there is no terminal.
LINE_EVERY = 30.0


class Clock:
    """Estimates the time that is left: by what jobs of the same kind took, and all jobs where there was none yet.

    Parameters
    ----------
    jobs
        What there is to do.
    workers
        By how many at a time.
    """

    def __init__(self, jobs: Iterable[Job], workers: int) -> None:
        self._left: dict[tuple[str, str], int] = defaultdict(int)
        self._taken: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._workers = workers
        for job in jobs:
            self._left[job.task, job.entrant] += 1

    def note(self, tally: Tally) -> None:
        """Take note of a job that came in."""
        record = tally.record
        if record is not None:
            kind = record.job.task, record.job.entrant
            self._left[kind] -= 1
            self._taken[kind].append(record.provenance.seconds)

    def seconds_left(self) -> float | None:
        """Return an estimate; None before any job came in."""
        every = [seconds for taken in self._taken.values() for seconds in taken]
        if not every:
            return None
        mean = sum(every) / len(every)
        known = {kind: sum(taken) / len(taken) for kind, taken in self._taken.items()}
        return sum(max(0, left) * known.get(kind, mean) for kind, left in self._left.items()) / self._workers


@contextmanager
def shown_progress(jobs: list[Job], workers: int) -> Iterator[Callable[[Tally], Any]]:
    """Show how far a runner is on standard error while this is entered; yield what is to be told."""
    clock = Clock(jobs, workers)
    if sys.stderr.isatty():
        with _bar(clock, len(jobs)) as tell:
            yield tell
        return
    last = -LINE_EVERY

    def tell_in_lines(tally: Tally) -> None:
        nonlocal last
        clock.note(tally)
        now = time.monotonic()
        if now - last >= LINE_EVERY or not tally.left:
            last = now
            sys.stderr.write(f"sweep: {_line(tally, clock)}\n")
            sys.stderr.flush()

    yield tell_in_lines


@contextmanager
def _bar(clock: Clock, total: int) -> Iterator[Callable[[Tally], Any]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    text, job = TextColumn("{task.fields[said]}"), TextColumn("{task.fields[job]}", style="dim")
    with Progress(BarColumn(), text, job, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total, said="beginning", job="")

        def tell(tally: Tally) -> None:
            clock.note(tally)
            record = tally.record
            name = "" if record is None else f"{record.job.task} {record.job.entrant} {record.job.seed}"
            bar.update(task, completed=total - tally.left, said=_line(tally, clock), job=name)

        yield tell


def _line(tally: Tally, clock: Clock) -> str:
    parts = [f"{tally.jobs - tally.left:,} of {tally.jobs:,} jobs"]
    if tally.present:
        parts.append(f"{tally.present:,} were there")
    if tally.failed:
        parts.append(f"{tally.failed:,} failed")
    seconds = clock.seconds_left()
    if tally.left and seconds is not None:
        parts.append(f"about {_duration(seconds)} left")
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3_600:.1f} h"
