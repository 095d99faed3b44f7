"""Comparisons by the command line."""

import csv
import sys

import pytest

from agents.cli.main import main
from tests.agents.cli.words import refused
from tests.made_records import made_store


@pytest.fixture
def folder(tmp_path):
    return str(made_store(tmp_path / "store", ("bchg", "hpgd", "naive"), seeds=3).folder)


def test_compare_prints_the_tables_whole(folder, capsys):
    assert main(["compare", folder, "--against", "bchg", "--by-task", "--cost", "seconds"]) == 0
    text = capsys.readouterr().out
    assert "information: RESPONSE" in text
    assert "tasks: FourRooms" in text
    assert "seconds to 50 %" in text
    assert "is bchg better than" in text
    # A line is never broken, however narrow the terminal: it could not be read then.
    assert max(map(len, text.split("\n"))) > 100


def test_compare_writes_tables_and_pictures(folder, tmp_path, capsys):
    table, curves, profiles = (tmp_path / "out" / name for name in ("table.csv", "curves.pdf", "profiles.png"))
    words = ["--suite", "tabular-v1", "--leader", "bchg", "--leader", "naive", "--task", "FourRooms"]
    files = ["--format", "csv", "--output", str(table), "--plot", str(curves), "--profiles", str(profiles)]
    assert main(["compare", folder, *words, *files]) == 0
    assert capsys.readouterr().out == f"Table: {table}\nPicture: {curves}\nPicture: {profiles}\n"
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [(row["leader"], row["tasks"]) for row in rows] == [("bchg", "FourRooms"), ("naive", "FourRooms")]
    assert curves.read_bytes().startswith(b"%PDF")
    assert profiles.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--suite", "tabular"], "unknown suite 'tabular'; did you mean 'tabular-v1'"),
        (["--leader", "bcgh"], "unknown leader 'bcgh'; did you mean 'bchg'"),
        (["--against", "bcgh"], "unknown leader 'bcgh'; did you mean 'bchg'"),
        (["--task", "FourRoom"], "unknown task 'FourRoom'; did you mean 'FourRooms'"),
        (["--format", "tex"], "unknown format 'tex'; did you mean 'latex'"),
        (["--cost", "second"], "unknown cost 'second'; did you mean 'seconds'"),
        (["--plot", "x.txt"], "ending in .png"),
        (["--output", ""], "--output: expected a path"),
    ],
)
def test_compare_refuses_in_one_line(folder, words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in refused(capsys, "compare", folder, *words)
    assert not (tmp_path / "x.txt").exists()


def test_compare_refuses_what_is_no_benchmark(tmp_path, capsys, folder, monkeypatch):
    assert "expected the folder of a benchmark" in refused(capsys, "compare", str(tmp_path / "none"))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert "[plots]" in refused(capsys, "compare", folder, "--plot", str(tmp_path / "x.png"))
