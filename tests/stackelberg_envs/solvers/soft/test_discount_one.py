"""Discount 1 where play surely ends: against shortest paths, backward induction and what discounts approach."""

import numpy as np
import pytest
import scipy

import stackelberg_envs as se
from stackelberg_envs.errors import GameError
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.transitions import Transition
from tests.games import grid_world, small_game

EMPTY = np.array([[1.0]])


def layered(layers, width, roads, seed, temperature, **changes):
    """A net of roads from layer to layer, with costs; every state of the last layer leads to the end."""
    rng, S = np.random.default_rng(seed), layers * width + 1
    successors = np.full((S, 1, roads, 1), S - 1)
    for s in range((layers - 1) * width):
        following = (s // width + 1) * width + rng.choice(width, size=roads, replace=False)
        successors[s, 0, :, 0] = following
    costs = rng.uniform(0.1, 1.0, size=(S, 1, roads))
    costs[-1] = 0.0
    given = {
        "transition": Transition.from_lists(successors, np.ones(successors.shape)),
        "leader_reward": rng.standard_normal(costs.shape),
        "follower_reward": -costs,
        "initial": np.eye(S)[0],
        "terminal": np.arange(S) == S - 1,
        "leader_discount": 1.0,
        "follower_discount": 1.0,
        "temperature": temperature,
        "commitment": se.StateIncentive(-0.5, 0.5, where=np.ones(S)),
    }
    return TabularGame(**(given | changes))


@pytest.mark.parametrize(("layers", "width"), [(4, 5), (40, 20)])
def test_at_low_temperature_values_are_those_of_dijkstra(layers, width):
    game = layered(layers, width, 3, 0, 1e-6)
    S, _, roads = game.shape
    solution = se.solve(game, np.zeros(S))
    start = np.repeat(np.arange(S - 1), roads)
    ends = game.transition.successors[:-1].ravel()
    # Of two roads to one place the cheaper counts.
    lengths = np.full((S, S), np.inf)
    np.minimum.at(lengths, (start, ends), -game.follower_reward[:-1].ravel())
    graph = scipy.sparse.csr_array(np.where(np.isfinite(lengths), lengths, 0.0))
    exact = scipy.sparse.csgraph.dijkstra(graph.T, indices=S - 1)
    assert np.abs(solution.best.state_values + exact).max() <= 1e-6 * np.log(roads) * (layers + 1)
    hard = se.hard_best_response(game, np.zeros(S))
    assert np.abs(hard.state_values + exact).max() <= 1e-13 * layers


def test_backward_induction_is_met_to_rounding():
    game = layered(30, 12, 3, 1, 0.3)
    S = game.shape[0]
    solution, x = se.solve(game, np.zeros(S)), np.zeros(S)
    V, W = np.zeros(S), np.zeros(S)
    for s in range(S - 1, -1, -1):
        t = game.transition.successors[s, 0, :, 0]
        going = float(s < S - 1)
        q = game.follower_reward[s, 0] + going * V[t]
        V[s] = 0.3 * scipy.special.logsumexp(q / 0.3)
        g = np.exp((q - V[s]) / 0.3)
        W[s] = g @ (game.leader_reward[s, 0] + going * W[t])
    assert solution.best.state_values == pytest.approx(V, rel=1e-13)
    assert solution.leader_value == pytest.approx(W[0], rel=1e-12)
    for name in ("follower_value_error", "leader_value_error", "gradient_error"):
        assert getattr(solution, name) < 1e-9, name
    assert solution.episode.leader_value == pytest.approx(solution.leader_value, rel=1e-12)
    step, gradient = 1e-5, solution.gradient
    for i in (0, 17, S - 2):
        moved = step * np.eye(S)[i]
        high, low = (se.solve(game, x + sign * moved, tolerance=0).leader_value for sign in (1.0, -1.0))
        assert (high - low) / (2 * step) == pytest.approx(gradient[i], abs=1e-6 * np.abs(gradient).max())


def test_discounts_approach_it():
    x = np.random.default_rng(0).dirichlet(np.ones(2), size=3)
    found = [se.solve(small_game(leader_discount=d, follower_discount=d), x) for d in (1.0, 1.0 - 1e-9)]
    assert found[0].leader_value == pytest.approx(found[1].leader_value, rel=1e-5)
    assert found[0].gradient == pytest.approx(found[1].gradient, rel=1e-4, abs=1e-6)
    assert found[0].response == pytest.approx(found[1].response, rel=1e-6, abs=1e-9)


def test_where_play_can_come_back_systems_are_solved_by_each_method():
    """A grid where moves slip: dense, band and Krylov by its size, and the errors are within their bounds."""
    for side in (4, 12, 20):
        game = slipping(side)
        x = np.zeros(game.commitment.shape)
        solution, precise = se.solve(game, x), se.solve(game, x, tolerance=0)
        assert abs(solution.leader_value - precise.leader_value) <= solution.leader_value_error
        assert np.abs(solution.gradient - precise.gradient).max() <= solution.gradient_error + precise.gradient_error


def slipping(side):
    """The grid world, in which every step ends play with a chance of one in ten besides."""
    plain = grid_world(side, 0.9)
    lists, S = plain.transition, plain.shape[0]
    shape = lists.successors.shape
    goal = np.full((*shape[:3], 1), S - 1)
    moved = np.concatenate([lists.successors, goal], axis=3)
    chances = np.concatenate([0.9 * lists.probabilities, np.full((*shape[:3], 1), 0.1)], axis=3)
    return plain.replace(transition=Transition.from_lists(moved, chances), leader_discount=1.0, follower_discount=1.0)


def test_the_door_names_a_state_and_asks_commitments_for_what_they_bring():
    P = np.array([[[[0.5, 0.5, 0.0]]], [[[0.0, 0.0, 1.0]]], [[[0.0, 0.0, 1.0]]]])
    stay = P.copy()
    stay[1] = [0.0, 1.0, 0.0]
    plain = {
        "leader_reward": np.ones((3, 1, 1)),
        "follower_reward": np.ones((3, 1, 1)),
        "initial": [1.0, 0.0, 0.0],
        "terminal": [0, 0, 1],
        "leader_discount": 1.0,
        "follower_discount": 0.9,
        "temperature": 1.0,
    }
    assert se.solve(TabularGame(**plain, commitment=se.TransitionMixture([P])), EMPTY).leader_value == pytest.approx(
        4.0
    )
    with pytest.raises(GameError, match="from state 0 it can go on for ever, within 2 states"):
        TabularGame(**plain, commitment=se.TransitionMixture([P, stay]))
    brought = se.FunctionCommitment(lambda x: se.Effect(transition=P), 0.0, 1.0, ["transition"])
    with pytest.raises(GameError, match="does not say, by possible_transitions"):
        TabularGame(**plain, commitment=brought)
    with pytest.raises(GameError, match="from state 0"):
        TabularGame(**plain, transition=P, believed_transition=stay, commitment=se.StateIncentive(0, 1, np.ones(3)))


def test_a_leader_policy_that_never_takes_an_action_rules_it_out():
    P = np.zeros((2, 2, 1, 2))
    P[0, 0, 0, 0] = P[0, 1, 0, 1] = P[1, :, 0, 1] = 1.0
    given = {
        "transition": P,
        "leader_reward": np.ones((2, 2, 1)),
        "follower_reward": np.ones((2, 2, 1)),
        "initial": [1.0, 0.0],
        "terminal": [0, 1],
        "leader_discount": 1.0,
        "follower_discount": 1.0,
        "temperature": 1.0,
    }
    fixed = TabularGame(**given, commitment=se.StateIncentive(0, 1, np.ones(2)), leader_policy=[[0, 1], [0, 1]])
    assert se.solve(fixed, [0.0, 0.0]).leader_value == 2.0
    with pytest.raises(GameError, match="from state 0"):
        TabularGame(**given, commitment=se.PolicyTable(2, 2))


def test_a_time_limit_leaves_room_for_the_longest_episode():
    assert layered(4, 5, 3, 0, 0.1, horizon=5).horizon == 5
    with pytest.raises(GameError, match="horizon: expected at least 5, the steps of the longest episode, got 4"):
        layered(4, 5, 3, 0, 0.1, horizon=4)
    assert layered(4, 5, 3, 0, 0.1, horizon=2, leader_discount=0.9, follower_discount=0.9).horizon == 2
