"""The process of a leader, seen from within: it waits for requests, and answers with what its leader says.

Whatever goes wrong in it goes back as an answer, with its traceback.
"""

from __future__ import annotations

import ctypes
import faulthandler
import importlib
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from stackelberg_envs.errors import StackelbergError

from ...leaders.base import Leader, recommendation
from ...observing.trajectories import Trajectories
from ...state.tree import Tree
from ..threads import keep_memory, one_blas_thread
from .messages import PLAIN, Channel

__all__ = ["Host", "main"]

#: Seconds between two looks whether the parent lives.
WATCH = 0.5
#: Characters of a message and of a traceback that are sent.
LONGEST = PLAIN // 16
#: Linux: the signal that this process gets when its parent ends.
PR_SET_PDEATHSIG = 1


@dataclass
class Host:
    """Holds the leader and does what it is asked to."""

    leader: Leader | None = None

    def start(self, module: str, name: str, players: bytes) -> None:
        """Import and make the leader; `players` are from the parent, which trusts itself."""
        kind: Any = reduce(getattr, name.split("."), importlib.import_module(module))
        self.leader = kind(**pickle.loads(players))  # noqa: S301

    def commit(self) -> Tree:
        """Return the next commitment and the parameters it comes from."""
        x = self._present.announce()
        return {"commitment": np.asarray(x), "theta": self._present.parameters()}

    def recommend(self) -> Tree:
        """Return the commitment it would end with and the parameters it comes from; the leader goes on unchanged."""
        x, theta = recommendation(self._present)
        return {"commitment": x, "theta": theta}

    def update(self, trajectories: bytes) -> Tree:
        """Let the leader learn; return its diagnostics as they are."""
        return self._present.observe(Trajectories.from_bytes(trajectories))

    def shorten(self, share: float) -> Tree:
        """Let the leader shorten its last step."""
        return bool(self._present.shorten(share))

    def save(self) -> Tree:
        """Return the leader's state."""
        return self._present.state_dict()

    def restore(self, leader: Tree) -> Tree:
        """Take over a saved state, after it was checked."""
        return self._present.load_state_dict(leader)

    def modules(self) -> Tree:
        """Return the names of the imported modules."""
        return sorted(sys.modules)

    def answer(self, request: dict[str, Any]) -> Tree:
        """Return the answer to one request, or the error it ended in."""
        method = getattr(self, request.pop("do"))
        try:
            return {"value": method(**request)}
        except BaseException as exc:  # SystemExit, too, is no answer
            return _failure(exc)

    @property
    def _present(self) -> Leader:
        if self.leader is None:
            raise StackelbergError("leader process: expected a leader, but none was started")
        return self.leader


def _failure(exc: BaseException) -> Tree:
    trace = "".join(traceback.format_exception(exc))
    return {"error": type(exc).__name__, "message": str(exc)[:LONGEST], "traceback": trace[-LONGEST:]}


def main() -> None:
    """Serve one leader on standard input and output until the input is closed or the parent is gone.

    The arguments of the process are the parent's number and the descriptor of a file for the traceback of a crash.
    """
    parent, log = (int(word) for word in sys.argv[1:3])
    # What ends a run reaches all processes of a group; the parent decides what it means, and what it leaves behind.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    end_with(parent)
    faulthandler.enable(file=log, all_threads=False)
    faulthandler.register(signal.SIGUSR1, file=log, all_threads=False)
    channel = Channel(os.dup(0), os.dup(1))
    # Whatever a leader prints goes to standard error, not between the messages, and it reads nothing.
    os.dup2(2, 1)
    with open(os.devnull) as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)
    host = Host()
    keep_memory()
    with one_blas_thread(), suppress(EOFError, BrokenPipeError):
        while True:
            answer = host.answer(channel.receive())
            try:
                channel.send(answer)
            except StackelbergError as exc:  # what the leader says is no tree
                channel.send(_failure(exc))
    # Nothing is left to do, and taking apart all that was imported would make the parent wait.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def end_with(parent: int) -> None:
    """Let this process end when its parent does, even while it computes, hangs or is stopped."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        # Where the system does not do it, and for a parent that had ended before it was asked to.
        while os.getppid() == parent:
            time.sleep(WATCH)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
