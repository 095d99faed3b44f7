"""Bytes between processes: any size, cut and silent ones."""

import os
import threading
import time

import numpy as np
import pytest

from agents.runs.remote.messages import PLAIN, Channel
from stackelberg_envs.errors import LeaderProcessError


def pipes():
    (a, b), (c, d) = os.pipe(), os.pipe()
    return Channel(a, d), Channel(c, b), [a, b, c, d]


def test_messages_of_any_size_arrive_and_those_that_are_too_long_are_refused_unread():
    one, other, descriptors = pipes()
    tree = {"x": np.arange(500_000.0), "words": ["a", None, 1.5]}
    sender = threading.Thread(target=one.send, args=(tree,))
    sender.start()
    back = other.receive()
    sender.join()
    np.testing.assert_array_equal(back["x"], tree["x"])
    assert back["words"] == tree["words"]

    def send_until_it_breaks():
        with pytest.raises(BrokenPipeError):
            one.send(tree)

    sender = threading.Thread(target=send_until_it_breaks)
    sender.start()
    with pytest.raises(LeaderProcessError, match=f"at most {PLAIN:,} bytes, got one that announces 4,0"):
        other.receive(PLAIN)
    os.close(descriptors[0])
    os.close(descriptors[2])
    sender.join()


def test_a_cut_message_is_an_end_and_a_silent_one_takes_only_its_time():
    one, other, descriptors = pipes()
    os.write(descriptors[1], b"abc")
    with pytest.raises(TimeoutError):
        one.receive(deadline=time.monotonic() + 0.05)
    with pytest.raises(TimeoutError):
        other.send({"x": np.zeros(10**6)}, deadline=time.monotonic() + 0.05)
    os.close(descriptors[1])
    with pytest.raises(EOFError, match="the pipe was closed"):
        while True:
            one.receive()
