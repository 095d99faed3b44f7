"""Leaders' policies on vectors: the score, the law of an action, and networks."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.envs import guided_cartpole_v0 as cartpole
from stackelberg_envs.envs import guided_pendulum_v0 as pendulum
from stackelberg_envs.errors import GameError
from stackelberg_envs.games import leader_policies
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.samples import Samples, sampled_difference_vjp
from stackelberg_envs.play.rollout import rollout

IDS = ["stackelberg/GuidedCartPole-v0", "stackelberg/GuidedPendulum-v0"]


class Uniform:
    """A response that pushes anyhow."""

    def __init__(self, limit):
        self.limit = limit

    def sample(self, rng, states, leader_actions, contexts):
        return rng.uniform(-self.limit, self.limit, size=(len(states), 1))


def recorded(game, x, episodes=6):
    limit = float(game.follower_action_space.high[0])
    told = rollout(game.under(x), Uniform(limit), np.random.default_rng(3), episodes=episodes)
    context = np.repeat(told.context, np.diff(told.offsets))
    return Samples(told.state, told.leader_action, told.follower_action, told.next_state, context)


@pytest.mark.parametrize("spec_id", IDS)
@pytest.mark.parametrize(
    "arguments",
    [{}, {"policy": "mlp"}, {"policy": "mlp", "hidden": (5, 3)}, {"scale": 0.7}],
)
def test_the_score_is_the_derivative_of_the_log_likelihood(spec_id, arguments):
    game = se.make_game(spec_id, **arguments)
    rng = np.random.default_rng(4)
    clipped = []
    for reach in (0.05, 4.0):
        x = rng.uniform(-reach, reach, size=game.commitment.shape)
        samples = recorded(game, x)
        clipped += (np.abs(samples.leader_action[:, 0]) == 1).tolist()
        weights = Cotangents(leader_policy=rng.standard_normal(len(samples)))
        exact = game.commitment.vjp_at(x, samples, weights)
        differences = sampled_difference_vjp(game.commitment, x, samples, weights, step=1e-7)
        np.testing.assert_allclose(exact, differences, rtol=2e-5, atol=1e-4 * np.abs(exact).max())
    assert 0.01 < np.mean(clipped) < 0.99


def test_the_score_has_mean_zero_and_the_variance_of_its_information():
    # 200,000 draws at a mean near the upper bound, so that a third is clipped; 5 standard errors each: 1.2e-6.
    mean, scale, low, high = np.array(0.9), 0.25, np.array(-1.0), np.array(1.0)
    drawn = np.clip(mean + scale * np.random.default_rng(5).standard_normal(200_000), low, high)
    score = leader_policies.censored_score(drawn, mean, scale, low, high)
    assert abs(score.mean()) < 5 * score.std() / np.sqrt(len(drawn))
    step = 1e-4
    curvature = (
        -(
            leader_policies.censored_log_density(drawn, mean + step, scale, low, high)
            - 2 * leader_policies.censored_log_density(drawn, mean, scale, low, high)
            + leader_policies.censored_log_density(drawn, mean - step, scale, low, high)
        )
        / step**2
    )
    gap = score**2 - curvature
    assert abs(gap.mean()) < 5 * gap.std() / np.sqrt(len(drawn)) + 1e-3


def test_the_law_of_the_action_sums_to_one():
    inner = np.linspace(-1.0, 1.0, 20_001)[1:-1]
    mean, scale, low, high = np.array(-0.8), 0.4, np.array(-1.0), np.array(1.0)
    density = np.exp(leader_policies.censored_log_density(inner, mean, scale, low, high))
    atoms = np.exp(leader_policies.censored_log_density(np.array([-1.0, 1.0]), mean, scale, low, high))
    assert density.sum() * (inner[1] - inner[0]) + atoms.sum() == pytest.approx(1.0, abs=2e-4)


@pytest.mark.parametrize("mean", [-1e4, -30.0, 30.0, 1e4])
def test_far_means_have_finite_scores(mean):
    actions = np.array([-1.0, 0.3, 1.0])
    for function in (leader_policies.censored_score, leader_policies.censored_log_density):
        assert np.isfinite(function(actions, np.full(3, mean), 0.2, np.array(-1.0), np.array(1.0))).all()


def test_a_linear_policy_is_linear_in_the_scaled_state():
    game = se.make_game(IDS[0])
    x = np.array([1.0, -2.0, 0.5, 0.25, 0.125])
    state = np.array([[1.2, 1.0, 0.1, -0.6]])
    expected = 1.2 / 2.4 - 2 * 1.0 / 2.0 + 0.5 * 0.1 / cartpole.MAX_ANGLE - 0.25 * 0.6 / 2 + 0.125
    assert game.commitment.mean(x, state)[0, 0] == pytest.approx(expected)
    assert pendulum.make_game().commitment.shape == (4,)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"policy": "cubic"}, "policy: expected 'linear' or 'mlp', got 'cubic'"),
        ({"policy": "mlp", "hidden": ()}, "hidden: expected the units"),
        ({"policy": "mlp", "hidden": (0,)}, "hidden: expected an integer of at least 1, got 0"),
        ({"scale": 0.0}, "scale: expected a number greater than 0"),
        ({"bound": -1.0}, "bound: expected a number greater than 0"),
    ],
)
@pytest.mark.parametrize("spec_id", IDS)
def test_bad_policies_are_refused(spec_id, changes, match):
    with pytest.raises(GameError, match=match):
        se.make_game(spec_id, **changes)


@pytest.mark.parametrize("spec_id", IDS)
def test_equal_policy_seeds_draw_equal_networks(spec_id):
    networks = [
        se.make_game(spec_id, policy="mlp", policy_seed=seed, bound=3.0).commitment.network for seed in (1, 1, 2)
    ]
    x, states = np.full(networks[0].size, 0.1), np.full((1, networks[0].inputs), 0.5)
    first, same, other = (network.activations(x, states)[-1] for network in networks)
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).min() > 0
