import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.followers.logit_equilibrium import LogitEquilibrium
from agents.followers.several import make_follower
from stackelberg_envs.errors import ArgumentError
from tests.games import interacting_game


def test_it_plays_the_equilibrium_and_leaders_that_only_try_commitments_work():
    game = interacting_game()
    record = agents.run(game, leader="zero_order", updates=3, seed=0)
    x = record.commitment
    assert record.leader_value == pytest.approx(se.solve(game, x).leader_value, abs=1e-9)


def test_one_object_plays_them_all():
    """So that it solves once, and their play is that of one game."""
    game = interacting_game()
    options = {"leader": "random_search", "updates": 1, "steps_per_update": 41}
    found = make_follower(LogitEquilibrium, LogitEquilibrium.Config(), np.random.default_rng(0), game)
    assert isinstance(found, LogitEquilibrium)
    assert agents.run(game, **options).observed_steps == 41


def test_other_followers_are_refused_by_name():
    with pytest.raises(ArgumentError, match="is a markov one; expected one of logit_equilibrium, sb3, soft_q_learning"):
        agents.run(interacting_game(), leader="cma_es", follower="expected_sarsa", updates=1)


def test_leaders_that_plan_in_a_model_of_one_follower_are_refused_by_name():
    with pytest.raises(ArgumentError, match="expected one of bchg, cma_es, exact, naive, random_search, zero_order"):
        agents.run(interacting_game(), leader="certainty_equivalent", updates=1)


def test_its_policies_are_tables_of_all_followers():
    game = interacting_game()
    found = LogitEquilibrium(LogitEquilibrium.Config(), np.random.default_rng(0)).show(game)
    assert found.learn(game.under([0.2, 0.4])) == 0
    np.testing.assert_allclose(found.policy, se.solve(game, [0.2, 0.4]).policy, atol=1e-12)
