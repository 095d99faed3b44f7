"""Stated errors against forty digits, and answers that do not depend on units, solvers or a large discount."""

from dataclasses import replace

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.envs import four_rooms_v0, random_tabular_v1
from stackelberg_envs.errors import ArgumentError, ConvergenceError, GameError
from stackelberg_envs.solvers.soft import linear, solve_primitives
from stackelberg_envs.solvers.solving import solve
from tests.games import grid_world
from tests.stackelberg_envs.solvers.extended import largest_difference, solve_in_mpmath

METHODS = ("krylov", "dense", "band")


def random_game(discount, temperature, **changes):
    arguments = {"S": 5, "A": 2, "B": 3, "terminal": 1, "commitment": "policy", "seed": 3} | changes
    game = random_tabular_v1.make_game(**arguments)
    game = game.replace(leader_discount=discount, follower_discount=discount, temperature=temperature)
    return game, np.full(game.commitment.shape, 1 / 2 if arguments["commitment"] == "policy" else 0.1)


def small_grid(discount, temperature, terminal):
    game = grid_world(4, discount, temperature, terminal=terminal)
    return game, np.random.default_rng(0).uniform(-0.1, 0.1, 16)


CASES = [
    random_game(0.9, 0.2),
    random_game(0.999999, 1e-3),
    random_game(0.99, 0.05, K=2, terminal=0),
    small_grid(0.9999, 0.05, False),
    small_grid(0.999999, 1e-3, True),
    small_grid(0.999999, 1.0, False),
    small_grid(0.999999, 1.0, True),
]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0].name}-{case[0].leader_discount}")
def solved(request):
    game, x = request.param
    return game, x, solve_in_mpmath(game.primitives(x))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("tolerance", [1e-4, 1e-10, 0.0])
def test_no_true_error_is_above_its_bound_and_no_bound_far_above_rounding(solved, method, tolerance, monkeypatch):
    monkeypatch.setattr(linear, "choose", lambda *_: method)
    game, x, (value, values, g, u) = solved
    solution = solve(game, x, tolerance=tolerance)
    assert largest_difference(solution.leader_value, [value]) <= solution.leader_value_error
    assert largest_difference(solution.best.state_values, values) <= solution.follower_value_error
    assert largest_difference(solution.best.state_values, values) <= solution.best.error
    assert largest_difference(solution.response, g) <= solution.policy_error
    assert largest_difference(solution.response, g) <= solution.best.policy_error <= max(tolerance, 1e-14)
    flow = largest_difference(solution.flows.reward_flow, u)
    assert flow <= solution.accuracy.bounds.flow + 1e-9 * np.abs(solution.flows.reward_flow).max()
    assert solution.leader_value_error <= 1e-8 * abs(solution.leader_value)
    # The second term: a follower that hardly ever hesitates leaves gradients of 10^-19 of what the leader is paid.
    least = 1e-17 * abs(solution.leader_value) / game.temperature
    assert solution.gradient_error <= 1e-9 * np.abs(solution.gradient).max() + least
    assert solution.value_error == max(solution.leader_value_error, solution.follower_value_error)


@pytest.mark.parametrize("terminal", [False, True])
def test_gradients_are_within_their_stated_errors(terminal):
    game, x = small_grid(0.9999, 0.05, terminal)
    _, _, _, u = solve_in_mpmath(game.primitives(x))
    exact = [[sum(sum(row) for row in state)] for state in u]
    solution = solve(game, x)
    error = largest_difference(solution.gradient, exact)
    assert error <= solution.gradient_error <= 1e-11 * np.abs(solution.gradient).max()


def test_a_gradient_that_is_off_is_stated_to_be():
    """Play with one digit of the values makes the response, and so the gradient, wrong; the bound must say so."""
    game, x = small_grid(0.99, 0.05, True)
    solution = solve(game, x)
    exact = solution.gradient.copy()
    coarse = solve(game, x)
    coarse.__dict__["direct_gradient"] = coarse.direct_gradient + 1e-6 * np.abs(exact).max()
    assert coarse.gradient_error >= 0.9e-6 * np.abs(exact).max() > solution.gradient_error


@pytest.mark.parametrize(
    ("side", "discount", "temperature", "terminal"),
    [(24, 0.9999, 0.05, False), (10, 0.999999, 0.1, False), (9, 0.9999, 0.05, True), (12, 0.999999, 1e-3, True),
     (12, 0.999999, 1.0, True), (16, 0.99, 1.0, False)],
)  # fmt: skip
def test_all_solvers_find_the_same_gradient(side, discount, temperature, terminal, monkeypatch):
    game = grid_world(side, discount, temperature, terminal=terminal)
    x = np.random.default_rng(0).uniform(-0.1, 0.1, side * side)
    found = {}
    for method in METHODS:
        monkeypatch.setattr(linear, "choose", lambda *_, chosen=method: chosen)
        found[method] = solve(game, x)
    scale = np.abs(found["dense"].gradient).max()
    for method in METHODS:
        np.testing.assert_allclose(found[method].gradient, found["dense"].gradient, rtol=0, atol=1e-9 * scale)
        assert found[method].leader_value == pytest.approx(found["dense"].leader_value, rel=1e-9)


@pytest.mark.deep
@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("temperature", [1e-3, 0.05, 1.0])
@pytest.mark.parametrize("discount", [0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999])
def test_all_solvers_find_the_same_gradient_on_a_large_grid(discount, temperature, terminal, monkeypatch):
    test_all_solvers_find_the_same_gradient(48, discount, temperature, terminal, monkeypatch)


def test_a_tolerance_changes_what_is_done_or_is_refused():
    game, x = small_grid(0.9999, 0.05, False)
    assert solve(game, x, tolerance=1e-12).best.policy_error <= 1e-12
    assert solve(game, x, tolerance=0.0).best.policy_error <= 2e-16
    with pytest.raises(ConvergenceError, match=r"expected an error of at most 1\.0e-17 of every probability"):
        solve(game, x, tolerance=1e-17)


def scaled(game, c, x):
    """Return the game in other units, and x in them if it is an incentive."""
    box = game.commitment
    if isinstance(box, se.StateIncentive):
        box = se.StateIncentive(c * box.low, c * box.high, where=np.ones(box.low.size))
    changes = {"leader_reward": c * game.leader_reward, "follower_reward": c * game.follower_reward}
    return game.replace(**changes, temperature=c * game.temperature, commitment=box), (
        c * x if isinstance(box, se.StateIncentive) else x
    )


SCALES = [2.0**-332, 2.0**-30, 2.0**332, 1e-100, 1e-12, 1e-9, 1e7, 1e100]


@pytest.mark.parametrize("c", SCALES)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("discount", [0.9, 0.9999])
def test_other_units_change_values_by_their_factor_and_nothing_else(c, method, discount, monkeypatch):
    monkeypatch.setattr(linear, "choose", lambda *_: method)
    # Rounding of c times a reward is amplified by the discount and by the temperature.
    rel = 1e-13 if np.log2(c) % 1 == 0 else 1e-12 if discount == 0.9 else 1e-7
    for game, x in (random_game(discount, 0.2, S=8), small_grid(discount, 0.05, True)):
        one, (other, y) = solve(game, x), scaled(game, c, x)
        two = solve(other, y)
        assert two.leader_value == pytest.approx(c * one.leader_value, rel=rel)
        assert two.follower_value == pytest.approx(c * one.follower_value, rel=rel)
        np.testing.assert_allclose(two.response, one.response, rtol=0, atol=rel)
        factor = 1.0 if isinstance(game.commitment, se.StateIncentive) else c
        np.testing.assert_allclose(two.gradient, factor * one.gradient, rtol=0,
                                   atol=10 * rel * factor * np.abs(one.gradient).max())  # fmt: skip


@pytest.mark.parametrize("c", SCALES)
@pytest.mark.parametrize("rule", ["optimistic", "pessimistic"])
def test_ties_do_not_depend_on_units(c, rule):
    rng = np.random.default_rng(5)
    game = se.TabularGame(
        transition=np.eye(4)[rng.integers(4, size=(4, 2, 3))], leader_reward=rng.integers(-1, 2, size=(4, 2, 3)),
        follower_reward=rng.integers(0, 2, size=(4, 2, 3)), initial=np.full(4, 0.25), leader_discount=0.9,
        follower_discount=0.5, temperature=1.0, commitment=se.PolicyTable(4, 2),
    )  # fmt: skip
    other, x = scaled(game, c, np.full((4, 2), 0.5))
    one, two = (se.hard_best_response(g, x, tie_break=rule).policy for g in (game, other))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperature": 5e-324}, "temperature: expected at least"),
        ({"temperature": 1e308}, "temperature"),
        ({"follower_reward": 1e308}, "follower_reward"),
        ({"leader_reward": 1e308}, "leader_reward"),
        ({"temperature": 1e-200, "follower_reward": 1e100}, "temperature: expected"),
        (
            {"temperature": 1e-140, "follower_reward": 0.0, "leader_reward": 1e149, "leader_discount": 0.9999},
            "leader_reward",
        ),
    ],
)
def test_numbers_that_floats_cannot_hold_are_refused_by_name(changes, message):
    """At the door of a game, and by the solvers where a leader makes a game of its own."""
    game, x = small_grid(0.9, 0.05, True)
    sized = {name: size * getattr(game, name) if "reward" in name else size for name, size in changes.items()}
    with pytest.raises(GameError, match=message):
        assert np.isfinite(solve(game.replace(**sized), x).gradient).all()
    with pytest.raises(GameError, match=message):
        assert solve_primitives(replace(game.primitives(x), **sized)).flows


def test_four_rooms_is_solved_in_floats_and_states_small_errors():
    game = four_rooms_v0.make_game()
    solution = solve(game, np.zeros(104))
    assert solution.reference is None
    assert solution.gradient_error < 1e-10 * np.abs(solution.gradient).max()
    assert solution.policy_error < 1e-12
    assert len(repr(solution)) < 200


def test_a_function_without_derivative_states_the_error_of_differences():
    def effect(x):
        return se.Effect(follower_reward=np.array([[[np.exp(3 * x[0]), 0.0]], [[0.0, np.sin(x[1])]]]))

    game = se.TabularGame(
        transition=np.full((2, 1, 2, 2), 0.5), leader_reward=[[[1.0, 0.0]], [[0.0, 2.0]]],
        follower_reward=np.zeros((2, 1, 2)), initial=[0.5, 0.5], leader_discount=0.9, follower_discount=0.9,
        temperature=0.5, commitment=se.FunctionCommitment(effect, [-1, -1], [1, 1], frozenset({"follower_reward"})),
    )  # fmt: skip
    x = np.array([0.3, -0.2])
    solution = solve(game, x)
    u = solution.flows.reward_flow
    exact = np.array([3 * np.exp(0.9) * u[0, 0, 0], np.cos(-0.2) * u[1, 0, 1]])
    assert np.abs(solution.gradient - exact).max() <= solution.gradient_error < 1e-6 * np.abs(exact).max()


def penalised(penalty=-1e9, loss=0.1, discount=0.9):
    """Action 1 pays the follower `loss` less than action 0, and the leader 1 more; action 2 is a catastrophe."""
    rng = np.random.default_rng(0)
    follower = np.zeros((4, 1, 3)) + rng.uniform(0, 1, (4, 1, 1))
    follower[:, :, 1] -= loss
    follower[:, :, 2] = penalty
    leader = np.tile(rng.uniform(0, 1, (4, 1, 1)), (1, 1, 3))
    leader[:, :, 1] += 1.0
    moves = rng.dirichlet(np.ones(4), size=(4, 1, 1))
    return se.TabularGame(
        transition=np.tile(moves, (1, 1, 3, 1)), leader_reward=leader, follower_reward=follower,
        initial=np.full(4, 0.25), leader_discount=discount, follower_discount=discount, temperature=1.0,
        commitment=se.PolicyTable(4, 1),
    )  # fmt: skip


@pytest.mark.parametrize("penalty", [-1.0, -1e9, -1e100])
@pytest.mark.parametrize("rule", ["optimistic", "pessimistic"])
@pytest.mark.parametrize("discount", [0.9, 0.999999])
def test_a_large_number_somewhere_makes_no_ties(penalty, rule, discount):
    best = se.hard_best_response(penalised(penalty, discount=discount), np.ones((4, 1)), tie_break=rule)
    assert (best.policy.argmax(axis=2) == 0).all()


def test_a_state_of_another_size_makes_no_ties_elsewhere():
    game = penalised(-1e9).replace(
        follower_reward=penalised().follower_reward * np.array([1e9, 1, 1, 1])[:, None, None]
    )
    game = game.replace(transition=np.broadcast_to(np.eye(4)[:, None, None, :], (4, 1, 3, 4)))
    assert (se.hard_best_response(game, np.ones((4, 1))).policy.argmax(axis=2) == 0).all()


def test_the_margin_says_what_counts_as_tied():
    game, x = penalised(loss=0.1), np.ones((4, 1))
    for margin, chosen in ((1e-10, 0), (0.001, 0), (0.2, 1)):
        best = se.hard_best_response(game, x, tie_margin=margin)
        assert (best.policy.argmax(axis=2) == chosen).all()
    with pytest.raises(ArgumentError, match="tie_margin: expected a number from 0 to below 1"):
        se.hard_best_response(game, x, tie_margin=1.0)
    with pytest.raises(ArgumentError, match="tie_margin"):
        se.hard_best_response(game, x, tie_margin=-1e-3)
