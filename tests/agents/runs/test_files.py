"""Folders and files of a run: locks, temporary files, room, what is read."""

import fcntl
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import agents
from agents.cli import main as cli
from agents.runs.files import CHECKPOINT_NAME, CURVE_NAME, LOCK_NAME, RECORD_NAME, FolderLock, remove_leftovers
from agents.runs.records import RunRecord, load_record
from stackelberg_envs.errors import OutputError
from tests.agents.runs.stopping import SHORT, TOY, at, fail, names, send


def test_a_second_run_in_a_folder_is_refused_and_told_of_the_first(tmp_path):
    refused = []

    def second():
        for options in ({"output": tmp_path, "leader": "naive", **SHORT}, {"resume": tmp_path}):
            with pytest.raises(OutputError) as caught:
                agents.run(*([TOY] if "output" in options else []), **options)
            refused.append(str(caught.value))

    first = agents.run(TOY, **SHORT, output=tmp_path, progress=at(3, second))
    for message in refused:
        assert f"{tmp_path}: expected a folder in which no other run is going on, got that of process" in message
        assert f"process {os.getpid()} on {os.uname().nodename}, started at {time.strftime('%Y')}" in message
    assert len(refused) == 2
    assert load_record(tmp_path).to_json() == first.to_json()
    assert names(tmp_path) == [RECORD_NAME]


LOCKING = """
import os, sys, time
from pathlib import Path
from agents.runs.files import FolderLock
lock = FolderLock(Path(sys.argv[1]))
if os.fork() == 0:
    # The forked one says so: by now it has let go of what it got from its parent.
    print("locked", flush=True)
time.sleep(60)
"""


def test_a_killed_process_holds_no_lock_even_if_a_process_that_it_forked_lives_on(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", LOCKING, str(tmp_path)], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout.readline() == "locked\n"
            with pytest.raises(OutputError, match=f"got that of process {process.pid} on"):
                FolderLock(tmp_path)
            process.kill()
            process.wait()
            assert (tmp_path / LOCK_NAME).exists()
            FolderLock(tmp_path).release()
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    assert names(tmp_path) == []


def test_a_lock_whose_name_was_removed_meanwhile_is_not_taken_for_the_folders(tmp_path):
    first = FolderLock(tmp_path)
    (tmp_path / LOCK_NAME).unlink()
    with FolderLock(tmp_path), pytest.raises(OutputError, match="no other run"):
        FolderLock(tmp_path)
    first.release()
    first.release()


def test_temporary_files_of_dead_processes_are_removed_and_nothing_else(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    litter = [f".checkpoint.npz.{dead.pid}", f".record.json.{dead.pid}.0a1b", f".curve.jsonl.{os.getpid()}.ff"]
    living = [f".checkpoint.npz.{os.getppid()}", f".record.json.{dead.pid}.claimed"]
    others = ["notes.txt", ".checkpoint.npz", f".other.npz.{dead.pid}", f"record.json.{dead.pid}"]
    for name in [*litter, *living, *others]:
        (tmp_path / name).write_text("x")
    with (tmp_path / living[1]).open() as claimed:
        fcntl.flock(claimed, fcntl.LOCK_EX)
        assert sorted(path.name for path in remove_leftovers(tmp_path)) == sorted(litter)
        assert names(tmp_path) == sorted([*living, *others])
    agents.run(TOY, **SHORT, output=tmp_path)
    assert names(tmp_path) == sorted([living[0], *others, RECORD_NAME])


def test_an_earlier_result_in_the_folder_keeps_a_name_of_its_own(tmp_path):
    one = agents.run(TOY, **SHORT, output=tmp_path, seed=1)
    two = agents.run(TOY, **SHORT, output=tmp_path, seed=2, progress=at(2, send(signal.SIGINT)))
    three = agents.run(TOY, **SHORT, output=tmp_path, seed=3)
    assert names(tmp_path) == [
        *("checkpoint-2.npz", "curve-2.jsonl", "record-1.json", "record-2.json"),
        RECORD_NAME,
    ]
    found = [load_record(tmp_path / name) for name in ("record-1.json", "record-2.json", RECORD_NAME)]
    assert [record.to_json() for record in found] == [record.to_json() for record in (one, two, three)]


def test_a_run_that_is_done_again_leaves_one_result(tmp_path):
    agents.run(TOY, **SHORT, output=tmp_path, progress=at(4, send(signal.SIGINT)))
    for _ in range(3):
        agents.run(TOY, **SHORT, output=tmp_path)
        assert names(tmp_path) == [RECORD_NAME]


@pytest.mark.parametrize("name", [RECORD_NAME, CHECKPOINT_NAME, CURVE_NAME])
def test_a_folder_where_a_file_is_to_be_is_refused_before_any_work(name, tmp_path):
    (tmp_path / name).mkdir()
    with pytest.raises(OutputError, match=rf"{name}: expected a file or nothing"):
        agents.run(TOY, **SHORT, output=tmp_path, progress=at(1, fail(AssertionError())))
    assert names(tmp_path) == [name]
    with pytest.raises(OutputError, match=rf"{RECORD_NAME}: expected a file"):
        (tmp_path / "other" / RECORD_NAME).mkdir(parents=True)
        RunRecord("g", "l", "f", 1, 1, 0).save(tmp_path / "other")


@pytest.fixture
def file_size_limit():
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [10, 200, 5_000])
def test_files_that_have_no_room_are_said_before_the_run_and_the_earlier_record_stays(size, tmp_path, file_size_limit):
    earlier = agents.run(TOY, **SHORT, output=tmp_path, seed=9)
    file_size_limit(size)
    with pytest.raises(OutputError, match=f"{tmp_path}.*File too large"):
        agents.run(TOY, **SHORT, output=tmp_path, progress=at(1, fail(AssertionError())))
    file_size_limit(resource.RLIM_INFINITY)
    assert names(tmp_path) == [RECORD_NAME]
    assert load_record(tmp_path).to_json() == earlier.to_json()


def test_no_room_in_the_middle_of_a_run_ends_it_by_name_with_what_it_had(tmp_path, file_size_limit):
    with pytest.raises(OutputError, match=rf"{tmp_path}/\w+\.\w+: expected a file that can be written.*too large") as e:
        agents.run(TOY, **SHORT, output=tmp_path, checkpoint_every=1, progress=at(4, lambda: file_size_limit(300)))
    file_size_limit(resource.RLIM_INFINITY)
    assert names(tmp_path) == [CHECKPOINT_NAME, CURVE_NAME, RECORD_NAME]
    assert load_record(tmp_path).status == "running"
    assert "could not be written" in e.value.__notes__[-1]
    assert len(e.value.record.curve["leader_value"]) == 4
    assert agents.run(resume=tmp_path).status == "finished"


def test_no_room_at_the_end_of_a_run_still_gives_the_record(tmp_path, file_size_limit):
    with pytest.raises(OutputError, match=rf"{RECORD_NAME}: expected a file that can be written") as caught:
        agents.run(TOY, **SHORT, output=tmp_path, progress=at(6, lambda: file_size_limit(300)))
    file_size_limit(resource.RLIM_INFINITY)
    assert caught.value.record.status == "finished"
    assert caught.value.record.commitment is not None
    assert load_record(tmp_path).status == "running"


@pytest.mark.parametrize("name", [RECORD_NAME, CHECKPOINT_NAME, CURVE_NAME])
def test_a_device_or_a_pipe_is_not_read_as_a_file(name, tmp_path):
    agents.run(TOY, **SHORT, output=tmp_path, progress=at(3, send(signal.SIGINT)))
    (tmp_path / name).unlink()
    for make in (os.mkfifo, lambda path: path.symlink_to("/dev/zero"), Path.mkdir):
        make(tmp_path / name)
        if name == RECORD_NAME:
            with pytest.raises(OutputError, match=f"{name}: expected a file.*, got something else of that name"):
                load_record(tmp_path)
        with pytest.raises(OutputError, match=f"{name}: expected a file.*, got something else of that name"):
            agents.run(resume=tmp_path)
        (tmp_path / name).rmdir() if make is Path.mkdir else (tmp_path / name).unlink()
    assert cli.main(["plot", "/dev/zero"]) == 2
