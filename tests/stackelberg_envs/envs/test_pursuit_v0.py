"""Pursuit: the equilibrium of pursuers and an evader, by other methods; the numbers of its page; what is refused."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import GameError
from stackelberg_envs.play.rollout import rollout
from stackelberg_envs.solvers.equilibrium.logit import logit_equilibrium

PURSUIT = "stackelberg/Pursuit-v0"
SMALL = "P.\n.E"


def inside(game, seed=0):
    return np.random.default_rng(seed).uniform(0.0, 0.6, game.commitment.shape) * game.commitment.high


@pytest.mark.parametrize("arguments", [{"park": SMALL}, {"park": SMALL, "zero_sum": True}, {"park": "PEP"}])
def test_nobody_gains_by_another_policy_and_the_gradient_is_that_of_differences(arguments):
    """By a second solver: each follower alone, whose soft best response to the others is its own policy."""
    game = se.make_game(PURSUIT, **arguments)
    x = inside(game)
    solved = se.solve(game, x)
    for i in range(game.num_followers if not game.zero_sum else 0):
        alone = se.solve(se.one_follower(game, i), x)
        np.testing.assert_allclose(alone.response.reshape(solved.policy[i].shape), solved.policy[i], atol=1e-7)
        assert alone.leader_value == pytest.approx(solved.leader_value, rel=1e-7)
    change = np.random.default_rng(1).normal(size=x.shape)
    up, down = (se.solve(game, x + step * change).leader_value for step in (1e-5, -1e-5))
    assert solved.gradient @ change == pytest.approx((up - down) / 2e-5, rel=1e-5)


def test_where_the_pursuer_gains_what_the_evader_loses_two_solvers_agree():
    game = se.make_game(PURSUIT, zero_sum=True)
    x = inside(game)
    solved = se.solve(game, x)
    assert solved.unique
    again = logit_equilibrium(solved.arrays)
    np.testing.assert_allclose(np.stack(again.policies), solved.policy, atol=1e-9)
    np.testing.assert_allclose(solved.equilibrium.values[0], -solved.equilibrium.values[1], atol=1e-9)


def test_what_is_played_is_worth_what_is_solved():
    # One false alarm in 147,000: 4.5 standard errors; 0.9**60 of the value is left.
    game = se.make_game(PURSUIT, park=SMALL)
    x = inside(game)
    solved = se.solve(game, x)
    played = rollout(game.under(x), solved.policy, np.random.default_rng(5), episodes=2_000)
    returns = played.returns(0.9)
    error = returns.std(ddof=1) / np.sqrt(len(returns))
    assert abs(returns.mean() - solved.leader_value) < 4.5 * error + 0.9**60 * 10.0


def test_a_cold_evader_on_a_dead_end_is_caught_at_once():
    """In a lane it has nowhere to go: the pursuer needs one move, and each chase begins anew."""
    game = se.make_game(PURSUIT, park="PE", temperature=1e-3, effort=0.0)
    assert se.solve(game, np.zeros(3)).leader_value == pytest.approx(1.0 / (1.0 - 0.9), rel=1e-6)


def test_arguments_are_what_they_are_called():
    game = se.make_game(
        PURSUIT, park="P.E", prize=0.4, max_light=0.3, max_reward=0.7, discount=0.8, horizon=20, effort=0.1
    )
    assert game.commitment.high.tolist() == [0.3, 0.3, 0.3, 0.7]
    assert (game.leader_discount, game.follower_discount, game.horizon) == (0.8, 0.8, 20)
    park = game.facts["park"]
    first = game.follower_rewards[:, park.first].reshape(2, 5, 5)
    # Up into the wall, right to where the evader stays or comes to, and right while it is out of reach.
    np.testing.assert_allclose(first[:, 1, 0], [-0.1, 0.0])
    np.testing.assert_allclose(first[:, 2, 4], [0.4 - 0.1, -1.0])
    np.testing.assert_allclose(first[:, 2, 0], [-0.1, 0.0])


def test_a_second_pursuer_catches_who_runs_round_the_block_from_one():
    lone, pair = (se.make_game(PURSUIT, park=park) for park in ("..P\n.E.", "pair"))
    ends = [se.solve(game, np.zeros(7)).leader_value for game in (lone, pair)]
    assert ends[0] < 0.1 < 1.0 < ends[1]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"park": "P.\n.."}, "park: expected one cell E"),
        ({"park": "pair", "zero_sum": True}, "zero_sum: expected a park with one pursuer, got 2"),
        ({"zero_sum": 2}, "zero_sum: expected"),
        ({"prize": -0.1}, "prize: expected"),
        ({"effort": -0.1}, "effort: expected"),
        ({"upkeep": -1.0}, "upkeep: expected"),
        ({"max_light": 0.0}, "max_light: expected"),
        ({"max_reward": 0.0}, "max_reward: expected"),
        ({"discount": 1.0}, "discount: expected"),
        ({"temperature": 0.0}, "temperature: expected"),
    ],
)
def test_what_makes_no_pursuit_is_refused(changes, match):
    with pytest.raises(GameError, match=match):
        se.make_game(PURSUIT, **changes)
