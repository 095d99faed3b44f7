"""Where the command ``stackelberg`` begins and ends, as a process of its own.

Signals are heeded from the first moment on: what the command line imports takes seconds where other processes want
the same cores, and a batch system may lose its patience by then.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from ..runs.signals import Interrupts

__all__ = ["main"]

SIGNALLED = 128


def main() -> None:
    """Run the command line, and end the process."""
    with Interrupts() as interrupts:
        interrupts.hold()
        from . import main as cli

        code = cli.main()
    if code >= SIGNALLED:
        # All is written. Taking apart what was imported would keep waiting whoever asked the process to end.
        with suppress(OSError):
            sys.stdout.flush()
        os._exit(code)
    sys.exit(code)
