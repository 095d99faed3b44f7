"""Presets: settings per leader and task in files, and what runs and suites make of them."""

import pytest

import agents
from agents.benchmark.plans import plan
from agents.benchmark.suite_files import load_suite
from agents.benchmark.suites import Player, Task, make_suite
from agents.leaders import leader_class
from agents.runs import presets
from agents.runs.presets import TUNING_SEEDS, Preset, Presets, load_presets, preset_names, read_presets
from stackelberg_envs.errors import ArgumentError, OutputError, UnknownNameError
from tests.games import ROOMS, TOY, small_game

FOUND = Preset(
    game=TOY,
    arguments={"reward": 2.0},
    options={"learning_rate": 0.25},
    steps=1_000,
    steps_per_update=100,
    trials=3,
    seeds=(TUNING_SEEDS,),
    value=1.5,
)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "mine.toml"
    Presets("bchg", {"learning_rate": 0.5}, (FOUND,)).write(path)
    return path


def options_of(*given, **more):
    return [payload.job.leader_options for payload in plan(make_suite(*given, 1, **more)).payloads]


def test_what_is_written_is_read_again(path):
    found = read_presets(path)
    assert (found.leader, found.default) == ("bchg", {"learning_rate": 0.5})
    assert [vars(each) for each in found.tuned] == [vars(FOUND)]


def test_a_task_has_its_own_settings_and_the_others_the_default(path):
    tasks = {"two": Task(TOY, arguments={"reward": 2.0}), "one": TOY, "rooms": ROOMS}
    player = Player("bchg", preset=str(path), options={"critic": "lstd"}, per_task={"one": {"learning_rate": 0.1}})
    assert options_of(tasks, player) == [
        {"learning_rate": 0.25, "critic": "lstd"},
        {"learning_rate": 0.1, "critic": "lstd"},
        {"learning_rate": 0.5, "critic": "lstd"},
    ]
    assert plan(make_suite(tasks, player, 1)).payloads[0].job.entrant == "bchg (preset=mine, critic=lstd)"


def test_another_follower_is_another_task(path):
    task = Task(TOY, arguments={"reward": 2.0})
    player = Player("bchg", preset=str(path))
    followers = ["soft_value_iteration", "soft_q_learning"]
    assert options_of(task, player, followers=followers) == [{"learning_rate": 0.25}, {"learning_rate": 0.5}]


def test_a_new_preset_takes_the_place_of_its_task():
    other = Preset(**{**vars(FOUND), "value": 2.0})
    elsewhere = Preset(**{**vars(FOUND), "follower": "soft_q_learning"})
    found = Presets("bchg", tuned=(FOUND,)).with_preset(elsewhere).with_preset(other)
    assert [(each.follower, each.value) for each in found.tuned] == [("soft_q_learning", 1.5), ("", 2.0)]


def test_a_suite_in_a_file_names_presets_beside_it(path):
    suite = path.with_name("suite.toml")
    suite.write_text(
        f'format = 1\nname = "s"\n[[tasks]]\ngame = "{ROOMS}"\n[[leaders]]\nkind = "bchg"\npreset = "mine.toml"\n'
    )
    assert plan(load_suite(suite)).payloads[0].job.leader_options == {"learning_rate": 0.5}


@pytest.mark.parametrize(
    ("player", "says"),
    [
        (Player("bchg", preset="best"), "expected 'tuned' or the path of a .toml file"),
        (Player("random_search", preset="tuned"), "expected a leader with presets"),
        (Player("hpgd", preset="PATH"), "expected presets of 'hpgd', got those of 'bchg'"),
    ],
)
def test_what_is_no_preset_is_said(path, player, says):
    player = Player(**{**vars(player), "preset": player.preset.replace("PATH", str(path))})
    with pytest.raises(ArgumentError, match=says):
        plan(make_suite(TOY, player, 1))


def test_followers_have_no_presets(path):
    with pytest.raises(ArgumentError, match="expected no preset, which leaders have"):
        plan(make_suite(TOY, "bchg", 1, followers=Player("soft_q_learning", preset="tuned")))


@pytest.mark.parametrize(
    ("old", "new", "error", "says"),
    [
        ("trials", "trails", UnknownNameError, r"tuned\[0\] 'trails'; did you mean 'trials'"),
        ("leader =", "leadr =", UnknownNameError, "did you mean 'leader'"),
        ("1000000", "0", ArgumentError, "seeds"),
        ("format = 1", "format = 2", ArgumentError, "expected presets of format 1"),
        ("learning_rate = 0.25", 'critic = "evil:Class"', ArgumentError, "would import the module 'evil'"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_place(path, old, new, error, says):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(error, match=says):
        load_presets(str(path), "bchg")


SHORT = {"updates": 2, "steps_per_update": 50}
ARGUMENTS = {"reward": 2.0}


@pytest.fixture
def published(monkeypatch):
    """A preset that `bchg` declares for tables."""
    monkeypatch.setattr(leader_class("bchg"), "presets", {"published": {"learning_rate": 0.75, "decay": 0.0}})


@pytest.mark.usefixtures("published")
def test_a_run_takes_a_preset_of_the_leader_under_what_is_given():
    record = agents.run(TOY, preset="published", leader_options={"decay": 0.25}, **SHORT)
    assert (record.leader_options["learning_rate"], record.leader_options["decay"]) == (0.75, 0.25)
    assert record.preset == "published"
    assert agents.run(TOY, **SHORT).preset == ""


@pytest.mark.usefixtures("published")
def test_suites_take_it_too():
    player = Player("bchg", preset="published", options={"decay": 0.25})
    assert options_of(TOY, player) == [{"learning_rate": 0.75, "decay": 0.25}]


def test_a_run_takes_the_settings_of_a_file_for_its_task(path):
    record = agents.run(TOY, game_arguments=ARGUMENTS, preset=str(path), steps=300)
    assert record.leader_options["learning_rate"] == 0.25
    # The steps per update that they were found with, where nobody says others.
    assert (record.updates, record.steps_per_update) == (3, 100)
    other = agents.run(TOY, game_arguments=ARGUMENTS, preset=str(path), **SHORT)
    assert other.steps_per_update == 50
    # The default of the file is for all others.
    assert agents.run(TOY, preset=str(path), **SHORT).leader_options["learning_rate"] == 0.5


def test_tuned_settings_are_those_of_the_package(path, monkeypatch):
    monkeypatch.setattr(presets, "FOLDER", path.parent)
    path.rename(path.with_name("bchg.toml"))
    record = agents.run(TOY, game_arguments=ARGUMENTS, preset="tuned", **SHORT)
    assert (record.preset, record.leader_options["learning_rate"]) == ("tuned", 0.25)
    assert presets.has_tuned("bchg", TOY, ARGUMENTS, "")
    assert not presets.has_tuned("bchg", TOY, {}, "")
    assert not presets.has_tuned("bchg", TOY, ARGUMENTS, "soft_q_learning")
    assert not presets.has_tuned("hpgd", TOY, ARGUMENTS, "")


def test_a_run_that_goes_on_keeps_its_preset_and_needs_no_file(path, tmp_path):
    def stop(progress):
        if progress.update == 1:
            path.unlink()
            raise KeyboardInterrupt

    options = {"game_arguments": ARGUMENTS, "preset": str(path), "output": tmp_path / "run", "seed": 1}
    agents.run(TOY, progress=stop, **options, **SHORT)
    record = agents.run(resume=tmp_path / "run")
    assert (record.status, record.preset) == ("finished", str(path))
    assert record.leader_options["learning_rate"] == 0.25


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"preset": "best"}, UnknownNameError, r"one of 'published'.*, or the path of a .toml file .* got 'best'"),
        (
            {"preset": "best", "leader": "exact"},
            UnknownNameError,
            "expected the path of a .toml file for leader 'exact'",
        ),
        ({"preset": "published", "leader": "exact"}, UnknownNameError, "for leader 'exact', got 'published'"),
        ({"preset": "PATH", "leader": "hpgd"}, ArgumentError, "expected presets of 'hpgd', got those of 'bchg'"),
        ({"preset": "nowhere.toml"}, OutputError, "nowhere.toml: expected presets"),
        ({"preset": 3}, ArgumentError, "preset"),
    ],
)
def test_a_run_refuses_what_is_no_preset_for_it_before_any_work(path, tmp_path, options, error, says):
    options = {**options, "preset": str(path) if options["preset"] == "PATH" else options["preset"]}
    with pytest.raises(error, match=says):
        agents.run("stackelberg/RandomTabular-v1", output=tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_settings_for_other_tasks_are_refused_with_the_tasks_that_there_are(path):
    bare = path.with_name("bare.toml")
    Presets("bchg", tuned=(FOUND,)).write(bare)
    for game, got in ((TOY, TOY), (small_game(), "a game without an id")):
        with pytest.raises(ArgumentError, match=rf"expected one of its tasks \({TOY} \(reward=2.0\)\), got {got}"):
            agents.run(game, preset=str(bare), **SHORT)


def test_the_presets_of_the_package_fit_their_tasks():
    for name in preset_names():
        for preset in load_presets("tuned", name).tuned:
            assert preset.beats_default
            (options,) = options_of(Task(preset.game, arguments=preset.arguments), Player(name, preset="tuned"))
            assert options == preset.options
