"""What is on its way out says so, once for each place that uses it, and names what takes its place."""

import sys
import warnings
from types import FrameType

__all__ = ["warn_deprecated"]

#: Callers that are passed over: the warning stands at the line of whoever called these.
BETWEEN = ("stackelberg_envs", "agents", "gymnasium", "pettingzoo", "importlib", "_frozen_importlib", "functools")


def warn_deprecated(what: str, instead: str, removed_in: str) -> None:
    """Warn that something still works but will be removed, at the line that asked for it.

    That is the nearest caller outside this package and outside the registries through which its environments are made.
    Python shows such warnings to whoever runs that line as a program or under a test, and to nobody else.

    Parameters
    ----------
    what
        The thing, as its user writes it: ``"stackelberg/DiscreteToy-v1"``.
    instead
        What to write in its place.
    removed_in
        The first version without it: ``"0.3"``.

    Warns
    -----
    DeprecationWarning
        Always; filters decide whether it is shown, or raised.
    """
    frame = _caller()
    warnings.warn_explicit(
        f"{what} is deprecated and goes in version {removed_in}: use {instead}",
        DeprecationWarning,
        filename=frame.f_code.co_filename,
        lineno=frame.f_lineno,
        module=frame.f_globals.get("__name__", "__main__"),
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


def _caller() -> FrameType:
    """Return the nearest frame that is none of those between, or the outermost one."""
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] in BETWEEN:
        frame = frame.f_back
    return frame
