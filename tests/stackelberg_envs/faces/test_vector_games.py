"""Many copies of a game of vectors as one Gymnasium vector environment."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ActionError, PhaseError
from stackelberg_envs.faces.vector import FollowerVectorEnv, follower_vector_env
from tests.stackelberg_envs.faces.ladder import BATCHED, CARTPOLE, PENDULUM, ladder


@pytest.mark.parametrize("spec_id", BATCHED)
def test_vector_spaces_and_layout_are_those_of_the_single_view(spec_id):
    vector, single = se.vector_env(spec_id, num_envs=5), se.follower_env(spec_id)
    assert isinstance(vector, FollowerVectorEnv)
    assert vector.single_observation_space == single.observation_space
    assert vector.single_action_space == single.action_space
    assert vector.observation_layout == single.observation_layout
    observations, infos = vector.reset(seed=1)
    assert vector.observation_space.contains(observations)
    _, info = single.reset(seed=1)
    vector.action_space.seed(1)
    for _ in range(30):
        assert {key for key in infos if key[0] != "_"} == set(info)
        for key, value in info.items():
            assert infos[key].shape == (5, *np.shape(value)), key
            assert infos[f"_{key}"].all()
        observations, rewards, _, _, infos = vector.step(vector.action_space.sample())
        assert vector.observation_space.contains(observations)
        assert rewards.dtype == np.float64
        assert np.isfinite(rewards).all()
        seen = observations[:, vector.observation_layout["state"]]
        np.testing.assert_array_equal(seen, infos["next_state"].astype(np.float32))


@pytest.mark.parametrize("spec_id", [CARTPOLE, PENDULUM])
def test_vector_steps_are_the_games(spec_id):
    game = se.make_game(spec_id)
    x = np.linspace(-1, 1, game.commitment.low.size)
    vector = se.vector_env(spec_id, num_envs=6, commitment=x)
    observations, infos = vector.reset(seed=2)
    vector.action_space.seed(2)
    layout = vector.observation_layout
    np.testing.assert_array_equal(observations[0, layout["commitment"]], x.astype(np.float32))
    for _ in range(80):
        before, actions = infos["next_state"], vector.action_space.sample()
        shown = observations[:, layout["leader_action"]]
        observations, rewards, terminated, _, infos = vector.step(actions)
        played = infos["played"].astype(bool)
        np.testing.assert_array_equal(infos["state"][played], before[played])
        np.testing.assert_array_equal(infos["leader_action"][played].astype(np.float32), shown[played])
        made = game.step(None, x, before, infos["context"], infos["leader_action"], actions.astype(np.float64))
        np.testing.assert_allclose(infos["next_state"][played], made.next_state[played])
        np.testing.assert_allclose(rewards[played], made.follower_reward[played])
        np.testing.assert_allclose(infos["leader_reward"][played], made.leader_reward[played])
        np.testing.assert_array_equal(terminated[played], made.terminated[played])


def test_vector_begins_the_next_episode_in_the_step_after_an_end():
    vector = se.vector_env(CARTPOLE, num_envs=8)
    vector.reset(seed=0)
    vector.action_space.seed(0)
    over, ends, begun = np.zeros(8, bool), 0, 0
    for _ in range(120):
        observations, rewards, terminated, truncated, infos = vector.step(vector.action_space.sample())
        np.testing.assert_array_equal(infos["played"] == 0, over)
        assert not rewards[over].any()
        assert not (terminated | truncated)[over].any()
        assert (np.abs(infos["next_state"][over]) <= 0.05).all()
        assert not infos["state"][over].any()
        assert not infos["follower_action"][over].any()
        assert not infos["step"][over].any()
        assert not observations[over][:, vector.observation_layout["time"]].any()
        assert not observations[terminated][:, vector.observation_layout["leader_action"]].any()
        begun += over.sum()
        over = terminated | truncated
        ends += over.sum()
    assert ends > 20
    assert begun > 20


def test_vector_truncates_at_the_horizon():
    vector = se.vector_env(PENDULUM, num_envs=2, horizon=3)
    vector.reset(seed=0)
    flags = [vector.step(np.zeros((2, 1), np.float32))[2:4] for _ in range(8)]
    assert [bool(truncated.all()) for _, truncated in flags] == [False, False, True, False, False, False, True, False]
    assert not any(terminated.any() for terminated, _ in flags)


def test_vector_contexts_are_drawn_per_copy_and_shown():
    vector = follower_vector_env(ladder(), 400)
    observations, infos = vector.reset(seed=0)
    part = vector.observation_layout["context"]
    for _ in range(4):
        np.testing.assert_array_equal(observations[:, part].argmax(axis=1), infos["context"])
        np.testing.assert_array_equal(observations[:, part].sum(axis=1), 1.0)
        assert set(infos["context"]) == {0, 1}
        observations, *_, infos = vector.step(np.ones(400, int))
    assert infos["follower_action"].shape == (400,)
    assert infos["leader_action"].shape == (400, 0)
    with pytest.raises(ActionError, match=r"actions: expected a value in \[0, 2\], got 3 at index \(1, 0\)"):
        vector.step([0, 3, *[0] * 398])


def test_vector_seeds_repeat_and_results_are_new_arrays():
    stories = []
    for seed in (5, 5, 6):
        vector = se.vector_env(CARTPOLE, num_envs=3)
        first, infos = vector.reset(seed=seed)
        kept, state = first.copy(), infos["next_state"].copy()
        rows = [vector.step(np.full((3, 1), 0.1, np.float32))[0] for _ in range(40)]
        np.testing.assert_array_equal(first, kept)
        np.testing.assert_array_equal(infos["next_state"], state)
        stories.append(np.array(rows))
    np.testing.assert_array_equal(stories[0], stories[1])
    assert (stories[0] != stories[2]).any()
    reused = se.vector_env(CARTPOLE, num_envs=3, copy=False)
    assert reused.reset(seed=0)[0] is reused.step(np.zeros((3, 1), np.float32))[0]


@pytest.mark.parametrize("bad", [[[0.0]], [[0.0], [np.nan]], [[0.0], [1.5]], "ab", [[0.0, 0.0]] * 2])
def test_vector_refuses_illegal_actions(bad):
    vector = se.vector_env(CARTPOLE, num_envs=2)
    with pytest.raises(PhaseError, match="reset"):
        vector.step(bad)
    vector.reset(seed=0)
    with pytest.raises(ActionError, match="actions: expected"):
        vector.step(bad)


def test_single_and_vector_views_follow_one_distribution():
    # 3,000 first steps each; means of four numbers, 5 standard errors of the difference: false-alarm rate 2.4e-6.
    vector = se.vector_env(CARTPOLE, num_envs=3000)
    vector.reset(seed=0)
    many = vector.step(np.zeros((3000, 1), np.float32))[4]["next_state"]
    single, one_by_one = se.follower_env(CARTPOLE), []
    single.reset(seed=1)
    for _ in range(3000):
        single.reset()
        one_by_one.append(single.step(np.zeros(1, np.float32))[4]["next_state"])
    gap = np.abs(many.mean(axis=0) - np.mean(one_by_one, axis=0))
    assert (gap < 5 * np.sqrt(2 / 3000) * many.std(axis=0)).all()
    np.testing.assert_allclose(many.std(axis=0), np.std(one_by_one, axis=0), rtol=0.1)
