"""The duopoly through the public interface: outputs and profits of the textbook, with errors and without."""

import numpy as np
import pytest
from scipy.stats import norm

import stackelberg_envs as se
from stackelberg_envs.errors import GameError

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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"choke_price": 0.0}, "choke_price: expected a number greater than 0"),
        ({"unit_cost": 5000.0}, "unit_cost: expected less than the choke price 5000"),
        ({"outputs": 1}, "outputs: expected an integer of at least 2"),
    ],
)
def test_what_is_no_duopoly_is_refused(arguments, words):
    with pytest.raises(GameError, match=words):
        se.make_game(ID, **arguments)
