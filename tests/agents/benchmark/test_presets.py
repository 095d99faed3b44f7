"""Presets: settings per leader and task in files, and what suites make of them."""

import pytest

from agents.benchmark.plans import plan
from agents.benchmark.presets import TUNING_SEEDS, Preset, Presets, load_presets, preset_names, read_presets
from agents.benchmark.suite_files import load_suite
from agents.benchmark.suites import Player, Task, make_suite
from stackelberg_envs.errors import ArgumentError, UnknownNameError
from tests.games import ROOMS, TOY

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
    Presets("bchg", {"decay": 0.5}, (FOUND,)).write(path)
    return path


def options_of(*given, **more):
    return [payload.job.leader_options for payload in plan(make_suite(*given, 1, **more)).payloads]


def test_what_is_written_is_read_again(path):
    found = read_presets(path)
    assert (found.leader, found.default) == ("bchg", {"decay": 0.5})
    assert [vars(each) for each in found.tuned] == [vars(FOUND)]


def test_a_task_has_its_own_settings_and_the_others_the_default(path):
    tasks = {"two": Task(TOY, arguments={"reward": 2.0}), "one": TOY, "rooms": ROOMS}
    player = Player("bchg", preset=str(path), options={"critic": "lstd"}, per_task={"one": {"decay": 0.1}})
    assert options_of(tasks, player) == [
        {"learning_rate": 0.25, "critic": "lstd"},
        {"decay": 0.1, "critic": "lstd"},
        {"decay": 0.5, "critic": "lstd"},
    ]
    assert plan(make_suite(tasks, player, 1)).payloads[0].job.entrant == "bchg (preset=mine, critic=lstd)"


def test_another_follower_is_another_task(path):
    task = Task(TOY, arguments={"reward": 2.0})
    player = Player("bchg", preset=str(path))
    followers = ["soft_value_iteration", "soft_q_learning"]
    assert options_of(task, player, followers=followers) == [{"learning_rate": 0.25}, {"decay": 0.5}]


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
    assert plan(load_suite(suite)).payloads[0].job.leader_options == {"decay": 0.5}


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


def test_the_presets_of_the_package_fit_their_tasks():
    assert preset_names() == ["bchg", "hpgd"]
    for name in preset_names():
        for preset in load_presets("tuned", name).tuned:
            assert preset.default_value is None or preset.value >= preset.default_value
            (options,) = options_of(Task(preset.game, arguments=preset.arguments), Player(name, preset="tuned"))
            assert options == preset.options
