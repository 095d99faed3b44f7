"""Whatever goes wrong in a run, there is a record with a final status."""

import pytest

import agents
from agents.runs.experiment import Experiment
from agents.runs.records import load_record
from tests.agents.runs.stopping import SHORT, TOY, at, fail


class Odd(BaseException):
    pass


@pytest.mark.parametrize("error", [SystemExit(3), Odd("why"), GeneratorExit(), RuntimeError("no")])
def test_whatever_the_callback_raises_there_is_a_record_with_a_final_status(error, tmp_path):
    with pytest.raises(type(error)) as caught:
        agents.run(TOY, **SHORT, output=tmp_path, progress=at(3, fail(error)))
    assert caught.value is error
    record = load_record(tmp_path)
    assert record.status == ("failed" if isinstance(error, Exception) else "interrupted")
    assert record.error == f"{type(error).__name__}: {error}"
    assert len(record.curve["leader_value"]) == 3


def test_a_failure_at_the_end_of_a_failed_run_hides_neither(tmp_path, monkeypatch):
    def broken(error):
        def do():
            monkeypatch.setattr(Experiment, "_judge", lambda self, record: fail(RuntimeError("second"))())
            raise error

        return do

    with pytest.raises(RuntimeError, match="first") as caught:
        agents.run(TOY, **SHORT, output=tmp_path, progress=at(3, broken(RuntimeError("first"))))
    assert "second" in caught.value.__notes__[0]
    assert load_record(tmp_path).status == "failed"
    record = agents.run(TOY, **SHORT, progress=at(3, broken(KeyboardInterrupt())))
    assert (record.status, record.leader_value) == ("interrupted", None)
    assert record.error == "at the end of the run: RuntimeError: second"
