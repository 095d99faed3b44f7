"""Play that is observed: which episodes are whole, and what they are worth."""

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.followers.base import FOLLOWERS
from agents.leaders.base import LEADERS
from agents.observing.trajectories import Trajectories, concatenate
from agents.runs.collection import collect
from agents.runs.summary import in_words
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.play.rollout import rollout
from tests.agents.runs.aim import Aimed, Jumpy, small_game

ONE_AN_EPISODE = sum(0.99**t for t in range(40))


@pytest.fixture(scope="module")
def paid_one():
    """A game that never ends by itself and pays the leader 1 per step; episodes have 40 steps."""
    toy = se.make_game("stackelberg/DiscreteToy-v1", horizon=40, leader_discount=0.99)
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
    for make in (se.discrete_toy_v1.parallel_env, se.discrete_toy_v1.env):
        seen = agents.collect(make(game=paid_one), x, response, steps=50, rng=0)
        np.testing.assert_array_equal(seen.whole, [True, False])
        assert seen.mean_return(0.99) == pytest.approx(ONE_AN_EPISODE)
    several = paid_one.replace(num_followers=2)
    seen = agents.collect(se.discrete_toy_v1.parallel_env(game=several), x, response, steps=81, rng=0)
    np.testing.assert_array_equal(seen.whole, [True, True, False])
    thermal = se.make_game("stackelberg/BuildingThermal-v1")
    x = np.full(thermal.commitment.shape, 0.5)
    best, H = thermal.solve(x), thermal.horizon
    seen = agents.collect(thermal, x, best, steps=2 * H + 1, rng=0)
    np.testing.assert_array_equal(seen.whole, [True, True, False])
    assert agents.collect(thermal, x, best, episodes=3, rng=0).whole.all()


def test_the_mean_return_is_unbiased_whatever_the_budget_cuts():
    # Episodes of random length, of which the budget holds a few. Two-sided at 4.5 standard errors over 2,000 plays:
    # false alarms 7 in a million, seeds fixed. With the cut episode counted as whole the mean is far off.
    game = se.random_tabular_v1.make_game(S=6, A=2, B=3, terminal=1, horizon=40, leader_discount=0.9, seed=1)
    game = game.replace(leader_reward=np.ones_like(game.leader_reward))
    x = np.zeros(game.commitment.shape)
    response, rng = se.solve(game, x).response, np.random.default_rng(0)
    truth = agents.collect(game, x, response, episodes=20_000, rng=rng).mean_return(0.9)
    plays = [agents.collect(game, x, response, steps=60, rng=rng) for _ in range(2_000)]
    means = np.array([seen.mean_return(0.9) for seen in plays])
    sums = [np.add.reduceat(0.9**seen.time * seen.leader_reward, seen.offsets[:-1]).mean() for seen in plays]
    error = means.std() / np.sqrt(len(means))
    assert abs(means.mean() - truth) < 4.5 * error
    assert abs(np.mean(sums) - truth) > 6 * error


def test_a_run_that_saw_no_whole_episode_says_so(paid_one):
    run = {"leader": "naive", "updates": 1}
    assert "saw no whole episode: 30 steps per update" in in_words(agents.run(paid_one, **run, steps_per_update=30))
    assert "whole episode" not in in_words(agents.run(paid_one, **run, steps_per_update=40))


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """Register the players of this file for one test: the names of the package are tested elsewhere."""
    monkeypatch.setitem(LEADERS.classes, "jumpy", (Jumpy,))
    monkeypatch.setitem(FOLLOWERS.classes, "aimed", (Aimed,))


def test_play_counts_steps_and_episodes_and_cuts_the_last():
    game = small_game(ends=0.2)
    policy = game.solve(np.zeros(1)).policy
    seen = rollout(game.under(np.zeros(1)), policy, np.random.default_rng(0), steps=500)
    lengths = np.diff(seen.offsets)
    assert len(seen.state) == 500 == seen.offsets[-1] and lengths.max() <= game.horizon
    assert seen.terminated[:-1].mean() > 0.9
    # Within an episode each state is the last one's successor.
    inside = np.setdiff1d(np.arange(1, 500), seen.offsets)
    np.testing.assert_array_equal(seen.state[inside], seen.next_state[inside - 1])
    whole = rollout(game.under(np.zeros(1)), policy, np.random.default_rng(0), episodes=7)
    assert len(whole.terminated) == 7
    # An episode ends by itself or at the horizon; the mean length of a geometric one cut at 20 is 4.94, its deviation
    # 4.4; false alarm below 1e-4 at 4 standard errors.
    many = np.diff(rollout(game.under(np.zeros(1)), policy, np.random.default_rng(1), episodes=4_000).offsets)
    assert abs(many.mean() - (1 - 0.8**20) / 0.2) < 4 * many.std() / np.sqrt(4_000)


def test_collect_records_what_an_observer_sees():
    game = small_game()
    follower = Aimed(Aimed.Config(), np.random.default_rng(0))
    follower.learn(game.under(np.zeros(1)))
    seen = collect(game, [0.0], follower, steps=50, rng=0)
    again = Trajectories.from_bytes(seen.to_bytes())
    np.testing.assert_array_equal(again.state, seen.state)
    assert seen.state.shape == (50, 2) and seen.follower_action.shape == (50, 1) and seen.leader_action.shape == (50, 0)
    assert len(seen.samples) == 50 and seen.samples.context.shape == (50,)
    hidden = collect(game.replace(observe_rewards=False), [0.0], follower, steps=50, rng=0)
    assert hidden.follower_reward is None
    with pytest.raises(ArgumentError, match=r"expected a policy with sample\(\) in a vector game, got ndarray"):
        collect(game, [0.0], np.ones((1, 1, 1)), steps=5, rng=0)


def test_several_followers_share_the_steps():
    record = agents.run(small_game(num_followers=3), leader="cma_es", updates=2, steps_per_update=90)
    assert record.observed_steps == 180
