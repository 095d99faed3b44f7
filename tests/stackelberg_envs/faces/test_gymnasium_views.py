"""The Gymnasium views: follower, leader and the native vector environment."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import CommitmentError, PhaseError

FOUR_ROOMS, TOY = "stackelberg/FourRooms-v0", "stackelberg/DiscreteToy-v1"


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
        ("stackelberg/RandomTabular-v1", {"horizon": 400, "terminal": 2, "K": 2}, np.full(4, 0.7)),
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
