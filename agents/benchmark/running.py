"""Doing the jobs of a sweep: those that are not done yet, by workers that may die, into a store that never suffers.

The runner alone writes. Killed at any moment it leaves every finished job behind, and the next runner does the others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stackelberg_envs.errors import OutputError

from ..runs.files import write_atomically
from .engines import Workers
from .records import JobRecord
from .store import Store
from .worker import Done, Payload, not_done

__all__ = ["ATTEMPTS", "Tally", "run_jobs"]

#: Times that a job is tried whose worker died, the last time alone.
ATTEMPTS = 3
#: What Python writes first when a job was ended with its process because of its time.
TIMED_OUT = "Timeout ("


@dataclass(frozen=True)
class Tally:
    """How far a runner is, for whoever shows it.

    Attributes
    ----------
    jobs
        All of the sweep.
    present
        Those that were there before.
    finished, failed
        Those that this runner did, and those that it tried in vain.
    record
        The last one that came in; None before any did.
    """

    jobs: int
    present: int
    finished: int = 0
    failed: int = 0
    record: JobRecord | None = None

    @property
    def left(self) -> int:
        """Jobs that are still to be done."""
        return self.jobs - self.present - self.finished - self.failed


def run_jobs(store: Store, payloads: Iterable[Payload], workers: Workers, tell: Callable[[Tally], Any]) -> Tally:
    """Do the jobs that a store does not have.

    Parameters
    ----------
    store
        Locked by the caller.
    payloads
        What there is to do.
    workers
        By whom.
    tell
        Called before the first and after each job.

    Raises
    ------
    OutputError
        The store cannot be written any more; what was finished before is in it.
    """
    everything = list(payloads)
    there = store.addresses()
    missing = deque(payload for payload in everything if payload.job.address not in there)
    runner = _Runner(store, workers, Tally(len(everything), len(everything) - len(missing)), tell)
    tell(runner.tally)
    runner.run(missing)
    return runner.tally


class _Runner:
    """Hands out jobs, keeps what comes back, and looks after those whose worker died."""

    def __init__(self, store: Store, workers: Workers, tally: Tally, tell: Callable[[Tally], Any]) -> None:
        self.tally = tally
        self._store, self._workers, self._tell = store, workers, tell
        self._out: dict[str, Payload] = {}

    def run(self, waiting: deque[Payload]) -> None:
        """Do all that waits: what was lost twice comes last and one by one, so that it is known who is to blame."""
        alone: deque[Payload] = deque()
        while waiting or alone:
            batch = waiting or deque([alone.popleft()])
            try:
                for done in self._workers.do(self._handed_out(batch)):
                    self._keep(done)
            except OutputError:
                raise
            except Exception as exc:  # of the engine, since what a job raises is in its record
                if not self._out:
                    raise OutputError(f"engine {self._workers.engine!r}: expected workers, got {_short(exc)}") from exc
                lost = self._lost(exc)
                for payload in lost:
                    (alone if payload.attempt >= ATTEMPTS else waiting).append(payload)
                self._workers.renew()

    def _handed_out(self, batch: deque[Payload]) -> Iterator[Payload]:
        while batch:
            payload = batch.popleft()
            if self._workers.separate:
                stack_file = self._store.log_path(payload.job.address).with_suffix(".stack")
                payload = replace(payload, stack_file=str(stack_file.absolute()))
            payload = replace(payload, engine=self._workers.engine)
            self._out[payload.job.address] = payload
            yield payload

    def _keep(self, done: Done) -> None:
        record = done.record
        self._out.pop(record.address, None)
        if done.log:
            path = self._store.log_path(record.address)
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, done.log.encode(errors="replace"))
        self._note(record)

    def _note(self, record: JobRecord) -> None:
        self._store.add(record)
        finished = record.status == "finished"
        self.tally = replace(
            self.tally,
            finished=self.tally.finished + finished,
            failed=self.tally.failed + (not finished),
            record=record,
        )
        self._tell(self.tally)

    def _lost(self, cause: Exception) -> list[Payload]:
        """Return what was handed out and did not come back, for another attempt; note what has had enough of them."""
        out, self._out = list(self._out.values()), {}
        again = []
        stacks = {payload.job.address: _stack_of(payload) for payload in out}
        for payload in out:
            stack = stacks[payload.job.address]
            if stack is not None:
                seconds = payload.limits.seconds
                error = f"TimeIsUpError: expected to end within {seconds:g} s; its process was ended"
                self._note(not_done(payload, "timeout", error, stack))
            elif any(stacks.values()):
                again.append(payload)  # somebody else is known to be the cause
            elif payload.attempt >= ATTEMPTS:
                error = f"its worker died {ATTEMPTS} times, the last time with this job alone: {_short(cause)}"
                self._note(not_done(payload, "lost", error))
            else:
                again.append(replace(payload, attempt=payload.attempt + 1))
        return again


def _stack_of(payload: Payload) -> str | None:
    """Return where a job was when it was ended because of its time; None if it was not."""
    if payload.stack_file is None:
        return None
    path, text = Path(payload.stack_file), ""
    with suppress(OSError):
        text = path.read_text(encoding="utf-8", errors="replace")
        path.unlink()
    return text if text.startswith(TIMED_OUT) else None


def _short(exc: Exception) -> str:
    return f"{type(exc).__name__}: {' '.join(str(exc).split())}"[:500]
