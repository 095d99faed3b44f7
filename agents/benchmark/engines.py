"""Where jobs run: joblib's own workers on this machine, or the cluster of Ray or Dask, through joblib's backends."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import Any, Literal, TypeAlias

from stackelberg_envs.errors import ArgumentError, MissingExtraError, OutputError

from .worker import Done, Payload, do, end_with

__all__ = ["ENGINES", "Engine", "Workers", "engine_of"]

Engine: TypeAlias = Literal["loky", "sequential", "ray", "dask"]
ENGINES = ("loky", "sequential", "ray", "dask")
#: Seconds in which a cluster has to answer.
CONNECTING = 20.0
#: Jobs that wait in each worker's queue: enough to keep it busy, few enough to lose little with it.
QUEUED = 1


class Workers:
    """A number of workers that do jobs, in any order; made anew after one of them died.

    Parameters
    ----------
    engine
        "loky", processes on this machine; "sequential", this process; "ray" or "dask", a cluster.
    count
        Workers; None: one per core of this machine, or all that the cluster has.
    address
        Of the cluster; None: one on this machine, started for the occasion.

    Raises
    ------
    MissingExtraError, OutputError
        The library is not installed; nobody answers at that address.
    """

    def __init__(self, engine: Engine, count: int | None, address: str | None) -> None:
        self.engine = engine
        self._stack = ExitStack()
        most = self._stack.enter_context(_CONNECTIONS[engine](address, count))
        self.count = most if count is None else count

    @property
    def separate(self) -> bool:
        """Whether a job may be ended with its process, and is then known to be the cause.

        Not with Dask, which repeats such a job by itself and, after the fourth death, tells joblib nothing.
        """
        return self.engine in ("loky", "ray")

    def do(self, payloads: Iterable[Payload]) -> Iterator[Done]:
        """Do jobs; the next ones are asked for as workers become free.

        Raises
        ------
        Exception
            Of the engine: a worker died, say. Jobs that were asked for and not returned are lost then.
        """
        if self.engine == "sequential":
            yield from map(do, payloads)
            return
        import joblib

        # One worker is one job at a time: asked for one, joblib would do the jobs in this process.
        ahead = (1 + QUEUED) * self.count if self.count > 1 else 1
        more = {"initializer": end_with, "initargs": (os.getpid(),)} if self.engine == "loky" else {}
        with joblib.parallel_config(backend=self.engine, n_jobs=max(2, self.count), **more):
            parallel = joblib.Parallel(
                return_as="generator_unordered", batch_size=1, pre_dispatch=ahead, max_nbytes=None
            )
            yield from parallel(joblib.delayed(do)(payload) for payload in payloads)

    def renew(self) -> None:
        """Forget workers of which one died; Ray makes new ones for each call, and Dask by itself."""
        if self.engine == "loky":
            from joblib.externals.loky import get_reusable_executor

            with suppress(Exception):
                get_reusable_executor().shutdown(wait=True, kill_workers=True)

    def close(self) -> None:
        """End the workers, and a cluster that was started for them."""
        if self.engine == "loky":
            self.renew()
        self._stack.close()


@contextmanager
def _here(address: str | None, count: int | None) -> Iterator[int]:
    del count
    if address is not None:
        raise ArgumentError(f"address: expected none for workers on this machine, got {address!r}; see engine")
    yield len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _require_answer(address: str | None, name: str) -> None:
    """Raise OutputError unless somebody listens at ``host:port``; Ray alone would wait for minutes."""
    host, colon, port = (address or "").rpartition(":")
    if not (colon and port.isdecimal()):
        return
    try:
        socket.create_connection((host.rpartition("/")[2].strip("[]"), int(port)), timeout=CONNECTING).close()
    except (OSError, OverflowError) as exc:
        raise OutputError(f"address: expected a cluster of {name} at {address!r}, got {exc}") from exc


@contextmanager
def _ray(address: str | None, count: int | None) -> Iterator[int]:
    try:
        import joblib
        import ray
        from ray.util.joblib.ray_backend import RayBackend
    except ImportError as exc:
        raise MissingExtraError(f'engine "ray": expected Ray, got {exc}: pip install "ray[default]"') from exc
    began = not ray.is_initialized()
    if began:
        _require_answer(address, "Ray")
        try:
            ray.init(
                address=address,
                num_cpus=count if address is None else None,
                include_dashboard=False if address is None else None,
                log_to_driver=False,
                configure_logging=False,
            )
        except (ConnectionError, RuntimeError, ValueError, OSError) as exc:
            raise OutputError(f"address: expected a cluster of Ray at {address!r}, got {exc}") from exc

    class Backend(RayBackend):  # type: ignore[misc]
        """Ray's own, whose pool calls back for each job: joblib need not wait for the last one to return the first."""

        supports_return_generator = True

    joblib.register_parallel_backend("ray", Backend)
    try:
        yield max(1, int(ray.cluster_resources().get("CPU", 1)))
    finally:
        if began:
            ray.shutdown()


@contextmanager
def _dask(address: str | None, count: int | None) -> Iterator[int]:
    try:
        from dask.distributed import Client, LocalCluster
    except ImportError as exc:
        raise MissingExtraError(f'engine "dask": expected Dask, got {exc}: pip install "distributed"') from exc
    _require_answer(address, "Dask")
    with ExitStack() as stack:
        try:
            where = address
            if where is None:
                # One thread each: a worker's job has the process to itself.
                where = stack.enter_context(LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address=None))
            client = stack.enter_context(Client(where, timeout=CONNECTING))
        except (OSError, TimeoutError, ValueError) as exc:
            raise OutputError(f"address: expected a cluster of Dask at {address!r}, got {exc}") from exc
        yield max(1, sum(client.nthreads().values()))


_CONNECTIONS: dict[str, Callable[[str | None, int | None], AbstractContextManager[int]]] = {
    "loky": _here,
    "sequential": _here,
    "ray": _ray,
    "dask": _dask,
}


def engine_of(name: Any) -> Engine:
    """Return the engine of a name.

    Raises
    ------
    ArgumentError
        None of :data:`ENGINES`.
    """
    if name not in ENGINES:
        raise ArgumentError(f"engine: expected one of {', '.join(ENGINES)}, got {name!r}")
    found: Engine = name
    return found
