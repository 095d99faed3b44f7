"""Words of the command line as values: literals, never evaluated. What they may be is checked where options are."""

from __future__ import annotations

import argparse
import ast
import json
import re
from collections.abc import Iterable
from typing import Any

from stackelberg_envs.errors import ArgumentError

__all__ = ["count", "read_pairs", "value_of"]

#: A bare word: a name, or a path to one as in "module:Class".
WORD = re.compile(r"[A-Za-z][\w./:-]*")
#: Numbers with more digits than this are not read: that alone would take long.
MOST_DIGITS = 1_000


def count(text: str, minimum: int = 1) -> int:
    """Read 5000, 5_000 or 5e3.

    Raises
    ------
    argparse.ArgumentTypeError
        Anything else, or less than `minimum`.
    """
    try:
        # Through a float, a large number would become another one.
        number = int(text) if re.fullmatch(r"\s*[+-]?[\d_]+\s*", text) and len(text) <= MOST_DIGITS else _exactly(text)
        if number < minimum:
            raise ValueError
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"expected a whole number of at least {minimum}, got {text[:100]!r}") from None
    return number


def _exactly(text: str) -> int:
    number = float(text)
    if number != int(number):
        raise ValueError(text)
    return int(number)


def read_pairs(pairs: Iterable[str], flag: str) -> dict[str, Any]:
    """Read NAME=VALUE words; of several with one name the last counts.

    Raises
    ------
    ArgumentError
        A word of another form.
    """
    out: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name:
            raise ArgumentError(f"{flag}: expected NAME=VALUE, got {pair[:100]!r}")
        out[name] = value_of(text.strip(), f"{flag} {name}")
    return out


def value_of(text: str, where: str = "value") -> Any:
    """Read a JSON or Python literal or a bare word; whole numbers may be written as 1e5.

    Raises
    ------
    ArgumentError
        Text that is none of these.
    """
    if not re.search(rf"\d{{{MOST_DIGITS}}}", text):
        for read in (_json, ast.literal_eval):
            try:
                value = read(text)
            except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
                continue
            return _number(text) if isinstance(value, float) else value
    if not WORD.fullmatch(text):
        raise ArgumentError(f"{where}: expected a number, a word, or a list as in JSON, got {text[:100]!r}")
    return None if text == "none" else text


def _json(text: str) -> Any:
    return json.loads(text, parse_float=_number)


def _number(text: str) -> int | float:
    number = float(text)
    return int(number) if "e" in text.lower() and number.is_integer() else number
