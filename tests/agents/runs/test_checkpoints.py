"""A run that was stopped anywhere goes on as if it had not been."""

import json
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import agents
from agents.followers import follower_class, follower_names
from agents.leaders import leader_class, leader_names
from agents.leaders.base import LEADERS
from agents.runs.experiment import Experiment, ExperimentConfig
from agents.runs.files import CHECKPOINT_NAME, CURVE_NAME, write_atomically
from agents.runs.records import FILE_NAME, load_record
from agents.runs.running import load_checkpoint
from agents.state import stateful
from agents.state.tree import digest, from_bytes, to_bytes
from stackelberg_envs.envs import four_rooms_v0
from stackelberg_envs.errors import ArgumentError, OutputError

TOY, ROOMS = "stackelberg/DiscreteToy-v1", "stackelberg/FourRooms-v0"


def content(record):
    """What has to be equal: all but the wall clock."""
    values = json.loads(record.to_json())
    del values["seconds"]
    return values


def first_served(leader, *games):
    """The first game whose kind of commitment the leader takes; the last one has to do."""
    for game in games[:-1]:
        try:
            Experiment(ExperimentConfig(game, leader=leader))
        except ArgumentError as exc:
            assert "commitment" in str(exc)
        else:
            return game
    return games[-1]


def stop_after(update):
    def progress(state):
        if state.update == update:
            raise KeyboardInterrupt

    return progress


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(OutputError, match="expected a file that can be written"):
        write_atomically(tmp_path / "none" / "file", b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="expected a file that can be written"):
        write_atomically(tmp_path / "folder", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


# Runs.


def test_a_run_stopped_at_any_update_ends_with_the_same_bits(tmp_path):
    options = {"follower": "soft_q_learning", "follower_options": {"steps": 300}, "updates": 20}
    options |= {"steps_per_update": 100, "seed": 4, "evaluate_every": 3}
    whole = content(agents.run(TOY, **options))
    for update in range(1, 20):
        agents.run(TOY, **options, output=tmp_path, progress=stop_after(update))
        assert load_checkpoint(tmp_path)["config"]["updates"] == 20
        updates = []
        record = agents.run(resume=tmp_path, progress=lambda state: updates.append(state.update))  # noqa: B023
        assert updates == list(range(update + 1, 21))
        assert content(record) == whole
        assert content(load_record(tmp_path)) == whole
        assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def check_resumes(tmp_path, updates=6, game=TOY, trust=False, **options):
    options = {"updates": updates, "steps_per_update": 200, "seed": 1, **options}
    whole = content(agents.run(game, **options))
    for update in (1, updates // 2, updates - 1):
        agents.run(game, **options, output=tmp_path, progress=stop_after(update))
        assert content(agents.run(resume=tmp_path, trust=trust)) == whole


@pytest.mark.parametrize("leader", leader_names())
def test_every_leader_can_be_resumed(leader, tmp_path, quick):
    game = first_served(leader, TOY, ROOMS)
    check_resumes(tmp_path, game=game, leader=leader, updates=4, leader_options=quick.get(leader, {}))


@pytest.mark.parametrize(
    "follower", [name for name in follower_names() if name != "sb3" and "tabular" in follower_class(name).kinds]
)
def test_every_follower_can_be_resumed(follower, tmp_path):
    check_resumes(tmp_path, follower=follower)


@pytest.mark.deep
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("algorithm", ["A2C", "DQN", "PPO"])
def test_a_follower_of_stable_baselines3_can_be_resumed(algorithm, restart, tmp_path):
    pytest.importorskip("stable_baselines3", reason="the extra sb3 is not installed")
    more = {"DQN": {"learning_starts": 20, "buffer_size": 130}, "PPO": {"n_steps": 64}}.get(algorithm, {})
    options = {"algorithm": algorithm, "steps": 100, "restart": restart, "model_options": more}
    check_resumes(tmp_path, trust=True, follower="sb3", follower_options=options, updates=4)


@pytest.mark.deep
@pytest.mark.filterwarnings("ignore")
def test_a_run_with_stable_baselines3_can_be_stopped_right_after_it_was_resumed(tmp_path):
    pytest.importorskip("stable_baselines3", reason="the extra sb3 is not installed")
    options = {"follower": "sb3", "follower_options": {"algorithm": "A2C", "steps": 50}, "updates": 3}
    whole = content(agents.run(TOY, **options))
    agents.run(TOY, **options, output=tmp_path, progress=stop_after(1))
    content_of = load_checkpoint(tmp_path)
    experiment = Experiment(ExperimentConfig(**{**content_of["config"], "game": TOY}))
    experiment.restore(content_of, str(tmp_path / CHECKPOINT_NAME))
    experiment.save(tmp_path)  # before the model was made again
    assert content(agents.run(resume=tmp_path, trust=True)) == whole


@pytest.mark.parametrize("critic", ["lstd", "expected_sarsa", "monte_carlo"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_every_critic_and_optimizer_can_be_resumed(critic, optimizer, tmp_path):
    check_resumes(tmp_path, leader_options={"critic": critic, "optimizer": optimizer, "learning_rate": 0.1})


def test_a_run_can_be_stopped_and_resumed_again_and_again(tmp_path):
    whole = content(agents.run(TOY, updates=6, steps_per_update=100))
    agents.run(TOY, updates=6, steps_per_update=100, output=tmp_path, progress=stop_after(1))
    for update in range(2, 6):
        assert agents.run(resume=tmp_path, progress=stop_after(update)).status == "interrupted"
    record = agents.run(resume=tmp_path)
    assert content(record) == whole
    assert content(agents.run(resume=tmp_path)) == whole  # nothing is left to do


def test_seconds_add_up(tmp_path):
    def slow(state):
        time.sleep(0.02)
        if state.update == 5:
            raise KeyboardInterrupt

    agents.run(TOY, updates=6, steps_per_update=10, output=tmp_path, progress=slow)
    assert agents.run(resume=tmp_path).seconds > 0.1


def test_games_without_an_id_are_passed_again_and_compared(tmp_path):
    game = four_rooms_v0.make_game(temperature=0.1)
    options = {"updates": 4, "steps_per_update": 300}
    whole = content(agents.run(game, **options))
    agents.run(game, **options, output=tmp_path, progress=stop_after(2))
    with pytest.raises(ArgumentError, match="game: expected the game itself that the run was started with"):
        agents.run(resume=tmp_path)
    with pytest.raises(
        OutputError, match=r"checkpoint.npz: expected the game .* the run was started with, got another"
    ):
        agents.run(four_rooms_v0.make_game(), resume=tmp_path)
    assert content(agents.run(game, resume=tmp_path)) == whole


def test_other_options_are_refused_on_resuming(tmp_path):
    agents.run(TOY, updates=4, steps_per_update=10, output=tmp_path, progress=stop_after(2))
    with pytest.raises(ArgumentError, match=r"resume: expected no other options.* got updates"):
        agents.run(resume=tmp_path, updates=9)
    with pytest.raises(ArgumentError, match="game: expected nothing or 'stackelberg/DiscreteToy-v1'"):
        agents.run("stackelberg/FourRooms-v0", resume=tmp_path)
    with pytest.raises(ArgumentError, match="checkpoint_every: expected an integer of at least 1, got 0"):
        agents.run(resume=tmp_path, checkpoint_every=0)
    with pytest.raises(ArgumentError, match="checkpoint_every: expected a folder"):
        agents.run(TOY, checkpoint_every=1)


def test_a_folder_without_a_checkpoint_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"checkpoint.npz: expected the checkpoint of a run that was stopped"):
        agents.run(resume=tmp_path)


def rewrite(path, change):
    """Change a checkpoint as somebody would who knows how to make its digest right again."""
    tree = from_bytes(path.read_bytes())
    tree.pop("digest")
    tree = change(tree)
    path.write_bytes(to_bytes({**tree, "digest": digest(tree)} if isinstance(tree, dict) else tree))


def interrupted(folder):
    agents.run(TOY, updates=4, steps_per_update=50, output=folder, progress=stop_after(2))
    return folder / CHECKPOINT_NAME


def test_a_damaged_checkpoint_is_refused_wherever_the_damage_is(tmp_path):
    path = interrupted(tmp_path)
    data, rng = path.read_bytes(), np.random.default_rng(0)
    curve = (tmp_path / CURVE_NAME).read_bytes()
    whole = content(agents.run(resume=tmp_path))
    refused = 0
    for damage in range(120):
        spoiled = bytearray(data)
        if damage % 4:
            spoiled[int(rng.integers(len(data)))] ^= int(rng.integers(1, 256))
        else:
            del spoiled[int(rng.integers(len(data))) :]
        path.write_bytes(spoiled)
        (tmp_path / CURVE_NAME).write_bytes(curve)
        try:
            assert content(agents.run(resume=tmp_path)) == whole  # a byte that means nothing
        except OutputError as exc:
            refused += 1
            assert CHECKPOINT_NAME in str(exc)
    assert refused > 100


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: None, "expected the checkpoint of a run, got something else"),
        (lambda c: {**c, "format": 99}, "expected format 4, got 99"),
        (
            lambda c: {**c, "game_digest": "0"},
            "expected the game 'stackelberg/DiscreteToy-v1' the run was started with",
        ),
        (lambda c: {**c, "state": b"no state"}, "state: expected a dict with names as keys, got bytes"),
        (lambda c: {**c, "config": {**c["config"], "speed": 1}}, "expected the configuration of a run"),
        (
            lambda c: {**c, "config": {**c["config"], "leader": "exact"}},
            "leader: expected rng, _iterates, _position, _best; got unknown",
        ),
    ],
)
def test_a_foreign_checkpoint_is_refused_by_name(change, message, tmp_path):
    path = interrupted(tmp_path)
    rewrite(path, change)
    with pytest.raises(OutputError, match=message):
        agents.run(resume=tmp_path)


def test_other_versions_are_warned_of(tmp_path):
    path = interrupted(tmp_path)
    rewrite(path, lambda c: {**c, "versions": {**c["versions"], "numpy": "0.1"}})
    with pytest.warns(UserWarning, match=r"written with numpy 0.1; the run may differ in the last digits"):
        agents.run(resume=tmp_path)


def test_a_player_that_cannot_be_stored_runs_without_checkpoints_unless_they_were_asked_for(tmp_path, monkeypatch):
    class Silent(leader_class("bchg")):
        """Does not say what its state is."""

    class Locked(leader_class("bchg")):
        """Says that its state is something which no file can hold."""

        state_fields = stateful.fields(lock=stateful.Like())
        lock = threading.Lock()

    for kind, problem in ((Silent, "Silent: expected a class that says what its state is"), (Locked, "_thread:lock")):
        monkeypatch.setitem(LEADERS.classes, "mine", (kind,))
        options = {"leader": "mine", "updates": 2, "steps_per_update": 10, "output": tmp_path}
        with pytest.warns(UserWarning, match=f"this run cannot be resumed: state: .*{problem}"):
            assert agents.run(TOY, **options).status == "finished"
        with pytest.raises(ArgumentError, match=problem):
            agents.run(TOY, **options, checkpoint_every=1)


def test_checkpoints_are_written_as_often_as_asked_for(tmp_path, monkeypatch):
    saved = []
    save = Experiment.save

    def noted(self, *arguments, **options):
        saved.append(self.updates_done)
        return save(self, *arguments, **options)

    monkeypatch.setattr(Experiment, "save", noted)
    agents.run(TOY, updates=7, steps_per_update=10, output=tmp_path, checkpoint_every=3)
    assert saved == [0, 3, 6]


class Wanderer(leader_class("naive")):
    """Announces something random each time it is asked."""

    off_policy = True
    state_fields = stateful.fields()

    def commit(self):
        return self.rng.dirichlet(np.ones(2), size=3)


def test_saving_draws_no_random_numbers(tmp_path, monkeypatch):
    monkeypatch.setitem(LEADERS.classes, "wanderer", (Wanderer,))
    options = {"updates": 6, "steps_per_update": 50, "leader": "wanderer"}
    plain = content(agents.run(TOY, **options))
    monkeypatch.setattr("agents.runs.running.SAVE_INTERVAL", 0.0)
    assert content(agents.run(TOY, **options, output=tmp_path)) == plain


SCRIPT = """
import sys, time, agents
def show(state):
    print(state.update, flush=True)
    time.sleep(0.005)
agents.run({game!r}, leader="bchg", follower="soft_q_learning", follower_options={{"steps": 500}}, updates=60,
           steps_per_update=100, output=sys.argv[1], checkpoint_every=1, progress=show)
"""


@pytest.mark.parametrize("update", [17, *(pytest.param(update, marks=pytest.mark.deep) for update in (3, 41))])
def test_a_killed_process_leaves_a_run_that_goes_on(update, tmp_path):
    command = [sys.executable, "-c", SCRIPT.format(game=TOY), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if int(line) >= update:
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    assert load_record(tmp_path).status == "running"
    assert len(load_record(tmp_path).curve["leader_value"]) >= update - 1
    record = agents.run(resume=tmp_path)
    whole = agents.run(
        TOY,
        leader="bchg",
        follower="soft_q_learning",
        follower_options={"steps": 500},
        updates=60,
        steps_per_update=100,
    )
    assert content(record) == content(whole)
