"""Suites by the command line."""

import pytest

from agents.benchmark.suite_files import suite_names
from agents.cli.main import main
from tests.agents.cli.words import ROOMS, TOY, refused


def test_suites_are_listed_and_shown(capsys):
    assert main(["suites"]) == 0
    out = capsys.readouterr().out
    assert all(f"{name}: " in out for name in suite_names())
    assert main(["suites", "continuous-v1"]) == 0
    out = capsys.readouterr().out
    assert "stackelberg/TaxDesign-v0" in out
    assert "240 jobs: seeds 0 to 9" in out


def test_a_file_is_shown_with_who_is_left_out(tmp_path, capsys):
    path = tmp_path / "mine.toml"
    path.write_text(
        f'format = 1\nname = "mine"\nseeds = [3, 5]\n[[tasks]]\ngame = "{TOY}"\n'
        f'[[tasks]]\ngame = "{ROOMS}"\n'
        '[[leaders]]\nkind = "biac"\n[[leaders]]\nkind = "tests.awkward_leaders:Awkward"\n'
    )
    assert main(["suites", str(path), "--import", "tests.awkward_leaders"]) == 0
    out = capsys.readouterr().out
    assert "left out: biac on FourRooms" in out
    assert "6 jobs: seeds 3, 5" in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["suites", "tabular-v2"], "did you mean 'tabular-v1'"),
        (["suites", "nowhere.toml"], "expected a suite"),
        (["suites", "paper-bchg-v1"], "--import published.four_rooms"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line(words, says, capsys):
    assert says in refused(capsys, *words)
