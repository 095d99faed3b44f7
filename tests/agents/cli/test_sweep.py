"""The command that runs many jobs: what it says, and what it ends with."""

import pytest

from agents.benchmark.store import Store
from agents.cli.main import main
from tests.agents.cli.words import ROOMS
from tests.games import TOY

QUICK = ["--steps", "2000", "--engine", "sequential"]


def test_a_sweep_says_what_it_left_out_and_where_the_records_are(tmp_path, capsys):
    folder = tmp_path / "runs"
    words = [TOY, ROOMS, "--leaders", "naive,biac", "--seeds", "1", "--output", str(folder), *QUICK]
    assert main(["sweep", *words]) == 0
    out, err = capsys.readouterr()
    assert "Left out: biac on FourRooms: biac: expected a commitment that sets leader_policy" in out
    assert "3 of 3 jobs are finished" in out
    assert "stackelberg compare" in out
    assert "3 of 3 jobs" in err
    assert len(Store(folder).addresses()) == 3


def test_failures_are_shown_and_end_with_another_code(tmp_path, capsys):
    words = [TOY, "--leaders", "naive,tests.awkward_leaders:Raises", "--seeds", "3,4", "--output", str(tmp_path)]
    assert main(["sweep", *words, *QUICK, "--quiet"]) == 1
    out, err = capsys.readouterr()
    assert out.count("ValueError: no idea") == 2
    assert "2 of 4 jobs are finished" in out
    assert err == ""
    assert {record.job.seed for record in Store(tmp_path).records()} == {3, 4}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["stackelberg/DicreteToy-v0", "--leaders", "bchg"], "did you mean 'stackelberg/DiscreteToy-v1'"),
        ([TOY, "--leaders", "bchgg"], "did you mean 'bchg'"),
        ([TOY], "expected leaders beside games"),
        ([TOY, "--leaders", "bchg", "--seeds", "many"], "expected numbers, got 'many'"),
        ([TOY, "--leaders", "bchg", "--engine", "spark"], "engine: expected one of loky"),
        ([TOY, "--leaders", "bchg", "--steps", "0"], "expected an integer of at least 1"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, capsys, words, says):
    folder = tmp_path / "new"
    assert main(["sweep", *words, "--output", str(folder)]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert len(err.splitlines()) == 1
    assert not folder.exists()
