"""What a record says, in a table and in words; every number with what it is."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING

import numpy as np

from .stationarity import has_settled

if TYPE_CHECKING:
    from .records import RunRecord

__all__ = [
    "HORIZON_MATTERS",
    "as_html",
    "as_text",
    "exceeds_best_known",
    "in_words",
    "number",
    "rows",
    "share_of_the_way",
]

#: A value as played that differs from the one without end by more than this, relative to the larger, is pointed out.
HORIZON_MATTERS = 0.05
#: A response gap up to this, relative to the largest of the leader's values, is not worth a sentence.
RESPONDS_EXACTLY = 1e-6
#: Entries of a commitment that are listed by their names.
MOST_ENTRIES = 12
#: Part of the way from the start to the best known value by which a return may exceed that by rounding.
ROUNDING = 1e-4


def rows(record: RunRecord) -> list[tuple[str, str, str]]:
    """Return name, value and meaning of each number of the result table."""
    done = len(record.curve.get("observed_steps", ()))
    table = [("leader return at start", number(record.start_value), _start(record))]
    if record.neutral_value is not None:
        text = "the one nearest to zero, exact best response"
        table.append(("leader return, neutral", number(record.neutral_value), text))
    table += [
        ("leader return, announced", number(_last_announced(record)), f"last one played, {_actually(record)}"),
        *_final_rows(record),
        ("best known", number(record.best_known), "" if record.best_known is not None else "not recorded"),
        ("follower's response gap", _gap(record), f"{_final(record)}, what its response loses"),
        *([("leader's preset", record.preset, "settings by this name")] if record.preset else []),
        ("leader updates", f"{done:,}", f"of {record.updates:,}"),
        ("observed steps", f"{record.observed_steps:,}", "follower steps the leader saw"),
        ("follower steps", f"{record.follower_steps:,}", "steps the follower learned from"),
        ("time", f"{record.seconds:.1f} s", ""),
    ]
    return table


def _final_rows(record: RunRecord) -> list[tuple[str, str, str]]:
    final, exact = _final(record), _is_exact(record)
    table = [("leader return at end", number(record.actual_value), f"{final}, {_actually(record)}")]
    if exact:
        text = f"{final}, exact best response, no end"
        table.append(("leader return, exact", number(record.leader_value), text))
    if record.episode_value is not None:
        text = f"{final}, exact, ended at step {record.horizon}"
        if horizon_matters(record):
            text += f": {_difference(record):.0%} off"
        table.append(("leader return, one episode", number(record.episode_value), text))
    return table


def in_words(record: RunRecord) -> str:
    """Return a few sentences that say what the table means."""
    start, end = record.start_value, record.leader_value
    if end is None:
        if record.commitment is None:
            return "Stopped before the first update was complete: there is nothing to read off yet."
        return "In words: what the final commitment is worth against a best response is not known."
    text = f"In words: the leader's return is {end:.3f}"
    if start is not None:
        text = f"In words: the leader's return went from {start:.3f} to {end:.3f}"
    text += _share_in_words(record)
    if exceeds_best_known(record):
        text += f". That is more than the best known value, {number(record.best_known)}: it is a new one"
    if record.ends_with == "announced":
        text += ". The run was stopped, and this is the last commitment that was played"
    gap = record.response_gap
    if gap is not None and gap > RESPONDS_EXACTLY * _scale(record):
        text += f". The follower falls {gap:.2g} short of its own best response"
    settled, drift = has_settled(record.curve)
    if not settled:
        text += (
            f". The follower still learns: when a commitment came again, it played otherwise (by follower_drift = "
            f"{drift:.2g}), and this leader takes its play for its response"
        )
    if horizon_matters(record) and record.episode_value is not None:
        text += (
            f". Mind the horizon: an episode is cut after {record.horizon} steps and then pays "
            f"{record.episode_value:.3f}, while {end:.3f} is for play without end, which is what leaders maximise"
        )
    if record.horizon is not None and not np.any(record.curve.get("whole_episodes", 1)):
        text += (
            f". The leader saw no whole episode: {record.steps_per_update} steps per update are less than one has, and "
            "the observed return is that of the steps seen"
        )
    return text + "."


def share_of_the_way(record: RunRecord) -> float | None:
    """Return (end - base) / (best known - base), with the better of start and neutral commitment as the base.

    None where one of the numbers is missing, or nothing better than the base is known.
    """
    base, end, best = _base(record), record.leader_value, record.best_known
    if base is None or end is None or best is None or not best > base:
        return None
    return (end - base) / (best - base)


def exceeds_best_known(record: RunRecord) -> bool:
    """Whether the exact return at the end is above the best known value by more than rounding."""
    end, best, base = record.leader_value, record.best_known, _base(record)
    if end is None or best is None or not _is_exact(record):
        return False
    width = abs(best) if base is None or not best > base else best - base
    return end > best + ROUNDING * width


def horizon_matters(record: RunRecord) -> bool:
    """Whether an episode as played is worth something else than play without end."""
    return _difference(record) > HORIZON_MATTERS


def as_text(record: RunRecord) -> str:
    """Return the table as plain text, with shapes in place of arrays."""
    table = [*rows(record), *_arrays(record)]
    left, middle = (max(len(row[column]) for row in table) for column in (0, 1))
    lines = [f"{name:<{left}}  {value:>{middle}}  {meaning}".rstrip() for name, value, meaning in table]
    return "\n".join([_headline(record), *lines])


def as_html(record: RunRecord) -> str:
    """Return the same for a notebook."""
    body = "".join(
        f"<tr><td>{html.escape(name)}</td><td style='text-align: right'>{html.escape(value)}</td>"
        f"<td style='text-align: left'>{html.escape(meaning)}</td></tr>"
        for name, value, meaning in [*rows(record), *_arrays(record)]
    )
    return f"<table><caption>{html.escape(_headline(record))}</caption>{body}</table>"


def number(value: float | None) -> str:
    """Return a value with four decimals, or with four digits where those would show nothing; "-" for none."""
    if value is None or not math.isfinite(value):
        return "-"
    if value != 0.0 and not 1e-3 <= abs(value) < 1e9:
        return f"{value:.4g}"
    return f"{value:.4f}"


def _gap(record: RunRecord) -> str:
    """Return the response gap; 0 for what may be rounding."""
    gap = record.response_gap
    return number(0.0 if gap is not None and abs(gap) <= RESPONDS_EXACTLY * _scale(record) else gap)


def _scale(record: RunRecord) -> float:
    known = (record.start_value, record.leader_value, record.best_known)
    return max((abs(value) for value in known if value is not None), default=0.0)


def _headline(record: RunRecord) -> str:
    text = f"{record.leader} against {record.follower} in {record.game}, seed {record.seed}: {record.status}"
    return text if record.error is None else f"{text} ({' '.join(record.error.split())[:200]})"


def _arrays(record: RunRecord) -> list[tuple[str, str, str]]:
    table = []
    if record.commitment is not None:
        shape = "x".join(map(str, np.shape(record.commitment)))
        table.append(("commitment", shape, f"array; {_final(record)}"))
        table += _entries(record)
    if record.curve:
        length = max(len(column) for column in record.curve.values())
        table.append(("curve", f"{len(record.curve)} x {length}", ", ".join(record.curve)))
    return table


def _entries(record: RunRecord) -> list[tuple[str, str, str]]:
    """Return the entries of the final commitment by their names, the first of them where there are many."""
    values = np.ravel(np.asarray(record.commitment, dtype=np.float64)).tolist()
    if len(values) != len(record.names):
        return []
    shown = [(f"  {name}", number(value), "") for name, value in zip(record.names, values, strict=True)]
    rest = len(shown) - MOST_ENTRIES
    return shown if rest <= 1 else [*shown[:MOST_ENTRIES], ("  ...", "", f"and {rest} more entries")]


def _final(record: RunRecord) -> str:
    return "last one played" if record.ends_with == "announced" or record.status == "running" else "recommended"


def _is_exact(record: RunRecord) -> bool:
    return not record.meanings or "exact" in record.meanings.get("leader_value", "")


def _actually(record: RunRecord) -> str:
    """Return what a value against the run's own follower is; where that is an estimate, of what."""
    told = record.meanings.get("actual_value", "").removeprefix("final commitment: ")
    return told if told.startswith("mean") else "against this follower"


def _start(record: RunRecord) -> str:
    return "first commitment, " + ("exact best response" if _is_exact(record) else _actually(record))


def _last_announced(record: RunRecord) -> float | None:
    known = [float(value) for value in record.curve.get("leader_value", ()) if math.isfinite(value)]
    return known[-1] if known else None


def _base(record: RunRecord) -> float | None:
    known = [value for value in (record.start_value, record.neutral_value) if value is not None]
    return max(known, default=None)


def _share_in_words(record: RunRecord) -> str:
    base, end, share = _base(record), record.leader_value, share_of_the_way(record)
    if base is None or end is None:
        return ""
    whose = "the start" if base == record.start_value else "the neutral commitment"
    if end < base:
        return f", less than {whose} earns ({base:.3f}){_advice(record)}"
    return "" if share is None else f", {share:.0%} of the way from {whose} ({base:.3f}) to the best known"


def _advice(record: RunRecord) -> str:
    """Return what may help, among the options that this leader has."""
    ideas = [] if record.information == "MODEL" else ["more steps per update"]
    if "learning_rate" in record.leader_options:
        ideas.append("a smaller learning_rate")
    elif "start" in record.leader_options:
        ideas.append("another start")
    return f"; try {', or '.join(ideas)}" if ideas else ""


def _difference(record: RunRecord) -> float:
    """Return how far the value as played is from the one without end, relative to the larger; 0 where unknown."""
    endless, played = record.leader_value, record.episode_value
    if endless is None or played is None:
        return 0.0
    largest = max(abs(endless), abs(played))
    return abs(endless - played) / largest if largest > 0 else 0.0
