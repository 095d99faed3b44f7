"""States of NumPy's random generators, checked before a generator takes them over.

NumPy itself takes counters out of their range, and then reads beyond the end of its tables; so every number of a
state is held to its range first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from stackelberg_envs.errors import OutputError

__all__ = ["GENERATORS", "restored_generator", "restored_random_state"]

#: What a word of 32 bits holds at most.
HALF = (1 << 32) - 1

Check = Callable[[Any], bool]


def _int(most: int) -> Check:
    return lambda value: type(value) is int and 0 <= value <= most


def _words(dtype: type[Any], *shape: int) -> Check:
    return lambda value: isinstance(value, np.ndarray) and value.dtype == dtype and value.shape == shape


BUFFERED: dict[str, Any] = {"has_uint32": _int(1), "uinteger": _int(HALF)}
MERSENNE: dict[str, Any] = {"key": _words(np.uint32, 624), "pos": _int(624)}
PCG: dict[str, Any] = {"state": {"state": _int((1 << 128) - 1), "inc": _int((1 << 128) - 1)}, **BUFFERED}
#: The layout of the states of NumPy's bit generators, by name.
GENERATORS: dict[str, dict[str, Any]] = {
    "PCG64": PCG,
    "PCG64DXSM": PCG,
    "MT19937": {"state": MERSENNE},
    "SFC64": {"state": {"state": _words(np.uint64, 4)}, **BUFFERED},
    "Philox": {
        "state": {"counter": _words(np.uint64, 4), "key": _words(np.uint64, 2)},
        "buffer": _words(np.uint64, 4),
        "buffer_pos": _int(4),
        **BUFFERED,
    },
}


def _is_laid_out(value: Any, layout: Any) -> bool:
    if not isinstance(layout, dict):
        return bool(layout(value))
    if not isinstance(value, dict) or value.keys() != layout.keys():
        return False
    return all(_is_laid_out(value[name], layout[name]) for name in layout)


def restored_generator(state: Any) -> np.random.Generator:
    """Return a generator in a state as its ``bit_generator.state`` has it.

    Raises
    ------
    OutputError
        It is no such state.
    """
    name = state.get("bit_generator") if isinstance(state, dict) else None
    if name not in GENERATORS or not _is_laid_out(state, {"bit_generator": name.__eq__, **GENERATORS[name]}):
        raise OutputError("expected the state of a generator of NumPy, got another")
    bits = getattr(np.random, name)()  # one of the five names above
    bits.state = state
    return np.random.Generator(bits)


def restored_random_state(state: Any) -> np.random.RandomState:
    """Return a RandomState in a state as ``get_state(legacy=False)`` has it.

    Raises
    ------
    OutputError
        It is no such state.
    """
    layout = {
        "bit_generator": "MT19937".__eq__,
        "state": MERSENNE,
        "has_gauss": _int(1),
        "gauss": lambda value: type(value) is float and math.isfinite(value),
    }
    if not _is_laid_out(state, layout):
        raise OutputError("expected the state of a RandomState of NumPy, got another")
    made = np.random.RandomState(0)
    made.set_state(state)
    return made
