"""Records of a benchmark as files for other tools: columns for data frames, and the JSON layout of marl-eval."""

from __future__ import annotations

import itertools
import json
import math
import os
import secrets
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stackelberg_envs.errors import ArgumentError, unknown_name
from stackelberg_envs.validation import checked_path

from ..runs.files import named, write_atomically
from .entries import Entry, select
from .store import Store
from .views import VIEWS, import_duckdb, opened

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["FORMATS", "export", "marl_eval"]

FORMATS = ("parquet", "csv", "marl-eval")
#: How DuckDB writes what people read with other tools.
WRITTEN = {"parquet": "(format parquet, compression zstd)", "csv": "(format csv, header)"}
#: Gaps of a sweep that a warning names.
MOST_NAMES = 3


def export(folder: str | Path, output: str | Path, format: str = "parquet", view: str = "runs") -> Path:  # noqa: A002
    """Write records of a benchmark as a file; one that is there is replaced.

    Parameters
    ----------
    folder
        Where :func:`agents.sweep` has put them.
    output
        File to write.
    format
        "parquet" or "csv": a view, with a row for each run and so on; "marl-eval": the JSON that the package of this
        name reads, see :func:`marl_eval`.
    view
        One of :data:`agents.benchmark.views.VIEWS`, for "parquet" and "csv".

    Raises
    ------
    UnknownNameError
        A format or a view that there is not.
    OutputError
        No store, a damaged record, or a file that cannot be written.
    MissingExtraError
        DuckDB is not installed.
    """
    if format not in FORMATS:
        raise unknown_name("format", str(format), FORMATS)
    if view not in VIEWS:
        raise unknown_name("view", str(view), VIEWS)
    if format == "marl-eval" and view != "runs":
        raise ArgumentError(f"export: expected no view beside the format marl-eval, got {view!r}")
    path = checked_path(output, "export: output")
    with named(f"{path}: expected a file that can be written"):
        path.parent.mkdir(parents=True, exist_ok=True)
    if format == "marl-eval":
        return write_atomically(path, json.dumps(marl_eval(folder), indent=1, allow_nan=False).encode())
    with opened(Store(folder)) as connection:
        return _copied(connection, view, path, WRITTEN[format])


def _copied(connection: DuckDBPyConnection, view: str, path: Path, how: str) -> Path:
    """Let DuckDB write a view, first under another name: the file appears whole or not at all."""
    duckdb = import_duckdb()
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    name = str(draft).replace("'", "''")
    try:
        with named(f"{path}: expected a file that can be written"):
            try:
                connection.execute(f"copy {view} to '{name}' {how}")
            except duckdb.Error as exc:
                raise OSError(" ".join(str(exc).split())) from exc
            draft.replace(path)
    finally:
        with suppress(OSError):
            draft.unlink()
    return path


def marl_eval(folder: str | Path) -> dict[str, Any]:
    """Return finished runs in the layout of marl-eval: environment, task, algorithm, run, step, metrics.

    Levels of information are environments, since that package puts no two environments into one ranking. It wants the
    same steps of all runs of an environment: they are all the checkpoints of its runs. A run has at each what it
    recommended last, and before its first known value what counts as 0. Metrics are "score" and "value" (J, in reward
    units); neither is to be normalised again. Names are in lower case, since that package looks them up so, and
    those of algorithms have no commas, which it refuses.

    It also wants every algorithm on every task with every seed. What is missing, a warning says.

    Parameters
    ----------
    folder
        Where :func:`agents.sweep` has put the records.

    Raises
    ------
    OutputError
        No store, or a damaged record.
    ArgumentError
        No run that has a score, or two names that differ in capitals only.
    """
    selection = select(Store(folder))
    entries = [entry for entry in selection.entries if not math.isnan(entry.score)]
    if not entries:
        raise ArgumentError(f"{folder}: expected at least one finished job that has a score, got none")
    grids: dict[str, set[int]] = {}
    for entry in entries:
        steps = np.rint(entry.recommended("observed_steps")[0]).astype(int)
        grids.setdefault(entry.information, {0}).update(steps.tolist())
    raw: dict[str, Any] = {}
    for entry in entries:
        task = entry.job.task + (f" ({entry.setting})" if entry.setting else "")
        runs = raw
        for place in (entry.information, task, entry.entrant.replace(",", ";")):
            runs = runs.setdefault(place, {})
        grid = sorted(grids[entry.information])
        runs[f"seed_{entry.job.seed}"] = _steps(entry, grid, selection.scales[entry.job.task].span)
    _warn_of_gaps(raw, len(selection.entries) - len(entries) + selection.missing)
    return _in_lower_case(raw, 3)


def _steps(entry: Entry, grid: list[int], span: tuple[float, float]) -> dict[str, Any]:
    """Return the metrics of a run at each step of a grid, and of what it recommended at its end."""
    start, width = span
    costs, values = entry.recommended("observed_steps")
    last = np.searchsorted(np.rint(costs), grid, side="right")
    held = np.concatenate([[start], values])[last]
    found: dict[str, Any] = {
        f"step_{index}": {"step_count": step, "score": [float((value - start) / width)], "value": [float(value)]}
        for index, (step, value) in enumerate(zip(grid, held, strict=True))
    }
    return found | {"absolute_metrics": {"score": [entry.score], "value": [entry.value]}}


def _warn_of_gaps(raw: dict[str, Any], unfinished: int) -> None:
    """Warn of what marl-eval stops at: runs that some algorithm has on some task, and another one has not."""
    gaps = []
    for environment, tasks in raw.items():
        algorithms = list(dict.fromkeys(name for found in tasks.values() for name in found))
        seeds = list(dict.fromkeys(seed for found in tasks.values() for runs in found.values() for seed in runs))
        for task, algorithm, seed in itertools.product(tasks, algorithms, seeds):
            if seed not in tasks[task].get(algorithm, {}):
                gaps.append(f"{environment}: {algorithm} on {task}, {seed}")
    if gaps or unfinished:
        told = "; ".join(gaps[:MOST_NAMES]) + (" ..." if len(gaps) > MOST_NAMES else "")
        text = f"{unfinished} jobs without a score are left out, and marl-eval wants {len(gaps)} more runs: {told}"
        warnings.warn(text, stacklevel=4)


def _in_lower_case(names: dict[str, Any], levels: int) -> dict[str, Any]:
    """Return the first levels of a nest of names in lower case."""
    if levels == 0:
        return names
    lower = {name.lower(): _in_lower_case(inner, levels - 1) for name, inner in names.items()}
    if len(lower) < len(names):
        raise ArgumentError(f"marl-eval: expected names that differ in more than capitals, got {', '.join(names)}")
    return lower
