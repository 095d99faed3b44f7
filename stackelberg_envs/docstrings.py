"""Docstrings as the source has them, which ``python -OO`` leaves out of what it runs."""

from __future__ import annotations

import ast
import functools
import inspect
import sys
from types import ModuleType
from typing import Any

__all__ = ["docstring_of", "meanings_of", "summary_of"]


def docstring_of(thing: Any) -> str:
    """Return the docstring of a module, class or function, or "" where it has none and no source can be read."""
    if sys.flags.optimize < 2:
        return inspect.getdoc(thing) or ""
    # What is inherited from abstract bases of the standard library is there even then, and says nothing.
    try:
        if isinstance(thing, ModuleType):
            return _docstrings(thing).get("", "")
        return _docstrings(sys.modules[thing.__module__]).get(thing.__qualname__, "")
    except (OSError, TypeError, SyntaxError, KeyError, AttributeError):
        return ""


def summary_of(thing: Any) -> str:
    """Return the first paragraph of a docstring, on one line."""
    return " ".join(docstring_of(thing).partition("\n\n")[0].split())


def meanings_of(thing: Any) -> dict[str, str]:
    """Return name -> text of what a docstring says of parameters or attributes.

    Those of a class include what its bases say of theirs. Of several told of in one text, the others refer
    to the first.
    """
    from docstring_parser import DocstringStyle, parse

    found: dict[str, str] = {}
    for part in reversed(thing.__mro__ if isinstance(thing, type) else [thing]):
        for item in parse(docstring_of(part), DocstringStyle.NUMPYDOC).params:
            first, *others = [name.strip() for name in item.arg_name.split(",")]
            found[first] = " ".join((item.description or "").split())
            found |= dict.fromkeys(others, f"See `{first}`.")
    return found


@functools.cache
def _docstrings(module: ModuleType) -> dict[str, str]:
    """Return qualified name -> docstring; the module's own under ""."""
    found: dict[str, str] = {}

    def visit(node: ast.AST, path: tuple[str, ...]) -> None:
        for inner in ast.iter_child_nodes(node):
            if isinstance(inner, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                found[".".join((*path, inner.name))] = ast.get_docstring(inner) or ""
                visit(
                    inner, (*path, inner.name) if isinstance(inner, ast.ClassDef) else (*path, inner.name, "<locals>")
                )

    tree = ast.parse(inspect.getsource(module))
    found[""] = ast.get_docstring(tree) or ""
    visit(tree, ())
    return found
