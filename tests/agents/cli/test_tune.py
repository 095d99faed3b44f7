"""Tuning by the command line."""

import pytest

from agents.cli.main import main
from agents.runs.presets import Preset, read_presets
from stackelberg_envs.faces.ids import newest_id
from tests.agents.cli.words import TOY, refused

QUICK = ["--trials", "2", "--seeds", "1", "--steps", "2000"]


@pytest.fixture
def better(monkeypatch):
    """Whatever was found beats the defaults."""
    monkeypatch.setattr(Preset, "beats_default", True)


def test_tune_says_if_nothing_beats_the_defaults(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Preset, "beats_default", False)
    assert main(["tune", TOY, "--leader", "naive", "--output", str(tmp_path), *QUICK]) == 0
    assert "No preset was written" in capsys.readouterr().out
    assert not (tmp_path / "naive.toml").exists()


@pytest.mark.usefixtures("better")
def test_tune_writes_a_preset_of_a_task_of_a_suite(tmp_path, capsys):
    task = ["DiscreteToy, soft_q_learning", "--suite", "learned-followers-v1"]
    words = ["tune", *task, "--leader", "naive", "--leader-option", "prior_visits=2", "--output", str(tmp_path), *QUICK]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "trial 2 of 2: best J so far" in out
    assert f"Preset: {tmp_path / 'naive.toml'}" in out
    (preset,) = read_presets(tmp_path / "naive.toml").tuned
    assert (newest_id(preset.game), preset.follower, preset.steps_per_update) == (TOY, "soft_q_learning", 1_000)
    assert preset.options["prior_visits"] == 2.0
    assert "--force" in refused(capsys, *words)


@pytest.mark.usefixtures("better")
def test_tune_writes_a_preset_of_an_id(tmp_path):
    more = ["--follower", "expected_sarsa", "--follower-option", "first_steps=100"]
    words = ["tune", TOY, "--set", "reward=2.0", "--leader", "naive", "--output", str(tmp_path), *more, *QUICK]
    assert main(words) == 0
    (preset,) = read_presets(tmp_path / "naive.toml").tuned
    assert (preset.arguments, preset.follower) == ({"reward": 2.0}, "expected_sarsa")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["Toy", "--suite", "tabular-v1", "--leader", "naive"], "unknown task of tabular-v1 'Toy'; did you mean"),
        ([TOY, "--leader", "naif"], "did you mean 'naive'"),
        ([TOY], "--leader"),
        ([TOY, "--leader", "naive", "--trials", "0"], "--trials"),
        (["DiscreteToy", "--suite", "tabular-v1", "--set", "reward=2", "--leader", "naive"], "expected none beside"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line(words, says, tmp_path, capsys):
    assert says in refused(capsys, "tune", *words, "--output", str(tmp_path))
