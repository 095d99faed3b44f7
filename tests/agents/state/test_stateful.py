"""Players declare their state: all that changes is in it, and nothing is taken over that does not fit."""

import copy
import functools
import threading
from collections import deque
from dataclasses import dataclass

import numpy as np
import pytest

import agents
from agents.followers import follower_class, follower_names
from agents.leaders import leader_names
from agents.leaders.base import LEADERS
from agents.runs.experiment import Experiment, ExperimentConfig
from agents.runs.fingerprints import fingerprint
from agents.state import stateful
from agents.state.stateful import Stateful
from agents.state.tree import digest, from_bytes, to_bytes
from stackelberg_envs.envs import discrete_toy_v1
from stackelberg_envs.errors import ArgumentError, OutputError
from tests.games import first_served

TOY, ROOMS = "stackelberg/DiscreteToy-v1", "stackelberg/FourRooms-v0"
#: What an object works out again from the rest when it next needs it, or is told before it does.
DERIVED = {
    "ObservedModel": {"_counted", "_trembled"},
    "Sgd": {"unit"},
    "Exact": {"policy", "solution"},
}


def stripped(value, seen=()):
    """All there is to a player by attributes, less what it was made of and what it works out again."""
    if isinstance(value, list | tuple | deque):
        return [stripped(item, seen) for item in value]
    if not isinstance(value, Stateful) or id(value) in seen:
        return value
    left_out = {"brief", "config", "game", *DERIVED.get(type(value).__name__, ())}
    if not isinstance(value, agents.Follower):
        left_out.add("_announced")  # what a leader announced last: it is asked again before it is needed
    return {
        name: stripped(item, (*seen, id(value))) for name, item in sorted(vars(value).items()) if name not in left_out
    }


def taken_over(options, updates=3):
    """A run after some updates, and a fresh one whose players took over the state of its."""
    config = ExperimentConfig(**options, updates=9, steps_per_update=100, evaluate_every=0)
    run, twin = Experiment(config), Experiment(config)
    for _ in range(updates):
        run.step()
    for name in ("leader", "follower"):
        getattr(twin, name).load_state_dict(from_bytes(to_bytes(getattr(run, name).state_dict())))
    return run, twin


def check(options):
    run, twin = taken_over(options)
    for name in ("leader", "follower"):
        one, other = getattr(run, name), getattr(twin, name)
        assert digest(one.state_dict()) == digest(other.state_dict())
        given, found = stripped(one), stripped(other)
        assert given.keys() == found.keys()
        for key, value in given.items():
            assert fingerprint(value) == fingerprint(found[key]), key


@pytest.mark.parametrize("leader", leader_names())
def test_all_that_changes_in_a_leader_is_declared(leader, quick):
    check({"game": first_served(leader), "leader": leader, "leader_options": quick.get(leader, {})})


@pytest.mark.parametrize(
    "follower", [name for name in follower_names() if name != "sb3" and "tabular" in follower_class(name).kinds]
)
def test_all_that_changes_in_a_follower_is_declared(follower):
    check({"game": TOY, "follower": follower, "follower_options": {"delay": 1}})


@pytest.mark.parametrize(
    "options",
    [
        {"learning_rate": 0.1},
        {"learning_rate": 0.1, "optimizer": "sgd"},
        {"critic": "expected_sarsa"},
        {"critic": "monte_carlo"},
        {"prior_visits": 2.0},
    ],
)
def test_all_that_changes_in_optimizers_and_critics_is_declared(options):
    check({"game": TOY, "leader_options": options})


@pytest.mark.parametrize("leader", ["certainty_equivalent", "hpgd"])
def test_all_that_changes_is_declared_where_states_are_vectors(leader):
    check({"game": "stackelberg/BilevelLqr-v1", "leader": leader})


def test_nothing_is_assigned_unless_all_of_it_is_right():
    run, twin = taken_over({"game": TOY, "follower": "soft_q_learning", "follower_options": {"steps": 50}})
    for name, spoil in (("leader", "largest_reward"), ("follower", "visits")):
        state, fresh = getattr(run, name).state_dict(), getattr(twin, name)
        before = digest(fresh.state_dict())
        for bad in ({**state, spoil: "text"}, {**state, "more": 1}, {k: v for k, v in state.items() if k != "rng"}):
            with pytest.raises(OutputError):
                fresh.load_state_dict(bad)
        assert digest(fresh.state_dict()) == before


# Classes that declare.


@dataclass
class Pair:
    first: float
    second: int


class Inner(Stateful):
    state_fields = stateful.fields(level=stateful.Number(low=0.0))

    def __init__(self, level=0.0):
        self.level = level


@dataclass
class Holder:
    one: Inner


class Outer(Stateful):
    """One field of every kind."""

    state_fields = stateful.fields(
        table=stateful.Array(low=-1.0, high=lambda self: self.top),
        long=stateful.Array((None, 2), dtype=(np.int32, np.int64)),
        twin=stateful.Array(like="table", optional=True),
        count=stateful.Count(),
        flag=stateful.Flag(),
        word=stateful.Text(),
        rng=stateful.Rng(),
        inner=stateful.Part(),
        later=stateful.Part(make=lambda self: Inner(), optional=True),
        parts=stateful.Parts(),
        pair=stateful.Record(Pair, first=stateful.Number(), second=stateful.Count(), optional=True),
        both=stateful.Tuple(stateful.Number(), stateful.Array((None,))),
        queue=stateful.List(stateful.Number()),
        scales=stateful.List(stateful.Number(), as_tuple=True),
        points=stateful.Arrays((2,)),
        pool=stateful.List(stateful.Record(Holder, one=stateful.Part(make=lambda self: Inner())), most=4),
        like=stateful.Like(),
        policy=stateful.Policy(lambda self: (None, 2)),
    )

    def __init__(self, seed=0):
        self.top, self.rng = 9.0, np.random.default_rng(seed)
        self.table, self.long, self.twin = np.zeros(3), np.zeros((1, 2), np.int32), None
        self.count, self.flag, self.word, self.pair = 0, False, "", None
        self.inner, self.later, self.parts = Inner(), None, [Inner(), Inner()]
        self.both, self.queue, self.scales = (0.0, np.zeros(1)), deque(maxlen=3), ()
        self.pool = []
        self.points, self.like = [np.zeros(2)], {"a": [1, "b"]}


def lived():
    outer = Outer(5)
    outer.rng.random(7)
    outer.table[:], outer.long, outer.twin = 2.0, np.ones((4, 2), np.int64), np.ones(3)
    outer.count, outer.flag, outer.word, outer.pair = np.int64(3), np.True_, "word", Pair(0.5, 2)
    outer.inner.level, outer.later, outer.parts[1].level = 1.5, Inner(2.5), 3.5
    outer.both, outer.scales, outer.like = (1, np.arange(4.0)), (1.0, 2), {"a": [2, "c"]}
    outer.queue.extend([1.0, np.float64(2.0)])
    outer.pool = [Holder(one=Inner(4.5)), Holder(one=Inner(5.5))]
    outer.points, outer.policy = [np.ones(2), np.zeros(2)], np.array([[0.25, 0.75]])
    return outer


def test_every_kind_of_field_comes_back():
    outer, twin = lived(), Outer()
    rng, inner = twin.rng, twin.inner
    twin.load_state_dict(from_bytes(to_bytes(outer.state_dict())))
    assert twin.rng is rng
    assert twin.inner is inner
    assert twin.rng.random() == outer.rng.random()
    assert digest(twin.state_dict()) == digest(outer.state_dict())
    assert (twin.count, twin.flag, twin.word, twin.pair) == (3, True, "word", Pair(0.5, 2))
    assert (twin.inner.level, twin.later.level, twin.parts[1].level) == (1.5, 2.5, 3.5)
    assert (list(twin.queue), twin.queue.maxlen, twin.scales) == ([1.0, 2.0], 3, (1.0, 2.0))
    assert [holder.one.level for holder in twin.pool] == [4.5, 5.5]
    assert [point.tolist() for point in twin.points] == [[1.0, 1.0], [0.0, 0.0]]


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("table", np.full(3, 9.5), r"Outer\.table: expected entries of at most 9\.0, got 9\.5"),
        ("table", np.full(3, np.nan), "table: expected entries of at least"),
        ("table", np.zeros(4), r"table: expected float64 of shape \(3,\), got float64 of shape \(4,\)"),
        ("long", np.zeros((1, 3), np.int32), r"long: expected int32 or int64 of shape \(any, 2\), got"),
        ("twin", np.zeros(2), r"twin: expected float64 of shape \(3,\)"),
        ("count", 1.0, "count: expected an integer, got float"),
        ("count", None, "count: expected a value, got None"),
        ("flag", 1, "flag: expected True or False, got int"),
        ("word", b"", "word: expected a string, got bytes"),
        ("rng", np.random.RandomState(1), "rng: expected a generator with PCG64, got RandomState"),
        ("inner", {"level": -1.0}, r"inner\.level: expected at least 0\.0, got -1\.0"),
        ("inner", None, "inner: expected a value, got None"),
        ("inner", {}, "inner: expected level; got no level"),
        ("later", {"level": "x"}, r"later\.level: expected a number, got str"),
        ("parts", [{"level": 1.0}], "parts: expected 2 parts, got list of 1"),
        ("pair", {"first": 1.0, "second": 2, "third": 3}, "pair: expected first, second; got unknown third"),
        ("pair", [1.0, 2], "pair: expected a dict, got list"),
        ("both", (1.0,), "both: expected 2 entries, got tuple of 1"),
        ("queue", [1.0] * 4, "queue: expected a list of at most 3 entries, got list of 4"),
        ("queue", (1.0,), "queue: expected a list of at most 3 entries"),
        ("scales", ["x"], r"scales\[0\]: expected a number, got str"),
        ("points", np.zeros((0, 2)), "points: expected an array of one or more arrays"),
        ("points", np.zeros((2, 3)), r"points\[0\]: expected float64 of shape \(2,\)"),
        ("pool", [{"one": {"level": -1.0}}], r"pool\[0\]\.one\.level: expected at least 0\.0"),
        ("like", {"a": [1, 2]}, r"like\.a\[1\]: expected str, got int"),
        ("policy", np.array([[0.5, 0.6]]), "policy: expected probabilities that sum to one, got a sum that is off"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_way_to_it(name, value, problem):
    twin, state = Outer(), lived().state_dict()
    before = digest(twin.state_dict())
    with pytest.raises(OutputError, match=problem):
        twin.load_state_dict({**state, name: value})
    assert digest(twin.state_dict()) == before


class Hidden(Inner):
    """Adds to its base, and does not say what."""


class Own(agents.GradientLeader):
    """Does it by itself."""

    information = agents.Information.ACTIONS_ONLY
    Config = agents.GradientConfig

    seen = 0

    def gradient(self, trajectories):
        self.seen += 1
        return np.ones(self.brief.commitment.shape), {"seen": float(self.seen)}

    def state_dict(self):
        return {**stateful.save_fields(self, self.all_fields()), "seen": self.seen}

    def load_state_dict(self, tree):
        tree = dict(tree)
        self.seen = int(tree.pop("seen"))
        self.checked_state(tree, "own").apply()


def test_a_class_that_does_not_declare_is_named():
    with pytest.raises(ArgumentError, match="test_stateful:Hidden: expected a class that says what its state is"):
        Hidden().state_dict()


def test_a_state_dict_that_fails_is_named_and_the_run_goes_on(monkeypatch, tmp_path):
    class Odd(Own):
        state_dict = property(lambda self: 1 / 0)

    monkeypatch.setitem(LEADERS.classes, "odd", (Odd,))
    with pytest.warns(UserWarning, match="cannot be resumed: state: .*Odd: expected a state_dict that works, got Zero"):
        record = agents.run(TOY, leader="odd", updates=2, steps_per_update=20, output=tmp_path)
    assert record.status == "finished"


def test_a_load_state_dict_that_fails_is_an_error_with_a_name(monkeypatch, tmp_path):
    class Lossy(Own):
        state_fields = stateful.fields()

        def state_dict(self):
            return {"rng": self.rng}

    def stop(progress):
        raise KeyboardInterrupt

    monkeypatch.setitem(LEADERS.classes, "lossy", (Lossy,))
    agents.run(TOY, leader="lossy", updates=2, steps_per_update=20, output=tmp_path, progress=stop)
    with pytest.raises(OutputError, match="leader: expected what load_state_dict takes, got KeyError: 'seen'"):
        agents.run(resume=tmp_path)


def test_a_copy_of_a_follower_goes_on_by_itself_in_the_same_game():
    run = Experiment(ExperimentConfig("stackelberg/RandomTabular-v1", follower="soft_q_learning"))
    run.step()
    twin = copy.deepcopy(run.follower)
    assert twin.game is run.follower.game
    assert twin.q is not run.follower.q
    assert twin.rng.random() == run.follower.rng.random()


def test_a_leader_may_do_it_by_itself(monkeypatch, tmp_path):
    def stop(progress):
        raise KeyboardInterrupt

    monkeypatch.setitem(LEADERS.classes, "own", (Own,))
    options = {"leader": "own", "updates": 3, "steps_per_update": 20}
    whole = agents.run(TOY, **options)
    agents.run(TOY, **options, output=tmp_path, progress=stop)
    record = agents.run(resume=tmp_path)
    assert record.curve["seen"].tolist() == [1.0, 2.0, 3.0]
    np.testing.assert_array_equal(record.theta, whole.theta)


# Fingerprints.


def test_a_fingerprint_is_of_the_content():
    one, two = discrete_toy_v1.make_game(), discrete_toy_v1.make_game()
    assert one.primitives(np.full((3, 2), 0.5)) is not None  # fills caches, which do not count
    assert fingerprint(one) == fingerprint(two)
    assert fingerprint(one) != fingerprint(discrete_toy_v1.make_game(reward=2.0))
    assert fingerprint([threading.Lock(), len]) == fingerprint([threading.Lock(), len])  # foreign things count by type
    loop = []
    loop.append(loop)
    assert fingerprint(loop) == fingerprint(loop)
    deep = Inner(1.0)
    for _ in range(100):
        deep = {"a": [(Inner(deep),)]}
    assert fingerprint(deep) == fingerprint(deep)
    assert fingerprint({len, str}) == fingerprint({str, len})
    shared = np.zeros(2)
    assert fingerprint([shared, shared]) == fingerprint([np.zeros(2), np.zeros(2)])


def test_functions_count_by_code_defaults_and_what_they_enclose():
    def made(number, default=1):
        def function(x, more=default):
            return x + number + more

        return function

    assert fingerprint(made(1)) == fingerprint(made(1))
    assert fingerprint(made(1)) != fingerprint(made(2))
    assert fingerprint(made(1)) != fingerprint(made(1, 2))
    assert fingerprint(made(np.zeros(2))) != fingerprint(made(np.ones(2)))
    assert fingerprint(functools.partial(made, 1)) != fingerprint(functools.partial(made, 2))
    assert fingerprint(Inner(1.0).check_state) != fingerprint(Inner(2.0).check_state)
