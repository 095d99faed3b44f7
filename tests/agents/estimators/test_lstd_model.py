"""Values by least-squares temporal differences, against exact ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import stackelberg_envs as se
from agents.estimators.lstd_model import LstdModel
from agents.estimators.step_model import steps_left
from agents.runs.collection import collect
from stackelberg_envs.games.samples import ActionSpec

MIDDLE = np.full(8, 0.5)


def test_values_on_the_building_are_those_of_the_riccati_equations(exact_values: Any) -> None:
    game = se.make_game("stackelberg/BuildingThermal-v1")
    seen = collect(game, MIDDLE, game.solve(MIDDLE), steps=10_000, rng=0)
    found = LstdModel(seen, ActionSpec.of(game.follower_action_space), "quadratic", 1, np.random.default_rng(0))
    follower = found.player(
        seen.follower_reward + game.temperature * found.behaviour.entropy, game.follower_discount, horizon=None
    )
    cost = exact_values(game, MIDDLE).solution.best.cost_to_go
    exact = -np.einsum("ni,ij,nj->n", seen.next_state, cost, seen.next_state)
    learned = follower.of_next(seen.next_state)
    assert np.std(learned - exact) < 0.01 * np.std(exact)
    # The level: the entropy and the noise earn lambda H and pay for themselves for ever.
    policy = game.solve(MIDDLE).policy
    entropy = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * policy.covariance)[1]
    assert found.behaviour.entropy[0] == pytest.approx(entropy, abs=0.05)


def test_leader_values_on_the_lqr_end_with_the_horizon(exact_values: Any) -> None:
    game = se.make_game("stackelberg/BilevelLqr-v1")
    x = np.array([[-9.683, -10.25]])
    seen = collect(game, x, game.solve(x), steps=10_000, rng=0)
    found = LstdModel(seen, ActionSpec.of(game.follower_action_space), "local", 1, np.random.default_rng(0))
    learned = found.player(seen.leader_reward, game.leader_discount, horizon=game.horizon)
    exact = exact_values(game, x).steps(seen, steps_left(seen, game.horizon))
    assert np.corrcoef(learned.advantage, exact.advantage)[0, 1] > 0.9
    assert learned.of_next(seen.next_state)[seen.offsets[1:] - 1] == pytest.approx(0.0, abs=1e-12)
