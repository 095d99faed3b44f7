"""Leaders under their own names: what play they take, and how many commitments they explore with."""

from dataclasses import replace

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.followers.soft_value_iteration import SoftValueIteration
from agents.leaders import leader_class, leader_names
from agents.runs.briefing import make_brief
from stackelberg_envs.errors import ArgumentError

TOY = "stackelberg/DiscreteToy-v0"


@pytest.mark.parametrize("leader", sorted(leader_names()))
def test_play_under_another_commitment_is_refused_by_every_leader_that_is_not_off_policy(leader):
    kind = leader_class(leader)
    game = se.make_game(TOY)
    x = foreign = np.array([[0.3, 0.7], [0.6, 0.4], [0.5, 0.5]])

    def play_from_anywhere(steps):
        return agents.collect(game, x, se.solve(game, x).response, steps=steps, rng=0)

    brief = replace(
        make_brief(game, kind.required_information(game.commitment, kind.Config())), uniform_play=play_from_anywhere
    )
    made = kind(brief, kind.Config(), np.random.default_rng(0))
    assert made.name == leader
    x = np.array(made.announce())
    response = se.solve(game, foreign).response
    seen = replace(agents.collect(game, foreign, response, steps=50, rng=0), response=response)
    if kind.off_policy:
        return
    with pytest.raises(ArgumentError, match=rf"^{leader}: expected play under its last commitment"):
        made.observe(seen)
    response = se.solve(game, x).response
    seen = replace(agents.collect(game, x, response, steps=3_000, rng=0), response=response)
    made.observe(seen)
    with pytest.raises(ArgumentError, match=rf"^{leader}: expected play under its last commitment"):
        for _ in range(2):  # a search may stay where it is, once
            made.observe(seen)


def test_a_small_commitment_is_told_from_another_small_one(monkeypatch):
    game = se.random_tabular_v0.make_game(S=3, A=1, B=2, commitment="features", seed=0)
    kind = leader_class("naive")
    brief = make_brief(game, agents.Information.REWARDS_OBSERVED)
    made = kind(brief, kind.Config(), np.random.default_rng(0))
    monkeypatch.setattr(kind, "commit", lambda self: np.full(game.commitment.shape, 1e-9))
    other = np.full(game.commitment.shape, 2e-9)
    seen = agents.collect(game, other, se.solve(game, other).response, steps=20, rng=0)
    with pytest.raises(ArgumentError, match="naive: expected play under its last commitment"):
        made.observe(seen)


def test_so_many_commitments_explore_as_asked_for(monkeypatch):
    kind = leader_class("certainty_equivalent")
    explored = []
    explore = kind.explore
    monkeypatch.setattr(kind, "explore", lambda self: explored.append(explore(self)) or explored[-1])
    announced = []
    learn = SoftValueIteration.learn
    monkeypatch.setattr(
        SoftValueIteration, "learn", lambda self, view: announced.append(view.commitment) or learn(self, view)
    )
    agents.run(TOY, leader="certainty_equivalent", updates=9, steps_per_update=300, leader_options={"explore": 5})
    exploring = [any(np.array_equal(x, other) for other in explored) for x in announced[:9]]
    assert exploring == [False] + [True] * 5 + [False] * 3


def test_so_many_commitments_are_drawn_as_asked_for():
    options = {"draws": 5, "box_draws": 2, "box_starts": 1, "polish": 0}
    record = agents.run(
        "stackelberg/BuildingThermal-v0", leader="certainty_equivalent", updates=8, steps_per_update=200,
        leader_options=options,
    )  # fmt: skip
    np.testing.assert_array_equal(record.curve["exploring"], [1] * 5 + [0] * 3)
