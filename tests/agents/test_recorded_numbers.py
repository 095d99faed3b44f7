"""What the numbers of a record mean: each is compared with the thing it is said to be."""

from dataclasses import replace

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents import evaluation
from agents.briefing import make_brief
from agents.diagnostics import COLUMNS
from agents.followers.base import FOLLOWERS, RestartingFollower
from agents.followers.soft_value_iteration import SoftValueIteration
from agents.leaders import leader_class, leader_names
from agents.leaders.base import LEADERS, Leader
from agents.leaders.random_search import RandomSearchConfig
from agents.summary import in_words
from agents.trajectories import Trajectories, concatenate
from stackelberg_envs.checks_batched import UniformPolicy
from stackelberg_envs.errors import ArgumentError, CommitmentError, InstabilityError

ONE_AN_EPISODE = sum(0.99**t for t in range(40))


@pytest.fixture(scope="module")
def paid_one():
    """A game that never ends by itself and pays the leader 1 per step; episodes have 40 steps."""
    toy = se.make_game("stackelberg/DiscreteToy-v0", horizon=40, leader_discount=0.99)
    return toy.replace(leader_reward=np.ones_like(toy.leader_reward), facts={})


@pytest.mark.parametrize("steps", [40, 50, 410, 79])
def test_an_episode_cut_by_the_step_budget_counts_for_the_steps_seen_of_it(paid_one, steps):
    record = agents.run(paid_one, leader="naive", updates=2, steps_per_update=steps)
    np.testing.assert_allclose(record.curve["observed_return"], ONE_AN_EPISODE)
    np.testing.assert_array_equal(record.curve["whole_episodes"], steps // 40)


def test_without_a_whole_episode_the_return_is_that_of_the_steps_seen(paid_one):
    record = agents.run(paid_one, leader="naive", updates=1, steps_per_update=30)
    np.testing.assert_allclose(record.curve["observed_return"], sum(0.99**t for t in range(30)))
    np.testing.assert_array_equal(record.curve["whole_episodes"], 0)


@pytest.mark.parametrize(("steps", "whole", "returns"), [(50, [1, 0], 1), (80, [1, 1], 2), (30, [0], 1)])
def test_only_whole_episodes_have_a_return(paid_one, steps, whole, returns):
    x = paid_one.commitment.project(np.zeros(paid_one.commitment.shape))
    seen = agents.collect(paid_one, x, se.solve(paid_one, x).response, steps=steps, rng=0)
    np.testing.assert_array_equal(seen.whole, whole)
    expected = ONE_AN_EPISODE if any(whole) else sum(0.99**t for t in range(steps))
    np.testing.assert_allclose(seen.returns(0.99), np.full(returns, expected))
    assert seen.mean_return(0.99) == pytest.approx(expected)
    for same in (Trajectories.from_bytes(seen.to_bytes()), seen.without("follower_reward"), concatenate([seen, seen])):
        np.testing.assert_array_equal(same.whole[: len(whole)], whole)


def test_every_face_and_every_kind_of_game_says_which_episodes_are_whole(paid_one):
    x = paid_one.commitment.project(np.zeros(paid_one.commitment.shape))
    response = se.solve(paid_one, x).response
    for make in (se.discrete_toy_v0.parallel_env, se.discrete_toy_v0.env):
        seen = agents.collect(make(game=paid_one), x, response, steps=50, rng=0)
        np.testing.assert_array_equal(seen.whole, [True, False])
        assert seen.mean_return(0.99) == pytest.approx(ONE_AN_EPISODE)
    several = paid_one.replace(num_followers=2)
    seen = agents.collect(se.discrete_toy_v0.parallel_env(game=several), x, response, steps=81, rng=0)
    np.testing.assert_array_equal(seen.whole, [True, True, False])
    thermal = se.make_game("stackelberg/BuildingThermal-v0")
    x = np.full(thermal.commitment.shape, 0.5)
    best, H = thermal.solve(x), thermal.horizon
    seen = agents.collect(thermal, x, best, steps=2 * H + 1, rng=0)
    np.testing.assert_array_equal(seen.whole, [True, True, False])
    assert agents.collect(thermal, x, best, episodes=3, rng=0).whole.all()


def test_the_mean_return_is_unbiased_whatever_the_budget_cuts():
    # Episodes of random length, of which the budget holds a few. Two-sided at 4.5 standard errors over 2,000 plays:
    # false alarms 7 in a million, seeds fixed. With the cut episode counted as whole the mean is far off.
    game = se.random_tabular_v0.make_game(S=6, A=2, B=3, terminal=1, horizon=40, leader_discount=0.9, seed=1)
    game = game.replace(leader_reward=np.ones_like(game.leader_reward))
    x = np.zeros(game.commitment.shape)
    response, rng = se.solve(game, x).response, np.random.default_rng(0)
    truth = agents.collect(game, x, response, episodes=50_000, rng=rng).mean_return(0.9)
    plays = [agents.collect(game, x, response, steps=60, rng=rng) for _ in range(2_000)]
    means = np.array([seen.mean_return(0.9) for seen in plays])
    sums = [np.add.reduceat(0.9**seen.time * seen.leader_reward, seen.offsets[:-1]).mean() for seen in plays]
    error = means.std() / np.sqrt(len(means))
    assert abs(means.mean() - truth) < 4.5 * error
    assert abs(np.mean(sums) - truth) > 6 * error


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
    monkeypatch.setitem(LEADERS, "saying", type("Kind", (Saying,), {"said": said}))
    options = {"updates": 3, "steps_per_update": 50, **options}
    return agents.run("stackelberg/DiscreteToy-v0", leader="saying", **options)


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

    def update(self, trajectories):
        self.theta = self.theta + 0.3 * self.rng.standard_normal(self.theta.size)
        return {}

    def recommend(self):
        self.theta = 2.0 * self.rng.standard_normal(self.theta.size)
        return self.commit()


@pytest.fixture
def wandering(monkeypatch):
    monkeypatch.setitem(LEADERS, "wandering", Wandering)
    return {"leader": "wandering", "updates": 4, "steps_per_update": 50}


TOY = "stackelberg/DiscreteToy-v0"


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

    kinds = frozenset({"batched"})

    def begin(self, view):
        self.policy = UniformPolicy(view.game.follower_action_space)

    def adapt(self, view):
        return 0


@pytest.mark.parametrize(("every", "episodes"), [(1, 5), (2, 3), (0, 1)])
def test_games_without_a_solver_play_their_evaluation_episodes_once(monkeypatch, every, episodes):
    played = []
    monkeypatch.setattr(evaluation, "play", lambda *a, **k: played.append(k["episodes"]) or se.batched.play(*a, **k))
    monkeypatch.setitem(FOLLOWERS, "indifferent", Indifferent)
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
    record = agents.run(TOY, **{**wandering, "leader": leader}, progress=stop_after(3))
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
def test_theta_gives_the_commitment_or_is_absent(leader, name):
    game = se.make_game(f"stackelberg/{name}-v0")
    if ("batched" if name == "BuildingThermal" else "tabular") not in leader_class(leader).kinds:
        pytest.skip("another kind of game")
    quick = {"explore": 1} if name == "DiscreteToy" else {"draws": 1, "box_draws": 2, "box_starts": 1, "polish": 5}
    options = quick if leader == "certainty_equivalent" else {}
    for progress in (None, stop_after(2)):
        record = agents.run(
            game, leader=leader, updates=3, steps_per_update=200, leader_options=options, progress=progress
        )
        if record.theta is not None:
            found = make_brief(game, agents.Information.MODEL).parametrisation(record.theta)
            np.testing.assert_allclose(found, record.commitment, rtol=1e-9)
        else:
            assert leader == "certainty_equivalent"


@pytest.mark.parametrize("leader", sorted(leader_names()))
def test_play_under_another_commitment_is_refused_by_every_leader_that_is_not_off_policy(leader):
    kind = leader_class(leader)
    game = se.make_game(TOY)
    x = foreign = np.array([[0.3, 0.7], [0.6, 0.4], [0.5, 0.5]])

    def play_from_anywhere(steps):
        return agents.collect(game, x, se.solve(game, x).response, steps=steps, rng=0)

    brief = replace(make_brief(game, kind.needs(game.commitment)), uniform_play=play_from_anywhere)
    made = kind(brief, kind.Config(), np.random.default_rng(0))
    assert made.name == leader
    x = np.array(made.commit())
    response = se.solve(game, foreign).response
    seen = replace(agents.collect(game, foreign, response, steps=50, rng=0), response=response)
    if kind.off_policy:
        return
    with pytest.raises(ArgumentError, match=rf"^{leader}: expected play under its last commitment"):
        made.update(seen)
    response = se.solve(game, x).response
    seen = replace(agents.collect(game, x, response, steps=3_000, rng=0), response=response)
    made.update(seen)
    with pytest.raises(ArgumentError, match=rf"^{leader}: expected play under its last commitment"):
        for _ in range(2):  # a search may stay where it is, once
            made.update(seen)


def test_a_small_commitment_is_told_from_another_small_one(monkeypatch):
    game = se.random_tabular_v0.make_game(S=3, A=1, B=2, commitment="features", seed=0)
    kind = leader_class("naive")
    brief = make_brief(game, agents.Information.REWARDS_OBSERVED)
    made = kind(brief, kind.Config(), np.random.default_rng(0))
    monkeypatch.setattr(kind, "commit", lambda self: np.full(game.commitment.shape, 1e-9))
    other = np.full(game.commitment.shape, 2e-9)
    seen = agents.collect(game, other, se.solve(game, other).response, steps=20, rng=0)
    with pytest.raises(ArgumentError, match="naive: expected play under its last commitment"):
        made.update(seen)


def test_so_many_commitments_explore_as_asked_for(monkeypatch):
    kind = leader_class("certainty_equivalent")
    explored = []
    explore = kind.explore
    monkeypatch.setattr(kind, "explore", lambda self: explored.append(explore(self)) or explored[-1])
    announced = []
    learn = SoftValueIteration.learn
    monkeypatch.setattr(
        SoftValueIteration, "learn", lambda self, view: announced.append(view.commitment) or learn(self, view)
    )
    agents.run(TOY, leader="certainty_equivalent", updates=9, steps_per_update=300, leader_options={"explore": 5})
    exploring = [any(np.array_equal(x, other) for other in explored) for x in announced[:9]]
    assert exploring == [False] + [True] * 5 + [False] * 3


def test_so_many_commitments_are_drawn_as_asked_for():
    options = {"draws": 5, "box_draws": 2, "box_starts": 1, "polish": 0}
    record = agents.run(
        "stackelberg/BuildingThermal-v0", leader="certainty_equivalent", updates=8, steps_per_update=200,
        leader_options=options,
    )  # fmt: skip
    np.testing.assert_array_equal(record.curve["exploring"], [1] * 5 + [0] * 3)


def test_a_step_is_halved_ten_times_before_it_is_taken_back(monkeypatch, wandering):
    shares = []

    class Unstable(SoftValueIteration):
        def learn(self, view):
            if len(shares) < 11:
                raise InstabilityError("no finite response")
            return super().learn(view)

    monkeypatch.setitem(FOLLOWERS, "unstable", Unstable)
    monkeypatch.setattr(Wandering, "shorten", lambda self, share=0.5: shares.append(share) or True)
    agents.run(TOY, **{**wandering, "updates": 1}, follower="unstable")
    assert shares == [0.5] * 10 + [1.0]


def test_the_neutral_commitment_is_the_one_nearest_to_zero(wandering):
    record = agents.run(TOY, **wandering)
    game = se.make_game(TOY)
    assert record.neutral_value == pytest.approx(se.solve(game, np.full((3, 2), 0.5)).leader_value)
    tax = se.make_game("stackelberg/TaxDesign-v0")
    np.testing.assert_array_equal(
        evaluation.neutral_commitment(tax), np.clip(0.0, tax.commitment.low, tax.commitment.high)
    )


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
def test_an_attribute_of_that_name_with_another_meaning_is_no_theta(monkeypatch, wandering, theta):
    monkeypatch.setattr(Wandering, "recommend", lambda self: np.full((3, 2), 0.5))
    monkeypatch.setattr(Wandering, "commit", lambda self: np.full((3, 2), 0.5))
    monkeypatch.setattr(Wandering, "update", lambda self, trajectories: setattr(self, "theta", theta) or {})
    assert agents.run(TOY, **wandering).theta is None


@pytest.mark.parametrize("options", [{"num_followers": 2}, {"K": 2}])
def test_several_followers_respond_to_what_is_recommended(wandering, options):
    game = se.random_tabular_v0.make_game(S=3, A=2, B=2, seed=0, **{k: v for k, v in options.items() if k == "K"})
    game = game.replace(num_followers=options.get("num_followers", 1))
    record = agents.run(game, follower_options={"per_context": True, "delay": 1}, **wandering)
    scale = abs(se.solve(game, record.commitment).follower_value)
    assert record.response_gap == pytest.approx(0.0, abs=1e-8 * scale)
    assert record.actual_value == pytest.approx(record.leader_value, rel=1e-6)


def test_a_follower_that_cannot_be_copied_leaves_the_gap_unknown(monkeypatch, wandering):
    class Alone(SoftValueIteration):
        def __deepcopy__(self, memo):
            raise TypeError("only one of a kind")

    monkeypatch.setitem(FOLLOWERS, "alone", Alone)
    record = agents.run(TOY, follower="alone", **wandering)
    assert (record.status, record.response_gap, record.actual_value) == ("finished", None, None)
    assert record.leader_value == pytest.approx(se.solve(se.make_game(TOY), record.commitment).leader_value)


def test_a_run_that_saw_no_whole_episode_says_so(wandering):
    assert "saw no whole episode: 50 steps per update" in in_words(agents.run(TOY, **wandering))
    assert "whole episode" not in in_words(agents.run(TOY, **{**wandering, "steps_per_update": 150}))


@pytest.mark.parametrize(("nodes", "gap"), [(None, 0.0), (4, None)])
def test_the_gap_of_an_exact_follower_is_zero_and_of_a_coarse_one_unknown(nodes, gap):
    options = {"updates": 1, "steps_per_update": 200, "follower_options": {"nodes": nodes}}
    record = agents.run("stackelberg/TaxDesign-v0", leader="random_search", **options)
    assert record.response_gap == gap
    record = agents.run("stackelberg/BuildingThermal-v0", leader="random_search", updates=2, steps_per_update=200)
    assert record.response_gap == 0.0
    assert record.actual_value == record.leader_value


@pytest.mark.parametrize("game", [TOY, "stackelberg/BuildingThermal-v0"])
def test_a_run_stopped_when_all_updates_were_done_ends_as_it_would_have(game, tmp_path):
    options = {"leader": "random_search", "updates": 3, "steps_per_update": 200, "seed": 1}
    whole = agents.run(game, **options)
    stopped = agents.run(game, **options, output=tmp_path, progress=stop_after(3), checkpoint_every=1)
    assert stopped.status == "interrupted"
    resumed = agents.run(resume=tmp_path)
    assert resumed.status == "finished"
    for name in ("leader_value", "actual_value", "response_gap", "ends_with"):
        assert getattr(resumed, name) == getattr(whole, name), name
