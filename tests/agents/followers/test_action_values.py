"""Values of all actions of a space at once."""

import numpy as np
import pytest
from gymnasium.spaces import Discrete, MultiDiscrete

from agents.followers.action_values import ActionTable
from stackelberg_envs.errors import ArgumentError
from tests.agents.followers.deep_games import BALANCE, DEVIATION, QUICK, X, dqn, mean_of_next


@pytest.mark.parametrize("space", [Discrete(4), Discrete(3, start=2), MultiDiscrete([3, 2, 4])])
def test_the_table_of_actions_has_each_once(space):
    table = ActionTable(space)
    assert len(np.unique(table.actions, axis=0)) == len(table) == len(np.unique(table.features, axis=0))
    assert all(space.contains(a if len(a) > 1 else a[0]) for a in table.actions)
    np.testing.assert_array_equal(table.index(table.actions), np.arange(len(table)))


def test_too_many_actions_are_refused():
    with pytest.raises(ArgumentError, match="expected at most 20,000 joint actions, got 1,000,000"):
        ActionTable(MultiDiscrete([100, 100, 100]))


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="the extra torch is not installed")


@pytest.mark.parametrize("afterstates", [False, True])
def test_values_of_all_actions_are_those_of_each(torch, afterstates):
    follower = dqn(afterstates=afterstates, **QUICK)
    follower.learn(BALANCE.under(X))
    values, batch = follower._values, follower.replay.sample(np.random.default_rng(0), 50)
    values.block = 7 * 6
    every, places = np.concatenate([q.numpy() for q in values.blocks(batch)]), values.table.index(batch["action"])
    rows = values._seen(batch)
    with torch.no_grad():
        if afterstates:
            ahead = batch["state"] + values.inputs.change * values.move.each(rows, places).numpy()
            each = values.reward.each(rows, places)[:, 0] + 0.8 * values.scale * values._worth(ahead, batch)[0, :, 0]
        else:
            each = values.pairs.each(rows, places)[:, 0]
    np.testing.assert_allclose(every[np.arange(50), places], each.numpy(), rtol=1e-4, atol=1e-5)


def test_targets_of_afterstates_lose_noise_and_no_mean(torch):
    follower = dqn(afterstates=True, steps=12_800, exploration=1.0)
    follower.learn(BALANCE.under(X))
    values, drawn = follower._values, follower.replay.sample(np.random.default_rng(2), 8_000)
    # A bent function in place of the learned value, like it: its mean after each action is known in closed form.
    following = -0.6 * drawn["next_state"][:, 0] ** 2
    exact = -0.6 * (mean_of_next(drawn["state"][:, 0], drawn["action"]) ** 2 + DEVIATION**2)
    values.take(drawn, following)
    left, before = values.scale * values._worths[:, 0] - exact, following - exact
    # Five standard errors are a false alarm in 2e6.
    assert abs(left.mean()) < 5 * before.std() / np.sqrt(8_000)
    assert left.std() < 0.7 * before.std()
