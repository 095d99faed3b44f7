"""The leader's one-step environment over an environment that nobody looks into."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import VectorEnv

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError, CommitmentError, PhaseError
from stackelberg_envs.play.environments import play_environment
from tests.environments import Always, Ladder, Pair
from tests.stackelberg_envs.faces.same import assert_same

BONUS = se.StateIncentive(0.0, 2.0, np.ones(3))


def paid_by_rung(step):
    return float(step.observation) - float(step.commitment[0])


LADDER = se.wrap_commitment(
    Ladder, None, BONUS, leader_reward=paid_by_rung, leader_discount=0.5, horizon=20, evaluation_episodes=2
)


def climbing(game, x):
    return Always(1)


def waiting(game, x):
    """Stays where it is where x pays for it, else climbs."""
    return Always(table=np.stack([x > 1.0, x <= 1.0], axis=-1)[:, None].astype(float))


def test_an_episode_pays_what_play_under_the_commitment_pays():
    for discounted, earned in ((True, 0.0 * 1 + 0.5 * 1 + 0.25 * 2 - 1.75), (False, 3.0 - 3.0)):
        env = se.leader_env(game=LADDER, response=climbing, discounted=discounted)
        assert env.reset(seed=0)[1]["context"] == -1
        observation, reward, terminated, truncated, info = env.step([1.0, 0.0, 0.0])
        assert (reward, terminated, truncated) == (earned, True, False)
        assert info == {
            "leader_return": 0.0,
            "discounted_leader_return": -0.75,
            "steps": 3,
            "context": 0,
            "terminated": 1,
        }
        np.testing.assert_allclose(observation, [1, 0, 0, 0, 1, 3 / 20])
    seen = play_environment(LADDER.under([1.0, 0.0, 0.0]), Always(1), np.random.default_rng(0), episodes=1)
    assert seen.returns(0.5).mean() == -0.75


def test_the_response_is_asked_once_for_each_commitment_and_acts_under_it():
    asked = []

    def response(game, x):
        asked.append(x)
        return waiting(game, x)

    env = se.leader_env(game=LADDER, response=response)
    for x, steps in (([2.0, 0.0, 0.0], 20), ([2.0, 0.0, 0.0], 20), ([0.0, 0.0, 0.0], 3)):
        env.reset()
        assert env.step(x)[4]["steps"] == steps
    assert len(asked) == 2


def test_of_several_followers_the_leader_is_paid_the_mean():
    game = se.wrap_commitment(Pair, None, se.Incentive(-1.0, 1.0, (1, 1, 2)))
    env = se.leader_env(game=game, response=lambda game, x: Always(0), discounted=False)
    env.reset(seed=0)
    _, reward, *_, info = env.step(np.zeros(2))
    # One plays two rounds for nothing, the other four for 10 each.
    assert (reward, info["steps"]) == (20.0, 4)


def test_equal_seeds_play_equal_episodes_and_copies_those_of_single_environments():
    game = se.wrap_commitment(lambda: Ladder(slip=0.5), None, BONUS)
    envs = se.leader_vector_env(game=game, num_envs=3, response=climbing)
    one = se.leader_env(game=game, response=climbing)
    assert isinstance(envs, VectorEnv)
    envs.reset(seed=5)
    one.reset(seed=6)
    x = np.ones((3, 3))
    made, alone = envs.step(x), one.step(x[1])
    assert made[1][1] == alone[1] and made[4]["steps"][1] == alone[4]["steps"]
    one.reset(seed=6)
    assert_same(one.step(x[1]), alone)


@pytest.mark.filterwarnings("ignore:.*symmetric and normalized")
def test_gymnasium_and_the_package_accept_it():
    for options in ({}, {"normalize": True, "observe_commitment": "none"}, {"menu": 3}):
        env = se.leader_env(game=LADDER, response=climbing, **options)
        check_env(env, skip_render_check=True)
        se.check_env(env)
    assert env.action_space.n == 3
    scaled = se.leader_env(game=LADDER, response=climbing, normalize=True)
    scaled.reset(seed=0)
    np.testing.assert_allclose(scaled.step([0.0, -1.0, 1.0])[0][:3], [1.0, 0.0, 2.0])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, r"response: expected a function \(game, x\) -> what has act\(observation, rng\), .* no response in"),
        ({"response": 3}, "response: expected a function .* got int"),
        ({"response": climbing, "scale_rewards": True}, "scale_rewards: expected none for 'Ladder'"),
        ({"response": climbing, "scale_observations": True}, "scale_observations: expected none"),
        ({"response": climbing, "render_mode": "ansi"}, "render_mode: expected none for 'Ladder'"),
        ({"response": climbing, "observe_commitment": 3}, "observe_commitment: expected 'all', 'local' or 'none'"),
        ({"response": climbing, "normalize": "yes"}, "normalize: expected True or False"),
        ({"response": climbing, "menu": 0}, "menu: expected an integer of at least 1"),
    ],
)
def test_what_it_does_not_take_is_refused(options, words):
    for face in (se.leader_env, se.leader_vector_env):
        if face is se.leader_env or not {"menu", "render_mode"} & options.keys():
            with pytest.raises(ArgumentError, match=words):
                face(game=LADDER, **options)


def test_steps_out_of_turn_and_odd_actions_are_refused():
    env = se.leader_env(game=LADDER, response=climbing)
    with pytest.raises(PhaseError, match=r"call reset\(\) first"):
        env.step(np.zeros(3))
    env.reset(seed=0)
    for bad in (np.zeros(2), [np.nan, 0, 0], "ab", None):
        with pytest.raises(CommitmentError, match="commitment"):
            env.step(bad)
    env.step(np.zeros(3))
    with pytest.raises(PhaseError, match="which has one step"):
        env.step(np.zeros(3))
    with pytest.raises(ArgumentError, match="here a commitment is the action"):
        env.reset(options={"commitment": np.zeros(3)})
    idle = se.leader_env(game=LADDER, response=lambda game, x: object())
    idle.reset(seed=0)
    with pytest.raises(ArgumentError, match=r"response: expected an object with act\(observation, rng\), got object"):
        idle.step(np.zeros(3))
