"""The exact leader finds the known optima."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.leaders import exact as module
from agents.leaders import leader_class
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from stackelberg_envs.envs import discrete_toy_v1
from tests.games import TOY_OPTIMUM


@pytest.mark.parametrize("reward", [1.0, 2.0])
def test_exact_reaches_it_to_a_millionth(reward):
    record = agents.run(discrete_toy_v1.make_game(reward=reward), leader="exact", updates=100, steps_per_update=1)
    assert record.leader_value == pytest.approx(TOY_OPTIMUM[reward], abs=1e-6)


BUILDING = "stackelberg/BuildingThermal-v1"


MIDDLE = [0.5] * 8


J_MIDDLE, J_BEST = -261.96313, -162.50345


def leader_of(game: Any, **options: Any) -> Any:
    brief = make_brief(game, Information.MODEL)
    kind = leader_class("exact", brief.kind)
    return kind(brief, kind.Config(**options), np.random.default_rng(0))


def test_exact_finds_the_best_known_commitments() -> None:
    game = se.make_game(BUILDING)
    leader = leader_of(game, start=MIDDLE, iterations=50)
    leader.update(None)
    assert game.solve(leader.recommend()).leader_value == pytest.approx(J_BEST, abs=1e-3)
    first = game.solve(leader.commit()).leader_value
    assert J_MIDDLE < first < J_BEST  # it announces one iterate after the other
    for _ in range(50):
        leader.update(None)
    np.testing.assert_array_equal(leader.commit(), leader.recommend())


def test_without_a_search_it_ends_where_its_ascent_ends() -> None:
    game = se.random_tabular(S=12, commitment="policy", seed=1004)
    values = {}
    for search in (False, True):
        leader = leader_of(game, search=search, tolerance=1e-7)
        for _ in range(300):
            leader.update(None)
        values[search] = se.solve(game, leader.recommend()).leader_value
        assert (leader.parameters() is None) == search
    assert values[True] == pytest.approx(se.best_commitment(game, seed=1).value, abs=1e-6)
    assert values[False] < values[True] - 0.01


def test_what_stops_the_search_are_options() -> None:
    game = se.random_tabular(S=6, commitment="policy", seed=1004)
    few = leader_of(game, evaluations=1)
    few.update(None)
    strict = leader_of(game, unseen=0.05)
    strict.update(None)
    assert se.solve(game, few.recommend()).leader_value <= se.solve(game, strict.recommend()).leader_value + 1e-9


def test_in_another_parametrisation_it_makes_the_ascent_only() -> None:
    record = agents.run("stackelberg/FourRooms-v0", leader="exact", parametrisation="sigmoid", updates=3, steps=30)
    assert record.theta is not None


def test_a_search_that_is_interrupted_interrupts_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    found = se.best_commitment(discrete_toy_v1.make_game(), evaluations=1)
    stopped = dataclasses.replace(found, stopped_because="interrupted")
    monkeypatch.setattr(module, "best_commitment", lambda *_, **__: stopped)
    record = agents.run(discrete_toy_v1.make_game(), leader="exact", updates=5, steps_per_update=10)
    assert record.status == "interrupted"


@pytest.mark.deep
@pytest.mark.parametrize(("commitment", "seed"), [("policy", 5), ("features", 2)])
def test_nobody_ends_above_it_where_single_ascents_fall_short(commitment: str, seed: int) -> None:
    game = se.random_tabular(commitment=commitment, seed=seed)
    exact = agents.run(game, leader="exact", updates=2, steps_per_update=10, evaluate_every=0)
    other = agents.run(game, leader="certainty_equivalent", steps=100_000, evaluate_every=0)
    assert exact.leader_value >= other.leader_value - 1e-6
