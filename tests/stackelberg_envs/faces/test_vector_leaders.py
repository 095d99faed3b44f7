"""Many copies of the leader's problem: the same seeds play the same episodes as single ones, bit for bit."""

import pickle

import gymnasium
import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError, CommitmentError, PhaseError
from tests.games import weakly_interacting_game
from tests.stackelberg_envs.faces.same import assert_same

TOY = se.make_game("stackelberg/DiscreteToy-v1", horizon=20)
ROOMS = se.make_game("stackelberg/FourRooms-v0", goals=((1, 9), (11, 11)), horizon=300)
FORMS = {"normalize": True, "scale_rewards": True, "scale_observations": True}


@pytest.mark.skipif(not hasattr(gymnasium.vector, "AutoresetMode"), reason="needs Gymnasium 1.1 for its own modes")
@pytest.mark.parametrize("mode", ["next_step", "same_step"])
@pytest.mark.parametrize("game", [TOY, TOY.replace(num_followers=3), ROOMS, ROOMS.replace(num_followers=2)])
@pytest.mark.parametrize("options", [{}, {"discounted": False, **FORMS}, {"observe_commitment": "local"}, FORMS])
def test_copies_play_the_episodes_of_single_environments(game, mode, options):
    native = se.leader_vector_env(game=game, num_envs=3, autoreset=mode, **options)
    modes = {"autoreset_mode": native.metadata["autoreset_mode"]}
    single = gymnasium.vector.SyncVectorEnv([lambda: se.leader_env(game=game, **options)] * 3, **modes)
    assert native.single_action_space == single.single_action_space
    assert native.single_observation_space == single.single_observation_space
    assert native.reward_units == single.envs[0].reward_units
    assert_same(native.reset(seed=7), single.reset(seed=7), "reset")
    native.action_space.seed(0)
    for t in range(5):
        actions = native.action_space.sample()
        if t == 2:
            actions[1] = actions[0]  # one response for two copies
        assert_same(native.step(actions), single.step(actions), f"step {t}")
    assert_same(native.reset(), single.reset(), "reset again")


@pytest.mark.skipif(not hasattr(gymnasium.vector, "AutoresetMode"), reason="needs Gymnasium 1.1 for its own modes")
@pytest.mark.parametrize("mode", ["next_step", "same_step"])
def test_copies_of_interacting_followers_are_single_environments(mode):
    game = weakly_interacting_game(horizon=5)
    many = se.leader_vector_env(game=game, num_envs=2, autoreset=mode, scale_rewards=True)
    singles = [se.leader_env(game=game, scale_rewards=True) for _ in range(2)]
    assert_same(many.reset(seed=7)[0], np.stack([env.reset(seed=7 + i)[0] for i, env in enumerate(singles)]))
    many.action_space.seed(0)
    for t in range(6):
        actions = many.action_space.sample()
        made = many.step(actions)
        if mode == "next_step" and t % 2:
            assert not (made[1].any() or made[2].any())
        else:
            steps = [env.step(x) for env, x in zip(singles, actions, strict=True)]
            np.testing.assert_array_equal(made[1], [each[1] for each in steps])
            assert made[2].all()
            shown = np.stack([each[0] for each in steps])
            assert_same(made[0] if mode == "next_step" else np.stack(list(made[4]["final_obs"])), shown)
            for env in singles:
                env.reset()
    with pytest.raises(ArgumentError, match="response: expected a function"):
        se.leader_vector_env(game=game, response=3)


def test_one_follower_of_several_plays_the_episodes_of_a_single_environment():
    game = weakly_interacting_game(horizon=5)
    many, single = se.vector_env(game=game, num_envs=2, commitment=[0.4]), se.follower_env(game=game, commitment=[0.4])
    np.testing.assert_array_equal(many.reset(seed=3)[0][1], single.reset(seed=4)[0])
    for t in range(5):
        made, alone = many.step(np.array([0, t % 2])), single.step(t % 2)
        np.testing.assert_array_equal(made[0][1], alone[0])
        assert (made[1][1], made[2][1], made[3][1]) == alone[1:4]


def test_a_response_of_ones_own_is_asked_once_for_each_commitment():
    asked = []

    def uniform(game, x):
        asked.append(x)
        return np.full(game.array_shape, 1 / game.shape[2])

    envs = se.leader_vector_env(game=TOY, num_envs=4, response=uniform)
    envs.reset(seed=0)
    x = np.full((4, 6), 0.5)
    x[3, 0] = 0.25
    envs.step(x)
    assert len(asked) == 2


def test_what_is_no_commitment_is_refused_before_anything_changes():
    envs = se.leader_vector_env(game=TOY, num_envs=2)
    with pytest.raises(PhaseError, match=r"expected reset\(\) first"):
        envs.step(np.zeros((2, 6)))
    envs.reset(seed=0)
    for bad in (np.zeros(6), np.zeros((3, 6)), np.full((2, 6), np.nan), "ab", None):
        with pytest.raises(CommitmentError, match="commitment"):
            envs.step(bad)
    assert envs.step(np.zeros((2, 6)))[4]["steps"].tolist() == [20, 20]
    with pytest.raises(ArgumentError, match="response: expected a function"):
        se.leader_vector_env(game=TOY, response=3)
    with pytest.raises(ArgumentError, match="reset: expected no options"):
        envs.reset(options={"commitment": np.zeros(6)})


def test_games_of_vectors_refuse_it_too_before_anything_changes():
    envs, same = (se.leader_vector_env("stackelberg/BilevelLqr-v1", num_envs=2, horizon=5) for _ in range(2))
    x = envs.action_space.sample()
    with pytest.raises(PhaseError, match=r"expected reset\(\) first"):
        envs.step(x)
    for bad in ([1, 2, 3], -1, "a"):
        with pytest.raises(ArgumentError, match="seed"):
            envs.reset(seed=bad)
    envs.reset(seed=np.int64(0))
    same.reset(seed=0)
    half = x.copy()
    half[1] = np.nan
    for bad in (x[:1], x[0], np.concatenate([x, x]), half, "ab", None):
        with pytest.raises(CommitmentError, match="commitment"):
            envs.step(bad)
    assert_same(envs.step(x), same.step(x), "nothing has moved")
    assert_same(envs.step(None), same.step(x), "whose actions are ignored")


def test_games_of_vectors_have_one_environment_after_the_other():
    for forms in ({}, FORMS):
        envs = se.leader_vector_env("stackelberg/BilevelLqr-v1", num_envs=2, horizon=5, **forms)
        one = se.leader_env("stackelberg/BilevelLqr-v1", horizon=5, **forms)
        envs.reset(seed=3)
        one.reset(seed=4)
        x = np.stack([envs.single_action_space.sample()] * 2)
        assert envs.single_action_space == one.action_space
        assert envs.step(x)[1][1] == one.step(x[1])[1]
    assert isinstance(
        gymnasium.make_vec("stackelberg/DiscreteToyLeader-v1", num_envs=2), type(se.leader_vector_env(game=TOY))
    )


@pytest.mark.parametrize("made", [{"game": TOY}, {"id": "stackelberg/BilevelLqr-v1", "horizon": 5}])
def test_copies_can_be_pickled_and_go_on_as_they_are(made):
    envs = se.leader_vector_env(num_envs=2, **made)
    envs.reset(seed=1)
    again = pickle.loads(pickle.dumps(envs))  # noqa: S301 - our own bytes
    x = envs.action_space.sample()
    assert_same(envs.step(x), again.step(x))
