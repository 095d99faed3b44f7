"""The guided games: Gymnasium's equations without wind, the wind, the rewards, and the score of the policy."""

import numpy as np
import pytest
from gymnasium.envs.classic_control.cartpole import CartPoleEnv
from gymnasium.envs.classic_control.pendulum import PendulumEnv, angle_normalize
from scipy.linalg import solve_discrete_are

import stackelberg_envs as se
from stackelberg_envs.envs import guided_cartpole_v0 as cartpole
from stackelberg_envs.envs import guided_pendulum_v0 as pendulum
from stackelberg_envs.errors import GameError
from stackelberg_envs.games import leader_policies
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.samples import Samples, sampled_difference_vjp
from stackelberg_envs.play.rollout import rollout

IDS = ["stackelberg/GuidedCartPole-v0", "stackelberg/GuidedPendulum-v0"]
CONTEXT = np.zeros(1, np.int32)


class Uniform:
    """A response that pushes anyhow."""

    def __init__(self, limit):
        self.limit = limit

    def sample(self, rng, states, leader_actions, contexts):
        return rng.uniform(-self.limit, self.limit, size=(len(states), 1))


def one_step(game, state, wind, push):
    made = game.step(None, None, np.array([state]), CONTEXT, np.array([[wind]]), np.array([[push]]))
    return made.next_state[0], made.leader_reward[0], made.follower_reward[0], made.terminated[0]


def test_cartpole_without_wind_is_gymnasiums():
    env, game = CartPoleEnv(), se.make_game(IDS[0])
    rng = np.random.default_rng(0)
    for _ in range(200):
        env.reset(seed=0)
        state = rng.uniform(-1, 1, size=4) * (2.3, 3, 0.2, 3)
        push = rng.uniform(-1, 1)
        env.state, env.force_mag = state, 10.0 * push
        _, reward, terminated, _, _ = env.step(1)
        following, _, paid, over = one_step(game, state, 0.0, push)
        np.testing.assert_allclose(following, env.state, atol=1e-14)
        assert (paid, over) == (reward, terminated)


def test_cartpole_wind_turns_the_pole_and_leaves_the_cart_alone():
    game, state = se.make_game(IDS[0]), np.array([0.1, 0.5, 0.15, -0.3])
    calm, blown = (one_step(game, state, wind, 0.3)[0] for wind in (0.0, -0.7))
    expected = 0.02 * 20.0 * -0.7 * np.cos(0.15) ** 2
    np.testing.assert_allclose(blown - calm, [0, 0, 0, expected], atol=1e-15)


@pytest.mark.parametrize(
    ("position", "paid"), [(0.25, 0.0), (0.2501, 1.0), (0.5, 1.0), (0.7499, 1.0), (0.75, 0.0), (-0.5, 0.0)]
)
def test_cartpole_leader_is_paid_inside_the_target_after_the_step(position, paid):
    game = se.make_game(IDS[0])
    assert one_step(game, [position, 0, 0, 0], 0.0, 0.0)[1] == paid
    # 0.02 s at 5 m/s lead out of the target or into it.
    assert one_step(game, [position - 0.1, 5.0, 0, 0], 0.0, 0.0)[1] == paid


@pytest.mark.parametrize(
    ("state", "over"),
    [
        ([2.41, 0, 0, 0], True),
        ([-2.41, 0, 0, 0], True),
        ([2.39, 0, 0, 0], False),
        ([0, 0, 0.2095, 0], True),
        ([0, 0, -0.2095, 0], True),
        ([0, 0, 0.2094, 0], False),
    ],
)
def test_cartpole_fails_beyond_its_limits(state, over):
    _, _, reward, terminated = one_step(se.make_game(IDS[0]), state, 0.0, 0.0)
    assert (terminated, reward) == (over, 1.0)


def test_pendulum_without_wind_is_gymnasiums():
    env, game = PendulumEnv(), se.make_game(IDS[1])
    env.reset(seed=0)
    rng = np.random.default_rng(1)
    for _ in range(300):
        angle, speed = rng.uniform(-np.pi, np.pi), rng.uniform(-8, 8)
        torque = rng.uniform(-2.5, 2.5)  # beyond its limits too
        env.state = np.array([angle, speed])
        _, reward, _, _, _ = env.step(np.array([torque]))
        following, _, paid, over = one_step(game, [np.cos(angle), np.sin(angle), speed], 0.0, torque)
        moved, faster = env.state
        np.testing.assert_allclose(following, [np.cos(moved), np.sin(moved), faster], atol=1e-13)
        assert paid == pytest.approx(reward, abs=1e-12)
        assert not over


def test_pendulum_wind_and_the_leaders_reward():
    game = se.make_game(IDS[1])
    for angle in (0.4, -0.4, 3.0, -3.0):
        state = np.array([np.cos(angle), np.sin(angle), 0.5])
        calm, blown = (one_step(game, state, wind, 0.1) for wind in (0.0, 0.6))
        assert blown[0][2] - calm[0][2] == pytest.approx(0.05 * 2.0 * 0.6 * np.cos(angle) ** 2, abs=1e-14)
        assert blown[1] == min(0.0, -np.sin(angle))
    assert angle_normalize(np.pi) == -np.pi


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


class Regulator:
    """Balances the pole near the middle with the gain of the linearised problem, and leans against the wind it sees."""

    def __init__(self):
        step, at = 1e-6, np.zeros((1, 4))
        directions = [*np.eye(6)]
        slopes = [
            (cartpole.euler_step(at + step * d[:4], step * d[4:5], step * d[5:6]) / (2 * step))
            - (cartpole.euler_step(at - step * d[:4], -step * d[4:5], -step * d[5:6]) / (2 * step))
            for d in directions
        ]
        moves = np.concatenate(slopes).T
        inputs = moves[:, 4:5]
        costs = solve_discrete_are(moves[:, :4], inputs, np.diag([0.02, 0.02, 1.0, 0.1]), [[0.1]])
        self.gains = np.linalg.solve(0.1 + inputs.T @ costs @ inputs, inputs.T @ costs @ moves)

    def sample(self, rng, states, leader_actions, contexts):
        push = states @ self.gains[:, :4].T + leader_actions @ self.gains[:, 5:].T
        return np.clip(-push, -1.0, 1.0)


def test_wind_can_guide_a_cart_that_minds_only_its_pole():
    # 200 episodes; the standard error of the mean is below 3, and the seeds are fixed.
    game = se.make_game(IDS[0])
    earned = []
    for x in (np.zeros(5), np.array([-3.08, -1.14, 0.28, -0.87, 0.95])):
        told = rollout(game.under(x), Regulator(), np.random.default_rng(7), episodes=200)
        earned.append((told.leader_reward.sum() / 200, len(told.state) / 200))
    (nothing, alone), (guided, together) = earned
    assert alone > 199
    assert together > 195
    assert nothing < 50
    assert guided > 170


# --- the policy ----------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("spec_id", IDS)
@pytest.mark.parametrize("policy", ["linear", "mlp"])
def test_nothing_committed_is_no_wind_but_a_gradient(spec_id, policy):
    game = se.make_game(spec_id, policy=policy)
    x = np.zeros(game.commitment.shape)
    samples = recorded(game, x, episodes=1)
    assert not game.commitment.mean(x, samples.state).any()
    weights = Cotangents(leader_policy=np.sign(samples.leader_action[:, 0]))
    assert np.count_nonzero(game.commitment.vjp_at(x, samples, weights)) >= (17 if policy == "mlp" else 4)


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


@pytest.mark.parametrize("target", [(0.5, 0.5), (0.7, 0.2), (float("nan"), 1.0), (0.0, float("inf"))])
def test_bad_targets_are_refused(target):
    with pytest.raises(GameError, match="target: expected"):
        se.make_game(IDS[0], target=target)


@pytest.mark.parametrize("spec_id", IDS)
def test_equal_policy_seeds_draw_equal_networks(spec_id):
    networks = [
        se.make_game(spec_id, policy="mlp", policy_seed=seed, bound=3.0).commitment.network for seed in (1, 1, 2)
    ]
    x, states = np.full(networks[0].size, 0.1), np.full((1, networks[0].inputs), 0.5)
    first, same, other = (network.activations(x, states)[-1] for network in networks)
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).min() > 0
