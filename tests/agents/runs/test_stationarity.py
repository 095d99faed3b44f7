"""Whether the follower has settled: the estimate has no bias, and runs tell who still learns."""

import numpy as np
import pytest

import agents
from agents.runs.stationarity import DRIFT, Drift, has_settled, squared_change
from agents.runs.summary import in_words
from tests.games import BUILDING, TOY

#: Of each test against chance, about: means of hundreds of draws, four standard errors. Seeds are fixed.
FALSE_ALARM_RATE = 1e-4
RANDOM = "stackelberg/RandomTabular-v1"
RUN = {"leader": "naive", "steps": 9_000, "evaluate_every": 0}


def draws(rng, probabilities, number):
    """Return steps at places drawn unevenly, with actions drawn by the probabilities of each."""
    places = rng.choice(len(probabilities), size=number, p=[0.6, 0.3, 0.1])
    actions = [rng.choice(probabilities.shape[1], p=probabilities[place]) for place in places]
    return places * probabilities.shape[1] + np.array(actions)


@pytest.mark.parametrize("change", [0.0, 0.3])
def test_the_mean_of_the_estimate_is_the_squared_change(change):
    rng = np.random.default_rng(0)
    before = rng.dirichlet(np.ones(4), size=3)
    after = before.copy()
    after[:, :2] = (1 - change) * before[:, :2] + change * before[:, 1::-1]
    changes = [squared_change(draws(rng, before, 25), draws(rng, after, 40), 4) for _ in range(400)]
    found, errors = np.array(changes).T
    # Places weigh by their visits, of those that were visited twice in both.
    expected = np.array([0.6, 0.3, 0.1]) @ ((after - before) ** 2).sum(axis=1)
    error = found.std() / np.sqrt(len(found))
    assert abs(found.mean() - expected) < 4 * error + 0.05 * expected
    if not change:
        # Its own error is that of a few draws only.
        assert errors.mean() == pytest.approx(found.std(), rel=0.15)


def test_nothing_is_known_of_places_that_were_seen_once():
    assert np.isnan(squared_change(np.array([0, 5]), np.array([0, 5]), 4)).all()
    assert squared_change(np.array([0, 0]), np.array([1, 1]), 4)[0] == 2.0


def test_play_is_compared_with_that_of_the_last_time(monkeypatch):
    class Seen:
        joint_state, leader_action, follower_action = np.zeros((3, 4), dtype=int)

    drift, first, second = Drift((1,), (1, 1, 2)), np.zeros(1), np.ones(1)
    assert np.isnan(drift.note(first, Seen)[DRIFT])
    assert np.isnan(drift.note(second, Seen)[DRIFT])
    monkeypatch.setattr(Seen, "follower_action", np.ones(4, dtype=int))
    assert drift.note(first, Seen)[DRIFT] == 2.0
    assert drift.note(first, Seen)[DRIFT] == 0.0


@pytest.mark.parametrize("settled", [True, False])
def test_runs_say_whether_the_follower_has_settled(settled):
    learner = {} if settled else {"follower": "soft_q_learning", "follower_options": {"steps": 300}}
    record = agents.run(RANDOM, **learner, **RUN)
    found, drift = has_settled(record.curve)
    assert found == settled
    assert (drift > 0.1) == (not settled)
    assert ("The follower still learns" in in_words(record)) == (not settled)


def test_leaders_that_only_try_and_games_of_vectors_have_no_such_column():
    assert DRIFT not in agents.run(TOY, leader="random_search", steps=2_000).curve
    assert DRIFT not in agents.run(TOY, leader="exact", steps=2_000).curve
    assert DRIFT not in agents.run(BUILDING, leader="naive", steps=1_000).curve


def test_a_run_that_goes_on_remembers_what_was_played(tmp_path):
    whole = agents.run(TOY, **RUN)
    last = int(np.flatnonzero(np.isfinite(whole.curve[DRIFT]))[-1])

    def stop(progress):
        if progress.update == last:
            raise KeyboardInterrupt

    agents.run(TOY, **RUN, output=tmp_path, progress=stop)
    resumed = agents.run(resume=tmp_path)
    np.testing.assert_array_equal(resumed.curve[DRIFT], whole.curve[DRIFT])
