"""Records as text: what is refused."""

import json

import numpy as np
import pytest

import agents
from agents.runs.files import RECORD_NAME
from agents.runs.records import FILE_NAME, RunRecord, load_record
from stackelberg_envs.envs import discrete_toy_v1
from stackelberg_envs.errors import OutputError
from tests.agents.runs.stopping import SHORT


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"status": "banana"}, "expected one of running, finished, interrupted, failed for status, got 'banana'"),
        ({"updates": "x"}, "expected a whole number of at least 0 for updates, got 'x'"),
        ({"updates": True}, "for updates, got True"),
        ({"updates": 1.5}, "for updates, got 1.5"),
        ({"seed": -1}, "for seed, got -1"),
        ({"game": None}, "expected a string for game, got None"),
        ({"seconds": "1.0"}, "expected a number for seconds, got '1.0'"),
        ({"leader_value": float("inf")}, "for leader_value, got inf"),
        ({"leader_value": 10**400}, "OverflowError"),
        ({"curve": {"a": [1.0], "b": [1.0, 2.0]}}, r"expected columns of one length in curve, got \[1, 2\]"),
        ({"curve": {"a": ["1.0"]}}, r"expected numbers in curve\['a'\]"),
        ({"curve": {"a": [[1.0]]}}, r"expected numbers in curve\['a'\]"),
        ({"curve": []}, "expected a dict for curve, got list"),
        ({"commitment": [[1.0], [1.0, 2.0]]}, "expected numbers in commitment, as many in each row"),
        ({"commitment": 1.0}, "expected numbers in commitment"),
        ({"commitment": [True]}, "expected numbers in commitment"),
        ({"theta": [10**400]}, "OverflowError"),
        ({"names": "A-B"}, "expected a list for names, got 'A-B'"),
        ({"names": [1]}, r"expected a string for names\[0\], got 1"),
        ({"versions": {"numpy": 2}}, r"expected a string for versions\['numpy'\], got 2"),
        ({"leader_options": [1]}, "expected a dict for leader_options"),
        ({"speed": 1}, "expected fields of a run's record, got 'speed'"),
        ({"format": True}, "expected format 1, got True"),
        ({"format": "1"}, "expected format 1, got '1'"),
    ],
)
def test_a_record_with_wrong_fields_is_refused_by_name(change, message, tmp_path):
    text = RunRecord("g", "l", "f", 1, 1, 0, commitment=np.eye(2)).to_json()
    (tmp_path / RECORD_NAME).write_text(json.dumps({**json.loads(text), **change}))
    with pytest.raises(OutputError, match=rf"{RECORD_NAME}: record: .*{message}"):
        load_record(tmp_path)


@pytest.mark.parametrize("inside", ["", '{"format": 1, "game": ', '{"format": 1, "commitment": '])
def test_deep_nesting_is_refused(inside):
    for depth in (100, 100_000):
        with pytest.raises(OutputError, match="record: expected"):
            RunRecord.from_json(inside + "[" * depth + "]" * depth + "}" * bool(inside))


@pytest.fixture(scope="module")
def game():
    return discrete_toy_v1.make_game()


def test_a_record_survives_json(game, tmp_path):
    record = agents.run(game, **SHORT, output=tmp_path)
    back = load_record(tmp_path)
    assert back.to_json() == record.to_json()
    np.testing.assert_array_equal(back.commitment, record.commitment)
    assert json.loads((tmp_path / FILE_NAME).read_text())["format"] == 1
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]  # no temporary file is left


def test_numbers_json_has_no_word_for_become_null():
    text = RunRecord("g", "l", "f", 1, 1, 0, curve={"leader_value": np.array([np.nan, 1.0])}).to_json()
    assert json.loads(text)["curve"]["leader_value"] == [None, 1.0]
    assert np.isnan(RunRecord.from_json(text).curve["leader_value"][0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "expected the JSON of a run"),
        ("{}", "expected the JSON of a run, got KeyError: 'format'"),
        ('{"format": 99}', "expected format 1, got 99"),
        ('{"format": 1, "nonsense": 2}', "expected fields of a run's record, got 'nonsense'"),
        ("[1]", "expected the JSON of a run"),
    ],
)
def test_other_texts_are_refused(text, message, tmp_path):
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(OutputError, match=message):
        load_record(tmp_path)


def test_a_missing_record_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"expected a run's record.json"):
        load_record(tmp_path / "nothing")
