"""Records of a store as the tables of a database, for questions in SQL.

DuckDB runs in this process, without a server. The records alone are believed: of a large store a copy by columns is
kept beside them, in a hidden file, and made anew whenever a record was added, removed or changed.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import secrets
from array import array
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from stackelberg_envs.errors import ArgumentError, MissingExtraError, OutputError

from ..runs.files import named
from .entries import merged_facts
from .records import COSTS, CURVE_COLUMNS, JobRecord
from .scores import TaskScale, task_scales
from .store import FAILURES, RECORDS, SWEEPS, Store, Sweep, TaskFacts

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["VIEWS", "ask", "connect", "opened"]

#: What can be asked.
VIEWS = ("runs", "curves", "failures", "tasks", "sweeps")
#: Name of the copy by columns, records from which on there is one, and the version of its tables.
COPY_NAME, COPY_FROM, COPY_VERSION = ".views.duckdb", 2_000, 1
#: Records that are held in memory at a time.
CHUNK = 5_000

JOB = {
    "task": "varchar",
    "entrant": "varchar",
    "leader": "varchar",
    "follower": "varchar",
    "seed": "bigint",
    "steps": "bigint",
    "steps_per_update": "bigint",
    "game": "varchar",
    "game_arguments": "varchar",
    "leader_options": "varchar",
    "follower_options": "varchar",
    "parametrisation": "varchar",
    "address": "varchar",
}
PLACE = {
    "version": "varchar",
    "versions": "varchar",
    "commit": "varchar",
    "game_digest": "varchar",
    "leader_code": "varchar",
    "follower_code": "varchar",
    "host": "varchar",
    "system": "varchar",
    "processor": "varchar",
    "cores": "bigint",
    "engine": "varchar",
    "started": "timestamp",
    "job_seconds": "double",
    "job_processor_seconds": "double",
    "peak_memory": "bigint",
    "attempt": "bigint",
}
VALUES = ("actual_value", "episode_value", "response_gap", "start_value", "neutral_value", "best_known")
#: Table -> column -> type. What is a number of a record may be unknown, null.
TABLES: dict[str, dict[str, str]] = {
    "runs": {
        **JOB,
        "run": "bigint",
        "information": "varchar",
        "is_exact": "boolean",
        **dict.fromkeys(("value", *VALUES, *COSTS), "double"),
        **PLACE,
    },
    "curves": {"run": "bigint", "checkpoint": "bigint", **dict.fromkeys(CURVE_COLUMNS, "double")},
    "failures": {**JOB, "status": "varchar", "error": "varchar", "traceback": "varchar", **PLACE},
    "tasks": {
        "task": "varchar",
        "start": "double",
        "best": "double",
        "width": "double",
        "is_relative": "boolean",
        "note": "varchar",
    },
    "sweeps": {"number": "bigint", "sweep": "varchar", "description": "varchar"},
    "members": {"number": "bigint", "address": "varchar"},
}
#: The formula of :func:`agents.benchmark.scores.score`; `width` is null where there is none.
DEFINITIONS = """
create view tasks as select task, start, best, is_relative, note from stored.tasks;
create view runs as
    select task, entrant, information, r.seed, value, (value - start) / width as score, best - value as gap,
        r.* exclude (task, entrant, information, seed, value, run)
    from stored.runs r left join stored.tasks t using (task);
create view curves as
    select task, entrant, information, r.seed, checkpoint, (recommended_value - start) / width as score,
        c.* exclude (run, checkpoint), leader, follower, address
    from stored.curves c join stored.runs r using (run) left join stored.tasks t using (task);
create view failures as select * from stored.failures;
create view sweeps as
    select number, sweep, description, count(*) as jobs, count(r.address) as finished, count(f.address) as failed,
        count(*) - count(r.address) - count(f.address) as missing, list(m.address order by m.address) as addresses
    from stored.sweeps join stored.members m using (number)
        left join stored.runs r on r.address = m.address left join stored.failures f on f.address = m.address
    group by all order by number;
"""
#: Queries of others are run too: no files, no network, no extensions, no variables of Python, and no way back.
CLOSED = """
set enable_external_access = false;
set lock_configuration = true;
"""
SETTINGS: dict[str, Any] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_persistent_secrets": False,
    "temp_directory": "",
}


def connect(folder: str | Path) -> DuckDBPyConnection:
    """Return a connection to the records of a store, with the views :data:`VIEWS`.

    Queries can neither read nor write files, nor change the records. The views are of the moment of the call.

    Parameters
    ----------
    folder
        Where :func:`agents.sweep` has put the records.

    Raises
    ------
    OutputError
        No store, or a record that is damaged.
    MissingExtraError
        DuckDB is not installed.

    Examples
    --------
    >>> import agents, tempfile
    >>> from agents.benchmark.views import connect
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     done = agents.sweep(
    ...         "stackelberg/DiscreteToy-v1", ["bchg", "naive"], 2, steps=2_000, output=folder,
    ...         engine="sequential", progress=False,
    ...     )
    ...     connect(folder).execute("select entrant, count(*) from runs group by all order by all").fetchall()
    [('bchg', 2), ('naive', 2)]
    """
    connection = opened(Store(folder))
    connection.execute(CLOSED)
    return connection


def ask(folder: str | Path, question: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return names of columns and rows of the answer to a question in SQL.

    Raises
    ------
    ArgumentError
        What is no SQL, or names what there is not.
    OutputError, MissingExtraError
        As for :func:`connect`.
    """
    import_duckdb()
    with connect(folder) as connection:
        return answered(connection, question)


def answered(connection: DuckDBPyConnection, question: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the answer to a question; an error of SQL names the views, in one line."""
    duckdb = import_duckdb()
    try:
        connection.execute(question)
        rows = connection.fetchall()
    except (duckdb.Error, RuntimeError) as exc:
        what = " ".join(str(exc).partition("\n\nLINE")[0].split())
        raise ArgumentError(f"query: expected SQL over the views {', '.join(VIEWS)}, got an error: {what}") from exc
    return [column[0] for column in connection.description or ()], rows


def opened(store: Store) -> DuckDBPyConnection:
    """Return a connection with the views that may also write files: for what does not come from others.

    Raises
    ------
    OutputError, MissingExtraError
        As for :func:`connect`.
    """
    connection: DuckDBPyConnection = import_duckdb().connect(":memory:", config=SETTINGS)
    try:
        connection.execute("attach ':memory:' as stored")
        files = _files(store)
        is_large = sum(kind == RECORDS for kind, *_ in files) >= COPY_FROM
        if not is_large or not _copied(connection, store, _digest(files)):
            _fill(connection, store)
        connection.execute(DEFINITIONS)
    except BaseException:
        connection.close()
        raise
    return connection


def import_duckdb() -> Any:
    """Return the module.

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    try:
        import duckdb
    except ImportError:
        raise MissingExtraError(
            'questions in SQL need DuckDB, which is not installed: pip install "stackelberg-envs[benchmark]"'
        ) from None
    return duckdb


def _files(store: Store) -> list[tuple[str, str, int, int, int]]:
    """Return kind, name, size and times of each file that views are made of.

    One of the times nobody can set: a copy that comes with a store from elsewhere is never one of its files.
    """
    found: list[tuple[str, str, int, int, int]] = []
    with named(f"{store.folder}: expected a folder that can be read"):
        for kind in (RECORDS, FAILURES, SWEEPS):
            pending = [store.folder / kind] if (store.folder / kind).is_dir() else []
            while pending:
                with os.scandir(pending.pop()) as entries:
                    for entry in entries:
                        if entry.is_dir():
                            pending.append(Path(entry.path))
                        elif entry.name.endswith(".json") and not entry.name.startswith("."):
                            stat = entry.stat()
                            found.append((kind, entry.name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))
    return sorted(found)


def _digest(files: list[tuple[str, str, int, int, int]]) -> str:
    return hashlib.sha256(msgspec.json.encode([COPY_VERSION, TABLES, DEFINITIONS, files])).hexdigest()


def _copied(connection: DuckDBPyConnection, store: Store, digest: str) -> bool:
    """Take the tables from a store's copy, made anew if it is not of these files; False where there can be none."""
    path = store.folder / COPY_NAME
    if _taken(connection, path, digest):
        return True
    duckdb = import_duckdb()
    draft = path.with_name(f"{COPY_NAME}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with duckdb.connect(":memory:", config=SETTINGS) as maker:
            try:
                maker.execute(f"attach {_quoted(draft)} as stored")
            except duckdb.Error:  # a folder that cannot be written
                return False
            _fill(maker, store)
            maker.execute("create table stored.made_of as select ? as digest", [digest])
            maker.execute("detach stored")
        with suppress(OSError):
            draft.replace(path)
    finally:
        for left in (draft, draft.with_name(f"{draft.name}.wal")):
            with suppress(OSError):
                left.unlink()
    return _taken(connection, path, digest)


def _taken(connection: DuckDBPyConnection, path: Path, digest: str) -> bool:
    """Take the tables from a copy, if it is one of these files; a damaged one is as good as none.

    Nothing stays attached: a query could attach it again, and change what later ones are told.
    """
    duckdb = import_duckdb()
    if not path.is_file():
        return False
    try:
        connection.execute(f"attach {_quoted(path)} as copy (read_only)")
    except duckdb.Error:
        return False
    try:
        if connection.execute("select digest from copy.made_of").fetchall() != [(digest,)]:
            return False
        for table in TABLES:
            connection.execute(f"create or replace table stored.{table} as from copy.{table}")
    except duckdb.Error:
        return False
    finally:
        connection.execute("detach copy")
    return True


def _quoted(path: Path) -> str:
    return "'" + str(path.absolute()).replace("'", "''") + "'"


def _fill(connection: DuckDBPyConnection, store: Store) -> None:
    """Write the tables of a store into the attached database, some thousand records at a time."""
    for table, columns in TABLES.items():
        told = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        connection.execute(f"create or replace table stored.{table} ({told})")
    sweeps = store.sweeps()
    facts = merged_facts(sweeps)
    tables = _Tables(connection, str(store.folder))
    merged = Sweep(name="", tasks=facts, entrants=[], jobs=[])
    scales = task_scales(_noted(store.records(), tables), merged)
    for record in store.failures():
        failure = {"status": record.status, "error": record.error, "traceback": record.traceback}
        tables.add("failures", {**_job(record), **failure, **_place(record)})
    notes = {task.name: task for task in facts}
    for task in sorted({*notes, *scales}):
        scale, fact = scales.get(task), notes.get(task, TaskFacts(name=task))
        scale = TaskScale(task, fact.start, fact.best_known, is_relative=False) if scale is None else scale
        row = {"start": scale.start, "best": scale.best, "is_relative": scale.is_relative, "note": fact.note}
        tables.add("tasks", {"task": task, "width": scale.span[1], **row})
    for number, sweep in enumerate(sweeps, 1):
        tables.add("sweeps", {"number": number, "sweep": sweep.name, "description": sweep.description})
        for address in sweep.jobs:
            tables.add("members", {"number": number, "address": address})
    tables.flush()


def _noted(records: Iterator[JobRecord], tables: _Tables) -> Iterator[JobRecord]:
    """Yield records one after the other, of which only rows stay."""
    for run, record in enumerate(records):
        result = record.result
        assert result is not None  # noqa: S101 - of a finished job
        more = {name: getattr(result, name) for name in ("information", "is_exact", *VALUES)}
        totals = {name: result.totals.get(name) for name in COSTS}
        row = {**_job(record), "run": run, "value": result.leader_value, **more, **totals, **_place(record)}
        tables.add("runs", row)
        tables.add_curve(run, result.curve)
        if run % CHUNK == CHUNK - 1:
            tables.flush()
        yield record


def _job(record: JobRecord) -> dict[str, Any]:
    job = record.job
    row = {name: getattr(job, name) for name in JOB if name != "address"}
    for name, value in row.items():
        if isinstance(value, dict):
            row[name] = msgspec.json.encode(value, order="deterministic").decode()
    return {**row, "address": record.address}


def _place(record: JobRecord) -> dict[str, Any]:
    provenance, machine = record.provenance, record.provenance.machine
    return {
        "version": provenance.versions.get("stackelberg-envs"),
        "versions": msgspec.json.encode(provenance.versions, order="deterministic").decode(),
        "leader_code": record.job.leader_code,
        "follower_code": record.job.follower_code,
        **{name: getattr(provenance, name) for name in ("commit", "game_digest", "engine", "attempt")},
        "started": _in_universal_time(provenance.started, record.address),
        **{name: machine.get(name) for name in ("host", "system", "processor", "cores")},
        "job_seconds": provenance.seconds,
        "job_processor_seconds": provenance.processor_seconds,
        "peak_memory": provenance.peak_memory,
    }


def _in_universal_time(told: str, address: str) -> str:
    try:
        return datetime.datetime.fromisoformat(told).astimezone(datetime.UTC).replace(tzinfo=None).isoformat()
    except (ValueError, OverflowError) as exc:
        raise OutputError(f"record {address}: expected the time at which it started, got {told!r}") from exc


class _Tables:
    """Rows on their way into the tables of a database, by columns."""

    def __init__(self, connection: DuckDBPyConnection, where: str) -> None:
        self._connection, self._where = connection, where
        self._columns: dict[str, dict[str, Any]] = {}
        self._clear()

    def _clear(self) -> None:
        self._columns = {
            table: {name: array("d") if kind == "double" else [] for name, kind in columns.items()}
            for table, columns in TABLES.items()
        }

    def add(self, table: str, row: dict[str, Any]) -> None:
        """Add a row; numbers that are unknown are NaN on their way."""
        for name, column in self._columns[table].items():
            value = row[name]
            column.append(np.nan if value is None and isinstance(column, array) else value)

    def add_curve(self, run: int, curve: dict[str, list[float | None]]) -> None:
        """Add the checkpoints of a run."""
        columns, length = self._columns["curves"], len(curve[CURVE_COLUMNS[0]])
        columns["run"].extend([run] * length)
        columns["checkpoint"].extend(range(length))
        for name in CURVE_COLUMNS:
            columns[name].extend(np.nan if value is None else value for value in curve[name])

    def flush(self) -> None:
        """Write what there is.

        Raises
        ------
        OutputError
            A number or a time that the type of its column has no room for.
        """
        duckdb = import_duckdb()
        for table, columns in self._columns.items():
            if not columns[next(iter(columns))]:
                continue
            chunk = {name: _as_array(column) for name, column in columns.items()}
            # NaN is no value of a record: it has null there.
            given = (
                f"nullif(\"{name}\", 'nan')" if kind == "double" else f'"{name}"'
                for name, kind in TABLES[table].items()
            )
            try:
                self._connection.register("chunk", chunk)
                self._connection.execute(f"insert into stored.{table} select {', '.join(given)} from chunk")  # noqa: S608
                self._connection.unregister("chunk")
            except duckdb.Error as exc:
                what = " ".join(str(exc).split())
                raise OutputError(
                    f"{self._where}: expected records whose numbers fit their columns, got {what}"
                ) from exc
        self._clear()


def _as_array(column: Any) -> Any:
    return np.frombuffer(column) if isinstance(column, array) else np.array(column, dtype=object)
