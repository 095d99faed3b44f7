"""The exact leader finds the known optima."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.leaders import leader_class
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from stackelberg_envs.envs import discrete_toy_v0
from tests.games import TOY_OPTIMUM


@pytest.mark.parametrize("reward", [1.0, 2.0])
def test_exact_reaches_it_to_a_millionth(reward):
    record = agents.run(discrete_toy_v0.make_game(reward=reward), leader="exact", updates=100, steps_per_update=1)
    assert record.leader_value == pytest.approx(TOY_OPTIMUM[reward], abs=1e-6)


BUILDING, LQR, TAX = "stackelberg/BuildingThermal-v0", "stackelberg/BilevelLqr-v0", "stackelberg/TaxDesign-v0"


MIDDLE = [0.5] * 8


J_MIDDLE, J_BEST = -261.96313, -162.50345


def run(game: str, leader: str, updates: int, steps: int, **options: Any) -> Any:
    return agents.run(
        game, leader=leader, updates=updates, steps_per_update=steps, evaluate_every=0, leader_options=options
    )


def test_exact_finds_the_best_known_commitments() -> None:
    assert run(BUILDING, "exact", 1, 100, start=MIDDLE, box_draws=16).commitment is not None
    game = se.make_game(BUILDING)
    brief = make_brief(game, Information.MODEL)
    kind = leader_class("exact", "vector")
    leader = kind(brief, kind.Config(start=MIDDLE), np.random.default_rng(0))
    for _ in range(200):
        leader.update(None)  # type: ignore[arg-type]
    assert game.solve(leader.recommend()).leader_value == pytest.approx(J_BEST, abs=1e-3)
