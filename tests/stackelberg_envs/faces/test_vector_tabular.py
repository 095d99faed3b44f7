"""Many copies of a tabular game as one Gymnasium vector environment."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ActionError

FOUR_ROOMS, TOY = "stackelberg/FourRooms-v0", "stackelberg/DiscreteToy-v1"


#: Deterministic play: the leader's policy is pure, so the dynamics leave nothing to chance.
PURE = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])


def test_vector_copies_agree_with_the_single_view_where_nothing_is_random():
    actions = np.random.default_rng(0).integers(3, size=(40, 2))
    vector = se.vector_env(TOY, num_envs=2, commitment=PURE, horizon=100)
    stacked, _ = vector.reset(seed=0)
    singles = [se.follower_env(TOY, commitment=PURE, horizon=100) for _ in range(2)]
    for i, single in enumerate(singles):
        np.testing.assert_array_equal(stacked[i], single.reset(seed=0)[0])
    for row in actions:
        stacked, rewards, _, _, infos = vector.step(row)
        for i, single in enumerate(singles):
            observation, reward, _, _, info = single.step(int(row[i]))
            np.testing.assert_array_equal(stacked[i], observation)
            assert rewards[i] == reward
            assert {key: infos[key][i] for key in info} == info


@pytest.mark.parametrize("observe", ["all", "local", "none"])
def test_vector_observations_lie_in_their_space_and_match_the_single_layout(observe):
    arguments = {"goals": ((1, 9), (11, 11)), "observe_commitment": observe}
    x = np.linspace(-0.2, 0.0, 104)
    vector = se.vector_env(FOUR_ROOMS, num_envs=6, commitment=x, **arguments)
    single = se.follower_env(FOUR_ROOMS, commitment=x, **arguments)
    assert vector.single_observation_space == single.observation_space
    assert vector.observation_layout == single.observation_layout
    vector.reset(seed=1)
    vector.action_space.seed(1)
    for _ in range(300):
        observations, _, _, _, infos = vector.step(vector.action_space.sample())
        assert vector.observation_space.contains(observations)
        states = observations[:, vector.observation_layout["state"]].argmax(axis=1)
        np.testing.assert_array_equal(states, infos["next_state"])
        assert (observations[:, vector.observation_layout["state"]].sum(axis=1) == 1).all()
        contexts = observations[:, vector.observation_layout["context"]].argmax(axis=1)
        np.testing.assert_array_equal(contexts, infos["context"])
        if observe == "local":
            shown = observations[:, vector.observation_layout["commitment"]][:, 0]
            np.testing.assert_array_equal(shown, x.astype(np.float32)[states])


def test_vector_resets_in_the_step_after_an_end():
    vector = se.vector_env(FOUR_ROOMS, num_envs=2, goals=((4, 1),))
    vector.reset(seed=0)
    _, rewards, terminated, _, infos = vector.step([0, 0])
    assert terminated.all()
    assert rewards.tolist() == [1.0, 1.0]
    _, rewards, terminated, _, infos = vector.step([0, 0])
    assert not terminated.any()
    assert not rewards.any()
    assert infos["played"].tolist() == [0, 0]
    assert infos["step"].tolist() == [0, 0]


def test_vector_and_single_steps_follow_one_distribution():
    # Successors of one state and action, 6,000 draws each; a chi-square test at a false-alarm rate of 1e-5.
    game = se.make_game(FOUR_ROOMS, horizon=1)
    counts = np.zeros((2, 104))
    vector = se.vector_env(FOUR_ROOMS, game=game, num_envs=6000)
    vector.reset(seed=2)
    np.add.at(counts[0], vector.step(np.ones(6000, int))[4]["next_state"], 1)
    single = se.follower_env(FOUR_ROOMS, game=game)
    single.reset(seed=2)
    for _ in range(6000):
        single.reset()
        counts[1, single.step(1)[4]["next_state"]] += 1
    from scipy.stats import chi2_contingency

    assert chi2_contingency(counts[:, counts.any(axis=0)]).pvalue > 1e-5


@pytest.mark.parametrize("bad", [[0], [0, 3], [0, -1], [0.0, 1.0], "ab"])
def test_vector_refuses_illegal_actions(bad):
    vector = se.vector_env(TOY, num_envs=2)
    vector.reset(seed=0)
    with pytest.raises(ActionError, match="expected"):
        vector.step(bad)


def test_vector_results_are_new_arrays_unless_asked_otherwise():
    vector = se.vector_env(TOY, num_envs=2)
    first, _ = vector.reset(seed=0)
    kept = first.copy()
    vector.step([1, 1])
    np.testing.assert_array_equal(first, kept)
    shared = se.vector_env(TOY, num_envs=2, copy=False)
    assert shared.reset(seed=0)[0] is shared.step([1, 1])[0]
