"""Compiled loops: what the cache on disk holds is checked, and what is damaged is compiled again."""

import importlib.util
import os
import sys

import pytest

SOURCE = """
from stackelberg_envs.jit import compiled

@compiled
def double(x):
    return 2 * x
"""


def load(folder):
    """Import the module anew, as a process that starts does."""
    path = folder / "looped.py"
    if not path.exists():
        path.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("looped", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.double


def files(folder, ending):
    return sorted((folder / "__pycache__").glob(f"looped.double-*.{ending}"))


def hits(double):
    return sum(double.dispatcher.stats.cache_hits.values())


def test_what_was_compiled_is_kept_on_disk(tmp_path):
    assert load(tmp_path)(2) == 4
    again = load(tmp_path)
    assert again(2) == 4
    assert hits(again) == 1


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize(
    "damage", [lambda data: data[:-7], lambda data: b"", lambda data: data[:999] + bytes([data[999] ^ 4]) + data[1000:]]
)
def test_a_damaged_file_is_replaced_with_a_warning(ending, damage, tmp_path):
    assert load(tmp_path)(2) == 4
    [path] = files(tmp_path, ending)
    path.write_bytes(damage(path.read_bytes().ljust(1_500)))
    with pytest.warns(UserWarning, match=rf"cache is damaged; compiling again .*\.{ending}: expected what was written"):
        assert load(tmp_path)(2) == 4
    again = load(tmp_path)
    assert again(2) == 4
    assert hits(again) == 1


def test_files_of_another_version_of_numba_are_not_looked_at(tmp_path, monkeypatch):
    double = load(tmp_path)
    monkeypatch.setattr(double.dispatcher._cache._cache_file, "_version", "0.1")
    double(2)
    again = load(tmp_path)
    assert again(2) == 4
    assert hits(again) == 0


def test_a_cache_that_cannot_be_written_ends_nothing(tmp_path, monkeypatch):
    double = load(tmp_path)

    def full(*arguments):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full)
    with pytest.warns(UserWarning, match="compiled code could not be kept"):
        assert double(2) == 4
    assert not files(tmp_path, "nbi")


def test_without_a_folder_for_the_cache_functions_are_compiled_each_time(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "stackelberg_envs.jit_cache._CheckedCache", lambda function: (_ for _ in ()).throw(RuntimeError())
    )
    assert load(tmp_path)(2) == 4
    assert not (tmp_path / "__pycache__").exists() or not files(tmp_path, "nbi")


CALLED = """
from typing import NamedTuple
from stackelberg_envs.jit import compiled

FACTOR = 2

class Pair(NamedTuple):
    first: int
    second: int

@compiled
def scaled(x):
    return FACTOR * x
"""
CALLER = """
from __future__ import annotations
import {called} as module
from {called} import Pair, scaled
from stackelberg_envs.jit import compiled

@compiled
def use(pair: Pair, one: int) -> int:
    return defined_below(pair) + one

@compiled
def defined_below(pair: Pair) -> int:
    return {call}(pair.first)
"""


@pytest.fixture
def other_file(tmp_path, monkeypatch):
    """Return what calls a loop of another file, both imported anew: its value, and whether it was in the cache."""
    monkeypatch.syspath_prepend(tmp_path)
    names = iter(range(100))

    def call(source, how="scaled", lines=0, name="called"):
        called = tmp_path / f"{name}.py"
        called.write_text(source)
        (tmp_path / "looped.py").write_text("#\n" * lines + CALLER.format(called=name, call=how))
        for module in (name, "looped"):
            sys.modules.pop(module, None)
        importlib.invalidate_caches()
        os.utime(called, ns=(next(names) * 10**12,) * 2)
        module = importlib.import_module("looped")
        value = module.use(module.Pair(3, 5), 1)
        return value, hits(module.use)

    return call


@pytest.mark.parametrize("how", ["scaled", "module.scaled"])
@pytest.mark.parametrize(
    ("change", "value"),
    [
        (("return FACTOR * x", "return FACTOR * x + 1"), 8),
        (("FACTOR = 2", "FACTOR = 7"), 22),
        (("first: int\n    second: int", "second: int\n    first: int"), 11),
    ],
)
def test_what_changes_in_another_file_is_compiled_again(change, value, how, other_file):
    assert other_file(CALLED, how) == (7, 0)
    assert other_file(CALLED, how) == (7, 1)
    assert other_file(CALLED.replace(*change), how) == (value, 0)


def test_what_only_moves_is_not_compiled_again(other_file):
    assert other_file(CALLED) == (7, 0)
    assert other_file("# A comment.\n" + CALLED, lines=4) == (7, 1)


@pytest.mark.parametrize("how", ["scaled", "module.scaled"])
def test_what_moves_to_another_module_is_compiled_again_without_a_warning(how, other_file, tmp_path):
    assert other_file(CALLED, how) == (7, 0)
    (tmp_path / "called.py").unlink()
    sys.modules.pop("called")
    assert other_file(CALLED, how, name="elsewhere") == (7, 0)
    assert other_file(CALLED, how, name="elsewhere") == (7, 1)
