"""Each kernel against a few lines of NumPy, and rollouts against the distributions they draw from."""

import numpy as np
import pytest
from scipy import stats

from stackelberg_envs import kernels
from stackelberg_envs.envs import random_tabular_v0

#: Each statistical test below rejects a correct sampler once in 10^5 seeds; the seeds are fixed.
FALSE_ALARM = 1e-5


@pytest.fixture
def game():
    parts = random_tabular_v0.make_game(S=6, A=2, B=3, K=2, terminal=1, commitment="policy", seed=4)
    return parts.primitives(np.full((6, 2), 0.5))


@pytest.fixture
def lists(game):
    return game.transition.successors, game.transition.probabilities


@pytest.fixture
def joint_policy(game):
    rng = np.random.default_rng(0)
    return game.leader_policy[:, :, None] * rng.dirichlet(np.ones(3), size=(12, 2))


@pytest.mark.parametrize("temperature", [0.0, 1e-3, 0.3, 10.0])
def test_soft_bellman_backup_equals_numpy(game, lists, temperature):
    values = np.random.default_rng(1).standard_normal(12)
    q, soft, out = np.empty((12, 2, 3)), np.empty((12, 2)), np.empty(12)
    residual, largest = kernels.soft_bellman_backup(
        game.follower_reward,
        *lists,
        game.leader_policy,
        game.continuing,
        0.9,
        temperature,
        values,
        q,
        soft,
        out,
    )
    ahead = game.continuing[:, None, None] * (game.transition.to_dense() @ values)
    expected = game.follower_reward + 0.9 * ahead
    np.testing.assert_allclose(q, expected, atol=1e-14)
    top = expected.max(axis=2)
    if temperature:
        top = top + temperature * np.log(np.exp((expected - top[:, :, None]) / temperature).sum(axis=2))
    np.testing.assert_allclose(soft, top, atol=1e-13)
    np.testing.assert_allclose(out, (game.leader_policy * top).sum(axis=1), atol=1e-13)
    assert residual == np.abs(out - values).max()
    assert largest == np.abs(out).max()


def test_policy_band_is_the_matrix_in_band_storage(game, lists, joint_policy):
    lower, upper = game.transition.band
    rows = np.full((12, 2 * lower + upper + 1), np.nan)
    kernels.policy_band(joint_policy, *lists, game.continuing, lower + upper, rows)
    matrix = game.continuing[:, None] * np.einsum("sab,sabt->st", joint_policy, game.transition.to_dense())
    expected = [
        [rows[t, lower + upper + s - t] if -upper <= s - t <= lower else 0.0 for t in range(12)] for s in range(12)
    ]
    np.testing.assert_allclose(expected, matrix, atol=1e-15)
    assert rows.sum() == pytest.approx(matrix.sum())


@pytest.mark.parametrize("temperature", [1e-3, 0.3, 10.0])
def test_gibbs_policy_equals_a_softmax(temperature):
    q = np.random.default_rng(2).standard_normal((4, 2, 3))
    out = np.empty(q.shape)
    values = q.max(axis=2)
    kernels.gibbs_policy(q, values, temperature, out)
    weights = np.exp((q - values[:, :, None]) / temperature)
    np.testing.assert_allclose(out, weights / weights.sum(axis=2, keepdims=True), atol=1e-15)


def test_policy_matrix_equals_numpy_block_by_block(game, lists, joint_policy):
    out = np.full((2, 6, 6), np.nan)
    kernels.policy_matrix(joint_policy, *lists, game.continuing, out)
    full = np.einsum("sab,sabt->st", joint_policy, game.transition.to_dense()) * game.continuing[:, None]
    np.testing.assert_allclose(out[0], full[:6, :6], atol=1e-15)
    np.testing.assert_allclose(out[1], full[6:, 6:], atol=1e-15)
    assert not full[:6, 6:].any()


def test_policy_matrix_data_lists_the_same_entries(game, lists, joint_policy):
    out = np.empty(lists[1].size)
    kernels.policy_matrix_data(joint_policy, lists[1], game.continuing, out)
    expected = game.continuing[:, None, None, None] * joint_policy[..., None] * lists[1]
    np.testing.assert_allclose(out, expected.ravel(), atol=1e-16)


def test_next_values_equals_numpy(game, lists):
    values = np.random.default_rng(3).standard_normal(12)
    out = np.empty((12, 2, 3))
    kernels.next_values(*lists, values, out)
    np.testing.assert_allclose(out, game.transition.to_dense() @ values, atol=1e-14)


def test_push_flow_is_the_adjoint_of_next_values(game, lists):
    rng = np.random.default_rng(4)
    flow, values = rng.standard_normal((12, 2, 3)), rng.standard_normal(12)
    pushed, ahead = np.empty(12), np.empty((12, 2, 3))
    kernels.push_flow(flow, *lists, game.continuing, pushed)
    kernels.next_values(*lists, values, ahead)
    alive = game.continuing[:, None, None] * flow
    assert pushed @ values == pytest.approx((alive * ahead).sum(), rel=1e-12)
    np.testing.assert_allclose(pushed, np.einsum("sab,sabt->t", alive, game.transition.to_dense()), atol=1e-14)


# --- rollouts ------------------------------------------------------------------------------------------


class Rollout:
    def __init__(self, game, response, steps, horizon=20, episodes=None, seed=0):
        episodes = steps if episodes is None else episodes
        self.states, self.a, self.b, self.next = (np.full(steps, -1, dtype=np.int32) for _ in range(4))
        offsets = np.zeros(episodes + 1, dtype=np.int64)
        self.steps, self.episodes = kernels.rollout(
            np.random.default_rng(seed),
            np.cumsum(game.initial),
            game.leader_policy,
            response,
            game.transition.successors,
            game.transition.probabilities,
            game.continuing,
            horizon,
            episodes,
            self.states,
            self.a,
            self.b,
            self.next,
            offsets,
        )
        self.offsets = offsets[: self.episodes + 1]
        self.lengths = np.diff(self.offsets)

    def returns(self, rewards, discount):
        since = np.arange(self.steps) - np.repeat(self.offsets[:-1], self.lengths)
        paid = discount**since * rewards[self.states, self.a, self.b][: self.steps]
        return np.add.reduceat(paid, self.offsets[:-1])


@pytest.fixture
def response():
    return np.random.default_rng(5).dirichlet(np.ones(3), size=(12, 2))


def finite_horizon_value(game, response, horizon):
    joint = game.leader_policy[:, :, None] * response
    kernel = game.continuing[:, None] * np.einsum("sab,sabt->st", joint, game.transition.to_dense())
    reward = (joint * game.leader_reward).sum(axis=(1, 2))
    here, total = game.initial, 0.0
    for t in range(horizon):
        total += game.leader_discount**t * here @ reward
        here = here @ kernel
    return total


def test_mean_return_is_the_finite_horizon_value(game, response):
    play = Rollout(game, response, 300_000)
    returns = play.returns(game.leader_reward, game.leader_discount)[:-1]
    error = (returns.mean() - finite_horizon_value(game, response, 20)) / stats.sem(returns)
    assert abs(error) < stats.norm.isf(FALSE_ALARM / 2)


def assert_drawn_from(counts, probabilities):
    """Chi-square at the stated false-alarm rate; impossible outcomes must not occur at all."""
    assert not counts[probabilities == 0].any()
    positive = probabilities > 0
    if positive.sum() > 1:
        expected = counts.sum() * probabilities[positive]
        assert stats.chisquare(counts[positive], expected).pvalue > FALSE_ALARM


def test_initial_states_actions_and_moves_follow_their_distributions(game, response):
    play = Rollout(game, response, 200_000)
    assert_drawn_from(np.bincount(play.states[play.offsets[:-1]], minlength=12), game.initial)
    state = np.bincount(play.states).argmax()
    here = play.states == state
    assert_drawn_from(np.bincount(play.a[here], minlength=2), game.leader_policy[state])
    chosen = here & (play.a == 1)
    assert_drawn_from(np.bincount(play.b[chosen], minlength=3), response[state, 1])
    alive = np.flatnonzero(game.continuing)
    moved = np.isin(play.states, alive) & (play.b == 2) & (play.a == 0) & (play.states == alive[0])
    kernel = game.transition.to_dense()[alive[0], 0, 2]
    assert_drawn_from(np.bincount(play.next[moved], minlength=12), kernel)


def test_draws_are_right_to_a_thousandth():
    """One state, a million draws: a bias of 0.003 in any probability would be seen six times out of six."""
    game = random_tabular_v0.make_game(S=1, A=1, B=4, branching=1).primitives(np.zeros(4))
    response = np.array([[[0.1, 0.0, 0.6, 0.3]]])
    play = Rollout(game, response, 1_000_000, horizon=1_000_000, episodes=1)
    assert_drawn_from(np.bincount(play.b, minlength=4), response[0, 0])


def test_each_state_follows_from_the_one_before(game, response):
    play = Rollout(game, response, 5_000, horizon=7)
    inside = np.ones(play.steps, dtype=bool)
    inside[play.offsets[:-1]] = False
    assert (play.states[1:][inside[1:]] == play.next[:-1][inside[1:]]).all()
    assert play.lengths.max() == 7
    assert (play.states // 6 == play.next // 6).all()  # the context stays


def test_a_terminal_state_is_visited_once_and_ends_the_episode(game, response):
    play = Rollout(game, response, 5_000, horizon=50)
    ended = game.continuing[play.states] == 0
    assert ended.any()
    assert (play.next[ended] == play.states[ended]).all()
    last = np.zeros(play.steps, dtype=bool)
    last[play.offsets[1:] - 1] = True
    assert last[ended].all()
    assert (play.lengths[~ended[play.offsets[1:] - 1]][:-1] == 50).all()


@pytest.mark.parametrize("steps", [1, 33, 1000])
def test_the_last_episode_is_cut_when_the_arrays_are_full(game, response, steps):
    play = Rollout(game, response, steps)
    longer = Rollout(game, response, 2_000)
    assert play.steps == play.offsets[-1] == steps
    assert (play.states == longer.states[:steps]).all()


def test_play_stops_after_the_wanted_number_of_episodes(game, response):
    play = Rollout(game, response, 1_000, horizon=5, episodes=3)
    assert play.episodes == 3
    assert play.steps == play.offsets[-1] <= 15
    assert (play.states[play.steps :] == -1).all()


def test_a_horizon_of_one_plays_one_step_an_episode(game, response):
    play = Rollout(game, response, 50, horizon=1)
    assert (play.lengths == 1).all()


def test_a_seed_gives_the_same_play_and_another_seed_another(game, response):
    first, again, other = (Rollout(game, response, 500, seed=seed) for seed in (1, 1, 2))
    assert (first.states == again.states).all()
    assert (first.b == again.b).all()
    assert (first.states != other.states).any()


def test_actions_of_probability_zero_are_never_drawn(game):
    sure = np.zeros((12, 2, 3))
    sure[..., 1] = 1.0
    play = Rollout(game, sure, 2_000)
    assert (play.b == 1).all()


@pytest.fixture
def saving():
    """Assets, and what the kernels of saving problems take: five groups, W in three pieces on [-2, 2]."""
    rng = np.random.default_rng(11)
    pieces = rng.standard_normal((3, 6))
    return rng.uniform(-2, 2, 40), (2 * rng.standard_normal(5), rng.standard_normal(5), pieces, -2.0, 2.0, 0.9, 0.3)


def gibbs_of_groups(assets, displacement, rewards, pieces, low, high, discount, temperature):
    place = (np.clip(assets[:, None] + displacement, low, high) - low) * len(pieces) / (high - low)
    n = np.minimum(place.astype(int), len(pieces) - 1)
    ahead = (pieces[n] * (place - n)[:, :, None] ** np.arange(6)).sum(axis=2)
    weights = np.exp((rewards + discount * ahead) / temperature)
    return weights / weights.sum(axis=1, keepdims=True)


def test_log_probabilities_of_groups_equal_numpy(saving):
    assets, arguments = saving
    expected = gibbs_of_groups(assets, *arguments)
    for g in range(5):
        out = np.empty(40)
        kernels.group_log_probabilities(np.full(40, g), assets, *arguments, out)
        np.testing.assert_allclose(np.exp(out), expected[:, g], atol=1e-12)


def test_groups_are_drawn_by_the_inverse_of_their_distribution(saving):
    assets, arguments = saving
    u, out = np.random.default_rng(12).random(40), np.empty(40, np.int64)
    kernels.draw_groups(u, assets, *arguments, out)
    reached = np.cumsum(gibbs_of_groups(assets, *arguments), axis=1)
    np.testing.assert_array_equal(out, (reached < u[:, None]).sum(axis=1))


def test_scattered_terms_equal_numpy():
    rng = np.random.default_rng(13)
    first, amount = rng.integers(0, 7, (4, 5)), rng.standard_normal((4, 5))
    weights = tuple(rng.standard_normal((3, 4, 5)))
    out, expected = np.zeros((4, 9)), np.zeros((4, 9))
    kernels.scatter_terms(first, weights, amount, out)
    for term, weight in enumerate(weights):
        np.add.at(expected, (np.arange(4)[:, None], first + term), amount * weight)
    np.testing.assert_allclose(out, expected)


# --- slices ------------------------------------------------------------------------------------


def in_slices(monkeypatch, size, do):
    monkeypatch.setattr(kernels, "SLICE", size)
    return do()


def test_rollouts_in_slices_are_those_in_one(monkeypatch, game, lists, joint_policy):
    response = joint_policy / joint_policy.sum(axis=2, keepdims=True)

    def play(steps, episodes):
        arrays = [np.full(steps, -1, dtype=np.int32) for _ in range(4)]
        offsets = np.full(steps + 1, -1, dtype=np.int64)
        rng = np.random.default_rng(1)
        fixed = (np.cumsum(game.initial), game.leader_policy, response, *lists, game.continuing, 9)
        return [*kernels.rollout(rng, *fixed, episodes, *arrays, offsets), *arrays, offsets, rng.random()]

    for steps, episodes in ((500, 500), (500, 20), (37, 500)):
        whole = play(steps, episodes)
        for size in (1, 7, 36, 37):
            for one, other in zip(in_slices(monkeypatch, size, lambda: play(steps, episodes)), whole, strict=True):  # noqa: B023
                np.testing.assert_array_equal(one, other)


def test_groups_in_slices_are_those_in_one(monkeypatch):
    rng = np.random.default_rng(2)
    assets, uniforms = rng.random(50), rng.random(50)
    fixed = (rng.random(5), rng.random(5), rng.random((4, 6)), 0.0, 1.0, 0.9, 3.0)

    def draw():
        out, logarithms = np.zeros(50, dtype=np.int64), np.zeros(50)
        kernels.draw_groups(uniforms, assets, *fixed, out)
        kernels.group_log_probabilities(out, assets, *fixed, logarithms)
        return out, logarithms

    whole = draw()
    for one, other in zip(in_slices(monkeypatch, 7, draw), whole, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(np.unique(whole[0])) == 5
