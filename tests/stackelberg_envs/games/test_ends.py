"""Whether play ends, and how soon: against enumeration of all policies."""

import itertools

import numpy as np
import pytest

from stackelberg_envs.errors import GameError
from stackelberg_envs.games.ends import sure_end
from stackelberg_envs.games.transitions import Transition


def kernel(S, B, rng, successors):
    """A random kernel of S states, one leader action and B actions; the last state is the end."""
    P = np.zeros((S, 1, B, S))
    for s, b in itertools.product(range(S), range(B)):
        places = rng.choice(S, size=successors, replace=False)
        P[s, 0, b, places] = rng.dirichlet(np.ones(successors))
    return P


def steps_of_policy(P, choice):
    """Expected steps from each state until the last one has been visited; None where play need not end."""
    S = len(P)
    moves = np.array([P[s, 0, choice[s]] for s in range(S)])
    moves[-1] = 0.0
    if not (np.linalg.matrix_power(moves + 0.0, 4 * S).sum(axis=1) < 1.0 - 1e-12).all():
        return None
    return np.linalg.solve(np.eye(S) - moves, np.ones(S))


def enumerated(P, possible):
    """The greatest expected steps over all deterministic policies; None where some policy need not end."""
    S = len(P)
    found = [
        steps_of_policy(P, choice)
        for choice in itertools.product(*(np.flatnonzero(possible[s, 0]) if s < S - 1 else [0] for s in range(S)))
    ]
    return None if any(one is None for one in found) else max(one.max() for one in found)


@pytest.mark.parametrize("successors", [1, 2, 3])
def test_all_policies_of_small_random_games_agree(successors):
    rng, ended = np.random.default_rng(successors), 0
    for _ in range(60):
        S, B = 4, 2
        P = kernel(S, B, rng, successors)
        possible = rng.random((S, 1, B)) < 0.7
        possible[..., 0] |= ~possible.any(axis=2)
        exact = enumerated(P, possible)
        possible[-1] = False
        if exact is None:
            with pytest.raises(GameError, match=r"from state \d it can go on for ever"):
                sure_end([Transition.from_dense(P)], possible, S)
            continue
        ended += 1
        bound = sure_end([Transition.from_dense(P)], possible, S).steps
        assert exact * (1 - 1e-12) <= bound <= exact * 1.11
    assert 0 < ended < 60


def test_the_state_named_is_one_that_can_be_kept_to():
    P = np.zeros((4, 1, 2, 4))
    P[0, 0, :, 1] = P[1, 0, :, 3] = P[3, 0, :, 3] = 1.0
    P[2, 0] = [[0, 0, 1, 0], [0, 0, 0, 1]]
    possible = np.array([True, True, True, False])[:, None, None] & np.ones((4, 1, 2), bool)
    with pytest.raises(GameError, match="from state 2 it can go on for ever, within 1 states"):
        sure_end([Transition.from_dense(P)], possible, 4)
    possible[2, 0, 0] = False  # staying cannot be chosen any more
    assert sure_end([Transition.from_dense(P)], possible, 4).steps == 3.0


def test_play_without_return_has_an_order_and_a_longest_episode():
    rng, S = np.random.default_rng(0), 50
    renamed, P = rng.permutation(S), np.zeros((S, 1, 2, S))
    for i in range(S - 1):
        for b in range(2):
            P[renamed[i], 0, b, renamed[rng.integers(i + 1, S, size=3)]] += 1.0
    P[renamed[-1], 0, :, renamed[-1]] = 1.0
    P /= P.sum(axis=-1, keepdims=True)
    possible = np.ones((S, 1, 2), bool)
    possible[renamed[-1]] = False
    found = sure_end([Transition.from_dense(P)], possible, S)
    rank = np.empty(S, int)
    rank[found.order] = np.arange(S)
    longest, steps = np.ones(S, int), np.ones(S)
    for s in renamed[-2::-1]:
        following = np.flatnonzero(P[s].sum(axis=(0, 1)))
        assert (rank[following] < rank[s]).all()
        longest[s] = 1 + longest[following].max()
        steps[s] = 1 + (P[s, 0] @ steps).max()
    assert (found.longest == longest).all()
    assert found.steps == pytest.approx(steps.max(), rel=1e-14)


def test_every_kernel_counts():
    onwards, back = np.zeros((2, 3, 1, 1, 3))
    onwards[0, ..., 1] = onwards[1, ..., 2] = onwards[2, ..., 2] = 1.0
    back[0, ..., 2] = back[1, ..., 0] = back[2, ..., 2] = 1.0
    possible = np.array([True, True, False])[:, None, None]
    pair = [Transition.from_dense(P) for P in (onwards, back)]
    assert [sure_end([one], possible, 3).steps for one in pair] == [3.0, 3.0]
    with pytest.raises(GameError, match="from state 0"):
        sure_end(pair, possible, 3)


def test_slow_ends_are_bounded_and_endless_ones_refused():
    def leaving(chance):
        P = np.array([[[[1 - chance, chance]]], [[[0.0, 1.0]]]])
        return sure_end([Transition.from_dense(P)], np.array([[[True]], [[False]]]), 2).steps

    assert 1e6 <= leaving(1e-6) <= 1.11e6
    with pytest.raises(GameError, match="within 1e\\+09 steps in the mean"):
        leaving(1e-12)


def test_contexts_are_named():
    P = np.array([[[[0.0, 1.0]]], [[[0.0, 1.0]]]])
    stays = np.array([[[[1.0, 0.0]]], [[[0.0, 1.0]]]])
    both = Transition.from_dense(np.stack([P, stays])).joint(2)
    with pytest.raises(GameError, match="from context 1, state 0"):
        sure_end([both], np.array([True, False, True, False])[:, None, None], 2)
