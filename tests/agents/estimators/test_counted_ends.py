"""How soon play ends in counted games."""

import numpy as np

from agents.estimators.counted_ends import counted_end
from stackelberg_envs.games.transitions import Transition

#: State 0 leads to 1, state 1 to 2 or back; state 2 was seen as the last.
SUCCESSORS = np.array([[1, 0], [2, 0], [0, 0]], np.int32).reshape(3, 1, 1, 2)
CONTINUING = np.array([1.0, 1.0, 0.0])


def counted(*rows):
    return Transition(SUCCESSORS, np.array(rows, float).reshape(3, 1, 1, 2))


def test_nobody_asks_below_one():
    assert counted_end(0.9, counted((1, 0), (1, 0), (0, 0)), CONTINUING, 100.0) == (None, 0.9)


def test_what_was_counted_ends_where_the_game_does():
    ends, discount = counted_end(1.0, counted((1, 0), (1, 0), (0, 0)), CONTINUING, 100.0)
    assert (ends.steps, ends.order.tolist(), discount) == (3.0, [2, 1, 0], 1.0)
    ends, discount = counted_end(1.0, counted((1, 0), (0.5, 0.5), (0, 0)), CONTINUING, 100.0)
    assert 5.0 <= ends.steps <= 5.5
    assert ends.order is None


def test_what_was_never_left_ends_play():
    ends, discount = counted_end(1.0, counted((1, 0), (0, 0), (0, 0)), np.ones(3), 100.0)
    assert (ends.steps, discount) == (2.0, 1.0)


def test_where_play_was_never_seen_to_end_it_is_reckoned_to_stop():
    assert counted_end(1.0, counted((1, 0), (0, 1), (0, 0)), CONTINUING, 100.0) == (None, 0.99)
