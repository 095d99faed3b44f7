"""The table of versions that are tested: its rows, and what it, the package and the workflows say of Pythons."""

import re
import runpy
import tomllib

import pytest

from tests.house import ROOT
from tests.lowest_versions import constraints

versions = runpy.run_path(str(ROOT / "benchmarks" / "versions.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_pythons_are_the_same_wherever_they_are_listed():
    pythons = versions["PYTHONS"]
    named = [re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", line) for line in PROJECT["classifiers"]]
    assert tuple(found[1] for found in named if found) == pythons
    assert PROJECT["requires-python"] == f">={pythons[0]}"
    for name in ("ci", "release"):
        text = (ROOT / ".github" / "workflows" / f"{name}.yml").read_text("utf-8")
        assert tuple(re.findall(r"3\.\d+", re.search(r"python: (\[.*\])", text)[1])) == pythons


@pytest.mark.parametrize(("python", "numpy"), [("3.11", "numpy==1.26"), ("3.13", "numpy==2.1")])
def test_the_lowest_versions_are_those_of_that_python(python, numpy):
    found = constraints(ROOT / "pyproject.toml", python)
    assert [line for line in found if line.startswith("numpy==")] == [numpy]
    assert len(found) == len({line.partition("==")[0] for line in found})


def test_a_python_that_is_not_there_has_a_row_that_says_so(tmp_path):
    cells = versions["row"]("3.99", "lowest", tmp_path / "no.whl")
    assert cells[:2] == ["3.99", "lowest"]
    assert cells[-3:-1] == ["no such Python on this machine"] * 2
    assert len(cells) == len(versions["COLUMNS"])


def test_rows_that_are_made_anew_replace_their_own_only(tmp_path, monkeypatch):
    monkeypatch.setitem(versions["write"].__globals__, "TABLE", tmp_path / "table.md")
    empty = ["-"] * (len(versions["COLUMNS"]) - 2)
    rows = {("3.12", "newest"): ["3.12.1", "newest", *empty], ("3.11", "lowest"): ["3.11.7", "lowest", *empty]}
    versions["write"](rows)
    assert versions["written_rows"]() == rows
    versions["write"](versions["written_rows"]() | {("3.12", "newest"): ["3.12.2", "newest", *empty]})
    assert [cells[0] for cells in versions["written_rows"]().values()] == ["3.11.7", "3.12.2"]


def test_the_committed_table_has_every_python_and_all_passes():
    rows = versions["written_rows"]()
    assert set(rows) == {(python, which) for python in versions["PYTHONS"] for which in versions["SETS"]}
    for cells in rows.values():
        assert cells[-3:-1] == ["passes", "passes"]


@pytest.mark.parametrize("workflow", ["ci", "release"])
def test_what_a_workflow_runs_is_there(workflow):
    text = (ROOT / ".github" / "workflows" / f"{workflow}.yml").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"run: make ([a-z-]+)", text)) <= targets
    for script in re.findall(r"run: (?:python )?([\w./]+/\w+(?:\.py)?)", text):
        assert (ROOT / script).exists()
