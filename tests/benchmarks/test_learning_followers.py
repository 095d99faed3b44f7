"""Leaders against followers that learn: what a cell says, and that runs which are there are not repeated."""

import json

import pytest

from benchmarks import learning_followers

SUITE = """
format = 1
name = "small"
steps = 600

[[tasks]]
name = "toy, learns on"
game = "stackelberg/DiscreteToy-v1"
followers = [{ kind = "soft_q_learning", options = { steps = 50 } }]

[[leaders]]
kind = "random_search"
"""


def test_a_cell_has_medians_and_a_star_where_the_runs_noticed():
    lines = [{"exact": exact, "played": 0.5, "settled": settled} for exact, settled in ((0.1, True), (0.3, False))]
    assert learning_followers.cell(lines) == "0.20 / 0.50 *"
    assert learning_followers.cell([*lines, {"exact": 0.3, "played": 0.9, "settled": True}]) == "0.30 / 0.50"
    assert learning_followers.cell([]) == ""


def test_runs_are_kept_and_not_repeated(tmp_path, monkeypatch):
    suite, results = tmp_path / "small.toml", tmp_path / "found.jsonl"
    suite.write_text(SUITE)
    words = ["--suite", str(suite), "--seeds", "1", "--results", str(results)]
    learning_followers.main(words)
    (line,) = map(json.loads, results.read_text().splitlines())
    assert (line["task"], line["leader"], line["seed"]) == ("toy, learns on", "random_search", 0)
    told = results.with_suffix(".md").read_text().splitlines()
    assert told[0] == "| toy | learns on |"
    assert told[2].startswith("| `random_search` | ")
    monkeypatch.setattr(learning_followers, "measure", lambda *given: pytest.fail("it was done before"))
    learning_followers.main(words)
