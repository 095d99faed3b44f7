"""Tables of records: short, with what each number is, and no advice that cannot be followed."""

import numpy as np
import pytest

import agents
from agents.runs.records import RunRecord, load_record
from agents.runs.summary import in_words, number, rows, share_of_the_way
from tests.games import toll_game

TOY = "stackelberg/DiscreteToy-v1"


def record_of(**changes):
    values = {
        "status": "finished",
        "commitment": np.zeros((3, 2)),
        "ends_with": "recommended",
        "start_value": 0.0,
        "leader_value": 3.0,
        "best_known": 4.0,
        "information": "ACTIONS_ONLY",
        "curve": {"observed_steps": np.arange(1.0, 501.0), "leader_value": np.linspace(0, 3, 500)},
    }
    return RunRecord(TOY, "bchg", "soft_value_iteration", 500, 100, 0, **{**values, **changes})


@pytest.fixture(scope="module")
def record():
    return agents.run(TOY, leader="exact", updates=30, steps_per_update=50)


def test_a_record_prints_a_short_table_and_no_arrays(record):
    for text in (repr(record), str(record)):
        assert len(text.splitlines()) < 20
        assert max(map(len, text.splitlines())) < 140
        assert "array(" not in text and "[" not in text
        assert "commitment" in text and "3x2" in text
        assert "curve" in text and f"{len(record.curve)} x 30" in text and "recommended_value" in text
        assert f"{record.leader_value:.4f}" in text
    assert len(repr(record_of(curve={"observed_steps": np.arange(1e6)}))) < 3_000


def test_a_record_tells_the_entries_of_its_commitment_by_their_names():
    roads = ["A-B", "B-C", "<c>"]
    record = record_of(commitment=np.array([0.25, 0.5, 1.0]), names=roads)
    assert [line.split()[:2] for line in repr(record).splitlines() if line.startswith("  ")][1] == ["B-C", "0.5000"]
    assert "&lt;c&gt;" in record._repr_html_()
    many = record_of(commitment=np.zeros(30), names=[f"road {i}" for i in range(30)])
    assert "road 11" in repr(many) and "road 12" not in repr(many) and "and 18 more entries" in repr(many)
    assert RunRecord.from_json(record.to_json()).names == roads
    # Whoever wrote the record may have written anything.
    assert "A-B" not in repr(record_of(commitment=np.zeros(2), names=roads))


def test_a_run_notes_the_names_of_its_game():
    record = agents.run(toll_game(2), leader="exact", updates=1, steps_per_update=50)
    assert record.names == ["A-F", "A-F round"]


def test_a_notebook_shows_the_table_and_escapes_what_could_be_markup(record):
    text = record._repr_html_()
    assert text.startswith("<table>") and text.count("<tr>") == len(rows(record)) + 2
    assert "&lt;b&gt;" in record_of(error="<b>", status="failed")._repr_html_()


def test_records_of_every_status_and_old_ones_have_a_table(tmp_path):
    empty = RunRecord(TOY, "bchg", "soft_value_iteration", 5, 100, 0)
    for record in (empty, record_of(leader_value=None, commitment=None, status="interrupted")):
        assert repr(record) and record._repr_html_() and "nothing to read off" in in_words(record)
    # A record as versions before wrote it.
    old = record_of(ends_with="").to_json()
    for name in ("ends_with", "actual_value", "episode_value", "horizon", "neutral_value", "meanings"):
        lines = old.splitlines()
        old = "\n".join(line for line in lines if not line.startswith(f' "{name}"'))
    (tmp_path / "record.json").write_text(old)
    assert "leader return, exact" in repr(load_record(tmp_path))


@pytest.mark.parametrize(
    ("start", "neutral", "share"), [(0.0, None, 0.75), (0.0, 2.0, 0.5), (0.0, -5.0, 0.75), (3.5, 2.0, -1.0)]
)
def test_shares_are_measured_from_the_better_of_start_and_neutral_commitment(start, neutral, share):
    record = record_of(start_value=start, neutral_value=neutral)
    assert share_of_the_way(record) == pytest.approx(share)
    if share > 0:
        assert f"{share:.0%} of the way from the {'neutral' if neutral == 2.0 else 'start'}" in in_words(record)


def test_no_share_is_told_where_nothing_better_than_the_base_is_known():
    for changes in ({"best_known": None}, {"neutral_value": 4.0}, {"leader_value": None}, {"start_value": None}):
        assert share_of_the_way(record_of(**changes)) is None


def test_advice_names_only_what_the_leader_has():
    worse = {"start_value": 3.5}
    assert "less than the start earns (3.500); try more steps per update, or a smaller learning_rate" in in_words(
        record_of(**worse, leader_options={"learning_rate": 0.1})
    )
    assert "learning_rate" not in in_words(record_of(**worse, leader_options={"step": 0.1}))
    planner = in_words(record_of(**worse, information="MODEL", leader_options={"start": "zeros"}))
    assert "steps per update" not in planner and "try another start" in planner
    assert "try" not in in_words(record_of(**worse, information="MODEL"))
    assert "try" not in in_words(record_of(leader_options={"learning_rate": 0.1}))


def test_a_horizon_that_matters_is_pointed_out():
    text = in_words(record_of(leader_value=100.0, episode_value=4.9, horizon=5))
    assert "Mind the horizon: an episode is cut after 5 steps and then pays 4.900, while 100.000 is for play" in text
    table = {name: meaning for name, _, meaning in rows(record_of(leader_value=100.0, episode_value=4.9, horizon=5))}
    assert "ended at step 5: 95% off" in table["leader return, one episode"]
    assert "Mind" not in in_words(record_of(leader_value=100.0, episode_value=98.0, horizon=5))


def test_a_stopped_run_says_which_commitment_its_numbers_belong_to():
    record = record_of(ends_with="announced", status="interrupted")
    assert "this is the last commitment that was played" in in_words(record)
    assert "last one played, exact best response" in {row[0]: row[2] for row in rows(record)}["leader return, exact"]


def test_estimates_are_not_called_exact():
    told = "mean over 200 episodes of at most 150 steps, against the follower as it played"
    record = record_of(
        meanings={"leader_value": f"final commitment: {told}", "actual_value": f"final commitment: {told}"}
    )
    table = {name: meaning for name, _, meaning in rows(record)}
    assert "leader return, exact" not in table
    assert told in table["leader return at end"] and told in table["leader return at start"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (np.nan, "-"), (34.99264, "34.9926"), (-0.617, "-0.6170"), (0.0, "0.0000"), (1.5e-9, "1.5e-09")],
)
def test_numbers_of_every_scale_show(value, text):
    assert number(value) == text
