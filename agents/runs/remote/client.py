"""A leader in a process of its own: what it knows is what came through the pipe.

The process is given the brief, the configuration and the leader's generator, then trajectories
(:meth:`agents.Trajectories.to_bytes`), and answers with commitments. What comes back is plain values of a size that is
known beforehand, no pickle. It imports the leader's own file and what that imports, and so neither games nor oracles
nor simulators nor their registry; :meth:`RemoteLeader.modules` lets anyone look. It is no sandbox: code that means harm
can do there whatever its user can.

Bit for bit the run is that of a leader in the same process.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, ClassVar, TypeVar

import numpy as np

from stackelberg_envs import errors
from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, InformationError, LeaderProcessError, StackelbergError

from ...leaders.base import Leader
from ...observing.brief import Brief, Information
from ...observing.trajectories import Trajectories
from ...state import stateful
from ...state.stateful import Pending
from ...state.tree import MAX_BYTES, Tree
from .messages import PLAIN, Channel
from .sending import sendable

__all__ = ["TIMEOUT", "RemoteLeader"]

Failure = TypeVar("Failure", bound=StackelbergError)
#: Seconds that a leader may take for one answer, by default.
TIMEOUT = 600.0
#: Seconds that its process may take to start, beyond that, and to end by itself.
START_PATIENCE, END_PATIENCE = 60.0, 5.0
#: Seconds that a process which gives no answer is given to say where it is.
LAST_WORDS = 0.3
#: Bytes of a leader's state beyond eight times what it was told.
STATE = 1 << 28
#: The first lines of a child. They run before any package is imported, whichever name this one has here.
BARE = (
    f"exec(open({str(Path(__file__).with_name('bare.py'))!r}).read()); enter(); "
    f"from {__package__}.host import main; main()"
)
#: Variables that interpreter, libraries and locale need; nothing else of the parent's environment is passed on.
KEPT = (
    *("PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "XDG_CACHE_HOME", "LD_LIBRARY_PATH"),
    *("DYLD_LIBRARY_PATH", "PYTHONHOME", "PYTHONHASHSEED", "PYTHONUTF8", "PYTHONDONTWRITEBYTECODE"),
    *("PYTHONPYCACHEPREFIX", "PYTHONOPTIMIZE", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "OPENBLAS_CORETYPE", "MKL_CBWR", "NPY_DISABLE_CPU_FEATURES"),
    *("NUMBA_CACHE_DIR", "NUMBA_NUM_THREADS", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_DISABLE_JIT"),
)
KEPT_PREFIX = "LC_"


class _AsItIs(stateful.Field):
    """A tree that somebody else checks."""

    def load(self, tree: Tree, own: Any, owner: Any, where: str) -> Tree:
        return tree


class RemoteLeader(Leader):
    """Stands for a leader that lives in a child process.

    Parameters
    ----------
    kind
        The leader's class; it has to be importable, so not one defined in a script.
    brief, config, rng
        What it would be constructed with here. The child gets copies.
    timeout
        Seconds the leader may take for one answer, or None for as long as it likes. Its process has a minute more to
        start.

    Attributes
    ----------
    theta
        The leader's parameters at its last commitment, or None if it has none.

    Raises
    ------
    InformationError
        A leader that sees the game or controls the follower: that does not go through a pipe.
    ArgumentError
        Something in the brief or the configuration cannot be sent; the message says what.
    LeaderProcessError
        The leader raised an error that is none of this library's, its process ended, or gave no answer in time.
    """

    #: Whether play is under its last commitment, the leader itself sees, in its process.
    off_policy: ClassVar[bool] = True
    #: Which kinds of game the leader serves, that leader says in its process.
    kinds: ClassVar[frozenset[str]] = frozenset({"tabular", "vector", "environment", "markov"})

    def __init__(
        self,
        kind: type[Leader],
        brief: Brief,
        config: Any,
        rng: np.random.Generator,
        timeout: float | None = TIMEOUT,
    ) -> None:
        super().__init__(brief, config, rng)
        self.theta: Array | None = None
        name = f"{kind.__module__}:{kind.__qualname__}"
        if brief.information > Information.RESPONSE:
            raise InformationError(
                f"leader {kind.name!r}: expected one of at most level {Information.RESPONSE.name} for a process of its "
                f"own, got {brief.information.name}"
            )
        if kind.__module__ == "__main__" or "<" in name:
            raise ArgumentError(f"{name}: expected a leader in a module of its own, which another process can import")
        if os.name != "posix":
            raise ArgumentError("leader_process: expected a POSIX system, got another")
        players = sendable({"brief": brief, "config": config, "rng": rng})
        self._timeout, self._told = timeout, 0
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the child)
        self._child = _start(self._log.fileno())
        self._channel = Channel(*(_stream(pipe).fileno() for pipe in (self._child.stdout, self._child.stdin)))
        try:
            self._ask("start", START_PATIENCE, module=kind.__module__, name=kind.__qualname__, players=players)
        except BaseException:
            self.close()
            raise

    def commit(self) -> Array:
        """Return the commitment the leader announces next."""
        return self._said("commit")

    def recommend(self) -> Array:
        """Return the commitment the leader ends with."""
        return self._said("recommend")

    def update(self, trajectories: Trajectories) -> dict[str, float]:
        """Send what was observed; return the leader's diagnostics."""
        diagnostics: dict[str, float] = self._ask("update", trajectories=trajectories.to_bytes())
        return diagnostics

    def parameters(self) -> Array | None:
        """Return the leader's parameters at its last commitment, or None if it has none."""
        return self.theta

    def shorten(self, share: float = 0.5) -> bool:
        """Let the leader shorten its last step; return whether it could."""
        return self._ask("shorten", share=float(share)) is True

    def modules(self) -> list[str]:
        """Return the names of all modules the child has imported."""
        names: list[str] = self._ask("modules")
        return names

    def state_dict(self) -> dict[str, Tree]:
        """Return the state of the leader, as the child tells it."""
        return {"leader": self._ask("save"), "theta": self.theta}

    def checked_state(self, tree: Tree, where: str) -> Pending:
        """Return a state that the child is to check and to take over."""
        known = {"leader": _AsItIs(), "theta": stateful.Array((None,), optional=True)}
        state = stateful.load_fields(None, known, tree, where)

        def apply() -> None:
            self._ask("restore", leader=state["leader"])
            self.theta = state["theta"]

        return Pending(apply)

    def close(self) -> None:
        """End the child; a second call does nothing."""
        child = self._child
        for stream in (child.stdin, child.stdout):
            with suppress(OSError):  # what was not sent to a child that died
                _stream(stream).close()
        try:
            child.wait(END_PATIENCE)
        except BaseException as exc:
            child.kill()
            child.wait()
            if not isinstance(exc, subprocess.TimeoutExpired):
                raise
        finally:
            self._log.close()

    def _said(self, what: str) -> Array:
        answer = self._ask(what)
        arrays = (answer.get("commitment"), answer.get("theta")) if isinstance(answer, dict) else (None, None)
        x, theta = arrays
        if not isinstance(x, np.ndarray) or not (theta is None or isinstance(theta, np.ndarray)):
            raise self._given_up(f"expected a commitment when asked to {what}, got {type(x).__name__}")
        self.theta = theta
        return x

    def _ask(self, what: str, patience: float = 0.0, **values: Any) -> Any:
        """Return the child's answer to a request, or raise the error that it ended in."""
        if _stream(self._child.stdin).closed:
            raise LeaderProcessError("leader process: expected one that runs, but it was closed")
        deadline = None if self._timeout is None else time.monotonic() + self._timeout + patience
        try:
            self._told += self._channel.send({"do": what, **values}, deadline)
            answer = self._channel.receive(self._limit(what), deadline)
        except (BrokenPipeError, EOFError) as exc:
            code = self._ended()
            raise self._given_up(f"ended with exit code {code} while asked to {what}") from exc
        except TimeoutError as exc:
            self._ask_where_it_is()
            raise self._given_up(
                f"expected an answer within {self._timeout:g} seconds (timeout) when asked to {what}, got none"
            ) from exc
        except StackelbergError as exc:  # a message that is none
            raise self._given_up(str(exc).removeprefix("leader process: ")) from exc
        except BaseException:
            # Stopped in the middle of an exchange: whatever comes next would be taken for another answer.
            self._child.kill()
            raise
        if isinstance(answer, dict) and answer.keys() == {"value"}:
            return answer["value"]
        raise _error(answer) or self._given_up(f"expected an answer when asked to {what}, got something else")

    def _limit(self, what: str) -> int:
        """Return how many bytes an answer may have: from the sizes in the brief, and from what the leader was told."""
        numbers = 2 * (int(np.prod(self.brief.commitment.shape)) + self.brief.parametrisation.size)
        most = {"commit": 8 * numbers, "recommend": 8 * numbers, "save": STATE + 8 * self._told, "modules": PLAIN}
        return min(PLAIN + most.get(what, 0), MAX_BYTES)

    def _ended(self) -> int:
        """Return the exit code of a child that closed its pipes; one that goes on nevertheless is ended."""
        try:
            return self._child.wait(END_PATIENCE)
        except subprocess.TimeoutExpired:
            self._child.kill()
            return self._child.wait()

    def _ask_where_it_is(self) -> None:
        with suppress(OSError):
            self._child.send_signal(signal.SIGUSR1)
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(LAST_WORDS)

    def _given_up(self, problem: str) -> LeaderProcessError:
        """End the child; return the error, with the place where it was, if it could say that."""
        self._child.kill()
        self._child.wait()
        self._log.seek(0)
        trace = self._log.read(PLAIN).decode(errors="replace")
        return _with_trace(LeaderProcessError(f"leader process: {problem}"), trace)


def _start(log: int) -> subprocess.Popen[bytes]:
    """Start an interpreter that finds modules where this one does, and knows nothing else of this process."""
    environment = {name: value for name, value in os.environ.items() if name in KEPT or name.startswith(KEPT_PREFIX)}
    environment["PYTHONPATH"] = os.pathsep.join(path or os.getcwd() for path in sys.path)  # noqa: PTH109
    command = [sys.executable, "-P", "-c", BARE, str(os.getpid()), str(log)]
    pipe = subprocess.PIPE
    return subprocess.Popen(  # noqa: S603
        command, stdin=pipe, stdout=pipe, env=environment, pass_fds=(log,), bufsize=0
    )


def _stream(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # noqa: S101 - all were asked for
    return pipe


def _error(answer: Any) -> StackelbergError | None:
    """Return the error that the leader ended in, of its own kind if that is one of this library's."""
    if not isinstance(answer, dict) or answer.keys() != {"error", "message", "traceback"}:
        return None
    if not all(isinstance(value, str) for value in answer.values()):
        return None
    kind = getattr(errors, answer["error"], None)
    if isinstance(kind, type) and issubclass(kind, StackelbergError):
        return _with_trace(kind(answer["message"]), answer["traceback"])
    error = LeaderProcessError(f"leader process: {answer['error']}: {answer['message']}")
    return _with_trace(error, answer["traceback"])


def _with_trace(error: Failure, trace: str) -> Failure:
    if trace.strip():
        error.add_note(f"In the leader's process:\n{trace.rstrip()}")
    return error
