"""Regressions on random features that stand for a game, on one that such features can follow."""

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

import agents
import stackelberg_envs as se
from agents.estimators.models.learned import STEPS, LearnedModel, PlayMemory
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from stackelberg_envs.errors import OutputError
from stackelberg_envs.games.samples import SampledCommitment, SampledEffect
from stackelberg_envs.games.vector import BatchStep


class Toll(SampledCommitment):
    """x is the price of a unit of thrust, squared."""

    changes = frozenset({"follower_reward", "leader_reward"})

    def effect_at(self, x, samples):
        toll = x[0] * samples.follower_action[:, 0] ** 2
        return SampledEffect(follower_reward=-toll, leader_reward=toll)


class Boat(se.VectorGame):
    """A boat that drifts and would rather be at 0; the leader earns the tolls."""

    @property
    def state_space(self):
        return Box(-np.inf, np.inf, (1,))

    @property
    def follower_action_space(self):
        return Box(-1.0, 1.0, (1,))

    def initial_states(self, rng, contexts):
        return rng.normal(size=(len(contexts), 1))

    def step(self, rng, x, states, contexts, leader_actions, follower_actions):
        toll = x[0] * follower_actions[:, 0] ** 2
        return BatchStep(
            next_state=states + 0.5 * follower_actions + 0.1 * rng.normal(size=states.shape),
            leader_reward=toll,
            follower_reward=-(states[:, 0] ** 2) - toll,
            terminated=np.abs(states[:, 0]) > 4.0,
        )


class Ferry(Boat):
    """The same with two thrusts."""

    @property
    def follower_action_space(self):
        return Discrete(2)

    def step(self, rng, x, states, contexts, leader_actions, follower_actions):
        return super().step(rng, x, states, contexts, leader_actions, follower_actions * 1.0 - 0.5)


class Steering:
    """A helmsman who steers the less the more it costs, and not at all from a toll of 2.7 on."""

    def __init__(self, x):
        self.gain = max(0.8 - 0.3 * x[0], 0.0)

    def sample(self, rng, states, leader_actions, contexts):
        return np.clip(-self.gain * states + 0.05 * rng.normal(size=states.shape), -1.0, 1.0)


class Switching(Steering):
    """One who has two thrusts."""

    def sample(self, rng, states, leader_actions, contexts):
        return (rng.random(states.shape) < 1.0 / (1.0 + np.exp(4.0 * self.gain * states))).astype(np.int64)


def boat(kind=Boat):
    return kind(
        commitment=Toll(0.0, 4.0, (1,)),
        leader_discount=0.9,
        follower_discount=0.9,
        temperature=0.1,
        horizon=30,
        name="Boat",
    )


def learned(game, helmsman, rng):
    brief = make_brief(game, Information.REWARDS_OBSERVED)
    memory = PlayMemory(brief)
    for toll in np.linspace(0.0, 4.0, 15):
        x = np.array([toll])
        memory.add(agents.collect(game, x, helmsman(x), steps=600, rng=rng), rng)
    return brief, memory, LearnedModel(brief, memory, rng)


@pytest.mark.parametrize(("kind", "helmsman"), [(Boat, Steering), (Ferry, Switching)])
def test_imagined_play_ranks_commitments_as_play_does(kind, helmsman):
    game, tolls = boat(kind), np.linspace(0.1, 3.9, 9)
    _, _, model = learned(game, helmsman, np.random.default_rng(0))
    imagined = model.values(tolls[:, None])
    assert imagined.shape == (2, 9)
    truth = [
        agents.collect(game, np.array([toll]), helmsman([toll]), episodes=400, rng=1).mean_return(0.9) for toll in tolls
    ]
    # Imagined play is from sixteen first states, and what they have of luck is the same everywhere.
    assert np.corrcoef(imagined.mean(axis=0), truth)[0, 1] > 0.9


def test_memory_is_thinned_out_and_keeps_first_steps():
    rng = np.random.default_rng(0)
    game = boat()
    memory = PlayMemory(make_brief(game, Information.REWARDS_OBSERVED))
    play = agents.collect(game, np.array([1.0]), Steering([1.0]), steps=300, rng=rng)
    for _ in range(120):
        memory.add(play, rng)
    assert 0.4 * STEPS < len(memory.place) <= STEPS
    assert memory.first.any()
    assert memory.place.max() == 119
    assert len(memory.commitments) == 120


def test_a_memory_of_other_length_is_refused():
    brief, memory, _ = learned(boat(), Steering, np.random.default_rng(0))
    twin = PlayMemory(brief)
    twin.checked_state(memory.state_dict(), "memory").apply()
    np.testing.assert_array_equal(twin.state, memory.state)
    with pytest.raises(OutputError, match="as much of every part"):
        twin.checked_state(memory.state_dict() | {"ended": np.zeros(3)}, "memory")
    with pytest.raises(OutputError, match="a commitment for each step"):
        twin.checked_state(memory.state_dict() | {"commitments": np.zeros((1, 1))}, "memory")
