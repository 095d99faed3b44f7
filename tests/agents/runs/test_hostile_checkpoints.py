"""A checkpoint may come from anybody: whatever is in it, no code of its choice runs, and what is wrong is refused.

Each file here has a right digest, as whoever forges one can make it. Each change was once the way to something: a
call of any function, an import, another run's record, the game in the hands of a leader that may not see it.
"""

import io
import json
import shutil
import sys
import zipfile

import numpy as np
import pytest

import agents
from agents.runs.records import load_record
from agents.state.tree import digest, from_bytes, to_bytes
from stackelberg_envs.envs import discrete_toy_v1
from stackelberg_envs.errors import ArgumentError, OutputError

TOY = "stackelberg/DiscreteToy-v1"
OPTIONS = {"updates": 4, "steps_per_update": 50, "seed": 3}


def stop(progress):
    if progress.update == 2:
        raise KeyboardInterrupt


def interrupted(folder, **options):
    agents.run(TOY, **{**OPTIONS, **options}, output=folder, progress=stop)
    return folder


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory):
    """A function: a folder with a stopped run of one kind, made once and copied."""
    made = {}

    def of(tmp_path, **options):
        key = json.dumps(options, sort_keys=True)
        if key not in made:
            made[key] = interrupted(tmp_path_factory.mktemp("run"), **options)
        return shutil.copytree(made[key], tmp_path / "run")

    return of


def rewrite(folder, change, *, bind=True):
    """Change a checkpoint's tree in place and make its digest right again."""
    path = folder / "checkpoint.npz"
    tree = from_bytes(path.read_bytes())
    given = tree.pop("digest")
    change(tree)
    path.write_bytes(to_bytes({**tree, "digest": digest(tree) if bind else given}))


def put(*way):
    """A change that puts the last of `way` where the keys before it lead."""
    *keys, last, value = way

    def change(tree):
        for key in keys:
            tree = tree[key]
        tree[last] = value

    return change


def refused(folder, problem, **options):
    before = sorted((path.name, path.read_bytes()) for path in folder.iterdir() if path.name != ".lock")
    with pytest.raises(OutputError, match=problem):
        agents.run(resume=folder, **options)
    assert sorted((path.name, path.read_bytes()) for path in folder.iterdir() if path.name != ".lock") == before
    assert "antigravity" not in sys.modules


RUN, LEADER, FOLLOWER = ("state", "run"), ("state", "run", "leader"), ("state", "run", "follower")
HISTORY = (*LEADER, "commitments_seen")
X = np.full((3, 2), 0.5)
SEEN = {"x": X, "cells": np.array([18]), "counts": np.ones(1)}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        # Attributes that would shadow methods, and names that Python itself uses.
        *[
            (put(*LEADER, name, "os:remove"), rf"leader: expected rng, .*got unknown {name}")
            for name in ("commit", "update", "recommend", "__class__", "__dict__", "brief", "config", "privileged")
        ],
        (put(*FOLLOWER, "learn", "os:remove"), "follower: expected rng, .*got unknown learn"),
        (put(*LEADER, "optimizer", "step", "builtins:exec"), "optimizer: expected .*got unknown step"),
        (put(*LEADER, "critic", "update", 1), "critic: expected .*got unknown update"),
        # Any name set on the run or on its record.
        *[
            (put(*RUN, name, "elsewhere"), f"run: expected updates_done, .*got unknown {name}")
            for name in ("config", "game", "record", "step", "level", "evaluation")
        ],
        *[
            (put("state", "record", name, 1e9), f"record: expected preset, start_value, .*got unknown {name}")
            for name in ("leader_value", "status", "save", "game", "__class__")
        ],
        (put("state", "folder", "elsewhere"), "state|expected run, record, seconds; got unknown folder"),
        (put("folder", "elsewhere"), "got unknown folder"),
        # A leader whose level does not include it is handed nothing.
        (put(*LEADER, "model", X), "got unknown model"),
        # Numbers out of their range.
        (put(*RUN, "updates_done", -5), "updates_done: expected at least 0, got -5"),
        (put(*RUN, "updates_done", 5), "updates_done: expected at most 4, got 5"),
        (put(*RUN, "updates_done", 4), "expected a row of the curve for each of 4 updates, got 2"),
        (put(*RUN, "updates_done", True), "updates_done: expected an integer, got bool"),
        (put(*RUN, "_latest", None), "expected latest after 2 updates, got none"),
        (put(*RUN, "_latest", (X, X, X)), "_latest: expected 2 entries"),
        (put(*RUN, "_sound", (X + 2.0, None)), "_sound.*: .*expected"),
        (put(*RUN, "_first", X[:2]), r"_first: expected float64 of shape \(3, 2\)"),
        (put("state", "record", "observed_steps", 7), "expected as many observed steps as the curve ends with"),
        (put("state", "record", "follower_steps", -1), "follower_steps: expected at least 0"),
        (put("state", "seconds", float("nan")), "seconds: expected at least 0"),
        # Shapes, dtypes, generators.
        (put(*LEADER, "theta", np.zeros(5)), r"theta: expected float64 of shape \(6,\), got float64 of shape \(5,\)"),
        (put(*LEADER, "theta", np.zeros(6, complex)), r"theta: expected float64 of shape \(6,\), got complex128"),
        (put(*LEADER, "theta", [0.0] * 6), "theta: expected float64 .*got list"),
        (put(*LEADER, "theta", None), "theta: expected a value, got None"),
        (put(*LEADER, "rng", np.random.Generator(np.random.MT19937())), "rng: expected a generator with PCG64"),
        (put(*LEADER, "optimizer", "_mean", np.zeros(7)), r"_mean: expected float64 of shape \(6,\), got"),
        (put(*LEADER, "optimizer", "_count", -1), "_count: expected at least 0"),
        (put(*LEADER, "counts", "successors", np.full((3, 2, 3, 4), 99, np.int32)), "entries of at most 2"),
        (put(*LEADER, "counts", "successors", np.full((3, 2, 3, 4), -1, np.int32)), "entries of at least 0"),
        (put(*LEADER, "counts", "counts", np.zeros((3, 2, 3, 9))), "as many counts as successors"),
        (put(*FOLLOWER, "policy", np.full((3, 2, 3), 0.7)), "policy: expected probabilities that sum to one"),
        (put(*FOLLOWER, "policy", np.full((3, 2, 3), np.nan)), "policy: expected entries of at least 0"),
        (put(*FOLLOWER, "q", np.zeros((4, 2, 2))), r"q: expected float64 of shape \(3, 2, 3\)"),
        (put(*FOLLOWER, "_announced", [X + 9.0]), "_announced: .*expected"),
        (put(*FOLLOWER, "_announced", [X, X]), "_announced: expected a list of at most 1 entries"),
        # The configuration.
        (put("config", "leader", "rtq"), "expected|got"),
        (put("config", "leader", "os:system"), "expected the configuration of a run"),
        (put("config", "leader", "cma_es"), "leader 'cma_es': unknown option 'learning_rate'"),
        (put("config", "follower", "sb3"), "the state of a follower 'sb3' may run any code; expected trust=True"),
        (put("config", "follower", "os:system"), "expected a follower that is registered"),
        (put("config", "game", "antigravity:a/B-v0"), "expected the id of a game"),
        (put("config", "game", "stackelberg/FourRooms-v0"), "expected the game 'stackelberg/FourRooms-v0' the run was"),
        (put("config", "game_arguments", {"reward": 2.0}), "the run was started with, got another"),
        (put("config", "updates", 1), "updates_done: expected at most 1, got 2"),
        (put("config", "updates", -1), "expected the configuration of a run"),
        (put("config", "leader_options", {"critic": "os:system"}), "expected the configuration of a run"),
        (put("config", "progress", 1), "expected the configuration of a run"),
        (lambda tree: tree["config"].pop("seed"), "expected the configuration of a run"),
        (put("config", 3), "config: expected a dict"),
        (put("checkpoint_every", 0), "checkpoint_every: expected at least 1"),
        (put("versions", {"numpy": 1}), "versions: expected versions as strings"),
        (
            put("versions", "stackelberg-envs", "0.0.9"),
            "expected a checkpoint of stackelberg-envs .*, got one of 0.0.9",
        ),
        (put("versions", {}), "expected a checkpoint of stackelberg-envs .*, got one of None"),
        (put("curve", {"rows": 2, "size": 10**15, "digest": ""}), "rows that the checkpoint was written with"),
    ],
)
def test_a_changed_checkpoint_is_refused_by_name_and_does_nothing(change, problem, folder_of, tmp_path):
    options = {"leader_options": {"learning_rate": 0.05, "critic": "lstd"}, "follower_options": {"steps": 100}}
    folder = folder_of(tmp_path, follower="soft_q_learning", **options)
    rewrite(folder, change)
    refused(folder, problem)


@pytest.mark.parametrize(
    ("leader", "change", "problem"),
    [
        ("bchg", put(*LEADER, "search", "_queue", [99]), "search: expected a queue of numbers below"),
        ("bchg", put(*LEADER, "search", "_queue", []), "search: expected a queue of numbers below"),
        ("bchg", put(*LEADER, "search", "phase", 9), "phase: expected at most 5"),
        ("bchg", put(*LEADER, "search", "arms", [{"theta": np.zeros(5)}]), "search.*: expected"),
        ("bchg", put(*LEADER, "behaviour", "policy", np.full((3, 2, 3), 2.0)), "policy: expected entries of at most 1"),
        ("bchg", put(*LEADER, "behaviour", "weight", np.full((3, 2), -1.0)), "weight: expected entries of at least 0"),
        ("bchg", put(*LEADER, "counts", "starts", np.zeros(2)), r"starts: expected float64 of shape \(3,\)"),
        ("cma_es", put(*LEADER, "_search", "_rng", np.random.default_rng()), "_rng: expected RandomState"),
        ("cma_es", put(*LEADER, "_search", "_C", np.full((6, 6), np.nan)), "_C: expected entries of at least"),
        ("cma_es", put(*LEADER, "_search", "ask", 1), "_search: expected .*got unknown ask"),
        ("cma_es", put(*LEADER, "_generation", [(np.zeros(6), 1.0)] * 99), "_generation: expected a list of at most"),
        ("exact", put(*LEADER, "_iterates", np.zeros((0, 6))), "_iterates: expected an array of one or more arrays"),
        ("exact", put(*LEADER, "_position", -1), "_position: expected at least 0"),
        ("zero_order", put(*LEADER, "_values", [1.0] * 9), "_values: expected a list of at most 1 entries"),
        ("certainty_equivalent", put(*LEADER, "model", None), "model: expected a value, got None"),
        ("certainty_equivalent", put(*LEADER, "identified", {}), "expected rng, model, .*got unknown identified"),
        (
            "certainty_equivalent",
            put(*HISTORY, "_played", [SEEN]),
            "cells: expected entries of at most 17",
        ),
        ("amd", put(*LEADER, "_start", {"follower_values": np.zeros(3)}), "_start: expected follower_values, .*got no"),
    ],
)
def test_states_of_other_leaders_are_checked_too(leader, change, problem, folder_of, tmp_path):
    folder = folder_of(tmp_path, leader=leader)
    rewrite(folder, change)
    refused(folder, problem)


def test_a_leader_in_a_process_of_its_own_checks_its_state_too(folder_of, tmp_path):
    for change, problem in (
        (put(*LEADER, "leader", "commit", "os:remove"), "got unknown commit"),
        (put(*LEADER, "leader", "theta", np.zeros(5)), "theta: expected float64"),
        (put(*LEADER, "model", 1), "leader: expected leader, theta; got unknown model"),
    ):
        folder = folder_of(tmp_path, leader_process=True)
        rewrite(folder, change)
        refused(folder, problem)
        shutil.rmtree(folder)


def test_configuration_record_and_state_are_bound_by_one_digest(folder_of, tmp_path):
    for change in (
        put("config", "seed", 4),
        put("state", "record", "start_value", 0.0),
        put(*LEADER, "theta", np.zeros(6)),
        put("versions", {}),
        put("checkpoint_every", 7),
    ):
        folder = folder_of(tmp_path)
        rewrite(folder, change, bind=False)
        refused(folder, "expected content that fits its digest, got a file that was damaged or changed")
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    "node",
    [
        {"kind": "global", "name": "os:remove"},
        {"kind": "method", "owner": {"kind": "same", "n": 0}, "name": "__class__"},
        {"class": "agents.runs.files:FolderLock", "n": 1, "kind": "object", "attributes": {}},
        {"global": "os:remove"},
        {"method": ["leader", "commit"]},
        {"object": {"class": "agents.runs.running:run"}},
        {"given": "game"},
    ],
)
def test_there_is_no_way_to_write_a_function_a_class_or_a_method(node, folder_of, tmp_path):
    folder = folder_of(tmp_path)
    path = folder / "checkpoint.npz"
    with np.load(path) as archive:
        members = {name: archive[name] for name in archive.files}
    text = members["tree"].tobytes().decode()
    assert '"_updates",2' in text
    members["tree"] = np.frombuffer(text.replace('"_updates",2', f'"_updates",{json.dumps(node)}').encode(), np.uint8)
    np.savez(path, **members)
    refused(folder, "expected nodes of one entry|expected one of bytes, floats")


def test_a_checkpoint_of_an_earlier_format_is_refused(folder_of, tmp_path):
    folder = folder_of(tmp_path)
    tree = {
        "kind": "dict",
        "n": 0,
        "items": [["format", 1], ["config", {"kind": "global", "name": "agents.cli.main:main"}]],
    }
    np.savez(folder / "checkpoint.npz", tree=np.frombuffer(json.dumps(tree).encode(), np.uint8))
    refused(folder, "checkpoint.npz: expected nodes of one entry")


def test_an_unused_member_is_refused_before_it_is_read(folder_of, tmp_path):
    folder = folder_of(tmp_path)
    with zipfile.ZipFile(folder / "checkpoint.npz", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.npy", bytes(1 << 20))
    refused(folder, r"expected members that hold a tree and its numbers, got 'zeros\.npy'")


def test_a_pickle_in_its_place_is_refused(folder_of, tmp_path):
    folder, buffer = folder_of(tmp_path), io.BytesIO()
    np.savez(buffer, tree=np.array([print], dtype=object))
    (folder / "checkpoint.npz").write_bytes(buffer.getvalue())
    refused(folder, "expected a flat array of uint8")


def test_the_curve_of_another_run_is_refused(folder_of, tmp_path):
    folder = folder_of(tmp_path)
    (folder / "curve.jsonl").write_bytes(b'["observed_steps"]\n[1]\n[2]\n' + bytes(2_000))
    refused(folder, "expected the 2 rows that the checkpoint was written with, got others")


def test_a_run_goes_on_with_the_interval_it_had(folder_of, tmp_path, monkeypatch):
    agents.run(TOY, **{**OPTIONS, "updates": 9}, output=tmp_path / "a", progress=stop, checkpoint_every=3)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    saved = []
    save = agents.Experiment.save

    def noted(self, *arguments, **options):
        saved.append((self.updates_done, options["checkpoint_every"]))
        return save(self, *arguments, **options)

    monkeypatch.setattr(agents.Experiment, "save", noted)
    agents.run(resume=tmp_path / "a")
    assert saved == [(2, 3), (3, 3), (6, 3), (9, 3)]
    saved.clear()
    agents.run(resume=tmp_path / "b", checkpoint_every=5)
    assert saved == [(2, 5), (5, 5)]


def test_a_finished_run_is_refused_other_options_and_another_game_too(tmp_path):
    game = discrete_toy_v1.make_game()
    agents.run(TOY, **OPTIONS, output=tmp_path / "id")
    agents.run(game, **OPTIONS, output=tmp_path / "own")
    for name in ("id", "own"):
        with pytest.raises(ArgumentError, match=r"resume: expected no other options.* got updates"):
            agents.run(resume=tmp_path / name, updates=9)
        with pytest.raises(ArgumentError, match="game: expected nothing or"):
            agents.run("stackelberg/FourRooms-v0", resume=tmp_path / name)
        with pytest.raises(ArgumentError, match="game: expected nothing or"):
            agents.run(game.replace(temperature=2.0), resume=tmp_path / name)
    assert agents.run(TOY, resume=tmp_path / "id").status == "finished"
    assert agents.run(discrete_toy_v1.make_game(), resume=tmp_path / "own").status == "finished"
    assert load_record(tmp_path / "own").game_digest == load_record(tmp_path / "id").game_digest


def test_the_command_line_refuses_what_needs_trust_and_says_what_to_write(folder_of, tmp_path, capsys):
    from agents.cli.main import main

    folder = folder_of(tmp_path)
    whole = (folder / "checkpoint.npz").read_bytes()
    rewrite(folder, put("config", "follower", "sb3"))
    assert main(["run", "--resume", str(folder), "--quiet"]) == 2
    assert "may run any code; expected trust=True (on the command line --trust)" in capsys.readouterr().err
    rewrite(folder, lambda tree: tree["config"].pop("seed"))
    assert main(["run", "--resume", str(folder), "--quiet"]) == 2
    assert "expected the configuration of a run" in capsys.readouterr().err
    (folder / "checkpoint.npz").write_bytes(whole)
    assert main(["run", "--resume", str(folder), "--quiet", "--trust"]) == 0
