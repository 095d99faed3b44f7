"""Feasible actions in every solver: against ten lines of NumPy, enumeration and finite differences."""

import itertools

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.contexts import combine, one_context
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.play.rollout import rollout
from tests.games import A, B, S, small_arguments, small_game

BY_STATE = np.array([[True, False], [True, True], [False, True]])
ENDS = {"leader_discount": 1.0, "follower_discount": 1.0}


def masks(seed):
    """Feasible actions by state, and by state and leader action; some actions are feasible in each."""
    rng = np.random.default_rng(seed)
    found = rng.random((S, A, B)) < 0.5
    found[~found.any(axis=2), 1] = True
    return [BY_STATE, found]


def reference(game, x, steps=4000):
    """Values of both players by iteration, in plain NumPy."""
    play = game.primitives(x)
    P, f, going = play.transition.to_dense(), play.leader_policy, play.continuing[:, None, None]
    barred = np.zeros(game.shape) if game.feasible is None else np.where(game.feasible, 0.0, -np.inf)
    V, W = np.zeros(len(P)), np.zeros(len(P))
    for _ in range(steps):
        q = play.follower_reward + barred + play.follower_discount * going * (P @ V)
        top = q.max(axis=2)
        soft = top + play.temperature * np.log(np.exp((q - top[..., None]) / play.temperature).sum(axis=2))
        V = (f * soft).sum(axis=1)
    g = np.exp((q - soft[..., None]) / play.temperature)
    for _ in range(steps):
        W = (f[..., None] * g * (play.leader_reward + play.leader_discount * going * (P @ W))).sum(axis=(1, 2))
    return V, g, float(play.initial @ W)


def point(seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(A), size=S)


@pytest.mark.parametrize("discounts", [{}, ENDS, {"leader_discount": 1.0}])
@pytest.mark.parametrize("temperature", [0.5, 0.01])
@pytest.mark.parametrize("which", [0, 1])
def test_values_are_those_of_plain_iteration(which, temperature, discounts):
    game = small_game(feasible=masks(1)[which], temperature=temperature, **discounts)
    x = point()
    solution, (V, g, J) = se.solve(game, x), reference(game, x)
    scale = np.abs(V).max()
    assert np.abs(solution.best.state_values - V).max() <= solution.follower_value_error + 1e-12 * scale
    assert np.abs(solution.response - g).max() <= solution.policy_error + 1e-12 / temperature
    assert solution.leader_value == pytest.approx(J, rel=1e-11)
    assert (solution.response[~game.feasible] == 0.0).all()
    assert (solution.follower_q[~game.feasible] == -np.inf).all()


@pytest.mark.parametrize("which", [0, 1])
def test_twice_the_precision_agrees(which):
    game, x = small_game(feasible=masks(2)[which], temperature=1e-3), point()
    plain, precise = se.solve(game, x), se.solve(game, x, tolerance=0.0)
    assert precise.best.reference is not None
    assert np.abs(precise.response - plain.response).max() <= plain.policy_error + precise.policy_error
    assert (precise.response[~game.feasible] == 0.0).all()
    assert np.abs(precise.gradient - plain.gradient).max() <= plain.gradient_error + precise.gradient_error
    bounds = (precise.follower_value_error, precise.leader_value_error, precise.policy_error, precise.gradient_error)
    assert np.isfinite(bounds).all()


@pytest.mark.parametrize("discounts", [{}, ENDS])
@pytest.mark.parametrize("which", [0, 1])
def test_the_gradient_is_that_of_finite_differences(which, discounts):
    incentive = se.Incentive(-1.0, 1.0, (S, A, B))
    game = small_game(feasible=masks(3)[which], commitment=incentive, leader_policy=point(), **discounts)
    x = np.random.default_rng(1).uniform(-0.5, 0.5, game.commitment.shape)
    gradient, step = se.solve(game, x).gradient, 1e-5
    found = np.empty_like(gradient)
    for index in np.ndindex(x.shape):
        moved = np.zeros(x.shape)
        moved[index] = step
        high, low = (se.solve(game, x + sign * moved, tolerance=0).leader_value for sign in (1.0, -1.0))
        found[index] = (high - low) / (2 * step)
    assert np.abs(found - gradient).max() <= 1e-6 * np.abs(gradient).max()


def test_what_is_not_feasible_has_no_derivative():
    game = small_game(feasible=masks(4)[1], **ENDS)
    found = se.solve(game, point()).cotangents
    for name in ("follower_reward", "leader_reward", "transition"):
        assert (getattr(found, name)[~game.feasible] == 0.0).all(), name


def test_what_is_said_of_actions_that_are_not_feasible_is_never_read():
    feasible, x, rng = masks(5)[1], point(), np.random.default_rng(0)
    given = small_arguments(feasible=feasible)
    out = ~feasible
    other = {name: given[name].copy() for name in ("leader_reward", "follower_reward", "transition")}
    other["leader_reward"][out] = other["follower_reward"][out] = 1e140
    other["transition"][out] = rng.dirichlet(np.ones(S), size=int(out.sum()))
    one, two = (se.solve(TabularGame(**arguments), x) for arguments in (given, given | other))
    assert (one.gradient == two.gradient).all()
    assert (one.response == two.response).all()
    assert one.leader_value == two.leader_value
    assert one.gradient_error == two.gradient_error


def test_an_action_twice_is_worth_the_logarithm_of_two_and_masked_it_is_worth_nothing():
    once, temperature = small_arguments(), 0.5
    twice = {name: np.repeat(once[name], [1, 2], axis=2) for name in ("leader_reward", "follower_reward", "transition")}
    x, ends = point(), once["terminal"] > 0
    single, double = small_game(), TabularGame(**(once | twice))
    masked = double.replace(feasible=np.tile([True, True, False], (S, 1)))
    values = [se.solve(game, x).best.state_values for game in (single, double, masked)]
    assert values[2] == pytest.approx(values[0], rel=1e-14)
    more = values[1][ends] - values[0][ends]
    assert (more > 0.0).all()
    assert (more < temperature * np.log(2)).all()
    same = small_game(follower_reward=np.zeros((S, A, B)), temperature=temperature)
    copied = same.replace(**{name: np.repeat(array, 2, axis=2) for name, array in (
        ("leader_reward", same.leader_reward), ("follower_reward", same.follower_reward),
        ("transition", once["transition"]),
    )})  # fmt: skip
    apart = se.solve(copied, x).follower_values - se.solve(same, x).follower_values
    assert apart[-1] == pytest.approx(temperature * np.log(2), rel=1e-12)


@pytest.mark.parametrize("tie_break", ["optimistic", "pessimistic"])
@pytest.mark.parametrize("discounts", [{}, ENDS])
def test_the_hard_response_is_the_best_of_all_policies(tie_break, discounts):
    """Rewards are small integers, so that ties are many."""
    rng, sign = np.random.default_rng(2), 1.0 if tie_break == "optimistic" else -1.0
    for _ in range(10):
        feasible = rng.random((S, A, B)) < 0.6
        feasible[~feasible.any(axis=2), 0] = True
        rewards = {f"{who}_reward": rng.integers(0, 2, (S, A, B)).astype(float) for who in ("leader", "follower")}
        game = small_game(feasible=feasible, **rewards, **discounts)
        x = point()
        play, found = game.primitives(x), se.hard_best_response(game, x, tie_break=tie_break)
        choices = [np.flatnonzero(row) for row in feasible.reshape(-1, B)]
        policies = [np.eye(B)[np.array(each)].reshape(S, A, B) for each in itertools.product(*choices)]
        worth = [values_of(play, play.follower_reward, play.follower_discount, g) for g in policies]
        best = np.max(worth, axis=0)
        assert found.state_values == pytest.approx(best, abs=1e-10)
        assert (found.policy[~feasible] == 0.0).all()
        leaders = [
            values_of(play, sign * play.leader_reward, play.leader_discount, g) @ play.initial
            for g, value in zip(policies, worth, strict=True)
            if np.abs(value - best).max() < 1e-9
        ]
        own = values_of(play, sign * play.leader_reward, play.leader_discount, found.policy) @ play.initial
        assert own == pytest.approx(max(leaders), abs=1e-10)


def values_of(play, reward, discount, g):
    joint = play.leader_policy[..., None] * g
    moves = np.einsum("s,sab,sabt->st", play.continuing, joint, play.transition.to_dense())
    return np.linalg.solve(np.eye(len(moves)) - discount * moves, (joint * reward).sum(axis=(1, 2)))


def test_all_feasible_is_as_none_given():
    plain, given = small_game(), small_game(feasible=np.ones((S, B)))
    assert given.feasible is None
    assert (se.solve(plain, point()).gradient == se.solve(given, point()).gradient).all()


def test_contexts_have_feasible_actions_of_their_own():
    games = [small_game(feasible=mask) for mask in (*masks(6), None)]
    joint, x = combine(games, [0.2, 0.3, 0.5]), point()
    values = [se.solve(game, x).leader_value for game in games]
    assert se.solve(joint, x).leader_value == pytest.approx(np.dot([0.2, 0.3, 0.5], values), rel=1e-12)
    for k, game in enumerate(games):
        alone = one_context(joint, k)
        assert se.solve(alone, x).leader_value == pytest.approx(se.solve(game, x).leader_value, rel=1e-12)


@pytest.mark.parametrize("discounts", [{}, ENDS])
def test_play_earns_what_is_computed(discounts):
    """20,000 episodes; the mean of each player's returns is within five standard errors, false alarms 1e-6."""
    game, x = small_game(feasible=masks(7)[1], horizon=2000, **discounts), point()
    solution = se.solve(game, x)
    seen = rollout(game.under(x), solution.response, np.random.default_rng(0), episodes=20_000)
    assert game.feasible[seen.state, seen.leader_action, seen.follower_action].all()
    t = np.arange(len(seen.state)) - np.repeat(seen.offsets[:-1], np.diff(seen.offsets))
    for side, exact in (("leader", solution.leader_value), ("follower", solution.follower_reward_value)):
        paid = getattr(game, f"{side}_discount") ** t * getattr(seen, f"{side}_reward")
        returns = np.add.reduceat(paid, seen.offsets[:-1])
        assert abs(returns.mean() - exact) <= 5 * returns.std() / np.sqrt(len(returns))


def test_responses_with_actions_that_cannot_be_taken_are_not_played():
    game = small_game(feasible=BY_STATE)
    with pytest.raises(ArgumentError, match=r"for action 1 at joint state 0, leader action 0, where \[0\] are"):
        rollout(game.under(point()), np.full((S, A, B), 0.5), np.random.default_rng(0), steps=10)
