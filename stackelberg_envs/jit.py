"""Loops as machine code: compiled by Numba when they are first called, and kept on disk.

Numba itself is imported then, too: it takes longer to import than most of what does without it takes to run.

A signal is heeded only between two calls of machine code, so loops over steps are cut into slices that go on where the
last one ended.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

__all__ = ["WORTH_PARTS", "Compiled", "compiled", "in_parts", "slice_of", "sum_of_parts"]

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
#: Simple steps that a loop makes before it returns to Python, which looks up whether a signal has come: some 20 ms.
SLICE = 1 << 18
#: Parts of a loop that may run side by side, and the numbers that it has to pass for this to be worth while.
PARTS, WORTH_PARTS = 8, 1 << 20


def slice_of(work: int) -> int:
    """Return how many steps make a slice, where each passes so many numbers."""
    return max(1, SLICE // max(1, work // 8))


def in_parts(loop: Callable[[slice], Result], length: int, work: int) -> list[Result]:
    """Return what a loop returns for each part of a range, in order.

    Parameters
    ----------
    loop
        Takes a part as a slice. Parts run side by side while they are in machine code.
    length
        Of the range.
    work
        How many numbers the whole loop passes; a short loop is left in one part.

    Notes
    -----
    The parts do not depend on the number of threads, and so no digit of what is added up from them does. There are as
    many threads as the process has cores, or as the environment variable NUMBA_NUM_THREADS says.
    """
    if work < WORTH_PARTS:
        return [loop(slice(0, length))]
    from concurrent.futures import ThreadPoolExecutor

    import numba

    parts = [slice(length * i // PARTS, length * (i + 1) // PARTS) for i in range(PARTS)]
    config: Any = numba.config
    threads = min(PARTS, config.NUMBA_NUM_THREADS)
    if threads == 1:
        return [loop(part) for part in parts]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(loop, parts))


def sum_of_parts(loop: Callable[[slice], Any], length: int, work: int) -> Any:
    """Return the sum of what a loop returns for each part of a range, in order; see :func:`in_parts`."""
    total, *others = in_parts(loop, length, work)
    for other in others:
        total += other
    return total


class Compiled(functools.partial[Result]):
    """A function as machine code; other such functions may call it.

    Attributes
    ----------
    py_func
        What it was before.
    """

    py_func: Callable[..., Result]

    @functools.cached_property
    def dispatcher(self) -> Any:
        """Numba's, which compiles for the types of the arguments, or finds what was compiled on disk."""
        from stackelberg_envs.jit_cache import dispatcher_of

        dispatcher = dispatcher_of(self.py_func)
        # From now on a call goes straight there: a method in Python would cost as much as many of the loops.
        self.__setstate__((dispatcher, (), {}, vars(self)))  # type: ignore[attr-defined]
        return dispatcher

    @property
    def _numba_type_(self) -> Any:
        """What Numba asks for where a compiled function names this one."""
        return self.dispatcher._numba_type_

    def __reduce__(self) -> str:
        # By name, as functions are.
        return self.py_func.__qualname__


def compiled(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Return a function as machine code, compiled when it is first called and kept on disk.

    Where there is no folder for the cache, it is compiled in each process.
    """

    def first_call(*arguments: Arguments.args, **keywords: Arguments.kwargs) -> Any:
        return made.dispatcher(*arguments, **keywords)

    made: Any = Compiled(first_call)
    functools.update_wrapper(made, function)
    made.py_func = function
    return cast("Callable[Arguments, Result]", made)
