"""The trajectory estimators against the exact solution.

False alarms: with exact values each test looks at C components and refuses at the two-sided normal quantile of
0.001 / C (Bonferroni), so a correct estimator fails one test in a thousand; the seeds are fixed. At C = 100 the
quantile is 4.4 standard errors.
"""

import numpy as np
import pytest
from scipy.stats import norm

from agents.estimators import ValueEstimates, boltzmann_covariance, score_function, tabulate
from agents.runs.collection import collect
from stackelberg_envs.envs import random_tabular_v1
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.solvers.solving import solve

#: In the order in which `flat` lays them out.
ALL = ("follower_reward", "leader_policy", "leader_reward", "transition")
FALSE_ALARM_RATE = 1e-3
BATCHES, EPISODES = 150, 150
CASES = [(1, 0, False), (1, 1, True), (2, 0, False), (2, 1, True)]


def small_game(K=1, terminal=0, dense=False):
    # gamma^80 = 2e-6: what the horizon cuts off is far below the standard errors. The temperature is high
    # enough for every action to be taken in nearly every batch.
    game = random_tabular_v1.make_game(
        S=4, A=2, B=2, K=K, branching=3, terminal=terminal, commitment="policy",
        leader_discount=0.85, follower_discount=0.8, temperature=1.5, horizon=80, seed=3,
    )  # fmt: skip
    return game.replace(transition=game.transition.to_dense()) if dense else game


def exact_values(solution):
    return ValueEstimates(
        solution.primitives.leader_policy, solution.best.policy, solution.leader.q, solution.best.values
    )


def solved(game):
    return solve(game, np.random.default_rng(0).dirichlet(np.ones(2), size=4))


def full(game, seen, values):
    return boltzmann_covariance(
        seen, values,
        leader_discount=game.leader_discount, follower_discount=game.follower_discount, temperature=game.temperature,
    )  # fmt: skip


def direct(game, seen, values):
    return score_function(seen, values, leader_discount=game.leader_discount)


def batch_estimates(game, solution, estimator, **amount):
    """Return estimates of all cotangents, shape (batches, components)."""
    values = exact_values(solution)
    rng = np.random.default_rng(1)
    rows = []
    for _ in range(BATCHES):
        seen = collect(game, solution.x, solution.response, rng=rng, **amount)
        cotangents = tabulate(
            estimator(game, seen, values), seen, game.array_shape, wanted=frozenset(ALL),
            leader_policy=values.leader_policy, transition=solution.primitives.transition,
        )  # fmt: skip
        rows.append(flat(by_log(game, solution, cotangents)))
    return np.array(rows)


def by_log(game, solution, cotangents):
    """Return the cotangents with dJ/df and dJ/dP turned into dJ/d log f and dJ/d log P.

    So a component that is seldom visited is small, too.
    """
    P = game.transition.to_dense() if game.transition.dense else game.transition.probabilities
    policy = solution.primitives.leader_policy.reshape(game.array_shape[:-1])
    return Cotangents(
        cotangents.follower_reward,
        cotangents.leader_reward,
        cotangents.leader_policy * policy,
        cotangents.transition * P,
    )


def flat(cotangents):
    return np.concatenate([getattr(cotangents, name).ravel() for name in ALL])


def expected(game, solution, exact, shift):
    """Lay out exact cotangents as an estimator with baselines sees them.

    d log f is estimated with a baseline, which changes dJ/df by one number per state that no policy that
    stays a distribution can feel; and no trajectory goes where P is zero.
    """
    policy = exact.leader_policy - shift.reshape(*game.array_shape[:-2], 1)
    shifted = Cotangents(exact.follower_reward, exact.leader_reward, policy, exact.transition)
    return flat(by_log(game, solution, shifted))


def refuse_if_off(rows, exact):
    """Raise if any component's mean is further from the exact value than chance explains."""
    seen = (rows != 0).mean(axis=0) > 0.75
    assert np.abs(exact[~seen]).max(initial=0.0) < 0.05 * np.abs(exact).max()
    constant = seen & (rows.std(axis=0) < 1e-12)
    np.testing.assert_allclose(rows[0, constant], exact[constant])
    live = seen & ~constant
    error = rows[:, live].std(axis=0, ddof=1) / np.sqrt(len(rows))
    z = np.abs(rows[:, live].mean(axis=0) - exact[live]) / error
    assert z.max() < norm.isf(FALSE_ALARM_RATE / 2 / live.sum())


@pytest.mark.parametrize(("K", "terminal", "dense"), CASES)
def test_mean_over_episodes_equals_the_oracle_in_every_component(K, terminal, dense):
    game = small_game(K, terminal, dense)
    solution = solved(game)
    d, m = solution.flows.occupancy, solution.flows.state_flow
    shift = d * solution.leader.state_values + m * solution.best.state_values
    rows = batch_estimates(game, solution, full, episodes=EPISODES)
    refuse_if_off(rows, expected(game, solution, solution.cotangents, shift))


@pytest.mark.parametrize(("K", "terminal", "dense"), CASES)
def test_score_function_estimates_the_direct_term(K, terminal, dense):
    game = small_game(K, terminal, dense)
    solution = solved(game)
    shift = solution.flows.occupancy * solution.leader.state_values
    rows = batch_estimates(game, solution, direct, episodes=EPISODES)
    refuse_if_off(rows, expected(game, solution, solution.direct_cotangents, shift))


def test_the_tests_have_the_power_to_refuse_the_direct_term_alone():
    game = small_game()
    solution = solved(game)
    shift = solution.flows.occupancy * solution.leader.state_values
    rows = batch_estimates(game, solution, direct, episodes=EPISODES)
    with pytest.raises(AssertionError):
        refuse_if_off(rows, expected(game, solution, solution.cotangents, shift))


def test_an_episode_cut_by_the_step_budget_does_not_bias_the_estimate():
    game = small_game(terminal=1)
    solution = solved(game)
    d, m = solution.flows.occupancy, solution.flows.state_flow
    shift = d * solution.leader.state_values + m * solution.best.state_values
    # 3,000 steps: the last of some hundred episodes is cut.
    rows = batch_estimates(game, solution, full, steps=3_000)
    refuse_if_off(rows, expected(game, solution, solution.cotangents, shift))


def test_one_pass_equals_the_double_sum_it_stands_for():
    game = small_game()
    solution = solved(game)
    values = exact_values(solution)
    seen = collect(game, solution.x, solution.response, episodes=3, rng=5)
    got = full(game, seen, values).follower_reward
    z, a, b = seen.joint_state, seen.leader_action, seen.follower_action
    advantage = (values.leader_q - np.einsum("zab,zab->za", values.behaviour, values.leader_q)[:, :, None])[z, a, b]
    for start, stop in zip(seen.offsets, seen.offsets[1:], strict=False):
        for t in range(stop - start):
            terms = [
                game.leader_discount**k * game.follower_discount ** (t - k) * advantage[start + k] / game.temperature
                for k in range(t + 1)
            ]
            assert got[start + t] == pytest.approx(sum(terms) / 3, rel=1e-10)


def test_estimates_do_not_depend_on_which_joint_state_comes_first():
    # A game with two equal contexts is the game without contexts, played at two places.
    game = small_game()
    double = game.replace(context_probabilities=np.array([0.5, 0.5]))
    solution, twice = solved(game), solved(double)
    assert twice.leader_value == pytest.approx(solution.leader_value)
    np.testing.assert_allclose(
        twice.cotangents.follower_reward.sum(axis=0), solution.cotangents.follower_reward, atol=1e-10
    )
