"""The security game through the public interface: play under the best coverage, and falling temperatures."""

import numpy as np
import pytest
from scipy.stats import norm

import stackelberg_envs as se
from stackelberg_envs.errors import GameError

ID = "stackelberg/SecurityGame-v0"
COVERAGE = np.array([23, 17, 7, 0]) / 47


def test_played_with_the_best_coverage_against_a_best_answer_it_pays_what_is_known():
    # A sound game fails with probability 1e-4, as means of so many returns go; the seeds are fixed.
    env, returns = se.parallel_env(ID), []
    found = se.stackelberg_strategies(env.game.facts["leader_payoff"], env.game.facts["follower_payoff"])
    answer = found.responses.item()
    assert answer == 2
    for seed in range(600):
        env.reset(seed=seed)
        env.step({"leader_0": COVERAGE.astype(np.float32)})
        env.step({"follower_0": answer})
        returns.append(env.step({"follower_0": 0})[1]["leader_0"])
    room = norm.ppf(1 - 0.5e-4) * np.std(returns) / np.sqrt(len(returns))
    assert abs(np.mean(returns) + 1.70213) <= room
    assert env.game.facts["reference"]["value"] == pytest.approx(-1.702, abs=5e-4)


def test_the_attacker_gains_the_same_at_three_targets():
    follower = np.asarray(se.make_game(ID).facts["follower_payoff"])
    np.testing.assert_allclose((COVERAGE @ follower)[:3], 73 / 47)
    assert (COVERAGE @ follower)[3] < 73 / 47


def test_as_the_temperature_falls_the_value_goes_to_the_closed_form():
    found = [se.best_commitment(se.make_game(ID, temperature=t)).value for t in (0.1, 0.01, 0.001)]
    gaps = -80 / 47 - np.array(found)
    assert (gaps > 0).all()
    assert (gaps[1:] < 0.3 * gaps[:-1]).all()


def test_more_guards_and_other_targets():
    game = se.make_game(
        ID, attacker_reward=[5, 4, 3], attacker_penalty=[-1, -2, -1], defender_loss=[3, 3, 1], guards=2, temperature=0.1
    )
    assert game.commitment.shape == (1, 3)
    assert game.facts["rows"] == ("guard 12", "guard 13", "guard 23")
    assert "reference" not in game.facts


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"attacker_reward": [1.0]}, "attacker_reward: expected a number for each of two"),
        ({"defender_loss": [1.0, 2.0]}, r"defender_loss: expected shape \(4,\)"),
        ({"guards": 4}, "guards: expected fewer than the 4 targets"),
        ({"guards": 0}, "guards: expected an integer of at least 1"),
        (
            {"guards": 30, "attacker_reward": [1.0] * 60, "attacker_penalty": [0.0] * 60, "defender_loss": [1.0] * 60},
            "at most 1000 schedules",
        ),
    ],
)
def test_what_is_no_security_game_is_refused(arguments, words):
    with pytest.raises(GameError, match=words):
        se.make_game(ID, **arguments)
