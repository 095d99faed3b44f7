"""Critics against the exact values of the behaviour they watch."""

from dataclasses import replace

import numpy as np
import pytest

from agents.estimators import EvaluationTask, make_critic
from agents.estimators.counts import TabularCounts
from agents.runs.collection import collect
from stackelberg_envs.envs import discrete_toy_v1, random_tabular_v1
from stackelberg_envs.errors import UnknownNameError
from stackelberg_envs.games.commitments.transition_mixture import TransitionMixture
from stackelberg_envs.solvers.solving import solve

X = np.zeros(4)


@pytest.fixture(scope="module")
def game():
    return random_tabular_v1.make_game(
        S=5,
        A=2,
        B=2,
        terminal=1,
        leader_discount=0.8,
        follower_discount=0.7,
        temperature=1.0,
        horizon=60,
        seed=1,
    )


@pytest.fixture(scope="module")
def solution(game):
    return solve(game, X)


@pytest.fixture(scope="module")
def seen(game, solution):
    return collect(game, X, solution.response, steps=200_000, rng=0)


class Watcher:
    """A critic with counts of its own, as a leader keeps them."""

    def __init__(self, name, shape, discount, **options):
        self.counts = TabularCounts(shape, **options)
        self.critic = make_critic(name, self.counts, discount)

    def update(self, seen, player, policy, behaviour, bonus=None, announced=None):
        self.counts.observe(seen, {player: announced})
        return self.critic.update(EvaluationTask(seen, player, policy, behaviour, bonus, announced))

    @property
    def q(self):
        return self.critic.q


# Tolerances are about five times the error seen at this fixed seed; a critic off by a discount or a
# missing terminal flag is off by 0.3 and more.
@pytest.mark.parametrize(("name", "tolerance"), [("lstd", 0.03), ("monte_carlo", 0.1), ("expected_sarsa", 0.15)])
def test_leader_values_are_learned(game, solution, seen, name, tolerance):
    critic = Watcher(name, solution.best.q.shape, game.leader_discount)
    policy = solution.primitives.leader_policy
    for _ in range(3):
        critic.update(seen, "leader", policy, solution.best.policy)
    visited = solution.flows.occupancy[:, None, None] * solution.leader.joint_policy > 0.03
    assert visited.sum() > 6
    np.testing.assert_allclose(critic.q[visited], solution.leader_q[visited], atol=tolerance)


@pytest.mark.parametrize(("name", "tolerance"), [("lstd", 0.03), ("monte_carlo", 0.1), ("expected_sarsa", 0.1)])
def test_soft_follower_values_are_learned_from_its_rewards_and_entropy(game, solution, seen, name, tolerance):
    critic = Watcher(name, solution.best.q.shape, game.follower_discount)
    bonus = -game.temperature * np.log(solution.best.policy)
    for _ in range(3):
        critic.update(seen, "follower", solution.primitives.leader_policy, solution.best.policy, bonus=bonus)
    visited = solution.flows.occupancy > 0.05
    values = np.einsum("zab,zab->za", solution.best.policy, critic.q + bonus)
    np.testing.assert_allclose(values[visited], solution.follower_values[visited], atol=tolerance)


def test_lstd_on_deterministic_dynamics_is_exact_once_everything_was_seen():
    game = discrete_toy_v1.make_game(temperature=1.0)
    x = np.full((3, 2), 0.5)
    solution = solve(game, x)
    seen = collect(game, x, solution.response, episodes=50, rng=0)
    critic = Watcher("lstd", (3, 2, 3), game.leader_discount)
    critic.update(seen, "leader", solution.primitives.leader_policy, solution.best.policy)
    np.testing.assert_allclose(critic.q, solution.leader_q, atol=1e-7)


def test_lstd_takes_the_known_part_of_rewards_out_and_puts_the_present_one_back():
    game = discrete_toy_v1.make_game(temperature=1.0)
    x = np.full((3, 2), 0.5)
    solution = solve(game, x)
    seen = collect(game, x, solution.response, episodes=50, rng=0)
    policy, z = solution.primitives.leader_policy, seen.joint_state
    one, two = (np.random.default_rng(i).standard_normal((3, 2, 3)) for i in (1, 2))
    index = (z, seen.leader_action, seen.follower_action)
    moved = Watcher("lstd", (3, 2, 3), 0.9)
    first, second = (replace(seen, leader_reward=seen.leader_reward + part[index]) for part in (one, two))
    moved.update(first, "leader", policy, solution.best.policy, announced=one)
    moved.update(second, "leader", policy, solution.best.policy, announced=two)
    fresh = Watcher("lstd", (3, 2, 3), 0.9)
    fresh.update(second, "leader", policy, solution.best.policy)
    np.testing.assert_allclose(moved.q, fresh.q, atol=1e-9)


def test_an_unknown_critic_is_refused_with_the_nearest_name():
    with pytest.raises(UnknownNameError, match="unknown critic 'monte_carl'; did you mean 'monte_carlo'"):
        make_critic("monte_carl", TabularCounts((1, 1, 1)), 0.9)


def test_lstd_follows_dynamics_that_the_commitment_changes():
    game = random_tabular_v1.make_game(S=5, A=1, B=2, leader_discount=0.8, temperature=1.0, horizon=60, seed=1)
    kernels = [random_tabular_v1.make_game(S=5, A=1, B=2, seed=seed).transition.to_dense() for seed in (2, 3)]
    mixed = game.replace(transition=None, commitment=TransitionMixture(np.array(kernels)))
    errors = {}
    for stationary in (True, False):
        critic = Watcher("lstd", (5, 1, 2), 0.8, stationary=stationary)
        for weight in (0.95, 0.05):
            x = np.array([[weight, 1.0 - weight]])
            solution = solve(mixed, x)
            seen = collect(mixed, x, solution.response, steps=50_000, rng=0)
            critic.update(seen, "leader", solution.primitives.leader_policy, solution.best.policy)
        errors[stationary] = np.abs(critic.q - solution.leader_q).max()
    assert errors[False] < 0.15
    assert errors[True] > 2 * errors[False]
