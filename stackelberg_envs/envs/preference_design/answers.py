"""The answers that an assistant can give, the policy that it starts from, and how much people like each answer.

Answers are the nodes of a tree: node 0 is the empty answer, and word w after node s leads to node W s + 1 + w. So a
number says all words of an answer, and in which order they came.

Letters: W words, L most words of an answer, S nodes of the tree, K prompts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array

__all__ = [
    "PROMPTS",
    "WORDS",
    "children",
    "counts",
    "is_full",
    "liking",
    "number_of_nodes",
    "sending",
    "sent",
    "starting_policy",
    "words_of",
]

WORDS = ("fact", "caveat", "praise", "filler")
FACT, CAVEAT, PRAISE, FILLER = range(len(WORDS))
PROMPTS = ("a plain question", "a question with a catch")
#: How often the policy that the assistant starts from says each word, where it says one; and how often it sends its
#: answer instead: an empty one, any other.
FREQUENCIES = (0.3, 0.2, 0.25, 0.25)
SENDING_NOTHING, SENDING = 0.001, 0.35


def number_of_nodes(longest: int) -> int:
    """Return S, the number of answers of up to so many words, the empty one among them."""
    W = len(WORDS)
    return int((W ** (longest + 1) - 1) // (W - 1))


def children(longest: int) -> NDArray[np.int64]:
    """Return the node that each word leads to, shape (S, W); S itself, which is no node, where an answer is full."""
    S, W = number_of_nodes(longest), len(WORDS)
    there = W * np.arange(S, dtype=np.int64)[:, None] + 1 + np.arange(W)
    return np.where(there < S, there, S)


def words_of(node: int) -> tuple[int, ...]:
    """Return the words of an answer in their order."""
    found: list[int] = []
    while node > 0:
        node, word = divmod(node - 1, len(WORDS))
        found.append(word)
    return tuple(reversed(found))


def counts(longest: int) -> NDArray[np.int64]:
    """Return how often each word is in each answer, shape (S, W)."""
    found = np.zeros((number_of_nodes(longest), len(WORDS)), dtype=np.int64)
    for node in range(1, len(found)):
        parent, word = divmod(node - 1, len(WORDS))
        found[node] = found[parent]
        found[node, word] += 1
    return found


def liking(longest: int) -> Array:
    """Return how much people like each answer to each prompt, shape (K, S).

    People want one fact, and are bored by more. Where there is a catch they want one caveat; elsewhere caveats annoy
    them. Praise pleases them as the first word, and only there.
    """
    found = counts(longest)
    facts, caveats, praise, filler = found.T
    first = np.array([words_of(node)[:1] == (PRAISE,) for node in range(len(found))], dtype=np.int64)
    common = _once(facts, 2.0) + 0.5 * first - 1.0 * (praise - first) - 0.5 * filler
    return np.stack([common - 0.8 * caveats, common + _once(caveats, 1.5)])


def _once(number: NDArray[np.int64], worth: float) -> Array:
    """Return the worth of having something at least once; each further time costs 0.7."""
    return np.where(number > 0, worth - 0.7 * (number - 1), 0.0)


def starting_policy(longest: int) -> Array:
    """Return the policy that the assistant starts from, shape (S, W + 1): each word, and at last to send the answer.

    A full answer is sent whatever the assistant does; there every action is as likely as another.
    """
    policy = np.empty((number_of_nodes(longest), len(WORDS) + 1))
    policy[:, -1] = SENDING
    policy[0, -1] = SENDING_NOTHING
    policy[:, :-1] = (1.0 - policy[:, -1:]) * np.array(FREQUENCIES)
    policy[is_full(longest)] = 1.0 / policy.shape[1]
    return policy


def is_full(longest: int) -> NDArray[np.bool_]:
    """Return whether no word can follow, shape (S,)."""
    found = children(longest)
    return np.asarray((found == len(found)).all(axis=1))


def sent(policy: Array, sends: NDArray[np.bool_]) -> Array:
    """Return how probable each answer is under a policy over the tree.

    Parameters
    ----------
    policy
        Shape (S, W + 1).
    sends
        Whether an action sends the answer, same shape.

    Returns
    -------
    ndarray
        Shape (S,); sums to one.
    """
    reached = np.zeros(len(policy))
    reached[0] = 1.0
    for node in range(1, len(policy)):
        parent, word = divmod(node - 1, len(WORDS))
        reached[node] = reached[parent] * policy[parent, word]
    return np.asarray(reached * (policy * sends).sum(axis=1))


def sending(longest: int) -> NDArray[np.bool_]:
    """Return whether an action sends the answer, shape (S, W + 1): the last one, and every one where it is full."""
    found = np.zeros((number_of_nodes(longest), len(WORDS) + 1), dtype=bool)
    found[:, -1] = True
    found[is_full(longest)] = True
    return found
