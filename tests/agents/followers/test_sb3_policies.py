"""Responses of stable-baselines3 in games of vectors; `deep`, and skipped where the package is not installed."""

import json

import numpy as np
import pytest

import agents
from agents.followers.sb3 import Sb3, Sb3Config
from agents.followers.sb3_policies import Categories, ClippedNormal, Greedy, Observations, SquashedNormal
from stackelberg_envs.envs import bilevel_lqr_v1, building_thermal_v1, guided_pendulum_v0, tax_design_v0
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.faces.gymnasium_views import FollowerEnv

GAMES = {
    "building": building_thermal_v1.make_game(horizon=20),
    "lqr": bilevel_lqr_v1.make_game(),
    "pendulum": guided_pendulum_v0.make_game(horizon=30),
    "tax": tax_design_v0.make_game(horizon=20),
}


QUICK = {
    "A2C": {},
    "DQN": {"learning_starts": 20, "batch_size": 16},
    "PPO": {"n_steps": 32, "batch_size": 32, "n_epochs": 2, "ent_coef": 0.01},
    "SAC": {"learning_starts": 20, "batch_size": 16},
    "TD3": {"learning_starts": 20, "batch_size": 16},
}


CASES = [
    ("PPO", "building", ClippedNormal),
    ("PPO", "tax", Categories),
    ("SAC", "pendulum", SquashedNormal),
    ("TD3", "pendulum", Greedy),
]


@pytest.fixture(autouse=True)
def _one_thread():
    """Networks this small gain nothing from threads, and wait for each other on a busy machine."""
    try:
        import torch
    except ImportError:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def admissible(game, seed=1):
    rng = np.random.default_rng(seed)
    low, high = (np.clip(bound, -1.0, 1.0) for bound in (game.commitment.low, game.commitment.high))
    return game.commitment.project(rng.uniform(low, high))


def make(algorithm, steps=64, **options):
    config = Sb3Config(algorithm=algorithm, steps=steps, model_options=QUICK[algorithm], **options)
    return Sb3(config, np.random.default_rng(0))


def seen(game, x, n, seed=2):
    """States, leader actions and contexts as at the beginning of n episodes."""
    rng = np.random.default_rng(seed)
    contexts = rng.integers(game.num_contexts, size=n).astype(np.int32)
    states = game.initial_states(rng, contexts)
    return states, game.leader_actions(rng, x, states, contexts), contexts


@pytest.mark.parametrize("observe_commitment", ["all", "local", "none"])
@pytest.mark.parametrize("name", GAMES)
def test_the_rows_are_what_a_follower_sees(name, observe_commitment):
    game = GAMES[name]
    env = FollowerEnv(game, commitment=admissible(game), observe_commitment=observe_commitment)
    observations, time = Observations(env), env.observation_layout["time"]
    contexts = set()
    for episode in range(6):
        observation, info = env.reset(seed=episode)
        contexts.add(info["context"])
        for _ in range(4):
            observation[time] = 0.0
            session = env.session
            shown = np.zeros((1, 0)) if session.leader_actions[0] is None else session.leader_actions[0][None]
            rows = observations(session.states[0][None], shown, np.array([session.context]))
            assert rows.dtype == np.float32
            np.testing.assert_array_equal(rows, observation[None])
            observation, *_ = env.step(env.action_space.sample())
    assert len(contexts) == game.num_contexts


@pytest.mark.deep
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("algorithm", "name", "kind"), CASES)
def test_the_response_is_that_of_the_model(algorithm, name, kind):
    pytest.importorskip("stable_baselines3")
    import torch

    game, follower = GAMES[name], make(algorithm)
    x = admissible(game)
    assert follower.learn(game.under(x)) >= 64
    policy, network = follower.policy, follower.model.policy
    assert type(policy) is kind
    batch = seen(game, x, 2_000)
    actions = policy.sample(np.random.default_rng(3), *batch)
    np.testing.assert_array_equal(actions, policy.sample(np.random.default_rng(3), *batch))
    space = game.follower_action_space
    assert actions.shape == (2_000, *space.shape)
    assert actions.dtype == (np.int64 if kind is Categories else np.float64)
    rows = policy.observations(*batch)
    if kind is Greedy:
        np.testing.assert_allclose(actions, follower.model.predict(rows, deterministic=True)[0])
        with pytest.raises(ArgumentError, match="sb3: expected an algorithm with a distribution over actions"):
            policy.log_prob(*batch, actions)
        return
    tensor, inner = torch.from_numpy(rows), np.ones(len(rows), dtype=bool)
    with torch.no_grad():
        if kind is SquashedNormal:
            mean, log_scale, _ = network.actor.get_action_dist_params(tensor)
            law = network.actor.action_dist.proba_distribution(mean, log_scale)
            squashed = torch.from_numpy(network.scale_action(actions).astype(np.float32))
            expected = law.log_prob(squashed).numpy() - np.log((space.high - space.low) / 2).sum()
            inner = (abs(squashed.numpy()) < 0.99).all(axis=1)
        else:
            law = network.get_distribution(tensor)
            expected = law.log_prob(torch.from_numpy(actions)).numpy()
        if kind is not Categories:
            inner &= ((actions > space.low) & (actions < space.high)).all(axis=1)
    assert inner.mean() > 0.5
    np.testing.assert_allclose(policy.log_prob(*batch, actions)[inner], expected[inner], atol=2e-3)


@pytest.mark.deep
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("algorithm", "name"), [("PPO", "pendulum"), ("SAC", "pendulum"), ("PPO", "tax")])
def test_actions_are_drawn_by_their_log_prob(algorithm, name):
    """Frequencies of 20,000 draws in one state; the bound is five standard errors, a false alarm in a million or so."""
    pytest.importorskip("stable_baselines3")
    game, follower, n = GAMES[name], make(algorithm), 20_000
    x = admissible(game)
    follower.learn(game.under(x))
    batch = tuple(np.repeat(part, n, axis=0) for part in seen(game, x, 1))
    drawn = follower.policy.sample(np.random.default_rng(4), *batch)

    def chance(actions):
        count = len(actions)
        return np.exp(follower.policy.log_prob(*(part[:count] for part in batch), actions))

    if name == "tax":
        # Given the last three components, the chances of the first one.
        every = np.column_stack([np.arange(10), np.tile(drawn[0, 1:], (10, 1))])
        expected = chance(every) / chance(every).sum()
        found = np.bincount(drawn[:, 0], minlength=10) / n
    else:
        # Cells inside the box, by the midpoint rule, then the bounds: atoms for PPO, nothing for SAC.
        low, high = -2.0, 2.0
        edges = np.linspace(low, high, 11)
        fine = (np.arange(10_000) + 0.5) / 10_000 * (high - low) + low
        expected = chance(fine[:, None]).reshape(10, -1).mean(axis=1) * (edges[1] - edges[0])
        inside = drawn[(drawn > low) & (drawn < high)]
        found = np.histogram(inside, edges)[0] / n
        if algorithm == "PPO":
            ends = np.array([[low], [high]])
            expected = np.append(expected, chance(ends))
            found = np.append(found, [(drawn == low).mean(), (drawn == high).mean()])
    assert expected.sum() == pytest.approx(1.0, abs=1e-3)
    assert (abs(found - expected) < 5.0 * np.sqrt(expected / n) + 1e-3).all()


@pytest.mark.deep
@pytest.mark.filterwarnings("ignore")
def test_later_learning_does_not_change_a_response():
    pytest.importorskip("stable_baselines3")
    game, follower = GAMES["pendulum"], make("PPO")
    x = admissible(game)
    batch = seen(game, x, 10)
    follower.learn(game.under(x))
    first = follower.policy
    before = first.ask(*batch)[0]
    follower.learn(game.under(np.zeros_like(x)))
    np.testing.assert_array_equal(first.ask(*batch)[0], before)
    assert not np.array_equal(follower.policy.ask(*batch)[0], before)


@pytest.mark.deep
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("algorithm", "name", "kind"), CASES)
def test_a_run_can_be_resumed_to_the_same_bits(algorithm, name, kind, tmp_path):
    pytest.importorskip("stable_baselines3")
    del kind
    options = {
        "leader": "random_search", "follower": "sb3", "updates": 3, "steps_per_update": 60, "seed": 1,
        "follower_options": {"algorithm": algorithm, "steps": 40, "model_options": QUICK[algorithm]},
    }  # fmt: skip

    def content(record):
        return {key: value for key, value in json.loads(record.to_json()).items() if key != "seconds"}

    def stop(state):
        if state.update == 2:
            raise KeyboardInterrupt

    whole = content(agents.run(GAMES[name], **options))
    agents.run(GAMES[name], **options, output=tmp_path, progress=stop)
    assert content(agents.run(GAMES[name], resume=tmp_path, trust=True)) == whole


@pytest.mark.deep
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("algorithm", "name"), [("DQN", "pendulum"), ("TD3", "tax"), ("DQN", "tax")])
def test_an_algorithm_that_does_not_take_the_actions_is_refused(algorithm, name):
    pytest.importorskip("stable_baselines3")
    game = GAMES[name]
    with pytest.raises(ArgumentError, match=f"algorithm: expected one that takes actions in .*, got '{algorithm}'"):
        make(algorithm).learn(game.under(admissible(game)))


@pytest.mark.deep
@pytest.mark.filterwarnings("ignore")
def test_a_distribution_that_cannot_be_read_is_refused_before_training():
    pytest.importorskip("stable_baselines3")
    game = GAMES["pendulum"]
    follower = Sb3(Sb3Config(algorithm="PPO", model_options={"use_sde": True}), np.random.default_rng(0))
    with pytest.raises(ArgumentError, match=r"expected a distribution.*got StateDependentNoiseDistribution"):
        follower.learn(game.under(admissible(game)))
    assert follower.model.num_timesteps == 0
