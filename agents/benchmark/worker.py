"""One job in a worker's process: the run, its limits, what it printed, and where it was done.

A worker is sent a :class:`Payload` and returns a :class:`Done`; it writes no record, so that it may be on a machine
that does not see the store. Whatever a job raises becomes part of its record.
"""

from __future__ import annotations

import contextlib
import datetime
import faulthandler
import functools
import importlib
import io
import os
import platform
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..followers.base import FOLLOWERS
from ..leaders.base import LEADERS
from ..runs.config import ExperimentConfig
from ..runs.experiment import Experiment
from ..runs.threads import one_blas_thread
from .jobs import Job
from .measuring import measure
from .records import JobRecord, Provenance, Result, Status

__all__ = ["Done", "Limits", "Payload", "do", "end_with", "experiment_of"]

#: A job that does not end by itself after its time is ended with its process after this many times as long, and more.
PATIENCE, MORE_SECONDS = 1.25, 5.0
#: Seconds between two looks whether the runner still lives.
PARENT_EVERY = 1.0
#: Characters that are kept of what a job prints: the last ones.
LOG_LENGTH = 100_000


class TimeIsUpError(Exception):
    """A job has taken longer than it may."""


@dataclass(frozen=True)
class Limits:
    """What one job may take.

    Attributes
    ----------
    seconds
        Wall-clock time; None: as long as it likes. It is looked at after each update; an update that does not end
        ends with its process.
    memory
        Bytes that a job may ask for beyond what its process has when it starts; None: as many as it likes. Kept by
        the operating system, where that can (not on Windows and macOS).
    """

    seconds: float | None = None
    memory: int | None = None


@dataclass(frozen=True)
class Payload:
    """What a worker needs to do a job.

    Attributes
    ----------
    job
        What is asked for.
    game
        The game, if it has no id.
    leader, follower
        Classes that are not of this package, or None.
    modules
        To import first: what registers the ids that the job names.
    limits
        What the job may take.
    engine
        Name of the joblib backend, for the record.
    attempt
        1, or more after a worker died.
    stack_file
        Where a job that has to be ended with its process says where it was; None where the process is not a worker's
        own and has to live on.
    """

    job: Job
    game: Any = None
    leader: Any = None
    follower: Any = None
    modules: tuple[str, ...] = ()
    limits: Limits = Limits()
    engine: str = "sequential"
    attempt: int = 1
    stack_file: str | None = None


@dataclass(frozen=True)
class Done:
    """What a worker returns: the record, and what the job printed and warned of."""

    record: JobRecord
    log: str


def do(payload: Payload) -> Done:
    """Do one job; what it raises is recorded, but not what ends the process."""
    job, printed = payload.job, io.StringIO()
    started, began, processor = datetime.datetime.now(datetime.UTC), time.perf_counter(), time.process_time()
    result: Result | None = None
    status: Status = "finished"
    digest, error, trace = "", None, None
    with _peak_memory() as peak, _captured(printed):
        try:
            with ExitStack() as stack:
                stack.enter_context(one_blas_thread())
                watch = stack.enter_context(_limited(payload))
                for module in payload.modules:
                    importlib.import_module(module)
                experiment = experiment_of(payload)
                stack.callback(experiment.shut)
                digest = experiment.record.game_digest
                result = measure(experiment, job.steps, job.checkpoints_per_decade, watch)
        except Exception as exc:
            status = _status_of(exc)
            error, trace = f"{type(exc).__name__}: {exc}".strip(), traceback.format_exc()
    provenance = Provenance(
        versions=versions(),
        commit=commit(),
        game_digest=digest,
        machine=machine(),
        engine=payload.engine,
        started=started.isoformat(timespec="seconds"),
        seconds=time.perf_counter() - began,
        processor_seconds=time.process_time() - processor,
        peak_memory=peak(),
        attempt=payload.attempt,
    )
    record = JobRecord(
        job=job,
        address=job.address,
        status=status,
        provenance=provenance,
        result=result,
        error=error,
        traceback=trace,
    )
    return Done(record, printed.getvalue()[-LOG_LENGTH:])


def end_with(runner: int) -> None:
    """End this process soon after its parent, the runner, which may be killed: else it would wait for jobs for ever."""

    def watch() -> None:
        while os.getppid() == runner:
            time.sleep(PARENT_EVERY)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def not_done(payload: Payload, status: Status, error: str, trace: str | None = None) -> JobRecord:
    """Return the record of a job whose process ended."""
    provenance = Provenance(
        versions=versions(),
        commit=commit(),
        game_digest="",
        machine=machine(),
        engine=payload.engine,
        started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        seconds=0.0,
        processor_seconds=0.0,
        peak_memory=0,
        attempt=payload.attempt,
    )
    job = payload.job
    return JobRecord(job=job, address=job.address, status=status, provenance=provenance, error=error, traceback=trace)


def experiment_of(payload: Payload) -> Experiment:
    """Return the fresh run of a job."""
    job = payload.job
    # What is not of this package is registered under the name that the job has for it.
    if payload.leader is not None:
        LEADERS.register(job.leader)(payload.leader)
    if payload.follower is not None:
        FOLLOWERS.register(job.follower)(payload.follower)
    config = ExperimentConfig(
        game=job.game if payload.game is None else payload.game,
        game_arguments=job.game_arguments if payload.game is None else {},
        leader=job.leader,
        leader_options=job.leader_options,
        follower=job.follower,
        follower_options=job.follower_options,
        parametrisation=job.parametrisation,
        steps=job.steps,
        steps_per_update=job.steps_per_update,
        seed=job.seed,
        evaluate_every=0,
    )
    return Experiment(config)


def _status_of(exc: Exception) -> Status:
    if isinstance(exc, TimeIsUpError):
        return "timeout"
    return "memory" if isinstance(exc, MemoryError) or isinstance(exc.__cause__, MemoryError) else "failed"


@contextmanager
def _limited(payload: Payload) -> Iterator[Callable[[], None]]:
    """Hold what is within to its limits; yield what raises when the time is up."""
    seconds, memory = payload.limits.seconds, payload.limits.memory
    began = time.perf_counter()

    def watch() -> None:
        taken = time.perf_counter() - began
        if seconds is not None and taken > seconds:
            raise TimeIsUpError(f"expected to end within {seconds:g} s, got no end after {taken:.1f} s")

    with ExitStack() as stack:
        if memory is not None:
            stack.enter_context(_limited_memory(memory))
        if seconds is not None and payload.stack_file is not None:
            stack.enter_context(_deadline(PATIENCE * seconds + MORE_SECONDS, payload.stack_file))
        yield watch


@contextmanager
def _deadline(seconds: float, path: str) -> Iterator[None]:
    """End the process after a time, whatever it does then, and write where it was: no Python code is needed for that.

    One job of a process at a time can have a deadline.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    except OSError:  # a machine that does not see the store
        target = Path(os.devnull)
    with target.open("w", encoding="utf-8") as file:
        faulthandler.dump_traceback_later(seconds, exit=True, file=file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
    if target == Path(path):
        target.unlink(missing_ok=True)


@contextmanager
def _limited_memory(more: int) -> Iterator[None]:
    """Let the process have so many more bytes of address space than it has."""
    try:
        import resource

        present = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        warnings.warn("this system cannot limit the memory of a job", stacklevel=2)
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = present + more if hard == resource.RLIM_INFINITY else min(present + more, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextmanager
def _peak_memory() -> Iterator[Callable[[], int]]:
    """Yield what returns the bytes that the process has had at most since then; since it began, where that is all."""
    with suppress(OSError):  # Linux forgets the peak on request
        Path("/proc/self/clear_refs").write_text("5")

    def peak() -> int:
        try:
            lines = Path("/proc/self/status").read_text().splitlines()
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
        except (OSError, StopIteration):
            return _largest_ever()

    yield peak


def _largest_ever() -> int:
    try:
        import resource
    except ImportError:
        return 0
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024


@contextmanager
def _captured(log: io.StringIO) -> Iterator[None]:
    """Write what is printed and warned of into a log; in a thread, where that would take it from others, nothing is."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log), warnings.catch_warnings():
        warnings.simplefilter("default")
        yield


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of this package and of what it computes with."""
    import joblib

    from ..runs.experiment import _versions

    return {**_versions(), "joblib": joblib.__version__}


@functools.cache
def machine() -> dict[str, str | int]:
    """Return what is known of the machine."""
    return {
        "host": platform.node(),
        "system": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count() or 1,
    }


@functools.cache
def commit() -> str:
    """Return the commit of this package's source, with "+changes" where files differ; "" without a repository."""
    folder = Path(__file__).parent
    try:
        # A package inside somebody else's repository is not of that repository's commit.
        tracked = _git(folder, "ls-files", "--error-unmatch", Path(__file__).name)
        found = _git(folder, "rev-parse", "HEAD")
        changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return ""
    return found + ("+changes" if changes else "") if tracked else ""


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)  # noqa: S603
    return done.stdout.strip()
