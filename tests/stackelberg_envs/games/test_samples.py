"""Derivatives at samples by differences."""

import numpy as np
import pytest

from agents.followers.base import FOLLOWERS
from agents.leaders.base import LEADERS
from agents.runs.collection import collect
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.samples import sampled_difference_vjp
from stackelberg_envs.play.rollout import rollout
from tests.agents.runs.aim import Aim, Aimed, Jumpy, Normal, small_game


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """Register the players of this file for one test: the names of the package are tested elsewhere."""
    monkeypatch.setitem(LEADERS.classes, "jumpy", (Jumpy,))
    monkeypatch.setitem(FOLLOWERS.classes, "aimed", (Aimed,))


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
