"""What leaders share that only try commitments."""

import numpy as np
import pytest

import agents
from agents.leaders import leader_class
from agents.leaders.black_box import BlackBoxLeader
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from stackelberg_envs.envs import discrete_toy_v1, four_rooms_v0
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.solvers.solving import solve

NAMES = ["cma_es", "random_search", "zero_order"]
GAME = discrete_toy_v1.make_game()


def make(name, **options):
    kind = leader_class(name)
    return kind(make_brief(GAME, Information.ACTIONS_ONLY), kind.Config(**options), np.random.default_rng(0))


def play(x, steps=300, seed=0):
    return agents.collect(GAME, x, solve(GAME, x).response, steps=steps, rng=seed).without("follower_reward")


@pytest.mark.parametrize("name", NAMES)
def test_they_see_actions_only_whatever_the_commitment(name):
    kind = leader_class(name)
    assert issubclass(kind, BlackBoxLeader)
    for game in (GAME, four_rooms_v0.make_game()):
        assert kind.required_information(game.commitment, kind.Config()) == Information.ACTIONS_ONLY
    private = GAME.replace(observe_rewards=False, publish_temperature=False)
    assert agents.run(private, leader=name, updates=2, steps_per_update=10).status == "finished"


@pytest.mark.parametrize("name", NAMES)
def test_they_recommend_the_best_candidate_by_their_own_estimate(name):
    leader = make(name)
    tried = []
    for seed in range(12):
        x = leader.commit()
        diagnostics = leader.update(play(x, seed=seed))
        tried.append((diagnostics["observed_value"], x))
        assert diagnostics["best_observed_value"] == max(value for value, _ in tried)
    np.testing.assert_array_equal(leader.recommend(), max(tried, key=lambda pair: pair[0])[1])
    np.testing.assert_array_equal(leader.theta, leader.best_theta)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("leader_process", [False, True])
def test_a_run_ends_with_the_recommended_commitment(name, leader_process):
    record = agents.run(GAME, leader=name, updates=9, steps_per_update=300, leader_process=leader_process)
    best = int(np.argmax(record.curve["observed_value"]))
    value = record.curve["observed_value"][best]
    np.testing.assert_array_equal(record.curve["best_observed_value"][best:], value)
    # The toy's follower is exact, so J at the best update is J at the end.
    assert record.leader_value == pytest.approx(record.curve["leader_value"][best], abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_each_update_is_one_commitment(name):
    leader = make(name)
    x = leader.commit()
    np.testing.assert_array_equal(x, leader.commit())
    leader.update(play(x))
    assert leader.commit().shape == x.shape


@pytest.mark.parametrize("name", NAMES)
def test_play_under_another_commitment_is_refused(name):
    leader = make(name)
    with pytest.raises(ArgumentError, match="expected play under its last commitment"):
        leader.observe(play(np.array([[0.1, 0.9]] * 3)))


@pytest.mark.parametrize("name", NAMES)
def test_equal_seeds_try_equal_commitments(name):
    one, two = make(name), make(name)
    for seed in range(5):
        np.testing.assert_array_equal(x := one.commit(), two.commit())
        for leader in (one, two):
            leader.update(play(x, seed=seed))


@pytest.mark.parametrize("name", NAMES)
def test_a_search_goes_on_bit_for_bit_from_a_checkpoint(name, tmp_path):
    options = {"leader": name, "steps_per_update": 50, "game_arguments": {"reward": 2.0}}
    whole = agents.run("stackelberg/DiscreteToy-v1", updates=30, **options)

    def stop(progress):
        if progress.update == 17:
            raise KeyboardInterrupt

    agents.run("stackelberg/DiscreteToy-v1", updates=30, output=tmp_path, progress=stop, checkpoint_every=1, **options)
    resumed = agents.run(resume=tmp_path)
    np.testing.assert_array_equal(resumed.commitment, whole.commitment)
    for column in whole.curve:
        np.testing.assert_array_equal(resumed.curve[column], whole.curve[column])


def test_the_observed_value_is_the_mean_return_where_no_episode_is_cut_short():
    seen = play(np.full((3, 2), 0.5), steps=3 * 150)
    assert seen.mean_return(0.99) == pytest.approx(seen.returns(0.99).mean())


def mean_with_the_cut_one(seen):
    return np.mean(np.add.reduceat(0.99**seen.time * seen.leader_reward, seen.offsets[:-1]))


def test_an_episode_cut_by_the_budget_does_not_count_as_one_that_earned_nothing_more():
    x = np.array([[0.5, 0.5], [0.84, 0.16], [0.5, 0.5]])
    whole = [play(x, steps=600, seed=seed).mean_return(0.99) for seed in range(400)]
    cut = [play(x, steps=600 + 10, seed=1_000 + seed).mean_return(0.99) for seed in range(400)]
    naive = [mean_with_the_cut_one(play(x, steps=610, seed=seed)) for seed in range(400)]
    error = np.hypot(np.std(whole), np.std(cut)) / 20
    # Four standard errors: false alarms 1 in 16,000.
    assert abs(np.mean(whole) - np.mean(cut)) < 4 * error
    assert abs(np.mean(whole) - np.mean(naive)) > 8 * error
