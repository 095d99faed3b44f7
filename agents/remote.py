"""A leader in a process of its own: what it knows is what came through the pipe.

The child process is given the brief, the configuration and the leader's generator as bytes (:mod:`agents.checkpoints`),
then trajectories (:meth:`agents.Trajectories.to_bytes`), and answers with commitments. A message is its length, eight
bytes, and an npz archive; nothing is pickled. The child imports the leader's own file and what that imports, and
so neither games nor oracles nor simulators; :meth:`RemoteLeader.modules` lets anyone look.

Bit for bit the run is that of a leader in the same process.
"""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any, ClassVar

import numpy as np

from agents import stateful
from agents.brief import Brief, Information
from agents.leaders.base import Leader, recommendation
from agents.packing import PACKAGES, pack, unpack
from agents.state_tree import Tree
from agents.stateful import Pending
from agents.trajectories import Trajectories
from stackelberg_envs import errors
from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, InformationError, StackelbergError

__all__ = ["RemoteLeader", "main"]

LENGTH_BYTES = 8
#: Seconds a leader's process is given to end by itself.
PATIENCE = 5.0
START = "from agents.remote import main; main()"


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

    Attributes
    ----------
    theta
        The leader's parameters at its last commitment, or None if it has none.

    Raises
    ------
    InformationError
        A leader that sees the game or controls the follower: that does not go through a pipe.
    ArgumentError
        Something in the brief or the configuration has no serial form; the message says what.
    """

    #: Whether play is under its last commitment, the leader itself sees, in its process.
    off_policy: ClassVar[bool] = True

    def __init__(self, kind: type[Leader], brief: Brief, config: Any, rng: np.random.Generator) -> None:
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
        packages = PACKAGES | {_package(owner) for owner in (kind, type(config), type(brief.commitment))}
        players = pack({"brief": brief, "config": config, "rng": rng}, packages=packages)
        self._child = _start()
        try:
            self._ask("start", name=name, packages=sorted(packages), players=players)
        except BaseException:
            self.close()
            raise

    def commit(self) -> Array:
        """Return the commitment the leader announces next."""
        answer = self._ask("commit")
        self.theta = answer["theta"]
        return np.asarray(answer["commitment"])

    def recommend(self) -> Array:
        """Return the commitment the leader ends with."""
        answer = self._ask("recommend")
        self.theta = answer["theta"]
        return np.asarray(answer["commitment"])

    def update(self, trajectories: Trajectories) -> dict[str, float]:
        """Send what was observed; return the leader's diagnostics."""
        diagnostics: dict[str, float] = self._ask("update", trajectories=trajectories.to_bytes())
        return diagnostics

    def shorten(self, share: float = 0.5) -> bool:
        """Let the leader shorten its last step; return whether it could."""
        return bool(self._ask("shorten", share=share))

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
            if stream is not None:
                with suppress(OSError):  # what was not sent to a child that died
                    stream.close()
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def _ask(self, what: str, **values: Any) -> Any:
        child = self._child
        if child.stdin is None or child.stdout is None or child.stdin.closed:
            raise StackelbergError("leader process: expected one that runs, but it was closed")
        try:
            _send(child.stdin, {"do": what, **values})
            answer = _receive(child.stdout)
        except (BrokenPipeError, EOFError) as exc:
            raise StackelbergError(
                f"leader process: ended with exit code {child.wait()} while asked to {what}"
            ) from exc
        except BaseException:
            # Stopped in the middle of an exchange: whatever comes next would be taken for another answer.
            child.kill()
            raise
        if "error" in answer:
            raise _error(answer["error"], answer["message"])
        return answer["value"]


def _start() -> subprocess.Popen[bytes]:
    """Start an interpreter that finds modules where this one does."""
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)  # noqa: PTH109
    environment = {**os.environ, "PYTHONPATH": paths}
    command = [sys.executable, "-c", START]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)  # noqa: S603


def _error(name: str, message: str) -> Exception:
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, StackelbergError):
        return kind(message)
    return RuntimeError(f"leader process: {name}: {message}")


def _package(kind: type[Any]) -> str:
    return kind.__module__.partition(".")[0]


# Messages.


def _send(stream: IO[bytes], content: dict[str, Any]) -> None:
    data = pack(content)
    stream.write(len(data).to_bytes(LENGTH_BYTES, "little") + data)
    stream.flush()


def _receive(stream: IO[bytes]) -> dict[str, Any]:
    length = int.from_bytes(_exactly(stream, LENGTH_BYTES), "little")
    content: dict[str, Any] = unpack(_exactly(stream, length), where="pipe")
    return content


def _exactly(stream: IO[bytes], length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise EOFError("the pipe was closed")
    return data


# The child's side.


@dataclass
class _Host:
    """Holds the leader in the child process and does what it is asked to."""

    leader: Leader | None = None
    packages: frozenset[str] = PACKAGES

    def start(self, name: str, packages: list[str], players: bytes) -> None:
        """Import and construct the leader."""
        self.packages = frozenset(packages)
        module, _, qualname = name.partition(":")
        kind = importlib.import_module(module)
        for part in qualname.split("."):
            kind = getattr(kind, part)
        given = unpack(players, packages=self.packages, where="brief")
        self.leader = kind(**given)  # type: ignore[operator]

    def commit(self) -> dict[str, Any]:
        """Return the next commitment and the parameters it comes from."""
        x = self._present.commit()
        return {"commitment": np.asarray(x), "theta": getattr(self._present, "theta", None)}

    def recommend(self) -> dict[str, Any]:
        """Return the commitment it would end with and the parameters it comes from; the leader goes on unchanged."""
        x, theta = recommendation(self._present)
        return {"commitment": x, "theta": theta}

    def update(self, trajectories: bytes) -> dict[str, float]:
        """Let the leader learn."""
        diagnostics = self._present.update(Trajectories.from_bytes(trajectories))
        return {name: float(value) for name, value in diagnostics.items()}

    def shorten(self, share: float) -> bool:
        """Let the leader shorten its last step."""
        return self._present.shorten(share)

    def save(self) -> dict[str, Tree]:
        """Return the leader's state."""
        return self._present.state_dict()

    def restore(self, leader: dict[str, Tree]) -> None:
        """Take over a saved state."""
        self._present.load_state_dict(leader)

    def modules(self) -> list[str]:
        """Return the names of the imported modules."""
        return sorted(sys.modules)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to one request, or the error it ended in."""
        method = getattr(self, request.pop("do"))
        try:
            return {"value": method(**request)}
        except Exception as exc:  # the parent raises it again
            return {"error": type(exc).__name__, "message": str(exc)}

    @property
    def _present(self) -> Leader:
        if self.leader is None:
            raise StackelbergError("leader process: expected a leader, but none was started")
        return self.leader


def main() -> None:
    """Serve one leader on standard input and output until the input is closed."""
    # Ctrl-C reaches the whole group of processes; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # Whatever a leader prints goes to standard error, not between the messages.
    os.dup2(2, 1)
    host = _Host()
    while True:
        try:
            request = _receive(requests)
        except EOFError:
            return
        _send(answers, host.answer(request))
