"""Preference design: the game of tables against the sum over all answers, and the numbers of its page."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.envs.preference_design.answers import counts, liking, sending, sent, starting_policy
from stackelberg_envs.envs.preference_design.preferences import sigmoid
from stackelberg_envs.errors import ArgumentError, GameError
from stackelberg_envs.play.rollout import rollout
from stackelberg_envs.solvers.solving import solve

PREFERENCES = "stackelberg/PreferenceDesign-v0"


def by_enumeration(x, longest=4, temperature=0.2):
    """Return (J, how often people prefer the assistant, its answers' probabilities), without any decision process.

    The tuned policy gives an answer in proportion to its starting probability times exp(reward / temperature).
    """
    start = sent(starting_policy(longest), sending(longest))
    score = counts(longest) @ np.asarray(x)
    tuned = start * np.exp((score - score.max()) / temperature)
    tuned /= tuned.sum()
    value = preferred = 0.0
    d = score[:, None] - score[None, :]
    for liked in liking(longest):
        p = sigmoid(liked[:, None] - liked[None, :])
        value += tuned @ (p * np.log(sigmoid(d)) + (1 - p) * np.log(sigmoid(-d))) @ start / 2
        preferred += tuned @ p @ start / 2
    return value, preferred, tuned


@pytest.mark.parametrize(
    ("longest", "temperature", "bound"), [(1, 0.7, 0.5), (2, 0.2, 2.0), (4, 0.2, 2.0), (4, 0.7, 0.5)]
)
def test_the_game_is_worth_the_sum_over_all_answers(longest, temperature, bound):
    game = se.make_game(PREFERENCES, longest=longest, temperature=temperature, bound=bound)
    x = np.random.default_rng(longest).uniform(-bound, bound, 4)
    solution = solve(game, x)
    value, _, tuned = by_enumeration(x, longest, temperature)
    assert solution.leader_value == pytest.approx(value, abs=1e-10)
    for response in solution.response.reshape(2, -1, 1, 5):
        np.testing.assert_allclose(sent(response[:-1, 0], sending(longest)), tuned, atol=1e-10)


def test_the_follower_is_worth_its_reward_minus_its_divergence():
    game = se.make_game(PREFERENCES)
    x = np.array([0.4, -0.1, 0.3, -0.5])
    start = sent(starting_policy(4), sending(4))
    expected = 0.2 * np.log(start @ np.exp(counts(4) @ x / 0.2))
    values = solve(game, x).best.state_values.reshape(2, -1)[:, 0]
    np.testing.assert_allclose(values, expected, atol=1e-10)


def test_the_hypergradient_is_that_of_the_sum_over_all_answers():
    game, x = se.make_game(PREFERENCES), np.array([0.3, -0.2, 0.1, -0.6])
    step = 1e-5
    expected = [
        (by_enumeration(x + step * unit)[0] - by_enumeration(x - step * unit)[0]) / (2 * step) for unit in np.eye(4)
    ]
    np.testing.assert_allclose(solve(game, x).gradient, expected, atol=1e-7)


def test_numbers_of_the_page():
    game = se.make_game(PREFERENCES)
    nothing, fitted, best = np.zeros(4), game.facts["recorded_fit"], game.facts["best_commitment"]
    found = {}
    for name, x in (("nothing", nothing), ("fitted", fitted), ("best", best)):
        value, preferred, tuned = by_enumeration(x)
        assert solve(game, x).leader_value == pytest.approx(value, abs=1e-10)
        found[name] = value, preferred, tuned
    assert found["nothing"][:2] == pytest.approx((-np.log(2), 0.5), abs=1e-12)
    assert found["fitted"][:2] == pytest.approx((-1.071590, 0.464), abs=5e-4)
    assert found["best"][:2] == pytest.approx((-0.588989, 0.703), abs=5e-4)
    four_facts = (counts(4) == [4, 0, 0, 0]).all(axis=1)
    one_fact = (counts(4) == [1, 0, 0, 0]).all(axis=1)
    assert found["fitted"][2][four_facts].sum() == pytest.approx(0.59, abs=0.005)
    assert found["best"][2][one_fact].sum() == pytest.approx(0.74, abs=0.005)


def test_played_answers_pay_what_the_reference_says():
    # One false alarm in 147,000: 4.5 standard errors.
    game = se.make_game(PREFERENCES)
    x = game.facts["best_commitment"]
    played = rollout(game.under(x), solve(game, x).response, np.random.default_rng(7), episodes=8_000)
    returns = played.returns(1.0)
    error = returns.std(ddof=1) / np.sqrt(len(returns))
    assert abs(returns.mean() - game.facts["best_known"]) < 4.5 * error


def test_another_temperature_needs_another_game():
    game = se.make_game(PREFERENCES)
    with pytest.raises(GameError, match=r"temperature: expected 0\.2, for which .*, got 0\.4"):
        game.replace(temperature=0.4)


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"longest": 0}, ArgumentError, "longest: expected an integer of at least 1, got 0"),
        ({"longest": 7}, ArgumentError, "longest: expected at most 6 words, got 7"),
        ({"bound": 0.0}, GameError, "bound: expected"),
        ({"temperature": -1.0}, GameError, "temperature: expected a number greater than 0"),
    ],
)
def test_what_makes_no_game_is_refused(changes, error, match):
    with pytest.raises(error, match=match):
        se.make_game(PREFERENCES, **changes)
