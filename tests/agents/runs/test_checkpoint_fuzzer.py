"""Checkpoints that were changed at random, digest included: each is refused, or a run goes on that could have been.

What may not happen whatever is in a file: a call or an import of its choice, a file that is touched, an attribute
that no class declares, a number out of its range, an error without a name.
"""

import re
import shutil
import sys
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import agents
from agents.runs.checkpoints import read_checkpoint
from agents.runs.experiment import Experiment, ExperimentConfig
from agents.runs.fingerprints import fingerprint
from agents.state.tree import digest, from_bytes, to_bytes
from stackelberg_envs.errors import ArgumentError, OutputError, StackelbergError

TOY = "stackelberg/DiscreteToy-v1"
#: Leaders and followers, with what makes them quick, and the updates after which their run was stopped.
PLAYERS = [
    ("bchg", {}, "soft_q_learning", {"steps": 50}),
    ("certainty_equivalent", {"explore": 1, "vertices": 4, "starts": 1, "iterations": 3, "work": 5e3}, None, {}),
    ("cma_es", {}, "soft_value_iteration", {"delay": 1}),
    ("zero_order", {"optimizer": "sgd"}, "hard_best_response", {}),
    ("rtq", {"levels": 2}, "expected_sarsa", {"steps": 50}),
    ("amd", {"inner_iterations": 5}, "soft_value_iteration", {"sweeps": 3}),
]
#: Audit events that a checkpoint must not cause.
FORBIDDEN = (
    *(
        f"os.{name}"
        for name in ("remove", "rename", "rmdir", "mkdir", "system", "exec", "spawn", "posix_spawn", "fork")
    ),
    *(f"os.{name}" for name in ("chmod", "chown", "link", "symlink", "truncate", "kill", "putenv", "startfile")),
    *("subprocess.", "shutil.", "socket.", "pickle."),
)
COMPILER = re.compile(r"[/\\\\](numba|llvmlite)[/\\\\]")
SMALL = [None, True, False, -1, 0, 1, 4, 5, 0.0, 0.5, -1.0, float("nan")]
STRANGE = [
    *SMALL,
    *(2**31, -(2**40), 2**70, 1e308, -1e308, 5e-324, float("inf"), 1e-9),
    *("", "os:remove", "__class__", "commit", "bchg", "antigravity:a/B-v0", b"", b"bytes"),
    *((), [], {}, (1.0,), [0.0], [[]], {"commit": 1}, {"a": {"b": []}}),
    *(np.zeros(6), np.zeros((3, 2)), np.array(1.0), np.full((3, 2, 3), 0.5), np.zeros(3, np.int32), np.zeros(0)),
    *(np.zeros((3, 2, 3, 4), np.int32), np.ones((3, 2, 3, 4)), np.random.default_rng(1), np.random.RandomState(1)),
]


class Stopped(list):
    """Of runs that were stopped; too long to be shown."""

    def __repr__(self):
        return f"{len(self)} stopped runs"


class Watch:
    """Notes audit events; Python has no way to take such a hook out again, so it is switched."""

    def __init__(self):
        self.on, self.seen = False, []
        sys.addaudithook(self)

    def __call__(self, event, arguments):
        if not self.on:
            return
        imports = event == "import" and arguments[0].partition(".")[0] == "antigravity"
        writes = event == "open" and isinstance(arguments[1], str) and bool(set(arguments[1]) & set("wax+"))
        # What Python and Numba keep of what they compile.
        writes = writes and "__pycache__" not in str(arguments[0])
        if (imports or writes or event.startswith(FORBIDDEN)) and not compiles():
            self.seen.append((event, arguments))


def compiles():
    """Whether Numba is at work: it pickles what it compiles, at a kernel's first call with arrays of some layout."""
    frame = sys._getframe(2)
    while frame is not None:
        if COMPILER.search(frame.f_code.co_filename):
            return True
        frame = frame.f_back
    return False


@pytest.fixture(scope="module")
def watch():
    return Watch()


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """Per pair of players: folder, tree of its checkpoint, names of the attributes of its run and its players."""

    def stop(progress):
        if progress.update == 2:
            raise KeyboardInterrupt

    found = Stopped()
    for leader, options, follower, follower_options in PLAYERS:
        folder = tmp_path_factory.mktemp("run")
        given = {
            "leader": leader,
            "leader_options": options,
            "follower": follower,
            "follower_options": follower_options,
        }
        agents.run(TOY, **given, updates=3, steps_per_update=30, output=folder, progress=stop)
        tree = from_bytes((folder / "checkpoint.npz").read_bytes())
        tree.pop("digest")
        run = Experiment(ExperimentConfig(**{**tree["config"], "game": TOY}))
        run.restore(read_checkpoint(folder), str(folder / "checkpoint.npz"))
        run.step()
        found.append((folder, tree, attributes_of(run)))
    return found


def attributes_of(run):
    """The names of all attributes, and which of them are functions of the object's own."""
    parts = {"run": run, "record": run.record, "leader": run.leader, "follower": run.follower}
    for name in ("optimizer", "critic", "model", "_search"):
        if hasattr(run.leader, name):
            parts[name] = getattr(run.leader, name)
    return {(name, key, callable(value)) for name, part in parts.items() if part for key, value in vars(part).items()}


def one_of(rng, items):
    return items[int(rng.integers(len(items)))]


def coin(rng):
    return bool(rng.random() < 0.5)


def ways(tree, way=()):
    """Every place in a tree, as the keys that lead there."""
    yield way
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from ways(value, (*way, key))
    elif isinstance(tree, list | tuple):
        for i, value in enumerate(tree):
            yield from ways(value, (*way, i))


def changed(tree, way, change):
    """A copy of a tree in which one place was changed."""
    if not way:
        return change(tree)
    key, *rest = way
    if isinstance(tree, dict):
        return {k: changed(value, rest, change) if k == key else value for k, value in tree.items()}
    items = [changed(value, rest, change) if i == key else value for i, value in enumerate(tree)]
    return type(tree)(items)


def mutate(rng, tree):
    """Change one place of a tree: another value, a key more or less, entries twice, numbers out of range."""
    # A process of its own for the leader is nothing to be afraid of, and takes a second to start.
    way = one_of(rng, [way for way in ways(tree) if way and way[-1] != "leader_process"])
    value = tree
    for key in way:
        value = value[key]
    # What a configuration asks for is done: a run of a billion steps is no fault, but a long test.
    strange = SMALL if way[0] == "config" else STRANGE
    if isinstance(value, dict) and coin(rng):
        name = one_of(rng, [*value, "commit", "__class__", "brief", "record"])
        if name in value and coin(rng):
            return changed(tree, way, lambda old: {k: v for k, v in old.items() if k != name})
        return changed(tree, way, lambda old: {**old, name: one_of(rng, strange)})
    if isinstance(value, list) and value and coin(rng):
        return changed(tree, way, lambda old: old * one_of(rng, [0, 2, 50]))
    if isinstance(value, np.ndarray) and value.size and coin(rng):
        return changed(tree, way, lambda old: spoiled(rng, old))
    if way[0] != "config" and isinstance(value, int | float) and not isinstance(value, bool) and coin(rng):
        return changed(tree, way, lambda old: old * one_of(rng, [-1, 2, 10**6]))
    return changed(tree, way, lambda old: one_of(rng, strange))


def spoiled(rng, array):
    """An array with one entry, its shape or its dtype changed."""
    kind = one_of(rng, ["entry", "shape", "dtype", "cut"])
    if kind == "shape":
        return array.reshape(-1)
    if kind == "dtype":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return array.astype(one_of(rng, [np.float32, np.int64, np.complex128, np.bool_]))
    if kind == "cut":
        return array[:-1] if array.ndim else array.reshape(1)
    new = array.copy()
    place = int(rng.integers(array.size))
    extremes = [np.nan, np.inf, -np.inf, 1e308, -1.0, 1e-300, 2.0] if array.dtype.kind == "f" else [-1, 99, 2**31 - 1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        new.ravel()[place] = np.array(one_of(rng, extremes)).astype(array.dtype)
    return new


def try_one(seed, stopped, watch, tmp_path):
    rng = np.random.default_rng(seed)
    folder, tree, known = one_of(rng, stopped)
    for _ in range(int(rng.integers(1, 4))):
        tree = mutate(rng, tree)
        if not isinstance(tree, dict):
            break
    here = tmp_path / "run"
    shutil.rmtree(here, ignore_errors=True)
    here.mkdir()
    shutil.copy(folder / "curve.jsonl", here)
    path = here / "checkpoint.npz"
    path.write_bytes(to_bytes({**tree, "digest": digest(tree)}))
    before = sorted((item.name, item.read_bytes()) for item in here.iterdir())
    watch.seen, watch.on = [], True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outcome = go_on(path, known)
    finally:
        watch.on = False
    assert not watch.seen
    assert sorted((item.name, item.read_bytes()) for item in here.iterdir()) == before
    return outcome


def go_on(path, known):
    """Take over a checkpoint as a run does, and do one update; return how that ended."""
    from agents.runs.running import _resumed, load_checkpoint

    try:
        run = _resumed(path.parent, load_checkpoint(path.parent), None, trust=False)
    except OutputError as exc:
        assert str(path) in str(exc) or "curve.jsonl" in str(exc)
        return "refused"
    except ArgumentError as exc:
        assert "only ids are remembered" in str(exc)
        return "refused"
    config = run.config
    assert 0 <= run.updates_done <= config.updates
    assert run.curve.rows == run.updates_done
    for pair in (run._latest, run._sound, run._played, run._recommended):
        assert pair is None or (run.game.commitment.check(pair[0]) == pair[0]).all()
    policy = getattr(run.follower, "policy", None)
    assert policy is None or np.allclose(policy.sum(axis=-1), 1.0)
    if (config.leader, config.follower) in {(leader, follower) for leader, _, follower, _ in PLAYERS}:
        strange = attributes_of(run) - known
        assert not [name for name in strange if name[2]], strange
    if config.updates > 100 or config.steps_per_update > 1_000:
        return "accepted"
    try:
        while run.updates_done < config.updates:
            run.step()
        run.close("finished")
    except StackelbergError:
        return "failed"
    except (ValueError, FloatingPointError, OverflowError, np.linalg.LinAlgError, ZeroDivisionError) as exc:
        # Numbers that no run ends up with, though each is in its range, may be too much for the solvers.
        assert not isinstance(exc, OSError)
        return "failed"
    return "accepted"


SETTINGS = settings(
    phases=[Phase.generate],
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@settings(SETTINGS, max_examples=200)
@given(seed=st.integers(0, 2**32))
def test_a_checkpoint_changed_at_random_is_refused_or_without_effect(seed, stopped, watch, tmp_path):
    try_one(seed, stopped, watch, tmp_path)


@pytest.mark.deep
@settings(SETTINGS, max_examples=10_000)
@given(seed=st.integers(0, 2**32))
def test_ten_thousand_checkpoints_changed_at_random_are_refused_or_without_effect(seed, stopped, watch, tmp_path):
    try_one(seed, stopped, watch, tmp_path)


def test_the_game_of_a_run_is_told_by_its_fingerprint(stopped):
    _, tree, _ = stopped[0]
    assert tree["game_digest"] == fingerprint(Experiment(ExperimentConfig(TOY)).game)
