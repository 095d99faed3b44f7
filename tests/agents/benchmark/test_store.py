"""Stores: what is written once stays, what is damaged is said, and nobody is in another's way."""

import json

import pytest

from agents.benchmark.records import JobRecord
from agents.benchmark.store import Store
from stackelberg_envs.errors import OutputError
from tests.made_records import made_failure, made_job, made_record, made_store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store", create=True)


def test_what_is_added_is_read_again_exactly(store):
    record = made_record()
    store.add(record)
    assert store.load(record.address) == record
    assert list(store.records()) == [record]
    assert Store(store.folder).addresses() == {record.address}


def test_a_finished_job_is_written_once(store):
    first, second = made_record(share=0.5), made_record(share=0.6)
    assert first.address == second.address
    store.add(first)
    store.add(second)
    assert store.load(first.address) == first
    assert not [path for path in store.folder.rglob(".*") if path.is_file()]


def test_each_failure_is_kept_until_the_job_finishes(store):
    store.add(made_failure(status="lost"))
    store.add(made_failure(status="failed"))
    assert [record.status for record in store.failures()] == ["failed"]
    assert not store.addresses()
    store.add(made_record())
    assert not list(store.failures())


def test_the_address_follows_from_everything_that_decides_the_numbers():
    others = {"seed": 1, "steps": 10, "leader_options": {"learning_rate": 0.1}, "game_digest": "x", "leader_code": "y"}
    addresses = {made_job(**{name: value}).address for name, value in others.items()} | {made_job().address}
    assert len(addresses) == len(others) + 1
    assert made_job(leader_options={"a": 1, "b": 2}).address == made_job(leader_options={"b": 2, "a": 1}).address


def test_numbers_without_a_word_in_json_become_null(store):
    record = made_record(leader_value=float("nan"))
    store.add(record)
    assert store.load(record.address).result.leader_value is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": 2}, "expected a record of format 1, got one of 2"),
        ({"status": "done"}, "status"),
        ({"address": "0" * 32}, "expected the address"),
        ({"status": "failed"}, "expected a result if and only if"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_record_that_is_none_is_refused_by_its_path(store, change, says):
    path = store.add(made_record())
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(OutputError, match=says) as caught:
        list(store.records())
    assert str(path) in str(caught.value)


def test_a_truncated_record_is_refused(store):
    path = store.add(made_record())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(OutputError, match="expected the record of a job"):
        list(store.records())


def test_a_curve_of_columns_of_several_lengths_is_refused(store):
    values = json.loads(made_record().to_json())
    values["result"]["curve"]["seconds"].pop()
    with pytest.raises(OutputError, match="expected a curve of"):
        JobRecord.from_json(json.dumps(values).encode())


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match="expected an empty folder or a store"):
        Store(tmp_path, create=True)
    with pytest.raises(OutputError, match="expected the folder of a benchmark"):
        Store(tmp_path)


def test_a_store_of_another_format_is_refused(store):
    (store.folder / "store.json").write_text('{"format": 7}')
    with pytest.raises(OutputError, match="expected a store of format 1, got one of 7"):
        Store(store.folder)


def test_one_runner_at_a_time(store):
    with store.lock(), pytest.raises(OutputError, match="no other run"):
        Store(store.folder).lock()
    with store.lock():
        pass


def test_the_same_sweep_is_noted_once(tmp_path):
    store = made_store(tmp_path / "s", seeds=1)
    (sweep,) = store.sweeps()
    store.add_sweep(sweep)
    assert store.sweeps() == [sweep]
    assert set(sweep.jobs) == store.addresses()
