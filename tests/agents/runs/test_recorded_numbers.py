"""What the numbers of a record mean: each is compared with the thing it is said to be."""

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.followers.base import FOLLOWERS, RestartingFollower
from agents.followers.soft_value_iteration import SoftValueIteration
from agents.leaders import leader_class, leader_names
from agents.leaders.base import LEADERS, Leader
from agents.leaders.random_search import RandomSearchConfig
from agents.runs import evaluation
from agents.runs.briefing import make_brief
from agents.runs.curves import COLUMNS
from stackelberg_envs.conformity.vector_games import UniformPolicy
from stackelberg_envs.errors import ArgumentError, CommitmentError, InstabilityError
from stackelberg_envs.play.rollout import rollout
from stackelberg_envs.play.session import neutral_commitment


class Saying(Leader):
    """Says what it is told to in its diagnostics."""

    information = agents.Information.ACTIONS_ONLY
    Config = RandomSearchConfig
    said: tuple = ()

    def commit(self):
        return self.brief.parametrisation(np.zeros(self.brief.parametrisation.size))

    def update(self, trajectories):
        self.told = getattr(self, "told", -1) + 1
        return self.said[self.told] if isinstance(self.said, tuple) else self.said


def run_saying(monkeypatch, said, **options):
    monkeypatch.setitem(LEADERS.classes, "saying", (type("Kind", (Saying,), {"said": said}),))
    options = {"updates": 3, "steps_per_update": 50, **options}
    return agents.run("stackelberg/DiscreteToy-v1", leader="saying", **options)


@pytest.mark.parametrize("name", [*COLUMNS, 3])
def test_diagnostics_that_collide_with_the_runs_own_columns_are_refused(monkeypatch, name):
    with pytest.raises(ArgumentError, match=rf"leader 'saying': update: expected diagnostics with names .* {name!r}"):
        run_saying(monkeypatch, {name: 1.0})


@pytest.mark.parametrize("said", [None, [1.0], {"x": "high"}, {"x": None}, {"x": np.zeros(2)}, {"x": 1j}])
def test_diagnostics_that_are_no_numbers_are_refused(monkeypatch, said):
    with pytest.raises(ArgumentError, match=r"leader 'saying': update: .*expected a"):
        run_saying(monkeypatch, said)


def test_a_diagnostic_stands_in_the_row_of_its_update(monkeypatch):
    record = run_saying(monkeypatch, ({"a": 1.0}, {"a": 2, "b": np.float32(3)}, {"b": True}))
    np.testing.assert_array_equal(record.curve["a"], [1, 2, np.nan])
    np.testing.assert_array_equal(record.curve["b"], [np.nan, 3, 1])


class Wandering(Leader):
    """Announces one commitment after the other and recommends another one, at random."""

    information = agents.Information.ACTIONS_ONLY
    Config = RandomSearchConfig

    def __init__(self, brief, config, rng):
        super().__init__(brief, config, rng)
        self.theta = np.zeros(brief.parametrisation.size)

    def commit(self):
        return self.brief.parametrisation(self.theta)

    def parameters(self):
        return self.theta

    def update(self, trajectories):
        self.theta = self.theta + 0.3 * self.rng.standard_normal(self.theta.size)
        return {}

    def recommend(self):
        self.theta = 2.0 * self.rng.standard_normal(self.theta.size)
        return self.commit()


@pytest.fixture
def wandering(monkeypatch):
    monkeypatch.setitem(LEADERS.classes, "wandering", (Wandering,))
    return {"leader": "wandering", "updates": 4, "steps_per_update": 50}


TOY = "stackelberg/DiscreteToy-v1"


def test_the_final_numbers_are_those_of_the_recommended_commitment(wandering):
    record = agents.run(TOY, **wandering)
    game = se.make_game(TOY)
    solution = se.solve(game, record.commitment)
    assert record.ends_with == "recommended"
    assert record.leader_value == pytest.approx(solution.leader_value)
    assert record.curve["recommended_value"][-1] == record.leader_value
    assert record.actual_value == pytest.approx(record.leader_value)
    assert record.response_gap == pytest.approx(0.0, abs=1e-9 * abs(solution.follower_value))
    assert record.episode_value == pytest.approx(solution.episode.leader_value)
    assert abs(record.curve["leader_value"][-1] - record.leader_value) > 1e-3
    np.testing.assert_allclose(
        make_brief(game, agents.Information.MODEL).parametrisation(record.theta), record.commitment
    )


def test_asking_for_recommendations_changes_nothing(wandering):
    often, never = (agents.run(TOY, evaluate_every=every, **wandering) for every in (1, 0))
    rest = Wandering.recommend
    try:
        Wandering.recommend = Wandering.commit
        without = agents.run(TOY, **wandering)
    finally:
        Wandering.recommend = rest
    np.testing.assert_array_equal(often.curve["leader_value"], without.curve["leader_value"])
    np.testing.assert_array_equal(often.commitment, never.commitment)
    assert often.leader_value == never.leader_value


def test_without_evaluations_there_is_none_before_the_end(wandering):
    record = agents.run(TOY, evaluate_every=0, **wandering)
    assert np.isnan(record.curve["leader_value"]).all()
    np.testing.assert_array_equal(np.isnan(record.curve["recommended_value"]), [True, True, True, False])
    game = se.make_game(TOY)
    assert record.start_value == pytest.approx(se.solve(game, np.full((3, 2), 0.5)).leader_value)


class Indifferent(RestartingFollower):
    """Does anything."""

    kinds = frozenset({"vector"})

    def begin(self, view):
        self.policy = UniformPolicy(view.game.follower_action_space)

    def adapt(self, view):
        return 0


@pytest.mark.parametrize(("every", "episodes"), [(1, 5), (2, 3), (0, 1)])
def test_games_without_a_solver_play_their_evaluation_episodes_once(monkeypatch, every, episodes):
    played = []
    monkeypatch.setattr(evaluation, "rollout", lambda *a, **k: played.append(k["episodes"]) or rollout(*a, **k))
    monkeypatch.setitem(FOLLOWERS.classes, "indifferent", (Indifferent,))
    options = {"follower": "indifferent", "updates": 4, "steps_per_update": 20}
    record = agents.run("stackelberg/GuidedPendulum-v0", leader="random_search", evaluate_every=every, **options)
    # One for each evaluated update and one for the end.
    assert played == [200] * episodes
    assert record.leader_value == record.actual_value == record.curve["recommended_value"][-1]
    assert record.neutral_value is record.episode_value is None
    assert (record.start_value is None) == (every == 0)
    if every:
        assert record.start_value == record.curve["leader_value"][0]
    assert "mean over 200 episodes of at most" in record.meanings["leader_value"]


def stop_after(update):
    def progress(state):
        if state.update == update:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("leader", ["bchg", "exact", "wandering"])
def test_a_stopped_run_ends_with_the_last_commitment_that_was_played(wandering, leader):
    preset = "published" if leader == "bchg" else None
    record = agents.run(TOY, **{**wandering, "leader": leader}, preset=preset, progress=stop_after(3))
    assert (record.status, record.ends_with) == ("interrupted", "announced")
    assert record.leader_value == pytest.approx(record.curve["leader_value"][-1])
    assert record.actual_value == pytest.approx(record.leader_value)
    assert record.response_gap == pytest.approx(0.0, abs=1e-7)


def test_a_stopped_search_ends_with_its_best_which_was_played():
    record = agents.run(TOY, leader="random_search", updates=30, steps_per_update=300, progress=stop_after(20))
    assert (record.status, record.ends_with) == ("interrupted", "recommended")
    best = np.argmax(record.curve["observed_value"])
    assert record.leader_value == pytest.approx(record.curve["leader_value"][best])
    assert record.leader_value == record.curve["recommended_value"][-1]


def test_a_run_stopped_within_an_update_ends_with_the_one_before(monkeypatch, wandering):
    update = Wandering.update

    def interrupted(self, trajectories):
        self.count = getattr(self, "count", 0) + 1
        if self.count == 3:
            raise KeyboardInterrupt
        return update(self, trajectories)

    monkeypatch.setattr(Wandering, "update", interrupted)
    record = agents.run(TOY, **wandering)
    assert (record.status, record.ends_with, len(record.curve["leader_value"])) == ("interrupted", "announced", 2)
    assert record.leader_value == pytest.approx(record.curve["leader_value"][-1])


def test_a_run_stopped_in_its_first_update_ends_with_no_commitment(monkeypatch, wandering):
    def interrupted(self, trajectories):
        raise KeyboardInterrupt

    monkeypatch.setattr(Wandering, "update", interrupted)
    record = agents.run(TOY, **wandering)
    assert (record.commitment, record.theta, record.leader_value, record.ends_with) == (None, None, None, "")


def test_stopped_and_resumed_runs_end_alike(tmp_path):
    options = {"leader": "zero_order", "follower": "soft_q_learning", "follower_options": {"steps": 200, "delay": 1}}
    options |= {"updates": 6, "steps_per_update": 100}
    whole = agents.run(TOY, **options)
    agents.run(TOY, **options, output=tmp_path, progress=stop_after(4), checkpoint_every=1)
    resumed = agents.run(resume=tmp_path)
    assert resumed.curve.keys() == whole.curve.keys()
    for name, column in whole.curve.items():
        np.testing.assert_array_equal(resumed.curve[name], column)
    for name in ("leader_value", "actual_value", "response_gap", "ends_with", "episode_value", "neutral_value"):
        assert getattr(resumed, name) == getattr(whole, name), name


@pytest.mark.parametrize("leader", sorted(leader_names()))
@pytest.mark.parametrize("name", ["DiscreteToy", "BuildingThermal"])
def test_theta_gives_the_commitment_or_is_absent(leader, name, quick):
    game = se.make_game(f"stackelberg/{name}-v1")
    tabular = name == "DiscreteToy"
    if ("tabular" if tabular else "vector") not in leader_class(leader).kinds:
        pytest.skip("another kind of game")
    options = quick.get(leader, {}) if tabular else {}
    if not tabular and leader == "certainty_equivalent":
        options = {"box_iterations": 3, "polish": 3, "box_draws": 2, "box_starts": 1, "box_ladder": [2.0], "draws": 1}
    if leader == "exact":
        options = {"iterations": 3, "evaluations": 1, "search": name != "TaxDesign"}
    for progress in (None, stop_after(2)):
        run = {"leader": leader, "updates": 3, "steps_per_update": 100, "leader_options": options}
        record = agents.run(game, **run, progress=progress)
        if record.theta is None:
            assert leader in ("certainty_equivalent", "exact")
        else:
            found = make_brief(game, agents.Information.MODEL).parametrisation(record.theta)
            np.testing.assert_allclose(found, record.commitment, rtol=1e-9)


def test_a_step_is_halved_ten_times_before_it_is_taken_back(monkeypatch, wandering):
    shares = []

    class Unstable(SoftValueIteration):
        def learn(self, view):
            if len(shares) < 11:
                raise InstabilityError("no finite response")
            return super().learn(view)

    monkeypatch.setitem(FOLLOWERS.classes, "unstable", (Unstable,))
    monkeypatch.setattr(Wandering, "shorten", lambda self, share=0.5: shares.append(share) or True)
    agents.run(TOY, **{**wandering, "updates": 1}, follower="unstable")
    assert shares == [0.5] * 10 + [1.0]


def test_the_neutral_commitment_is_the_one_nearest_to_zero(wandering):
    record = agents.run(TOY, **wandering)
    game = se.make_game(TOY)
    assert record.neutral_value == pytest.approx(se.solve(game, np.full((3, 2), 0.5)).leader_value)
    tax = se.make_game("stackelberg/TaxDesign-v0")
    np.testing.assert_array_equal(neutral_commitment(tax), np.clip(0.0, tax.commitment.low, tax.commitment.high))


def test_the_horizon_of_each_value_is_said():
    toy = se.make_game(TOY, horizon=5)
    game = toy.replace(leader_reward=np.ones_like(toy.leader_reward), leader_discount=0.99, facts={})
    record = agents.run(game, leader="naive", updates=1, steps_per_update=50)
    assert record.leader_value == pytest.approx(100.0)
    assert record.episode_value == pytest.approx(sum(0.99**t for t in range(5)))
    assert record.horizon == 5
    assert record.curve["observed_return"][0] == pytest.approx(record.episode_value)
    assert "play without end" in record.meanings["leader_value"]
    assert "cut at the horizon" in record.meanings["episode_value"]


@pytest.mark.parametrize("wrong", [np.zeros((2, 2)), np.full((3, 2), 7.0), np.array(["a"]), None])
def test_what_is_no_recommendation_is_refused_by_name(monkeypatch, wandering, wrong):
    monkeypatch.setattr(Wandering, "recommend", lambda self: wrong)
    with pytest.raises(CommitmentError, match="leader 'wandering': recommend: "):
        agents.run(TOY, **wandering)


def test_a_leader_that_recommends_no_numbers_ends_with_its_last_commitment(monkeypatch, wandering):
    monkeypatch.setattr(Wandering, "recommend", lambda self: np.full((3, 2), np.nan))
    record = agents.run(TOY, **wandering)
    assert (record.status, record.ends_with) == ("finished", "announced")
    assert record.leader_value == pytest.approx(record.curve["leader_value"][-1])
    assert np.isnan(record.curve["recommended_value"][:-1]).all()


@pytest.mark.parametrize("theta", ["a", [[1.0], [2.0, 3.0]], {}, np.full(6, np.nan), np.zeros(5), 3.0])
def test_parameters_that_do_not_give_the_commitment_are_no_theta(monkeypatch, wandering, theta):
    monkeypatch.setattr(Wandering, "recommend", lambda self: np.full((3, 2), 0.5))
    monkeypatch.setattr(Wandering, "commit", lambda self: np.full((3, 2), 0.5))
    monkeypatch.setattr(Wandering, "update", lambda self, trajectories: setattr(self, "theta", theta) or {})
    assert agents.run(TOY, **wandering).theta is None


@pytest.mark.parametrize("options", [{"num_followers": 2}, {"K": 2}])
def test_several_followers_respond_to_what_is_recommended(wandering, options):
    game = se.random_tabular_v1.make_game(S=3, A=2, B=2, seed=0, **{k: v for k, v in options.items() if k == "K"})
    game = game.replace(num_followers=options.get("num_followers", 1))
    record = agents.run(game, follower_options={"per_context": True, "delay": 1}, **wandering)
    scale = abs(se.solve(game, record.commitment).follower_value)
    assert record.response_gap == pytest.approx(0.0, abs=1e-8 * scale)
    assert record.actual_value == pytest.approx(record.leader_value, rel=1e-6)


def test_a_follower_that_cannot_be_copied_leaves_the_gap_unknown(monkeypatch, wandering):
    class Alone(SoftValueIteration):
        def __deepcopy__(self, memo):
            raise TypeError("only one of a kind")

    monkeypatch.setitem(FOLLOWERS.classes, "alone", (Alone,))
    record = agents.run(TOY, follower="alone", **wandering)
    assert (record.status, record.response_gap, record.actual_value) == ("finished", None, None)
    assert record.leader_value == pytest.approx(se.solve(se.make_game(TOY), record.commitment).leader_value)


@pytest.mark.parametrize(("nodes", "gap"), [(None, 0.0), (4, None)])
def test_the_gap_of_an_exact_follower_is_zero_and_of_a_coarse_one_unknown(nodes, gap):
    options = {"updates": 1, "steps_per_update": 200, "follower_options": {"nodes": nodes}}
    record = agents.run("stackelberg/TaxDesign-v0", leader="random_search", **options)
    assert record.response_gap == gap
    record = agents.run("stackelberg/BuildingThermal-v1", leader="random_search", updates=2, steps_per_update=200)
    assert record.response_gap == 0.0
    assert record.actual_value == record.leader_value


@pytest.mark.parametrize("game", [TOY, "stackelberg/BuildingThermal-v1"])
def test_a_run_stopped_when_all_updates_were_done_ends_as_it_would_have(game, tmp_path):
    options = {"leader": "random_search", "updates": 3, "steps_per_update": 200, "seed": 1}
    whole = agents.run(game, **options)
    stopped = agents.run(game, **options, output=tmp_path, progress=stop_after(3), checkpoint_every=1)
    assert stopped.status == "interrupted"
    resumed = agents.run(resume=tmp_path)
    assert resumed.status == "finished"
    for name in ("leader_value", "actual_value", "response_gap", "ends_with"):
        assert getattr(resumed, name) == getattr(whole, name), name
