"""Questions by the command line: four formats, and refusals in one line."""

import csv
import io
import json

import pytest

from agents.cli.main import main
from agents.cli.query import as_csv, as_json, as_markdown, as_table
from tests.agents.cli.words import refused
from tests.made_records import made_store

COLUMNS = ["name", "x", "note"]
ROWS = [("a|b", 1.23456789, None), ("line\nend \x1b[31m", float("inf"), [1, 2])]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(made_store(tmp_path_factory.mktemp("store"), seeds=1).folder)


def test_a_table_is_aligned_and_commands_no_terminal():
    assert as_table(COLUMNS, ROWS).splitlines() == [
        "name                     x  note",
        "a|b                1.23457",
        "line end \\x1b[31m      inf  [1, 2]",
    ]
    assert as_table(COLUMNS, []) == "name  x  note\n"


def test_markdown_keeps_its_columns():
    assert as_markdown(COLUMNS, ROWS[:1]) == "| name | x | note |\n| --- | --- | --- |\n| a\\|b | 1.23457 |  |\n"


def test_csv_and_json_keep_all_digits():
    rows = list(csv.reader(io.StringIO(as_csv(COLUMNS, ROWS), newline="")))
    assert rows == [COLUMNS, ["a|b", "1.23456789", ""], [ROWS[1][0], "inf", "[1, 2]"]]
    told = json.loads(as_json(COLUMNS, ROWS), parse_constant=pytest.fail)
    assert told == [{"name": "a|b", "x": 1.23456789, "note": None}, {"name": ROWS[1][0], "x": None, "note": [1, 2]}]
    assert json.loads(as_json(COLUMNS, [])) == []


def test_an_answer_is_printed(folder, capsys):
    assert main(["query", folder, "select entrant, count(*) n from runs group by all order by all"]) == 0
    assert capsys.readouterr().out.split() == ["entrant", "n", "bchg", "2", "hpgd", "2", "naive", "2"]
    assert main(["query", folder, "select max(started) as last from runs", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"last": "2026-01-01 00:00:00"}]


def test_what_is_wrong_is_said_in_one_line(folder, tmp_path, capsys):
    assert "runs, curves, failures, tasks, sweeps" in refused(capsys, "query", folder, "select * from rnus")
    assert "store.json" in refused(capsys, "query", str(tmp_path), "select 1")
