"""Whether the follower has settled: the estimate has no bias, and runs tell who still learns."""

import numpy as np
import pytest

import agents
from agents.runs.stationarity import (
    DRIFT,
    DRIFT_ERROR,
    TableDrift,
    has_settled,
    regression_change,
    squared_change,
)
from agents.runs.summary import in_words
from tests.games import TOY

#: Of each test against chance, about: means of hundreds of draws, four standard errors. Seeds are fixed.
FALSE_ALARM_RATE = 1e-4
RANDOM, BUILDING = "stackelberg/RandomTabular-v1", "stackelberg/BuildingThermal-v1"
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


def episodes(rng, shift, number, *, length=30):
    """Return the sums of episodes in which the mean action bends in the state, which lasts, and has a shift."""
    states = rng.standard_normal((number, 1)) + 0.5 * rng.standard_normal((number, length))
    actions = np.sin(2.0 * states) + shift * states + 0.3 * rng.standard_normal(states.shape)
    columns = np.stack([np.ones_like(states), states, actions], axis=-1)
    return np.einsum("nti,ntj->nij", columns, columns)


def test_a_mean_action_that_bends_is_no_change():
    rng = np.random.default_rng(0)
    found, errors = np.array([regression_change(episodes(rng, 0, 2), episodes(rng, 0, 3), 1) for _ in range(1_000)]).T
    # Of the difference of the linear parts the square is as long as chance has it: its excess has the mean zero.
    assert abs(found.mean()) < 4 * found.std() / np.sqrt(len(found))
    assert errors.mean() > found.std()


def test_a_change_of_the_mean_action_is_measured_in_its_variance():
    rng = np.random.default_rng(0)
    plays = episodes(rng, 0.0, 4_000), episodes(rng, 0.4, 4_000)
    total = sum(play.sum(axis=0) for play in plays)
    slope = np.linalg.solve(total[:2, :2], total[:2, 2])
    variance = (total[2, 2] - slope @ total[:2, :2] @ slope) / total[0, 0]
    expected = 0.4**2 * total[1, 1] / total[0, 0] / variance
    assert regression_change(*plays, 1)[0] == pytest.approx(expected, rel=0.05)
    # Nothing depends on units.
    units = np.array([1.0, 1e3, 1e-3])
    scaled = [play * np.outer(units, units) for play in plays]
    assert regression_change(*scaled, 1) == pytest.approx(regression_change(*plays, 1), rel=1e-6)


def test_one_episode_is_not_enough_and_constant_actions_do_not_change():
    rng = np.random.default_rng(0)
    assert np.isnan(regression_change(episodes(rng, 0, 1), episodes(rng, 0, 2), 1)).all()
    still = np.zeros((2, 3, 3))
    still[:, :2, :2] = episodes(rng, 0, 2)[:, :2, :2]
    assert regression_change(still, still, 1) == (0.0, 0.0)


def test_many_small_changes_are_one():
    """Of 20 comparisons, 19 above zero: by chance that happens once in 50,000 times."""
    often = {DRIFT: np.where(np.arange(20) == 0, -0.1, 0.1), DRIFT_ERROR: np.full(20, 0.4)}
    assert not has_settled(often)[0]
    half = {DRIFT: np.where(np.arange(20) % 2, -0.1, 0.2), DRIFT_ERROR: np.full(20, 0.4)}
    assert has_settled(half)[0]


def test_play_is_compared_with_that_of_the_last_time(monkeypatch):
    class Seen:
        joint_state, leader_action, follower_action = np.zeros((3, 4), dtype=int)

    drift, first, second = TableDrift((1,), (1, 1, 2)), np.zeros(1), np.ones(1)
    assert np.isnan(drift.note(first, Seen)[DRIFT])
    assert np.isnan(drift.note(second, Seen)[DRIFT])
    monkeypatch.setattr(Seen, "follower_action", np.ones(4, dtype=int))
    assert drift.note(first, Seen)[DRIFT] == 2.0
    assert drift.note(first, Seen)[DRIFT] == 0.0


def test_what_was_tried_long_ago_is_remembered():
    class Seen:
        joint_state, leader_action, follower_action = np.zeros((3, 250), dtype=int)

    drift = TableDrift((1,), (1, 1, 2))
    for x in range(200):
        drift.note(np.array([float(x)]), Seen)
    assert drift.note(np.zeros(1), Seen)[DRIFT] == 0.0


@pytest.mark.parametrize("settled", [True, False])
def test_runs_say_whether_the_follower_has_settled(settled):
    learner = {} if settled else {"follower": "soft_q_learning", "follower_options": {"steps": 300}}
    record = agents.run(RANDOM, **learner, **RUN)
    found, drift = has_settled(record.curve)
    assert found == settled
    assert (drift > 0.1) == (not settled)
    assert ("The follower still learns" in in_words(record)) == (not settled)


def test_leaders_that_only_try_have_no_such_column():
    assert DRIFT not in agents.run(TOY, leader="random_search", steps=2_000).curve
    assert DRIFT not in agents.run(TOY, leader="exact", steps=2_000).curve


@pytest.mark.parametrize("game", [TOY, BUILDING])
def test_a_run_that_goes_on_remembers_what_was_played(game, tmp_path):
    whole = agents.run(game, **RUN)
    last = int(np.flatnonzero(np.isfinite(whole.curve[DRIFT]))[-1])

    def stop(progress):
        if progress.update == last:
            raise KeyboardInterrupt

    agents.run(game, **RUN, output=tmp_path, progress=stop)
    resumed = agents.run(resume=tmp_path)
    np.testing.assert_array_equal(resumed.curve[DRIFT], whole.curve[DRIFT])


@pytest.mark.parametrize(("game", "late"), [(TOY, True), (BUILDING, False), (BUILDING, True)])
def test_late_followers_are_noticed_on_tables_and_on_vectors(game, late):
    record = agents.run(
        game,
        leader="bchg",
        follower="exact" if game == BUILDING else "soft_value_iteration",
        follower_options={"delay": 5} if late else {},
        steps=20_000,
        steps_per_update=1_000,
        evaluate_every=0,
    )
    assert np.isfinite(record.curve[DRIFT]).sum() >= 2
    assert has_settled(record.curve)[0] == (not late)
