"""Runs on games whose states are vectors: a small one with a known answer, defined here."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from gymnasium.spaces import Box

import agents
import stackelberg_envs as se
from agents.followers.base import FOLLOWERS
from agents.followers.exact import Exact
from agents.leaders.base import LEADERS, GradientConfig, GradientLeader
from agents.observing.trajectories import Trajectories
from agents.runs.collection import collect
from agents.runs.evaluation import VectorEvaluation
from agents.state import stateful
from stackelberg_envs.errors import ArgumentError, InstabilityError
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.samples import SampledCommitment, SampledEffect, sampled_difference_vjp
from stackelberg_envs.games.vector import BatchStep, VectorGame
from stackelberg_envs.play.rollout import rollout

#: Beyond this the follower of the small game has no finite response.
LIMIT = 3.0


class Aim(SampledCommitment):
    """The follower is paid for acting near x: r_F = -(b - x)^2."""

    changes = frozenset({"follower_reward"})

    def __init__(self):
        super().__init__([-5.0], [5.0])

    def effect_at(self, x, samples):
        return SampledEffect(follower_reward=-((samples.follower_action[:, 0] - x[0]) ** 2))


@dataclass(frozen=True)
class Normal:
    mean: float
    variance: float

    def sample(self, rng, states, leader_actions, contexts):
        return self.mean + np.sqrt(self.variance) * rng.standard_normal((len(states), 1))

    def log_prob(self, states, leader_actions, contexts, actions):
        return -0.5 * (np.log(2 * np.pi * self.variance) + (actions[:, 0] - self.mean) ** 2 / self.variance)


@dataclass(frozen=True)
class Answer:
    x: np.ndarray
    leader_value: float
    policy: Normal
    gradient: np.ndarray
    follower_value: float = 0.0
    direct_gradient: np.ndarray = 0.0
    response_gradient: np.ndarray = 0.0


@dataclass(frozen=True, eq=False, kw_only=True)
class AimGame(VectorGame):
    """One state; the leader wants b = 1, and pays 1 - (b - 1)^2 a step; each step ends the episode with p = `ends`."""

    ends: float = 0.0
    suggested_follower: ClassVar[str] = "aimed"

    @property
    def state_space(self):
        return Box(-np.inf, np.inf, (2,), np.float32)

    @property
    def follower_action_space(self):
        return Box(-10.0, 10.0, (1,), np.float32)

    def initial_states(self, rng, contexts):
        return rng.standard_normal((len(contexts), 2))

    def step(self, rng, x, states, contexts, leader_actions, follower_actions):
        b = follower_actions[:, 0]
        over = rng.random(len(states)) < self.ends
        return BatchStep(rng.standard_normal(states.shape), 1 - (b - 1) ** 2, -((b - x[0]) ** 2), over)

    def solve(self, x):
        if x[0] > LIMIT:
            raise InstabilityError(f"x: expected at most {LIMIT}, got {x[0]}", 1.0 + x[0] - LIMIT)
        variance = self.temperature / 2
        weight = (1 - self.leader_discount**self.horizon) / (1 - self.leader_discount)
        value = weight * (1 - (x[0] - 1) ** 2 - variance)
        return Answer(x, float(value), Normal(float(x[0]), variance), weight * -2 * (x - 1))


class Aimed(Exact):
    """Exact in the small game."""

    state_fields = stateful.fields()


class Jumpy(GradientLeader):
    """Always wants more, by a lot."""

    information = agents.Information.ACTIONS_ONLY
    kinds = frozenset({"vector"})
    Config = GradientConfig

    def gradient(self, trajectories):
        return np.ones(1), {}


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """Register the players of this file for one test: the names of the package are tested elsewhere."""
    monkeypatch.setitem(LEADERS.classes, "jumpy", (Jumpy,))
    monkeypatch.setitem(FOLLOWERS.classes, "aimed", (Aimed,))


def small_game(**changes):
    settings = {"leader_discount": 0.9, "follower_discount": 0.5, "temperature": 0.1, "horizon": 20}
    return AimGame(commitment=Aim(), name="aim", **{**settings, **changes})


def test_a_black_box_leader_finds_the_optimum_of_a_game_of_vectors():
    game = small_game()
    record = agents.run(game, leader="cma_es", updates=60, steps_per_update=200, seed=1)
    assert record.follower == "aimed" and record.information == "ACTIONS_ONLY"
    assert abs(record.commitment[0] - 1.0) < 0.2
    assert record.leader_value == pytest.approx(game.solve(record.commitment).leader_value)
    assert record.observed_steps == 60 * 200


def test_values_in_the_record_are_exact_for_exact_followers():
    game = small_game()
    record = agents.run(game, leader="random_search", updates=3, steps_per_update=40, seed=0)
    assert record.start_value == pytest.approx(game.solve(np.zeros(1)).leader_value, abs=10)
    assert np.isfinite(record.curve["leader_value"]).all()


def test_a_step_to_where_there_is_no_response_is_halved_and_reported():
    game = small_game()
    options = {"optimizer": "sgd", "learning_rate": 2.0, "decay": 0.0}
    record = agents.run(game, leader="jumpy", updates=6, steps_per_update=40, leader_options=options)
    assert record.status == "finished"
    assert record.curve["halvings"].max() >= 1
    assert np.isfinite(record.curve["leader_value"]).all()
    assert record.commitment[0] > 2.0


def test_a_first_commitment_without_a_response_ends_the_run_with_the_spectral_radius():
    with pytest.raises(InstabilityError) as caught:
        agents.run(small_game(), leader="jumpy", updates=2, steps_per_update=40, leader_options={"start": [4.0]})
    assert caught.value.spectral_radius == pytest.approx(2.0)


def test_leaders_and_followers_of_the_other_kind_are_refused_with_those_that_work():
    with pytest.raises(ArgumentError, match=r"'amd': works on tabular games, but 'aim' is a vector one; .*cma_es"):
        agents.run(small_game(), leader="amd")
    with pytest.raises(ArgumentError, match="follower 'soft_value_iteration': works on tabular games"):
        agents.run(small_game(), leader="cma_es", follower="soft_value_iteration")
    with pytest.raises(ArgumentError, match="'jumpy': works on vector games, but 'Discrete toy' is a tabular one"):
        agents.run("stackelberg/DiscreteToy-v0", leader="jumpy")


@pytest.mark.parametrize("leader", ["cma_es", "zero_order"])
def test_a_stopped_run_goes_on_with_the_same_bits(leader, tmp_path):
    game, options = small_game(), {"leader": leader, "updates": 6, "steps_per_update": 50, "seed": 3}
    whole = agents.run(game, **options)

    def stop(progress):
        if progress.update == 3:
            raise KeyboardInterrupt

    agents.run(game, **options, output=tmp_path, checkpoint_every=1, progress=stop)
    resumed = agents.run(game, resume=tmp_path)
    np.testing.assert_array_equal(resumed.commitment, whole.commitment)
    np.testing.assert_array_equal(resumed.curve["observed_return"], whole.curve["observed_return"])


def test_play_counts_steps_and_episodes_and_cuts_the_last():
    game = small_game(ends=0.2)
    policy = game.solve(np.zeros(1)).policy
    seen = rollout(game.under(np.zeros(1)), policy, np.random.default_rng(0), steps=500)
    lengths = np.diff(seen.offsets)
    assert len(seen.state) == 500 == seen.offsets[-1] and lengths.max() <= game.horizon
    assert seen.terminated[:-1].mean() > 0.9
    # Within an episode each state is the last one's successor.
    inside = np.setdiff1d(np.arange(1, 500), seen.offsets)
    np.testing.assert_array_equal(seen.state[inside], seen.next_state[inside - 1])
    whole = rollout(game.under(np.zeros(1)), policy, np.random.default_rng(0), episodes=7)
    assert len(whole.terminated) == 7
    # An episode ends by itself or at the horizon; the mean length of a geometric one cut at 20 is 4.94, its deviation
    # 4.4; false alarm below 1e-4 at 4 standard errors.
    many = np.diff(rollout(game.under(np.zeros(1)), policy, np.random.default_rng(1), episodes=4_000).offsets)
    assert abs(many.mean() - (1 - 0.8**20) / 0.2) < 4 * many.std() / np.sqrt(4_000)


def test_collect_records_what_an_observer_sees():
    game = small_game()
    follower = Aimed(Aimed.Config(), np.random.default_rng(0))
    follower.learn(game.under(np.zeros(1)))
    seen = collect(game, [0.0], follower, steps=50, rng=0)
    again = Trajectories.from_bytes(seen.to_bytes())
    np.testing.assert_array_equal(again.state, seen.state)
    assert seen.state.shape == (50, 2) and seen.follower_action.shape == (50, 1) and seen.leader_action.shape == (50, 0)
    assert len(seen.samples) == 50 and seen.samples.context.shape == (50,)
    hidden = collect(game.replace(observe_rewards=False), [0.0], follower, steps=50, rng=0)
    assert hidden.follower_reward is None
    with pytest.raises(ArgumentError, match=r"expected a policy with sample\(\) in a vector game, got ndarray"):
        collect(game, [0.0], np.ones((1, 1, 1)), steps=5, rng=0)


def test_several_followers_share_the_steps():
    record = agents.run(small_game(num_followers=3), leader="cma_es", updates=2, steps_per_update=90)
    assert record.observed_steps == 180


def test_a_game_without_a_solver_is_judged_by_play():
    game = small_game()
    evaluation = VectorEvaluation(game)
    follower = Aimed(Aimed.Config(), np.random.default_rng(0))
    view = game.under(np.zeros(1))
    follower.learn(view)
    exact = evaluation.value(view, follower)
    follower.solution = None
    estimate = evaluation.value(view, follower)
    # 200 episodes of 20 steps; b has deviation .22, so r_L one of .45 and a discounted sum one of about .45 * 2.3.
    assert abs(estimate - exact) < 4 * 0.45 * 2.3 / np.sqrt(200)


def test_solve_says_when_no_exact_solution_is_known():
    assert se.solve(small_game(), [0.5]).leader_value == small_game().solve(np.array([0.5])).leader_value
    with pytest.raises(ArgumentError, match="expected a game with an exact solution"):
        VectorGame.solve(small_game(), np.zeros(1))


def test_differences_at_samples_are_the_derivative():
    rng = np.random.default_rng(0)
    seen = rollout(small_game().under(np.zeros(1)), Normal(0.0, 1.0), rng, episodes=3)
    samples = collect(small_game(), [0.0], Normal(0.0, 1.0), episodes=3, rng=0).samples
    weights = rng.standard_normal(len(samples))
    x = np.array([0.3])
    by_hand = weights @ (2 * (samples.follower_action[:, 0] - x[0]))
    found = sampled_difference_vjp(Aim(), x, samples, Cotangents(follower_reward=weights))
    assert found[0] == pytest.approx(by_hand, rel=1e-6)
    assert len(seen.state) == 60
