"""Makes modules of stackelberg_envs importable without what their packages import: every game, and every solver.

For the process of a leader, which is to have what its own file imports and no more.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec, module_from_spec
from typing import Any

__all__ = ["enter"]

FRONT = "stackelberg_envs"
SOLVERS, SOFT = f"{FRONT}.solvers", f"{FRONT}.solvers.soft"


def enter() -> None:
    """Put packages in place that find their modules, and are loaded as a whole by whoever asks for a public name."""
    if FRONT in sys.modules:
        return
    front = PathFinder.find_spec(FRONT)
    if front is None or front.submodule_search_locations is None:
        return
    _put(front)
    room = import_module(SOLVERS)
    soft = PathFinder.find_spec(SOFT, room.__path__)
    if soft is not None:
        room.soft = _put(soft)  # type: ignore[attr-defined]
    import_module(f"{FRONT}.aliases").install()


def _put(spec: ModuleSpec) -> Any:
    package: Any = module_from_spec(spec)
    loader: Any = spec.loader

    def load(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if spec.name == FRONT and find_spec(f"{FRONT}.{name}") is not None:
            return import_module(f"{FRONT}.{name}")
        del package.__getattr__
        loader.exec_module(package)
        return getattr(package, name)

    package.__getattr__ = load
    sys.modules[spec.name] = package
    return package
