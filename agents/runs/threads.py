"""What runs ask of the process that they own: one thread for linear algebra, and memory that is kept."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import numpy as np

__all__ = ["keep_memory", "one_blas_thread"]

#: Bytes; the largest block from whose size glibc learns is 32 MiB.
LARGE_BLOCK = 31 * 2**20


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


def keep_memory() -> None:
    """Free one large block.

    The C library then keeps the arrays of a few megabytes that an update frees, instead of returning their pages to
    the system and asking for them again: in Linux that is two fifths of the time of an update of vectors on 10,000
    steps.
    """
    block = np.empty(LARGE_BLOCK, dtype=np.uint8)
    del block
