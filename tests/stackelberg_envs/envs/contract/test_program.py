"""The program for the best contract: its bonuses bring what it says, and it agrees with backward induction."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.envs.contract.program import best_contract, contract_value
from stackelberg_envs.envs.contract.promises import best_value

ID = "stackelberg/Contract-v0"


def worth_of(bonuses, success, cost, node=0):
    """Return what bonuses are worth to agent and principal from a node on, ties for the principal, by recursion."""
    if node >= len(bonuses):
        return 0.0, 0.0
    (own_good, paid_good), (own_bad, paid_bad) = (worth_of(bonuses, success, cost, 2 * node + i) for i in (1, 2))
    own = success * (bonuses[node] + own_good) + (1 - success) * own_bad - cost
    paid = success * (1 - bonuses[node] + paid_good) + (1 - success) * paid_bad
    tied = own >= own.max() - 1e-6
    return own.max(), paid[tied].max()


@pytest.mark.parametrize("stages", [1, 2])
def test_the_value_of_a_game_again(stages):
    game = se.make_game(ID, num_stages=stages)
    assert contract_value(game) == pytest.approx(game.facts["reference"]["value"], abs=1e-9)


@pytest.mark.parametrize("stages", [1, 2])
@pytest.mark.parametrize("cost", [(0.0, 0.05, 0.2), (0.0, 0.1, 0.12), (0.05, 0.1, 0.3)])
def test_its_bonuses_bring_its_value(stages, cost):
    success, cost = np.array([0.1, 0.4, 0.7]), np.array(cost)
    value, x = best_contract(success, cost, 1.0, stages)
    assert value == pytest.approx(best_value(success, cost, 1.0, stages), abs=1e-6)
    assert worth_of(x, success, cost)[1] == pytest.approx(value, abs=1e-5)


@pytest.mark.deep
def test_three_stages():
    game = se.make_game(ID, num_stages=3)
    assert contract_value(game) == pytest.approx(game.facts["reference"]["value"], abs=1e-6)
