import numpy as np
import pytest

import agents
from agents.followers.base import FOLLOWERS
from agents.followers.soft_value_iteration import SoftValueIteration
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from agents.runs.experiment import Experiment
from agents.runs.records import load_record
from agents.state import stateful
from stackelberg_envs.envs import discrete_toy_v0
from stackelberg_envs.errors import ArgumentError, ConvergenceError, InformationError, OutputError, UnknownNameError
from stackelberg_envs.solvers.solving import solve

SHORT = {"updates": 4, "steps_per_update": 100}


@pytest.fixture(scope="module")
def game():
    return discrete_toy_v0.make_game()


def test_the_record_holds_what_the_run_did(game):
    record = agents.run(game, leader="bchg", **SHORT, seed=3)
    assert record.status == "finished"
    assert record.information == "REWARDS_OBSERVED"
    assert record.observed_steps == 400
    assert record.follower_steps == 0
    np.testing.assert_array_equal(record.curve["observed_steps"], [100, 200, 300, 400])
    assert record.curve["leader_value"][0] == pytest.approx(record.start_value, abs=1e-6)
    assert record.leader_value == pytest.approx(solve(game, record.commitment).leader_value)
    assert record.leader_options["learning_rate"] == 0.05
    assert record.seconds > 0
    np.testing.assert_allclose(game.commitment.check(record.commitment), record.commitment)


def test_equal_seeds_give_equal_runs_and_other_seeds_others(game):
    one, two, other = (
        agents.run(
            game,
            leader="bchg",
            follower="soft_q_learning",
            follower_options={"steps": 200},
            **SHORT,
            seed=seed,
        )
        for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(one.commitment, two.commitment)
    assert one.curve.keys() == two.curve.keys()
    for name, column in one.curve.items():
        np.testing.assert_array_equal(column, two.curve[name])
    assert not np.array_equal(one.commitment, other.commitment)


def test_games_can_be_named_by_id():
    record = agents.run(
        "stackelberg/DiscreteToy-v0",
        game_arguments={"reward": 2.0},
        leader="exact",
        updates=30,
        steps_per_update=1,
    )
    assert record.game == "stackelberg/DiscreteToy-v0"
    assert record.leader_value == pytest.approx(39.940211, abs=1e-5)


def test_evaluation_can_be_thinned_out(game):
    record = agents.run(game, **SHORT, evaluate_every=3)
    np.testing.assert_array_equal(np.isnan(record.curve["leader_value"]), [False, True, True, False])


def test_an_interrupted_run_keeps_what_it_learned(game, tmp_path):
    def interrupt(progress):
        if progress.update == 2:
            raise KeyboardInterrupt

    record = agents.run(game, **SHORT, output=tmp_path, progress=interrupt)
    assert record.status == "interrupted"
    assert record.observed_steps == 200
    assert load_record(tmp_path).leader_value == record.leader_value


def test_a_failing_run_leaves_a_readable_record(game, tmp_path):
    def fail(progress):
        if progress.update == 2:
            raise RuntimeError("the display broke")

    with pytest.raises(RuntimeError, match="the display broke"):
        agents.run(game, **SHORT, output=tmp_path, progress=fail)
    record = load_record(tmp_path)
    assert (record.status, record.error) == ("failed", "RuntimeError: the display broke")
    assert len(record.curve["leader_value"]) == 2


def test_an_unwritable_folder_is_refused_before_any_work(game, tmp_path):
    (tmp_path / "file").write_text("in the way")
    calls = []
    with pytest.raises(OutputError, match="expected a folder that can be written"):
        agents.run(game, **SHORT, output=tmp_path / "file" / "run", progress=calls.append)
    assert not calls


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"leader": "bcgh"}, UnknownNameError, "did you mean 'bchg'"),
        ({"follower": "soft_value"}, UnknownNameError, "did you mean 'soft_value_iteration'"),
        ({"updates": 0}, ArgumentError, "updates: expected an integer of at least 1, got 0"),
        (
            {"steps_per_update": 1.5},
            ArgumentError,
            "steps_per_update: expected an integer of at least 1, got 1.5",
        ),
        ({"seed": -1}, ArgumentError, "seed: expected an integer of at least 0, got -1"),
        ({"sed": 1}, ArgumentError, "run: unknown option 'sed'; expected one of"),
        ({"leader_options": {"rate": 1}}, ArgumentError, "leader 'bchg': unknown option 'rate'"),
        ({"parametrisation": "softmax"}, UnknownNameError, "unknown parametrisation 'softmax'"),
    ],
)
def test_bad_arguments_are_refused_by_name(game, options, error, message):
    with pytest.raises(error, match=message):
        agents.run(game, **options)


def test_something_else_than_a_game_is_refused():
    with pytest.raises(ArgumentError, match="game: expected a game or an id, got dict"):
        agents.run({})


class Diverging(SoftValueIteration):
    """Responds soundly to two commitments, then no more."""

    count = 0
    spoils = "policy"

    def learn(self, view):
        steps = super().learn(view)
        self.count += 1
        if self.count == 3:
            spoiled = np.array(getattr(self, self.spoils))
            spoiled[1, ...] = np.nan
            setattr(self, self.spoils, spoiled)
        return steps


@pytest.mark.parametrize(
    ("spoils", "where"),
    [("policy", r"policy, got nan at index \(1, 0, 0\)"), ("_state_values", r"state_values, got nan at index \(1,\)")],
)
def test_a_follower_that_diverges_stops_the_run_with_the_last_good_commitment(
    spoils, where, tmp_path, monkeypatch, game
):
    kind = type("Kind", (Diverging,), {"spoils": spoils, "state_fields": stateful.fields(count=stateful.Count())})
    monkeypatch.setitem(FOLLOWERS.classes, "diverging", (kind,))
    announced = []
    step = Experiment.step

    def noted(self):
        announced.append(self.leader.commit())
        return step(self)

    monkeypatch.setattr(Experiment, "step", noted)
    message = rf"follower 'diverging': at leader update 3: expected finite numbers in {where}"
    with pytest.raises(ConvergenceError, match=message):
        agents.run(game, follower="diverging", **SHORT, output=tmp_path)
    record = load_record(tmp_path)
    assert record.status == "failed"
    assert "ConvergenceError: follower 'diverging'" in record.error
    assert record.observed_steps == 200
    np.testing.assert_array_equal(record.commitment, announced[1])
    assert record.leader_value == pytest.approx(solve(game, announced[1]).leader_value)
    np.testing.assert_allclose(make_brief(game, Information.MODEL).parametrisation(record.theta), record.commitment)


def test_a_follower_that_never_responds_soundly_leaves_no_commitment(tmp_path, monkeypatch, game):
    monkeypatch.setitem(
        FOLLOWERS.classes,
        "diverging",
        (type("Kind", (Diverging,), {"count": 2, "state_fields": stateful.fields(count=stateful.Count())}),),
    )
    with pytest.raises(ConvergenceError, match="at leader update 1"):
        agents.run(game, follower="diverging", **SHORT, output=tmp_path)
    record = load_record(tmp_path)
    assert (record.status, record.commitment, record.leader_value) == ("failed", None, None)


def test_levels_that_a_game_cannot_serve_are_refused_with_those_that_would_work(game):
    private = game.replace(observe_rewards=False)
    for leader in ("bchg", "exact"):
        with pytest.raises(InformationError, match=rf"{leader}: needs .* leaders of level ACTIONS_ONLY would work"):
            agents.run(private, leader=leader)


def test_linear_algebra_has_one_thread_during_a_run_and_its_own_afterwards():
    import threadpoolctl

    def threads():
        return [pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]

    during = []
    with threadpoolctl.threadpool_limits(limits=2, user_api="blas"):
        before = threads()
        agents.run(
            "stackelberg/DiscreteToy-v0",
            leader="naive",
            updates=1,
            steps_per_update=10,
            progress=lambda state: during.extend(threads()),
        )
        assert threads()[: len(before)] == before
    assert during
    assert set(during) == {1}
