"""What followers with a learned table have in common: play, environments, options."""

import gymnasium
import numpy as np
import pytest

import stackelberg_envs as se
from agents.followers import follower_class
from agents.followers.soft_q_learning import SoftQLearning
from stackelberg_envs.envs import discrete_toy_v1, random_tabular_v1
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.faces.gymnasium_views import FollowerEnv

TOY = discrete_toy_v1.make_game(reward=2.0, temperature=1.0)


RANDOM = random_tabular_v1.make_game(S=5, A=2, B=3, K=2, terminal=1, commitment="policy", temperature=2.0,
                                     follower_discount=0.8, horizon=30, seed=3)  # fmt: skip


def make(name, seed=0, **options):
    kind = follower_class(name)
    return kind(kind.Config(**options), np.random.default_rng(seed))


def view_of(game, seed=0):
    return game.under(np.random.default_rng(seed).dirichlet(np.ones(2), size=game.shape[0]))


@pytest.mark.parametrize("name", ["soft_q_learning", "expected_sarsa"])
def test_iterates_do_not_depend_on_how_far_one_goes(name):
    view = view_of(RANDOM)
    short, long = (make(name, seed=4).iterates(view, counts) for counts in ([2, 4, 8], [2, 4, 8, 16, 32]))
    np.testing.assert_array_equal(short, long[:3])


@pytest.mark.parametrize("game", [TOY, pytest.param(RANDOM, marks=pytest.mark.deep)], ids=["toy", "contexts"])
def test_learning_by_stepping_an_environment_gives_statistically_the_same(game):
    view = view_of(game)
    env = FollowerEnv(game, commitment=view.commitment)
    steps, seeds = 4_000, range(12)
    options = {"exploration": 0.3, "least_step": 0.02, "steps": steps}
    fast, slow = [], []
    for seed in seeds:
        one, other = make("soft_q_learning", seed=seed, **options), make("soft_q_learning", seed=100 + seed, **options)
        one.learn(view)
        assert other.learn_from_env(env, steps) == steps
        fast.append(one.q)
        slow.append(other.q)
    spread = np.sqrt(np.var(fast, axis=0, ddof=1) / len(fast) + np.var(slow, axis=0, ddof=1) / len(slow))
    difference = np.abs(np.mean(fast, axis=0) - np.mean(slow, axis=0))
    # Welch's t with about 22 degrees of freedom passes 5.5 once in 60,000; at most 60 entries: false alarms 0.1 %.
    assert (difference <= 5.5 * spread + 1e-12).all()
    assert (spread > 0).any()


def test_learning_from_an_environment_repeats_with_the_seed_and_stays():
    view = view_of(TOY)
    env = FollowerEnv(TOY, commitment=view.commitment)
    one, two = (make("soft_q_learning", seed=3) for _ in range(2))
    for follower in (one, two):
        follower.learn_from_env(env, 300)
        follower.learn_from_env(env, 300)
    np.testing.assert_array_equal(one.q, two.q)
    assert one.policy.shape == (3, 2, 3)
    np.testing.assert_allclose(one.policy.sum(axis=2), 1.0)


def test_a_registered_environment_will_do():
    env = se.follower_env("stackelberg/FourRooms-v0")
    follower = make("soft_q_learning")
    assert follower.learn_from_env(env, 50) == 50
    assert follower.visits.sum() == 50


def test_an_environment_that_tells_too_little_is_refused():
    class Mute(gymnasium.Env):
        game = TOY
        observation_layout = None

        def reset(self, *, seed=None, options=None):
            return np.zeros(1), {"state": 0}

    with pytest.raises(ArgumentError, match=r"expected state, next_state.*missing \['next_state'"):
        make("soft_q_learning").learn_from_env(Mute(), 1)
    with pytest.raises(ArgumentError, match="steps: expected an integer of at least 1, got 0"):
        make("soft_q_learning").learn_from_env(Mute(), 0)
    assert SoftQLearning.Config is follower_class("expected_sarsa").Config


@pytest.mark.parametrize("name", ["soft_q_learning", "expected_sarsa"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps: expected an integer of at least 1, got 0"),
        ({"first_steps": 0}, "first_steps: expected an integer of at least 1, got 0"),
        ({"least_step": 0.0}, "least_step: expected a number in"),
        ({"exploration": 1.5}, "exploration: expected a probability, got 1.5"),
        ({"initial_q": np.nan}, "initial_q: expected a finite number, got nan"),
    ],
)
def test_bad_options_are_refused_by_name(name, options, message):
    with pytest.raises(ArgumentError, match=message):
        make(name, **options)
