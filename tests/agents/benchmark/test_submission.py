"""Archives: what is put in comes out, equal records make equal bytes, and hostile ones do no harm."""

import hashlib
import io
import random
import zipfile

import msgspec
import pytest

from agents.benchmark import submission
from agents.benchmark.store import Store
from agents.benchmark.submission import Manifest, read_submission, submit
from stackelberg_envs.errors import ArgumentError, OutputError, StackelbergError, UnknownNameError
from tests.made_records import made_failure, made_job, made_record, made_store

WHO = {"name": "Team", "contact": "me@example.org"}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return made_store(tmp_path_factory.mktemp("store"), seeds=2, name="mine")


@pytest.fixture(scope="module")
def archive(store, tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "x.zip"
    submit(store.folder, path, **WHO, note="a\nnote")
    return path


def files_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewritten(path, files, sign=True):
    """Write an archive by hand, with a manifest that fits its files unless it is not to."""
    if sign:
        manifest = msgspec.json.decode(files["manifest.json"])
        others = {name: data for name, data in files.items() if name != "manifest.json"}
        manifest["files"] = {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in others.items()
        }
        files = files | {"manifest.json": msgspec.json.encode(manifest)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def test_what_is_put_in_comes_out_without_the_name_of_the_machine(store, archive):
    held = read_submission(archive)
    assert held.faults == []
    assert held.sweeps == store.sweeps()
    assert held.manifest.note == "a note"
    assert [record.address for record in held.records] == sorted(store.addresses())
    for record in held.records:
        original = store.load(record.address)
        assert (record.job, record.result) == (original.job, original.result)
        assert "host" in original.provenance.machine
        assert "host" not in record.provenance.machine


def test_equal_records_make_equal_bytes_and_few(store, archive, tmp_path):
    submit(store.folder, tmp_path / "new" / "y.zip", **WHO, note="a\nnote")
    assert (tmp_path / "new" / "y.zip").read_bytes() == archive.read_bytes()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["y.zip"]
    assert archive.stat().st_size < 2_000 * len(store.addresses())


def test_no_file_is_overwritten(store, archive, tmp_path):
    before = archive.read_bytes()
    with pytest.raises(OutputError, match="none is overwritten"):
        submit(store.folder, archive, **WHO)
    assert archive.read_bytes() == before
    (tmp_path / "link.zip").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError, match="none is overwritten"):
        submit(store.folder, tmp_path / "link.zip", **WHO)


def test_a_file_that_comes_meanwhile_stays_and_links_are_not_needed(store, tmp_path, monkeypatch):
    def without_links(draft, path):
        raise OSError("no links")

    monkeypatch.setattr(submission.os, "link", without_links)
    submit(store.folder, tmp_path / "x.zip", **WHO)
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]
    monkeypatch.undo()
    monkeypatch.setattr(submission.os.path, "lexists", lambda path: False)
    before = (tmp_path / "x.zip").read_bytes()
    with pytest.raises(OutputError, match="none is overwritten"):
        submit(store.folder, tmp_path / "x.zip", **WHO, note="other")
    assert (tmp_path / "x.zip").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"name": " "}, ArgumentError, "name: expected some text"),
        ({"contact": 3}, ArgumentError, "contact"),
        ({"suites": ["mien"]}, UnknownNameError, "mine"),
        ({"output": "x.tar"}, ArgumentError, r"\.zip"),
    ],
)
def test_what_cannot_be_submitted_is_said(options, error, says, store, tmp_path):
    with pytest.raises(error, match=says):
        submit(store.folder, **({"output": tmp_path / "x.zip", **WHO} | options))
    assert not list(tmp_path.iterdir())


def test_a_sweep_with_a_gap_is_refused_by_name(tmp_path):
    store = made_store(tmp_path / "store", seeds=1)
    first, second = sorted(store.addresses())[:2]
    job = store.load(first).job
    store.path(first).unlink()
    store.path(second).unlink()
    store.add(made_failure(job))
    with pytest.raises(ArgumentError, match=rf"2 that are not: .*{job.entrant} on {job.task}, seed 0: failed"):
        submit(store.folder, tmp_path / "x.zip", **WHO)
    Store(tmp_path / "empty", create=True)
    with pytest.raises(ArgumentError, match="sweeps, got 0"):
        submit(tmp_path / "empty", tmp_path / "x.zip", **WHO)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda line: line.replace(b'"seed":0', b'"seed":7'), "records.jsonl, line 1: expected the address"),
        (lambda line: line.replace(b'"status"', b'"state"'), "records.jsonl, line 1: expected the record of a job"),
        (lambda line: b"", "records.jsonl, line 1"),
        (lambda line: line[: len(line) // 2], "records.jsonl, line 1"),
        (lambda line: line + b"\n" + line, "line 2: expected one finished job for each line"),
        (lambda line: b"[" * 100_000, "records.jsonl, line 1"),
    ],
)
def test_a_record_that_is_none_is_said_by_its_line(change, says, archive, tmp_path):
    files = files_of(archive)
    lines = files["records.jsonl"].splitlines()
    lines.sort(key=lambda line: b'"seed":0' not in line)
    files["records.jsonl"] = b"\n".join([change(lines[0]), *lines[1:]])
    held = read_submission(rewritten(tmp_path / "y.zip", files))
    assert any(says in fault for fault in held.faults)
    assert len(held.records) in (len(lines) - 1, len(lines))


def test_a_failed_job_in_an_archive_is_said(archive, tmp_path):
    files = files_of(archive)
    files["records.jsonl"] += msgspec.json.encode(made_failure(made_job(seed=99)))
    assert any("(failed)" in fault for fault in read_submission(rewritten(tmp_path / "y.zip", files)).faults)


def test_every_hash_is_checked(archive, tmp_path):
    files = files_of(archive)
    for name in sorted(files):
        changed = files | {name: files[name] + b" "}
        path = rewritten(tmp_path / "y.zip", changed, sign=False)
        if name != "manifest.json":
            assert any(fault.startswith(f"{name}: expected") for fault in read_submission(path).faults)
    changed = files | {"manifest.json": files["manifest.json"].replace(b'"mine"', b'"tabular-v1"')}
    held = read_submission(rewritten(tmp_path / "y.zip", changed, sign=False))
    assert any("expected the sweeps ['mine']" in fault for fault in held.faults)


def entry(name, mode=0o100644):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "C:/x", "a\\..\\x", "sweeps//x", "./x"])
def test_a_path_that_escapes_is_refused(name, archive, tmp_path):
    path = rewritten(tmp_path / "y.zip", files_of(archive))
    with zipfile.ZipFile(path, "a") as bad:
        bad.writestr(entry(name), b"x")
    with pytest.raises(OutputError, match="names of files in the archive"):
        read_submission(path)
    assert [each.name for each in tmp_path.iterdir()] == ["y.zip"]


@pytest.mark.parametrize("mode", [0o120777, 0o040755, 0o010644, 0o020644])
def test_links_folders_and_devices_are_refused(mode, archive, tmp_path):
    path = rewritten(tmp_path / "y.zip", files_of(archive))
    with zipfile.ZipFile(path, "a") as bad:
        bad.writestr(entry("x", mode), b"/etc/passwd")
    with pytest.raises(OutputError, match="plain files"):
        read_submission(path)


def test_a_bomb_is_refused_before_it_is_large(tmp_path, archive):
    files = files_of(archive) | {"records.jsonl": b"0" * 50_000_000}
    with pytest.raises(OutputError, match="larger one"):
        read_submission(rewritten(tmp_path / "y.zip", files))


@pytest.mark.parametrize(
    ("limit", "value", "says"),
    [
        ("LARGEST_ARCHIVE", 100, "at most 100 bytes"),
        ("LARGEST_CONTENT", 100, "larger one"),
        ("MOST_FILES", 2, "2 files"),
    ],
)
def test_sizes_are_limited(limit, value, says, archive, monkeypatch):
    monkeypatch.setattr(submission, limit, value)
    with pytest.raises(OutputError, match=says):
        read_submission(archive)


def test_other_packing_strange_files_and_twins_are_refused(archive, tmp_path):
    files = files_of(archive)
    path = tmp_path / "y.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as bad:
        bad.writestr("manifest.json", files["manifest.json"])
    with pytest.raises(OutputError, match="stored or deflated"):
        read_submission(path)
    with pytest.raises(OutputError, match="expected the files"):
        read_submission(rewritten(path, files | {"code.py": b"import os"}))
    with pytest.raises(OutputError, match="expected the files"):
        read_submission(rewritten(path, {name: data for name, data in files.items() if name != "records.jsonl"}))
    rewritten(path, files)
    with zipfile.ZipFile(path, "a") as bad, pytest.warns(UserWarning, match="Duplicate"):
        bad.writestr("records.jsonl", b"x")
    with pytest.raises(OutputError, match="twice"):
        read_submission(path)
    manifest = msgspec.json.encode(Manifest(format=2, licence="", sweeps=[], files={}, **WHO))
    with pytest.raises(OutputError, match="format 1, got one of 2"):
        read_submission(rewritten(path, files | {"manifest.json": manifest}, sign=False))
    for data in (b"", b"PK", b"nonsense" * 100):
        path.write_bytes(data)
        with pytest.raises(OutputError, match="expected an archive"):
            read_submission(path)
    with pytest.raises(OutputError):
        read_submission(tmp_path)


def mutated(data, rng):
    data = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        kind, at = rng.randrange(4), rng.randrange(len(data))
        if kind == 0:
            data[at] = rng.randrange(256)
        elif kind == 1:
            del data[at : at + rng.randint(1, 30)]
        elif kind == 2:
            data[at:at] = rng.randbytes(rng.randint(1, 8))
        else:
            data[at : at + 8] = data[:8]
    return bytes(data)


def test_mutated_archives_end_in_named_errors_or_faults(archive, tmp_path):
    rng, files = random.Random(0), files_of(archive)  # noqa: S311
    path, refused = tmp_path / "y.zip", 0
    for turn in range(200):
        if turn % 2:
            path.write_bytes(mutated(archive.read_bytes(), rng))
        else:
            name = rng.choice(sorted(files))
            rewritten(path, files | {name: mutated(files[name], rng)}, sign=False)
        try:
            refused += bool(read_submission(path).faults)
        except StackelbergError as exc:
            assert str(path) in str(exc)
            refused += 1
    assert refused >= 190


def test_a_zip_inside_is_data(archive, tmp_path):
    inner = io.BytesIO(archive.read_bytes())
    files = files_of(archive) | {"records.jsonl": inner.getvalue()}
    held = read_submission(rewritten(tmp_path / "y.zip", files))
    assert held.faults
    assert made_record().address not in {record.address for record in held.records}
