"""What every ``reset`` accepts, on every face: seeds and options, checked before anything changes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np

from stackelberg_envs.errors import ArgumentError

__all__ = ["PLACEHOLDER", "require_options", "require_seed", "require_seeds"]

#: PettingZoo's own tests pass ``{"options": 1}`` to every environment, to see that `reset` has the argument.
PLACEHOLDER = "options"
#: For whoever asks for a state to begin in.
PLACES = "; an episode cannot be reset to a state: it begins where the game draws it, see game.replace(initial=)"


def require_seed(seed: Any, name: str = "seed") -> int | None:
    """Return the seed of one random stream as an int, or None.

    Raises
    ------
    ArgumentError
        Anything but None and a Python or NumPy integer of at least 0; a bool is no seed.
    """
    if seed is None:
        return None
    if not _is_seed(seed):
        raise ArgumentError(f"{name}: expected None or an integer of at least 0, got {_shown(seed)}")
    return int(seed)


def require_seeds(seed: Any, num_envs: int) -> list[int | None]:
    """Return the seed of each copy of a vector environment; None goes on with its present stream.

    Parameters
    ----------
    seed
        None; an integer s, which stands for s, s + 1, ...; or a list, tuple or array of one integer or None per copy.
    num_envs
        Number of copies.

    Raises
    ------
    ArgumentError
        Another length, or an entry that is no seed; the message says which.
    """
    if isinstance(seed, np.ndarray) and seed.ndim > 0:
        seed = list(seed)
    if not isinstance(seed, list | tuple):
        first = require_seed(seed)
        return [None] * num_envs if first is None else [first + i for i in range(num_envs)]
    if len(seed) != num_envs:
        raise ArgumentError(f"seed: expected an integer or {num_envs} integers, one per copy, got {len(seed)}")
    for i, entry in enumerate(seed):
        if entry is not None and not _is_seed(entry):
            raise ArgumentError(f"seed: expected None or an integer of at least 0 for copy {i}, got {_shown(entry)}")
    return [None if entry is None else int(entry) for entry in seed]


def require_options(options: Any, known: tuple[str, ...] = (), *, advice: str = "", official: bool = False) -> Any:
    """Return the options of a reset as a dict, or raise.

    Parameters
    ----------
    options
        None or a mapping.
    known
        Names that this face reads.
    advice
        What to do instead where a face reads none; ends the message.
    official
        Whether the option that PettingZoo's tests pass is let through; it means nothing.

    Raises
    ------
    ArgumentError
        Something that is no mapping, or a name that the face does not read; the message has the known names.
    """
    if options is None:
        return {}
    names = ", ".join(map(repr, known))
    expected = f"options among {names}" if known else "no options"
    if not isinstance(options, Mapping):
        raise ArgumentError(f"reset: expected a dict of {expected} or None, got {_shown(options)}")
    for name in options:
        if (isinstance(name, str) and name in known) or (official and name == PLACEHOLDER):
            continue
        more = PLACES if isinstance(name, str) and name in ("state", "context") else advice
        raise ArgumentError(f"reset: expected {expected}, got {_shown(name)}{_hint(name, known)}{more}")
    return dict(options)


def _hint(name: Any, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1) if isinstance(name, str) else []
    return f"; did you mean {near[0]!r}?" if near else ""


def _is_seed(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= 0)


def _shown(value: Any) -> str:
    """Return a value for a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
