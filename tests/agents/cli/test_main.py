"""The command line, as people use it: words in, exit code, text and files out."""

import shlex
import subprocess
import sys

import pytest

from agents.cli import compare, export, gradients, plot, query, render, run, show, submit, submit_check, suites, tune
from agents.cli import main as cli
from agents.cli.main import command_parser, main
from agents.runs.records import load_record
from tests.agents.cli.words import ROOMS, SHORT, TOY, refused


def test_without_a_command_the_help_is_shown(capsys):
    assert main([]) == 0
    out = capsys.readouterr().out
    assert "first steps:" in out
    assert "stackelberg demo" in out


@pytest.mark.parametrize(
    "command",
    [
        "list",
        "show",
        "run",
        "plot",
        "gradients",
        "compare",
        "report",
        "demo",
        "query",
        "render",
        "export",
        "submit",
        "submit-check",
        "suites",
        "tune",
    ],
)
def test_each_command_explains_itself(command, capsys):
    assert main([command, "--help"]) == 0
    assert f"stackelberg {command}" in capsys.readouterr().out


def test_examples_of_the_help_are_valid_commands():
    text = "\n".join(
        [
            cli.EPILOG,
            run.EPILOG,
            plot.EPILOG,
            compare.EPILOG,
            show.EPILOG,
            gradients.EPILOG,
            submit_check.EPILOG,
            submit.EPILOG,
            export.EPILOG,
            query.EPILOG,
            render.EPILOG,
            suites.EPILOG,
            tune.EPILOG,
        ]
    ).replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("stackelberg ")]
    assert len(lines) >= 10
    for line in lines:
        command_parser().parse_args(shlex.split(line.partition("   ")[0])[1:])


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("stackelberg-envs ")


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """A module in the folder the command is started in, which registers a game and a leader."""
    (tmp_path / "mine.py").write_text(
        "import stackelberg_envs as se\n"
        "from agents.leaders import register_leader\n"
        "from agents.leaders.random_search import RandomSearch\n"
        "def make_game(size: int = 3):\n"
        '    """A game of mine [/b]."""\n'
        "    return se.random_tabular(S=size, A=2, B=2, horizon=5)\n"
        "se.register('mine/Game-v0', make_game)\n"
        "@register_leader('mine')\n"
        "class Mine(RandomSearch):\n"
        '    """Mine."""\n'
        "    state_fields = {}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    yield "mine/Game-v0"
    from agents.leaders.base import LEADERS
    from stackelberg_envs.faces import registration

    registration._SPECS.pop("mine/Game-v0", None)
    LEADERS.classes.pop("mine", None)
    sys.modules.pop("mine", None)


def test_games_and_leaders_of_a_module_of_ones_own(own_module, tmp_path, capsys):
    words = [*SHORT, "--leader", "mine", "--set", "size=4", "--output", "out", "--quiet"]
    assert main(["run", f"mine:{own_module}", *words]) == 0
    record = load_record(tmp_path / "out")
    assert (record.game, record.leader, record.game_arguments) == (own_module, "mine", {"size": 4})
    assert main(["show", own_module, "--import", "mine"]) == 0
    assert "A game of mine [/b]." in capsys.readouterr().out
    assert main(["list", "--import", "mine"]) == 0
    assert own_module in capsys.readouterr().out
    assert main(["run", own_module, "--import", "mine", *words]) == 0


def test_without_the_import_nobody_knows_them(own_module, capsys):
    assert f"unknown environment '{own_module}'" in refused(capsys, "show", own_module)
    assert "unknown leader 'mine'" in refused(capsys, "run", TOY, "--leader", "mine")


@pytest.mark.parametrize("name", ["no_such_module", "", ".x", "a b", "broken"])
def test_modules_that_cannot_be_imported_are_refused(name, own_module, tmp_path, capsys):
    (tmp_path / "broken.py").write_text("1 / 0")
    assert "expected a module that can be imported, got" in refused(capsys, "list", "--import", name)
    assert "expected a module that can be imported, got" in refused(capsys, "run", f"{name}:a/B-v0")


@pytest.mark.parametrize(
    "name", ["a" * 300, "\ud800", "\udce4", "a\0b", "", "folder", "folder/record.json", "a\nb", "[/b]"]
)
def test_any_name_of_a_record_is_refused_in_one_line(name, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    refused(capsys, "plot", name)
    refused(capsys, "run", "--resume", name)


@pytest.mark.parametrize("name", ["a" * 300, "\ud800", "a\0b", "", "/dev/null/x", "file"])
def test_any_name_of_an_output_is_refused_in_one_line(name, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    refused(capsys, "run", TOY, *SHORT, "--output", name)
    refused(capsys, "gradients", TOY, "--output", name)


def test_a_reader_that_went_away_is_no_error(monkeypatch, capsys):
    def gone(*_, **__):
        raise BrokenPipeError

    monkeypatch.setattr("rich.console.Console.print", gone)
    assert main(["list"]) == 1
    assert capsys.readouterr().err == ""


def test_want_of_memory_is_said_in_one_line(monkeypatch, capsys):
    def large(*_, **__):
        raise MemoryError("8 TiB")

    monkeypatch.setattr("agents.cli.show_game._numbers_table", large)
    assert main(["show", TOY]) == 1
    assert capsys.readouterr().err == "stackelberg: error: not enough memory (8 TiB)\n"


@pytest.mark.parametrize(
    ("words", "more"),
    [
        ("--help", ["rich", "stackelberg_envs", "numpy"]),
        ("run --help", ["numpy"]),
        ("list", []),
        (f"show {ROOMS}", []),
        ("show leader:bchg", []),
        ("show follower:sac", []),
    ],
)
def test_commands_that_only_tell_load_nothing_heavy(words, more):
    """What takes long to import stays out of what is asked first."""
    heavy = ["numba", "scipy.special", "scipy.optimize", "scipy.sparse", "matplotlib", "torch", "PIL", *more]
    code = (
        "import sys; from agents.cli.main import main; assert main(sys.argv[1:]) == 0;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, *words.split()], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
