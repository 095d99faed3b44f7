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


def require_seeds(seed: Any, num_envs: int) -> int | list[int] | None:
    """Return the seed of a vector environment: None, an int, or a list of one int per copy.

    Parameters
    ----------
    seed
        None, an integer, or a list, tuple or array of `num_envs` integers; as in Gymnasium, a list of nothing but None
        is None.
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
        return require_seed(seed)
    if len(seed) != num_envs:
        raise ArgumentError(f"seed: expected an integer or {num_envs} integers, one per copy, got {len(seed)}")
    if all(entry is None for entry in seed):
        return None
    for i, entry in enumerate(seed):
        if not _is_seed(entry):
            # The copies share one stream, so one of them cannot go on with its own.
            raise ArgumentError(f"seed: expected an integer of at least 0 for copy {i}, got {_shown(entry)}")
    return [int(entry) for entry in seed]


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
