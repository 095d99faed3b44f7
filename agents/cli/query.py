"""``stackelberg query``: questions in SQL to the records of a benchmark."""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .output import on_one_line
from .parser import add_command

if TYPE_CHECKING:
    from rich.console import Console

    from .parser import Commands

__all__ = ["act", "add"]

EPILOG = """\
views: runs, curves, failures, tasks, sweeps; 'describe runs' lists the columns of one

examples:
  stackelberg query runs/mine "select entrant, avg(score), min(score) from runs group by entrant"
  stackelberg query runs/mine "select task, entrant, error from failures" --format csv
  stackelberg query runs/mine "describe curves"

A query cannot read or write files, and changes no record."""

Row = Sequence[Any]


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    query = add_command(commands, "query", "ask the records of a benchmark a question in SQL", act, EPILOG)
    query.add_argument("folder", metavar="FOLDER", help="where 'stackelberg sweep' has put the records")
    query.add_argument("question", metavar="SQL", help="a query over the views")
    query.add_argument("--format", choices=list(FORMATS), default="table", help="of the answer (default: %(default)s)")


def act(options: argparse.Namespace, console: Console) -> int:
    """Print the answer; not through the console, which would change spaces and lines."""
    from ..benchmark.views import ask

    del console
    sys.stdout.write(FORMATS[options.format](*ask(options.folder, options.question)))
    sys.stdout.flush()
    return 0


def as_table(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """Return aligned columns, numbers with six digits and to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    right = [all(value is None or _is_number(value) for value in column) for column in zip(*rows, strict=True)]
    right = right or [False] * len(columns)
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    lines = [
        "  ".join(text.rjust(width) if to_right else text.ljust(width) for text, width, to_right in line).rstrip()
        for line in (zip(row, widths, right, strict=True) for row in [columns, *cells])
    ]
    return "".join(f"{line}\n" for line in lines)


def as_markdown(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """Return a table of Markdown."""
    lines = [list(columns), ["---"] * len(columns)]
    lines += [[_cell(value).replace("|", "\\|") for value in row] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def as_csv(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """Return comma-separated values, with a header and all digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def as_json(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """Return a list of objects, one per line; what JSON has no word for is null or text."""
    lines = [
        json.dumps({name: _plain(value) for name, value in zip(columns, row, strict=True)}, default=str) for row in rows
    ]
    return "[" + ",".join(f"\n{line}" for line in lines) + "\n]\n"


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else on_one_line(str(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


FORMATS: dict[str, Callable[[Sequence[str], Sequence[Row]], str]] = {
    "table": as_table,
    "csv": as_csv,
    "json": as_json,
    "markdown": as_markdown,
}
