"""What the commands print, and the codes that they end with."""

from __future__ import annotations

import re
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from ..runs.signals import Signals

__all__ = [
    "FAILED",
    "LEVELS",
    "REFUSED",
    "SIGNALLED",
    "complain",
    "in_words",
    "on_one_line",
    "plain",
    "stopped",
    "table",
]

#: Exit codes: for want of memory or of somewhere to print; of what is refused; 128 + n by signal n.
FAILED, REFUSED, SIGNALLED = 1, 2, 128

#: A reference of Sphinx, whose second part is what people read.
ROLE = re.compile(r":\w+:`~?([^`]+)`")

#: What a leader sees at each level of information, for people.
LEVELS = {
    "ACTIONS_ONLY": "states, actions and its own reward",
    "REWARDS_OBSERVED": "states, actions, its own reward and the follower's",
    "RESPONSE": "play, both rewards, and the follower's policy",
    "CONTROLS_TRAINING": "all play and may stop or restart the follower's training",
    "MODEL": "the game itself",
}


def stopped(interrupts: Signals) -> int:
    """Return the exit code of a command that a signal stopped."""
    return SIGNALLED + (signal.SIGINT if interrupts.received is None else interrupts.received)


def on_one_line(text: str) -> str:
    """Return text without line ends and characters that command a terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(text.split()))


def complain(message: str) -> None:
    """Say something in one line on standard error."""
    with suppress(OSError):  # nobody listens
        sys.stderr.write(f"stackelberg: {on_one_line(message)}\n")
        sys.stderr.flush()


def in_words(value: Any) -> str:
    """Return a value as the command line reads it."""
    return "none" if value is None else str(value)


def plain(text: str) -> str:
    """Return text of a docstring without its markup."""
    return ROLE.sub(r"\1", text).replace("`", "")


def table(title: str | None, *columns: str) -> Table:
    """Return an empty table; columns without a name have no header."""
    from rich.table import Table

    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    made.show_header = any(columns)
    for column in columns:
        made.add_column(column, no_wrap=column in ("id", "name"), overflow="fold", header_style="dim", justify="left")
    return made
