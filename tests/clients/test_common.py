"""What all clients' scripts measure in the same way."""

import numpy as np
import pytest

import stackelberg_envs as se
from clients import common


def result(**changes):
    values = {"game": "stackelberg/DiscreteToy-v1", "view": "follower_env", "role": "follower", "start": 1.0}
    values |= {"learned": 2.0, "error": 0.1, "exact": 2.1, "steps": 10, "seconds": 1.0, "passed": True}
    return common.Result(**values | changes)


@pytest.fixture
def records(tmp_path, monkeypatch):
    monkeypatch.setattr(common, "RECORDS", tmp_path / "clients.jsonl")
    monkeypatch.setattr(common, "TABLE", tmp_path / "clients.md")
    monkeypatch.setattr(common, "glue_lines", lambda script: 3)
    return tmp_path


def test_the_table_of_the_docs_is_that_of_the_records():
    assert common.TABLE.read_text(encoding="utf-8") == common.table(common.recorded())


def test_every_run_in_the_records_has_learned():
    assert [row for row in common.recorded() if not row["passed"]] == []


def test_a_row_takes_the_place_of_an_earlier_one_of_the_same_run(records):
    assert common.finish("other", "numpy", [result()]) == 0
    assert common.finish("mine", "numpy", [result(), result(role="leader")]) == 0
    assert common.finish("mine", "numpy", [result(learned=1.5)]) == 0
    rows = common.recorded()
    found = [(row["client"], row["role"], row["learned"]) for row in rows]
    assert found == [("mine", "follower", 1.5), ("mine", "leader", 2.0), ("other", "follower", 2.0)]
    assert rows[0]["version"] == np.__version__
    assert common.TABLE.read_text(encoding="utf-8") == common.table(rows)


@pytest.mark.parametrize("results", [[], [result(), result(role="leader", passed=False)]])
def test_what_has_not_learned_fails(records, results, capsys):
    assert common.finish("mine", "numpy", results) == 1
    assert ("NOT LEARNED: leader" in capsys.readouterr().out) == bool(results)


@pytest.mark.parametrize("response", ["hard", "soft"])
def test_the_exact_response_earns_in_play_what_it_is_said_to(response):
    id = "stackelberg/RandomTabular-v1"  # noqa: A001
    game = se.make_game(id)
    exact, x = common.exact_return(id, response=response), common.neutral(id)
    answer = se.hard_best_response(game, x) if response == "hard" else se.soft_best_response(game, x)
    layout, rng = se.vector_env(id).observation_layout, np.random.default_rng(0)
    policy = answer.policy.reshape(-1, *game.shape[1:])

    def act(observations):
        states = observations[:, layout["state"]].argmax(axis=1)
        shown = observations[:, layout["leader_action"]].argmax(axis=1)
        return (policy[states, shown].cumsum(axis=1) < rng.random((len(states), 1))).sum(axis=1)

    mean, error = common.played_return(id, act)
    # Wrong once in 15,000 at a fixed seed.
    assert abs(mean - exact) < 4 * error + 1e-3
    assert common.follower_result(id, "follower_env", act, steps=0, seconds=0.0, response=response).passed
    random = common.follower_result(id, "follower_env", lambda seen: seen[:, 0].astype(int), steps=0, seconds=0.0)
    assert not random.passed


def test_a_leader_has_learned_if_it_commits_to_something_better():
    id = "stackelberg/RandomTabular-v1"  # noqa: A001
    best = se.make_game(id).facts["best_commitment"]
    assert common.leader_result(id, "leader_env", common.neutral(id), best, steps=0, seconds=0.0).passed
    assert not common.leader_result(id, "leader_env", best, common.neutral(id), steps=0, seconds=0.0).passed


def test_glue_is_counted_between_its_marks(tmp_path):
    script = tmp_path / "train.py"
    script.write_text("a = 1\n# --- glue\nb = 2\n\n# a remark\nc = 3\n# --- end of glue\nd = 4\n", encoding="utf-8")
    assert common.glue_lines(script) == 2
