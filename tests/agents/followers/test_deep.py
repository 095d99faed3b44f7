"""Followers with networks: soft DQN and SAC against exact answers. What needs torch is skipped without it."""

import sys
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, MultiDiscrete

import agents
from agents.followers import follower_class
from agents.followers.action_values import ActionTable
from agents.followers.deep import episode_steps
from agents.followers.experience import Copies, Replay
from agents.followers.sac import ActionBox, GaussianPolicy, Sac, SacConfig
from agents.followers.soft_dqn import SoftDqn, SoftDqnConfig
from agents.runs.records import load_record
from agents.state.tree import from_bytes, to_bytes
from stackelberg_envs.envs import bilevel_lqr_v0, building_thermal_v0, discrete_toy_v0
from stackelberg_envs.errors import ArgumentError, ConvergenceError, MissingExtraError
from stackelberg_envs.games.samples import SampledCommitment, SampledEffect
from stackelberg_envs.games.vector import BatchStep, VectorGame

MOVES, TASTES = (-1, 0, 1), (0.3, -0.2)
NOTHING = np.zeros((1, 0))


class Bonus(SampledCommitment):
    """x[0] is paid for the second part of the action, x[1] is the probability that the leader acts."""

    changes = frozenset({"follower_reward", "leader_policy"})

    def __init__(self):
        super().__init__([-1.0, 0.0], [1.0, 1.0])

    def effect_at(self, x, samples):
        acts = samples.leader_action[:, 0]
        policy = np.log(np.where(acts > 0, x[1], 1.0 - x[1]))
        return SampledEffect(leader_policy=policy, follower_reward=x[0] * samples.follower_action[:, 1])


@dataclass(frozen=True, eq=False, kw_only=True)
class Line(VectorGame):
    """Five places on a line at distance ten. A step moves by -1, 0 or 1; at the right end the episode ends."""

    @property
    def state_space(self):
        return Box(-20.0, 20.0, (1,))

    @property
    def follower_action_space(self):
        return MultiDiscrete([3, 2])

    @property
    def leader_action_space(self):
        return Box(0.0, 1.0, (1,))

    def initial_states(self, rng, contexts):
        return 10.0 * rng.integers(-2, 3, size=(len(contexts), 1)).astype(float)

    def leader_actions(self, rng, x, states, contexts):
        return (rng.random((len(states), 1)) < x[1]).astype(float)

    def step(self, rng, x, states, contexts, leader_actions, follower_actions):
        place, acts = states[:, 0] / 10.0, leader_actions[:, 0]
        reward = pay(x, place, acts, np.asarray(TASTES)[contexts], follower_actions)
        # One move in five slips.
        moves = np.where(rng.random(len(states)) < 0.2, 0, np.asarray(MOVES)[follower_actions[:, 0]])
        following = np.clip(place + moves, -2, 2)
        return BatchStep(10.0 * following[:, None], acts, reward, place == 2)


def pay(x, place, acts, taste, actions):
    return taste * place * (1 - acts) + x[0] * actions[..., 1] - 0.3 * acts * actions[..., 0]


DEVIATION = 0.5


def mean_of_next(states, actions):
    return 0.9 * states + (actions[..., 0] - 1.0) - 0.2 * actions[..., 1]


@dataclass(frozen=True, eq=False, kw_only=True)
class Balance(Line):
    """A number with normal noise that is best kept at the taste: an action pays nothing now, only later."""

    def step(self, rng, x, states, contexts, leader_actions, follower_actions):
        made = super().step(rng, x, states, contexts, leader_actions, follower_actions)
        following = mean_of_next(states[:, 0], follower_actions) + DEVIATION * rng.standard_normal(len(states))
        reward = -0.3 * (states[:, 0] - np.asarray(TASTES)[contexts]) ** 2
        return BatchStep(following[:, None], made.leader_reward, reward, np.zeros(len(states), bool))

    def initial_states(self, rng, contexts):
        return 2.0 * rng.standard_normal((len(contexts), 1))


LINE = Line(
    commitment=Bonus(), leader_discount=0.8, follower_discount=0.8, temperature=0.2, horizon=30,
    context_probabilities=[0.5, 0.5],
)  # fmt: skip
BALANCE = Balance(
    commitment=Bonus(), leader_discount=0.8, follower_discount=0.8, temperature=0.2, horizon=30,
    context_probabilities=[0.5, 0.5],
)  # fmt: skip
X = np.array([0.1, 0.4])


def exact_policy(x=X):
    """Return the best response, shape (2, 5, 2, 6), by soft value iteration written out."""
    places, actions = np.arange(-2, 3), ActionTable(LINE.follower_action_space).actions
    q = np.zeros((2, 5, 2, 6))
    for _ in range(200):
        soft = 0.2 * np.log(np.exp(q / 0.2).sum(axis=-1))
        ahead = soft @ [1 - x[1], x[1]]
        for k in range(2):
            for i, place in enumerate(places):
                for b, action in enumerate(actions):
                    moved = ahead[k, np.clip(i + MOVES[action[0]], 0, 4)]
                    expected = 0.0 if place == 2 else 0.8 * (0.8 * moved + 0.2 * ahead[k, i])
                    for a in range(2):
                        q[k, i, a, b] = pay(x, place, a, TASTES[k], action) + expected
    weights = np.exp((q - q.max(axis=-1, keepdims=True)) / 0.2)
    return weights / weights.sum(axis=-1, keepdims=True)


def balanced(states, context):
    """Return the best response in Balance, shape (n, 6), by soft value iteration on a grid with quadrature."""
    grid, actions = np.linspace(-12.0, 12.0, 481), ActionTable(LINE.follower_action_space).actions
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    pays, values = -0.3 * (grid - TASTES[context]) ** 2, np.zeros(481)
    ahead = mean_of_next(grid[:, None], actions)[..., None] + DEVIATION * nodes
    for _ in range(80):
        q = pays[:, None] + 0.8 * np.interp(ahead, grid, values) @ (weights / weights.sum())
        values = 0.2 * np.log(np.exp((q - q.max(axis=1, keepdims=True)) / 0.2).sum(axis=1)) + q.max(axis=1)
    found = np.exp((q - q.max(axis=1, keepdims=True)) / 0.2)
    table = found / found.sum(axis=1, keepdims=True)
    return np.column_stack([np.interp(states, grid, column) for column in table.T])


def learned_policy(follower):
    k, place, acts = (grid.ravel() for grid in np.meshgrid(range(2), range(-2, 3), range(2), indexing="ij"))
    found = follower.policy.probabilities(10.0 * place[:, None].astype(float), acts[:, None].astype(float), k)
    return found.reshape(2, 5, 2, 6)


def distance(found, exact):
    """Return the total variation between two responses, a mean over what a follower may see."""
    return 0.5 * np.abs(found - exact).sum(axis=-1).mean()


def dqn(seed=0, **options):
    options = {"steps": 6_400, "updates": 10, "batch_size": 128, "learning_rate": 0.01, **options}
    return SoftDqn(SoftDqnConfig(**options), np.random.default_rng(seed))


def sac(seed=0, **options):
    options = {"steps": 6_400, "hidden": (32, 32), "updates": 5, "batch_size": 128, "quadratic": True, **options}
    return Sac(SacConfig(**options), np.random.default_rng(seed))


LQ = bilevel_lqr_v0.make_game()
GAIN = np.array([[-1.0, -2.0]])
QUICK = {"steps": 128, "copies": 8, "batch_size": 16, "hidden": (8,), "updates": 1}


def loss_against_the_best(game, x, policy, episodes=300, seed=5):
    """Return what the follower loses against its best response, and its standard error.

    By the identity J* - J = temperature * E sum gamma^t (log g - log g*) over the play of g.
    """
    rng, contexts, best = np.random.default_rng(seed), np.zeros(episodes, np.int32), game.solve(x).policy
    states, lost, weight = game.initial_states(rng, contexts), np.zeros(episodes), game.temperature
    while weight > 1e-4 * game.temperature:
        a = game.leader_actions(rng, x, states, contexts)
        b = policy.sample(rng, states, a, contexts)
        lost += weight * (policy.log_prob(states, a, contexts, b) - best.log_prob(states, a, contexts, b))
        states, weight = game.step(rng, x, states, contexts, a, b).next_state, weight * game.follower_discount
    return lost.mean(), lost.std() / np.sqrt(episodes)


# --- without torch ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["soft_dqn", "sac"])
def test_without_torch_the_extra_is_named_in_one_sentence(monkeypatch, name):
    monkeypatch.setitem(sys.modules, "torch", None)
    kind = follower_class(name)
    with pytest.raises(MissingExtraError, match=rf"^{name}: .* `pip install 'stackelberg-envs\[torch\]'` installs$"):
        kind(kind.Config(), np.random.default_rng(0))


def test_the_replay_memory_keeps_the_latest():
    replay = Replay(5)
    for i in range(4):
        replay.add({"reward": np.array([2.0 * i, 2.0 * i + 1])})
    assert len(replay) == 5
    assert replay.rows["reward"].dtype == np.float32
    drawn = replay.sample(np.random.default_rng(0), 300)["reward"]
    assert sorted(set(drawn)) == [3, 4, 5, 6, 7]
    replay.clear()
    assert len(replay) == 0
    replay.add({"reward": np.array([9.0])})
    assert set(replay.sample(np.random.default_rng(0), 20)["reward"]) == {9}


def test_copies_record_what_happens_and_begin_anew():
    rng = np.random.default_rng(3)
    follower_like = EvenMoves()
    copies = Copies(LINE, 50, 7, rng)
    copies.announce(LINE, X, rng)
    cut = 0
    for _ in range(30):
        before, clocks = copies.states.copy(), copies.clocks.copy()
        rows = copies.step(LINE, X, follower_like, rng)
        np.testing.assert_array_equal(rows["state"], before)
        over = rows["terminated"] | (clocks + 1 >= 7)
        np.testing.assert_array_equal(rows["terminated"], before[:, 0] == 20)
        np.testing.assert_array_equal(copies.states[~over], rows["next_state"][~over])
        np.testing.assert_array_equal(copies.leader_actions[~over], rows["next_leader_action"][~over])
        np.testing.assert_array_equal(copies.clocks, np.where(over, 0, clocks + 1))
        cut += (over & ~rows["terminated"]).sum()
    assert cut > 50


class EvenMoves:
    def sample(self, rng, states, leader_actions, contexts):
        return rng.integers([3, 2], size=(len(states), 2))


def test_copies_begin_anew_where_the_discount_has_faded():
    assert episode_steps(LINE, None) == 21  # 0.8^21 < 0.01 < 0.8^20
    assert episode_steps(LINE, 3) == 3
    assert episode_steps(LINE.replace(follower_discount=0.99), None) == LINE.horizon
    assert episode_steps(LINE.replace(follower_discount=0.0), None) == LINE.horizon


@pytest.mark.parametrize("space", [Discrete(4), Discrete(3, start=2), MultiDiscrete([3, 2, 4])])
def test_the_table_of_actions_has_each_once(space):
    table = ActionTable(space)
    assert len(np.unique(table.actions, axis=0)) == len(table) == len(np.unique(table.features, axis=0))
    assert all(space.contains(a if len(a) > 1 else a[0]) for a in table.actions)
    np.testing.assert_array_equal(table.index(table.actions), np.arange(len(table)))


def test_too_many_actions_are_refused():
    with pytest.raises(ArgumentError, match="expected at most 20,000 joint actions, got 1,000,000"):
        ActionTable(MultiDiscrete([100, 100, 100]))


@pytest.mark.parametrize("low", [-3.0, -np.inf])
def test_densities_of_actions_integrate_to_one(low):
    high = 1.0 if low > -np.inf else np.inf
    box = ActionBox(Box(np.array([low], np.float32), np.array([high], np.float32)), 0.7)
    actions = np.linspace(max(low, -8.0), 1.0 if low > -np.inf else 8.0, 200_001)[:, None]
    density = np.exp(GaussianPolicy(None, box, None, None).log_prob(actions, NOTHING, NOTHING, actions))
    assert (density[1:] + density[:-1]).sum() / 2 * (actions[1] - actions[0]) == pytest.approx(1.0, abs=1e-3)


def test_numbers_and_actions_are_each_others_inverse():
    box = ActionBox(Box(np.array([-1.0, -np.inf, 2.0], np.float32), np.array([1.0, np.inf, 8.0], np.float32)), 1.5)
    y = np.random.default_rng(0).normal(size=(20, 3))
    np.testing.assert_allclose(box.numbers(box.actions(y)), y, rtol=1e-6)
    step = 1e-6
    slopes = (box.actions(y + step) - box.actions(y - step)) / (2 * step)
    np.testing.assert_allclose(box.log_slope(y), np.log(slopes).sum(axis=1), rtol=1e-5)
    assert np.isfinite(box.numbers(np.array([[1.0, 0.0, 2.0]]))).all()


def test_spaces_that_do_not_fit_name_the_follower_that_does():
    with pytest.raises(ArgumentError, match=r"soft_dqn: expected a Discrete or MultiDiscrete action space.*try sac"):
        ActionTable(LQ.follower_action_space)
    with pytest.raises(ArgumentError, match=r"sac: expected a Box of actions.*try soft_dqn"):
        ActionBox(LINE.follower_action_space, 1.0)


@pytest.mark.parametrize(("low", "high"), [(0.0, np.inf), (-np.inf, 1.0)])
def test_sac_refuses_a_box_that_is_bounded_on_one_side(low, high):
    space = Box(np.array([-1.0, low], np.float32), np.array([1.0, high], np.float32))
    follower = SimpleNamespace(config=SacConfig())  # a real one wants torch
    with pytest.raises(ArgumentError, match=r"sac: .*on both sides or on neither, got .* at entry 1; try sb3"):
        Sac.even(follower, SimpleNamespace(follower_action_space=space))


def test_what_sac_draws_lies_in_the_box_to_the_last_digit():
    low, high = np.array([0.1, -0.3, 1.0], np.float32), np.array([0.7, 0.1, 1.0 + 2**-20], np.float32)
    box, y = ActionBox(Box(low, high), 1.0), np.array([[-1e9] * 3, [1e9] * 3, [0.0] * 3])
    drawn = box.actions(y)
    assert (drawn >= low).all()
    assert (drawn <= high).all()


# --- with torch ------------------------------------------------------------------------------------------


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="the extra torch is not installed")


@pytest.mark.parametrize("options", [{}, {"huber": 3.0}])
def test_soft_dqn_finds_the_best_response(torch, options):
    follower = dqn(**options)
    assert follower.learn(LINE.under(X)) == 6_400
    found, exact = learned_policy(follower), exact_policy()
    # What it would be to ignore the context, the leader's action, or to act evenly.
    for axis in (0, 2, 3):
        assert distance(exact.mean(axis=axis, keepdims=True), exact) > 0.15
    assert distance(found, exact) < 0.12
    states, a, k = np.array([[10.0]] * 1000), np.ones((1000, 1)), np.ones(1000, np.int32)
    b = follower.policy.sample(np.random.default_rng(1), states, a, k)
    expected = np.log(found[1, 3, 1, follower.policy.table.index(b)])
    np.testing.assert_allclose(follower.policy.log_prob(states, a, k, b), expected, rtol=1e-4)
    far = np.array([[1e6]])
    every = follower.policy.table.actions
    assert np.isfinite(follower.policy.log_prob(*(np.repeat(v, 6, axis=0) for v in (far, [[0.0]], [0])), every)).all()
    # 1,000 draws; each frequency is within 4.5 standard deviations, at most 0.071: a false alarm in 1e5.
    frequency = np.bincount(follower.policy.table.index(b), minlength=6) / 1000
    np.testing.assert_allclose(frequency, found[1, 3, 1], atol=0.071)


@pytest.mark.parametrize("afterstates", [False, True])
def test_soft_dqn_acts_for_what_comes_later(torch, afterstates):
    follower, states = dqn(afterstates=afterstates, steps=12_800), np.linspace(-3.0, 3.0, 25)
    follower.learn(BALANCE.under(X))
    for context in range(2):
        exact = balanced(states, context)
        found = follower.policy.probabilities(states[:, None], np.zeros((25, 1)), np.full(25, context))
        assert distance(np.full_like(exact, 1 / 6), exact) > 0.4
        assert distance(found, exact) < (0.08 if afterstates else 0.12)


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


def test_shown_the_commitment_it_knows_what_was_true_when(torch):
    follower, other = dqn(observe_commitment=True), np.array([-0.9, 0.4])
    follower.learn(LINE.under(X))
    follower.learn(LINE.under(other))
    assert distance(learned_policy(follower), exact_policy(other)) < 0.15
    first = learned_policy(follower)
    follower.policy.shown = follower._inputs.commitment(X)
    assert np.abs(learned_policy(follower) - first).max() > 0.2


def test_sac_finds_the_exact_response_of_a_linear_quadratic_game(torch):
    follower = sac()
    assert follower.learn(LQ.under(GAIN)) == 6_400
    lost, error = loss_against_the_best(LQ, GAIN, follower.policy)
    assert lost + 4 * error > 0.0
    assert lost < 0.05  # its value is -2.18


@dataclass(frozen=True, eq=False, kw_only=True)
class Dearer(Balance):
    """The same in other units: all the follower's rewards are so many times as large."""

    times: float = 1.0

    def step(self, rng, x, states, contexts, leader_actions, follower_actions):
        made = super().step(rng, x, states, contexts, leader_actions, follower_actions)
        return replace(made, follower_reward=self.times * made.follower_reward)


@pytest.mark.parametrize("options", [{}, {"afterstates": True, "huber": 2.0}])
@pytest.mark.parametrize("times", [2.0**-332, 2.0**-8, 2.0**332])
def test_what_dqn_learns_depends_on_no_unit(torch, times, options):
    found = []
    for scale in (1.0, times):
        game = replace_game(BALANCE, Dearer, times=scale, temperature=0.2 * scale)
        follower = dqn(**{**QUICK, "steps": 512}, **options)
        follower.learn(game.under(X))
        states, acts = np.linspace(-3.0, 3.0, 7)[:, None], np.zeros((7, 1))
        found.append(follower.policy.probabilities(states, acts, np.zeros(7, np.int32)))
    np.testing.assert_array_equal(found[1], found[0])
    assert np.ptp(found[0], axis=1).max() > 1e-3


@pytest.mark.parametrize("times", [2.0**-100, 2.0**100])
def test_what_sac_learns_depends_on_no_unit(torch, times):
    found = []
    for scale in (1.0, times):
        numbers = replace(LQ.numbers, **{n: scale * getattr(LQ.numbers, n) for n in ("state_cost", "action_cost")})
        game = LQ.replace(numbers=numbers, temperature=scale * LQ.temperature)
        follower = sac(**{**QUICK, "steps": 512})
        follower.learn(game.under(GAIN))
        states = np.random.default_rng(0).standard_normal((5, 2))
        found.append(follower.policy.moments(states, states @ GAIN.T, np.zeros(5, np.int32)))
    np.testing.assert_array_equal(found[1], found[0])


def replace_game(game, kind, **changes):
    names = ("commitment", "leader_discount", "follower_discount", "temperature", "horizon", "context_probabilities")
    return kind(**{**{name: getattr(game, name) for name in names}, **changes})


@pytest.mark.parametrize(("make", "game", "x"), [(dqn, LINE, X), (sac, LQ, GAIN)])
def test_what_was_stored_learns_on_bit_for_bit(torch, make, game, x):
    follower, twin = make(**QUICK), make(seed=8, **QUICK)
    follower.learn(game.under(x))
    twin.game = game
    twin.load_state_dict(from_bytes(to_bytes(follower.state_dict())))
    for player in (follower, twin):
        player.learn(game.under(0.5 * x))
    for first, second in zip(follower.trained(), twin.trained(), strict=True):
        np.testing.assert_array_equal(first.network.parameters, second.network.parameters)
        np.testing.assert_array_equal(first.target.parameters, second.target.parameters)
    contexts = np.zeros(20, np.int32)
    states, a = game.initial_states(np.random.default_rng(0), contexts), np.zeros((20, 1))
    actions = [p.policy.sample(np.random.default_rng(1), states, a, contexts) for p in (follower, twin)]
    np.testing.assert_array_equal(*actions)


@pytest.mark.parametrize(("name", "game"), [("soft_dqn", LINE), ("sac", LQ)])
def test_runs_with_it_can_be_stopped_and_resumed(torch, name, game, tmp_path):
    options = {"leader": "naive", "follower": name, "follower_options": QUICK, "updates": 3, "steps_per_update": 60}

    def stop(progress):
        raise KeyboardInterrupt

    whole = agents.run(game, **options)
    assert whole.status == "finished"
    assert whole.follower_steps == 3 * 128
    agents.run(game, **options, output=tmp_path, progress=stop)
    resumed = agents.run(game, resume=tmp_path)
    np.testing.assert_array_equal(resumed.commitment, whole.commitment)
    np.testing.assert_array_equal(resumed.curve["observed_return"], whole.curve["observed_return"])


def test_a_policy_stays_as_it_was_when_learning_goes_on(torch):
    follower = dqn(**QUICK)
    follower.learn(LINE.under(X))
    policy, before = follower.policy, learned_policy(follower)
    follower.learn(LINE.under(X))
    assert follower.policy is not policy
    assert np.abs(learned_policy(follower) - before).max() > 0
    follower.policy = policy
    np.testing.assert_array_equal(learned_policy(follower), before)


def test_networks_and_memory_are_kept_or_begun_anew(torch):
    for restart, keep_replay, expected in ((False, True, 384), (False, False, 128), (True, True, 128)):
        follower = dqn(**QUICK, restart=restart, keep_replay=keep_replay)
        for _ in range(3):
            assert follower.learn(LINE.under(X)) == 128
        assert len(follower.replay) == expected


def test_the_first_commitment_may_have_more_steps(torch):
    follower = dqn(**{**QUICK, "first_steps": 401})
    assert follower.learn(LINE.under(X)) == 408  # whole steps of eight copies
    assert follower.learn(LINE.under(X)) == 128


@pytest.mark.parametrize(("make", "game", "x"), [(dqn, LINE, X), (sac, LQ, GAIN)])
def test_memory_episodes_and_learning_rate_have_the_sizes_that_are_asked_for(torch, make, game, x):
    follower = make(**QUICK, replay_size=50, episode_steps=3, learning_rate=0.01, last_rate=0.5)
    for _ in range(2):  # the first steps after the first commitment only look at the game
        follower.learn(game.under(x))
    assert len(follower.replay) == 50
    assert follower.copies.clocks.max() < 3
    # The last of 16 steps of all copies begins when 15 are done.
    assert {part.optimizer.learning_rate for part in follower.trained()} == {0.01 * 0.5 ** (15 / 16)}


def test_targets_are_computed_anew_so_often_and_for_so_many_transitions(torch, monkeypatch):
    refresh, taken = SoftDqn._refresh, []

    def noted(follower, game):
        refresh(follower, game)
        taken.append(follower._taken)

    monkeypatch.setattr(SoftDqn, "_refresh", noted)
    follower = dqn(**QUICK, target_every=4, target_rows=40)
    follower.learn(LINE.under(X))
    taken.clear()
    follower.learn(LINE.under(X))  # 16 gradient steps
    assert taken == [40] * 4


@pytest.mark.parametrize(("make", "game", "x"), [(dqn, LINE, X), (sac, LQ, GAIN)])
def test_networks_that_diverge_are_an_error(torch, make, game, x):
    follower = make(**QUICK)
    follower.learn(game.under(x))
    before = follower.policy
    follower.trained()[-1].network.parameters[:] = np.float32(1e30)
    with pytest.raises(ConvergenceError, match=f"^{follower.name}: expected a finite gradient"):
        follower.learn(game.under(x))
    assert follower.policy is before


def test_a_run_whose_network_diverges_stops_with_what_it_had(torch, monkeypatch, tmp_path):
    learn = Sac.adapt

    def ruin_the_second(self, view):
        if not self.fresh:
            self._parts[1].network.parameters[:] = np.nan
        return learn(self, view)

    monkeypatch.setattr(Sac, "adapt", ruin_the_second)
    with pytest.raises(ConvergenceError, match=r"^sac: expected a finite gradient"):
        agents.run(
            LQ, leader="naive", follower="sac", follower_options=QUICK, updates=5, steps_per_update=20,
            evaluate_every=0, output=tmp_path,
        )  # fmt: skip
    record = load_record(tmp_path)
    assert record.status == "failed"
    assert record.observed_steps == 20
    assert np.isfinite(record.commitment).all()


@pytest.mark.parametrize("name", ["soft_dqn", "sac"])
def test_tabular_games_are_refused(torch, name):
    kind, game = follower_class(name), discrete_toy_v0.make_game()
    with pytest.raises(ArgumentError, match=f"{name}.*states are vectors"):
        kind(kind.Config(), np.random.default_rng(0)).learn(game.under(np.full((3, 2), 0.5)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps: expected an integer of at least 1, got 0"),
        ({"episode_steps": 0}, "episode_steps: expected an integer of at least 1, got 0"),
        ({"hidden": (64, 0)}, r"hidden: expected a list of integers of at least 1, at least one, got \(64, 0\)"),
        ({"hidden": ()}, r"hidden: expected a list of integers of at least 1, at least one, got \(\)"),
        ({"hidden": 64}, "hidden: expected a list of integers of at least 1, at least one, got 64"),
        ({"learning_rate": float("nan")}, "learning_rate: expected a number in"),
        ({"last_rate": 0.0}, "last_rate: expected a number in"),
        ({"target_rate": 1.5}, "target_rate: expected a number in"),
        ({"observe_commitment": "no"}, "observe_commitment: expected True or False"),
        ({"exploration": 2.0}, "exploration: expected a probability, got 2.0"),
        ({"afterstates": 1}, "afterstates: expected True or False"),
        ({"huber": 0.0}, "huber: expected a number greater than 0, got 0"),
        ({"target_rows": 0}, "target_rows: expected an integer of at least 1, got 0"),
        ({"target_every": 0}, "target_every: expected an integer of at least 1, got 0"),
    ],
)
def test_bad_options_are_refused_by_name(torch, options, message):
    with pytest.raises(ArgumentError, match=message):
        dqn(**options)


@pytest.mark.deep
def test_sac_in_the_building(torch):
    game, x = building_thermal_v0.make_game(), np.full(8, 0.5)
    follower = sac(steps=40_000, hidden=(64, 64), action_scale=5.0, learning_rate=3e-3, target_rate=0.05)
    follower.learn(game.under(x))
    lost, error = loss_against_the_best(game, x, follower.policy)
    assert lost - 4 * error < 0.05 * abs(game.solve(x).follower_value)
