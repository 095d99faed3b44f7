"""The wrapper of stable-baselines3. What needs the package is `deep` and skipped where it is not installed."""

import sys

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.followers.sb3 import Sb3, Sb3Config, _environment, _observations, _response, stand_ins
from stackelberg_envs.envs import discrete_toy_v1, four_rooms_v0, random_tabular_v1
from stackelberg_envs.errors import ArgumentError, MissingExtraError
from stackelberg_envs.faces.gymnasium_views import FollowerEnv

GAMES = [
    discrete_toy_v1.make_game(),
    random_tabular_v1.make_game(S=5, K=2, commitment="policy", seed=1),
    four_rooms_v0.make_game(),
]
QUICK = {
    "A2C": {"learning_rate": 0.01},
    "DQN": {"learning_starts": 50, "learning_rate": 0.01, "exploration_fraction": 0.5},
    "PPO": {"n_steps": 128, "learning_rate": 0.01},
}


def make(**options):
    return Sb3(Sb3Config(**options), np.random.default_rng(0))


def test_without_the_package_the_extra_is_named_in_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    with pytest.raises(MissingExtraError, match=r"^sb3: .* `pip install 'stackelberg-envs\[sb3\]'` installs$"):
        make()


@pytest.mark.parametrize("observe_commitment", ["all", "local", "none"])
@pytest.mark.parametrize("game", GAMES, ids=lambda game: game.name)
def test_the_table_of_observations_is_what_a_follower_sees(game, observe_commitment):
    rng = np.random.default_rng(1)
    x = game.commitment.project(rng.uniform(game.commitment.low, game.commitment.high))
    env = FollowerEnv(game, commitment=x, observe_commitment=observe_commitment)
    (S, A, B), layout, table = game.shape, env.observation_layout, _observations(env)
    assert table.shape == (game.num_contexts * S * A, *env.observation_space.shape)
    for episode in range(6):
        observation, info = env.reset(seed=episode)
        for _ in range(15):
            observation[layout["time"]] = 0.0
            a = int(np.argmax(observation[layout["leader_action"]])) if A > 1 else 0
            np.testing.assert_array_equal(observation, table[(info["context"] * S + info["next_state"]) * A + a])
            observation, _, terminated, truncated, info = env.step(int(rng.integers(B)))
            if terminated or truncated:
                break


def bandit():
    """One state, three actions; the second pays the follower."""
    return se.TabularGame(
        transition=np.ones((1, 1, 3, 1)), leader_reward=np.zeros((1, 1, 3)), follower_reward=[[[0.0, 1.0, 0.0]]],
        initial=[1.0], leader_discount=0.5, follower_discount=0.5, temperature=0.1, horizon=5,
        commitment=se.Incentive(-1.0, 1.0, (1, 1, 3)),
    )  # fmt: skip


@pytest.mark.deep
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("algorithm", sorted(QUICK))
def test_every_discrete_algorithm_learns_what_pays(algorithm):
    pytest.importorskip("stable_baselines3")
    game = bandit()
    follower = make(algorithm=algorithm, steps=2_000, model_options={"gamma": 0.5, **QUICK[algorithm]})
    steps = follower.learn(game.under(np.zeros((1, 1, 3))))
    assert 2_000 <= steps < 2_200
    assert follower.policy.shape == (1, 1, 3)
    assert follower.policy[0, 0].argmax() == 1
    assert follower.policy.sum() == pytest.approx(1.0)


def masked_bandit():
    """The bandit without the action that pays, nor any but one after the leader's second action."""
    feasible = np.array([[[True, False, True], [False, False, True]]])
    return bandit().replace(
        transition=np.ones((1, 2, 3, 1)), leader_reward=np.zeros((1, 2, 3)), follower_reward=[[[0.0, 9.0, 1.0]] * 2],
        feasible=feasible, commitment=se.PolicyTable(1, 2),
    )  # fmt: skip


def test_an_action_that_is_not_feasible_stands_for_one_that_is():
    feasible = np.array([[True, True, True, True], [False, True, False, True], [False, False, True, False]])
    assert stand_ins(feasible).tolist() == [[0, 1, 2, 3], [1, 1, 1, 3], [2, 2, 2, 2]]
    assert stand_ins(np.array([False, False, False, True, True])).tolist() == [3, 4, 3, 3, 4]


def test_its_environment_takes_every_action_and_plays_feasible_ones():
    game = masked_bandit()
    env, training = _environment(game.under(np.full((1, 2), 0.5)), "all")
    assert type(training.action_space).__name__ == "Discrete"
    training.reset(seed=0)
    seen = set()
    for step in range(60):
        a = int(env.action_masks().sum() == 1)
        _, reward, terminated, truncated, _ = training.step(step % 3)
        seen.add((a, step % 3, reward))
        if terminated or truncated:
            training.reset()
    assert seen == {(0, 0, 0.0), (0, 1, 1.0), (0, 2, 1.0), (1, 0, 1.0), (1, 1, 1.0), (1, 2, 1.0)}


class Even:
    """A model that draws all actions alike, without torch; it may ask for masks."""

    def __init__(self):
        self.policy = self

    def predict(self, observations, deterministic=True):
        return np.arange(len(observations)) % 3, None


class Asks(Even):
    def predict(self, observations, deterministic=True, action_masks=None):
        return action_masks.shape[1] - 1 - action_masks[:, ::-1].argmax(axis=1), None


@pytest.mark.parametrize(("model", "expected"), [(Even(), [0, 2]), (Asks(), [2, 2])], ids=["plain", "masks"])
def test_the_response_is_one_among_feasible_actions(model, expected):
    game = masked_bandit()
    env, _ = _environment(game.under(np.full((1, 2), 0.5)), "all")
    table = _response(game, env, model)
    assert table.argmax(axis=-1).tolist() == [expected]
    assert (table[~game.feasible] == 0.0).all()
    assert (table.sum(axis=-1) == 1.0).all()


@pytest.mark.deep
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("algorithm", [*sorted(QUICK), "sb3_contrib:MaskablePPO"])
def test_every_discrete_algorithm_learns_what_pays_among_feasible_actions(algorithm):
    pytest.importorskip("stable_baselines3")
    pytest.importorskip(algorithm.partition(":")[0] if ":" in algorithm else "stable_baselines3")
    game, options = masked_bandit(), QUICK.get(algorithm, QUICK["PPO"])
    follower = make(algorithm=algorithm, steps=2_000, model_options={"gamma": 0.5, **options})
    follower.learn(game.under(np.full((1, 2), 0.5)))
    assert (follower.policy[~game.feasible] == 0.0).all()
    assert follower.policy[0].argmax(axis=-1).tolist() == [2, 2]
    assert follower.policy[0, 0, 2] > 0.8
    other = make(algorithm=algorithm, steps=2_000, model_options={"gamma": 0.5, **options})
    other.show(game)
    other.load_state_dict(follower.state_dict())
    np.testing.assert_array_equal(other.policy, follower.policy)


@pytest.mark.deep
@pytest.mark.filterwarnings("ignore")
def test_the_network_is_kept_or_made_anew():
    pytest.importorskip("stable_baselines3")
    view = bandit().under(np.zeros((1, 1, 3)))
    kept, restarted = (make(algorithm="A2C", steps=50, restart=restart) for restart in (False, True))
    for follower, same in ((kept, True), (restarted, False)):
        assert follower.learn(view) == 50
        model = follower.model
        assert follower.learn(view) == 50
        assert (follower.model is model) is same


@pytest.mark.deep
@pytest.mark.filterwarnings("ignore")
def test_it_takes_part_in_a_run():
    pytest.importorskip("stable_baselines3")
    record = agents.run(
        GAMES[0], leader="naive", follower="sb3", updates=2, steps_per_update=100,
        follower_options={"algorithm": "A2C", "steps": 100},
    )  # fmt: skip
    assert record.status == "finished"
    assert record.follower_steps == 200


@pytest.mark.deep
def test_an_unknown_algorithm_is_refused_by_name():
    pytest.importorskip("stable_baselines3")
    with pytest.raises(ArgumentError, match=r"algorithm: expected a class of stable-baselines3.*got 'DQM'"):
        make(algorithm="DQM")


@pytest.mark.parametrize("options", [{"steps": 0}, {"first_steps": 0}])
def test_bad_options_are_refused_by_name(options):
    (name,) = options
    with pytest.raises(ArgumentError, match=f"{name}: expected an integer of at least 1, got 0"):
        make(**options)
