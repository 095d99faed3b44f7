"""``agents.report``: the page as one file that needs no network."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from string import Template
from urllib.parse import quote

from stackelberg_envs.errors import ArgumentError, MissingExtraError
from stackelberg_envs.validation import checked_path

from ...pictures.figures import require_matplotlib
from ...runs.files import named, write_atomically
from ..scores import ROUNDING, NewBest, new_best
from ..store import FAILURES, Store
from .charts import COLOURS
from .contents import ALL_RECORDS, NO_SUITE, Contents, gather
from .markup import escaped, link
from .sections import Sections

__all__ = ["report"]


def report(folder: str | Path, output: str | Path = "report.html") -> Path:
    """Write a page about a benchmark: one file that needs nothing else, and no network.

    It links to the records by paths relative to itself, so that folder and page can move together.

    Parameters
    ----------
    folder
        Where :func:`agents.sweep` has put the records.
    output
        The page, .html.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ArgumentError
        A folder in which nothing has been run, or a name that does not end in .html.
    OutputError
        No benchmark, a record that is damaged, or a file that cannot be written.
    MissingExtraError
        Plotly or matplotlib is not installed.
    """
    plotly = _plotly()
    require_matplotlib()
    path = checked_path(output, "output")
    if path.suffix.lower() not in (".html", ".htm"):
        raise ArgumentError(f"output: expected a file name ending in .html, got {path.name!r}")
    store = Store(folder)
    with named(f"{path}: expected a file that can be written"):
        path.parent.mkdir(parents=True, exist_ok=True)
    contents = gather(store)
    if not contents.selection.entries:
        raise ArgumentError(f"{store.folder}: expected at least one job that was run, got none")
    above = [entry.address for entry in contents.selection.entries if entry.score > 1.0 + ROUNDING]
    found = new_best(map(store.load, above), contents.selection.scales)
    page = page_of(contents, store, _addresses(store, path.parent), found, plotly)
    with named(f"{path}: expected a file that can be written"):
        write_atomically(path, page.encode())
    return path


def page_of(contents: Contents, store: Store, address: Callable[[str], str], found: list[NewBest], plotly: str) -> str:
    """Return the page as text.

    Parameters
    ----------
    contents, found
        What it shows, and the commitments worth more than any known before.
    store
        Where the records are.
    address
        Address of a job -> how the page links to its record.
    plotly
        The source of the library.
    """
    sections, script = Sections(contents, store, address), _asset("page.js")
    told = [suite for suite in contents.suites if suite not in (ALL_RECORDS, NO_SUITE)]
    parts = {
        "title": escaped(f"Benchmark report: {', '.join(told) or ALL_RECORDS}"),
        "summary": escaped(_summary(contents)),
        "new_best": _new_best(found, address),
        "notes": _notes(contents),
        "task_links": sections.task_links(),
        "filters": sections.filters(),
        "leaderboard": sections.leaderboard(),
        "averages": sections.averages(),
        "profiles": sections.profiles(),
        "tasks": sections.tasks(),
        "failures": sections.failures(),
        "provenance": sections.provenance(),
    }
    assets = {
        "style": _asset("page.css"),
        "dark": escaped(json.dumps(COLOURS)),
        "script": script,
        "plotly": base64.b64encode(gzip.compress(plotly.encode(), 9, mtime=0)).decode(),
        "scripts": f"'sha256-{_digest(script)}' 'sha256-{_digest(plotly)}'",
    }
    return Template(_asset("page.html")).substitute(parts | assets)


def _summary(contents: Contents) -> str:
    selection = contents.selection
    failed = len(contents.failures)
    finished = len(selection.entries) - failed
    missing = f" {selection.missing:,} have not been run." if selection.missing else ""
    return (
        f"{len(selection.entrants)} leaders on {len(selection.tasks)} tasks: {finished:,} jobs finished, "
        f"{failed:,} failed.{missing}"
    )


def _new_best(found: list[NewBest], address: Callable[[str], str]) -> str:
    told = []
    for item in found:
        kind = "" if item.is_exact else ", as estimated"
        text = (
            f"New best known value on {item.task}{kind}: J = {item.value:.6g} in place of {item.best_known:.6g}, by "
            f"{item.entrant}, seed {item.seed} (score {item.score:.4f})."
        )
        told.append(f"<p><strong>{escaped(text)}</strong> {link(address(item.address), 'Record')}</p>")
    return f'<div class="new">{"".join(told)}</div>' if told else ""


def _notes(contents: Contents) -> str:
    """Return what a reader has to know: which scores are relative, which values estimates."""
    selection, notes = contents.selection, []
    relative = [scale.task for scale in selection.scales.values() if scale.is_relative and scale.is_usable]
    if relative:
        notes.append(f"No best known value, so that 1 is the best of these records: {', '.join(relative)}.")
    unusable = [scale.task for scale in selection.scales.values() if not scale.is_usable]
    if unusable:
        notes.append(f"No scores, for there is no way from the start to a better value: {', '.join(unusable)}.")
    estimated = sorted({e.job.task for e in selection.entries if e.status == "finished" and not e.is_exact})
    if estimated:
        notes.append(f"Values are estimates: {', '.join(estimated)}.")
    for name, count in selection.outdated.items():
        notes.append(f"{count} records of older versions of {name} are left out.")
    return f'<ul class="notes">{"".join(f"<li>{escaped(note)}</li>" for note in notes)}</ul>' if notes else ""


def _addresses(store: Store, folder: Path) -> Callable[[str], str]:
    """Return the address of a job -> where its record is, relative to the page; of a failed job the last attempt."""

    def address(job: str) -> str:
        path, tried = store.path(job), store.folder / FAILURES / job[:2]
        if not path.exists():
            path = tried / f"{job}-{len(list(tried.glob(f'{job}-*.json')))}.json"
        return quote(Path(os.path.relpath(path, folder)).as_posix())

    return address


def _asset(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _plotly() -> str:
    """Return the source of plotly.js.

    Raises
    ------
    MissingExtraError
        Plotly is not installed.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise MissingExtraError(
            'reports need Plotly, which is not installed: pip install "stackelberg-envs[benchmark]"'
        ) from None
    source: str = get_plotlyjs()
    return source
