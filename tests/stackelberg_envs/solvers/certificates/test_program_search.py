import itertools

import numpy as np
import pytest
from scipy.optimize import linprog

import stackelberg_envs as se
from stackelberg_envs.solvers.certificates.affine import affine_game
from stackelberg_envs.solvers.certificates.best_actions import hard_response
from stackelberg_envs.solvers.certificates.program_search import advantages, nearness, tied_place
from stackelberg_envs.solvers.soft.krylov import policy_matrix
from tests.games import toll_game
from tests.stackelberg_envs.solvers.certificates.small_games import Box, both_signs, game_with, games


def tiny(seed, **changes):
    given = {"S": 3, "A": 1 + seed % 2, "B": 2 + (seed % 2 == 0), "branching": 2, "D": 2, "leader_discount": 0.8}
    return se.random_tabular(**(given | {"terminal": int(seed % 3 == 2), "seed": 1000 + seed} | changes))


def by_enumeration(game):
    """Return the leader's best value at temperature 0: a linear program for each policy of the follower.

    Where rewards alone are moved, the values of a policy are affine in x, and so is what makes it a best response.
    """
    low, high = game.commitment.low.ravel(), game.commitment.high.ravel()
    corners = [low, *(low + np.diag(high - low))]
    owns = [game.primitives(x.reshape(game.commitment.shape)) for x in corners]
    own, (Z, A, B) = owns[0], game.table_shape
    best = -np.inf
    for actions in itertools.product(range(B), repeat=Z * A):
        choice = np.eye(B)[np.reshape(actions, (Z, A))]
        joint = own.joint_policy(choice)
        kernel = policy_matrix(joint, own.transition, own.continuing).toarray()
        follower = np.linalg.inv(np.eye(Z) - own.follower_discount * kernel)
        leader = own.initial @ np.linalg.inv(np.eye(Z) - own.leader_discount * kernel)
        worth, above = [], []
        for each in owns:
            worth.append(leader @ (joint * each.leader_reward).sum(axis=(1, 2)))
            values = follower @ (joint * each.follower_reward).sum(axis=(1, 2))
            ahead = (own.transition.probabilities * values[own.transition.successors]).sum(axis=-1)
            q = each.follower_reward + own.follower_discount * own.continuing[:, None, None] * ahead
            above.append((q - (choice * q).sum(axis=-1, keepdims=True)).ravel())
        worth, above = np.array(worth), np.array(above)
        slopes = (above[1:] - above[0]).T
        found = linprog(worth[0] - worth[1:], A_ub=slopes, b_ub=1e-9 - above[0], bounds=[(0, 1)] * len(low))
        if found.status == 0:
            best = max(best, worth[0] - found.fun)
    return best


@pytest.mark.parametrize("seed", range(6))
def test_the_optimum_at_temperature_0_is_that_of_enumeration(seed):
    game = tiny(seed)
    proven = se.certify(game, temperature=0, gap=1e-4)
    assert proven.stopped_because == "gap reached"
    best = by_enumeration(game)
    assert proven.value == pytest.approx(best, rel=2e-4, abs=1e-6)
    assert proven.upper_bound >= best - 1e-6
    own = hard_response(game.primitives(proven.commitment))
    assert own.leader_value == proven.value
    np.testing.assert_array_equal(own.policy, proven.policy)


def test_tolls_at_temperature_0_are_known():
    # With tolls 1 and t the commuter is as well off on both roads at 0.4 + 1 = 0.9 + t, and congestion costs 0.8.
    proven = se.certify(toll_game(2), temperature=0)
    np.testing.assert_allclose(proven.commitment, [1.0, 0.5], atol=1e-6)
    assert proven.value == pytest.approx(0.5, abs=1e-6)
    assert proven.boxes == 1
    assert proven.policy.shape == toll_game(2).table_shape


def test_a_leader_s_policy_takes_boxes():
    # The best response depends on one number of the toy's policy: how often the leader takes each action in state A.
    game = se.make_game("stackelberg/DiscreteToy-v1")
    proven = se.certify(game, temperature=0, gap=0.02, time_limit=60.0)
    assert proven.stopped_because == "gap reached"
    assert proven.boxes > 1
    rows = np.linspace(0, 1, 401)
    tried = [np.array([[p, 1 - p], [0.5, 0.5], [p, 1 - p]]) for p in rows]
    tried += [np.array([[0.5, 0.5], [p, 1 - p], [0.5, 0.5]]) for p in rows]
    assert max(hard_response(game.primitives(x)).leader_value for x in tried) <= proven.upper_bound
    # From a place nearby, the one where the actions are tied that the follower then takes is found again.
    made = affine_game(game)
    z = made.coordinates(proven.commitment)
    low, high = np.clip(z - 0.01, 0, 1), np.clip(z + 0.01, 0, 1)
    found = tied_place(made.arrays, np.clip(z + 0.005, low, high), proven.policy > 0.5, low, high)
    assert advantages(made.arrays, found, proven.policy)[0].max() < 1e-6


@pytest.mark.parametrize("name", ["mixture", "policy"])
def test_bounds_of_boxes_hold_where_play_is_moved(name):
    game = games()[name]
    proven = se.certify(game, temperature=0, max_boxes=15)
    rng = np.random.default_rng(0)
    for _ in range(60):
        x = game.commitment.project(rng.dirichlet(np.full(game.commitment.shape[1], 0.5), game.commitment.shape[0]))
        assert hard_response(game.primitives(x)).leader_value <= proven.upper_bound + 1e-6


@pytest.mark.parametrize(("price", "cut"), [(0.4, False), (-0.1, False), (0.02, True)])
def test_kinks_are_cut_where_it_matters(price, cut):
    game = game_with(both_signs(price))
    proven = se.certify(game, temperature=0, gap=1e-3)
    assert proven.stopped_because == "gap reached"
    assert (proven.boxes > 1) == cut
    low, high = game.commitment.low, game.commitment.high
    grid = [np.array([a, b, 0, 0]) for a in np.linspace(low[0], high[0], 24) for b in np.linspace(low[1], high[1], 21)]
    assert max(hard_response(game.primitives(x)).leader_value for x in grid) <= proven.upper_bound + 1e-6


@pytest.mark.parametrize("seed", range(4))
def test_soft_responses_are_bounded_as_by_boxes(seed):
    gaps = []
    for temperature in (0.05, 0.0002):
        game = tiny(seed, temperature=temperature)
        proven = se.certify(game, method="mixed_integer", gap=1e-3)
        if temperature == 0.05:
            boxes = se.certify(game, gap=0.02)
            assert boxes.value <= proven.upper_bound
            assert proven.value <= boxes.upper_bound
        rng = np.random.default_rng(seed)
        for x in rng.uniform(game.commitment.low, game.commitment.high, (40, 2)):
            assert se.solve(game, x).leader_value <= proven.upper_bound
        assert proven.stopped_because in ("gap reached", "temperature")
        assert proven.policy is None
        gaps.append(proven.upper_bound - proven.value)
    # Near temperature 0 no action that is nearly the best is left, but for one that is tied.
    assert gaps[1] < 0.01


def test_what_unlikely_actions_are_worth_is_within_what_is_allowed():
    box = Box("features", 0.5, seed=1)
    near, allowed = nearness(box.box, box.game.temperature, 0.1)
    assert near.bonus == pytest.approx(box.game.temperature * np.log(3))
    assert near.slack >= near.bonus
    for z, _ in box.points(10):
        best = box.solution(z).best
        unlikely = best.q < best.q.max(axis=-1, keepdims=True) - near.slack
        leader = box.solution(z).leader
        span = leader.state_values.max() - leader.state_values.min()
        lost = (best.policy * unlikely).sum(axis=-1).max() * span / (1.0 - box.game.leader_discount)
        assert lost <= allowed
    assert nearness(box.box, 0.0, 0.1) == ((0.0, 0.0), 0.0)


@pytest.mark.parametrize("name", ["features", "mistaken", "policy", "mixture", "three actions"])
def test_advantages_have_their_derivatives(name):
    box = Box(name, 0.4, seed=3)
    choice = np.eye(box.game.table_shape[2])[box.rng.integers(box.game.table_shape[2], size=box.game.table_shape[:2])]
    _, slopes = advantages(box.made.arrays, box.centre, choice)
    for i, step in enumerate(1e-6 * np.eye(box.D)):
        up, down = (advantages(box.made.arrays, z, choice)[0] for z in (box.centre + step, box.centre - step))
        np.testing.assert_allclose(slopes[:, i], (up - down) / 2e-6, atol=1e-5)


def test_what_ends_a_search_is_named(monkeypatch):
    game = tiny(1)
    assert se.certify(game, temperature=0, time_limit=0.0).stopped_because == "time"
    assert se.certify(games()["mixture"], temperature=0, max_boxes=2).stopped_because == "boxes"
    heard = []
    proven = se.certify(games()["mixture"], temperature=0, max_boxes=3, progress=heard.append)
    assert [one.boxes for one in heard] == [1, 2, 3]
    assert proven.upper_bound <= heard[0].upper_bound

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("stackelberg_envs.solvers.certificates.program_search.bounded", interrupted)
    stopped = se.certify(game, temperature=0)
    assert stopped.stopped_because == "interrupted"
    assert stopped.upper_bound == np.inf
