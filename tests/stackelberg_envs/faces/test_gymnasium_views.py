"""The Gymnasium views: follower, leader and the native vector environment."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ActionError, ArgumentError, CommitmentError, PhaseError

FOUR_ROOMS, TOY = "stackelberg/FourRooms-v0", "stackelberg/DiscreteToy-v0"
#: Deterministic play: the leader's policy is pure, so the dynamics leave nothing to chance.
PURE = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])


def test_the_commitment_comes_by_argument_or_with_a_reset():
    env = se.follower_env(FOUR_ROOMS, commitment=np.full(104, -0.1))
    part = env.observation_layout["commitment"]
    assert env.reset(seed=0)[0][part].tolist() == pytest.approx([-0.1] * 104)
    assert not env.reset(options={"commitment": np.zeros(104)})[0][part].any()
    assert env.reset()[0][part].tolist() == pytest.approx([-0.1] * 104)
    env.commitment = np.full(104, -0.2)
    assert env.reset()[0][part].tolist() == pytest.approx([-0.2] * 104)
    with pytest.raises(CommitmentError, match="index"):
        env.reset(options={"commitment": np.ones(104)})


def test_stepping_outside_an_episode_is_refused():
    env = se.follower_env(TOY, horizon=1)
    with pytest.raises(PhaseError, match="reset"):
        env.step(0)
    env.reset(seed=0)
    env.step(0)
    with pytest.raises(PhaseError, match="over"):
        env.step(0)
    leader = se.leader_env(TOY, horizon=3)
    with pytest.raises(PhaseError, match="reset"):
        leader.step(PURE)


def test_the_follower_view_of_many_followers_is_one_of_them():
    env = se.follower_env(TOY, game=se.make_game(TOY).replace(num_followers=3))
    env.reset(seed=0)
    assert isinstance(env.step(1)[1], float)
    assert env.session.num_followers == 1


def test_the_leader_is_paid_what_its_response_earns_it():
    always_a = np.zeros((3, 2, 3))
    always_a[:, :, 1] = 1.0
    env = se.leader_env(TOY, response=lambda game, x: always_a, discounted=False, horizon=9)
    env.reset(seed=0)
    observation, reward, terminated, truncated, info = env.step(PURE)
    # S -> A pays 1; A with the leader's 1 goes back to S: every other step.
    assert reward == 5.0
    assert (terminated, truncated) == (True, False)
    assert info["leader_return"] == 5.0
    assert info["discounted_leader_return"] == pytest.approx(sum(0.99**t for t in range(0, 9, 2)))
    assert info["steps"] == 9
    assert env.observation_space.contains(observation)
    with pytest.raises(PhaseError, match="one step"):
        env.step(PURE)


def test_the_response_is_the_one_to_the_context():
    game = se.random_tabular(K=3, A=1, B=3, horizon=4)
    by_context = np.zeros(game.array_shape)
    for k in range(3):
        by_context[k, ..., k] = 1.0
    env = se.leader_env("stackelberg/RandomTabular-v0", game=game, response=lambda game, x: by_context)
    seen = set()
    for seed in range(12):
        env.reset(seed=seed)
        context = env.step(np.zeros(4))[-1]["context"]
        assert env.session.records[0]["follower_action"] == context
        seen.add(context)
    assert seen == {0, 1, 2}


def test_a_response_that_is_no_policy_is_refused():
    for wrong in (np.ones((3, 2, 3)), np.ones((2, 3))):
        env = se.leader_env(TOY, response=lambda game, x, wrong=wrong: wrong)
        env.reset(seed=0)
        with pytest.raises(ArgumentError, match="response"):
            env.step(PURE)


MODERATE = np.array([[0.5, 0.5], [0.85, 0.15], [0.5, 0.5]])
GENTLE = np.linspace(-0.002, 0.0, 104)


# False-alarm rate of each: P(|z| > 4.5) = 7e-6. The seeds are fixed, so a passing test goes on passing.
@pytest.mark.parametrize(
    ("spec_id", "arguments", "x"),
    [
        (TOY, {"horizon": 300, "leader_discount": 0.95, "temperature": 0.2}, MODERATE),
        pytest.param(
            FOUR_ROOMS,
            {"temperature": 0.05, "horizon": 1400, "goals": ((1, 9), (11, 11))},
            GENTLE,
            marks=pytest.mark.deep,
        ),
        ("stackelberg/RandomTabular-v0", {"horizon": 400, "terminal": 2, "K": 2}, np.full(4, 0.7)),
    ],
)
def test_the_mean_return_under_the_soft_best_response_is_the_exact_value(spec_id, arguments, x):
    game = se.make_game(spec_id, **arguments)
    env = se.leader_env(spec_id, game=game)
    env.reset(seed=8)
    returns = []
    for _ in range(300):
        env.reset()
        returns.append(env.step(x)[1])
    exact = se.solve(game, x).leader_value
    standard_error = np.std(returns, ddof=1) / np.sqrt(len(returns))
    # What the horizon cuts off must not matter beside the standard error.
    assert game.leader_discount**game.horizon < 1e-6
    assert 0 < standard_error < 0.2 * np.std(returns)
    assert abs(np.mean(returns) - exact) < 4.5 * standard_error


# ------------------------------------------------------------------------------------------------ vector


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
