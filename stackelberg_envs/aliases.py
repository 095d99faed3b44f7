"""``stackelberg_envs.agents``: the package ``agents`` under a name that no other distribution takes.

A process has these modules once, under the name by which they were first imported; the other name finds the same
objects. So ``stackelberg_envs.agents`` works whatever ``import agents`` gives, and leaves that name alone.
"""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, cast

__all__ = ["LONG", "SHORT", "install"]

SHORT, LONG = "agents", "stackelberg_envs.agents"
#: By this line the front of the package is told from other packages of its name.
MARK = '__distribution__ = "stackelberg-envs"'
#: A wheel has the files inside this package, too, where no other distribution writes; a checkout has them beside it.
FOLDER = next(up / SHORT for up in Path(__file__).parents if (up / SHORT / "registry.py").is_file())
#: Folders into which distributions are installed.
INSTALLED = {"site-packages", "dist-packages"}


class _Finder:
    """Finds modules of one name under the other, where the package is loaded under that."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return the spec of a module of the package, unless it is found in the usual way."""
        for name in (LONG, SHORT):
            if fullname.startswith(f"{name}."):
                loaded = sys.modules[name].__name__
                return None if loaded == name else _same(fullname, loaded + fullname.removeprefix(name))
        if fullname == LONG:
            if _is_ours(sys.modules.get(SHORT)):
                return _same(LONG, SHORT)
            return spec_from_file_location(LONG, FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)])
        if fullname == SHORT and LONG not in sys.modules:
            _tell_of_another(PathFinder.find_spec(SHORT), stacklevel=3)
        return None


class _Loader:
    """Gives a module that has another name already."""

    def __init__(self, name: str) -> None:
        self.name = name

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module itself."""
        module = import_module(self.name)
        self._own_spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing but restore what the import put in its place: the module has run already."""
        module.__spec__ = self._own_spec


def install() -> None:
    """Make both names work, once; say so if the short one has been imported and is not this package."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, cast("Any", _Finder()))
        _tell_of_another(getattr(sys.modules.get(SHORT), "__spec__", None), stacklevel=4)


def _same(fullname: str, name: str) -> ModuleSpec:
    return ModuleSpec(fullname, cast("Any", _Loader(name)))


def _is_ours(module: ModuleType | None) -> bool:
    return getattr(module, "__file__", None) is not None and _has_mark(str(cast("ModuleType", module).__file__))


def _has_mark(path: str) -> bool:
    """Return whether a file is the front of the package, this copy or another."""
    try:
        return MARK in Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def _tell_of_another(spec: ModuleSpec | None, stacklevel: int) -> None:
    """Warn of a package that a distribution has installed as `agents`; a folder of the user's own is no surprise."""
    origin = None if spec is None else spec.origin
    if origin is not None and INSTALLED & set(Path(origin).parts) and not _has_mark(origin):
        warnings.warn(
            f"`import agents` gives {origin}, which another distribution installed; "
            f"the agents of stackelberg-envs are `{LONG}`",
            stacklevel=stacklevel,
        )
