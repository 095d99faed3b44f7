"""The page of a leaderboard, of archives in a folder: ``python -m agents.benchmark.leaderboard docs/leaderboard``."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from ..runs.files import write_atomically
from .comparison import compare
from .store import Store
from .submission import read_submission
from .submission_check import check_submission

__all__ = ["build", "entries", "page"]

HEAD = """\
# Leaderboard

<!-- Written by `make leaderboard` from the archives in entries/. -->

Leaders that were run on the suites of this package. [How to take part](../how-to/submit.md). Every commitment was
played again before it came here. What the columns say is explained in [compare leaders](../how-to/compare-leaders.md).
"""
COLUMNS = """\
| entry | archive | suites | records | licence | contact | note |
| --- | --- | --- | ---: | --- | --- | --- |"""


def entries(folder: Path) -> list[Path]:
    """Return the archives of a leaderboard's folder, by name."""
    return sorted((folder / "entries").glob("*.zip"))


def page(folder: Path) -> str:
    """Return the page of a folder's entries, which the caller has checked.

    Raises
    ------
    OutputError
        An entry that is no archive.
    """
    held = {path: read_submission(path) for path in entries(folder)}
    if not held:
        return f"{HEAD}\nThere are no entries yet.\n"
    lines = [HEAD, COLUMNS]
    for path, entry in held.items():
        told = entry.manifest
        cells = [told.name, path.name, ", ".join(told.sweeps), f"{len(entry.records):,}", told.licence, told.contact]
        lines.append(f"| {' | '.join(map(_plain, [*cells, told.note]))} |")
    with tempfile.TemporaryDirectory() as where:
        store = Store(where, create=True)
        for entry in held.values():
            for record in entry.records:
                store.add(record)
            for sweep in entry.sweeps:
                store.add_sweep(sweep)
        for suite in sorted({sweep.name for entry in held.values() for sweep in entry.sweeps}):
            lines += ["", f"## {_plain(suite)}", "", compare(where, suite).table("markdown").rstrip()]
    return "\n".join(lines) + "\n"


def build(folder: Path, say: Callable[[str], object]) -> bool:
    """Check every entry, and write the page unless something disagrees; return whether it was written.

    Parameters
    ----------
    folder
        Holds ``entries``; the page is its ``index.md``.
    say
        Told what was found, line by line.

    Raises
    ------
    OutputError
        An entry that is no archive, or a page that cannot be written.
    """
    agrees = True
    for path in entries(folder):
        found = check_submission(path)
        say(f"{path.name}: {found.records:,} records, {len(found.disagreements):,} disagreements")
        for fault in found.disagreements:
            agrees = False
            say(f"  {fault}")
    if agrees:
        say(f"written: {write_atomically(folder / 'index.md', page(folder).encode())}")
    return agrees


def _plain(text: str) -> str:
    """Return text of others so that Markdown shows it as it is."""
    shown = "".join(c if c.isprintable() else " " for c in text)
    return re.sub(r"([\\`*_{}\[\]<>()#!|~&])", r"\\\1", shown)


if __name__ == "__main__":
    sys.exit(not build(Path(sys.argv[1]), lambda line: sys.stdout.write(f"{line}\n")))
