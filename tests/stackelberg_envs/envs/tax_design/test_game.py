"""Tax design as a game: rewards, assets, types, and what play is worth."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from stackelberg_envs.envs import tax_design_v0
from stackelberg_envs.play.rollout import rollout

GAME = tax_design_v0.make_game()


HOUSES = tax_design_v0.make_game(num_households=2)


UNEVEN = np.array([0.7, 0.2, 1.1, 0.4])


#: Each statistical test below rejects a correct game once in 10^5 seeds or less; the seeds are fixed.
STANDARD_ERRORS = 4.5


FALSE_ALARM = 1e-5


def step(game, x, assets, kinds, actions, seed=0):
    """One step of households of given assets, types and actions."""
    states, contexts = np.asarray(assets, float)[:, None], np.asarray(kinds)
    if game.typed_states:
        states, contexts = np.column_stack([assets, kinds]), np.zeros(len(kinds), np.int32)
    rng = np.random.default_rng(seed)
    return game.step(rng, np.asarray(x), states, contexts, np.zeros((len(kinds), 0)), np.asarray(actions))


@pytest.mark.parametrize("game", [GAME, HOUSES], ids=["contexts", "households"])
def test_rewards_by_hand(game):
    actions = [[9, 4, 2, 1], [0, 0, 4, 4], [3, 1, 1, 1]]
    made = step(game, [0.5, 0.25, 0.5, 1.0], [10.0, -3.0, 0.0], [0, 1, 1], actions)
    utility = np.array([np.log(1.5), -3.0, 0.0]) - 0.1 * np.array([8.01, 0.0, 2.67]) ** 2
    enjoyed = np.array([[4.0, 2.5 / 1.5, 0.625], [0.0, 5 / 1.5, 2.5], [1.0, 1.25 / 1.5, 0.625]])
    consumed = [np.prod(enjoyed[0] ** (0.6, 0.3, 0.1)), 0.0, np.prod(enjoyed[2] ** (0.1, 0.7, 0.2))]
    np.testing.assert_allclose(made.follower_reward, utility + consumed)
    revenue = enjoyed @ (0.25, 0.5, 1.0) + 0.5 * np.array([8.01, 0.0, 2.67])
    welfare = 15 * enjoyed.mean(axis=1) / 5 + 5 * np.log(1 + revenue)
    np.testing.assert_allclose(made.leader_reward, welfare + np.array([0.0, -3.0, 0.0]))
    assert not made.terminated.any()


def test_debt_may_be_left_out_of_the_leaders_reward():
    other = tax_design_v0.make_game(count_debt=False)
    actions = [[1, 1, 1, 1]] * 2
    difference = step(GAME, UNEVEN, [-7.0, 7.0], [0, 0], actions).leader_reward
    np.testing.assert_allclose(difference - step(other, UNEVEN, [-7.0, 7.0], [0, 0], actions).leader_reward, [-7, 0])


@pytest.mark.parametrize(
    ("assets", "action", "mean"),
    [(2.0, [9, 1, 0, 2], 0.653), (99.0, [9, 0, 0, 0], 100.0), (-98.0, [0, 4, 4, 4], -100.0)],
)
def test_assets_move_by_a_truncated_normal(assets, action, mean):
    n = 20_000
    made = step(GAME, UNEVEN, np.full(n, assets), np.zeros(n, int), np.tile(action, (n, 1)))
    law = stats.truncnorm((-100 - mean) / 5, (100 - mean) / 5, loc=mean, scale=5)
    assert stats.kstest(made.next_state[:, 0], law.cdf).pvalue > FALSE_ALARM


def test_initial_assets_and_types():
    n = 20_000
    drawn = GAME.initial_states(np.random.default_rng(0), np.zeros(n, np.int32))
    assert drawn.shape == (n, 1)
    assert stats.kstest(drawn[:, 0], stats.norm(0, np.sqrt(2)).cdf).pvalue > FALSE_ALARM
    single = [HOUSES.initial_states(np.random.default_rng(seed), np.zeros(1, np.int32))[0, 1] for seed in range(40)]
    assert set(single) == {0.0, 1.0}


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.8, 0.2)])
def test_types_count_alike_however_many_households_are_drawn(n, shares):
    """Counts are as near to their shares as can be, and at each place the types have theirs (rate 1e-6 a place)."""
    game = HOUSES.replace(households=dataclasses.replace(HOUSES.households, probabilities=np.array(shares)))
    rng, N = np.random.default_rng(6), 2_000
    kinds = np.array([game.initial_states(rng, np.zeros(n, np.int32))[:, 1] for _ in range(N)])
    assert (np.abs(kinds.sum(axis=1) - n * shares[1]) < 1.0).all()
    error = np.sqrt(shares[0] * shares[1] / N)
    assert (np.abs(kinds.mean(axis=0) - shares[1]) < 4.9 * error).all()
    if n > 2 and shares[0] == 0.5:
        assert (np.diff(kinds) != 0).mean() > 0.6  # one after the other, but where the turn begins


def test_an_odd_number_of_households_is_worth_what_the_solver_says():
    """Three households, two of them of one type: faces, `collect` and `solve` weigh the types alike.

    Each mean is off by more than 4.9 standard errors once in a million; the horizon leaves out 2e-4 of J.
    """
    import agents

    x, N = np.array([0.0, 2.0, 0.0, 0.64]), 400
    game = tax_design_v0.make_game(num_households=3, horizon=80)
    solution = game.solve(x)
    face = tax_design_v0.parallel_env(game=game)
    kinds = []
    for seed in range(N):
        face.reset(seed=seed)
        infos = face.step({"leader_0": x})[-1]
        kinds.append(np.mean(infos["leader_0"]["next_state"][:, 1]))
    assert abs(np.mean(kinds) - 0.5) < 4.9 * np.std(kinds) / np.sqrt(N)
    seen = agents.collect(game, x, solution, episodes=1_501, rng=0)
    returns = seen.leader_reward.reshape(-1, 80) @ 0.9 ** np.arange(80)
    error = returns.std(ddof=1) / np.sqrt(len(returns))
    assert abs(returns.mean() - solution.leader_value) < 4.9 * error + 0.01
    assert abs(seen.state[::80, 1].mean() - 0.5) <= 0.5 / 1_500


@pytest.mark.parametrize("game", [GAME, HOUSES.replace(temperature=0.3)], ids=["contexts", "households"])
@pytest.mark.parametrize("x", [np.full(4, 0.3), UNEVEN], ids=["start", "uneven"])
def test_play_is_worth_the_exact_values(game, x):
    """At horizon 100 what is left out is less than 0.003; the grid's error is far smaller still."""
    game = game.replace(horizon=100)
    N, solution = 1_500, game.solve(x)
    record = rollout(game.under(x), solution.policy, np.random.default_rng(5), episodes=N)
    contexts = np.repeat(record.context, 100)
    chosen = solution.policy.log_prob(record.state, record.leader_action, contexts, record.follower_action)
    kinds = record.state[::100, 1].astype(int) if game.typed_states else record.context
    weights = np.tile(0.9 ** np.arange(100), N)
    for rewards, values in (
        (record.leader_reward, [one.saving.leader_value for one in solution.types]),
        (
            record.follower_reward - game.temperature * chosen,
            [one.saving.follower_value for one in solution.types],
        ),
    ):
        returns = (weights * rewards).reshape(N, 100).sum(axis=1)
        for k, value in enumerate(values):
            own = returns[kinds == k]
            error = own.std() / np.sqrt(len(own))
            assert abs(own.mean() - value) < STANDARD_ERRORS * error + 0.003
