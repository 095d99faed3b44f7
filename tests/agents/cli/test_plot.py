"""Learning curves by the command line."""

import sys

import pytest

from agents.cli.main import main
from tests.agents.cli.words import SHORT, TOY, refused


def test_plot_draws_files_and_folders(tmp_path, capsys):
    for seed in ("0", "1"):
        assert main(["run", TOY, *SHORT, "--seed", seed, "--quiet", "--output", str(tmp_path / seed)]) == 0
    picture = tmp_path / "pictures" / "curve.png"
    records = [str(tmp_path / "0"), str(tmp_path / "1" / "record.json")]
    assert main(["plot", *records, "--output", str(picture)]) == 0
    assert f"Picture: {picture}" in capsys.readouterr().out
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "3", '{"format": 99}', '{"format": 1, "game": "x"}'])
def test_bad_record_files_are_named(text, tmp_path, capsys):
    path = tmp_path / "record.json"
    path.write_text(text)
    assert str(path) in refused(capsys, "plot", str(path), "--output", str(tmp_path / "x.png"))


def test_plot_refuses_missing_records_unknown_formats_and_missing_matplotlib(tmp_path, capsys, monkeypatch):
    assert "expected a run's record.json" in refused(capsys, "plot", str(tmp_path / "none"))
    assert main(["run", TOY, *SHORT, "--quiet", "--output", str(tmp_path)]) == 0
    assert "ending in .png" in refused(capsys, "plot", str(tmp_path), "--output", str(tmp_path / "x.txt"))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert "[plots]" in refused(capsys, "plot", str(tmp_path), "--output", str(tmp_path / "x.png"))
