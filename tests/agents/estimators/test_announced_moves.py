"""Moves read off announced densities, against the games' own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import stackelberg_envs as se
from agents.estimators.announced_moves import AnnouncedMoves
from agents.runs.collection import collect
from stackelberg_envs.arrays import Array
from stackelberg_envs.games.linear_forms import affine
from stackelberg_envs.games.samples import SampledCommitment, SampledEffect, Samples


def play(name: str, x: Any, steps: int = 300) -> tuple[Any, Any]:
    game = se.make_game(f"stackelberg/{name}")
    return game, collect(game, np.asarray(x), se.solve(game, x).policy, steps=steps, rng=0)


# At zero the building's zones drift to the bounds of the state, where most recorded moves are cut off.
@pytest.mark.parametrize("x", [np.full(8, 0.5), np.zeros(8)])
def test_the_buildings_moves_are_those_of_its_matrices(x: Array) -> None:
    game, seen = play("BuildingThermal-v1", x)
    moves = AnnouncedMoves.read(game.commitment, x, seen.samples)
    assert moves is not None
    exact = seen.state @ affine(game.commitment.table, x).T + seen.follower_action @ game.numbers.follower_input.T
    assert moves.mean(seen.samples) == pytest.approx(exact, abs=1e-5)
    assert moves.covariance == pytest.approx(game.numbers.noise, rel=1e-3, abs=1e-7)


def test_the_households_moves_are_those_of_the_tax_rules() -> None:
    x = np.array([0.6, 0.1, 0.2, 0.3])
    game, seen = play("TaxDesign-v0", x)
    moves = AnnouncedMoves.read(game.commitment, x, seen.samples)
    assert moves is not None
    hours, goods = game.rules.amounts(seen.follower_action)
    exact = game.rules.mean_assets(0.6, seen.state[:, 0], hours, goods.sum(axis=1))
    assert moves.mean(seen.samples)[:, 0] == pytest.approx(exact, abs=1e-6)
    assert moves.covariance == pytest.approx(np.array([[25.0]]), rel=1e-6)


class _OtherMoves(SampledCommitment):
    """Moves with a Laplace density, or with a spread that the state sets."""

    changes = frozenset({"transition"})

    def __init__(self, kind: str) -> None:
        super().__init__(np.zeros(1), np.ones(1))
        self.kind = kind

    def effect_at(self, x: Array, samples: Samples) -> SampledEffect:
        away = (samples.next_state - samples.state)[:, 0]
        if self.kind == "laplace":
            return SampledEffect(transition=-np.abs(away))
        return SampledEffect(transition=-0.5 * away**2 * (1.0 + samples.state[:, 0] ** 2))


@pytest.mark.parametrize("kind", ["laplace", "spread"])
def test_other_densities_are_not_taken_for_gaussian_ones(kind: str) -> None:
    state, move = np.random.default_rng(0).standard_normal((2, 50, 1))
    none = np.empty((50, 0))
    samples = Samples(state, none, none, state + move, np.zeros(50, np.int32))
    assert AnnouncedMoves.read(_OtherMoves(kind), np.zeros(1), samples) is None


def test_a_commitment_that_sets_no_moves_has_none() -> None:
    game, seen = play("BilevelLqr-v1", np.zeros((1, 2)))
    assert AnnouncedMoves.read(game.commitment, np.zeros((1, 2)), seen.samples) is None
