"""The way of one leader update through the house, so that it does not grow again unseen."""

import pytest

from benchmarks.trip import TRIPS, counted, entered

#: Row -> the most functions and files that one update enters with its exact values. Who makes a way shorter lowers it.
#: They rose once since: a search over many commitments takes the place of one ascent at a given rate.
MOST = {"toy": (109, 28), "thermal": (153, 31), "rooms-ce": (165, 32), "rooms": (120, 31)}


@pytest.mark.parametrize("row", TRIPS)
def test_the_way_of_an_update_is_no_longer_than_it_was(row):
    game, leader, *_ = TRIPS[row]
    functions, files, _ = counted(entered(game, leader))
    assert functions <= MOST[row][0]
    assert files <= MOST[row][1]
