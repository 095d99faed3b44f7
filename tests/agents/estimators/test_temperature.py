"""The private temperature: recovered from observed play, with the error it states, and put to use."""

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.estimators import BehaviourEstimate
from agents.estimators.counts import EvaluationTask, TabularCounts
from agents.estimators.temperature import TemperatureEstimate, fit_temperature
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from stackelberg_envs.envs import discrete_toy_v1, four_rooms_v0
from stackelberg_envs.errors import ArgumentError, InformationError
from tests.games import TOY_OPTIMUM


def exact_parts(game, x):
    """Q_r and Q_H of the soft best response, by the model of the game itself, and the response."""
    solution = se.solve(game, x)
    play, g = solution.primitives, solution.best.policy
    model = TabularCounts(g.shape)
    model.successors = play.transition.successors.copy()
    model.counts = play.transition.probabilities * play.continuing[:, None, None, None]
    policy = play.leader_policy
    reward = model.evaluate(play.follower_reward, policy, g, play.follower_discount)
    entropy = model.evaluate(np.zeros_like(g), policy, g, play.follower_discount, -np.log(g))
    return solution, reward, entropy


GAME = se.random_tabular(S=5, A=2, B=3, temperature=0.2, commitment="policy", seed=1)
X = np.full((5, 2), 0.5)


def test_values_are_linear_in_the_temperature():
    solution, reward, entropy = exact_parts(GAME, X)
    np.testing.assert_allclose(reward + 0.2 * entropy, solution.best.q, atol=1e-6)


def test_with_exact_values_and_expected_counts_the_fit_is_exact():
    solution, reward, entropy = exact_parts(GAME, X)
    fit = fit_temperature(1_000 * solution.best.policy, reward, entropy)
    assert fit.temperature == pytest.approx(0.2, rel=1e-5)


def test_an_action_with_unknown_values_may_be_left_out():
    solution, reward, entropy = exact_parts(GAME, X)
    counts, known = 1_000 * solution.best.policy, np.ones(GAME.array_shape, dtype=bool)
    known[:, :, 2], counts[:, :, 2] = False, 0.0
    assert fit_temperature(counts, reward, entropy, known).temperature == pytest.approx(0.2, rel=1e-5)
    assert fit_temperature(counts, reward, entropy).temperature != pytest.approx(0.2, rel=0.1)


def test_with_exact_values_the_stated_error_is_the_true_one():
    solution, reward, entropy = exact_parts(GAME, X)
    rng = np.random.default_rng(0)
    fits = [
        fit_temperature(rng.multinomial(300, solution.best.policy).astype(float), reward, entropy) for _ in range(400)
    ]
    scores = np.array([(fit.temperature - 0.2) / (fit.temperature * fit.relative_error) for fit in fits])
    # The standard deviation of 400 draws is within 15 % of 1, and their mean within 0.2 of 0, but for 1 in 10,000.
    assert scores.std() == pytest.approx(1.0, abs=0.15)
    assert abs(scores.mean()) < 0.25


def test_what_does_not_identify_a_temperature_gives_none():
    zeros, counts = np.zeros((1, 1, 2)), np.array([[[5.0, 5.0]]])
    better = np.array([[[1.0, 0.0]]])
    assert fit_temperature(counts, zeros, zeros) is None  # nothing to choose
    assert fit_temperature(np.array([[[9.0, 0.0]]]), better, zeros) is None  # always the better one
    assert fit_temperature(counts, better, zeros) is None  # as if it did not care: any large one
    assert fit_temperature(np.zeros((1, 1, 2)), better, zeros) is None  # nothing was seen
    assert fit_temperature(np.array([[[30.0, 10.0]]]), better, zeros).temperature == pytest.approx(
        1 / np.log(3), rel=1e-4
    )


def estimated(game, steps, updates, seed):
    """The estimate after play under random commitments."""
    rng = np.random.default_rng(seed)
    brief = make_brief(game, Information.REWARDS_OBSERVED)
    counts = TabularCounts(brief.table_shape)
    estimate = TemperatureEstimate(counts, game.follower_discount)
    behaviour = BehaviourEstimate(brief.table_shape)
    for _ in range(updates):
        solution = se.solve(game, brief.parametrisation(rng.standard_normal(brief.parametrisation.size)))
        x = solution.x
        seen = agents.collect(game, x, solution.response, steps=steps, rng=rng)
        paid = brief.effect(x).follower_reward
        counts.observe(seen, {"follower": paid})
        policy, g = brief.effect(x).leader_policy, behaviour.update(seen)
        estimate.update(EvaluationTask(seen, "follower", policy, g, announced_reward=paid))
    return estimate.temperature


@pytest.mark.parametrize(
    ("game", "limit"),
    [
        (discrete_toy_v1.make_game(), 0.05),
        (se.random_tabular(S=8, A=2, B=3, temperature=0.2, commitment="policy", seed=0), 0.05),
        (se.random_tabular(S=8, A=2, B=3, temperature=0.2, commitment="policy", seed=1), 0.05),
        (se.random_tabular(S=8, A=1, B=3, temperature=0.2, commitment="features", seed=2), 0.05),
        (four_rooms_v0.make_game(), 0.05),
    ],
    ids=["toy, 0.05", "random 0, 0.2", "random 1, 0.2", "features, 0.2", "rooms, 0.005"],
)
def test_the_temperature_is_recovered_from_play_to_five_percent(game, limit):
    found = [estimated(game, 20_000, 6, seed) for seed in range(5)]
    np.testing.assert_allclose(found, game.temperature, rtol=limit)


def test_more_play_brings_it_closer():
    game = se.random_tabular(S=8, A=2, B=3, temperature=0.2, commitment="policy", seed=0)
    errors = [
        np.mean([abs(estimated(game, steps, 3, seed) / 0.2 - 1.0) for seed in range(8)])
        for steps in (300, 3_000, 30_000)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.03


# In use.


@pytest.mark.parametrize("seeds", [range(2), pytest.param(range(10), marks=pytest.mark.deep)], ids=len)
@pytest.mark.parametrize("reward", [1.0, 2.0])
def test_bchg_with_everything_estimated_reaches_the_optimum_of_the_toy(seeds, reward):
    game = discrete_toy_v1.make_game(reward=reward).replace(publish_temperature=False)
    records = [
        agents.run(game, leader="bchg", updates=150, steps_per_update=1_500, seed=seed, evaluate_every=0)
        for seed in seeds
    ]
    assert all(record.observed_steps == 225_000 for record in records)
    assert all(record.information == "REWARDS_OBSERVED" for record in records)
    values = np.array([record.leader_value for record in records])
    assert (values >= 0.98 * TOY_OPTIMUM[reward]).sum() >= round(0.9 * len(seeds))
    assert all(record.curve["temperature"][-1] == pytest.approx(0.05, rel=0.1) for record in records)


def test_a_private_temperature_raises_the_level_and_needs_public_rewards():
    rooms = four_rooms_v0.make_game()
    assert agents.run(rooms, updates=1, steps_per_update=10).information == "ACTIONS_ONLY"
    secret = rooms.replace(publish_temperature=False)
    assert agents.run(secret, updates=1, steps_per_update=10).information == "REWARDS_OBSERVED"
    assert agents.run(secret, leader="naive", updates=1, steps_per_update=10).information == "ACTIONS_ONLY"
    with pytest.raises(InformationError, match=r"bchg: needs REWARDS_OBSERVED.*ACTIONS_ONLY would work"):
        agents.run(secret.replace(observe_rewards=False), updates=1)


def test_the_truth_can_be_told_instead_under_a_declared_level():
    secret = discrete_toy_v1.make_game().replace(publish_temperature=False)
    options = {"updates": 3, "steps_per_update": 100}
    told = agents.run(secret, **options, leader_options={"privileged": ["temperature"]})
    assert told.information == "RESPONSE"
    assert "temperature" not in told.curve
    public = agents.run(discrete_toy_v1.make_game(), **options)
    np.testing.assert_array_equal(told.commitment, public.commitment)
    both = agents.run(secret, **options, leader_options={"privileged": ["temperature", "behaviour"]})
    assert not np.array_equal(both.commitment, told.commitment)
    with pytest.raises(ArgumentError, match=r"privileged: expected a list of words among .*, got \['mind'\]"):
        agents.run(secret, **options, leader_options={"privileged": ["mind"]})
