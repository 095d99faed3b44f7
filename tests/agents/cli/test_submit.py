"""Archives by the command line."""

from agents.cli.main import main
from tests.agents.cli.words import refused
from tests.made_records import made_store


def test_an_archive_is_written_once(tmp_path, capsys):
    store = str(made_store(tmp_path / "store", seeds=1, name="mine").folder)
    path = tmp_path / "x.zip"
    words = ["submit", store, "--output", str(path), "--name", "Team", "--contact", "me", "--suite", "mine"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"Archive: {path} (mine; ")
    assert path.exists()
    assert "none is overwritten" in refused(capsys, *words)
    path.unlink()
    assert "did you mean 'mine'" in refused(capsys, *words[:-1], "mien")
