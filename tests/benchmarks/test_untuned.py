"""The table of leaders without options: what a share is, and that the command makes the table."""

import json

import pytest

import agents
from agents.benchmark.suite_files import load_suite
from benchmarks import untuned
from benchmarks.untuned import Row

SUITE = """
format = 1
name = "small"
seeds = 2
steps = 600

[[tasks]]
name = "toy"
game = "stackelberg/DiscreteToy-v1"

[[leaders]]
kind = "naive"

[[leaders]]
kind = "random_search"
"""


def test_the_command_prints_shares_of_the_way_for_each_leader(tmp_path, capsys):
    path = tmp_path / "small.toml"
    path.write_text(SUITE)
    untuned.main(
        [str(path), "--output", str(tmp_path / "runs"), "--leaders", "exact", "naive", "--seeds", "1", "--each"]
    )
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[1] for line in lines[2:4]] == ["exact", "naive"]
    cells = lines[2].split(" | ")
    assert cells[2] == "1"
    assert [float(cell) for cell in cells[3:6]] == pytest.approx([1.0, 1.0, 1.0], abs=0.01)
    assert cells[6] == cells[7] == "0"
    value = agents.run("stackelberg/DiscreteToy-v1", leader="exact", steps=600).leader_value
    words, _, told = lines[4].partition(": ")
    assert words == "toy, exact"
    assert json.loads(told) == {"0": pytest.approx((value - 0.61700539) / (34.992641 - 0.61700539), abs=1e-4)}


def test_a_row_counts_seeds_below_the_start_and_below_naive():
    row = Row("a", "b", {0: -0.1, 1: 0.5, 2: 0.9}, {0: -0.2, 1: 0.6, 3: 1.0}, {0: 1.0, 1: 2.0, 2: 6.0})
    assert row.cells() == ["a", "b", "3", "-0.100", "0.020", "0.500", "1", "1", "3.0"]


def test_rows_of_several_tasks_are_pooled():
    rows = [Row(task, "b", {0: share}, {}, {0: 1.0}) for task, share in (("a", 0.0), ("c", 1.0))]
    (made,) = untuned.pooled(rows)
    assert made.cells() == ["all of 2", "b", "2", "0.000", "0.100", "0.500", "0", "-", "1.0"]
    assert untuned.pooled(rows[:1]) == []


@pytest.mark.parametrize("name", ["untuned-v1", "untuned-rooms-v1"])
def test_suites_state_the_value_of_the_default_start(name):
    for task in load_suite(name).tasks:
        assert untuned.default_start(task) == pytest.approx(task.start, rel=1e-6)
