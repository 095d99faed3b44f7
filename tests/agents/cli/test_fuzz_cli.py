"""Random words after ``stackelberg``: done, or refused in one line; never a traceback."""

import io
import shutil
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from importlib.machinery import NamespaceLoader

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import agents
from agents.cli import demo
from agents.cli.main import main

TOY = "stackelberg/DiscreteToy-v1"
IDS = [TOY, TOY, "stackelberg/RandomTabular-v1", "stackelberg/BilevelLqr-v1", "toy", "nothing:a/B-v0", "math:a/B-v0"]
JUNK = [
    *(
        "",
        " ",
        "-",
        "--",
        "-x",
        "--nonsense",
        "a" * 300,
        "\udce4",
        "\ud800",
        "\0",
        "a\nb",
        "\x1b[31m",
        "[/bold]",
        ":smile:",
    ),
    *("%s", "{}", "1e400", "9" * 5_000, "-1", "0", "1", "1.5", "nan", "true", "none", "[" * 2_000, "[[1, 2], [3]]"),
    *("a=b", "=", "a=", "=1", "\u202e", "/dev/null", "/dev/full", "/proc/nothing", "record.json", "empty", "broken"),
    *("done", ".", "..", "x.png"),
]
OPTIONS = ["reward", "horizon", "S", "temperature", "learning_rate", "start", "critic", "warm", "sweeps", "x"]
VALUES = [
    *("1", "2", "0.5", "-1", "1e5", "true", "null", "NaN", "Infinity", "lstd", "zeros", "[0, 1]", "{'a': 1}", "(1,"),
    *("1j", "b'x'", "{1, 2}", "9" * 5_000, "1e999", "'\ud800'", "__import__('os')", ""),
]
FLAGS = ["--set", "--leader-option", "--follower-option"]
NAMES = ["bchg", "naive", "exact", "random_search", "soft_value_iteration", "hard_best_response", "sac", "bcgh"]
SHORT = {
    "run": ["--updates", "1", "--steps-per-update", "9"],
    "gradients": ["--sizes", "30", "--seeds", "2"],
}


def text():
    return st.one_of(st.sampled_from(JUNK), st.text(max_size=8))


def given_options():
    """Return a strategy for options and their values, a list of words."""
    pair = st.tuples(st.sampled_from(OPTIONS), st.sampled_from(VALUES)).map("=".join)
    names = ["--leader", "--follower", "--parametrisation", "--seed", "--updates", "--output", "--import"]
    one = st.one_of(
        st.tuples(st.sampled_from(FLAGS), st.one_of(pair, text())),
        st.tuples(st.sampled_from(names), st.one_of(st.sampled_from(NAMES), text())),
        st.tuples(st.sampled_from(["--quiet", "--resume", "--leader-process", "--checkpoint-every", "--help"])),
        st.tuples(text()),
    )
    return st.lists(one, max_size=3).map(lambda parts: [word for part in parts for word in part])


#: Codes above it say by which signal a command was ended.
SIGNALLED = 128
COMMANDS = ["run", "run", "show", "gradients", "plot", "list", "demo", None]
QUICK = ["run", "run", "show", "plot", None]


@st.composite
def words(draw, commands):
    """Draw a command and its arguments, the last of which keep it short."""
    command = draw(st.sampled_from(commands))
    if command is None:
        return draw(st.lists(text(), max_size=3))
    first = []
    if command in ("run", "show", "gradients"):
        first = [draw(st.one_of(st.sampled_from(IDS), text()))]
    if command == "plot":
        records = ["done", "done/record.json", "broken", "empty", "."]
        first = draw(st.lists(st.one_of(st.sampled_from(records), text()), max_size=2))
    return [command, *first, *draw(given_options()), *SHORT.get(command, [])]


def forget_folders(before):
    """Forget the folders that were imported as if they were packages: other tests ask for modules of such names."""
    for name in set(sys.modules) - before:
        if isinstance(getattr(sys.modules[name].__spec__, "loader", None), NamespaceLoader):
            del sys.modules[name]


def check(arguments):
    before = set(sys.modules)
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with warnings.catch_warnings(), redirect_stdout(out), redirect_stderr(err):
        warnings.simplefilter("ignore")
        code = main(arguments)
    forget_folders(before)
    said = err.buffer.getvalue().decode()
    if code > SIGNALLED:
        raise KeyboardInterrupt  # by somebody who wants to see the end of all this, not one failure more
    assert code in (0, 2), (code, said)
    assert "Traceback" not in said
    if code == 2:
        assert said.startswith("stackelberg: error: ")
        assert said.count("\n") == 1
        assert said[:-1].isprintable()


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    agents.run(TOY, updates=2, steps_per_update=20, output=folder / "done")
    (folder / "empty").mkdir()
    (folder / "broken").mkdir()
    (folder / "broken" / "record.json").write_text('{"format": 1, "game": [')
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, records, monkeypatch):
    for path in records.iterdir():
        shutil.copytree(path, tmp_path / path.name)
    monkeypatch.chdir(tmp_path)
    for name, value in (("updates", 1), ("steps_per_update", 9), ("game", TOY)):
        monkeypatch.setitem(demo.DEMO, name, value)


QUIET = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck), "print_blob": False}


@settings(max_examples=150, derandomize=True, **QUIET)
@given(words(QUICK))
def test_words_are_done_or_refused_in_one_line(arguments):
    check(arguments)


@pytest.mark.deep
@settings(max_examples=10_000, **QUIET)
@given(words(COMMANDS))
def test_many_words_are_done_or_refused_in_one_line(arguments):
    check(arguments)
