"""Games on a grid against exact solutions of the games they stand for."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

import stackelberg_envs as se
from stackelberg_envs.envs import discrete_toy_v1, tax_design_v0
from stackelberg_envs.errors import ArgumentError, GameError
from stackelberg_envs.games.commitments.dynamics import DynamicsCommitment
from stackelberg_envs.games.commitments.gain import GainCommitment
from stackelberg_envs.games.discretised import _Grid
from stackelberg_envs.games.linear_forms import LinearForm, LinearNumbers, QuadraticReward, free_dynamics
from stackelberg_envs.games.linear_quadratic import LinearQuadraticGame
from stackelberg_envs.games.samples import SampledCommitment, SampledEffect
from stackelberg_envs.games.vector import BatchStep, VectorGame

RATES = np.array([0.5, 0.3, 0.2, 0.4])


def small_tax_game(hours=4, levels=3):
    """Tax design with fewer actions that reach as far."""
    game = tax_design_v0.make_game(temperature=0.3)
    rules = tax_design_v0.TaxRules(hours=hours, levels=levels, hour_step=8 / (hours - 1), good_step=5 / (levels - 1))
    commitment = tax_design_v0.TaxSchedule(rules, game.households.preferences, 5.0, 2.0, False)
    return game.replace(rules=rules, commitment=commitment)


def test_tax_design_by_density_comes_close_to_its_oracle_and_closer_on_a_finer_grid():
    game = small_tax_game()
    exact = game.solve(RATES)
    errors = []
    for points in (41, 81):
        table = se.discretise(game, np.linspace(-100, 100, points), samples=1)
        assert table.commitment.by_density
        assert table.shape == (points, 1, 108)
        assert table.num_contexts == 2
        solution = se.solve(table, RATES)
        errors.append(
            (abs(solution.leader_value - exact.leader_value), abs(solution.follower_value - exact.follower_value))
        )
    assert errors[0][0] < 0.1
    assert errors[0][1] < 0.5
    # The kink of the utility costs the square of the spacing; the drawn initial assets leave about 0.005.
    assert errors[1][0] < 0.5 * errors[0][0]
    assert errors[1][1] < 0.5 * errors[0][1]


def test_gradient_of_tax_design_on_a_grid():
    game = small_tax_game(hours=3, levels=2)
    table = se.discretise(game, np.linspace(-100, 100, 41), samples=1)
    gradient, exact = se.solve(table, RATES).gradient, game.solve(RATES).gradient
    np.testing.assert_allclose(gradient, exact, atol=0.05 * np.abs(exact).max())
    shift = 1e-4 * np.eye(4)[0]
    quotient = (se.solve(table, RATES + shift).leader_value - se.solve(table, RATES - shift).leader_value) / 2e-4
    assert gradient[0] == pytest.approx(quotient, rel=1e-5)


def test_tax_design_by_sampling():
    """Noise wider than the spacing, from 400 draws: a rough answer, and a rougher one from 20."""
    game = small_tax_game(hours=3, levels=2)
    exact = game.solve(RATES)
    errors = []
    for samples in (20, 400):
        table = se.discretise(game, np.linspace(-80, 80, 41), transition="sampling", samples=samples)
        assert not table.commitment.by_density
        errors.append(abs(se.solve(table, RATES).leader_value - exact.leader_value))
    assert errors[1] < 0.05 * abs(exact.leader_value)
    assert errors[1] < 0.5 * errors[0]


def linear_game(leader_noise=None):
    """One dimension: the leader configures the dynamics, or plays with the given noise and no noise of the process."""
    plays, one = leader_noise is not None, np.ones((1, 1))
    basis = free_dynamics(1, 1)
    if not plays:
        basis[0, 1] = 1.0 / 3
    form = LinearForm(
        basis=basis,
        gains=np.array([[[0.0]], [[1.0]]]) if plays else np.zeros((2, 0, 1)),
        follower_action_size=1,
        leader_noise=leader_noise**2 * one if plays else np.zeros((0, 0)),
    )
    numbers = LinearNumbers(
        weights=np.array([0.9]),
        follower_input=0.5 * one,
        leader_input=0.4 * one if plays else np.zeros((1, 0)),
        noise=(0.0 if plays else 0.3**2) * one,
        state_cost=one,
        action_cost=0.5 * one,
        initial_mean=np.array([1.5]),
        initial_covariance=0.01 * one,
    )
    commitment = (
        GainCommitment((1, 1), 1.0, leader_noise)
        if plays
        else DynamicsCommitment(form, numbers.weights, numbers.follower_input, numbers.noise, np.zeros(1), np.ones(1))
    )
    return LinearQuadraticGame(
        commitment=commitment,
        form=form,
        numbers=numbers,
        reward=QuadraticReward(0.5 * one, 0.2 * one),
        leader_discount=0.8,
        follower_discount=0.9,
        temperature=0.5,
        horizon=50,
    )


def test_a_linear_quadratic_game_by_density():
    game, x = linear_game(), np.array([0.4])
    exact = game.solve(x)
    errors = []
    for points in (9, 21, 61):
        table = se.discretise(game, np.linspace(-6, 6, points), actions=np.linspace(-9, 9, points), samples=1)
        solution = se.solve(table, x)
        assert table.commitment.by_density == (points > 9)
        errors.append(
            abs(solution.leader_value - exact.leader_value) + abs(solution.follower_value - exact.follower_value)
        )
    # Density where the noise is as wide as the spacing allows, else sampling, which spreads.
    assert errors[2] < 0.02 < errors[1] < 0.15 < errors[0]
    assert solution.gradient == pytest.approx(exact.gradient, rel=0.01)


def test_a_linear_quadratic_game_in_which_the_leader_plays():
    game, x = linear_game(leader_noise=0.5), np.array([[-0.4]])
    exact, errors = game.solve(x), []
    for points in (21, 81):
        actions, leader = np.linspace(-7, 7, points), np.linspace(-3, 3, 25)
        table = se.discretise(game, np.linspace(-5, 5, points), actions=actions, leader_actions=leader, samples=1)
        assert table.shape == (points, 25, points)
        solution = se.solve(table, x)
        errors.append(
            (abs(solution.leader_value - exact.leader_value), abs(solution.follower_value - exact.follower_value))
        )
    assert errors[1][0] < 0.1 * errors[0][0]
    assert errors[1][0] < 0.02
    assert errors[1][1] < 0.05
    policy = table.primitives(x).leader_policy
    np.testing.assert_allclose(policy.sum(axis=1), 1.0)
    # Of 1,000 draws, which sharing among neighbours spreads a little more.
    np.testing.assert_allclose(policy @ leader, -0.4 * table.commitment.grid.points[:, 0], atol=4.5 * 0.52 / 1000**0.5)


@dataclass(frozen=True, eq=False, kw_only=True)
class Walk(VectorGame):
    """Steps of one to the left or right, from 1; over at 3, which pays x; every step costs 0.1."""

    @cached_property
    def state_space(self):
        return Box(np.zeros(1, np.float32), np.full(1, 3, np.float32))

    @cached_property
    def follower_action_space(self):
        return Discrete(2)

    def initial_states(self, rng, contexts):
        return np.ones((len(contexts), 1))

    def step(self, rng, x, states, contexts, leader_actions, follower_actions):
        after = np.clip(states + 2 * follower_actions - 1, 0, 3)
        over = after[:, 0] >= 3
        return BatchStep(after, 1.0 * over, x[0] * over - 0.1, over)


class Prize(SampledCommitment):
    """What is paid for the end."""

    def effect_at(self, x, samples):
        return SampledEffect(follower_reward=x[0] * (samples.next_state[:, 0] >= 3))


WALK = Walk(commitment=Prize(0.0, 2.0, (1,)), leader_discount=0.9, follower_discount=0.8, temperature=0.2, horizon=30)


def test_a_game_whose_episodes_end():
    """Soft value iteration on the three states by hand; the end is worth nothing, entropy included."""
    table = se.discretise(WALK, np.arange(4.0), samples=1)
    assert table.shape == (5, 1, 2)
    for prize in (0.3, 2.0):
        values, leader = np.zeros(4), np.zeros(4)
        for _ in range(300):
            q = -0.1 + 0.8 * np.stack([values[[0, 0, 1]], values[[1, 2, 3]]], axis=1)
            q[2, 1] += prize
            values[:3] = 0.2 * np.log(np.exp(q / 0.2).sum(axis=1))
            policy = np.exp((q - values[:3, None]) / 0.2)
            leader_q = 0.9 * np.stack([leader[[0, 0, 1]], leader[[1, 2, 3]]], axis=1)
            leader_q[2, 1] += 1.0
            leader[:3] = (policy * leader_q).sum(axis=1)
        solution = se.solve(table, [prize])
        assert solution.follower_value == pytest.approx(values[1], abs=1e-9)
        assert solution.leader_value == pytest.approx(leader[1], abs=1e-9)
    shift = 1e-4
    quotient = (se.solve(table, [1 + shift]).leader_value - se.solve(table, [1 - shift]).leader_value) / (2 * shift)
    assert se.solve(table, [1.0]).gradient[0] == pytest.approx(quotient, rel=1e-6)


def test_an_end_that_appears_only_under_some_commitments_is_refused_by_name():
    class Late(Walk):
        def step(self, rng, x, states, contexts, leader_actions, follower_actions):
            made = super().step(rng, x, states, contexts, leader_actions, follower_actions)
            return BatchStep(made.next_state, made.leader_reward, made.follower_reward, made.terminated & (x[0] == 1.5))

    game = Late(
        commitment=Prize(0.0, 2.0, (1,)), leader_discount=0.9, follower_discount=0.8, temperature=0.2, horizon=9
    )
    table = se.discretise(game, np.arange(4.0), samples=1)
    assert table.shape == (4, 1, 2)
    with pytest.raises(GameError, match="expected no end"):
        table.primitives([1.5])


def test_equal_seeds_give_equal_games_and_other_seeds_others():
    game = small_tax_game(hours=2, levels=2)
    tables = [
        se.discretise(game, np.linspace(-50, 50, 11), transition="sampling", samples=4, seed=seed) for seed in (0, 0, 1)
    ]
    first, same, other = (table.primitives(RATES).transition.probabilities for table in tables)
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_the_initial_distribution_is_that_of_the_drawn_states():
    few, many = (
        se.discretise(small_tax_game(hours=2, levels=2), [[-50.0, 50.0]], samples=1, initial_samples=samples)
        for samples in (1, 10_000)
    )
    # The two corners share a drawn asset a by (50 - a) / 100 and (50 + a) / 100; assets begin around 0, +- 2.
    np.testing.assert_allclose(many.initial, 0.5, atol=1e-3)
    assert not np.allclose(few.initial, 0.5, atol=1e-3)


def test_multilinear_weights_keep_means():
    grid = _Grid.of([np.array([0.0, 1.0, 4.0]), np.array([-1.0, 2.0])], 2, "grid")
    states = np.array([[0.25, 0.0], [3.0, 2.0], [4.0, -1.0], [9.0, 0.5]])
    index, weight = grid.corners(states)
    np.testing.assert_allclose(weight.sum(axis=1), 1.0)
    means = (weight[:, :, None] * grid.points[index]).sum(axis=1)
    np.testing.assert_allclose(means, [[0.25, 0.0], [3.0, 2.0], [4.0, -1.0], [4.0, 0.5]], atol=1e-15)


def test_volumes_are_those_of_the_trapezoid_rule():
    grid = _Grid.of([np.array([0.0, 1.0, 4.0]), np.array([-1.0, 2.0])], 2, "grid")
    np.testing.assert_allclose(grid.volumes, np.outer([0.5, 2.0, 1.5], [1.5, 1.5]).ravel())


@pytest.mark.parametrize(
    ("game", "arguments", "match"),
    [
        (discrete_toy_v1.make_game(), {"grid": [0.0, 1.0]}, "expected a VectorGame"),
        (linear_game(), {"grid": [0.0, 1.0]}, "actions: expected axes"),
        (linear_game(), {"grid": [[0.0, 1.0], [0.0, 1.0]], "actions": [0.0, 1.0]}, "grid: expected 1 axes"),
        (linear_game(), {"grid": [1.0, 0.0], "actions": [0.0, 1.0]}, "rising"),
        (linear_game(), {"grid": [0.0, 1.0], "actions": [0.0, np.nan]}, "finite"),
        (linear_game(), {"grid": [0.0, 1.0], "actions": [0.0, 1.0], "leader_actions": [0.0, 1.0]}, "leader_actions"),
        (linear_game(), {"grid": [0.0, 1.0], "actions": [0.0, 1.0], "transition": "guess"}, "transition: expected"),
        (linear_game(), {"grid": [0.0, 1.0], "actions": [0.0, 1.0], "samples": 0}, "samples"),
        (linear_game(0.5), {"grid": [0.0, 1.0], "actions": [0.0, 1.0]}, "leader_actions"),
        (WALK, {"grid": [0.0, 1.0], "actions": [0.0, 1.0]}, "expected None for discrete"),
        (WALK, {"grid": [0.0, 1.0], "transition": "density"}, "gives no density"),
    ],
)
def test_what_it_refuses(game, arguments, match):
    with pytest.raises(ArgumentError, match=match):
        se.discretise(game, **arguments)
