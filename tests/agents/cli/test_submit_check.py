"""Checks of archives by the command line: what disagrees, line by line, and the exit code."""

import agents
from agents.benchmark.submission import submit
from agents.cli.main import main
from tests.agents.cli.words import TOY, refused
from tests.made_records import made_store


def test_the_exit_code_says_whether_everything_agrees(tmp_path, capsys):
    agents.sweep(TOY, "random_search", 1, steps=1_000, output=tmp_path / "real", engine="sequential", progress=False)
    submit(tmp_path / "real", tmp_path / "x.zip", name="Team", contact="me")
    capsys.readouterr()
    assert main(["submit-check", str(tmp_path / "x.zip")]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "Team (CC-BY-4.0; me): sweep"
    assert out[-1] == "1 records; 1 values held to exact ones, 0 to play; 0 disagreements"

    made_store(tmp_path / "made", leaders=("bchg",), tasks=("DiscreteToy",), seeds=3, name="mine")
    submit(tmp_path / "made", tmp_path / "y.zip", name="Team\x1b[31m", contact="me")
    assert main(["submit-check", str(tmp_path / "y.zip")]) == 2
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert sum(line.startswith("disagrees: bchg on DiscreteToy, seed ") for line in out.splitlines()) == 3


def test_what_is_no_archive_is_said_in_one_line(tmp_path, capsys):
    (tmp_path / "x.zip").write_bytes(b"nonsense")
    assert "expected an archive" in refused(capsys, "submit-check", str(tmp_path / "x.zip"))
