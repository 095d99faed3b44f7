"""What ends a run from outside: Ctrl-C, the signal of a batch system, a terminal that goes away.

All three raise :class:`Stopped`, a KeyboardInterrupt, in the main thread. While a run writes down what it has, nothing
is raised any more, so that there is a record with a final status however often somebody presses Ctrl-C.
"""

from __future__ import annotations

import math
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, NoReturn, Self, TypeVar

__all__ = ["Interrupts", "Signals", "Stopped"]

Result = TypeVar("Result")
NUMBERS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
#: Handlers that nobody chose. Others stay in force, an ignored SIGHUP (nohup) among them.
DEFAULT = (signal.SIG_DFL, signal.default_int_handler)
#: Seconds after which a stop that had no effect (an exception is lost in a destructor, say) is raised again.
AGAIN = 0.5
#: Signals within so many seconds of a stop are one with it: a batch system may send several at once.
TOGETHER = 0.1
#: Seconds after which a stop is tried again that came at a place where nothing may be raised, and those places.
SOON = 0.05
DELICATE = re.compile(r"^<frozen importlib|[/\\\\](numba|llvmlite)[/\\\\]")


class Stopped(KeyboardInterrupt):
    """A signal asks the run to end.

    Attributes
    ----------
    number
        Of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = number


class _TimeUp(BaseException):
    """What is done at the end of a run takes too long."""


class Signals:
    """While it is entered, signals stop what goes on in the main thread; in other threads it does nothing.

    It may be entered again where it is in force (:meth:`current`); handlers are restored when it is left as often.

    Parameters
    ----------
    grace
        Seconds after the first signal during which :meth:`point` is waited for, before the stop is raised.

    Attributes
    ----------
    received
        Number of the first signal that came, or None.
    """

    _active: Signals | None = None

    def __init__(self, grace: float = 0.0) -> None:
        self.grace = grace
        self.received: int | None = None
        self._before: dict[int, Any] = {}
        self._covered: dict[int, Any] = {}
        self._missed: set[int] = set()
        self._depth = 0
        self._base = 0
        self._raised = -math.inf
        self._holds = self._limited = self._put_off = False
        self._heeded = threading.Event()
        self._sending = threading.Lock()

    @classmethod
    def current(cls) -> Signals:
        """Return the one that is in force in this thread, or a new one."""
        return cls._active if cls._active is not None and _in_main_thread() else cls()

    def __enter__(self) -> Self:
        if _in_main_thread() and Signals._active in (None, self):
            Signals._active = self
            self._depth += 1
            if self._depth == 1:
                self._base = _depth_of(sys._getframe(1))
            self._install(self._before, lambda handler: handler in DEFAULT)
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        if Signals._active is not self or not _in_main_thread():
            return
        self._depth -= 1
        if self._depth == 0:
            self._end(self._heeded)
            _restore(self._before)
            Signals._active = None
        self._uncover()

    def point(self) -> None:
        """Stop here, at a good place, if that was asked for."""
        if self.received is not None and not self._holds:
            self._raise(self.received)

    def hold(self) -> None:
        """Raise nothing any more until :meth:`release`, or until this is left."""
        self._holds = True
        self._end(self._heeded)
        if self._depth:
            # A handler of the caller's could raise, too: it is called afterwards. None was not set from Python.
            self._install(self._covered, lambda handler: handler not in (None, signal.SIG_IGN))

    def release(self) -> None:
        """End what :meth:`hold` began; what came meanwhile is raised now."""
        self._uncover()
        self.point()

    def _uncover(self) -> None:
        self._holds = False
        _restore(self._covered)
        while self._missed:
            signal.raise_signal(self._missed.pop())

    def within(self, seconds: float | None, do: Callable[[], Result]) -> Result | None:
        """Return ``do()``, or None if it takes longer or one more signal comes; to be called after :meth:`hold`."""
        ours = [number for number in NUMBERS if signal.getsignal(number) == self._on_signal]
        if not (self._depth and ours):
            return do()
        done = threading.Event()
        try:
            # One block, so that there is no place outside it at which a signal could raise.
            try:
                self._limited = True
                if seconds is not None:
                    self._send(ours[0], seconds, done)
                return do()
            finally:
                self._limited = False
        except _TimeUp:
            return None
        finally:
            self._end(done)

    def announce(self) -> None:
        """Called, in the handler, when a stop is put off to the next good place; by default does nothing."""

    def _install(self, instead_of: dict[int, Any], replaces: Callable[[Any], bool]) -> None:
        for number in NUMBERS:
            handler = signal.getsignal(number)
            if handler != self._on_signal and replaces(handler):
                instead_of[number] = handler
                signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if number in self._covered and not self._limited:
            self._missed.add(number)
            return
        is_first = self.received is None and not self._limited
        if is_first:
            self.received = number
        if (self._holds and not self._limited) or time.monotonic() - self._raised < TOGETHER:
            return
        self._put_off = self._is_delicate(frame)
        if is_first:
            waits = self.grace > 0.0
            self._heeded = threading.Event()
            self._send(number, self.grace if waits else AGAIN, self._heeded)
            if waits:
                self.announce()
                return
        if not self._put_off:
            self._raise(number)

    def _raise(self, number: int) -> NoReturn:
        if self._limited:
            self._limited = False
            raise _TimeUp
        self._raised = time.monotonic()
        raise Stopped(number)

    def _is_delicate(self, frame: FrameType | None) -> bool:
        """Whether an exception in a frame, or one that it was called from, would leave a library in pieces.

        Half an import cannot be repeated, and half a compilation ends in a crash later on.
        """
        stack = []
        while frame is not None:
            stack.append(frame.f_code.co_filename)
            frame = frame.f_back
        # What lies below the place where this was entered may well be an import: that of somebody's script.
        return any(DELICATE.search(name) for name in stack[: len(stack) - self._base])

    def _send(self, number: int, seconds: float, done: threading.Event) -> None:
        """Send a signal to this thread after so many seconds, and again until it has had its effect."""
        main = threading.get_ident()

        def send() -> None:
            wait = SOON if self._put_off else seconds
            while not done.wait(wait):
                # Never after the handlers were restored: the default of most signals is to end the process.
                with self._sending:
                    if not done.is_set():
                        signal.pthread_kill(main, number)
                wait = SOON if self._put_off else AGAIN

        threading.Thread(target=send, daemon=True).start()

    def _end(self, done: threading.Event) -> None:
        """Send no more, from the moment that this returns."""
        done.set()
        with self._sending:
            pass


class Interrupts(Signals):
    """Ctrl-C and its like on the command line: the first ends a run after the present update, the second at once.

    Before the first update there is nothing to wait for, and no update is waited for long.
    """

    def announce(self) -> None:
        """Say that the update is waited for; not through rich: a signal may arrive while it holds its lock."""
        with suppress(OSError):  # a terminal that goes away cannot be told
            os.write(2, b"\nstopping after this update; Ctrl-C again stops at once\n")


def _depth_of(frame: FrameType | None) -> int:
    depth = 0
    while frame is not None:
        depth, frame = depth + 1, frame.f_back
    return depth


def _restore(handlers: dict[int, Any]) -> None:
    while handlers:
        signal.signal(*handlers.popitem())


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
