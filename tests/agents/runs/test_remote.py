"""A leader in a process of its own: the same bits, and nothing of the game in that process."""

import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import agents
from agents.leaders import leader_class, leader_names
from agents.leaders.base import LEADERS, Leader
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from agents.runs.experiment import Experiment, ExperimentConfig
from agents.runs.remote.client import RemoteLeader
from agents.runs.remote.host import Host
from agents.runs.remote.messages import PLAIN, Channel
from stackelberg_envs.envs import discrete_toy_v0, four_rooms_v0
from stackelberg_envs.errors import ArgumentError, InformationError, LeaderProcessError, StackelbergError
from stackelberg_envs.games.commitments.base import Effect
from stackelberg_envs.games.commitments.function import FunctionCommitment
from tests.games import first_served

TOY, ROOMS = "stackelberg/DiscreteToy-v0", "stackelberg/FourRooms-v0"
#: What a leader must not even have loaded.
BARRED = (
    "stackelberg_envs.games.tabular",
    "stackelberg_envs.games.vector",
    "stackelberg_envs.games.contexts",
    "stackelberg_envs.games.linear_quadratic",
    "stackelberg_envs.games.discretised",
    "stackelberg_envs.solvers.solution",
    "stackelberg_envs.solvers.responses",
    "stackelberg_envs.solvers.soft.accuracy",
    "stackelberg_envs.solvers.linear_quadratic",
    "stackelberg_envs.play",
    "stackelberg_envs.pictures",
    "stackelberg_envs.faces",
    "stackelberg_envs.envs",
    "stackelberg_envs.conformity",
    "gymnasium.envs",
    "pettingzoo",
    "agents.runs.collection",
    "agents.runs.experiment",
    "agents.followers",
)

#: What only those load that plan in a model of their own.
SOLVERS = tuple(f"stackelberg_envs.solvers.soft.{name}" for name in ("best_response", "evaluation", "hypergradient"))
PLANNERS = ("certainty_equivalent",)
#: One of each kind; a process takes a second to start.
QUICK = ("bchg", "certainty_equivalent", "cma_es", "zero_order")


def content(record):
    values = json.loads(record.to_json())
    del values["seconds"]
    return values


def remote_leaders():
    names = [name for name in leader_names() if leader_class(name).information <= Information.RESPONSE]
    return [name if name in QUICK else pytest.param(name, marks=pytest.mark.deep) for name in names]


@pytest.mark.parametrize("name", remote_leaders())
def test_a_run_with_the_leader_elsewhere_ends_with_the_same_bits_and_without_the_game(name, quick):
    options = {"leader": name, "updates": 4, "steps_per_update": 300, "seed": 2}
    options["leader_options"] = quick.get(name, {})
    game = first_served(name)
    here = agents.run(game, **options)
    experiment = Experiment(ExperimentConfig(game, leader_process=True, **options))
    try:
        while experiment.updates_done < 4:
            experiment.step()
        assert content(experiment.close("finished")) == content(here)
        loaded = experiment.leader.modules()
    finally:
        experiment.shut()
    assert "agents.leaders.base" in loaded
    barred = BARRED if name in PLANNERS else (*BARRED, *SOLVERS)
    assert not [module for module in loaded if module.startswith(barred)]
    assert experiment.leader._child.returncode == 0


@pytest.mark.parametrize("game", [TOY, pytest.param(ROOMS, marks=pytest.mark.deep)])
def test_such_a_run_can_be_resumed(game, tmp_path):
    def stop(state):
        if state.update == 3:
            raise KeyboardInterrupt

    options = {"updates": 6, "steps_per_update": 200}
    whole = agents.run(game, **options)
    agents.run(game, **options, leader_process=True, output=tmp_path, progress=stop)
    assert content(agents.run(resume=tmp_path)) == content(whole)


def remote(game=None, kind="bchg"):
    game = discrete_toy_v0.make_game() if game is None else game
    kind = leader_class(kind)
    brief = make_brief(game, kind.required_information(game.commitment, kind.Config()))
    return RemoteLeader(kind, brief, kind.Config(), np.random.default_rng(0))


def test_errors_of_the_leader_come_back_under_their_own_names():
    leader = remote()
    try:
        game = discrete_toy_v0.make_game()
        x = np.full((3, 2), (0.25, 0.75))
        seen = agents.collect(game, x, np.full((3, 2, 3), 1 / 3), steps=9, rng=0)
        with pytest.raises(ArgumentError, match="bchg: expected play under its last commitment"):
            leader.update(seen)
        np.testing.assert_array_equal(leader.commit(), np.full((3, 2), 0.5))  # it lives on
        with pytest.raises(InformationError, match="expected the follower's rewards, got none"):
            leader.update(
                agents.collect(game, leader.commit(), np.full((3, 2, 3), 1 / 3), steps=9).without("follower_reward")
            )
    finally:
        leader.close()
    leader.close()
    with pytest.raises(StackelbergError, match="expected one that runs, but it was closed"):
        leader.commit()


def test_a_leader_process_that_dies_ends_the_run_with_a_record(tmp_path):
    experiments = []

    def kill(state):
        if state.update == 2:
            [leader] = [item for item in experiments if isinstance(item, RemoteLeader)]
            os.kill(leader._child.pid, signal.SIGKILL)
            time.sleep(0.1)

    start = RemoteLeader.__init__

    def noted(self, *arguments):
        experiments.append(self)
        start(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RemoteLeader, "__init__", noted)
        with pytest.raises(StackelbergError, match=r"leader process: ended with exit code -9 while asked to"):
            agents.run(TOY, updates=5, steps_per_update=50, leader_process=True, output=tmp_path, progress=kill)
    record = agents.load_record(tmp_path)
    assert record.status == "failed"
    assert record.commitment is not None
    assert len(record.curve["leader_value"]) == 2


def test_leaders_that_see_the_game_are_refused_by_name():
    with pytest.raises(InformationError, match=r"leader 'exact': expected one of at most level RESPONSE.* got MODEL"):
        agents.run(TOY, leader="exact", leader_process=True)


def leader_of(box, kind="bchg", **options):
    brief = make_brief(discrete_toy_v0.make_game(), Information.REWARDS_OBSERVED)
    kind = leader_class(kind)
    return RemoteLeader(kind, replace(brief, commitment=box), kind.Config(), np.random.default_rng(0), **options)


def box_of(function):
    return FunctionCommitment(function, np.zeros((3, 2)), np.ones((3, 2)), frozenset({"leader_policy"}))


def test_functions_that_no_module_has_go_along():
    shift = 0.25
    leader = leader_of(box_of(lambda x: Effect(leader_policy=x + shift)))
    try:
        assert leader.commit().shape == (3, 2)
        assert not [module for module in leader.modules() if module.startswith(BARRED)]
    finally:
        leader.close()


def test_what_cannot_be_sent_is_named():
    lock = threading.Lock()

    def guarded(x):
        with lock:
            return Effect(leader_policy=x)

    with pytest.raises(ArgumentError, match=r"brief\.commitment\.function\.lock: expected what .* got _thread\.lock"):
        leader_of(box_of(guarded))

    class Local(leader_class("bchg")):
        pass

    brief = make_brief(discrete_toy_v0.make_game(), Information.REWARDS_OBSERVED)
    with pytest.raises(ArgumentError, match="expected a leader in a module of its own"):
        RemoteLeader(Local, brief, Local.Config(), np.random.default_rng(0))


class Chatty(Leader):
    """Prints, as a leader should not; lives in a module that only the tests have."""

    information = Information.ACTIONS_ONLY
    Config = dict

    def commit(self):
        print("on standard output, where the messages are")  # noqa: T201
        return np.zeros(104)

    def update(self, trajectories):
        return {"steps": trajectories.num_steps}


def test_what_a_leader_prints_does_not_disturb_the_messages(capfd):
    game = four_rooms_v0.make_game()
    brief = make_brief(game, Information.ACTIONS_ONLY)
    leader = RemoteLeader(Chatty, brief, {}, np.random.default_rng(0))
    try:
        x = leader.commit()
        np.testing.assert_array_equal(x, np.zeros(104))
        assert leader.theta is None
        assert leader.update(agents.collect(game, x, np.full((104, 1, 4), 0.25), steps=7, rng=0)) == {"steps": 7.0}
    finally:
        leader.close()
    assert "where the messages are" in capfd.readouterr().err


def test_a_host_without_a_leader_says_so():
    answer = Host().answer({"do": "commit"})
    assert answer["error"] == "StackelbergError"
    assert "Traceback" in answer["traceback"]


# What goes wrong.


TROUBLED = """
import os, signal, sys, time
from contextlib import suppress
from dataclasses import dataclass
import numpy as np
from agents.state import stateful
from agents.observing.brief import Information
from agents.leaders.base import Leader
from agents.options import Options

@dataclass(frozen=True)
class Config(Options):
    do: str = "nothing"

class Troubled(Leader):
    "Does what its configuration says when it is to commit."
    information = Information.ACTIONS_ONLY
    Config = Config
    state_fields = stateful.fields()

    def commit(self):
        getattr(self, self.config.do)()
        return np.zeros(104)

    def update(self, trajectories):
        return {}

    def nothing(self):
        pass

    def hang(self):
        while True:
            sum(range(1_000))

    def sleep(self):
        time.sleep(1_000)

    def fall(self):
        raise ValueError("no good")

    def leave(self):
        sys.exit(3)

    def die(self):
        os._exit(4)

    def crash(self):
        os.kill(os.getpid(), signal.SIGSEGV)

    def flood(self):
        self.write((2**60).to_bytes(8, "little"))

    def babble(self):
        self.write((5).to_bytes(8, "little") + b"12345")

    def write(self, data):
        # The host's own descriptors are among the first.
        for descriptor in range(3, 40):
            with suppress(OSError):
                os.write(descriptor, data)

    def tell(self):
        raise ValueError(repr(sorted(os.environ)))

    def numb(self):
        os.kill(os.getpid(), signal.SIGSTOP)
"""


@pytest.fixture
def troubled(tmp_path, monkeypatch):
    """A leader class in a module of its own that imports little."""
    (tmp_path / "troubled_leader.py").write_text(TROUBLED)
    monkeypatch.syspath_prepend(tmp_path)
    kind = importlib.import_module("troubled_leader").Troubled
    yield kind
    del sys.modules["troubled_leader"]


def made(kind, do, **options):
    brief = make_brief(four_rooms_v0.make_game(), Information.ACTIONS_ONLY)
    return RemoteLeader(kind, brief, kind.Config(do), np.random.default_rng(0), **options)


@pytest.mark.parametrize(
    ("do", "message", "note"),
    [
        ("fall", "leader process: ValueError: no good", "in fall"),
        ("leave", "leader process: SystemExit: 3", "in leave"),
        pytest.param("die", "ended with exit code 4 while asked to commit", None, marks=pytest.mark.deep),
        ("crash", "ended with exit code -11 while asked to commit", "in crash"),
        (
            "flood",
            r"expected a message of at most \d+,\d+ bytes, got one that announces 1,152,921,504,606,846,976",
            None,
        ),
        pytest.param("babble", "leader process: expected what this library wrote", None, marks=pytest.mark.deep),
        ("hang", r"expected an answer within 1 seconds \(timeout\) when asked to commit, got none", "in hang"),
        pytest.param("sleep", "expected an answer within 1 seconds", "in sleep", marks=pytest.mark.deep),
        pytest.param("numb", "expected an answer within 1 seconds", None, marks=pytest.mark.deep),
    ],
)
def test_every_failure_of_the_process_is_named_and_shows_where_it_was(do, message, note, troubled):
    leader = made(troubled, do, timeout=1.0)
    try:
        start = time.monotonic()
        with pytest.raises(StackelbergError, match=message) as caught:
            leader.commit()
        assert time.monotonic() - start < 4.0
        if note is not None:
            assert note in "".join(caught.value.__notes__)
        if do not in ("fall", "leave"):
            assert leader._child.poll() is not None
    finally:
        leader.close()


def test_the_process_knows_nothing_of_the_environment_that_it_does_not_need(monkeypatch, troubled):
    monkeypatch.setenv("SECRET", "swordfish")
    monkeypatch.setenv("API_TOKEN", "swordfish")
    leader = made(troubled, "tell")
    try:
        with pytest.raises(LeaderProcessError, match="PATH") as caught:
            leader.commit()
    finally:
        leader.close()
    assert "SECRET" not in str(caught.value)
    assert "TOKEN" not in str(caught.value)


def test_a_run_whose_leader_hangs_ends_with_an_error_and_a_record(tmp_path, monkeypatch, troubled):
    monkeypatch.setitem(LEADERS.classes, "troubled", (troubled,))
    options = {"leader": "troubled", "leader_options": {"do": "hang"}, "leader_process": True, "timeout": 0.5}
    options |= {"updates": 2, "output": tmp_path / "run"}
    with pytest.raises(LeaderProcessError, match=r"within 0\.5 seconds \(timeout\)"):
        agents.run(ROOMS, **options)
    record = agents.load_record(tmp_path / "run")
    assert record.status == "failed"
    assert "LeaderProcessError: leader process: expected an answer" in record.error
    for wrong in (0, -1.0, "long", True):
        with pytest.raises(ArgumentError, match="timeout"):
            agents.run(ROOMS, **{**options, "timeout": wrong})


PARENT = """
import sys, time
import numpy as np
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from agents.runs.remote.client import RemoteLeader
from stackelberg_envs.envs import four_rooms_v0
sys.path.insert(0, {folder!r})
from troubled_leader import Troubled
brief = make_brief(four_rooms_v0.make_game(), Information.ACTIONS_ONLY)
leader = RemoteLeader(Troubled, brief, Troubled.Config({do!r}), np.random.default_rng(0))
print(leader._child.pid, flush=True)
{after}
"""


@pytest.mark.parametrize("do", ["hang", "stop", pytest.param("wait", marks=pytest.mark.deep)])
def test_the_process_ends_with_its_parent(do, tmp_path):
    (tmp_path / "troubled_leader.py").write_text(TROUBLED)
    after = "leader.commit()" if do == "hang" else "time.sleep(60)"
    script = PARENT.format(folder=str(tmp_path), do="hang", after=after)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        if do == "stop":
            os.kill(child, signal.SIGSTOP)
        parent.kill()
    deadline = time.monotonic() + 5.0
    while is_running(child):
        assert time.monotonic() < deadline, "an orphan"
        time.sleep(0.02)


def is_running(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def pipes():
    (a, b), (c, d) = os.pipe(), os.pipe()
    return Channel(a, d), Channel(c, b), [a, b, c, d]


def test_messages_of_any_size_arrive_and_those_that_are_too_long_are_refused_unread():
    one, other, descriptors = pipes()
    tree = {"x": np.arange(500_000.0), "words": ["a", None, 1.5]}
    sender = threading.Thread(target=one.send, args=(tree,))
    sender.start()
    back = other.receive()
    sender.join()
    np.testing.assert_array_equal(back["x"], tree["x"])
    assert back["words"] == tree["words"]

    def send_until_it_breaks():
        with pytest.raises(BrokenPipeError):
            one.send(tree)

    sender = threading.Thread(target=send_until_it_breaks)
    sender.start()
    with pytest.raises(LeaderProcessError, match=f"at most {PLAIN:,} bytes, got one that announces 4,0"):
        other.receive(PLAIN)
    os.close(descriptors[0])
    os.close(descriptors[2])
    sender.join()


def test_a_cut_message_is_an_end_and_a_silent_one_takes_only_its_time():
    one, other, descriptors = pipes()
    os.write(descriptors[1], b"abc")
    with pytest.raises(TimeoutError):
        one.receive(deadline=time.monotonic() + 0.05)
    with pytest.raises(TimeoutError):
        other.send({"x": np.zeros(10**6)}, deadline=time.monotonic() + 0.05)
    os.close(descriptors[1])
    with pytest.raises(EOFError, match="the pipe was closed"):
        while True:
            one.receive()
