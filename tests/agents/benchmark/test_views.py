"""Questions in SQL: the views tell what the records do, and whoever asks can neither read nor write anything else."""

import os
import sys

import duckdb
import msgspec
import numpy as np
import pytest

from agents.benchmark import views
from agents.benchmark.scores import score, score_of, task_scales
from agents.benchmark.store import Store, Sweep, TaskFacts
from agents.benchmark.views import VIEWS, ask, connect
from stackelberg_envs.errors import ArgumentError, MissingExtraError, OutputError
from tests.made_records import made_failure, made_job, made_record, made_store


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A store that no test changes: thirty finished jobs, one that failed and one without a best known value."""
    store = made_store(tmp_path_factory.mktemp("store") / "it's a store")
    store.add(made_failure(made_job("FourRooms", "hpgd", 77)))
    store.add(made_record(made_job("Nowhere", "hpgd", 0), best_known=None))
    return store


def one(folder, question):
    """The answer to a question that has one column."""
    return [row[0] for row in ask(folder, question)[1]]


def test_a_run_is_a_row_with_its_score_and_its_costs(shared):
    columns, rows = ask(shared.folder, "select * from runs")
    told = {row["address"]: row for row in (dict(zip(columns, row, strict=True)) for row in rows)}
    records = {record.address: record for record in shared.records()}
    assert told.keys() == records.keys()
    scales = task_scales(records.values(), shared.sweeps()[0])
    for address, record in records.items():
        row = told[address]
        assert row["score"] == pytest.approx(score_of(record, scales), rel=1e-14)
        assert row["gap"] == pytest.approx(scales[record.job.task].best - record.result.leader_value, abs=1e-14)
        assert row["value"] == record.result.leader_value
        assert row["seconds"] == record.result.totals["seconds"]
        assert row["job_seconds"] == record.provenance.seconds
        assert [row[name] for name in ("task", "entrant", "seed")] == [
            record.job.task,
            record.job.entrant,
            record.job.seed,
        ]
        assert row["version"] == "0.1.0"
        assert row["started"].isoformat() == "2026-01-01T00:00:00"


def test_a_checkpoint_is_a_row_and_what_is_unknown_is_null(shared):
    record = next(record for record in shared.records() if record.job.leader == "naive")
    scale = task_scales(shared.records())[record.job.task]
    question = (
        f"select checkpoint, observed_steps, recommended_value, score from curves where address = '{record.address}'"  # noqa: S608
    )
    _, rows = ask(shared.folder, f"{question} order by checkpoint")
    curve = record.result.curve
    assert [row[0] for row in rows] == list(range(len(rows)))
    assert [row[1] for row in rows] == curve["observed_steps"]
    assert [row[2] for row in rows] == curve["recommended_value"]
    assert [row[3] for row in rows] == pytest.approx([score(value, scale) for value in curve["recommended_value"]])
    bad = made_record(made_job(seed=5))
    bad.result.curve["gradient_cosine"][3] = None
    store = Store(shared.folder.parent / "nulls", create=True)
    store.add(bad)
    assert one(store.folder, "select checkpoint from curves where gradient_cosine is null") == [3]
    assert one(store.folder, "select count(*) from curves where isnan(gradient_cosine)") == [0]


def test_failures_tasks_and_sweeps(shared):
    assert ask(shared.folder, "select task, entrant, seed, status, error from failures")[1] == [
        ("FourRooms", "hpgd", 77, "failed", "ValueError: no")
    ]
    assert ask(shared.folder, "select task, best, is_relative from tasks order by task")[1] == [
        ("DiscreteToy", 34.993, False),
        ("FourRooms", 0.622, False),
        ("Nowhere", pytest.approx(0.9), True),
    ]
    assert ask(shared.folder, "select sweep, jobs, finished, failed, missing, len(addresses) from sweeps")[1] == [
        ("tabular-v1", 30, 30, 0, 0, 30)
    ]


def test_a_sweep_says_what_is_missing_and_what_failed(tmp_path):
    store = Store(tmp_path, create=True)
    jobs = [made_job(seed=seed) for seed in range(4)]
    store.add(made_record(jobs[0]))
    store.add(made_failure(jobs[1]))
    facts = [TaskFacts(name="DiscreteToy", start=0.0, best_known=100.0), TaskFacts(name="Later", best_known=3.0)]
    store.add_sweep(Sweep(name="mine", tasks=facts, entrants=[], jobs=[job.address for job in jobs]))
    assert ask(tmp_path, "select jobs, finished, failed, missing from sweeps")[1] == [(4, 1, 1, 2)]
    assert ask(tmp_path, "select task, start, best from tasks")[1] == [("DiscreteToy", 0, 100), ("Later", None, 3)]


def test_an_empty_store_has_empty_views(tmp_path):
    Store(tmp_path, create=True)
    for view in VIEWS:
        assert one(tmp_path, f"select count(*) from {view}") == [0]  # noqa: S608


@pytest.mark.parametrize("data", [b"{", b"", b'{"format": 9}'])
def test_a_damaged_record_is_named(data, tmp_path):
    store = made_store(tmp_path, seeds=1)
    path = store.path(sorted(store.addresses())[1])
    path.write_bytes(data)
    with pytest.raises(OutputError, match=path.name):
        connect(tmp_path)


def test_a_number_that_no_column_has_room_for_is_named(tmp_path):
    Store(tmp_path, create=True).add(made_record(made_job(seed=10**30)))
    with pytest.raises(OutputError, match="numbers fit"):
        connect(tmp_path)


def test_times_are_universal(tmp_path):
    record = made_record()
    for seed, started in enumerate(("2026-01-01T02:00:00+02:00", "soon")):
        job = made_job(seed=seed)
        place = msgspec.structs.replace(record.provenance, started=started)
        Store(tmp_path, create=True).add(
            msgspec.structs.replace(record, job=job, address=job.address, provenance=place)
        )
        if seed == 0:
            assert one(tmp_path, "select cast(started as varchar) from runs") == ["2026-01-01 00:00:00"]
    with pytest.raises(OutputError, match="soon"):
        connect(tmp_path)


@pytest.mark.parametrize("question", ["select entrnt from runs", "selct 1", "", "select * from nothing"])
def test_an_error_of_sql_is_one_line_that_lists_the_views(question, shared):
    with pytest.raises(ArgumentError, match="runs, curves, failures, tasks, sweeps") as caught:
        ask(shared.folder, question)
    assert "\n" not in str(caught.value)


HOSTILE = [
    "select * from read_csv('{file}')",
    "select * from '{file}'",
    "select * from read_text('{file}')",
    "select * from glob('{folder}/*')",
    "copy runs to '{new}'",
    "copy (select 1) to '{new}' (format parquet)",
    "attach '{new}'",
    "attach '{copy}' as mine",
    "detach stored; attach '{copy}' as mine",
    "export database '{new}'",
    "import database '{folder}'",
    "install httpfs",
    "load httpfs",
    "load '{file}'",
    "set enable_external_access = true",
    "set lock_configuration = false",
    "reset enable_external_access",
    "set temp_directory = '{folder}'",
    "set profiling_output = '{new}'",
    "call enable_logging(storage = 'file', storage_config = {{'path': '{new}'}})",
    "create persistent secret mine (type http)",
]


@pytest.mark.parametrize("question", HOSTILE)
@pytest.mark.parametrize("with_copy", [False, True])
def test_a_query_reads_and_writes_no_file(question, with_copy, shared, tmp_path, monkeypatch):
    monkeypatch.setattr(views, "COPY_FROM", 1 if with_copy else 10**9)
    file = tmp_path / "file.csv"
    file.write_text("secret\n1\n")
    if with_copy:
        connect(shared.folder).close()
    copy = shared.folder / views.COPY_NAME
    words = {"file": file, "folder": tmp_path, "new": tmp_path / "new", "copy": str(copy).replace("'", "''")}
    before = sorted([*tmp_path.iterdir(), *shared.folder.iterdir()])
    with pytest.raises(ArgumentError, match="Error"):
        ask(shared.folder, question.format(**words))
    assert sorted([*tmp_path.iterdir(), *shared.folder.iterdir()]) == before
    copy.unlink(missing_ok=True)


def test_a_query_sees_no_variable_of_python(shared):
    variable_of_python = {"a": np.arange(3)}
    with connect(shared.folder) as connection, pytest.raises(duckdb.CatalogException, match="variable_of_python"):
        connection.execute("select * from variable_of_python")
    assert variable_of_python


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A store with a copy by columns, and what counts how often the records are read for it."""
    monkeypatch.setattr(views, "COPY_FROM", 1)
    store, filled = made_store(tmp_path / "store", seeds=2), []
    fill = views._fill
    monkeypatch.setattr(views, "_fill", lambda *given: (filled.append(1), fill(*given)))
    assert one(store.folder, "select count(*) from runs") == [12]
    assert len(filled) == 1
    return store, filled


def everything(folder):
    with connect(folder) as connection:
        return {view: connection.execute(f"select * from {view} order by all").fetchall() for view in VIEWS}  # noqa: S608


def test_a_copy_says_the_same_and_spares_the_records(copied, monkeypatch):
    store, filled = copied
    with_copy = everything(store.folder)
    assert len(filled) == 1
    monkeypatch.setattr(views, "COPY_FROM", 10**9)
    assert everything(store.folder) == with_copy


def change(store):
    record = next(store.records())
    new = msgspec.structs.replace(record, result=msgspec.structs.replace(record.result, leader_value=5.0))
    path = store.path(record.address)
    stat = path.stat()
    data = new.to_json()
    path.write_bytes(data + b" " * (stat.st_size - len(data)))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return 12, 5.0


def add(store):
    store.add(made_record(made_job(seed=99)))
    return 13, None


def remove(store):
    store.path(min(store.addresses())).unlink()
    return 11, None


@pytest.mark.parametrize("what", [change, add, remove])
def test_a_copy_of_other_records_is_made_anew(what, copied):
    store, filled = copied
    count, value = what(store)
    assert one(store.folder, "select count(*) from runs") == [count]
    assert len(filled) == 2
    assert value is None or one(store.folder, "select value from runs where value = 5.0") == [5.0]


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[: len(data) // 2], lambda data: b"x" * 5_000])
def test_a_damaged_copy_is_as_good_as_none(damage, copied):
    store, _ = copied
    path = store.folder / views.COPY_NAME
    path.write_bytes(damage(path.read_bytes()))
    assert one(store.folder, "select count(*) from runs") == [12]


def test_a_damaged_record_is_named_whatever_the_copy_says(copied):
    store, _ = copied
    path = store.path(min(store.addresses()))
    path.write_bytes(b"{}")
    with pytest.raises(OutputError, match=path.name):
        connect(store.folder)
    assert not list(store.folder.glob(f"{views.COPY_NAME}.*"))


def test_where_no_copy_can_be_written_the_records_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(views, "COPY_FROM", 1)
    store = made_store(tmp_path, seeds=1)
    (store.folder / views.COPY_NAME).mkdir()
    assert one(store.folder, "select count(*) from runs") == [6]
    monkeypatch.setattr(views, "_quoted", lambda path: "'/no/such/folder/copy'")
    assert one(store.folder, "select count(*) from runs") == [6]


def test_without_duckdb_there_is_a_hint(shared, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(MissingExtraError, match=r"\[benchmark\]"):
        connect(shared.folder)
