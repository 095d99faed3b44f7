"""Best known values and arguments of tax design."""

import numpy as np
import pytest
from scipy.optimize import minimize

from stackelberg_envs.envs import tax_design_v0
from stackelberg_envs.errors import CommitmentError, GameError

GAME = tax_design_v0.make_game()


@pytest.mark.parametrize(("temperature", "best"), [(0.1, 38.139134), (0.2, 39.042236), (0.3, 40.638837)])
def test_best_known_values(temperature, best):
    game = tax_design_v0.make_game(temperature=temperature)

    def loss(x):
        solution = game.solve(x, nodes=6)
        return -solution.leader_value, -solution.gradient

    options = {"ftol": 1e-12, "gtol": 1e-6}
    found = minimize(loss, np.full(4, 0.3), jac=True, bounds=[(0, 2)] * 4, method="L-BFGS-B", options=options)
    value = game.solve(found.x).leader_value
    assert value == pytest.approx(game.facts["best_known"], abs=1e-4)
    assert game.facts["best_known"] == pytest.approx(best, abs=1e-6)
    assert game.solve(game.facts["best_commitment"]).leader_value == pytest.approx(best, abs=1e-5)


def test_the_best_known_value_belongs_to_the_published_numbers_alone():
    for changes in ({"temperature": 0.15}, {"count_debt": False}, {"leader_discount": 0.8}, {"max_rate": 0.6}):
        assert "best_known" not in tax_design_v0.make_game(**changes).facts
    assert "best_known" in tax_design_v0.make_game(num_households=4).facts


@pytest.mark.parametrize("x", [[0.3, 0.3, 0.3], [0.3, 0.3, 0.3, 2.1], [-0.1, 0, 0, 0], [np.nan, 0, 0, 0]])
def test_rates_outside_their_box_are_refused(x):
    with pytest.raises(CommitmentError, match="commitment"):
        GAME.solve(x)


@pytest.mark.parametrize(
    "changes",
    [{"max_rate": 0.0}, {"nodes": 1}, {"num_households": 0}, {"temperature": 0.0}, {"leader_discount": 1.0}],
    ids=str,
)
def test_arguments_out_of_range_are_refused(changes):
    with pytest.raises(GameError, match=next(iter(changes))):
        tax_design_v0.make_game(**changes)
