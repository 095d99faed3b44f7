"""What guided games have in common: initial states, and nothing committed."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.samples import Samples
from stackelberg_envs.play.rollout import rollout

IDS = ["stackelberg/GuidedCartPole-v0", "stackelberg/GuidedPendulum-v0"]


class Uniform:
    """A response that pushes anyhow."""

    def __init__(self, limit):
        self.limit = limit

    def sample(self, rng, states, leader_actions, contexts):
        return rng.uniform(-self.limit, self.limit, size=(len(states), 1))


def test_initial_states_fill_their_boxes():
    rng = np.random.default_rng(0)
    many = np.zeros(4000, np.int32)
    carts = se.make_game(IDS[0]).initial_states(rng, many)
    assert 0.0499 < np.abs(carts).max() <= 0.05
    swings = se.make_game(IDS[1]).initial_states(rng, many)
    np.testing.assert_allclose(swings[:, 0] ** 2 + swings[:, 1] ** 2, 1.0)
    # Four quadrants of the angle, 1,000 each; 5 standard deviations: false-alarm rate 4 * 6e-7.
    counts = np.histogram(np.arctan2(swings[:, 1], swings[:, 0]), bins=4, range=(-np.pi, np.pi))[0]
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(4000 * 0.25 * 0.75)
    assert 0.99 < np.abs(swings[:, 2]).max() <= 1.0


def recorded(game, x, episodes=6):
    limit = float(game.follower_action_space.high[0])
    told = rollout(game.under(x), Uniform(limit), np.random.default_rng(3), episodes=episodes)
    context = np.repeat(told.context, np.diff(told.offsets))
    return Samples(told.state, told.leader_action, told.follower_action, told.next_state, context)


@pytest.mark.parametrize("spec_id", IDS)
@pytest.mark.parametrize("policy", ["linear", "mlp"])
def test_nothing_committed_is_no_wind_but_a_gradient(spec_id, policy):
    game = se.make_game(spec_id, policy=policy)
    x = np.zeros(game.commitment.shape)
    samples = recorded(game, x, episodes=1)
    assert not game.commitment.mean(x, samples.state).any()
    weights = Cotangents(leader_policy=np.sign(samples.leader_action[:, 0]))
    assert np.count_nonzero(game.commitment.vjp_at(x, samples, weights)) >= (17 if policy == "mlp" else 4)
