"""A game made of a transition table is worth what value iteration on the table says."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs import toy_text

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError, GameError
from stackelberg_envs.play.rollout import rollout

#: Classes, since versions of Gymnasium know different ids of them.
LAKE, CLIFF, TAXI = toy_text.FrozenLakeEnv, toy_text.CliffWalkingEnv, toy_text.TaxiEnv
LAMBDA, GAMMA = 0.05, 0.99


def value_iteration(P, choose, end=0.0):
    """Iterate over the table itself, where nothing follows an end but `end`; return values of states and actions."""
    values, q = np.zeros(len(P)), np.zeros((len(P), len(P[0])))
    for _ in range(3000):
        for s, choices in P.items():
            for a, rows in choices.items():
                q[s, a] = sum(p * (r + GAMMA * (end if over else values[t])) for p, t, r, over in rows)
        before, values = values, choose(q)
        if np.abs(values - before).max() < 1e-13:
            break
    return values, q


def soft_maximum(q):
    top = q.max(axis=1)
    return top + LAMBDA * np.log(np.exp((q - top[:, None]) / LAMBDA).sum(axis=1))


def chain(**changes):
    """Three states; from state 1 the follower may be thrown out into state 0, in which play begins."""
    P = {
        0: {0: [(1.0, 0, 0.0, False)], 1: [(0.75, 1, 0.5, False), (0.25, 2, 2.0, True)]},
        1: {0: [(0.5, 0, 3.0, True), (0.5, 0, 0.0, False)], 1: [(1.0, 2, 1.0, True)]},
        2: {0: [(1.0, 2, 9.0, False)], 1: [(1.0, 2, 9.0, False)]},
    }
    return {**P, **changes}


@pytest.mark.parametrize("kind", [LAKE, CLIFF])
def test_the_soft_response_and_both_values_are_those_of_the_table(kind):
    game, P = se.from_gymnasium(kind()), kind().P
    # An end is visited once more, for nothing but the entropy of one more choice.
    values, q = value_iteration(P, soft_maximum, end=LAMBDA * np.log(len(P[0])))
    policy = np.exp((q - values[:, None]) / LAMBDA)
    leader, _ = value_iteration(P, lambda q: (policy * q).sum(axis=1))
    solution, start = se.solve(game, np.zeros(len(P))), game.initial[: len(P)]
    lived = game.terminal[: len(P)] == 0
    np.testing.assert_allclose(solution.response[lived, 0], policy[lived], rtol=0, atol=1e-9)
    assert solution.follower_value == pytest.approx(start @ values, abs=1e-9)
    assert solution.leader_value == pytest.approx(start @ leader, abs=1e-9)


@pytest.mark.parametrize("kind", [LAKE, TAXI])
def test_the_hard_response_is_worth_what_the_table_says(kind):
    game, P = se.from_gymnasium(kind()), kind().P
    values, _ = value_iteration(P, lambda q: q.max(axis=1))
    best = se.hard_best_response(game, np.zeros(game.shape[0]))
    np.testing.assert_allclose(game.initial @ best.state_values, game.initial[: len(P)] @ values, rtol=1e-9)


def test_an_end_that_leads_back_into_play_has_a_state_of_its_own():
    game = se.from_transition_table(chain())
    assert game.shape == (4, 1, 2)
    # State 2 is entered by ends only, so it is one; state 0 is not, so there is one more.
    assert game.terminal.tolist() == [0.0, 0.0, 1.0, 1.0]
    dense = game.transition.to_dense()[:, 0]
    np.testing.assert_allclose(dense[1, 0], [0.5, 0.0, 0.0, 0.5])
    np.testing.assert_allclose(dense[0, 1], [0.0, 0.75, 0.25, 0.0])
    np.testing.assert_allclose(game.follower_reward[:, 0], [[0.0, 0.875], [1.5, 1.0], [0.0, 0.0], [0.0, 0.0]])


def test_play_pays_the_mean_over_next_states_and_ends_where_the_table_does():
    game = se.from_transition_table(chain(), leader_reward=lambda s, a, t: 10.0 * s + a + 0.5 * t)
    policy = np.full((4, 1, 2), 0.5)
    seen = rollout(game.under(np.zeros(4)), policy, np.random.default_rng(0), episodes=500)
    expected = {(0, 0): 0.0, (0, 1): 1 + 0.75 * 0.5 + 0.25 * 1.0, (1, 0): 10.0, (1, 1): 12.0}
    paid = [expected.get((int(s), int(a)), 0.0) for s, a in zip(seen.state, seen.follower_action, strict=True)]
    np.testing.assert_allclose(seen.leader_reward, paid)
    assert seen.terminated.all()
    assert set(seen.state[seen.offsets[1:] - 1]) == {2, 3}


def test_the_leader_may_be_paid_by_state_or_by_state_and_action():
    by_state = se.from_transition_table(chain(), leader_reward=[1.0, 2.0, 3.0])
    np.testing.assert_allclose(by_state.leader_reward[:, 0], [[1, 1], [2, 2], [3, 3], [0, 0]])
    both = se.from_transition_table(chain(), leader_reward=[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    np.testing.assert_allclose(both.leader_reward[:, 0], [[1, 2], [3, 4], [5, 6], [0, 0]])


def test_a_table_may_be_lists_and_its_commitment_another():
    lists = [[chain()[s][a] for a in range(2)] for s in range(3)]
    pays = se.Incentive(0.0, 2.0, (4, 1, 2))
    game = se.from_transition_table(lists, initial=[0.5, 0.5, 0.0], commitment=pays, temperature=0.5, name="chain")
    assert game.commitment is pays
    assert (game.name, game.temperature) == ("chain", 0.5)
    np.testing.assert_allclose(game.initial, [0.5, 0.5, 0.0, 0.0])
    se.check_game(game)


def test_an_environment_tells_its_start_limit_and_name():
    lake = se.from_gymnasium("FrozenLake-v1")
    assert (lake.name, lake.horizon) == ("FrozenLake-v1", 100)
    large = se.from_gymnasium(gym.make("FrozenLake8x8-v1", is_slippery=False), horizon=7, bonus=0.5)
    assert (large.shape, large.horizon) == ((64, 1, 4), 7)
    assert large.commitment.high.max() == 0.5
    taxi = se.from_gymnasium(TAXI())
    np.testing.assert_allclose(taxi.initial, TAXI().initial_state_distrib)
    assert (taxi.shape, taxi.name) == ((500, 1, 6), "TaxiEnv")


def test_a_leader_learns_on_a_lake_in_eight_lines():
    import agents

    lake = se.from_gymnasium("FrozenLake-v1", leader_reward=np.eye(16)[8], bonus=0.1)
    record = agents.run(lake, leader="bchg", steps=20_000)
    start = se.solve(lake, np.zeros(16)).leader_value
    assert record.leader_value > start + 0.6 * (7.8615037 - start)


def rows(*entries):
    return chain() | {1: {0: list(entries), 1: [(1.0, 2, 1.0, True)]}}


@pytest.mark.parametrize(
    ("P", "words"),
    [
        (rows((0.5, 0, 0.0, False)), r"P\[1\]\[0\]: expected probabilities that sum to one, got a sum of 0.5"),
        (rows(), r"P\[1\]\[0\]: expected probabilities that sum to one, got a sum of 0"),
        (rows((1.0, 3, 0.0, False)), r"P\[1\]\[0\]: expected a next state in 0..2, got 3"),
        (rows((1.0, -1, 0.0, False)), r"P\[1\]\[0\]: expected a next state in 0..2, got -1"),
        (rows((1.0, 1.5, 0.0, False)), r"P\[1\]\[0\]: expected a next state in 0..2, got 1.5"),
        (rows((-0.5, 1, 0.0, False), (1.5, 1, 0.0, False)), r"P\[1\]\[0\]: expected a probability, got -0.5"),
        (rows((1.0, 1, float("nan"), False)), r"P\[1\]\[0\]: expected a finite reward, got nan"),
        (rows((1.0, 1, 0.0, "no")), r"P\[1\]\[0\]: expected terminated to be True or False, got 'no'"),
        (rows((1.0, 1, 0.0)), r"P\[1\]\[0\]: expected \(probability, next state, reward, terminated\)"),
        (chain() | {1: {0: 3.0, 1: []}}, r"P\[1\]\[0\]: expected a list of"),
        (chain() | {1: {0: [(1.0, 0, 0.0, False)]}}, r"P\[1\]: expected the actions 0..1, as in state 0, got 1"),
        (chain() | {1: {0: [], 2: []}}, r"P\[1\]: expected the actions 0..1, got none of number 1"),
        ({0: {0: []}, 2: {0: []}}, "P: expected the states 0..1, got none of number 1"),
        ({}, "P: expected a dict or a list of states"),
        (np.zeros((3, 2, 3)), "P: expected a dict or a list of states"),
        (None, "P: expected a dict or a list of states"),
    ],
)
def test_what_is_no_table_is_refused_with_its_place(P, words):
    with pytest.raises(GameError, match=words):
        se.from_transition_table(P)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"initial": 3}, "initial: expected a state in 0..2"),
        ({"initial": [0.5, 0.5]}, r"initial: expected shape \(3,\)"),
        ({"initial": [0.5, 0.0, 0.0]}, "initial: expected rows that sum to one"),
        ({"leader_reward": [1.0]}, r"leader_reward: expected shape \(3,\) or \(3, 2\)"),
        ({"leader_reward": lambda s: 0.0}, "leader_reward: its function raised TypeError"),
        ({"leader_reward": lambda s, a, t: "x"}, r"leader_reward\(0, 0, 0\): expected a finite number"),
        ({"bonus": 0.0}, "bonus: expected a number greater than 0"),
        ({"bonus": "much"}, "bonus: expected a finite number"),
    ],
)
def test_odd_options_are_refused(options, words):
    with pytest.raises(GameError, match=words):
        se.from_transition_table(chain(), **options)


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ("CartPole-v1", "env: expected an environment with a table .* got CartPoleEnv without one"),
        ("NoSuchLake-v1", "env: expected an id that Gymnasium can make, got 'NoSuchLake-v1'"),
        (3, "env: expected a Gymnasium environment or an id, got int"),
    ],
)
def test_environments_without_a_table_are_refused(env, words):
    with pytest.raises(ArgumentError, match=words):
        se.from_gymnasium(env)


def test_options_that_nobody_knows_are_refused_with_those_that_are():
    for odd in ("bonuses", "P"):
        with pytest.raises(ArgumentError, match=rf"from_gymnasium: expected options among initial, .*, got {odd}$"):
            se.from_gymnasium("FrozenLake-v1", **{odd: 1.0})
    with pytest.raises(ArgumentError, match=r"from_transition_table: expected options among initial, .*, got bonuses$"):
        se.from_transition_table({}, bonuses=1.0)
