"""Past play that is kept, and the leader's own policy."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import stackelberg_envs as se
from agents.estimators.replay import PastPlay, own_policy
from agents.runs.collection import collect
from stackelberg_envs.errors import ArgumentError

LQR = "stackelberg/BilevelLqr-v1"


def test_the_leader_knows_its_own_policy() -> None:
    game, x = se.make_game(LQR), np.array([[-3.0, 2.0]])
    seen = collect(game, np.zeros((1, 2)), game.solve(np.zeros((1, 2))), steps=200, rng=0)
    found = own_policy(game.commitment, x, seen.samples)
    np.testing.assert_allclose(found.mean, seen.state @ x.T, atol=1e-9)
    np.testing.assert_allclose(found.spread, 1e-3, rtol=1e-6)


def test_policies_that_are_not_gaussian_are_refused() -> None:
    game = se.make_game(LQR)
    seen = collect(game, np.zeros((1, 2)), game.solve(np.zeros((1, 2))), steps=50, rng=0).samples
    cubic = SimpleNamespace(effect_at=lambda x, s: SimpleNamespace(leader_policy=-np.abs(s.leader_action[:, 0] ** 3)))
    with pytest.raises(ArgumentError, match="policy is Gaussian"):
        own_policy(cubic, np.zeros(2), seen)  # type: ignore[arg-type]


def test_replay_drops_whole_batches_and_keeps_the_present_one() -> None:
    game, x = se.make_game(LQR), np.zeros((1, 2))
    replay = PastPlay(900)
    for seed in range(5):
        seen = collect(game, x, game.solve(x), steps=400, rng=seed)
        kept = replay.add(seen, own_policy(game.commitment, x, seen.samples))
    assert [len(played.samples) for played in kept] == [400, 400, 400]
    assert kept[-1].samples is seen.samples
    one = PastPlay(0)
    for _ in range(2):
        kept = one.add(seen, own_policy(game.commitment, x, seen.samples))
    assert len(kept) == 1
