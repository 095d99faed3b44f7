"""The estimate in expectation: the exact hypergradient of the counted game, and far less noisy than single episodes."""

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.estimators.counts import TabularCounts
from agents.estimators.expected import counted_primitives, known_part, response_shift
from agents.leaders import leader_class
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from stackelberg_envs.envs import random_tabular_v1


def estimates(leader_name, game, updates, steps, **options):
    """Return the cosines with the exact hypergradient of a leader's last estimates, at commitments near each other."""
    kind = leader_class(leader_name)
    brief = make_brief(game, kind.required_information(game.commitment, kind.Config()))
    leader = kind(brief, kind.Config(**options), np.random.default_rng(0))
    rng, theta, found = np.random.default_rng(1), leader.theta, []
    for update in range(updates):
        theta = theta + 0.1 * rng.standard_normal(theta.size)
        leader.theta = theta
        solution = se.solve(game, leader.commit())
        seen = agents.collect(game, solution.x, solution.response, steps=steps, rng=update)
        dx, _ = leader.gradient(seen)
        u, v = (brief.parametrisation.vjp(theta, g) for g in (dx, np.asarray(solution.gradient)))
        found.append(u @ v / np.linalg.norm(u) / np.linalg.norm(v))
    return np.array(found[updates // 2 :])


@pytest.mark.parametrize("commitment", ["features", "policy"])
def test_it_points_the_right_way_from_little_play(commitment):
    game = random_tabular_v1.make_game(S=20, commitment=commitment, seed=11)
    expected = np.median(estimates("bchg", game, 20, 400))
    published = np.median(estimates("bchg", game, 20, 400, **leader_class("bchg").presets["published"]))
    assert expected > 0.9
    assert expected > published + 0.1


def test_what_was_never_seen_is_known_to_nobody():
    game = random_tabular_v1.make_game(S=5, A=2, B=3, seed=0)
    brief = make_brief(game, Information.REWARDS_OBSERVED)
    counts = TabularCounts(brief.table_shape)
    policy = np.zeros(brief.table_shape)
    policy[:, :, :2] = 0.5
    x = brief.parametrisation(np.zeros(brief.parametrisation.size))
    counts.observe(agents.collect(game, x, policy, steps=3_000, rng=0), {"leader": None})
    even = np.full(brief.table_shape, 1 / 3)
    np.testing.assert_allclose(known_part(even, counts.visits), policy)
    games = [counted_primitives(brief, counts, brief.effect(y), 0.2) for y in (x, x + 0.1)]
    shift = response_shift(*games, even, counts)
    assert (shift[:, :, 2] == 0.0).all()
    assert np.abs(shift[:, :, :2]).max() > 0.0


@pytest.mark.parametrize("leader", ["bchg", "naive"])
@pytest.mark.parametrize("commitment", ["features", "policy"])
def test_what_is_added_to_all_rewards_alike_changes_nothing(leader, commitment):
    """Most is never seen here: 200 states, two updates of 250 steps. It must not count as worth nothing."""
    game = random_tabular_v1.make_game(S=200, commitment=commitment, seed=4)
    ends = []
    for offset in (0.0, 50.0, -50.0):
        moved = game.replace(
            leader_reward=game.leader_reward + offset, follower_reward=game.follower_reward - 2.0 * offset
        )
        record = agents.run(moved, leader=leader, updates=20, steps_per_update=250, seed=3, evaluate_every=0)
        ends.append(record.commitment)
    np.testing.assert_allclose(ends[1], ends[0], atol=1e-6)
    np.testing.assert_allclose(ends[2], ends[0], atol=1e-6)


def test_with_announced_dynamics_too_the_average_takes_the_place_of_what_was_never_seen():
    games = [random_tabular_v1.make_game(S=12, seed=seed) for seed in (5, 6)]
    game = games[0].replace(commitment=se.TransitionMixture([each.transition.to_dense() for each in games]))
    ends = [
        agents.run(
            game.replace(leader_reward=game.leader_reward + offset),
            leader="bchg", updates=12, steps_per_update=60, seed=3, evaluate_every=0,
        ).commitment
        for offset in (0.0, 50.0)
    ]  # fmt: skip
    np.testing.assert_allclose(ends[1], ends[0], atol=1e-6)
