"""Packages that announce environments, leaders or followers by entry points, so that nobody has to import them.

A package names in its ``pyproject.toml`` a module, which registers things when it is imported, or a function in it::

    [project.entry-points."stackelberg_envs.environments"]
    mine = "my_package.games"

They are loaded when somebody asks for a name that nobody has registered, and never before.
"""

from __future__ import annotations

import functools

__all__ = ["load_entry_points"]


@functools.cache
def load_entry_points(group: str) -> tuple[str, ...]:
    """Load all entry points of a group, once in a process; return what went wrong, in words.

    Parameters
    ----------
    group
        "stackelberg_envs.environments", "stackelberg.leaders" or "stackelberg.followers".
    """
    # It reads the metadata of every installed package, which few programs need.
    from importlib.metadata import entry_points

    failed = []
    for point in sorted(entry_points(group=group), key=lambda point: (point.name, point.value)):
        try:
            found = point.load()
            if callable(found):
                found()
        # Somebody else's package may fail in any way, and is not to keep others from being found.
        except Exception as exc:
            package = "an unknown package" if point.dist is None else point.dist.name
            failed.append(f"entry point {point.name!r} of {package} failed ({type(exc).__name__}: {exc})")
    return tuple(failed)
