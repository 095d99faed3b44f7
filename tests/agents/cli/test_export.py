"""Exports by the command line."""

import json

from agents.cli.main import main
from tests.agents.cli.words import refused
from tests.made_records import made_failure, made_job, made_store


def test_a_file_is_written_and_what_it_lacks_is_said(tmp_path, capsys):
    store = made_store(tmp_path / "store", seeds=1)
    for chosen in ("parquet", "csv", "marl-eval"):
        path = tmp_path / f"x.{chosen}"
        assert main(["export", str(store.folder), "--format", chosen, "--output", str(path)]) == 0
        captured = capsys.readouterr()
        assert captured.out == f"Exported: {path}\n"
        assert not captured.err
    assert "actions_only" in json.loads(path.read_text())
    store.add(made_failure(made_job(seed=9)))
    assert main(["export", str(store.folder), "--format", "marl-eval", "--output", str(path)]) == 0
    assert "1 jobs without a score" in capsys.readouterr().err


def test_what_is_wrong_is_said_in_one_line(tmp_path, capsys):
    store = str(made_store(tmp_path / "store", seeds=1).folder)
    assert "parquet" in refused(capsys, "export", store, "--output", "x", "--format", "parquett")
    assert "runs" in refused(capsys, "export", store, "--output", "x", "--view", "rnus")
    assert "store.json" in refused(capsys, "export", str(tmp_path), "--output", "x")
