"""The temperature of followers in games of vectors, from their actions and values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import stackelberg_envs as se
from agents.estimators.first_states import FirstStates
from agents.estimators.occupancy import OccupancyModel
from agents.estimators.vector_temperature import PAIRINGS, fit_swaps, temperature_in
from agents.runs.collection import collect
from stackelberg_envs.games.samples import ActionSpec


def found(name: str, x: Any, temperature: float, steps: int) -> Any:
    """Return the fit of one commitment's play, from a guess that is ten times too large."""
    game = se.make_game(name, temperature=temperature)
    seen, rng = collect(game, np.asarray(x), se.solve(game, x).policy, steps=steps, rng=1), np.random.default_rng(0)
    first, spec = FirstStates(game.sizes[0]), ActionSpec.of(game.follower_action_space)
    first.add(seen)
    model = OccupancyModel(seen, spec, "auto", game.num_contexts, rng, game.commitment, first)

    def values_at(guess: float) -> Any:
        return model.player(seen.follower_reward + guess * model.behaviour.entropy, game.follower_discount)

    return temperature_in(model, values_at, 10.0 * temperature, game.commitment, seen.commitment, rng)


@pytest.mark.parametrize("temperature", [0.1, 0.3])
@pytest.mark.parametrize(
    ("name", "x"), [("stackelberg/BuildingThermal-v1", [0.5] * 8), ("stackelberg/TaxDesign-v0", [0.5, 0.5, 0.2, 1.0])]
)
def test_the_temperature_is_found_within_its_stated_error(name: str, x: Any, temperature: float) -> None:
    fit = found(name, x, temperature, 2_000)
    assert fit is not None
    assert fit.relative_error < 0.2
    # Values have errors of their own, so that the stated one is a little too small: four of them and a tenth.
    assert abs(np.log(fit.temperature / temperature)) < 4.0 * fit.relative_error + 0.1


def test_pairs_drawn_from_the_model_give_its_temperature() -> None:
    rng = np.random.default_rng(0)
    differences = 3.0 * rng.standard_normal(40_000)
    right = rng.random(40_000) < 1.0 / (1.0 + np.exp(-differences / 0.7))
    fit = fit_swaps(np.where(right, differences, -differences))
    assert fit is not None
    # The information counts each step once, although it is in several pairs.
    assert fit.temperature == pytest.approx(0.7, rel=4.0 * fit.relative_error / np.sqrt(PAIRINGS))


@pytest.mark.parametrize("differences", [np.zeros(10), np.full(10, -1.0), np.full(10, np.nan), np.empty(0)])
def test_pairs_that_tell_nothing_have_no_fit(differences: Any) -> None:
    assert fit_swaps(differences) is None
