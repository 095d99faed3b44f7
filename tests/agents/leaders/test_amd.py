"""AMD: exact with enough sweeps, in one update or over many."""

import numpy as np
import pytest

import agents
from agents.estimators.unrolled import Sweeps
from agents.leaders import leader_class
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from stackelberg_envs.envs import discrete_toy_v1, random_tabular_v1
from stackelberg_envs.errors import ArgumentError, InformationError
from stackelberg_envs.solvers.soft.linear import resolvent
from stackelberg_envs.solvers.solving import solve
from tests.games import TOY_OPTIMUM

KINDS = [("features", 1), ("features", 2), ("policy", 1), ("policy", 2), ("transition", 1), ("costly features", 1)]


@pytest.mark.parametrize("options", [{}, {"masked": True}, {"masked": True, "discounts": (1.0, 1.0)}], ids=str)
@pytest.mark.parametrize(("kind", "K"), KINDS)
def test_with_enough_sweeps_the_estimate_is_the_hypergradient(exact_play, kind, K, options):
    play = exact_play(kind, seed=2, K=K, **options)
    truth = play.differences()
    # Every episode ends after three steps: so do all recursions.
    np.testing.assert_allclose(play.gradient("amd", inner_iterations=4), truth, atol=1e-6 * np.abs(truth).max())


def endless(commitment, seed=0, **options):
    game = random_tabular_v1.make_game(
        S=7, A=2, B=3, commitment=commitment, leader_discount=0.9, follower_discount=0.8, temperature=0.3, seed=seed
    )
    kind = leader_class("amd")
    leader = kind(make_brief(game, Information.MODEL), kind.Config(**options), np.random.default_rng(0))
    solution = solve(game, leader.commit())
    return leader, agents.collect(game, solution.x, solution.response, steps=1, rng=0), solution.gradient


@pytest.mark.parametrize("commitment", ["features", "policy"])
@pytest.mark.parametrize("seed", range(3))
def test_the_error_falls_by_the_discount_with_every_sweep(commitment, seed):
    errors = []
    for sweeps in (40, 60, 80, 400):
        leader, seen, truth = endless(commitment, seed, inner_iterations=sweeps)
        errors.append(np.abs(leader.gradient(seen)[0] - truth).max() / np.abs(truth).max())
    assert errors[1] < 2 * 0.9**20 * errors[0]
    assert errors[2] < 2 * 0.9**20 * errors[1]
    assert errors[3] < 1e-9


def test_a_warm_start_adds_the_sweeps_of_all_updates():
    warm, seen, truth = endless("policy", inner_iterations=10)
    cold, _, _ = endless("policy", inner_iterations=10, warm=False)
    for _ in range(40):
        estimate, diagnostics = warm.gradient(seen)
        same, _ = cold.gradient(seen)
    np.testing.assert_allclose(estimate, truth, atol=1e-9 * np.abs(truth).max())
    assert np.abs(same - truth).max() > 1e-2 * np.abs(truth).max()
    assert diagnostics["response_error"] < 1e-9


def test_sweeps_reach_what_a_solver_finds():
    leader, _, _ = endless("policy")
    play = leader.brief.model.primitives(leader.commit())
    best = solve(leader.brief.model, leader.commit()).best
    joint, process = play.joint_policy(best.policy), play.leader_process._replace(discount=0.9)
    sweeps = Sweeps(joint, play.transition, play.continuing, 0.9, 400)
    solver = resolvent(process, joint)
    rhs = np.random.default_rng(0).standard_normal(7)
    np.testing.assert_allclose(sweeps.solve(rhs), solver.solve(rhs, 1e-13), atol=1e-10)
    np.testing.assert_allclose(sweeps.solve_transposed(rhs), solver.solve_transposed(rhs, 1e-13), atol=1e-10)


@pytest.mark.parametrize("reward", [1.0, 2.0])
def test_it_reaches_the_optimum_of_the_toy(reward):
    game, optimum = discrete_toy_v1.make_game(reward=reward), TOY_OPTIMUM[reward]
    for options, share in ((leader_class("amd").presets["published"], 0.9997), ({}, 0.99)):
        record = agents.run(
            game, leader="amd", leader_options=options, updates=300, steps_per_update=1, evaluate_every=0
        )
        assert record.information == "MODEL"
        assert share * optimum <= record.leader_value <= optimum + 1e-4


def test_it_needs_the_game():
    game = discrete_toy_v1.make_game()
    kind = leader_class("amd")
    with pytest.raises(InformationError, match="amd: expected the game itself"):
        kind(make_brief(game, Information.RESPONSE), kind.Config(), np.random.default_rng(0))
    with pytest.raises(ArgumentError, match="inner_iterations"):
        kind(make_brief(game, Information.MODEL), kind.Config(inner_iterations=0), np.random.default_rng(0))
