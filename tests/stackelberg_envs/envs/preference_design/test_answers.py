"""Answers: the tree of words, what people like, and the policy that the assistant starts from."""

import itertools

import numpy as np
import pytest

from stackelberg_envs.envs.preference_design import answers

FACT, CAVEAT, PRAISE, FILLER = range(4)


def node_of(*words):
    """Return the node of an answer, by walking the tree."""
    there, node = answers.children(4), 0
    for word in words:
        node = int(there[node, word])
    return node


@pytest.mark.parametrize("longest", [1, 2, 4])
def test_each_answer_is_one_node(longest):
    all_of_them = [words for length in range(longest + 1) for words in itertools.product(range(4), repeat=length)]
    assert [answers.words_of(node) for node in range(answers.number_of_nodes(longest))] == all_of_them
    np.testing.assert_array_equal(
        answers.counts(longest), [[words.count(word) for word in range(4)] for words in all_of_them]
    )


def test_children_are_longer_by_their_word():
    there = answers.children(3)
    full = answers.is_full(3)
    for node in range(len(there)):
        words = answers.words_of(node)
        assert full[node] == (len(words) == 3)
        if not full[node]:
            assert [answers.words_of(int(child)) for child in there[node]] == [(*words, w) for w in range(4)]


@pytest.mark.parametrize(
    ("words", "plain", "catch"),
    [
        ((), 0.0, 0.0),
        ((FACT,), 2.0, 2.0),
        ((FACT, FACT, FACT), 0.6, 0.6),
        ((FACT, CAVEAT), 1.2, 3.5),
        ((CAVEAT, FACT, CAVEAT), 0.4, 2.8),
        ((PRAISE, FACT), 2.5, 2.5),
        ((FACT, PRAISE), 1.0, 1.0),
        ((PRAISE, PRAISE), -0.5, -0.5),
        ((FACT, FILLER), 1.5, 1.5),
    ],
)
def test_people_like_what_the_page_says(words, plain, catch):
    assert answers.liking(4)[:, node_of(*words)] == pytest.approx([plain, catch])


def test_the_starting_policy_sends_every_answer_sooner_or_later():
    policy, sends = answers.starting_policy(4), answers.sending(4)
    np.testing.assert_allclose(policy.sum(axis=1), 1.0)
    assert (policy > 0).all()
    probabilities = answers.sent(policy, sends)
    assert probabilities.sum() == pytest.approx(1.0)
    assert probabilities[0] == pytest.approx(0.001)
    assert probabilities[node_of(PRAISE, FACT)] == pytest.approx(0.999 * 0.25 * 0.65 * 0.3 * 0.35)
    # A full answer is sent whatever is done.
    assert probabilities[node_of(*[FILLER] * 4)] == pytest.approx(0.999 * 0.25 * (0.65 * 0.25) ** 3)
