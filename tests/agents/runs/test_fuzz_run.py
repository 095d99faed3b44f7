"""Random options of runs: each is refused by name before any work, or the run ends with finite numbers."""

import math
import typing
import warnings
from dataclasses import fields
from types import UnionType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import agents
import stackelberg_envs as se
from agents.followers import follower_class, follower_names
from agents.leaders import leader_class, leader_names
from stackelberg_envs.errors import StackelbergError
from stackelberg_envs.validation import hints_of

#: Values of every type; a few of them are right for some option.
JUNK = (
    *(True, False, None, "", "nan", "3", "zeros", "random", "\ud800", "a" * 300, "\0", b"x", 1j, object(), len, int),
    *(float("nan"), float("inf"), -float("inf"), 10**30, -(10**30), 10**400, -1, 0, 1, 2, 3, 0.0, -0.0, 0.5, 1.0, 2.5),
    *(1e-9, 1e300, 1e308, -2.5, 5e-324, [], {}, (), {1, 2}, range(3), {"a": 1}, {3: 3}, [True], [None]),
    *(np.float64(0.5), np.float32(0.1), np.int64(2), np.uint8(3), np.bool_(True), np.str_("zeros"), np.array(0.5)),
    *(np.array([1.0, 2.0]), np.array(["a"]), np.ma.masked_array([1.0], mask=True), np.array([], dtype=object)),
    *(np.timedelta64(3, "s"), [1.0, float("nan")], [[1.0], [2.0, 3.0]], ["temperature"], ["temperature", 3]),
)  # fmt: skip
#: Options that keep a right run short; what is drawn goes before.
SHORT = {
    "exact": {"iterations": 3, "search": False},
    "certainty_equivalent": {
        "vertices": 2, "starts": 1, "iterations": 2, "fit_iterations": 2,
        "box_draws": 2, "box_starts": 1, "box_iterations": 2, "polish": 2, "explore": 0,
    },
    "rtq": {"levels": 2},
    "soft_q_learning": {"steps": 50},
    "expected_sarsa": {"steps": 50},
}  # fmt: skip
RUN_OPTIONS = (
    "seed",
    "parametrisation",
    "evaluate_every",
    "best_known",
    "game_arguments",
    "checkpoint_every",
    "progress",
)


def junk() -> st.SearchStrategy[object]:
    """Return a strategy for values of any kind."""
    return st.sampled_from(range(len(JUNK))).map(JUNK.__getitem__)


def plausible(hint: object) -> st.SearchStrategy[object]:
    """Return a strategy for values that an option may take, small ones."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return plausible(parts[0])
    if origin in (typing.Union, UnionType):
        return st.one_of([plausible(part) for part in parts])
    if origin is typing.Literal:
        return st.sampled_from(parts)
    if origin in (tuple, list):
        return st.lists(plausible(parts[0]), max_size=3)
    simple = {
        bool: st.booleans(),
        int: st.integers(0, 4),
        float: st.one_of(st.floats(0.0, 2.0), st.sampled_from([1e-12, 1e12, 1e200])),
        str: st.sampled_from(["DQN", "MlpPolicy", "adam"]),
        type(None): st.none(),
    }
    return simple.get(hint, junk())


@st.composite
def options_of(draw: st.DrawFn, config: type, name: str) -> dict[str, object]:
    """Draw options of a leader or follower: none to three that are given, one in five of them wrong."""
    hints, names = hints_of(config), [item.name for item in fields(config)]
    given: dict[str, object] = dict(SHORT.get(name, {}))
    for option in draw(st.lists(st.sampled_from([*names, "nonsense"]), max_size=3, unique=True)):
        wrong = draw(st.integers(0, 4)) == 0 or option == "nonsense"
        given[option] = draw(junk() if wrong else plausible(hints.get(option)))
    return given


@st.composite
def runs(draw: st.DrawFn, games: list[object]) -> dict[str, object]:
    """Draw the arguments of a run."""
    leader = draw(st.sampled_from(leader_names()))
    follower = draw(st.one_of(st.none(), st.none(), st.sampled_from(follower_names())))
    arguments: dict[str, object] = {
        "game": draw(st.sampled_from(games)),
        "leader": leader,
        "follower": follower,
        "updates": draw(st.integers(1, 2)),
        "steps_per_update": draw(st.sampled_from([1, 7, 40])),
        "leader_options": draw(options_of(leader_class(leader).Config, leader)),
        "follower_options": {} if follower is None else draw(options_of(follower_class(follower).Config, follower)),
    }
    if draw(st.integers(0, 3)) == 0:
        name = draw(st.sampled_from([*RUN_OPTIONS, *arguments, "progress", "resume", "output", "leader_process"]))
        # What a caller's own function raises, it raises: that of junk says nothing about runs.
        arguments[name] = draw(junk().filter(lambda value: name != "progress" or not callable(value)))
    return arguments


GAMES = [
    "stackelberg/DiscreteToy-v1",
    *(
        se.random_tabular(S=4, A=2, B=2, branching=2, commitment=kind, D=2, horizon=8)
        for kind in ("features", "policy")
    ),
    se.random_tabular(S=3, A=1, B=2, K=2, branching=2, terminal=1, D=2, horizon=8),
    se.make_game("stackelberg/BilevelLqr-v1", horizon=10),
    se.make_game("stackelberg/BuildingThermal-v1", horizon=10),
]


def check(arguments):
    """Run, and hold what comes out to the contract."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            record = agents.run(**arguments)
        except StackelbergError as error:
            assert str(error)
            return
    if record.status == "interrupted":
        raise KeyboardInterrupt  # by somebody who wants to see the end of all this, not one failure more
    assert record.status == "finished"
    assert math.isfinite(record.leader_value)
    assert math.isfinite(record.response_gap or 0.0)
    assert np.isfinite(record.commitment).all()
    assert record.theta is None or np.isfinite(record.theta).all()
    assert type(record).from_json(record.to_json()).status == "finished"


QUIET = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck), "print_blob": False}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@settings(max_examples=150, derandomize=True, **QUIET)
@given(runs(GAMES))
def test_options_are_refused_by_name_or_right(arguments):
    check(arguments)


@pytest.mark.deep
@settings(max_examples=10_000, **QUIET)
@given(runs(GAMES))
def test_many_options_are_refused_by_name_or_right(arguments):
    check(arguments)
