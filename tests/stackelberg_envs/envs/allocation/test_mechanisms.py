"""The bound on mechanisms against all tables without mixtures, and against tables at random."""

import itertools

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.envs.allocation.mechanisms import best_mechanism, mechanism_value, worth

ID = "stackelberg/Allocation-v0"


@pytest.mark.parametrize(("types", "messages"), list(itertools.product((1, 2, 3, 5), (1, 2, 3, 4))))
def test_enumeration_reaches_the_bound(types, messages):
    game = se.make_game(ID, num_types=types, num_messages=messages)
    assert best_mechanism(game) == pytest.approx(mechanism_value(types, messages), abs=1e-15)


def test_no_mixture_is_worth_more():
    rng = np.random.default_rng(0)
    for types, messages in ((3, 2), (3, 3), (4, 6)):
        tables = rng.dirichlet(np.full(types, 0.3), size=(200, messages))
        assert max(worth(table) for table in tables) <= mechanism_value(types, messages)


def test_what_a_table_is_worth_is_its_value_without_errors():
    table = np.random.default_rng(1).dirichlet(np.ones(3), size=2)
    game = se.make_game(ID, num_messages=2, temperature=1e-5)
    assert se.solve(game, table).leader_value == pytest.approx(worth(table), abs=1e-9)
