"""The charts of a report, as what Plotly draws: plain data, so that a thousand curves cost no time.

Names are other people's: Plotly reads markup in them, so they come here as text and leave escaped.
"""

from __future__ import annotations

import html
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from stackelberg_envs.arrays import Array

from ..statistics import Estimate
from .contents import Curve

__all__ = [
    "COLOURS",
    "SYMBOLS",
    "Chart",
    "Line",
    "averages_chart",
    "column_chart",
    "curves_chart",
    "number",
    "profiles_chart",
    "style_of",
]

#: On white -> in the dark. Each has three times the contrast to its ground that people need to see a line.
COLOURS = {
    "#0072B2": "#56B4E9",
    "#C24E00": "#FF9447",
    "#00805D": "#2FC79A",
    "#B0508A": "#E79CC8",
    "#8F6500": "#E9BD3F",
    "#6A4FC4": "#B09CFF",
}
#: Plotly's name -> the same in text. Six colours times seven symbols: 42 leaders before one looks like another.
SYMBOLS = {"circle": "●", "square": "■", "diamond": "◆", "triangle-up": "▲", "x": "✖", "cross": "✚", "star": "★"}
#: Drawn in the colour of the text, which is another one in the dark.
NEUTRAL = "#808790"
#: Characters of a name in a legend, and beside an axis, where a phone has little room.
LONGEST_NAME, LONGEST_TICK = 48, 20
#: Significant digits of the numbers that are drawn.
DIGITS = 6


class Chart(NamedTuple):
    """Traces and axes for Plotly; whether single runs can be shown."""

    data: list[dict[str, Any]]
    layout: dict[str, Any]
    has_seeds: bool = False


class Line(NamedTuple):
    """One leader on one task: what it recommended and announced, and single runs, (costs, values) by seed."""

    recommended: Curve
    announced: Curve
    seeds: Mapping[int, tuple[Array, Array]]


def style_of(index: int) -> tuple[str, str]:
    """Return the colour and the symbol of a leader, by its place in the list of all."""
    return list(COLOURS)[index % len(COLOURS)], list(SYMBOLS)[index % len(SYMBOLS)]


def number(value: float) -> float | None:
    """Return a number with as many digits as are drawn; None where there is none."""
    return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None


def curves_chart(
    lines: Mapping[str, Line],
    styles: Mapping[str, tuple[str, str]],
    levels: Mapping[str, float | None],
    cost: str,
) -> Chart:
    """Return anytime curves: recommended solid with symbols, announced dashed, intervals as bands, levels as lines."""
    data: list[dict[str, Any]] = []
    for name, line in lines.items():
        colour, symbol = styles[name]
        data += _band(line.recommended, name, colour)
        data.append(_line(line.recommended, name, colour, "solid") | _marked(symbol))
        if line.announced.costs.size:
            data.append(_line(line.announced, name, colour, "dash") | {"name": _text(f"{name}, announced")})
    data += [_seeds(name, line.seeds, styles[name][0]) for name, line in lines.items() if line.seeds]
    ends = [float(end) for line in lines.values() for end in line.recommended.costs[[0, -1]]] or [1.0]
    for (name, level), dash in zip(levels.items(), itertools.cycle(("longdashdot", "dot"))):
        if level is not None:
            data.append(_level(name, level, (min(ends), max(ends)), dash))
    return Chart(data, _layout(cost, "J (reward units)", is_log=True), any(line.seeds for line in lines.values()))


def column_chart(curves: Mapping[str, Curve], styles: Mapping[str, tuple[str, str]], label: str, cost: str) -> Chart:
    """Return one column of the records over a cost."""
    data: list[dict[str, Any]] = []
    for name, curve in curves.items():
        colour, symbol = styles[name]
        data += [*_band(curve, name, colour), _line(curve, name, colour, "solid") | _marked(symbol)]
    return Chart(data, _layout(cost, label, is_log=True))


def averages_chart(rows: Mapping[str, Estimate], styles: Mapping[str, tuple[str, str]]) -> Chart:
    """Return interquartile means with their intervals, the best on top."""
    data = []
    for name, found in sorted(rows.items(), key=lambda row: row[1].value):
        colour, symbol = styles[name]
        spread = {"type": "data", "symmetric": False, "array": [_gap(found.high, found.value)]}
        spread["arrayminus"] = [_gap(found.value, found.low)]
        point = {"type": "scatter", "mode": "markers", "x": [number(found.value)], "y": [_text(name, LONGEST_TICK)]}
        marker = {"color": colour, "symbol": symbol, "size": 11}
        data.append(point | {"name": _text(name), "marker": marker, "error_x": spread, "showlegend": False})
    layout = _layout("IQM of the scores, 95 %", "")
    layout["height"] = 130 + 30 * len(rows)
    layout["yaxis"] |= {"type": "category", "automargin": True}
    return Chart(data, layout)


def profiles_chart(
    thresholds: Array, rows: Mapping[str, tuple[Array, Array, Array]], styles: Mapping[str, tuple[str, str]]
) -> Chart:
    """Return the share of runs above each score, with intervals as bands."""
    curves = {name: Curve(thresholds, *found) for name, found in rows.items()}
    data: list[dict[str, Any]] = []
    for name, curve in curves.items():
        colour, symbol = styles[name]
        data += [*_band(curve, name, colour), _line(curve, name, colour, "solid") | _marked(symbol)]
    return Chart(data, _layout("score", "share of runs above it"))


def _gap(high: float, low: float) -> float:
    return number(high - low) or 0.0


def _text(name: str, longest: int = LONGEST_NAME) -> str:
    """Return a name as Plotly shows it: nothing in it is markup, and long ones are cut."""
    return html.escape(name if len(name) <= longest else name[: longest - 3] + "...", quote=False)


def _numbers(values: Sequence[float] | Array) -> list[float | None]:
    return [number(value) for value in np.asarray(values, dtype=np.float64).tolist()]


def _line(curve: Curve, name: str, colour: str, dash: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": _text(name),
        "legendgroup": _text(name),
        "showlegend": dash == "solid",
        "x": _numbers(curve.costs),
        "y": _numbers(curve.middle),
        "line": {"color": colour, "dash": dash, "width": 2.4 if dash == "solid" else 1.4},
    }


def _marked(symbol: str) -> dict[str, Any]:
    return {"mode": "lines+markers", "marker": {"symbol": symbol, "size": 7}}


def _band(curve: Curve, name: str, colour: str) -> list[dict[str, Any]]:
    known = np.isfinite(curve.low) & np.isfinite(curve.high)
    if not known.any():
        return []
    costs = curve.costs[known]
    outline = {
        "x": _numbers([*costs, *costs[::-1]]),
        "y": _numbers([*curve.low[known], *curve.high[known][::-1]]),
        "fill": "toself",
        "fillcolor": colour + "2E",
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
        "legendgroup": _text(name),
    }
    return [{"type": "scatter", "mode": "lines", "name": "interval", "meta": "band"} | outline]


def _seeds(name: str, seeds: Mapping[int, tuple[Array, Array]], colour: str) -> dict[str, Any]:
    """Return single runs as one hidden trace with gaps between them."""
    costs: list[float | None] = []
    values: list[float | None] = []
    labels: list[str] = []
    for seed, (x, y) in seeds.items():
        costs += [*_numbers(x), None]
        values += [*_numbers(y), None]
        labels += [f"seed {seed}"] * (len(x) + 1)
    return {
        "type": "scatter",
        "mode": "lines",
        "meta": "seeds",
        "name": _text(name),
        "legendgroup": _text(name),
        "showlegend": False,
        "visible": False,
        "x": costs,
        "y": values,
        "text": labels,
        "opacity": 0.55,
        "line": {"color": colour, "width": 0.9},
    }


def _level(name: str, value: float, ends: tuple[float, float], dash: str) -> dict[str, Any]:
    line = {"type": "scatter", "mode": "lines", "name": f"{name}: {value:.4g}", "x": _numbers(ends)}
    return line | {"y": _numbers([value, value]), "line": {"color": NEUTRAL, "dash": dash, "width": 1.8}}


def _layout(x: str, y: str, *, is_log: bool = False) -> dict[str, Any]:
    axis: dict[str, Any] = {"title": {"text": x}, "automargin": True, "zeroline": False}
    return {
        "xaxis": axis | ({"type": "log", "exponentformat": "SI"} if is_log else {}),
        "yaxis": {"title": {"text": y}, "automargin": True, "zeroline": False, "exponentformat": "power"},
        "height": 430,
        "margin": {"l": 30, "r": 12, "t": 12, "b": 30},
        "hovermode": "closest",
        "hoverlabel": {"namelength": -1},
        "legend": {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0},
    }
