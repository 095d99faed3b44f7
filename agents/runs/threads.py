"""How many threads linear algebra may use."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

__all__ = ["one_blas_thread"]


def one_blas_thread() -> AbstractContextManager[Any]:
    """Return a context in which BLAS computes with one thread; afterwards it has those it had.

    The matrices of a run are small. Several threads gain little on them, cost processor time, and where other
    processes want the same cores they wait for each other and make a run slower by a factor. One thread also gives
    the same last digits whatever the number of cores.
    """
    import scipy.linalg  # noqa: F401 - brings a BLAS of its own, which can be limited once it is loaded
    from threadpoolctl import threadpool_limits

    limited: AbstractContextManager[Any] = threadpool_limits(limits=1, user_api="blas")
    return limited
