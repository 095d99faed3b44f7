"""Makes modules of stackelberg_envs importable without what their packages import: every game, and every solver.

For the process of a leader, which is to have what its own file imports and no more.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec
from typing import Any

__all__ = ["enter"]

FRONT, SOLVERS = "stackelberg_envs", "stackelberg_envs.planning"


def enter() -> None:
    """Put packages in place that find their modules, and are loaded as a whole by whoever asks for a public name."""
    if FRONT in sys.modules:
        return
    front = PathFinder.find_spec(FRONT)
    if front is None or front.submodule_search_locations is None:
        return
    place = list(front.submodule_search_locations)
    package = _put(front)
    solvers = PathFinder.find_spec(SOLVERS, place)
    if solvers is not None:
        package.planning = _put(solvers)


def _put(spec: ModuleSpec) -> Any:
    package: Any = module_from_spec(spec)
    loader: Any = spec.loader

    def load(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if spec.name == FRONT and PathFinder.find_spec(f"{FRONT}.{name}", package.__path__) is not None:
            return import_module(f"{FRONT}.{name}")
        del package.__getattr__
        loader.exec_module(package)
        return getattr(package, name)

    package.__getattr__ = load
    sys.modules[spec.name] = package
    return package
