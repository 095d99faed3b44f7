"""What an allocation of items to messages is worth when everybody sends the message that is best for them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array

__all__ = ["best_mechanism", "mechanism_value", "worth"]


def worth(table: Array) -> float:
    """Return the share of types that get their item under a table of probabilities, shape (messages, items).

    A type sends the message after which its item is the most likely.
    """
    return float(table.max(axis=0).mean())


def mechanism_value(types: int, messages: int) -> float:
    """Return the most that any allocation is worth: types can be told apart by no more messages than there are.

    The largest entries of the columns sum to no more than all entries, which is the number of messages, and to no more
    than the number of columns.
    """
    return min(messages, types) / types


def best_mechanism(game: Any) -> float:
    """Return the value of the best allocation of a game again, by trying an item for each message.

    What a mixed allocation is worth is a largest probability, convex in the table, so an unmixed one is as good.
    """
    messages, types = game.commitment.shape
    return max(worth(np.eye(types)[list(items)]) for items in itertools.product(range(types), repeat=messages))
