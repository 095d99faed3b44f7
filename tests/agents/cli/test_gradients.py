"""The comparison of gradients by the command line."""

import json

import pytest

from agents.cli.main import main
from tests.agents.cli.words import TOY, refused


def test_gradients_prints_a_table_and_writes_numbers_and_a_picture(tmp_path, capsys):
    folder = tmp_path / "grad"
    words = ["--leaders", "bchg, naive", "--sizes", "200,2e3", "--seeds", "3", "--output", str(folder)]
    assert main(["gradients", TOY, "--set", "reward=2", *words]) == 0
    out = capsys.readouterr().out
    rows = [line.split()[:3] for line in out.splitlines() if line.startswith(("bchg", "naive"))]
    assert rows == [
        ["bchg", "REWARDS_OBSERVED", "200"],
        ["bchg", "REWARDS_OBSERVED", "2,000"],
        ["naive", "ACTIONS_ONLY", "200"],
        ["naive", "ACTIONS_ONLY", "2,000"],
    ]
    assert len(json.loads((folder / "gradients.json").read_text())["rows"]) == 4
    assert (folder / "gradients.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--leaders", "bcgh"], "did you mean 'bchg'"),
        (["--leaders", "exact"], "exact: expected a leader that estimates a gradient, such as"),
        (["--leaders", ","], "expected at least one leader"),
        (["--sizes", "100,many"], "argument --sizes: expected an integer of at least 1, got 'many'"),
        (["--seeds", "1"], "argument --seeds: expected an integer of at least 2"),
        (["--set", "rewrad=2"], "expected arguments among reward"),
    ],
)
def test_bad_input_of_gradients_is_refused_in_one_line(words, message, capsys):
    assert message in refused(capsys, "gradients", TOY, *words)
