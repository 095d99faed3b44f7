"""The compiled pass: what a response draws; the rest is held to single environments in the tests of the faces."""

import numpy as np

from stackelberg_envs.faces.rounds import respond
from stackelberg_envs.play.simulators import cumulative


def test_followers_draw_from_their_copys_response_and_those_at_rest_draw_nothing():
    # Two copies with two followers each, one context, two states, one leader action, three actions.
    responses = cumulative(np.array([[[[0.2, 0.3, 0.5]], [[0.0, 1.0, 0.0]]], [[[1.0, 0.0, 0.0]], [[0.0, 0.0, 1.0]]]]))
    numbers = np.array([[0.1, 0.4, 0.9], [0.6, 0.7, 0.8]])
    place, playing, contexts = np.zeros(2, np.int64), np.ones(2, bool), np.zeros(2, np.int64)
    now = np.array([[0, 0, 0, 1], [-1, -1, -1, -1], [0, 0, 1, 0], [0, 0, 0, 0]])
    drawn = respond(numbers, place, playing, contexts, now, np.array([0, 1]), responses, 2)
    assert drawn.tolist() == [0, 1, 0, 2]
    assert place.tolist() == [2, 1]  # the third follower is finished
    playing[:] = False
    respond(numbers, place, playing, contexts, now, np.array([0, 1]), responses, 2)
    assert place.tolist() == [2, 1]
