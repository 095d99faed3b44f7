"""Parks: what a step does, by hand, and plans that are none."""

import itertools

import numpy as np
import pytest

from stackelberg_envs.envs.pursuit.park import MOVES, PARKS, read_park
from stackelberg_envs.errors import GameError


def stepped(rows, places, moves):
    """Return where movers land and who catches the evader, by the rules of the page, one mover at a time."""
    landed = []
    for (r, c), move in zip(places, moves, strict=True):
        there = r + MOVES[move][0], c + MOVES[move][1]
        inside = 0 <= there[0] < len(rows) and 0 <= there[1] < len(rows[0]) and rows[there[0]][there[1]] != "#"
        landed.append(there if inside else (r, c))
    evader, fled = places[-1], landed[-1]
    return landed, [
        to == fled or (to == evader and was == fled) for was, to in zip(places[:-1], landed[:-1], strict=True)
    ]


@pytest.mark.parametrize("name", PARKS)
def test_a_step_is_what_the_rules_say(name):
    park = read_park(name)
    cells = [tuple(cell) for cell in park.cells.tolist()]
    rng = np.random.default_rng(0)
    for state, joint in zip(
        rng.integers(len(park.places), size=300), rng.integers(park.moves.shape[1], size=300), strict=True
    ):
        landed, catch = stepped(park.rows, [cells[i] for i in park.places[state]], park.moves[:, joint])
        assert park.catchers[:, state, joint].tolist() == catch
        np.testing.assert_allclose(park.shares[:, state, joint], np.array(catch) / max(sum(catch), 1))
        following = park.places[park.successors[state, joint]]
        assert [cells[i] for i in following] == ([cells[i] for i in park.start] if any(catch) else landed)


def test_states_are_all_places_in_which_the_evader_is_free():
    park = read_park("pair")
    seen = {tuple(row) for row in park.places.tolist()}
    assert seen == {row for row in itertools.product(range(6), repeat=3) if row[2] not in row[:2]}
    assert park.places[park.first].tolist() == [0, 2, 4]


def test_who_changes_places_is_caught_and_two_may_share_a_capture():
    park = read_park("PE")
    swap = 2 * len(MOVES) + 4  # right and left
    assert park.catchers[0, park.first, swap]
    park = read_park("PEP")
    joint = int(np.ravel_multi_index((2, 4, 0), (5, 5, 5)))
    np.testing.assert_array_equal(park.shares[:, park.first, joint], [0.5, 0.5])


@pytest.mark.parametrize(
    ("plan", "match"),
    [
        (3, "park: expected a plan as text, or one of block, open, pair, got 3"),
        (" ", "park: expected a plan as text"),
        ("P.\nE", "expected rows of 2 letters, as the first has, got 1 in row 1: 'E'"),
        ("blok", r"expected letters # \. P E, or one of block, open, pair, got 'b' at row 0, column 0"),
        ("P.?\n..E", r"expected letters # \. P E, got '\?' at row 0, column 2"),
        ("..E", "expected a cell P"),
        ("P.E\n..E", "expected one cell E, where the evader begins, got 2"),
        ("P..", "expected one cell E, where the evader begins, got 0"),
        ("P#E\n.#.", "expected ways to the evader, got a pursuer at row 0, column 0 that has none"),
        ("PPPPPE", "expected tables of at most"),
    ],
)
def test_what_is_no_park_is_refused(plan, match):
    with pytest.raises(GameError, match=match):
        read_park(plan)
