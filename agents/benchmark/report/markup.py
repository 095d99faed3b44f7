"""Pieces of HTML: every text that comes in is escaped, every table has a caption and heads that say what they head."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from .charts import Chart

__all__ = [
    "Cell",
    "data_table",
    "details",
    "escaped",
    "figure",
    "fixed",
    "late_details",
    "link",
    "picture",
    "script_json",
    "shown",
    "sortable_table",
]


class Cell(NamedTuple):
    """What a cell shows, as HTML, and by which number or text it is sorted."""

    markup: str
    key: float | str = ""


def escaped(text: object) -> str:
    """Return text as HTML that shows it."""
    return html.escape(str(text))


def shown(value: float | None, digits: int = 4) -> str:
    """Return a number for people; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 10 ** (digits - 1) else f"{value:.{digits}g}"


def fixed(value: float) -> str:
    """Return a score or a share for people, to a thousandth; a dash where there is none."""
    return f"{round(value, 3) + 0.0:.3f}" if math.isfinite(value) else "–"


def link(address: str, text: str) -> str:
    """Return a link."""
    return f'<a href="{escaped(address)}">{escaped(text)}</a>'


def details(summary: str, markup: str) -> str:
    """Return what is there on demand."""
    return f"<details><summary>{escaped(summary)}</summary>{markup}</details>"


def late_details(summary: str, markup: str) -> str:
    """Return what a script puts there on demand: a browser lays out a hundred thousand cells slowly, even unseen."""
    return details(summary, f"<template>{markup}</template>")


def script_json(value: Any) -> str:
    """Return JSON that can stand inside a script element: nothing in it ends the element."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def data_table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of HTML cells, of which the first of a row heads it."""
    return _scrolling(caption, _table(caption, _plain_heads(heads), "<tbody>" + _rows(rows) + "</tbody>"))


def sortable_table(
    caption: str, heads: Sequence[str], bodies: Sequence[tuple[str, str, Sequence[Sequence[Cell]]]]
) -> str:
    """Return a table that a script sorts.

    Parameters
    ----------
    bodies
        Of each group of rows, which is sorted on its own: its title, the attributes of its element, its rows, the
        largest of the second column first.
    """
    head = "".join(
        f'<th scope="col" aria-sort="{"descending" if i == 1 else "none"}">'
        f'<button type="button" data-column="{i}">{escaped(name)}'
        '<span class="arrow" aria-hidden="true"></span></button></th>'
        for i, name in enumerate(heads)
    )
    groups = "".join(
        f"<tbody {attributes}>{_group_head(title, len(heads))}" + "".join(_sorted_row(row) for row in rows) + "</tbody>"
        for title, attributes, rows in bodies
    )
    return _scrolling(caption, _table(caption, head, groups, kind="sortable"))


def figure(name: str, title: str, told: str, chart: Chart, table: str) -> str:
    """Return a chart that is drawn when it comes into view, what it shows in words, and its data as a table."""
    button = '<button type="button" class="seeds" aria-pressed="false">Show every run</button>'
    return (
        f'<figure aria-labelledby="{name}-title"><figcaption id="{name}-title">{escaped(title)}</figcaption>'
        f"{button if chart.has_seeds else ''}"
        f'<div class="chart" id="{name}" role="img" aria-label="{escaped(told)}" '
        f'style="min-height:{int(chart.layout["height"])}px"></div>'
        f'<script type="application/json" id="{name}-data">'
        f"{script_json({'data': chart.data, 'layout': chart.layout})}</script>"
        f"{late_details('Data of this chart', table)}</figure>"
    )


def picture(address: str, told: str, markup: str) -> str:
    """Return a picture with what it shows for those who do not see it, and what stands below it as HTML."""
    image = f'<img src="{escaped(address)}" alt="{escaped(told)}" loading="lazy">'
    return f'<figure class="picture">{image}<figcaption>{markup}</figcaption></figure>'


def _group_head(title: str, width: int) -> str:
    head = f'<tr class="group"><th scope="rowgroup" colspan="{width}"><span>{escaped(title)}</span></th></tr>'
    return head if title else ""


def _scrolling(caption: str, table: str) -> str:
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{escaped(caption)}">{table}</div>'


def _table(caption: str, head: str, body: str, kind: str = "plain") -> str:
    title = f"<caption><span>{escaped(caption)}</span></caption>"
    return f'<table class="{kind}">{title}<thead><tr>{head}</tr></thead>{body}</table>'


def _plain_heads(heads: Sequence[str]) -> str:
    return "".join(f'<th scope="col">{escaped(name)}</th>' for name in heads)


def _rows(rows: Iterable[Sequence[str]]) -> str:
    return "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>' for first, *rest in rows
    )


def _sorted_row(row: Sequence[Cell]) -> str:
    first, *rest = row
    cells = "".join(f'<td data-key="{_key(cell.key)}">{cell.markup}</td>' for cell in rest)
    return f'<tr class="row"><th scope="row" data-key="{_key(first.key)}">{first.markup}</th>{cells}</tr>'


def _key(key: float | str) -> str:
    if isinstance(key, str):
        return escaped(key)
    return repr(float(key)) if math.isfinite(key) else ""
