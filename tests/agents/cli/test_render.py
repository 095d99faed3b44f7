"""Episodes as animations, by the command line."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from agents.cli.main import main
from stackelberg_envs.pictures.film import LAST
from tests.agents.cli.words import SHORT, TOY, refused


@pytest.mark.parametrize("name", ["film.gif", "film.apng"])
def test_a_film_has_the_commitment_and_every_step(name, tmp_path, capsys):
    path = tmp_path / "new" / name
    assert main(["render", TOY, "--output", str(path), "--steps", "5", "--seed", "3", "--fps", "20"]) == 0
    assert str(path) in capsys.readouterr().out
    # Pictures that are equal are one that stays longer.
    times = []
    with Image.open(path) as film:
        for i in range(film.n_frames):
            film.seek(i)
            times.append(film.info["duration"])
    assert sum(times) == (6 + LAST) * 50
    assert len(times) > 3
    assert [each.name for each in path.parent.iterdir()] == [name]


def test_a_still_shows_the_last_step_under_the_named_commitment(tmp_path):
    pictures = []
    for which in ("start", "best-known"):
        path = tmp_path / f"{which}.png"
        assert main(["render", TOY, "--commitment", which, "--steps", "1", "--output", str(path)]) == 0
        pictures.append(np.asarray(Image.open(path)))
    assert pictures[0].shape == pictures[1].shape
    assert not np.array_equal(*pictures)


def test_the_commitment_of_a_run_is_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["run", TOY, "--leader", "random_search", *SHORT, "--output", "run"]) == 0
    assert main(["render", TOY, "--commitment", "run", "--output", "run.png", "--steps", "2"]) == 0
    assert main(["render", TOY, "--output", "best.png", "--steps", "2"]) == 0
    assert not np.array_equal(*(np.asarray(Image.open(f"{name}.png")) for name in ("run", "best")))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--output", "film.mp4"], "expected a file name ending in .gif, .apng, .png, got '.mp4'"),
        (["--commitment", "worst"], "expected 'best-known', 'start' or the folder of a run, got 'worst'"),
        (["--commitment", "empty"], "empty"),
        (["--steps", "0"], "--steps"),
        (["--fps", "51"], "--fps"),
        (["--set", "temperature=0.07", "--commitment", "best-known"], "expected 'start', because no best one"),
        (["--set", "warmth=1"], "warmth"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_written(words, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert says in refused(capsys, "render", TOY, *words)
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_a_commitment_of_another_game_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["run", TOY, *SHORT, "--leader", "random_search", "--output", "run"]) == 0
    capsys.readouterr()
    assert "shape" in refused(capsys, "render", "stackelberg/FourRooms-v0", "--commitment", "run")


def test_a_run_without_a_commitment_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("agents.runs.records.load_record", lambda path: SimpleNamespace(commitment=None))
    assert "expected a run that ended with a commitment" in refused(
        capsys, "render", TOY, "--commitment", str(tmp_path)
    )
