"""What all followers have in common: names, options, restart and delay."""

import numpy as np
import pytest

import agents
from agents.followers import Follower, follower_class, follower_names
from agents.followers.base import RestartingFollower
from stackelberg_envs.envs import discrete_toy_v1
from stackelberg_envs.errors import ArgumentError, UnknownNameError
from stackelberg_envs.solvers.solving import solve


def make(name, seed=0, **options):
    kind = follower_class(name)
    return kind(kind.Config(**options), np.random.default_rng(seed))


def test_the_reference_followers_are_registered():
    assert {"soft_value_iteration", "soft_q_learning"} <= set(follower_names())


def test_an_unknown_follower_is_refused_with_the_nearest_names():
    with pytest.raises(UnknownNameError, match="unknown follower 'soft_q_lerning'; did you mean 'soft_q_learning'"):
        follower_class("soft_q_lerning")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps: expected an integer of at least 1, got 0"),
        ({"least_step": 0.0}, "least_step: expected a number in"),
        ({"exploration": 1.5}, "exploration: expected a probability, got 1.5"),
    ],
)
def test_bad_options_are_refused_by_name(options, message):
    with pytest.raises(ArgumentError, match=message):
        make("soft_q_learning", **options)


GAME = discrete_toy_v1.make_game(reward=2.0)


COMMITMENTS = [np.array([[0.5, 0.5], [1 - q, q], [0.5, 0.5]]) for q in (0.1, 0.5, 0.9, 0.3)]


NAMES = ["expected_sarsa", "hard_best_response", "soft_q_learning", "soft_value_iteration"]


def view(x):
    return GAME.under(x)


def policies(follower, commitments=COMMITMENTS):
    out = []
    for x in commitments:
        follower.learn(view(x))
        out.append(follower.policy.copy())
    return out


def test_all_followers_share_the_options():
    assert {*NAMES, "sb3"} <= set(follower_names())
    for name in [*NAMES, "sb3"]:
        assert issubclass(follower_class(name), RestartingFollower)
        assert follower_class(name).Config().restart is False
        assert follower_class(name).Config().delay == 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("delay", [1, 2, 9])
def test_delay_is_the_response_to_an_earlier_commitment(name, delay):
    late = policies(make(name, delay=delay))
    earlier = [COMMITMENTS[max(0, t - delay)] for t in range(len(COMMITMENTS))]
    for found, expected in zip(late, policies(make(name), earlier), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", NAMES)
def test_with_restart_nothing_is_left_of_earlier_commitments(name):
    options = {} if "iteration" in name or "hard" in name else {"steps": 2_000}
    options |= {"sweeps": 3} if name == "soft_value_iteration" else {}
    follower = make(name, restart=True, **options)
    policies(follower)
    follower.rng = np.random.default_rng(7)
    follower.learn(view(COMMITMENTS[0]))
    alone = make(name, seed=7, restart=True, **options)
    alone.learn(view(COMMITMENTS[0]))
    np.testing.assert_array_equal(follower.policy, alone.policy)


def test_without_restart_the_table_is_where_the_next_sweep_begins():
    kept, restarted = (make("soft_value_iteration", sweeps=2, restart=restart) for restart in (False, True))
    x = COMMITMENTS[0]
    best = solve(GAME, x).response
    distances = {
        follower: [np.abs(policy - best).max() for policy in policies(follower, [x] * 400)]
        for follower in (kept, restarted)
    }
    assert distances[kept][-1] < 1e-5 < distances[restarted][-1]
    assert len(set(distances[restarted])) == 1


def test_first_steps_are_made_when_the_table_is_empty_and_only_then():
    kept, restarted = (make("soft_q_learning", steps=10, first_steps=70, restart=restart) for restart in (False, True))
    assert [kept.learn(view(x)) for x in COMMITMENTS] == [70, 10, 10, 10]
    assert [restarted.learn(view(x)) for x in COMMITMENTS] == [70] * 4


def test_a_late_follower_plays_in_the_game_as_it_is_now():
    record = agents.run(GAME, leader="naive", updates=3, steps_per_update=50, follower_options={"delay": 1})
    assert record.status == "finished"
    assert record.follower_options["delay"] == 1


def test_a_follower_of_ones_own_needs_none_of_it():
    class Still(Follower):
        def learn(self, view):
            self.policy = np.full(view.primitives.follower_reward.shape, 1 / 3)
            return 0

    still = Still(None, np.random.default_rng(0))
    assert still.learn(view(COMMITMENTS[0])) == 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"restart": "no"}, "restart: expected True or False, got 'no'"),
        ({"delay": -1}, "delay: expected an integer of at least 0, got -1"),
        ({"delay": 1.5}, "delay: expected an integer of at least 0, got 1.5"),
    ],
)
def test_options_of_all_followers_are_refused_by_name(name, options, message):
    with pytest.raises(ArgumentError, match=message):
        make(name, **options)
