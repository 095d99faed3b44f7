"""Tuning: the best of what was tried, on seeds of its own, resumable, and nothing overwritten."""

import sys
from dataclasses import dataclass

import numpy as np
import pytest

import agents
from agents.benchmark import tuning
from agents.benchmark.suites import Player, Task, make_suite
from agents.benchmark.tuning import tune
from agents.options import Options, Unit
from agents.runs.presets import read_presets
from stackelberg_envs.errors import ArgumentError, MissingExtraError, OutputError, UnknownNameError
from tests.awkward_leaders import Awkward
from tests.games import TOY, small_game

#: What the leader that is tuned was seen with.
SEEN = []


@dataclass(frozen=True)
class DialConfig(Options):
    q: Unit = 0.9
    broken: bool = False


class Dial(Awkward):
    """Punishes with the probability that it is told; one setting of it goes wrong."""

    Config = DialConfig

    def __init__(self, brief, config, rng):
        super().__init__(brief, config, rng)
        SEEN.append(config.q)

    def commit(self):
        if self.config.broken:
            raise ArgumentError("broken")
        q = self.config.q
        return np.array([[0.5, 0.5], [1.0 - q, q], [0.5, 0.5]])


@dataclass(frozen=True)
class GoodConfig(DialConfig):
    q: Unit = 0.166456


class Good(Dial):
    """Does best as it is."""

    Config = GoodConfig


QUICK = {"steps": 1_000, "steps_per_update": 500, "seeds": 2}


def test_the_best_of_what_was_tried_becomes_a_preset(tmp_path):
    told = []
    found = tune(TOY, Dial, output=tmp_path, trials=25, progress=lambda *words: told.append(words), **QUICK)
    preset = found.preset
    # Beyond q = 0.17 the toy's value falls off a cliff; at 0.9 it is nothing.
    assert preset.value > 33.0 > 1.0 > preset.default_value
    assert preset.options["q"] < 0.2
    assert preset.options.get("broken", False) is False
    assert (preset.trials, preset.seeds) == (25, (1_000_000, 1_000_001))
    assert (preset.game, preset.arguments, preset.follower) == (TOY, {}, "")
    assert (preset.steps, preset.steps_per_update) == (1_000, 500)
    assert found.failed >= 1
    assert found.given_up >= 1
    assert [count for count, _ in told] == list(range(1, 26))
    assert vars(read_presets(found.path).tuned[0]) == vars(preset)
    (job,) = [each.job for each in plan_of(Player(Dial, preset=str(found.path)))]
    assert job.leader_options == preset.options


def plan_of(player):
    from agents.benchmark.plans import plan

    return plan(make_suite(TOY, player, 1)).payloads


def test_it_goes_on_where_it_was_and_overwrites_nothing(tmp_path):
    def stop(count, best):
        if count == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(TOY, Dial, output=tmp_path, trials=6, progress=stop, **QUICK)
    assert not list(tmp_path.glob("*.toml"))
    told = []
    tune(TOY, Dial, output=tmp_path, trials=6, progress=lambda count, best: told.append(count), **QUICK)
    assert told == [4, 5, 6]
    with pytest.raises(OutputError, match="--force, replaces it"):
        tune(TOY, Dial, output=tmp_path, trials=6, **QUICK)
    SEEN.clear()
    found = tune(TOY, Dial, output=tmp_path, trials=6, force=True, **QUICK)
    # Enough was tried before: only the plan and the last look make the leader, and no trial.
    assert set(SEEN) == {0.9, found.preset.options["q"]}
    other = tune(Task(TOY, arguments={"reward": 2.0}), Dial, output=tmp_path, trials=2, **QUICK)
    assert [each.arguments for each in read_presets(other.path).tuned] == [{}, {"reward": 2.0}]


def test_a_tuning_that_was_stopped_finds_what_an_undisturbed_one_does(tmp_path):
    undisturbed = tune(TOY, Dial, output=tmp_path / "a", trials=12, **QUICK)
    for trials in (1, 4, 12):
        stopped = tune(TOY, Dial, output=tmp_path / "b", trials=trials, force=True, **QUICK)
    assert vars(stopped.preset) == vars(undisturbed.preset)
    assert (stopped.given_up, stopped.failed) == (undisturbed.given_up, undisturbed.failed)


def test_the_defaults_are_tried_even_if_the_first_try_of_them_was_killed(tmp_path, monkeypatch):
    def killed(self, trial):
        raise SystemExit

    monkeypatch.setattr(tuning._Question, "objective", killed)
    with pytest.raises(SystemExit):
        tune(TOY, Dial, output=tmp_path, trials=2, **QUICK)
    monkeypatch.undo()
    assert tune(TOY, Dial, output=tmp_path, trials=2, **QUICK).preset.default_value is not None


def test_defaults_that_are_best_make_no_preset(tmp_path):
    found = tune(TOY, Good, output=tmp_path, trials=3, **QUICK)
    assert (found.preset.options, found.path) == ({}, None)
    assert not list(tmp_path.glob("*.toml"))


@pytest.mark.parametrize("more", [-0.25, 0.0, 0.25])
def test_what_beats_the_defaults_on_the_seeds_of_trials_only_is_not_written(tmp_path, monkeypatch, more):
    asked = []

    def value(self, options, seed):
        asked.append(seed)
        return 1.0 + (more if options else 0.0)

    monkeypatch.setattr(tuning._Question, "_value", value)
    found = tune(TOY, Dial, output=tmp_path, trials=8, **QUICK)
    assert found.preset.value > found.preset.default_value
    assert (found.preset.held_out_value, found.preset.held_out_default) == (1.0 + more, 1.0)
    assert (found.path is not None) == (more > 0) == bool(list(tmp_path.glob("*.toml")))
    assert not set(asked) & {1_000_000, 1_000_001}
    assert min(asked) >= 1_000_000


def test_options_that_are_given_are_kept(tmp_path):
    preset = tune(TOY, (Dial, {"broken": False}), output=tmp_path, trials=2, **QUICK).preset
    assert preset.options["broken"] is False


@pytest.mark.parametrize(
    ("given", "more", "error", "says"),
    [
        (("stackelberg/DicreteToy-v0", "bchg"), {}, UnknownNameError, "did you mean"),
        ((TOY, "bchgg"), {}, UnknownNameError, "did you mean"),
        ((small_game(), "bchg"), {}, ArgumentError, "expected the id of an environment"),
        ((TOY, ("bchg", {"rate": 1})), {}, ArgumentError, "unknown option 'rate'"),
        ((TOY, ["bchg", "naive"]), {}, ArgumentError, "expected one leader and one follower, got 2"),
        ((TOY, "bchg"), {"trials": 0}, ArgumentError, "tune: trials"),
        ((TOY, "bchg"), {"seeds": 0}, ArgumentError, "tune: seeds"),
        ((TOY, "bchg"), {"steps": -1}, ArgumentError, "steps"),
        ((TOY, "bchg"), {"force": 1}, ArgumentError, "tune: force"),
    ],
)
def test_what_is_wrong_is_said_before_any_work(tmp_path, given, more, error, says):
    with pytest.raises(error, match=says):
        tune(*given, output=tmp_path / "new", **more)
    assert not (tmp_path / "new").exists()


def test_a_leader_that_always_fails_leaves_no_preset(tmp_path):
    with pytest.raises(ArgumentError, match=r"expected a trial of .* that ends, got none in 2"):
        tune(TOY, (Dial, {"broken": True}), output=tmp_path, trials=2, **QUICK)
    assert not list(tmp_path.glob("*.toml"))


def test_without_optuna_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"stackelberg-envs\[benchmark\]"):
        agents.tune(TOY, "bchg", output=tmp_path)
