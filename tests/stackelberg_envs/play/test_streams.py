"""Streams of uniform numbers for many copies: each is the stream of a generator of its own."""

import numpy as np
import pytest

from stackelberg_envs.play.streams import UniformStreams


def taken(streams, counts, rounds):
    """Let copy i take counts[i] numbers a round; return what each took."""
    seen = [[] for _ in counts]
    for _ in range(rounds):
        streams.need(max(counts))
        for i, count in enumerate(counts):
            seen[i] += streams.numbers[i, streams.place[i] : streams.place[i] + count].tolist()
            streams.place[i] += count
    return seen


@pytest.mark.parametrize("backwards", [True, False])
@pytest.mark.parametrize("block", [3, 16])
def test_each_copy_takes_the_blocks_of_its_own_generator(block, backwards):
    counts = [0, 1, 5]
    streams = UniformStreams(3, block, backwards=backwards)
    streams.seed([7, 8, 9])
    for i, mine in enumerate(taken(streams, counts, 40)):
        rng = np.random.default_rng(7 + i)
        blocks = [rng.random(block)[:: -1 if backwards else 1] for _ in range(len(mine) // block + 1)]
        assert mine == np.concatenate(blocks)[: len(mine)].tolist()


def test_a_stream_without_a_new_seed_goes_on():
    streams = UniformStreams(2, 4, backwards=False)
    streams.seed([1, 2])
    first = taken(streams, [3, 3], 1)
    streams.seed([1, None])
    again = taken(streams, [3, 3], 1)
    assert again[0] == first[0]
    assert first[1] + again[1] == np.random.default_rng(2).random(6).tolist()


def test_streams_without_a_seed_differ():
    streams = UniformStreams(2, 4, backwards=False)
    streams.seed([None, None])
    mine = taken(streams, [4, 4], 1)
    assert mine[0] != mine[1]
