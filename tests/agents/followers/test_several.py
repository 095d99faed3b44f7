"""Several followers at once: per game, per context, and both."""

import json

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.followers import follower_class
from agents.followers.several import PerContext, Population, make_follower
from agents.leaders import leader_class
from agents.runs.experiment import Experiment, ExperimentConfig
from stackelberg_envs.envs import discrete_toy_v1, four_rooms_v0
from stackelberg_envs.errors import ArgumentError, ConvergenceError
from stackelberg_envs.games.contexts import one_context
from stackelberg_envs.solvers.responses import soft_best_response
from stackelberg_envs.solvers.soft import leader_value, response_gap
from stackelberg_envs.solvers.solving import solve

ROOMS = four_rooms_v0.make_game(goals=four_rooms_v0.TWO_GOALS)
TOY = discrete_toy_v1.make_game()
X = np.linspace(-0.2, 0.0, 104)
LEARNER = {"follower": "soft_q_learning", "follower_options": {"steps": 500}}


def content(record):
    values = json.loads(record.to_json())
    del values["seconds"]
    return values


#: Of the exact leader: what it searches for besides takes seconds.
ASCENT = {"search": False, "iterations": 20}


def stepped(game, **options):
    experiment = Experiment(ExperimentConfig(game, **options))
    experiment.step()
    return experiment


def made(game, kind="soft_q_learning", seed=0, **options):
    kind = follower_class(kind)
    return make_follower(kind, kind.Config(**options), np.random.default_rng(seed), game)


def test_two_exact_followers_are_worth_what_one_is():
    options = {"leader": "exact", "leader_options": ASCENT, "updates": 3, "steps_per_update": 100}
    one, two = (agents.run(ROOMS.replace(num_followers=n), **options) for n in (1, 2))
    np.testing.assert_allclose(two.curve["leader_value"], one.curve["leader_value"], rtol=1e-12)
    assert (two.leader_value, two.response_gap) == (one.leader_value, one.response_gap)
    assert two.observed_steps == one.observed_steps == 300


def test_a_lone_follower_is_what_it_was():
    follower = made(TOY, seed=3)
    twin = follower_class("soft_q_learning")(follower.config, np.random.default_rng(3))
    view = TOY.under(np.full((3, 2), 0.5))
    assert follower.learn(view) == twin.learn(view)
    assert type(follower) is type(twin)
    np.testing.assert_array_equal(follower.policy, twin.policy)


def test_every_follower_learns_by_itself_and_the_value_is_their_mean():
    game = TOY.replace(num_followers=3)
    experiment = stepped(game, leader="bchg", steps_per_update=90, **LEARNER)
    players = experiment.follower.players
    assert len(players) == 3
    assert experiment.record.follower_steps == 3 * 500
    play = TOY.primitives(np.full((3, 2), 0.5))
    values = [leader_value(play, player.policy) for player in players]
    assert len(set(values)) == 3
    assert experiment.update_record().curve["leader_value"] == pytest.approx([np.mean(values)])
    record = experiment.close("finished")
    final = TOY.primitives(record.commitment)
    best = soft_best_response(final).state_values
    assert record.response_gap == max(response_gap(final, player.policy, best) for player in players)


def follower_that_plays(action):
    class Follower:
        policy = np.tile(np.eye(3)[action], (3, 2, 1))

    return Follower()


def test_play_is_that_of_all_each_in_episodes_of_its_own():
    class Two:
        players = (follower_that_plays(0), follower_that_plays(2))

    seen = agents.collect(TOY, np.full((3, 2), 0.5), Two(), steps=405, rng=0)
    assert seen.num_steps == 405
    action_of = np.array([set(seen.follower_action[a:b]) for a, b in zip(seen.offsets, seen.offsets[1:], strict=False)])
    assert set(map(frozenset, action_of)) == {frozenset({0}), frozenset({2})}
    assert (seen.follower_action == 0).sum() == 203
    assert (seen.lengths > 0).all()
    whole = agents.collect(TOY, np.full((3, 2), 0.5), Two(), episodes=4, rng=0)
    assert whole.num_episodes == 8
    assert agents.Trajectories.from_bytes(whole.to_bytes()).num_steps == whole.num_steps


def test_fewer_steps_than_followers_are_played_by_some():
    class Three:
        players = tuple(follower_that_plays(b) for b in range(3))

    seen = agents.collect(TOY, np.full((3, 2), 0.5), Three(), steps=2, rng=0)
    np.testing.assert_array_equal(seen.follower_action, [0, 1])


def test_the_leader_sees_the_play_of_all_and_their_mean_response():
    received = []

    class Noted(leader_class("naive")):
        def update(self, trajectories):
            received.append(trajectories)
            return {}

    game = TOY.replace(num_followers=2)
    experiment = Experiment(ExperimentConfig(game, leader="naive", steps_per_update=4_000, **LEARNER))
    experiment.leader = Noted(experiment.leader.brief, experiment.leader.config, np.random.default_rng(0))
    experiment.level = agents.Information.RESPONSE
    experiment.step()
    [seen] = received
    players = experiment.follower.players
    np.testing.assert_allclose(seen.response, np.mean([player.policy for player in players], axis=0))
    # Frequencies of the first and of the second half, against each follower's own table: within six standard
    # deviations of a frequency, a false alarm in less than 1e-7 of seeds per entry; the tables differ by more.
    half = int(np.searchsorted(seen.offsets, 2_000))
    assert seen.offsets[half] == 2_000
    for player, part in zip(players, (slice(0, 2_000), slice(2_000, None)), strict=True):
        counts = np.zeros((3, 2, 3))
        np.add.at(counts, (seen.state[part], seen.leader_action[part], seen.follower_action[part]), 1)
        n = counts.sum(axis=2, keepdims=True)
        spread = np.sqrt(player.policy * (1 - player.policy) / np.maximum(n, 1))
        assert (np.abs(counts / np.maximum(n, 1) - player.policy) <= 6 * spread + 1e-3 + (n == 0)).all()
    assert np.abs(players[0].policy - players[1].policy).max() > 0.05


def test_one_follower_per_goal_sees_its_own_goal_only():
    follower = made(ROOMS, "soft_value_iteration", per_context=True)
    assert isinstance(follower, PerContext)
    seen = []
    for member in follower.members:
        learn = member.learn
        member.learn = lambda view, learn=learn: (seen.append(view), learn(view))[1]
    follower.learn(ROOMS.under(X))
    assert [view.game.num_contexts for view in seen] == [1, 1]
    for k, view in enumerate(seen):
        assert view.game.facts == {}
        single = four_rooms_v0.make_game(goals=[four_rooms_v0.TWO_GOALS[k]])
        np.testing.assert_array_equal(view.primitives.follower_reward, single.primitives(X).follower_reward)
        np.testing.assert_array_equal(view.primitives.continuing, single.primitives(X).continuing)
    np.testing.assert_allclose(follower.policy, solve(ROOMS, X).response.reshape(208, 1, 4), atol=1e-9)


def test_each_goals_follower_has_all_its_steps():
    options = {"leader": "naive", "updates": 2, "steps_per_update": 100, "follower": "soft_q_learning"}
    shared, apart = (
        agents.run(ROOMS, **options, follower_options={"steps": 300, "per_context": flag}) for flag in (False, True)
    )
    assert (shared.follower_steps, apart.follower_steps) == (600, 1200)
    several = agents.run(
        ROOMS.replace(num_followers=2), **options, follower_options={"steps": 300, "per_context": True}
    )
    assert several.follower_steps == 2400


def test_several_per_context():
    follower = made(ROOMS.replace(num_followers=2), steps=50, per_context=True)
    assert isinstance(follower, Population)
    assert [type(player) for player in follower.players] == [PerContext, PerContext]
    members = [member for player in follower.players for member in player.members]
    assert len(members) == 4
    draws = {member.rng.random() for member in members}
    assert len(draws) == 4


def test_per_context_means_nothing_in_a_game_without():
    assert not isinstance(made(TOY, per_context=True), PerContext)


def test_a_flag_that_is_no_flag_is_refused():
    with pytest.raises(ArgumentError, match="per_context: expected True or False, got 'no'"):
        made(TOY, per_context="no")


@pytest.mark.parametrize(
    ("kind", "elsewhere"),
    [
        ("soft_q_learning", False),
        ("soft_value_iteration", False),
        ("soft_q_learning", True),
        pytest.param("soft_value_iteration", True, marks=pytest.mark.deep),
    ],
)
def test_a_run_with_several_goes_on_where_it_was_stopped(tmp_path, elsewhere, kind):
    def stop(state):
        if state.update == 2:
            raise KeyboardInterrupt

    own = {"steps": 300} if kind == "soft_q_learning" else {"sweeps": 3}
    options = {
        "leader": "bchg",
        "updates": 4,
        "steps_per_update": 200,
        "follower": kind,
        "follower_options": {**own, "per_context": True, "delay": 1},
        "seed": 5,
    }
    game = ROOMS.replace(num_followers=2)
    whole = agents.run(game, **options)
    agents.run(game, **options, leader_process=elsewhere, output=tmp_path, progress=stop)
    assert content(agents.run(game, resume=tmp_path)) == content(whole)


def test_one_that_diverges_among_several_stops_the_run():
    experiment = Experiment(ExperimentConfig(TOY.replace(num_followers=2), follower="soft_value_iteration"))
    second = experiment.follower.members[1]
    learn = second.learn

    def diverge(view):
        steps = learn(view)
        second.policy = np.full_like(second.policy, np.nan)
        return steps

    second.learn = diverge
    with pytest.raises(ConvergenceError, match="follower 'soft_value_iteration': at leader update 1"):
        experiment.step()


def test_no_follower_plays_the_mean_in_an_environment():
    follower = made(TOY.replace(num_followers=2), steps=50)
    follower.learn(TOY.under(np.full((3, 2), 0.5)))
    with pytest.raises(ArgumentError, match="expected one, got several"):
        agents.collect(discrete_toy_v1.parallel_env(), np.full((3, 2), 0.5), follower, steps=5)


def test_two_goals_apart_are_the_game_together():
    parts = [solve(one_context(ROOMS, k), X) for k in range(2)]
    whole = solve(ROOMS, X)
    assert whole.leader_value == pytest.approx(np.mean([part.leader_value for part in parts]), abs=1e-9)


def test_a_follower_per_context_needs_a_tabular_game():
    game = se.make_game("stackelberg/TaxDesign-v0")
    with pytest.raises(ArgumentError, match="per_context: expected a tabular game, got TaxGame"):
        made(game, "soft_value_iteration", per_context=True)
