"""The duopoly through the public interface: outputs and profits of the textbook, with errors and without."""

import numpy as np
import pytest
from scipy.stats import norm

import stackelberg_envs as se
from stackelberg_envs.errors import GameError
from stackelberg_envs.solvers.equilibrium.logit import logit_equilibrium

ID = "stackelberg/Duopoly-v0"


def test_the_optimum_with_errors_is_the_closed_form():
    game = se.make_game(ID)
    found = se.best_commitment(game)
    assert found.value == pytest.approx(2_000_000.0, rel=1e-9)
    assert found.commitment == pytest.approx([2000.0], abs=1e-1)
    solution = se.solve(game, [2000.0])
    assert solution.leader_value == pytest.approx(2_000_000.0, rel=1e-9)
    assert solution.follower_reward_value == pytest.approx(1_000_000.0 - 2500.0, rel=1e-6)
    assert solution.policy[0, 0] @ game.facts["amounts"] == pytest.approx(1000.0, abs=1e-6)


def test_played_against_the_best_answer_both_earn_what_the_textbook_says():
    env = se.parallel_env(ID)
    answer = int(se.hard_best_response(env.game, [2000.0]).policy[0, 0].argmax())
    assert env.game.facts["amounts"][answer] == 1000.0
    env.reset(seed=0)
    env.step({"leader_0": np.array([2000.0], np.float32)})
    _, rewards, *_ = env.step({"follower_0": answer})
    assert rewards == {"leader_0": 2_000_000.0, "follower_0": 1_000_000.0}


def test_played_against_a_follower_with_errors_the_leader_earns_the_same():
    # A sound game fails with probability 1e-4; the seed is fixed.
    game = se.make_game(ID)
    env, returns, rng = se.parallel_env(ID), [], np.random.default_rng(0)
    policy = se.soft_best_response(game, [2000.0]).policy[0, 0]
    for seed in range(400):
        env.reset(seed=seed)
        env.step({"leader_0": np.array([2000.0], np.float32)})
        returns.append(env.step({"follower_0": int(rng.choice(len(policy), p=policy))})[1]["leader_0"])
    assert abs(np.mean(returns) - 2e6) <= norm.ppf(1 - 0.5e-4) * np.std(returns) / np.sqrt(len(returns))


def test_other_numbers():
    game = se.make_game(ID, choke_price=9.0, unit_cost=1.0, outputs=81, temperature=0.05)
    assert se.best_commitment(game).value == pytest.approx(8.0, abs=1e-6)


@pytest.mark.parametrize(("n", "outputs"), [(2, 49), (3, 25), (4, 13)])
def test_several_followers_come_to_cournots_outputs(n, outputs):
    """The values of x = m / 2 and of others, and the slope, are those of the formulas, with errors and all."""
    game = se.make_game(ID, num_followers=n, outputs=outputs, temperature=8000.0)
    for x in (2000.0, 1500.0):
        solution = se.solve(game, [x])
        means = solution.policy[:, 0] @ game.facts["amounts"]
        assert means == pytest.approx(np.full(n, (4000.0 - x) / (n + 1)), rel=1e-5)
        assert solution.leader_value == pytest.approx((4000.0 - x) * x / (n + 1), rel=1e-5)
        assert solution.gradient == pytest.approx([(4000.0 - 2.0 * x) / (n + 1)], abs=4.0)
    assert game.facts["reference"]["value"] == pytest.approx(4e6 / (n + 1))
    played = se.solve(game, [2000.0])
    profit = (2000.0 / (n + 1)) ** 2 - 4000.0
    assert played.follower_reward_value == pytest.approx(profit, rel=1e-4)


@pytest.mark.deep
def test_the_best_output_against_two_followers():
    game = se.make_game(ID, num_followers=2, outputs=13, temperature=20000.0)
    found = se.best_commitment(game)
    assert found.value == pytest.approx(game.facts["reference"]["value"], rel=1e-6)
    assert found.commitment == pytest.approx([2000.0], abs=1.0)


@pytest.mark.parametrize("n", [2, 3])
def test_as_the_temperature_falls_answers_come_to_cournots_equilibrium_on_the_grid(n):
    """The logit equilibrium, followed from one temperature to the next, against the formula and a matrix by hand."""
    goal, apart = 2000.0 / (n + 1), []
    q = None
    for temperature in (8000.0, 3000.0, 1000.0, 300.0, 100.0):
        game = se.make_game(ID, num_followers=n, outputs=25, temperature=temperature)
        played = game.under([2000.0]).arrays
        best = logit_equilibrium(played, start=q)
        q = best.q
        apart.append(np.abs(best.policies[0][0] @ np.abs(game.facts["amounts"] - goal)))
        mean = best.policies[0][0] @ game.facts["amounts"]
        amounts = game.facts["amounts"]
        own = (2000.0 - (n - 1) * mean - amounts) * amounts / temperature
        by_hand = np.exp(own - own.max())
        assert best.policies[0][0] == pytest.approx(by_hand / by_hand.sum(), abs=1e-7)
        assert mean == pytest.approx(goal, rel=1e-3)
    assert apart == sorted(apart, reverse=True)
    assert apart[-1] < 1e-3 * goal
    assert (2000.0 - n * mean) * 2000.0 == pytest.approx(4e6 / (n + 1), rel=1e-3)


def test_several_followers_play_at_the_same_time():
    env = se.parallel_env(ID, num_followers=2)
    env.reset(seed=0)
    env.step({"leader_0": np.array([2000.0], np.float32)})
    _, rewards, *_ = env.step({"follower_0": 40, "follower_1": 40})
    assert rewards["leader_0"] == pytest.approx(4e6 / 3, rel=1e-6)
    assert rewards["follower_0"] == rewards["follower_1"] == pytest.approx((2000.0 / 3) ** 2, rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"choke_price": 0.0}, "choke_price: expected a number greater than 0"),
        ({"unit_cost": 5000.0}, "unit_cost: expected less than the choke price 5000"),
        ({"outputs": 1}, "outputs: expected an integer of at least 2"),
        ({"num_followers": 0}, "num_followers: expected an integer of at least 1"),
        ({"num_followers": 5}, "outputs: expected so few that 5 followers have tables of at most 4194304 entries"),
    ],
)
def test_what_is_no_duopoly_is_refused(arguments, words):
    with pytest.raises(GameError, match=words):
        se.make_game(ID, **arguments)
