"""A model of stable-baselines3 for each of several followers. What needs the package is `deep`."""

import sys

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
