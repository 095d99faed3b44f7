"""The way of one leader update through the house, so that it does not grow again unseen."""

import pytest

from benchmarks.trip import TRIPS, counted, entered

#: Row -> the most functions and files that one update enters with its exact values. Who makes a way shorter lowers it.
#: They rose since: a search over many commitments takes the place of one ascent at a given rate; whether the follower
#: has settled is measured on vectors, too ("thermal"); and leaders search the set that the yardstick does ("rooms-ce").
#: Then by games with feasible actions and discount 1, by loops that large games cut into parts, and by searches that
#: begin in more places ("rooms-ce", whose fourth update looks at draws since). Then by a door that refuses rewards
#: whose sums would overflow, and by gradients of what is paid alone, where a commitment also bars actions ("rooms-ce").
#: Then by what commitments have earned, to which plans in a model and what they are refined to are held ("rooms-ce").
MOST = {"toy": (124, 29), "thermal": (156, 32), "rooms-ce": (203, 35), "rooms": (137, 32)}


@pytest.mark.parametrize("row", TRIPS)
def test_the_way_of_an_update_is_no_longer_than_it_was(row):
    game, leader, *_ = TRIPS[row]
    functions, files, _ = counted(entered(game, leader))
    assert functions <= MOST[row][0]
    assert files <= MOST[row][1]
