"""The command line, as people use it: words in, exit code, text and files out."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from agents.cli import demo
from agents.cli import main as cli
from agents.cli import parser as cli_parser
from agents.cli.main import main
from agents.cli.parser import command_parser
from agents.cli.values import read_pairs, value_of
from agents.followers.soft_value_iteration import SoftValueIteration
from agents.runs.records import load_record

TOY, ROOMS = "stackelberg/DiscreteToy-v0", "stackelberg/FourRooms-v0"
SHORT = ["--updates", "3", "--steps-per-update", "100"]


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    """A wide terminal, so that no line is broken."""
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def small_demo(monkeypatch):
    options = {**demo.DEMO, "follower_options": {**demo.DEMO["follower_options"], "first_steps": 2_000}}
    options["follower_options"]["steps"] = 1_000
    monkeypatch.setattr(cli, "DEMO", {**options, "updates": 3, "steps_per_update": 200})


def refused(capsys, *words):
    """Run, expect a refusal in one line on standard error, and return that line."""
    assert main(words) == 2
    err = capsys.readouterr().err
    assert err.startswith("stackelberg: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


# help


def test_without_a_command_the_help_is_shown(capsys):
    assert main([]) == 0
    out = capsys.readouterr().out
    assert "first steps:" in out
    assert "stackelberg demo" in out


@pytest.mark.parametrize("command", ["list", "show", "run", "plot", "gradients", "demo"])
def test_each_command_explains_itself(command, capsys):
    assert main([command, "--help"]) == 0
    assert f"stackelberg {command}" in capsys.readouterr().out


def test_examples_of_the_help_are_valid_commands():
    text = "\n".join(
        [
            cli_parser.EPILOG,
            cli_parser.RUN_EPILOG,
            cli_parser.PLOT_EPILOG,
            cli_parser.SHOW_EPILOG,
            cli_parser.GRADIENTS_EPILOG,
        ]
    ).replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("stackelberg ")]
    assert len(lines) >= 10
    for line in lines:
        command_parser().parse_args(shlex.split(line.partition("   ")[0])[1:])


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("stackelberg-envs ")


# list, show


def test_list_names_environments_leaders_with_their_levels_and_followers(capsys):
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    for word in (TOY, ROOMS, "bchg", "naive", "exact", "soft_q_learning", "ACTIONS_ONLY to REWARDS_OBSERVED"):
        assert word in out
    row = next(line for line in out.splitlines() if line.startswith(ROOMS))
    assert row.split()[-5:] == ["104", "1", "4", "1", "104"]


def test_show_tells_what_an_environment_is(capsys):
    assert main(["show", ROOMS, "--set", "penalty=1.5"]) == 0
    out = capsys.readouterr().out
    assert "1 per step on the target cell" in out
    assert "temperature" in out
    assert "# # # #" in out
    row = next(line for line in out.splitlines() if line.startswith("penalty"))
    assert row.split()[1:3] == ["5.0", "1.5"]
    assert out.rstrip().endswith(f"stackelberg run {ROOMS} --set penalty=1.5")


def test_show_works_for_every_environment(capsys):
    from stackelberg_envs.faces.registration import registered_ids

    for name in registered_ids():
        assert main(["show", name]) == 0
        assert "Under the commitment nearest to zero" in capsys.readouterr().out


# run


def test_run_ends_in_a_table_and_writes_record_and_picture(tmp_path, capsys):
    folder = tmp_path / "toy"
    words = ["--set", "reward=2", "--leader-option", "learning_rate=0.1", "--seed", "7", "--output", str(folder)]
    assert main(["run", TOY, *SHORT, *words]) == 0
    out = capsys.readouterr().out
    for row in ("leader return at start", "at end", "exact", "best known", "response gap", "observed steps", "time"):
        assert row in out
    assert "In words: the leader's return went from" in out
    record = load_record(folder)
    assert (record.status, record.seed, record.observed_steps) == ("finished", 7, 300)
    assert record.game_arguments == {"reward": 2}
    assert record.leader_options["learning_rate"] == 0.1
    assert f"{record.leader_value:.4f}" in out
    assert (folder / "run.png").read_bytes().startswith(b"\x89PNG")


def test_quiet_prints_the_table_alone(capsys):
    assert main(["run", TOY, *SHORT, "--quiet"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("Result")
    assert "In words" not in captured.out
    assert captured.err == ""


def test_equal_seeds_give_equal_runs(tmp_path):
    for name in ("one", "two"):
        assert main(["run", TOY, *SHORT, "--quiet", "--output", str(tmp_path / name)]) == 0
    one, two = load_record(tmp_path / "one"), load_record(tmp_path / "two")
    np.testing.assert_array_equal(one.commitment, two.commitment)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["show", "stackelberg/FourRoom-v0"], "did you mean 'stackelberg/FourRooms-v0'"),
        (["run", TOY, "--leader", "bcgh"], "did you mean 'bchg'"),
        (["run", TOY, "--follower", "soft_q"], "did you mean 'soft_dqn', 'soft_q_learning'"),
        (["run", TOY, "--parametrisation", "sigmod"], "did you mean 'sigmoid'"),
        (["run", TOY, "--set", "rewrad=2"], "expected arguments among reward"),
        (["run", TOY, "--set", "reward"], "expected NAME=VALUE, got 'reward'"),
        (["run", TOY, "--set", "reward=much"], "reward: expected a finite number, got 'much'"),
        (["run", TOY, "--set", "reward=__import__('os')"], "expected a number, a word, or a list"),
        (["run", TOY, "--set", "temperature=0"], "temperature: expected a number greater than 0"),
        (["run", TOY, "--leader-option", "rate=1"], "unknown option 'rate'"),
        (
            ["run", TOY, "--leader-option", "learning_rate=NaN"],
            "learning_rate: expected a number greater than 0, got nan",
        ),
        (["run", TOY, "--leader-option", "start=[0, 'a']"], "'random' or an array of finite numbers"),
        (["run", TOY, "--leader-option", "optimizer=newton"], "optimizer: expected 'adam' or 'sgd', got 'newton'"),
        (["run", TOY, "--follower-option", "tolerance=true"], "tolerance: expected a number greater than 0, got True"),
        (["run", ROOMS, "--set", "goals=[[0, 0]]"], "expected free cells"),
        (["run", ROOMS, "--set", "goals=5"], "goals: expected a list of lists, got 5"),
        (["run", TOY, "--updates", "0"], "--updates: expected a whole number of at least 1"),
        (["run", TOY, "--seed", "1.5"], "--seed: expected a whole number of at least 0"),
        (["run"], "the following arguments are required: ID"),
        (["frobnicate"], "invalid choice: 'frobnicate'"),
    ],
)
def test_bad_input_is_refused_in_one_line(words, message, capsys):
    assert message in refused(capsys, *words)


def test_values_are_read_without_being_evaluated():
    read = {text: value_of(text) for text in ("1e5", "-2", "adam", "true", "none", "(1, 2)", "[[1, 9]]", "'a b'")}
    assert list(read.values()) == [1e5, -2, "adam", True, None, (1, 2), [[1, 9]], "a b"]
    pairs = read_pairs(["steps=1e5", "first-steps=none"], "")
    assert pairs == {"steps": 100_000, "first_steps": None}
    assert isinstance(pairs["steps"], int)


def test_an_unwritable_folder_is_refused_before_any_work(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("agents.runs.running.Experiment", lambda *_: pytest.fail("work was done"))
    (tmp_path / "file").write_text("")
    line = refused(capsys, "run", TOY, "--output", str(tmp_path / "file" / "out"))
    assert "expected a folder that can be written" in line


def test_a_refused_run_leaves_no_folder(tmp_path, capsys):
    refused(capsys, "run", TOY, "--leader", "nobody", "--output", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_failing_run_leaves_a_readable_record(tmp_path, capsys, monkeypatch):
    fail_after(monkeypatch, 3, RuntimeError("the sky fell"))
    with pytest.raises(RuntimeError, match="the sky fell"):
        main(["run", TOY, "--updates", "9", "--steps-per-update", "100", "--output", str(tmp_path)])
    assert f"what it had is in {tmp_path / 'record.json'}" in capsys.readouterr().err
    record = load_record(tmp_path)
    assert (record.status, record.error) == ("failed", "RuntimeError: the sky fell")
    assert len(record.curve["leader_value"]) == 2


def test_without_matplotlib_the_run_succeeds_and_one_sentence_names_the_extra(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["run", TOY, *SHORT, "--output", str(tmp_path)]) == 0
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert 'pip install "stackelberg-envs[plots]"' in err
    assert load_record(tmp_path).status == "finished"
    assert not (tmp_path / "run.png").exists()


# Ctrl-C


def fail_after(monkeypatch, calls, error):
    """Make the follower raise, or call, `error` at its n-th commitment."""
    learn, seen = SoftValueIteration.learn, []

    def counted(self, view):
        seen.append(1)
        if len(seen) == calls:
            if callable(error):
                error()
            else:
                raise error
        return learn(self, view)

    monkeypatch.setattr(SoftValueIteration, "learn", counted)


def check_interrupted(code, updates, folder, capsys):
    assert code == 130
    out = capsys.readouterr().out
    assert f"Stopped after update {updates} of 50; what was learned is kept." in out
    assert "Result" in out
    record = load_record(folder)
    assert record.status == "interrupted"
    assert len(record.curve["leader_value"]) == updates
    assert record.commitment is not None
    assert (folder / "run.png").exists()
    command = next(line for line in out.splitlines() if "Look at it again with:" in line).partition(": ")[2]
    assert main(shlex.split(command)[1:]) == 0
    assert (folder / "curve.png").exists()


FIFTY = ["--updates", "50", "--steps-per-update", "100"]


def test_an_interrupt_at_any_point_keeps_what_was_learned(tmp_path, capsys, monkeypatch):
    fail_after(monkeypatch, 4, KeyboardInterrupt())
    code = main(["run", TOY, *FIFTY, "--output", str(tmp_path)])
    check_interrupted(code, 3, tmp_path, capsys)


def test_an_interrupt_from_the_progress_display_keeps_what_was_learned(tmp_path, capsys, monkeypatch):
    show = cli._Watch.__call__

    def interrupt(self, progress):
        show(self, progress)
        if progress.update == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(cli._Watch, "__call__", interrupt)
    code = main(["run", TOY, *FIFTY, "--output", str(tmp_path)])
    check_interrupted(code, 5, tmp_path, capsys)


def test_the_first_ctrl_c_lets_the_update_finish(tmp_path, capsys, monkeypatch):
    before = signal.getsignal(signal.SIGINT)
    fail_after(monkeypatch, 4, lambda: os.kill(os.getpid(), signal.SIGINT))
    code = main(["run", TOY, *FIFTY, "--output", str(tmp_path)])
    check_interrupted(code, 4, tmp_path, capsys)
    assert signal.getsignal(signal.SIGINT) == before


def test_the_second_ctrl_c_stops_at_once(tmp_path, capsys, monkeypatch):
    fail_after(monkeypatch, 4, lambda: [os.kill(os.getpid(), signal.SIGINT) for _ in range(2)])
    code = main(["run", TOY, *FIFTY, "--output", str(tmp_path)])
    check_interrupted(code, 3, tmp_path, capsys)


def test_ctrl_c_before_the_first_update_still_leaves_a_record(tmp_path, capsys, monkeypatch):
    fail_after(monkeypatch, 1, KeyboardInterrupt())
    assert main(["run", TOY, *FIFTY, "--output", str(tmp_path)]) == 130
    assert "Stopped after update 0 of 50" in capsys.readouterr().out
    assert load_record(tmp_path).status == "interrupted"
    assert "had none" in refused(capsys, "plot", str(tmp_path), "--output", str(tmp_path / "x.png"))


def test_ctrl_c_without_an_output_folder_says_how_to_keep_it(capsys, monkeypatch):
    fail_after(monkeypatch, 4, KeyboardInterrupt())
    assert main(["run", TOY, *FIFTY]) == 130
    assert "nothing was written: --output FOLDER keeps it" in capsys.readouterr().out


def test_a_real_signal_to_a_real_process(tmp_path):
    script = (
        "import sys, agents.runs.running, agents.cli.main; agents.runs.running.SAVE_INTERVAL = 0.0; "
        "sys.exit(agents.cli.main.main(sys.argv[1:]))"
    )
    words = ["run", TOY, "--updates", "1000000", "--steps-per-update", "100", "--output", str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-c", script, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (
            (tmp_path / "curve.jsonl").exists() and (tmp_path / "curve.jsonl").stat().st_size
        ):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "what was learned is kept" in out
    record = load_record(tmp_path)
    assert record.status == "interrupted"
    assert len(record.curve["leader_value"]) >= 1
    assert (tmp_path / "run.png").exists()


# resume


def without_seconds(folder):
    values = json.loads((folder / "record.json").read_text())
    del values["seconds"]
    return values


def test_a_run_that_was_stopped_goes_on_where_it_was(tmp_path, capsys, monkeypatch):
    words = [*FIFTY, "--seed", "3", "--leader-option", "learning_rate=0.1", "--set", "reward=2"]
    assert main(["run", TOY, *words, "--quiet", "--output", str(tmp_path / "whole")]) == 0
    with monkeypatch.context() as patch:
        fail_after(patch, 20, lambda: os.kill(os.getpid(), signal.SIGINT))
        assert main(["run", TOY, *words, "--output", str(tmp_path / "part")]) == 130
    out = capsys.readouterr().out
    command = next(line for line in out.splitlines() if line.startswith("Go on with: ")).partition(": ")[2]
    assert command == f"stackelberg run --resume {tmp_path / 'part'}"
    assert main(shlex.split(command)[1:]) == 0
    out = capsys.readouterr().out
    assert "leader bchg, which sees" in out
    assert "50" in next(line for line in out.splitlines() if line.startswith("leader updates"))
    assert without_seconds(tmp_path / "part") == without_seconds(tmp_path / "whole")
    assert (tmp_path / "part" / "run.png").exists()
    assert not (tmp_path / "part" / "checkpoint.npz").exists()


def test_what_cannot_be_resumed_is_refused_in_one_line(tmp_path, capsys, monkeypatch):
    assert "expected the checkpoint of a run that was stopped" in refused(capsys, "run", "--resume", str(tmp_path))
    fail_after(monkeypatch, 3, KeyboardInterrupt())
    assert main(["run", TOY, *FIFTY, "--output", str(tmp_path)]) == 130
    capsys.readouterr()
    words = ["run", TOY, "--resume", str(tmp_path), "--updates", "9", "--set", "reward=2"]
    assert "expected no other options, since the run has its own; got id, updates, game" in refused(capsys, *words)
    (tmp_path / "checkpoint.npz").write_bytes(b"nonsense")
    assert "checkpoint.npz: expected what this library wrote, got damaged data" in refused(
        capsys, "run", "--resume", str(tmp_path)
    )
    assert "--checkpoint-every: expected --output FOLDER too" in refused(capsys, "run", TOY, "--checkpoint-every", "5")


def test_checkpoints_and_a_leader_elsewhere_change_nothing(tmp_path):
    options = {"near": [], "far": ["--checkpoint-every", "2", "--leader-process"]}
    for name, words in options.items():
        assert main(["run", TOY, *SHORT, *words, "--quiet", "--output", str(tmp_path / name)]) == 0
    assert without_seconds(tmp_path / "near") == without_seconds(tmp_path / "far")


# gradients


def test_gradients_prints_a_table_and_writes_numbers_and_a_picture(tmp_path, capsys):
    folder = tmp_path / "grad"
    words = ["--leaders", "bchg, naive", "--sizes", "200,2e3", "--seeds", "3", "--output", str(folder)]
    assert main(["gradients", TOY, "--set", "reward=2", *words]) == 0
    out = capsys.readouterr().out
    rows = [line.split()[:3] for line in out.splitlines() if line.startswith(("bchg", "naive"))]
    assert rows == [
        ["bchg", "REWARDS_OBSERVED", "200"],
        ["bchg", "REWARDS_OBSERVED", "2,000"],
        ["naive", "ACTIONS_ONLY", "200"],
        ["naive", "ACTIONS_ONLY", "2,000"],
    ]
    assert len(json.loads((folder / "gradients.json").read_text())["rows"]) == 4
    assert (folder / "gradients.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--leaders", "bcgh"], "did you mean 'bchg'"),
        (["--leaders", "exact"], "exact: expected a leader that estimates a gradient, such as"),
        (["--leaders", ","], "expected at least one leader"),
        (["--sizes", "100,many"], "--sizes: expected a whole number of at least 1, got 'many'"),
        (["--seeds", "1"], "--seeds: expected a whole number of at least 2"),
        (["--set", "rewrad=2"], "expected arguments among reward"),
    ],
)
def test_bad_input_of_gradients_is_refused_in_one_line(words, message, capsys):
    assert message in refused(capsys, "gradients", TOY, *words)


# plot


def test_plot_draws_files_and_folders(tmp_path, capsys):
    for seed in ("0", "1"):
        assert main(["run", TOY, *SHORT, "--seed", seed, "--quiet", "--output", str(tmp_path / seed)]) == 0
    picture = tmp_path / "pictures" / "curve.png"
    records = [str(tmp_path / "0"), str(tmp_path / "1" / "record.json")]
    assert main(["plot", *records, "--output", str(picture)]) == 0
    assert f"Picture: {picture}" in capsys.readouterr().out
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "3", '{"format": 99}', '{"format": 1, "game": "x"}'])
def test_bad_record_files_are_named(text, tmp_path, capsys):
    path = tmp_path / "record.json"
    path.write_text(text)
    assert str(path) in refused(capsys, "plot", str(path), "--output", str(tmp_path / "x.png"))


def test_plot_refuses_missing_records_unknown_formats_and_missing_matplotlib(tmp_path, capsys, monkeypatch):
    assert "expected a run's record.json" in refused(capsys, "plot", str(tmp_path / "none"))
    assert main(["run", TOY, *SHORT, "--quiet", "--output", str(tmp_path)]) == 0
    assert "ending in .png" in refused(capsys, "plot", str(tmp_path), "--output", str(tmp_path / "x.txt"))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert "[plots]" in refused(capsys, "plot", str(tmp_path), "--output", str(tmp_path / "x.png"))


# demo


def test_the_demo_explains_itself_and_prints_a_command_that_repeats_it(tmp_path, capsys, small_demo):
    assert main(["demo", "--output", str(tmp_path / "demo")]) == 0
    out = capsys.readouterr().out
    assert "sees only trajectories" in out
    assert "Leader return is what the leader earns" in out
    assert (tmp_path / "demo" / "run.png").exists()
    command = out.strip().splitlines()[-1].strip()
    assert command.startswith(f"stackelberg run {ROOMS} ")
    again = command.replace(str(tmp_path / "demo"), str(tmp_path / "again"))
    assert main(shlex.split(again)[1:]) == 0
    first, second = (json.loads((tmp_path / name / "record.json").read_text()) for name in ("demo", "again"))
    for part in (first, second):
        del part["seconds"]
    assert first == second


def test_the_demo_is_the_run_it_declares():
    options = command_parser().parse_args(demo.words_of(demo.DEMO))
    _, _, arguments = cli._checked_run(options)
    assert options.id == demo.DEMO["game"]
    for name, value in demo.DEMO.items():
        if name != "game":
            assert arguments[name] == value


# Modules of the user's own.


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
    LEADERS.pop("mine", None)
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


# Words that are none.


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


def test_whole_numbers_are_read_exactly(capsys):
    number = 2**63 + 1
    parser = command_parser()
    assert parser.parse_args(["run", TOY, "--seed", str(number)]).seed == number
    assert parser.parse_args(["run", TOY, "--updates", "1_000"]).updates == 1_000
    assert parser.parse_args(["run", TOY, "--updates", "5e3"]).updates == 5_000
    assert "run: updates: expected an integer in [1, 2147483647]" in refused(capsys, "run", TOY, "--updates", "1e30")


def test_a_reader_that_went_away_is_no_error(monkeypatch, capsys):
    def gone(*_, **__):
        raise BrokenPipeError

    monkeypatch.setattr("agents.cli.main.Console.print", gone)
    assert main(["list"]) == 1
    assert capsys.readouterr().err == ""


def test_want_of_memory_is_said_in_one_line(monkeypatch, capsys):
    def large(*_, **__):
        raise MemoryError("8 TiB")

    monkeypatch.setattr("agents.cli.main._numbers_table", large)
    assert main(["show", TOY]) == 1
    assert capsys.readouterr().err == "stackelberg: error: not enough memory (8 TiB)\n"


SUMMARIES = """
import json
from agents.cli.main import _summary
from agents.followers import follower_class, follower_names
from agents.leaders import leader_class, leader_names
from stackelberg_envs.docstrings import docstring_of
from stackelberg_envs.faces.registration import registered_ids, spec
kinds = [*map(leader_class, leader_names()), *map(follower_class, follower_names())]
games = [spec(name) for name in registered_ids() if name.startswith("stackelberg/")]
found = [[_summary(kind) for kind in kinds], [[game.summary, docstring_of(game.make_game)] for game in games]]
"""


def test_descriptions_are_there_without_docstrings():
    here = {}
    exec(SUMMARIES, here)  # noqa: S102 - the same lines in this process
    code = SUMMARIES + "print(json.dumps(found))"
    done = subprocess.run([sys.executable, "-OO", "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == here["found"]
    assert all(here["found"][0])
