"""The households' policy draws what its density says."""

import numpy as np
import pytest
from scipy import stats

from stackelberg_envs.envs import tax_design_v0

GAME = tax_design_v0.make_game()


HOUSES = tax_design_v0.make_game(num_households=2)


UNEVEN = np.array([0.7, 0.2, 1.1, 0.4])


FALSE_ALARM = 1e-5


def test_the_policy_draws_what_it_says():
    """A rich household: in want of money the only purchase is none at all."""
    policy, n = GAME.replace(temperature=0.3).solve(UNEVEN).policy, 200_000
    states, nothing, contexts = np.full((n, 1), 45.0), np.zeros((n, 0)), np.ones(n, np.int32)
    everything = np.stack(np.indices((10, 5, 5, 5)).reshape(4, -1), axis=1)
    log_p = policy.log_prob(states[:1250], nothing[:1250], contexts[:1250], everything)
    assert np.exp(log_p).sum() == pytest.approx(1.0)
    drawn = policy.sample(np.random.default_rng(6), states, nothing, contexts)
    counts = np.bincount(np.ravel_multi_index(tuple(drawn.T), (10, 5, 5, 5)), minlength=1250)
    expected = n * np.exp(log_p)
    often = expected > 20
    seen = np.append(counts[often], counts[~often].sum())
    meant = np.append(expected[often], expected[~often].sum())
    assert stats.chisquare(seen, meant * seen.sum() / meant.sum()).pvalue > FALSE_ALARM


def test_policies_of_both_ways_to_have_types_are_one():
    n = 20
    assets, kinds = np.random.default_rng(7).uniform(-20, 20, n), np.arange(n) % 2
    actions = np.random.default_rng(8).integers((10, 5, 5, 5), size=(n, 4))
    nothing = np.zeros((n, 0))
    first = GAME.solve(UNEVEN).policy.log_prob(assets[:, None], nothing, kinds, actions)
    second = HOUSES.solve(UNEVEN).policy.log_prob(np.column_stack([assets, kinds]), nothing, np.zeros(n), actions)
    np.testing.assert_array_equal(first, second)
    assert GAME.solve(UNEVEN).leader_value == HOUSES.solve(UNEVEN).leader_value
