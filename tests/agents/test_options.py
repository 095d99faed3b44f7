"""Every configuration is checked in one place, before any work, from wherever it comes."""

from dataclasses import dataclass, field, fields
from typing import Annotated

import numpy as np
import pytest
from msgspec import Meta

import agents
import agents.runs.running
import stackelberg_envs as se
from agents.cli.main import main
from agents.followers import follower_class, follower_names, register_follower
from agents.followers.base import FOLLOWERS
from agents.followers.soft_value_iteration import SoftValueIteration
from agents.leaders import leader_class, leader_names, register_leader
from agents.leaders.base import LEADERS, GradientConfig
from agents.leaders.bchg import TabularBchg, TabularBchgConfig
from agents.leaders.random_search import RandomSearch
from agents.options import Options, Positive, make_config
from agents.runs.briefing import make_brief
from agents.state.tree import digest, from_bytes, to_bytes
from stackelberg_envs.errors import ArgumentError, GameError, OutputError, StackelbergError
from stackelberg_envs.validation import hints_of

TOY, BUILDING = "stackelberg/DiscreteToy-v1", "stackelberg/BuildingThermal-v1"


def run(game=TOY, **arguments):
    return agents.run(game, **{"updates": 1, "steps_per_update": 50, **arguments})


@pytest.fixture
def idle(monkeypatch):
    """Fail where a run begins."""
    monkeypatch.setattr("agents.runs.experiment.Experiment.step", lambda self: pytest.fail("work was done"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"leader_options": {"learning_rate": True}}, "leader 'bchg': learning_rate: expected a number .*, got True"),
        ({"leader_options": {"learning_rate": "0.1"}}, "leader 'bchg': learning_rate: expected a number .*, got '0.1'"),
        ({"leader": "amd", "leader_options": {"warm": ""}}, "leader 'amd': warm: expected True or False, got ''"),
        ({"leader_options": {"start": {}}}, "leader 'bchg': start: expected 'zeros', 'random' or an array .*, got {}"),
        ({"leader_options": {"start": [[1.0], [2.0, 3.0]]}}, "start: expected numbers"),
        ({"leader_options": {"start": [1.0]}}, "start: expected 6 finite numbers, got an array of size 1"),
        ({"leader_options": {"decay": range(3)}}, r"leader 'bchg': decay: expected a finite .*, got range\(0, 3\)"),
        ({"leader_options": {"decay": 10**400}}, "leader 'bchg': decay: expected a finite number"),
        ({"leader_options": {"critic": "lst"}}, "leader 'bchg': critic: expected 'lstd', .* got 'lst'"),
        ({"leader_options": {"privileged": ["nothing"]}}, "privileged: expected a list of words among 'temperature'"),
        ({"leader_options": {3: 3}}, "run: leader_options: expected a dict, got {3: 3}"),
        ({"leader_options": None}, "run: leader_options: expected a dict, got None"),
        ({"follower_options": {"restart": "no"}}, "follower 'soft_value_iteration': restart: expected True or False"),
        ({"follower_options": {"delay": 10**30}}, r"delay: expected an integer in \[0, 2147483647\], got 1000"),
        ({"follower_options": {"sweeps": 2.0}}, "sweeps: expected an integer of at least 1, got 2.0"),
        ({"best_known": "nan"}, "run: best_known: expected a finite number or None, got 'nan'"),
        ({"best_known": float("nan")}, "run: best_known: expected a finite number, got nan"),
        ({"leader": "exact", "leader_options": {"unseen": float("nan")}}, "unseen: .*, got nan"),
        ({"leader": "exact", "leader_options": {"iterations": {}}}, "leader 'exact': iterations: expected an integer"),
        ({"leader": "exact", "leader_options": {"evaluations": 0}}, "evaluations: .*, got 0"),
        ({"leader_process": 0.5}, "run: leader_process: expected True or False, got 0.5"),
        ({"leader": None}, "run: leader: expected a word, got None"),
        ({"follower": 3}, "run: follower: expected a word, got 3"),
        ({"parametrisation": []}, r"run: parametrisation: expected a word or None, got \[\]"),
        ({"game_arguments": [1]}, r"run: game_arguments: expected a dict, got \[1\]"),
        ({"seed": 1.0}, "run: seed: expected an integer of at least 0, got 1.0"),
        ({"seed": -1}, "run: seed: expected an integer of at least 0, got -1"),
        ({"updates": "3"}, "run: updates: expected an integer of at least 1 or None, got '3'"),
        ({"updates": 10**30}, r"run: updates: expected an integer in \[1, 2147483647\], got 1000"),
        ({"updates": True}, "run: updates: expected an integer of at least 1 or None, got True"),
        ({"steps_per_update": 0}, "run: steps_per_update: expected an integer of at least 1, got 0"),
        ({"evaluate_every": -1}, "run: evaluate_every: expected an integer of at least 0, got -1"),
        ({"progress": 3}, "run: progress: expected a function of one argument, got 3"),
        ({"output": 3}, "run: output: expected a path, got 3"),
        ({"output": ""}, "run: output: expected a path, got ''"),
        ({"output": "a\0b"}, "run: output: expected a path without NUL"),
        ({"checkpoint_every": 1.5, "output": "x"}, "run: checkpoint_every: expected an integer of at least 1, got 1.5"),
        ({"checkpoint_every": True, "output": "x"}, "run: checkpoint_every: expected an integer .*, got True"),
        ({"resume": 3}, "run: resume: expected a path, got 3"),
        ({"reward": 2}, "run: unknown option 'reward'; expected one of game, leader"),
        ({"game": 3}, "game: expected a game or an id, got int"),
    ],
)
def test_wrong_options_are_refused_by_name_before_any_work(arguments, message, idle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentError, match=message):
        run(**arguments)
    assert not list(tmp_path.iterdir())


def test_arguments_beside_a_finished_game_are_refused(idle):
    with pytest.raises(ArgumentError, match="game_arguments: expected none beside a finished game, got reward"):
        run(se.make_game(TOY), game_arguments={"reward": 2.0})


def test_arguments_of_a_game_are_held_to_what_its_function_declares(idle):
    with pytest.raises(GameError, match="stackelberg/DiscreteToy-v1: reward: expected a finite number, got '2'"):
        run(game_arguments={"reward": "2"})
    with pytest.raises(ArgumentError, match="stackelberg/DiscreteToy-v1: expected arguments among reward"):
        run(game_arguments={"rewrad": 2.0})


def test_numpys_scalars_and_arrays_are_taken():
    given = {"learning_rate": np.float32(0.5), "warm": np.bool_(False), "start": np.zeros((2, 3))}
    plain = {"seed": np.int64(3), "updates": np.int32(1), "steps_per_update": np.uint16(50)}
    record = run(**plain, leader="amd", leader_options=given)
    assert (record.seed, type(record.seed)) == (3, int)
    assert type(record.leader_options["learning_rate"]) is float
    assert record.leader_options["warm"] is False
    assert record.leader_options["start"] == [[0.0] * 3] * 2


# Options of one kind of game.

OTHERS = [
    ("bchg", BUILDING, {"prior_visits": 0.5}),
    ("bchg", TOY, {"features": "local"}),
    ("bchg", TOY, {"trace": "sampled"}),
    ("bchg", TOY, {"replay": 10}),
    ("hpgd", BUILDING, {"prior_visits": 0.5}),
    ("hpgd", TOY, {"trace": "expected"}),
    ("bchg", BUILDING, {"prior_visits": -1.0}),
    ("bchg", BUILDING, {"prior_visits": 1.0}),
    ("bchg", TOY, {"features": "nonsense"}),
    ("bchg", TOY, {"trace": "nonsense"}),
    ("bchg", BUILDING, {"privileged": ["behaviour"]}),
    ("naive", BUILDING, {"prior_visits": 0.5}),
    ("naive", TOY, {"features": "local"}),
    ("certainty_equivalent", BUILDING, {"explore": 3}),
    ("certainty_equivalent", BUILDING, {"vertices": 5}),
    ("certainty_equivalent", TOY, {"draws": 5}),
    ("certainty_equivalent", TOY, {"box_draws": 5}),
    ("exact", BUILDING, {"tolerance": 3}),
    ("zero_order", BUILDING, {"values": "exact"}),
]


@pytest.mark.parametrize(("leader", "game", "options"), OTHERS)
def test_options_of_another_kind_of_game_are_refused(leader, game, options, idle):
    (name,) = options
    where = "tabular" if game == BUILDING else "vector"
    message = rf"{name}: not an option of leader '{leader}' on this game, but on {where} games; expected one of"
    with pytest.raises(ArgumentError, match=message):
        run(game, leader=leader, leader_options=options)


@pytest.mark.parametrize(
    ("leader", "game", "option"),
    [
        ("naive", BUILDING, "trace"),
        ("sobirl", TOY, "prior_visits"),
        ("sobirl", TOY, "privileged"),
        ("sobirl", TOY, "features"),
    ],
)
def test_options_of_other_leaders_are_unknown(leader, game, option, idle):
    with pytest.raises(ArgumentError, match=f"leader '{leader}': unknown option '{option}'; expected one of learning"):
        run(game, leader=leader, leader_options={option: 1})


def test_followers_have_options_of_one_kind_too(idle):
    with pytest.raises(ArgumentError, match="follower 'maxent_lqr': unknown option 'per_context'; expected one of r"):
        run(BUILDING, follower_options={"per_context": True})


def test_a_records_own_options_make_the_same_run():
    for game in (TOY, BUILDING):
        record = run(game, leader_options={"learning_rate": 0.1})
        again = run(game, leader_options=record.leader_options, follower_options=record.follower_options)
        np.testing.assert_array_equal(record.commitment, again.commitment)


def test_a_leader_made_by_hand_is_held_to_the_same():
    game = se.make_game(BUILDING)
    brief = make_brief(game, TabularBchg.information)
    with pytest.raises(
        ArgumentError, match="TabularBchgConfig: prior_visits: expected a finite number of at least 0, got -1"
    ):
        TabularBchgConfig(prior_visits=-1)
    with pytest.raises(ArgumentError, match="bchg: expected the brief of a tabular game, got that of a vector one"):
        TabularBchg(brief, TabularBchgConfig(prior_visits=0.5), np.random.default_rng(0))


def test_every_option_of_every_player_declares_its_type_and_range():
    players = [leader_class(name) for name in leader_names()] + [follower_class(name) for name in follower_names()]
    for kind in players:
        if kind.__module__.startswith("agents."):
            assert issubclass(kind.Config, Options)
            hints = hints_of(kind.Config)
            # A bare float or int has no range; those for which every number is right are named here.
            bare = {item.name for item in fields(kind.Config) if hints[item.name] in (int, float, str)}
            assert bare <= {"initial_q", "algorithm", "network"}


# Configurations of others.


@dataclass(frozen=True)
class PlainConfig:
    step: float = 0.3
    count: Annotated[int, Meta(ge=1)] = 3
    anything: object = None
    names: list = field(default_factory=list)


@dataclass(frozen=True)
class DerivedConfig(GradientConfig):
    momentum: Positive = 0.9
    far: float = 1.0


def test_a_plain_dataclass_is_held_to_its_annotations():
    assert make_config(PlainConfig, {"step": np.float32(0.5), "names": (1, 2)}, "leader 'mine'").step == 0.5
    for options, message in (
        ({"step": True}, "leader 'mine': step: expected a finite number, got True"),
        ({"step": float("nan")}, "leader 'mine': step: expected a finite number, got nan"),
        ({"count": 0}, "leader 'mine': count: expected an integer of at least 1, got 0"),
        ({"nonsense": 0}, "leader 'mine': unknown option 'nonsense'; expected one of step, count, anything, names"),
    ):
        with pytest.raises(ArgumentError, match=message):
            make_config(PlainConfig, options, "leader 'mine'")


def test_a_plain_dataclass_that_checks_itself_is_answered_for():
    @dataclass
    class Checks:
        size: int = 1

        def __post_init__(self):
            if self.size == 7:
                raise ValueError("not seven")

    with pytest.raises(ArgumentError, match=r"leader 'mine': .* not seven"):
        make_config(Checks, {"size": 7}, "leader 'mine'")


def test_an_option_without_a_default_is_asked_for():
    @dataclass
    class Needs:
        size: int

    with pytest.raises(ArgumentError, match="leader 'mine': expected size too, which have no default"):
        make_config(Needs, {}, "leader 'mine'")


def test_derived_configurations_are_checked_and_belong_to_a_kind_of_game():
    with pytest.raises(ArgumentError, match="momentum: expected a number greater than 0, got 0"):
        DerivedConfig(momentum=0)
    with pytest.raises(ArgumentError, match="learning_rate: expected a number greater than 0, got -1"):
        DerivedConfig(learning_rate=-1)
    message = r"far: not an option of leader 'mine' on this game, but on vector games; expected one of .*; got far=2"
    with pytest.raises(ArgumentError, match=message):
        make_config(GradientConfig, {"far": 2}, "leader 'mine'", {"vector": DerivedConfig})
    assert make_config(DerivedConfig, {"far": 2}, "leader 'mine'", {"tabular": GradientConfig}).far == 2.0


def test_ones_own_leader_and_follower_are_checked_in_runs(monkeypatch):
    monkeypatch.setattr(agents.leaders.base.LEADERS, "_walked", True)
    try:

        @register_leader("plain")
        class Plain(RandomSearch):
            Config = type("Config", (PlainConfig,), {"local": 0.5, "scale": 1.0, "start": "zeros"})

        @register_follower("own")
        class Own(SoftValueIteration):
            pass

        with pytest.raises(ArgumentError, match="leader 'plain': step: expected a finite number, got 'x'"):
            run(leader="plain", leader_options={"step": "x"})
        with pytest.raises(ArgumentError, match="follower 'own': tolerance: expected a number greater than 0, got -1"):
            run(follower="own", follower_options={"tolerance": -1})
        assert run(leader="plain", follower="own", leader_options={"step": 0.1}).status == "finished"
    finally:
        LEADERS.classes.pop("plain", None)
        FOLLOWERS.classes.pop("own", None)


def test_the_command_line_says_the_same(capsys):
    for words, options in (
        ("learning_rate=-1", {"learning_rate": -1}),
        ("prior_visits=false", {"prior_visits": False}),
        ("critic=lst", {"critic": "lst"}),
        ("features=local", {"features": "local"}),
        ("start=[1, null]", {"start": [1, None]}),
        ("nonsense=1", {"nonsense": 1}),
    ):
        with pytest.raises(ArgumentError) as error:
            run(leader_options=options)
        assert main(["run", TOY, "--leader-option", words]) == 2
        assert capsys.readouterr().err == f"stackelberg: error: {error.value}\n"


def test_a_checkpoint_imports_no_module(tmp_path):
    def stop(progress):
        raise KeyboardInterrupt

    agents.run(TOY, updates=3, steps_per_update=10, output=tmp_path, progress=stop)
    path = tmp_path / "checkpoint.npz"
    tree = from_bytes(path.read_bytes())
    tree.pop("digest")
    tree["config"]["game"] = "antigravity:a/B-v0"
    path.write_bytes(to_bytes({**tree, "digest": digest(tree)}))
    with pytest.raises(OutputError, match="expected the id of a game, got 'antigravity:a/B-v0'"):
        agents.run(resume=tmp_path)


def test_names_and_classes_that_are_none_are_refused():
    for find in (leader_class, follower_class):
        for name in (None, 3, []):
            with pytest.raises(ArgumentError, match="expected a name, got"):
                find(name)
    for name in ("", " ", 3):
        with pytest.raises(ArgumentError, match="leader: expected a name, got"):
            register_leader(name)
    with pytest.raises(ArgumentError, match="leader 'bare': expected a leader whose Config is a dataclass, got"):
        register_leader("bare")(agents.Leader)


def test_a_refused_run_leaves_no_folder(tmp_path):
    for arguments in ({"leader_options": {"decay": -1}}, {"follower": "nobody"}, {"parametrisation": "none"}):
        with pytest.raises(StackelbergError):
            run(output=tmp_path / "new" / "folder", **arguments)
    assert not list(tmp_path.iterdir())


def test_a_number_that_is_none_is_refused_under_the_name_of_its_option():
    options = {"updates": 1, "steps_per_update": 5, "leader_options": {"learning_rate": float("nan")}}
    with pytest.raises(ArgumentError, match=r"leader 'bchg': learning_rate: expected a number greater than 0, got nan"):
        agents.run("stackelberg/DiscreteToy-v1", **options)
