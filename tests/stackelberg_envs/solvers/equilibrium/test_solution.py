from dataclasses import replace

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError, GameError
from stackelberg_envs.solvers.equilibrium.linearisation import Linearisation
from stackelberg_envs.solvers.equilibrium.sensitivity import evaluate_joint
from tests.games import interacting_game

X = np.array([0.3, 0.6])


def test_the_gradient_is_that_of_finite_differences():
    game = interacting_game()
    solved = se.solve(game, X)
    near = solved.equilibrium.q
    for d, entry in enumerate(solved.gradient):
        ends = [se.solve(game, X + sign * 1e-5 * np.eye(2)[d], start=near).leader_value for sign in (1, -1)]
        assert entry == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6)
    np.testing.assert_allclose(solved.gradient, solved.direct_gradient + solved.response_gradient)


def test_what_a_commitment_does_to_moves_counts_too():
    game = interacting_game()
    other = np.roll(game.transition.to_dense(), 1, axis=0)
    moved = interacting_game(commitment=se.TransitionMixture([game.transition.to_dense(), other]))
    x = moved.commitment.project(np.array([0.4, 0.6]).reshape(moved.commitment.shape))
    solved = se.solve(moved, x)
    step = 1e-5 * np.array([1.0, -1.0]).reshape(x.shape)
    ends = [se.solve(moved, x + sign * step, start=solved.equilibrium.q).leader_value for sign in (1, -1)]
    assert (solved.gradient * step).sum() == pytest.approx((ends[0] - ends[1]) / 2.0, rel=1e-6)


def test_followers_who_never_meet_leave_nothing_out():
    """Where nobody's action matters to others, own answers are all there is."""
    rng = np.random.default_rng(1)
    own = rng.uniform(size=(3, 4, 2))
    joint = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij")).reshape(3, 8)
    rewards = np.stack([own[i][:, joint[i]] for i in range(3)])
    features = np.stack([joint[i] * np.ones((4, 1, 1)) for i in range(3)])[..., None] * np.ones(2)
    apart = interacting_game(
        follower_rewards=rewards, transition=np.full((4, 8, 4), 0.25), commitment=se.Transfer(features, 0.0, 1.0)
    )
    solved = se.solve(apart, X)
    np.testing.assert_allclose(solved.own_gradient, solved.gradient, rtol=1e-9)
    meeting = se.solve(interacting_game(), X)
    assert np.abs(meeting.own_gradient - meeting.gradient).max() > 0.05


def test_own_gradients_are_sums_of_single_soft_best_responses():
    """By a second method: of each follower alone against the others' equilibrium policies, held fixed."""
    game = interacting_game()
    solved = se.solve(game, X)
    total = solved.direct_gradient.copy()
    for i in range(3):
        beside = [solved.policy[j] for j in range(3)]
        alone = alone_against(game, i, beside)
        found = se.solve(alone, X)
        total += found.response_gradient
    np.testing.assert_allclose(total, solved.own_gradient, rtol=1e-7)


def alone_against(game, i, policies):
    """Follower i among others whose policies are fixed, as a game of tables that pays i's prices only."""
    spell = "abc"
    beside = [spell[j] for j in range(3) if j != i]
    weights = ",".join(f"s{letter}" for letter in beside)
    fixed = [policies[j] for j in range(3) if j != i]
    dense = game.transition.to_dense()[:, 0].reshape(4, 2, 2, 2, 4)

    def averaged(array, tail=""):
        return np.einsum(f"sabc{tail},{weights}->s{spell[i]}{tail}", array, *fixed)

    features = game.commitment.parts[0].features[i, :, 0].reshape(4, 2, 2, 2, 2)
    x_part = game.under(X).arrays.leader_reward.reshape(4, 2, 2, 2)
    return se.TabularGame(
        follower_reward=averaged(game.follower_rewards[i].reshape(4, 2, 2, 2))[:, None],
        leader_reward=averaged(x_part)[:, None],
        transition=averaged(dense, "t")[:, None],
        initial=game.initial,
        terminal=game.terminal,
        leader_discount=0.9,
        follower_discount=0.8,
        temperature=0.3,
        commitment=se.Transfer(averaged(features, "t")[:, None], 0.0, 1.0, share=0.0),
    )


def test_errors_bound_what_a_looser_tolerance_loses():
    game = interacting_game()
    exact = se.solve(game, X)
    assert exact.policy_error < 1e-12 and exact.leader_value_error < 1e-10
    assert exact.gradient_error < 1e-9
    assert exact.residual < 1e-12
    np.testing.assert_allclose(exact.follower_value, exact.follower_values.mean())
    endless = se.solve(game.replace(horizon=2000), X)
    assert endless.episode.leader_value == pytest.approx(exact.leader_value, abs=1e-9)
    assert endless.episode.follower_value == pytest.approx(exact.follower_value, abs=1e-9)


def test_zero_sum_games_have_a_solver_of_their_own():
    rng = np.random.default_rng(0)
    reward = rng.uniform(-1.0, 1.0, size=(4, 9))
    given = {
        "follower_rewards": np.stack([reward, -reward]),
        "leader_reward": rng.uniform(size=(4, 9)),
        "transition": rng.dirichlet(np.ones(4), size=(4, 9)),
        "zero_sum": True,
    }
    features = np.zeros((2, 4, 1, 9, 1))
    features[0] = rng.uniform(size=(4, 1, 9, 1))
    features[1] = -features[0]
    game = interacting_game(**given, commitment=se.Transfer(features, 0.0, 1.0))
    solved = se.solve(game, [0.5])
    assert solved.unique
    np.testing.assert_allclose(solved.follower_values[0], -solved.follower_values[1], atol=1e-12)
    ends = [se.solve(game, [0.5 + step]).leader_value for step in (1e-5, -1e-5)]
    assert solved.gradient[0] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6)
    one_sided = interacting_game(**given, commitment=se.Transfer(np.abs(features), 0.0, 1.0))
    with pytest.raises(GameError, match="sum to zero"):
        se.solve(one_sided, [0.5])


def test_options_that_the_solver_does_not_have_are_refused():
    with pytest.raises(ArgumentError, match="options among tolerance, start"):
        se.solve(interacting_game(), X, sweeps=3)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (np.zeros(3), r"start: expected shape \(4, 6\), got \(3,\)"),
        (np.full((4, 6), np.nan), "start: expected finite numbers, got nan"),
        ("warm", "start: expected numbers, got str"),
    ],
)
def test_a_start_that_is_no_table_of_values_is_refused(start, message):
    with pytest.raises(ArgumentError, match=message):
        se.solve(interacting_game(), X, start=start)


def test_a_start_does_not_hide_that_a_game_is_not_zero_sum():
    reward = np.ones((4, 4))
    odd = interacting_game(
        follower_rewards=[reward, reward],
        leader_reward=reward,
        transition=np.full((4, 4, 4), 0.25),
        commitment=se.StateIncentive(0.0, 1.0, np.ones(4)),
        zero_sum=True,
    )
    with pytest.raises(GameError, match="rewards of the two followers that sum to zero"):
        se.solve(odd, np.zeros(4), start=np.zeros((4, 4)))


def test_bounds_on_errors_have_the_unit_of_rewards():
    game = interacting_game()
    small = game.replace(
        follower_rewards=1e-9 * game.follower_rewards,
        leader_reward=1e-9 * game.leader_reward,
        temperature=1e-9 * game.temperature,
        commitment=se.Transfer(game.commitment.parts[0].features, 0.0, 1e-9),
    )
    plain = game.replace(commitment=se.Transfer(game.commitment.parts[0].features, 0.0, 1.0))
    errors = se.solve(plain, X).leader_value_error, se.solve(small, 1e-9 * X).leader_value_error
    assert 0.1 < 1e9 * errors[1] / errors[0] < 10.0


def test_the_error_of_a_gradient_is_that_of_a_solution_that_was_stopped_early():
    """The map that is solved for is left before its last steps: the estimate has the size of what is missing."""
    exact = se.solve(interacting_game(), X)
    q = exact.equilibrium.q + 1e-4 * np.random.default_rng(0).uniform(-1.0, 1.0, size=exact.equilibrium.q.shape)
    at = Linearisation(exact.arrays, q, exact.arrays.temperature)
    leader = evaluate_joint(exact.arrays, at.policies, exact.arrays.leader_reward, exact.arrays.leader_discount)
    early = replace(exact, equilibrium=replace(exact.equilibrium, at=at), leader=leader)
    missing = np.abs(early.gradient - exact.gradient).max()
    assert missing > 1e-7
    assert early.gradient_error == pytest.approx(missing, rel=1e-2)
    assert exact.gradient_error < 1e-9
