"""What check_game says of a leader over an environment that nobody looks into."""

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box

import stackelberg_envs as se
from stackelberg_envs.errors import ConformityError
from stackelberg_envs.games.commitments.base import Effect
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.environments import CommittedEnvironment
from tests.environments import Ladder, Pair, Slide
from tests.stackelberg_envs.games.test_vector import Price

UNIT = Box(0.0, 1.0, (1,), np.float64)
PRICE = Price(np.zeros(1), np.ones(1))


def unchanged(env, x):
    return env


def drifting(env, x):
    env.drift = float(x[0])
    return env


@pytest.mark.parametrize(
    "arguments",
    [
        (lambda: Ladder(start=5, slip=0.5), None, se.StateIncentive(0.0, 1.0, np.ones(3))),
        (Pair, None, se.Transfer(np.arange(4.0).reshape(1, 1, 2, 2), -1.0, 1.0, share=0.5)),
        (Slide, None, PRICE),
        (Slide, drifting, UNIT),
        (lambda: gymnasium.make("CartPole-v1"), unchanged, UNIT),
        (lambda: gymnasium.make("Blackjack-v1"), unchanged, UNIT),
    ],
)
def test_what_keeps_its_promises_passes(arguments):
    se.check_game(se.wrap_commitment(*arguments), seed=3)


class Unseeded(Slide):
    def reset(self, *, seed=None, options=None):
        seen, info = super().reset(seed=seed)
        self.drift = float(np.random.default_rng().random())
        return seen, info


class Outside(Slide):
    def step(self, action):
        seen, *rest = super().step(action)
        return seen + 100.0, *rest


class Unpaid(Slide):
    def step(self, action):
        seen, _, *rest = super().step(action)
        return seen, np.nan, *rest


class Failing(Slide):
    def step(self, action):
        raise ValueError("no more")


class Lost(Slide):
    memory = 0.0


def once(env, x):
    """Leave a trace that only shows under other commitments."""
    env.drift, Lost.memory = Lost.memory * (x[0] < 0.5), Lost.memory or 0.1 * (x[0] > 0.5)
    return env


SHARED = Slide()


@pytest.mark.parametrize(
    ("arguments", "clause"),
    [
        ((lambda: SHARED, unchanged, UNIT), "make_env returns a new environment at each call"),
        ((Unseeded, unchanged, UNIT), "equal seeds play equal episodes"),
        ((Outside, unchanged, UNIT), "observations lie in their space"),
        ((Unpaid, unchanged, UNIT), "rewards are finite numbers: nan"),
        ((Failing, unchanged, UNIT), "can be made and stepped under every admissible commitment: ValueError: no more"),
    ],
)
def test_what_does_not_is_named(arguments, clause):
    with pytest.raises(ConformityError, match=clause):
        se.check_game(se.wrap_commitment(*arguments))


def test_a_trace_of_another_commitment_is_found():
    xs = [np.random.default_rng(seed).uniform(0.0, 1.0, (3, 1))[:, 0] for seed in range(50)]
    # The first must be one that shows the trace, and a later one must leave it.
    seed = next(i for i, x in enumerate(xs) if x[0] < 0.5 and x[1:].max() > 0.5)
    with pytest.raises(ConformityError, match="a commitment leaves no trace in environments that are made"):
        se.check_game(se.wrap_commitment(Lost, once, UNIT, leader_reward=lambda step: 0.0), seed=seed)


def test_leaders_that_are_paid_no_number_and_effects_that_are_none_are_named():
    with pytest.raises(ConformityError, match="the leader is paid a finite number: nan"):
        se.check_game(se.wrap_commitment(Ladder, unchanged, UNIT, leader_reward=lambda step: np.nan))

    class Wrong(se.StateIncentive):
        def vjp(self, x, cotangents: Cotangents):
            return -super().vjp(x, cotangents)

    with pytest.raises(ConformityError, match=r"commitment\.vjp agrees with finite differences"):
        se.check_game(se.wrap_commitment(Ladder, None, Wrong(0.0, 1.0, np.ones(3))))

    class Infinite(se.StateIncentive):
        def effect(self, x) -> Effect:
            with np.errstate(divide="ignore"):
                made = super().effect(x)
                return Effect(follower_reward=made.follower_reward / (x.max() < 0.3))

    with pytest.raises(ConformityError, match="finite"):
        se.check_game(se.wrap_commitment(Ladder, None, Infinite(0.0, 1.0, np.ones(3))))


def test_bonuses_that_followers_are_not_paid_are_found(monkeypatch):
    game = se.wrap_commitment(Ladder, None, se.StateIncentive(0.5, 1.0, np.ones(3)))
    se.check_game(game)
    monkeypatch.setattr(CommittedEnvironment, "make", CommittedEnvironment.bare)
    with pytest.raises(ConformityError, match="paid what the environment pays and what the commitment adds"):
        se.check_game(game)
