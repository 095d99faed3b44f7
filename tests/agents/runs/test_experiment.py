""""""

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.followers.base import FOLLOWERS
from agents.followers.soft_value_iteration import SoftValueIteration
from agents.leaders import leader_names
from agents.leaders.base import LEADERS
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from agents.runs.experiment import Experiment
from agents.runs.records import load_record
from agents.state import stateful
from stackelberg_envs.envs import discrete_toy_v1
from stackelberg_envs.errors import (
    ArgumentError,
    ConvergenceError,
    InformationError,
    InstabilityError,
    OutputError,
    UnknownNameError,
)
from stackelberg_envs.games.vector import VectorGame
from stackelberg_envs.solvers.solving import solve
from tests.agents.runs.aim import Aimed, Jumpy, small_game
from tests.games import weakly_interacting_game

SHORT = {"updates": 4, "steps_per_update": 100}


@pytest.fixture(scope="module")
def game():
    return discrete_toy_v1.make_game()


def test_the_record_holds_what_the_run_did(game):
    record = agents.run(game, leader="bchg", **SHORT, seed=3)
    assert record.status == "finished"
    assert record.information == "REWARDS_OBSERVED"
    assert record.observed_steps == 400
    assert record.follower_steps == 0
    np.testing.assert_array_equal(record.curve["observed_steps"], [100, 200, 300, 400])
    assert record.curve["leader_value"][0] == pytest.approx(record.start_value, abs=1e-6)
    assert record.leader_value == pytest.approx(solve(game, record.commitment).leader_value)
    assert record.leader_options["learning_rate"] is None
    assert record.seconds > 0
    np.testing.assert_allclose(game.commitment.check(record.commitment), record.commitment)


def test_a_budget_is_cut_into_updates_as_the_leader_likes_and_told_it(game, monkeypatch):
    monkeypatch.setattr(
        LEADERS.find("naive"), "preferred_steps", classmethod(lambda kind, brief, config: brief.horizon)
    )
    experiment = Experiment(agents.ExperimentConfig(game, leader="naive", steps=450))
    assert experiment.budget == (3, 150)
    assert (experiment.leader.brief.updates, experiment.leader.brief.steps_per_update) == (3, 150)
    record = agents.run(game, leader="naive", steps=450)
    assert (record.updates, record.steps_per_update, record.observed_steps) == (3, 150, 450)


def test_a_run_without_a_budget_observes_100000_steps(game):
    assert Experiment(agents.ExperimentConfig(game, leader="random_search")).budget == (100, 1_000)


def test_a_budget_that_contradicts_itself_is_refused(game):
    with pytest.raises(ArgumentError, match="steps: expected updates x steps_per_update = 4 x 100 = 400, or one"):
        agents.run(game, steps=401, **SHORT)


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
        "stackelberg/DiscreteToy-v1",
        game_arguments={"reward": 2.0},
        leader="exact",
        updates=30,
        steps_per_update=1,
    )
    assert record.game == "stackelberg/DiscreteToy-v1"
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


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """Register the players of this file for one test: the names of the package are tested elsewhere."""
    monkeypatch.setitem(LEADERS.classes, "jumpy", (Jumpy,))
    monkeypatch.setitem(FOLLOWERS.classes, "aimed", (Aimed,))


def test_a_step_to_where_there_is_no_response_is_halved_and_reported():
    game = small_game()
    options = {"optimizer": "sgd", "learning_rate": 2.0, "decay": 0.0}
    record = agents.run(game, leader="jumpy", updates=6, steps_per_update=40, leader_options=options)
    assert record.status == "finished"
    assert record.curve["halvings"].max() >= 1
    assert np.isfinite(record.curve["leader_value"]).all()
    assert record.commitment[0] > 2.0


def test_a_first_commitment_without_a_response_ends_the_run_with_the_spectral_radius():
    with pytest.raises(InstabilityError) as caught:
        agents.run(small_game(), leader="jumpy", updates=2, steps_per_update=40, leader_options={"start": [4.0]})
    assert caught.value.spectral_radius == pytest.approx(2.0)


@pytest.mark.parametrize("leader", leader_names())
def test_with_followers_that_affect_each_other_a_leader_works_or_is_refused_with_those_that_do(leader):
    work = ["bchg", "cma_es", "exact", "naive", "random_search", "zero_order"]
    given = {"leader": leader, "updates": 2, "steps_per_update": 20}
    if leader in work:
        record = agents.run(weakly_interacting_game(), **given)
        assert (record.status, record.follower) == ("finished", "logit_equilibrium")
        assert np.isfinite(record.leader_value)
        return
    those = f"{leader!r}: works on .* games, but 'markov' is a markov one; expected one of {', '.join(work)}$"
    with pytest.raises(ArgumentError, match=those):
        agents.run(weakly_interacting_game(), **given)


def test_leaders_and_followers_of_the_other_kind_are_refused_with_those_that_work():
    with pytest.raises(ArgumentError, match=r"'amd': works on tabular games, but 'aim' is a vector one; .*cma_es"):
        agents.run(small_game(), leader="amd")
    with pytest.raises(ArgumentError, match="follower 'soft_value_iteration': works on tabular games"):
        agents.run(small_game(), leader="cma_es", follower="soft_value_iteration")
    with pytest.raises(ArgumentError, match="'jumpy': works on vector games, but 'Discrete toy' is a tabular one"):
        agents.run("stackelberg/DiscreteToy-v1", leader="jumpy")


@pytest.mark.parametrize("leader", ["cma_es", "zero_order"])
def test_a_stopped_run_goes_on_with_the_same_bits(leader, tmp_path):
    game, options = small_game(), {"leader": leader, "updates": 6, "steps_per_update": 50, "seed": 3}
    whole = agents.run(game, **options)

    def stop(progress):
        if progress.update == 3:
            raise KeyboardInterrupt

    agents.run(game, **options, output=tmp_path, checkpoint_every=1, progress=stop)
    resumed = agents.run(game, resume=tmp_path)
    np.testing.assert_array_equal(resumed.commitment, whole.commitment)
    np.testing.assert_array_equal(resumed.curve["observed_return"], whole.curve["observed_return"])


def test_solve_says_when_no_exact_solution_is_known():
    assert se.solve(small_game(), [0.5]).leader_value == small_game().solve(np.array([0.5])).leader_value
    with pytest.raises(ArgumentError, match="expected a game with an exact solution"):
        VectorGame.solve(small_game(), np.zeros(1))
