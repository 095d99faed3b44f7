"""What a leader is made of goes to its own process as bytes, and comes back as it was."""

import enum
import functools
import io
import json
import os
import threading
from collections import deque
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest

from agents.packing import PACKAGES, pack, unpack
from stackelberg_envs.envs import discrete_toy_v0
from stackelberg_envs.errors import ArgumentError, OutputError

HERE = PACKAGES | {__name__.partition(".")[0]}


class Colour(enum.Enum):
    RED = 1


@dataclass(frozen=True)
class Point:
    x: float
    y: tuple[int, ...] = ()


class Slotted:
    __slots__ = ("here",)


class Player:
    """One of everything, shared and circular references included."""

    def __init__(self):
        self.rng = np.random.default_rng(1)
        self.old_rng = np.random.RandomState(1)
        self.table = np.arange(6.0).reshape(2, 3)
        self.same_table = self.table
        self.fortran = np.asfortranarray(np.arange(6).reshape(2, 3))
        self.frozen = np.ones(2)
        self.frozen.flags.writeable = False
        self.point = Point(np.nan, (1, 2))
        self.colour = Colour.RED
        self.words = ["a", None, True, 2**100, -0.0, np.inf, np.float32(0.1), np.int64(3), b"bytes"]
        self.curve = [0.1, np.inf]
        self.tables = {(0, 1): {1.5}, "k": frozenset({2}), 3: deque([np.zeros(0)], maxlen=4)}
        self.slotted = Slotted()
        self.slotted.here = self
        self.method = self.double
        self.kind = Point

    def double(self):
        return 2 * self.table

    @cached_property
    def derived(self):
        return self.table.sum()


def copied(value, twin=None):
    return unpack(pack(value, packages=HERE), twin, packages=HERE)


def test_everything_a_player_may_hold_comes_back():
    player, twin = Player(), Player()
    player.rng.random(3), player.old_rng.random(3)
    player.table += player.derived
    twin.stray = 1
    assert twin.derived == 15.0
    rng = twin.rng
    back = copied(player, twin)
    assert back is twin
    assert back.rng is rng
    assert back.rng.random() == player.rng.random()
    assert back.old_rng.random() == player.old_rng.random()
    np.testing.assert_array_equal(back.table, player.table)
    assert back.same_table is back.table
    assert back.fortran.flags.f_contiguous
    assert back.fortran.dtype == player.fortran.dtype
    assert not back.frozen.flags.writeable
    assert np.isnan(back.point.x)
    assert back.point.y == (1, 2)
    assert back.colour is Colour.RED
    assert back.words == player.words
    assert str(back.words[4]) == "-0.0"
    assert [type(word) for word in back.words] == [type(word) for word in player.words]
    assert back.curve == [0.1, np.inf]
    assert back.tables.keys() == player.tables.keys()
    assert back.tables[3].maxlen == 4
    assert back.tables[3][0].shape == (0,)
    assert back.slotted.here is back
    np.testing.assert_array_equal(back.method(), 2 * back.table)
    assert back.kind is Point
    assert not hasattr(back, "stray")
    assert back.derived == player.table.sum()  # what follows from the rest is worked out again


def test_two_objects_that_were_one_when_constructed_come_back_as_two():
    class Pair:
        def __init__(self):
            self.left = self.right = Player()

    pair, twin = Pair(), Pair()
    pair.right = Player()
    pair.right.table[:] = 7.0
    values, twins = [pair.left, pair.right], [twin.left, twin.right]
    left, right = copied(values, twins)
    assert left is twin.left
    assert right is not left
    assert left.table[0, 0] == 0.0
    assert right.table[0, 0] == 7.0


def test_what_both_sides_have_is_stored_as_the_way_to_it():
    game = discrete_toy_v0.make_game()
    held = {"c": game.commitment, "low": game.commitment.low, "project": game.commitment.project}
    data = pack(held, given={"game": game})
    assert len(data) < 2_000
    other = discrete_toy_v0.make_game()
    back = unpack(data, given={"game": other})
    assert back["c"] is other.commitment
    assert back["low"] is other.commitment.low
    assert back["project"].__self__ is other.commitment
    with pytest.raises(OutputError, match=r"expected game.commitment, which this run does not have"):
        unpack(data, given={})


class WithLock:
    def __init__(self):
        self.deep = [{"lock": threading.Lock()}]


@pytest.mark.parametrize(
    ("value", "way", "what"),
    [
        (WithLock(), r"deep\[0\]\['lock'\]", "an object of _thread:lock"),
        (lambda: 0, "value", "<lambda>"),
        (np.array([object()]), "value", "an array of object"),
        (os, "value", "module"),
        ({"a": np.ma.masked_array([1])}, r"\['a'\]", "MaskedArray"),
        (functools.partial(int), "value", "an object of functools:partial"),
        (json.dumps, "value", "which no other process could look up"),
    ],
)
def test_what_cannot_be_stored_is_named_with_the_way_to_it(value, way, what):
    with pytest.raises(ArgumentError, match=rf"checkpoint: {way}: expected numbers") as caught:
        pack(value, packages=HERE)
    assert what in str(caught.value)


def test_names_from_other_packages_are_not_looked_up():
    data = pack([Point(1.0)], packages=HERE)
    with pytest.raises(OutputError, match="expected a name from agents, stackelberg_envs"):
        unpack(data)
    tree = json.dumps({"kind": "global", "name": "agents.cli:os.system"}).encode()
    buffer = io.BytesIO()
    np.savez(buffer, tree=np.frombuffer(tree, dtype=np.uint8))
    with pytest.raises(OutputError, match=r"expected a function or class of agents\.cli"):
        unpack(buffer.getvalue())
