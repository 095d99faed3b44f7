"""Archives that take part in the leaderboard: how one is made of a store, and read again without trusting it.

::

    manifest.json       whose it is, its sweeps, and the hash of each other file
    records.jsonl       one finished job per line, in the order of their addresses
    sweeps/1.json ...   which jobs belong together

An archive is data. It is read in memory, member by member, each under the name that is expected of it and up to a
size; nothing of it becomes a file, is imported or executed.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from stackelberg_envs.errors import ArgumentError, OutputError, unknown_name
from stackelberg_envs.validation import checked, checked_path, shown

from ..runs.files import named, require_file, write_atomically
from .records import JobRecord
from .store import Store, Sweep

__all__ = ["Manifest", "Submission", "read_submission", "submit"]

FORMAT = 1
MANIFEST, RECORDS = "manifest.json", "records.jsonl"
#: Bytes of an archive, of what it holds, of one record, and how often larger what it holds may be; numbers of files.
LARGEST_ARCHIVE, LARGEST_CONTENT, LARGEST_LINE, LARGEST_RATIO, MOST_FILES = 2**26, 2**29, 2**22, 200, 66
#: Time of every file in an archive: the earliest that the format knows.
TIME = (1980, 1, 1, 0, 0, 0)
#: Unfinished jobs that a refusal names.
MOST_NAMES = 3
CHUNK = 2**16


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Size and SHA-256 of a file in an archive."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an archive says of itself.

    Attributes
    ----------
    name
        Of the team or the leader.
    contact
        Where questions go: an address, a page.
    licence
        Of the records, as an SPDX name.
    note
        One line for readers: a paper, a page.
    sweeps
        Names of its sweeps, in the order of its files.
    files
        Every other file of the archive.
    """

    name: str
    contact: str
    licence: str
    sweeps: list[str]
    files: dict[str, File]
    note: str = ""
    format: int = FORMAT


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive holds, read but not yet believed.

    Attributes
    ----------
    manifest, sweeps, records
        As they stand in it.
    faults
        Sentences on what is wrong with files and records, by line.
    """

    manifest: Manifest
    sweeps: list[Sweep]
    records: list[JobRecord]
    faults: list[str]


def submit(
    folder: str | Path,
    output: str | Path,
    *,
    name: str,
    contact: str,
    licence: str = "CC-BY-4.0",
    note: str = "",
    suites: Iterable[str] | None = None,
) -> Manifest:
    """Put complete sweeps of a store into one archive; equal records make equal bytes.

    Parameters
    ----------
    folder
        Where :func:`agents.sweep` has put the records.
    output
        Archive to write, a .zip that is not there yet.
    name, contact, licence, note
        As in :class:`Manifest`.
    suites
        Names of the sweeps; by default all.

    Raises
    ------
    ArgumentError
        A sweep with jobs that are missing or did not finish, or nothing to submit.
    UnknownNameError
        A sweep that is not there.
    OutputError
        No store, a damaged record, a file of that name, or one that cannot be written.
    """
    told = {"name": name, "contact": contact, "licence": licence, "note": note}
    words = {key: " ".join(checked(value, str, f"submit: {key}").split()) for key, value in told.items()}
    for key in ("name", "contact", "licence"):
        if not words[key]:
            raise ArgumentError(f"submit: {key}: expected some text, got {shown(told[key])}")
    path = checked_path(output, "submit: output")
    if path.suffix != ".zip":
        raise ArgumentError(f"submit: output: expected a name ending in .zip, got {path.name!r}")
    if os.path.lexists(path):
        raise OutputError(f"{path}: expected no file of this name, since none is overwritten")
    store = Store(folder)
    sweeps = _chosen(store, suites)
    records = [_shareable(store.load(address)) for address in sorted({job for sweep in sweeps for job in sweep.jobs})]
    content = {RECORDS: b"".join(msgspec.json.encode(record) + b"\n" for record in records)}
    for number, sweep in enumerate(sweeps, 1):
        content[f"sweeps/{number}.json"] = msgspec.json.encode(sweep, order="deterministic")
    files = {key: File(bytes=len(data), sha256=hashlib.sha256(data).hexdigest()) for key, data in content.items()}
    manifest = Manifest(
        name=words["name"],
        contact=words["contact"],
        licence=words["licence"],
        note=words["note"],
        sweeps=[sweep.name for sweep in sweeps],
        files=files,
    )
    data = _packed({MANIFEST: msgspec.json.format(msgspec.json.encode(manifest), indent=1), **content})
    with named(f"{path}: expected a file that can be written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = write_atomically(path.with_name(f".{path.name}.{os.getpid()}.draft"), data)
        try:
            # Unlike a renaming this never takes the place of a file that came meanwhile.
            os.link(draft, path)
        except FileExistsError as exc:
            raise OutputError(f"{path}: expected no file of this name, since none is overwritten") from exc
        except OSError:  # a file system without links
            draft.replace(path)
        finally:
            with suppress(OSError):
                draft.unlink()
    return manifest


def read_submission(archive: str | Path) -> Submission:
    """Return what an archive holds.

    Raises
    ------
    OutputError
        No archive, one that is larger than it may be, or one that is not of this form.
    """
    path = checked_path(archive, "archive", OutputError)
    with named(f"{path}: expected an archive"):
        if require_file(path).stat().st_size > LARGEST_ARCHIVE:
            raise OutputError(f"{path}: expected an archive of at most {LARGEST_ARCHIVE} bytes")
        packed = path.read_bytes()
    try:
        content = _unpacked(packed, str(path))
    except OutputError:
        raise
    except Exception as exc:  # of zipfile and zlib, which say in many ways that bytes make no sense
        raise OutputError(f"{path}: expected an archive, got {type(exc).__name__}: {exc}") from exc
    if MANIFEST not in content:
        raise OutputError(f"{path}: expected an archive with {MANIFEST}, got one of {', '.join(sorted(content))[:200]}")
    manifest: Manifest = _decoded(content.pop(MANIFEST), Manifest, f"{path}: {MANIFEST}")
    if manifest.format != FORMAT:
        raise OutputError(f"{path}: expected an archive of format {FORMAT}, got one of {manifest.format}")
    expected = {RECORDS, *(f"sweeps/{number}.json" for number in range(1, len(manifest.sweeps) + 1))}
    if not (set(content) == set(manifest.files) == expected):
        raise OutputError(
            f"{path}: expected the files {', '.join(sorted(expected))[:200]} and a manifest of them, "
            f"got {', '.join(sorted(content))[:200]}"
        )
    faults = [
        f"{name}: expected {manifest.files[name].bytes} bytes of the hash {manifest.files[name].sha256}, got others"
        for name, data in sorted(content.items())
        if File(bytes=len(data), sha256=hashlib.sha256(data).hexdigest()) != manifest.files[name]
    ]
    sweeps = [
        _decoded(content[f"sweeps/{number}.json"], Sweep, f"{path}: sweeps/{number}.json")
        for number in range(1, len(manifest.sweeps) + 1)
    ]
    if [sweep.name for sweep in sweeps] != manifest.sweeps:
        faults.append(f"{MANIFEST}: expected the sweeps {[sweep.name for sweep in sweeps]}, got {manifest.sweeps}")
    records = _records(content[RECORDS], faults)
    return Submission(manifest=manifest, sweeps=sweeps, records=records, faults=faults)


def _chosen(store: Store, suites: Iterable[str] | None) -> list[Sweep]:
    """Return sweeps of which every job finished."""
    there = store.sweeps()
    names = None if suites is None else list(suites)
    for name in names or ():
        if name not in {sweep.name for sweep in there}:
            raise unknown_name("sweep", name, {sweep.name for sweep in there})
    sweeps = [sweep for sweep in there if names is None or sweep.name in names]
    if not sweeps or len(sweeps) > MOST_FILES - 2:
        raise ArgumentError(f"{store.folder}: expected between 1 and {MOST_FILES - 2} sweeps, got {len(sweeps)}")
    failures = {record.address: record for record in store.failures()}
    for sweep in sweeps:
        missing = [address for address in sweep.jobs if not store.has(address)]
        if missing:
            told = [_why(failures.get(address), address) for address in missing[:MOST_NAMES]]
            raise ArgumentError(
                f"sweep {sweep.name!r}: expected all of its {len(sweep.jobs)} jobs to be finished, got {len(missing)} "
                f"that are not: {'; '.join(told)}"
            )
    return sweeps


def _why(failure: JobRecord | None, address: str) -> str:
    if failure is None:
        return f"{address} was not run"
    job = failure.job
    return f"{job.entrant} on {job.task}, seed {job.seed}: {failure.status} ({failure.error})"


def _shareable(record: JobRecord) -> JobRecord:
    """Return a record without the name of the machine, which is nobody's business."""
    machine = {key: value for key, value in record.provenance.machine.items() if key != "host"}
    return msgspec.structs.replace(record, provenance=msgspec.structs.replace(record.provenance, machine=machine))


def _packed(content: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in content.items():
            info = zipfile.ZipInfo(name, TIME)
            info.create_system, info.external_attr = 3, 0o644 << 16
            archive.writestr(info, data, zipfile.ZIP_DEFLATED, 9)
    return packed.getvalue()


def _unpacked(packed: bytes, where: str) -> dict[str, bytes]:
    """Return the files of an archive by their names, after each was found to be no more than a small file."""
    content: dict[str, bytes] = {}
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        entries = archive.infolist()
        if len(entries) > MOST_FILES:
            raise OutputError(f"{where}: expected at most {MOST_FILES} files, got {len(entries)}")
        left = min(LARGEST_CONTENT, LARGEST_RATIO * len(packed))
        for entry in entries:
            _require_plain(entry, where)
            if entry.filename in content:
                raise OutputError(f"{where}: expected each file once, got {entry.filename!r} twice")
            data = bytearray()
            with archive.open(entry) as file:
                while chunk := file.read(CHUNK):
                    data += chunk
                    # What an archive says of its sizes is not believed.
                    if len(data) > left:
                        raise OutputError(f"{where}: expected files of at most {left} bytes more, got a larger one")
            left -= len(data)
            content[entry.filename] = bytes(data)
    return content


def _require_plain(entry: zipfile.ZipInfo, where: str) -> None:
    name, mode = entry.filename, entry.external_attr >> 16
    parts = name.split("/")
    if name.startswith("/") or "\\" in name or ":" in name or not all(parts) or {"..", "."} & set(parts):
        raise OutputError(f"{where}: expected names of files in the archive, got {name[:200]!r}")
    if mode & 0o170000 not in (0, 0o100000):
        raise OutputError(f"{where}: expected plain files, got something else named {name[:200]!r}")
    if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise OutputError(f"{where}: expected files that are stored or deflated, got {name[:200]!r}")


def _decoded(data: bytes, kind: type[Any], where: str) -> Any:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, RecursionError, ValueError) as exc:
        raise OutputError(f"{where}: expected {kind.__name__.lower()} data, got {exc}") from exc


def _records(data: bytes, faults: list[str]) -> list[JobRecord]:
    records: dict[str, JobRecord] = {}
    for number, line in enumerate(data.splitlines(), 1):
        where = f"{RECORDS}, line {number}"
        try:
            if len(line) > LARGEST_LINE:
                raise OutputError(f"{where}: expected at most {LARGEST_LINE} bytes, got {len(line)}")
            record = JobRecord.from_json(line, where)
        except OutputError as exc:
            faults.append(str(exc))
            continue
        if record.result is None or record.address in records:
            faults.append(f"{where}: expected one finished job for each line, got {record.address} ({record.status})")
            continue
        records[record.address] = record
    return list(records.values())
