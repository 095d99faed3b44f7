"""Files for other tools say what the records say."""

import csv
import json
import math

import duckdb
import numpy as np
import pytest

from agents.benchmark.exporting import FORMATS, export, marl_eval
from agents.benchmark.scores import score_of, task_scales
from agents.benchmark.store import Store
from agents.benchmark.views import VIEWS, connect
from stackelberg_envs.errors import ArgumentError, OutputError, UnknownNameError
from tests.made_records import made_failure, made_job, made_record, made_store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return made_store(tmp_path_factory.mktemp("store"), seeds=2)


@pytest.mark.parametrize("view", VIEWS)
def test_parquet_holds_a_view(view, store, tmp_path):
    path = export(store.folder, tmp_path / "it's new" / "x.parquet", view=view)
    with connect(store.folder) as connection:
        expected = connection.execute(f"select * from {view} order by all").fetchall()  # noqa: S608
    assert duckdb.read_parquet(str(path)).order("all").fetchall() == expected
    assert list(path.parent.iterdir()) == [path]


def test_csv_holds_a_view_with_all_digits_and_replaces_an_earlier_one(store, tmp_path):
    (tmp_path / "x.csv").write_text("old")
    path = export(str(store.folder), str(tmp_path / "x.csv"), "csv")
    with path.open(newline="") as file:
        told = {row["address"]: float(row["value"]) for row in csv.DictReader(file)}
    assert told == {record.address: record.result.leader_value for record in store.records()}


def test_marl_eval_reads_environment_task_algorithm_run_step(store, tmp_path):
    raw = json.loads(export(store.folder, tmp_path / "x.json", "marl-eval").read_text(), parse_constant=pytest.fail)
    assert {name: {task: sorted(found) for task, found in tasks.items()} for name, tasks in raw.items()} == {
        "actions_only": {"discretetoy": ["bchg", "naive"], "fourrooms": ["bchg", "naive"]},
        "response": {"discretetoy": ["hpgd"], "fourrooms": ["hpgd"]},
    }
    scales = task_scales(store.records(), store.sweeps()[0])
    for record in store.records():
        level = record.result.information.lower()
        run = raw[level][record.job.task.lower()][record.job.entrant][f"seed_{record.job.seed}"]
        assert run.pop("absolute_metrics") == {
            "score": [score_of(record, scales)],
            "value": [record.result.leader_value],
        }
        assert list(run) == [f"step_{index}" for index in range(len(run))]
        curve = record.result.curve
        assert [step["step_count"] for step in run.values()] == curve["observed_steps"]
        assert [step["value"] for step in run.values()] == [[value] for value in curve["recommended_value"]]
        last = list(run.values())[-1]
        assert last["score"] == [pytest.approx(score_of(record, scales))]


def test_runs_of_other_steps_share_a_grid_and_hold_what_they_recommended_last(tmp_path):
    store = Store(tmp_path, create=True)
    short, long = made_record(made_job(steps=2_000)), made_record(made_job("FourRooms", steps=100_000))
    late = made_record(made_job(seed=1, steps=2_000))
    late.result.curve["recommended_value"][:-1] = [None] * (len(late.result.curve["recommended_value"]) - 1)
    for record in (short, long, late):
        store.add(record)
    with pytest.warns(UserWarning, match="1 more runs: ACTIONS_ONLY: bchg on FourRooms, seed_1"):
        found = marl_eval(tmp_path)["actions_only"]
    one, other, sparse = found["discretetoy"]["bchg"]["seed_0"], found["fourrooms"]["bchg"]["seed_0"], None
    assert list(one) == list(other)
    counts = [step["step_count"] for name, step in one.items() if name != "absolute_metrics"]
    assert counts == sorted({*short.result.curve["observed_steps"], *long.result.curve["observed_steps"]})
    values = [step["value"][0] for step in one.values()]
    known = dict(zip(short.result.curve["observed_steps"], short.result.curve["recommended_value"], strict=True))
    assert values == [known[min(count, 2_000)] for count in counts] + [short.result.leader_value]
    sparse = [step["value"][0] for name, step in found["discretetoy"]["bchg"]["seed_1"].items()]
    assert sparse == pytest.approx(np.where(np.array([*counts, 10**9]) < 2_000, 0.617, late.result.leader_value))


def test_what_marl_eval_would_stop_at_is_said(tmp_path):
    store = made_store(tmp_path, leaders=("bchg", "naive"), seeds=1)
    store.add(made_failure(made_job(seed=9)))
    with pytest.warns(UserWarning, match="1 jobs without a score are left out, and marl-eval wants 0 more runs"):
        marl_eval(tmp_path)


def test_names_of_algorithms_have_no_commas_and_differ_in_more_than_capitals(tmp_path):
    store = Store(tmp_path, create=True)
    store.add(made_record(made_job(entrant="bchg (a=1, b=2)")))
    assert list(marl_eval(tmp_path)["actions_only"]["discretetoy"]) == ["bchg (a=1; b=2)"]
    store.add(made_record(made_job(entrant="BCHG (a=1, b=2)")))
    with pytest.raises(ArgumentError, match="more than capitals"):
        marl_eval(tmp_path)


def test_nothing_to_export_to_marl_eval_is_said(tmp_path):
    store = Store(tmp_path, create=True)
    store.add(made_record(leader_value=math.nan))
    with pytest.raises(ArgumentError, match="at least one finished job"):
        marl_eval(tmp_path)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"format": "parkuet"}, UnknownNameError, "parquet"),
        ({"view": "run"}, UnknownNameError, "runs"),
        ({"format": "marl-eval", "view": "curves"}, ArgumentError, "no view"),
        ({"output": "/proc/no/x"}, OutputError, "written"),
    ],
)
def test_what_cannot_be_written_is_said(options, error, says, store, tmp_path):
    with pytest.raises(error, match=says):
        export(store.folder, **({"output": tmp_path / "x"} | options))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("chosen", FORMATS)
def test_a_folder_of_the_name_stays(chosen, store, tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(OutputError, match="x"):
        export(store.folder, tmp_path / "x", chosen)
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
