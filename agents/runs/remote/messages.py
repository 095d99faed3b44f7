"""Messages between a run and the process of its leader: trees of plain values, of a size that is known beforehand.

A message is its length, eight bytes, and a tree as :mod:`agents.state.tree` writes it. The length is looked at before
anything is read or any memory is taken for it.
"""

from __future__ import annotations

import os
import select
import time
from typing import Any

from stackelberg_envs.errors import LeaderProcessError

from ...state.tree import MAX_BYTES, Tree, from_bytes, to_bytes

__all__ = ["PLAIN", "Channel"]

LENGTH_BYTES = 8
#: Bytes of a message without arrays, that of an error with its traceback among them.
PLAIN = 1 << 18
#: Bytes that are read or written at once.
PIECE = 1 << 20
#: Seconds for which the system is asked to wait at once.
LONGEST_WAIT = 3_600.0


class Channel:
    """One end of two pipes.

    Parameters
    ----------
    source, sink
        File descriptors to read from and to write to.
    """

    def __init__(self, source: int, sink: int) -> None:
        self._source, self._sink = source, sink
        for descriptor in (source, sink):
            os.set_blocking(descriptor, False)

    def send(self, tree: Tree, deadline: float | None = None) -> int:
        """Send a tree; return its size, bytes.

        Parameters
        ----------
        tree
            What to send.
        deadline
            On the clock of :func:`time.monotonic`, or None for no limit.

        Raises
        ------
        ArgumentError
            No tree.
        BrokenPipeError, TimeoutError
            The other side is gone, or takes nothing.
        """
        data = to_bytes(tree)
        for part in (len(data).to_bytes(LENGTH_BYTES, "little"), data):
            view = memoryview(part)
            while view:
                _wait(self._sink, select.POLLOUT, deadline)
                try:
                    view = view[os.write(self._sink, view[:PIECE]) :]
                except BlockingIOError:
                    continue
        return len(data)

    def receive(self, limit: int = MAX_BYTES, deadline: float | None = None) -> Any:
        """Return the next tree.

        Parameters
        ----------
        limit
            Most bytes it may have.
        deadline
            As for :meth:`send`.

        Raises
        ------
        EOFError, TimeoutError
            The other side is gone, or says nothing.
        LeaderProcessError
            A message that is too long; nothing of it has been read.
        OutputError
            A message that is no tree.
        """
        length = int.from_bytes(self._exactly(LENGTH_BYTES, deadline), "little")
        if length > limit:
            raise LeaderProcessError(
                f"leader process: expected a message of at most {limit:,} bytes, got one that announces {length:,}"
            )
        return from_bytes(self._exactly(length, deadline), limit=limit, where="leader process")

    def _exactly(self, length: int, deadline: float | None) -> bytes:
        data = bytearray()
        while len(data) < length:
            _wait(self._source, select.POLLIN, deadline)
            try:
                piece = os.read(self._source, min(PIECE, length - len(data)))
            except BlockingIOError:
                continue
            if not piece:
                raise EOFError("the pipe was closed")
            data += piece
        return bytes(data)


def _wait(descriptor: int, event: int, deadline: float | None) -> None:
    """Wait until a pipe can be used, or is closed."""
    poll = select.poll()
    poll.register(descriptor, event)
    if deadline is None:
        poll.poll()
        return
    while not poll.poll(min(max(0.0, deadline - time.monotonic()), LONGEST_WAIT) * 1_000):
        if time.monotonic() >= deadline:
            raise TimeoutError
