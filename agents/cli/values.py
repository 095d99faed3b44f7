"""Words of the command line as values: literals, never evaluated, held to declared types as all options are."""

from __future__ import annotations

import argparse
import ast
import json
import re
import shlex
from collections.abc import Callable
from typing import Any

__all__ = ["command_of", "list_of", "pair", "typed", "value_of", "words_of"]

#: A bare word: a name, or a path to one as in "module:Class".
WORD = re.compile(r"[A-Za-z][\w./:-]*")
#: Numbers with more digits than this are not read: that alone would take long.
MOST_DIGITS = 1_000
#: Argument of :func:`agents.run` -> option of the command line, for those given once per entry.
_REPEATED = {
    "game_arguments": "--set",
    "leader_options": "--leader-option",
    "follower_options": "--follower-option",
}


def typed(hint: str) -> Callable[[str], Any]:
    """Return what reads a word as a value of a type of :mod:`agents.options`, by its name: help needs no library."""

    def read(text: str) -> Any:
        from stackelberg_envs.errors import ArgumentError
        from stackelberg_envs.validation import checked

        from .. import options

        try:
            return checked(value_of(text.strip()), getattr(options, hint), "value")
        except ArgumentError as exc:
            raise argparse.ArgumentTypeError(str(exc).removeprefix("value: ")) from None

    return read


def list_of(read: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    """Return what reads words between commas."""
    return lambda text: [read(part.strip()) for part in text.split(",") if part.strip()]


def pair(text: str) -> tuple[str, Any]:
    """Read NAME=VALUE.

    Raises
    ------
    argparse.ArgumentTypeError
        A word of another form.
    """
    name, equals, value = text.partition("=")
    name = name.strip().replace("-", "_")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, got {text[:100]!r}")
    return name, value_of(value.strip(), f"{name}: ")


def value_of(text: str, where: str = "") -> Any:
    """Read a JSON or Python literal or a bare word; whole numbers may be written as 1e5.

    Raises
    ------
    argparse.ArgumentTypeError
        Text that is none of these; the message begins with `where`.
    """
    if not re.search(rf"\d{{{MOST_DIGITS}}}", text):
        for read in (_json, ast.literal_eval):
            try:
                value = read(text)
            except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
                continue
            return _number(text) if isinstance(value, float) else value
    if not WORD.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{where}expected a number, a word, a list as in JSON, or other text in quotes of its own as '\"a b\"', "
            f"got {text[:100]!r}"
        )
    return None if text == "none" else text


def _json(text: str) -> Any:
    return json.loads(text, parse_float=_number)


def _number(text: str) -> int | float:
    number = float(text)
    return int(number) if "e" in text.lower() and number.is_integer() else number


def words_of(options: dict[str, Any], output: str | None = None) -> list[str]:
    """Return the words after ``stackelberg`` that do a run.

    Parameters
    ----------
    options
        Arguments of :func:`agents.run`, with an id as "game".
    output
        Folder for record and picture.

    Examples
    --------
    >>> words_of({"game": "stackelberg/DiscreteToy-v1", "game_arguments": {"reward": 2.0}, "updates": 50})
    ['run', 'stackelberg/DiscreteToy-v1', '--set', 'reward=2.0', '--updates', '50']
    """
    words = ["run", str(options["game"])]
    for name, value in options.items():
        if name in _REPEATED:
            for key, item in value.items():
                words += [_REPEATED[name], f"{key}={item if isinstance(item, str) else json.dumps(item)}"]
        elif name != "game" and value is not None:
            words += ["--" + name.replace("_", "-"), str(value)]
    return (
        words if output is None else [*words, *(["--output", output] if output[:1] != "-" else [f"--output={output}"])]
    )


def command_of(options: dict[str, Any], output: str | None = None) -> str:
    """Return the same as one line for a shell."""
    return shlex.join(["stackelberg", *words_of(options, output)])
