"""Slots of tables that many copies share."""

import numpy as np

from stackelberg_envs.faces.slots import Slots


def test_every_copy_finds_what_was_put_there_and_slots_are_used_again():
    rng, slots, n = np.random.default_rng(0), Slots(6, (2,), np.float64), 6
    things = [np.array([float(k), 1.0]) for k in range(20)]
    mine = [None] * n
    for _ in range(500):
        i, k = int(rng.integers(n)), int(rng.integers(20))
        slots.put(i, things[k], things[k])
        mine[i] = k
        for copy, held in enumerate(mine):
            if held is not None:
                np.testing.assert_array_equal(slots.arrays[slots.of[copy]], things[held])
    assert len(slots.arrays) <= 8


def test_things_that_are_gone_are_not_mistaken_for_new_ones():
    slots = Slots(1, (1,), np.float64)
    for k in range(1000):
        slots.put(0, object(), np.array([float(k)]))  # ids of objects come again
        assert slots.arrays[slots.of[0]] == k
