"""Tables of a comparison as text for a terminal, Markdown, LaTeX, HTML, and as CSV with all digits."""

from __future__ import annotations

import csv
import functools
import html
import io
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from stackelberg_envs.errors import unknown_name

from .statistics import Estimate, Reach

__all__ = ["FORMATS", "MARK", "Column", "Entrant", "Improvement", "PValue", "Runs", "Table", "render"]

#: What stands where there is nothing to say, and after the name of a leader some of whose runs are missing.
NOTHING, MARK = "-", "*"
#: Prefixes of large counts, by the powers of ten they stand for.
PREFIXES = {9: "G", 6: "M", 3: "k"}
LATEX = {character: f"\\{character}" for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


class Column(NamedTuple):
    """A column: its name in CSV files, and what stands above it for people."""

    name: str
    title: str


class Entrant(NamedTuple):
    """A leader in a table, marked where it covers fewer runs than others."""

    name: str
    is_complete: bool


class Runs(NamedTuple):
    """How many runs finished, of those that any leader of the table was asked for."""

    finished: int
    asked: int


class Improvement(NamedTuple):
    """The chance to score above another leader."""

    chance: float
    over: str


class PValue(float):
    """Of a test."""


class Table(NamedTuple):
    """Cells under columns.

    Attributes
    ----------
    labels
        What holds for the whole table, by column of the CSV file; those that say something are its title.
    columns, rows
        Cells are texts, counts, scores, :class:`Estimate`, :class:`Reach`, or of a class above.
    notes
        Sentences below it.
    """

    labels: dict[str, str]
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    notes: Sequence[str] = ()

    @property
    def title(self) -> str:
        """What it is about, on a line."""
        return "; ".join(f"{name}: {text}" for name, text in self.labels.items() if text)

    def cells(self) -> list[list[str]]:
        """Return the cells as people read them."""
        return [[shown(cell) for cell in row] for row in self.rows]


def render(tables: Sequence[Table], notes: Sequence[str], kind: str) -> str:
    """Return tables and the sentences below all of them.

    Parameters
    ----------
    kind
        One of :data:`FORMATS`.

    Raises
    ------
    UnknownNameError
        Another format.
    """
    if kind not in FORMATS:
        raise unknown_name("format", kind, FORMATS)
    return FORMATS[kind](tables, notes)


@functools.singledispatch
def shown(cell: object) -> str:
    """Return a cell as people read it, without characters that command a terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(cell))


@shown.register
def _(cell: float) -> str:
    return f"{cell:.3f}" if math.isfinite(cell) else NOTHING


@shown.register
def _(cell: Estimate) -> str:
    if math.isnan(cell.low):
        return shown(cell.value)
    return f"{shown(cell.value)} [{shown(cell.low)}, {shown(cell.high)}]"


@shown.register
def _(cell: Reach) -> str:
    text = _count(cell.median) if math.isfinite(cell.median) else "never"
    return text if cell.reached in (0, cell.runs) else f"{text} ({cell.reached}/{cell.runs})"


@shown.register
def _(cell: Entrant) -> str:
    return shown(cell.name) + ("" if cell.is_complete else f" {MARK}")


@shown.register
def _(cell: Runs) -> str:
    return str(cell.finished) if cell.finished == cell.asked else f"{cell.finished}/{cell.asked}"


@shown.register
def _(cell: Improvement) -> str:
    return shown(cell.chance)


@shown.register
def _(cell: PValue) -> str:
    return "<0.001" if cell < 0.001 else shown(float(cell))


def _count(value: float) -> str:
    """Return a count or a time with three digits: 950, 1.5k, 0.02."""
    for power, prefix in PREFIXES.items():
        if abs(value) >= 0.9995 * 10.0**power:
            return f"{value / 10**power:.3g}{prefix}"
    return f"{value:.3g}"


@functools.singledispatch
def _numbers(cell: object, name: str) -> dict[str, Any]:
    """Return a cell as columns of a CSV file; what is not known is empty there."""
    return {name: cell}


@_numbers.register
def _(cell: float, name: str) -> dict[str, Any]:
    return {name: repr(float(cell)) if math.isfinite(cell) else ""}


@_numbers.register
def _(cell: Estimate, name: str) -> dict[str, Any]:
    return _numbers(cell.value, name) | _numbers(cell.low, f"{name}_low") | _numbers(cell.high, f"{name}_high")


@_numbers.register
def _(cell: Reach, name: str) -> dict[str, Any]:
    told = _numbers(cell.median, f"{name}_median") | _numbers(cell.expected, f"{name}_expected")
    return told | {f"{name}_reached": cell.reached, f"{name}_runs": cell.runs}


@_numbers.register
def _(cell: Entrant, name: str) -> dict[str, Any]:
    return {name: shown(cell.name)}


@_numbers.register
def _(cell: Runs, name: str) -> dict[str, Any]:
    return {name: cell.finished, f"{name}_asked": cell.asked}


@_numbers.register
def _(cell: Improvement, name: str) -> dict[str, Any]:
    return _numbers(cell.chance, name) | {f"{name}_over": cell.over}


def _terminal(tables: Sequence[Table], notes: Sequence[str]) -> str:
    parts = []
    for table in tables:
        rows = [[column.title for column in table.columns], *table.cells()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
        rule = "-" * (sum(widths) + 2 * len(widths) - 2)
        parts.append("\n".join([table.title, "", lines[0], rule, *lines[1:], *table.notes]))
    return "\n\n".join([*parts, *(["\n".join(notes)] if notes else [])])


def _markdown(tables: Sequence[Table], notes: Sequence[str]) -> str:
    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(_markdown_text(cell) for cell in cells)} |"

    parts = []
    for table in tables:
        rule = f"| --- |{' ---: |' * (len(table.columns) - 1)}"
        lines = [line([column.title for column in table.columns]), rule, *map(line, table.cells())]
        parts.append(f"**{_markdown_text(table.title)}**\n\n" + "\n".join(lines))
        parts += [_markdown_text(note) for note in table.notes]
    return "\n\n".join([*parts, *(["\n".join(f"* {_markdown_text(note)}" for note in notes)] if notes else [])])


def _markdown_text(text: str) -> str:
    return re.sub(r"([\\`*_|<>])", r"\\\1", text)


def _latex(tables: Sequence[Table], notes: Sequence[str]) -> str:
    def line(cells: Sequence[str]) -> str:
        return f"  {' & '.join(_latex_text(cell) for cell in cells)} \\\\"

    parts = []
    for table in tables:
        width = len(table.columns)
        lines = [
            rf"\begin{{tabular}}{{l{'r' * (width - 1)}}}",
            r"  \toprule",
            rf"  \multicolumn{{{width}}}{{l}}{{{_latex_text(table.title)}}} \\",
            r"  \midrule",
            line([column.title for column in table.columns]),
            r"  \midrule",
            *map(line, table.cells()),
            r"  \bottomrule",
            r"\end{tabular}",
        ]
        parts.append("\n".join([*lines, *(f"% {_latex_text(note)}" for note in table.notes)]))
    return "\n\n".join(["% needs \\usepackage{booktabs}", *parts, *(f"% {_latex_text(note)}" for note in notes)])


def _latex_text(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in " ".join(text.split()))


def _html(tables: Sequence[Table], notes: Sequence[str]) -> str:
    parts = []
    for table in tables:
        head = "".join(f"<th>{html.escape(column.title)}</th>" for column in table.columns)
        body = "".join(
            "<tr>"
            + "".join(
                f"<td style='text-align: {'right' if i else 'left'}'>{html.escape(cell)}</td>"
                for i, cell in enumerate(row)
            )
            + "</tr>"
            for row in table.cells()
        )
        parts.append(
            f"<table><caption>{html.escape(table.title)}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )
        parts += [f"<p>{html.escape(note)}</p>" for note in table.notes]
    told = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    return "".join(parts) + (f"<ul>{told}</ul>" if told else "")


def _csv(tables: Sequence[Table], notes: Sequence[str]) -> str:
    """Return one table of all; what holds for one of them stands in columns of its own."""
    del notes
    records = [
        functools.reduce(
            lambda record, pair: record | _numbers(pair[1], pair[0].name),
            zip(table.columns, row, strict=True),
            dict(table.labels),
        )
        for table in tables
        for row in table.rows
    ]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(dict.fromkeys(name for record in records for name in record)), restval="")
    writer.writeheader()
    writer.writerows(records)
    return stream.getvalue().replace("\r\n", "\n")


#: Name of a format -> what writes it.
FORMATS: dict[str, Callable[[Sequence[Table], Sequence[str]], str]] = {
    "terminal": _terminal,
    "markdown": _markdown,
    "latex": _latex,
    "html": _html,
    "csv": _csv,
}
