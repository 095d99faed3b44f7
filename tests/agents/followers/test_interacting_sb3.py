"""A model of stable-baselines3 for each of several followers. What needs the package is `deep`."""

import sys
import types

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.followers.interacting_sb3 import InteractingSb3, InteractingSb3Config
from stackelberg_envs.errors import ArgumentError, MissingExtraError
from tests.games import weakly_interacting_game


def matching():
    """Follower 0 likes its second action best; follower 1 likes to do the same, though its first pays more alone."""
    pays = np.array([[[0.0, 0.0], [1.0, 1.0]], [[0.6, 0.0], [0.0, 0.4]]])
    return weakly_interacting_game(
        follower_rewards=pays[:, None],
        leader_reward=np.zeros((1, 4)),
        transition=np.ones((1, 4, 1)),
        initial=[1.0],
        temperature=0.02,
        follower_discount=0.0,
        horizon=5,
        commitment=se.Transfer(np.zeros((2, 1, 1, 4, 1)), 0.0, 1.0),
    )


class Tries:
    """An algorithm in the manner of stable-baselines3: it tries all actions of a bandit alike, and takes the best."""

    def __init__(self, policy, env, device, seed):
        self.policy, self.num_timesteps, self._env = self, 0, env
        self.paid = np.zeros(2)

    def get_env(self):
        return self._env

    def set_env(self, env, force_reset=False):
        self._env = env

    def set_random_seed(self, seed):
        self._env.reset(seed=seed)

    def learn(self, total_timesteps, reset_num_timesteps):
        self.paid[:] = 0.0  # others have moved on
        for t in range(total_timesteps):
            self._env.reset()
            self.paid[t % 2] += self._env.step(t % 2)[1]
        self.num_timesteps += total_timesteps

    def predict(self, observations, deterministic=True):
        return np.full(len(observations), self.paid.argmax()), None


def test_they_take_turns_and_each_meets_what_the_others_have_learned(monkeypatch):
    """Against even play follower 1 does best by its first action, and against what follower 0 learns by its second."""
    monkeypatch.setitem(sys.modules, "stable_baselines3", types.ModuleType("stable_baselines3"))
    game = matching()
    for turns in (1, 3):
        config = InteractingSb3Config(algorithm=f"{__name__}:Tries", steps=30, turns=turns)
        follower = InteractingSb3(config, np.random.default_rng(0)).show(game)
        assert follower.learn(game.under([0.0])) == 2 * 30
        assert follower.policy[:, 0].tolist() == [[0.0, 1.0], [0.0, 1.0]]
        assert follower.learn(game.under([0.5])) == 2 * 30
    record = agents.run(
        game,
        leader="random_search",
        follower="sb3",
        follower_options={"algorithm": f"{__name__}:Tries", "steps": 30, "turns": 2},
        updates=2,
        steps_per_update=5,
    )
    assert record.follower_steps == 2 * 2 * 30
    # At this temperature the equilibrium is all but pure.
    assert 0.0 <= record.response_gap < 0.02


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    with pytest.raises(MissingExtraError, match=r"`pip install 'stackelberg-envs\[sb3\]'`"):
        agents.run(weakly_interacting_game(), leader="random_search", follower="sb3", updates=1)


def test_learners_that_would_lose_the_entropy_of_others_are_refused():
    reward = np.random.default_rng(0).uniform(size=(3, 4))
    game = weakly_interacting_game(follower_rewards=[reward, -reward], zero_sum=True)
    with pytest.raises(ArgumentError, match=r"sb3: .* lose the entropy of the other besides \(zero_sum\)"):
        agents.run(game, leader="random_search", follower="sb3", updates=1)


@pytest.mark.deep
@pytest.mark.filterwarnings("ignore")
def test_each_learns_to_answer_what_the_others_have_learned():
    pytest.importorskip("stable_baselines3")
    quick = {"learning_starts": 20, "learning_rate": 0.01, "exploration_fraction": 0.5, "gamma": 0.0}
    config = InteractingSb3Config(algorithm="DQN", steps=1_500, turns=3, observe_commitment="none", model_options=quick)
    game = matching()
    follower = InteractingSb3(config, np.random.default_rng(0)).show(game)
    assert follower.learn(game.under([0.0])) == 2 * 1_500
    np.testing.assert_array_equal(follower.policy[:, 0], [[0.0, 1.0], [0.0, 1.0]])
    np.testing.assert_allclose(follower.policy, se.solve(game, [0.0]).policy, atol=1e-3)


@pytest.mark.deep
@pytest.mark.filterwarnings("ignore")
def test_a_run_that_was_stopped_goes_on_with_the_same_bits(tmp_path):
    pytest.importorskip("stable_baselines3")
    game = weakly_interacting_game()
    options = {"algorithm": "PPO", "steps": 64, "turns": 2, "model_options": {"n_steps": 32, "batch_size": 32}}
    given = {"leader": "random_search", "follower": "sb3", "follower_options": options}
    given |= {"updates": 4, "steps_per_update": 20, "seed": 1}
    whole = agents.run(game, **given)

    def stop(progress):
        if progress.update == 2:
            raise KeyboardInterrupt

    agents.run(game, output=tmp_path, checkpoint_every=1, progress=stop, **given)
    again = agents.run(game, resume=tmp_path, trust=True)
    np.testing.assert_array_equal(whole.curve["leader_value"], again.curve["leader_value"])
    assert whole.follower_steps == 4 * 2 * 64
