import numpy as np
import pytest
from scipy.optimize import brentq

from stackelberg_envs.errors import ArgumentError, ConvergenceError
from stackelberg_envs.games.primitives import Primitives
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.solvers.equilibrium import logit
from stackelberg_envs.solvers.equilibrium.joint import others, softmax
from stackelberg_envs.solvers.equilibrium.logit import logit_equilibria, logit_equilibrium
from stackelberg_envs.solvers.soft.best_response import soft_best_response
from tests.stackelberg_envs.solvers.equilibrium.markov_arrays import matrix_game, random_arrays

STAG_HUNT = [[4.0, 0.0], [3.0, 2.0]]


def iterated_answer(game, i, policies, sweeps=2000):
    """The soft best response of follower i to the others, by value iteration on the process that they leave it."""
    S, B = game.num_states, game.sizes[i]
    beside = others(policies, i)
    axes = tuple(1 + j for j in range(len(policies)) if j != i)
    kernel = game.kernel.reshape(S, *game.sizes, S)
    reward = (game.follower_rewards[i].reshape(S, *game.sizes) * beside).sum(axis=axes)
    moves = (kernel * beside[..., None]).sum(axis=axes)
    values = np.zeros(S)
    for _ in range(sweeps):
        q = reward + game.follower_discount * moves @ values
        top = q.max(axis=1, keepdims=True)
        values = top[:, 0] + game.temperature * np.log(np.exp((q - top) / game.temperature).sum(axis=1))
    return softmax(q, np.ones((S, B), dtype=bool), game.temperature), values


@pytest.mark.parametrize("arguments", [{}, {"sizes": (2, 3, 2)}, {"temperature": 0.05}])
def test_everybody_answers_everybody_else(arguments):
    """By a second method: value iteration on what the others leave each follower."""
    game = random_arrays(**arguments)
    found = logit_equilibrium(game)
    assert found.residual < 1e-12
    for i in range(game.num_followers):
        policy, values = iterated_answer(game, i, found.policies)
        np.testing.assert_allclose(found.policies[i], policy, atol=1e-10)
        np.testing.assert_allclose(found.values[i], values, atol=1e-10)


def test_infeasible_actions_are_not_taken():
    found = logit_equilibrium(random_arrays(masked=True))
    assert not any(policy[::2, 0].any() for policy in found.policies)
    assert all(np.allclose(policy.sum(axis=1), 1.0) for policy in found.policies)


def test_one_follower_alone_has_the_soft_best_response():
    game = random_arrays(sizes=(3,))
    found = logit_equilibrium(game)
    primitives = Primitives(
        leader_policy=np.ones((4, 1)),
        follower_reward=game.follower_rewards[0][:, None],
        leader_reward=game.leader_reward[:, None],
        transition=game.transition,
        believed_transition=game.transition,
        initial=game.initial,
        continuing=game.continuing,
        leader_discount=game.leader_discount,
        follower_discount=game.follower_discount,
        temperature=game.temperature,
        num_contexts=1,
    )
    best = soft_best_response(primitives)
    assert found.unique
    np.testing.assert_allclose(found.policies[0], best.policy[:, 0], atol=1e-9)


def stag_hunt_branch(temperature):
    """The symmetric equilibria of the stag hunt: all roots of p = softmax of what p makes of the two actions."""

    def gap(p):
        return p - 1.0 / (1.0 + np.exp(-((4.0 * p) - (3.0 * p + 2.0 * (1.0 - p))) / temperature))

    grid = np.linspace(0.0, 1.0, 4001)
    values = [gap(p) for p in grid]
    return [
        brentq(gap, a, b, xtol=1e-14)
        for a, b, u, v in zip(grid, grid[1:], values, values[1:], strict=False)
        if u * v < 0
    ]


@pytest.mark.parametrize(("temperature", "count"), [(2.0, 1), (0.2, 3), (0.1, 3)])
def test_several_equilibria_of_the_stag_hunt_are_found(temperature, count):
    game = matrix_game(STAG_HUNT, np.transpose(STAG_HUNT), temperature=temperature)
    roots = stag_hunt_branch(temperature)
    assert len(roots) == count
    found = logit_equilibria(game)
    assert sorted(each.policies[0][0, 0] for each in found) == pytest.approx(roots, abs=1e-9)
    # The principal branch leads to the risk-dominant equilibrium: here nobody hunts the stag.
    assert found[0].policies[0][0, 0] == pytest.approx(roots[0], abs=1e-9)


def test_the_path_is_followed_round_its_turns():
    """An unsymmetric coordination game, whose principal branch Newton's method from even play leaves."""
    game = matrix_game([[9.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 9.0]], temperature=0.3)
    found = logit_equilibrium(game)
    assert found.residual < 1e-12
    assert found.steps > 10


def test_an_iteration_that_does_not_converge_raises_with_its_residual(monkeypatch):
    monkeypatch.setattr(logit, "MOST_STEPS", 3)
    with pytest.raises(ConvergenceError, match=r"stopped at temperature .* residual of"):
        logit_equilibrium(random_arrays(temperature=0.01))
    monkeypatch.setattr(logit, "NEWTON_STEPS", 1)
    with pytest.raises(ConvergenceError, match="given start"):
        logit_equilibrium(random_arrays(), start=np.full((4, 5), 7.0))


def test_a_start_saves_the_path():
    game = random_arrays(temperature=0.05)
    found = logit_equilibrium(game)
    again = logit_equilibrium(game, start=found.q)
    assert again.steps < 4 < found.steps
    np.testing.assert_allclose(again.policies[0], found.policies[0], atol=1e-12)


def test_independent_answers_converge_where_the_bound_says_so():
    """The contraction: iterating G by hand from anywhere ends in the equilibrium."""
    from stackelberg_envs.solvers.equilibrium.linearisation import Linearisation

    game = random_arrays(temperature=4.0, follower_discount=0.2)
    found = logit_equilibrium(game)
    assert found.unique
    q = np.random.default_rng(0).normal(size=found.q.shape) * 10.0
    for _ in range(200):
        q = Linearisation(game, q, game.temperature).image
    np.testing.assert_allclose(q, found.q, atol=1e-10)


def test_shared_successors_count_together():
    """Lists that name a state twice are the kernel that they mean."""
    game = random_arrays()
    lists = game.transition
    doubled = Transition(
        np.concatenate([lists.successors] * 2, axis=-1), np.concatenate([lists.probabilities / 2] * 2, axis=-1)
    )
    again = logit_equilibrium(random_arrays(transition=doubled))
    np.testing.assert_allclose(again.values, logit_equilibrium(game).values, atol=1e-12)


@pytest.mark.parametrize("arguments", [{"seed": -1}, {"seed": "one"}, {"starts": 0}])
def test_numbers_of_a_search_for_equilibria_are_counts(arguments):
    game = matrix_game([[2.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [0.0, 1.0]])
    with pytest.raises(ArgumentError, match=f"{next(iter(arguments))}: expected an integer of at least"):
        logit_equilibria(game, **arguments)
