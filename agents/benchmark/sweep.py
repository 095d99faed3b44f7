"""The sweep: every leader on every task with every seed, resumable, from a laptop to a cluster."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.validation import checked, shown

from ..options import Count, Positive
from ..runs.signals import Signals
from .engines import Workers, engine_of
from .plans import LeftOut, Plan, plan
from .progress import shown_progress
from .records import JobRecord
from .running import Tally, run_jobs
from .store import Store
from .suite_files import is_suite, load_suite
from .suites import SEEDS, Suite, make_suite, with_others
from .worker import Limits, Payload

__all__ = ["SweepResult", "run_suite", "sweep"]

MIB = 2**20


@dataclass(frozen=True)
class SweepResult:
    """What a sweep came to.

    Attributes
    ----------
    folder
        The store, for :func:`agents.compare`.
    jobs
        Of the sweep, those included that were done before.
    finished, failed
        How many of them finished, in this sweep or before, and how many were tried now in vain.
    left_out
        Leaders that cannot play some task, and why.
    interrupted
        Whether it was stopped; the same call goes on.
    addresses
        Of all its jobs.
    """

    folder: Path
    jobs: int
    finished: int
    failed: int
    left_out: tuple[LeftOut, ...] = ()
    interrupted: bool = False
    addresses: frozenset[str] = frozenset()

    def failures(self) -> list[JobRecord]:
        """Return the records of the jobs that did not finish, now or before."""
        return [record for record in Store(self.folder).failures() if record.address in self.addresses]


def sweep(
    games: Any,
    leaders: Any = None,
    seeds: int | Iterable[int] | None = None,
    *,
    output: str | Path,
    followers: Any = None,
    modules: Iterable[str] = (),
    steps: int | None = None,
    steps_per_update: int | None = None,
    engine: str = "loky",
    workers: int | None = None,
    address: str | None = None,
    time_limit: float | None = None,
    memory_limit: float | None = None,
    retry_failed: bool = False,
    progress: bool | Callable[[Tally], Any] = True,
    **more: Any,
) -> SweepResult:
    """Run every leader on every game with every seed; what a store has already is not run again.

    Parameters
    ----------
    games
        A suite: its name, as "tabular-v1", the path of a .toml file, or a :class:`agents.Suite`; it says the rest, but
        leaders and seeds that are given stand for its own. Or an id, a game, a :class:`agents.Task`, or several of
        these, or a dict of label -> one of these.
    leaders, followers
        A name, ``module:Class``, a class, a pair of one of these and its options, or several of these; or a dict of
        label -> one of these. Without followers each game has its own.
    seeds
        How many, from 0 on, or which; default 5, or those of the suite.
    modules
        Names of modules that the file of a suite may name code of.
    output
        Folder for the records: a new one, or that of an earlier sweep.
    steps, steps_per_update
        Follower steps that each leader may observe in all, and after each commitment.
    engine
        "loky": processes on this machine; "sequential": this process; "ray", "dask": a cluster.
    workers
        How many jobs at a time; default one per core, or all that the cluster has.
    address
        Of the cluster; without it one is started on this machine.
    time_limit, memory_limit
        Seconds that a job may take, and MiB that it may ask for beyond what its process has already.
    retry_failed
        Whether jobs are tried again that failed in an earlier sweep.
    progress
        Whether to show how far it is; or a function that is told after each job.
    more
        The other fields of :class:`agents.Suite`: name, description, checkpoints_per_decade.

    Raises
    ------
    ArgumentError, UnknownNameError, GameError
        What is wrong with names and options, before any work.
    OutputError
        The store cannot be written, or holds something else; an unreachable cluster. What was finished is kept.

    Examples
    --------
    >>> import agents, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     done = agents.sweep(
    ...         "stackelberg/DiscreteToy-v1", ["bchg", "naive"], 2, steps=2_000, output=folder,
    ...         engine="sequential", progress=False,
    ...     )
    >>> done.finished
    4
    """
    budget = {"steps": steps, "steps_per_update": steps_per_update}
    told = {name: value for name, value in budget.items() if value is not None} | more
    if isinstance(games, Suite) or is_suite(games):
        if followers is not None or told:
            raise ArgumentError("sweep: expected leaders and seeds at most beside a suite, which says the rest")
        suite = games if isinstance(games, Suite) else load_suite(games, modules)
        suite = with_others(suite, leaders, seeds)
    else:
        suite = make_suite(games, leaders, SEEDS if seeds is None else seeds, followers=followers, **told)
    return run_suite(
        suite,
        output,
        engine=engine,
        workers=workers,
        address=address,
        time_limit=time_limit,
        memory_limit=memory_limit,
        retry_failed=retry_failed,
        progress=progress,
    )


def run_suite(
    suite: Suite,
    output: str | Path,
    *,
    engine: str = "loky",
    workers: int | None = None,
    address: str | None = None,
    time_limit: float | None = None,
    memory_limit: float | None = None,
    retry_failed: bool = False,
    progress: bool | Callable[[Tally], Any] = True,
) -> SweepResult:
    """Run a suite; see :func:`sweep`."""
    chosen = engine_of(engine)
    workers = checked(workers, Count | None, "sweep: workers")
    seconds = checked(time_limit, Positive | None, "sweep: time_limit")
    memory = checked(memory_limit, Positive | None, "sweep: memory_limit")
    retry_failed = checked(retry_failed, bool, "sweep: retry_failed")
    if not (isinstance(progress, bool) or callable(progress)):
        raise ArgumentError(f"sweep: progress: expected True, False or a function, got {shown(progress)}")
    planned = plan(suite, Limits(seconds, None if memory is None else int(memory * MIB)))
    if chosen != "sequential":
        _require_sendable(planned)
    store = Store(output, create=True)
    with Signals.current() as signals, ExitStack() as stack:
        stack.enter_context(store.lock(_say))
        store.add_sweep(planned.sweep)
        todo = planned.payloads if retry_failed else _without_failures(store, planned.payloads)
        hands = Workers(chosen, workers, address)
        stack.callback(hands.close)
        failed, interrupted = 0, False
        missing = [payload.job for payload in todo if not store.has(payload.job.address)]
        told = progress if callable(progress) else None
        tell = stack.enter_context(shown_progress(missing, hands.count)) if progress is True else told

        def note(tally: Tally) -> None:
            nonlocal failed
            failed = tally.failed
            if tell is not None:
                tell(tally)

        try:
            run_jobs(store, todo, hands, note)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            # The workers are ended in peace, however often somebody presses Ctrl-C.
            signals.hold()
    return _result(store, planned, failed, interrupted)


def _result(store: Store, planned: Plan, failed: int, interrupted: bool) -> SweepResult:
    addresses = frozenset(planned.sweep.jobs)
    finished = len(addresses & store.addresses())
    left_out = tuple(planned.left_out)
    return SweepResult(store.folder, len(addresses), finished, failed, left_out, interrupted, addresses)


def _without_failures(store: Store, payloads: list[Payload]) -> list[Payload]:
    """Return what did not fail before; what was lost with its worker is tried again."""
    failed = {record.address for record in store.failures() if record.status != "lost"}
    if failed & {payload.job.address for payload in payloads}:
        _say(f"{len(failed):,} jobs failed before and are left alone; retry_failed=True tries them again")
    return [payload for payload in payloads if payload.job.address not in failed]


def _require_sendable(planned: Plan) -> None:
    """Raise ArgumentError if a game or a class cannot be sent to another process."""
    import cloudpickle

    sent = {id(item): item for each in planned.payloads for item in (each.game, each.leader, each.follower)}
    for item in sent.values():
        try:
            cloudpickle.dumps(item)
        except Exception as exc:
            raise ArgumentError(
                f"sweep: expected games and classes that can be sent to another process, got {shown(item)} "
                f'({type(exc).__name__}: {exc}); engine="sequential" needs no other process'
            ) from exc


def _say(text: str) -> None:
    sys.stderr.write(f"sweep: {text}\n")
    sys.stderr.flush()
