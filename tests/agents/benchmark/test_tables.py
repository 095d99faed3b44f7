"""Tables as text: aligned, escaped, and with all digits in CSV files."""

import csv
import math

import pytest

from agents.benchmark.statistics import Estimate, Reach
from agents.benchmark.tables import FORMATS, Column, Entrant, Improvement, PValue, Runs, Table, render
from stackelberg_envs.errors import UnknownNameError

COLUMNS = (
    Column("leader", "leader"),
    Column("score", "IQM [95 %]"),
    Column("worst", "worst"),
    Column("better", "P(> a_b)"),
    Column("steps", "to 50 %"),
    Column("p", "p"),
    Column("runs", "runs"),
)
INF = math.inf
TABLE = Table(
    {"information": "ACTIONS_ONLY", "setting": ""},
    COLUMNS,
    [
        (
            Entrant("a_b", True),
            Estimate(1 / 3, 0.25, 0.5),
            -0.5,
            Improvement(math.nan, "a_b"),
            Reach(950.0, 900.0, 5, 5),
            PValue(0.0004),
            Runs(5, 5),
        ),
        (
            Entrant("50 % & | more\x1b[0m", False),
            Estimate(0.1),
            math.nan,
            Improvement(0.25, "a_b"),
            Reach(INF, INF, 0, 5),
            PValue(0.5),
            Runs(4, 5),
        ),
    ],
    ["* some are missing"],
)


def test_the_terminals_table_is_aligned():
    lines = render([TABLE], ["Note."], "terminal").split("\n")
    assert lines[0] == "information: ACTIONS_ONLY"
    assert len({len(line) for line in lines[2:6]}) == 1
    assert "0.333 [0.250, 0.500]" in lines[4]
    assert lines[4].split()[-3:] == ["950", "<0.001", "5"]
    assert lines[5].split()[-3:] == ["never", "0.500", "4/5"]
    assert lines[6] == "* some are missing"
    assert lines[-1] == "Note."


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_names_do_not_command_terminals(kind):
    assert "\x1b" not in render([TABLE], [], kind)


def test_markdown_has_as_many_cells_in_each_row():
    text = render([TABLE], ["a|b"], "markdown")
    rows = [line for line in text.split("\n") if line.startswith("| ")]
    assert len(rows) == 4
    assert {line.replace("\\|", "").count("|") for line in rows} == {len(COLUMNS) + 1}
    assert r"a\_b" in text
    assert r"* a\|b" in text


def test_latex_escapes_and_balances():
    text = render([TABLE], ["50 % of\nall"], "latex")
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1
    body = [line for line in text.split("\n") if line.endswith(r"\\") and "multicolumn" not in line]
    assert len(body) == 3
    assert {line.replace(r"\&", "").count("&") for line in body} == {len(COLUMNS) - 1}
    assert r"50 \% \& | more" in text
    assert r"a\_b" in text
    # What is not part of the table is a comment.
    outside = text.partition(r"\end{tabular}")[2].strip().split("\n")
    assert all(line.startswith("%") for line in outside if line)


def test_csv_keeps_all_digits_and_leaves_the_unknown_empty():
    first, second = csv.DictReader(render([TABLE], ["told elsewhere"], "csv").splitlines())
    assert float(first["score"]) == 1 / 3
    assert (first["score_low"], first["score_high"]) == ("0.25", "0.5")
    assert (first["leader"], first["better"], first["better_over"]) == ("a_b", "", "a_b")
    assert (first["steps_median"], first["steps_expected"], first["steps_reached"]) == ("950.0", "900.0", "5")
    assert float(first["p"]) == 0.0004
    assert first["information"] == "ACTIONS_ONLY"
    assert (second["score_low"], second["worst"], second["steps_median"]) == ("", "", "")
    assert (second["runs"], second["runs_asked"]) == ("4", "5")


def test_tables_of_other_columns_share_one_csv_file():
    other = Table({"information": "MODEL", "test of": "x"}, (Column("p_value", "p"),), [(PValue(1.0),)])
    rows = list(csv.DictReader(render([TABLE, other], [], "csv").splitlines()))
    assert [row["p_value"] for row in rows] == ["", "", "1.0"]
    assert rows[2]["leader"] == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.0123, "0.0123"),
        (999.4, "999"),
        (999.6, "1k"),
        (12_345.0, "12.3k"),
        (999_600.0, "1M"),
        (3e9, "3G"),
    ],
)
def test_counts_have_three_digits(value, text):
    table = Table({}, (Column("a", "a"),), [(Reach(value, value, 1, 1),)])
    assert render([table], [], "markdown").split("\n")[-1] == f"| {text} |"


def test_an_unknown_format_is_named():
    with pytest.raises(UnknownNameError, match="unknown format 'latx'; did you mean 'latex'"):
        render([TABLE], [], "latx")
