"""Checkpoints: what a run needs to go on, as one tree in one file.

A checkpoint holds numbers, strings and arrays, and says what they are by names that stand in the code of who reads
them. It is bound together by a digest of all of it, so that a file that was damaged or changed is told from a whole
one before anything in it is used. A digest is no signature: whoever makes a file can make its digest too. Therefore
each part is still checked against the run that takes it over.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stackelberg_envs.errors import OutputError

from ..state.stateful import Count, Field, Record, Text, load_fields
from ..state.tree import Tree, digest, read_tree, to_bytes
from .curves import CurveMark
from .files import CHECKPOINT_NAME, named, require_file, write_atomically

__all__ = ["FORMAT", "read_checkpoint", "write_checkpoint"]

FORMAT = 4


class _Options(Field):
    """Options by name; whoever takes them checks them."""

    def load(self, tree: Tree, own: Any, owner: Any, where: str) -> Any:
        if not isinstance(tree, dict) or not all(isinstance(name, str) for name in tree):
            raise OutputError(f"{where}: expected a dict with names as keys, got {type(tree).__name__}")
        return tree


class _Versions(_Options):
    """Versions of packages by name."""

    def load(self, tree: Tree, own: Any, owner: Any, where: str) -> Any:
        found = super().load(tree, own, owner, where)
        if not all(isinstance(version, str) for version in found.values()):
            raise OutputError(f"{where}: expected versions as strings, got others")
        return found


#: What a checkpoint holds beside its format and its digest.
CONTENT: dict[str, Field] = {
    "config": _Options(),
    "checkpoint_every": Count(low=1, optional=True),
    "game_digest": Text(),
    "versions": _Versions(),
    "curve": Record(CurveMark, rows=Count(), size=Count(), digest=Text()),
    "state": _Options(),
}


def write_checkpoint(folder: Path, content: dict[str, Tree]) -> Path:
    """Write a checkpoint into a folder.

    Raises
    ------
    ArgumentError
        Something in it cannot be stored.
    OutputError
        It cannot be written.
    """
    whole = {"format": FORMAT, **content}
    return write_atomically(folder / CHECKPOINT_NAME, to_bytes({**whole, "digest": digest(whole)}))


def read_checkpoint(folder: Path) -> dict[str, Any]:
    """Return what :func:`write_checkpoint` wrote, with the curve's mark as a :class:`CurveMark`.

    Raises
    ------
    OutputError
        There is none, or it is damaged, changed, or of another version.
    """
    path = folder / CHECKPOINT_NAME
    with named(f"{path}: expected the checkpoint of a run that was stopped"):
        if not path.exists():
            raise OutputError(f"{path}: expected the checkpoint of a run that was stopped, got no such file")
    tree = read_tree(require_file(path))
    if not isinstance(tree, dict) or not {"format", "digest"} <= tree.keys():
        raise OutputError(f"{path}: expected the checkpoint of a run, got something else")
    if type(tree["format"]) is not int or tree["format"] != FORMAT:
        raise OutputError(f"{path}: expected format {FORMAT}, got {tree['format']!r:.100}")
    given = tree.pop("digest")
    if type(given) is not str or given != digest(tree):
        raise OutputError(f"{path}: expected content that fits its digest, got a file that was damaged or changed")
    del tree["format"]
    return load_fields(None, CONTENT, tree, str(path))
