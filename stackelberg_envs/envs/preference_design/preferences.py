"""Recorded preferences: what people said of pairs of answers, and how likely a reward model makes that.

People prefer the first of two answers with the Bradley-Terry probability p = sigmoid(R(first) - R(second)), where R is
how much they like an answer. A reward model with weights x says sigmoid(d) instead, where d = x . (counts of the first
- counts of the second). The mean logarithm of the probability that the model gave to what was said is

    p log sigmoid(d) + (1 - p) log sigmoid(-d) = p d - log(1 + exp(d)).

Answers with the same counts that are liked alike are of one class: there are far fewer of them.

Letters: K prompts, S answers, C classes of answers, W words.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.commitments.base import Commitment, Effect, need
from stackelberg_envs.games.cotangents import Cotangents

__all__ = ["PreferenceLikelihood", "Recorded", "log_likelihood", "recorded", "recorded_fit", "sigmoid"]

#: Steps of Newton's method, of which far fewer are needed.
NEWTON_STEPS = 25


class Recorded(NamedTuple):
    """The recorded preferences, by classes of answers.

    Attributes
    ----------
    class_of
        The class of each answer, shape (S,).
    counts
        Of each word in the answers of each class, shape (C, W).
    share
        Part of the recorded answers that is of each class, shape (C,); sums to one.
    preferred
        Part of the people who preferred an answer of the first class to one of the second, shape (K, C, C).
    """

    class_of: NDArray[np.int64]
    counts: Array
    share: Array
    preferred: Array


def sigmoid(z: Array) -> Array:
    """Return 1 / (1 + exp(-z)) without overflow."""
    return np.exp(-np.logaddexp(0.0, -z))


def recorded(counts: NDArray[np.int64], liking: Array, probabilities: Array) -> Recorded:
    """Return what is recorded of answers.

    Parameters
    ----------
    counts
        How often each word is in each answer, shape (S, W).
    liking
        How much people like it, shape (K, S).
    probabilities
        How often it is among the recorded answers, shape (S,).
    """
    rows, first, class_of = np.unique(
        np.column_stack([counts, liking.T]), axis=0, return_index=True, return_inverse=True
    )
    liked = liking[:, first]
    class_of = class_of.ravel().astype(np.int64)
    share = np.asarray(np.bincount(class_of, weights=probabilities, minlength=len(rows)), dtype=np.float64)
    preferred = sigmoid(liked[:, :, None] - liked[:, None, :])
    # In one order of memory, so that a copy of the game computes the very same digits.
    return Recorded(class_of, *map(np.ascontiguousarray, (counts[first].astype(np.float64), share, preferred)))


def _differences(found: Recorded, x: Array) -> Array:
    """Return d, by how much the reward model puts a class above another, shape (C, C)."""
    score = found.counts @ x
    return np.asarray(score[:, None] - score[None, :])


def log_likelihood(found: Recorded, x: Array) -> Array:
    """Return the mean log-likelihood of what is said of each class beside a recorded answer, shape (K, C)."""
    d = _differences(found, x)
    return np.asarray((found.preferred * d - np.logaddexp(0.0, d)) @ found.share)


def slope(found: Recorded, x: Array, weight: Array) -> Array:
    """Return the derivative by x of the log-likelihoods, summed with weights of shape (K, C); shape (W,)."""
    surprise = found.preferred - sigmoid(_differences(found, x))
    pairs = np.einsum("kc,kcj,j->cj", weight, surprise, found.share)
    return np.asarray(pairs.sum(axis=1) @ found.counts - pairs.sum(axis=0) @ found.counts)


def recorded_fit(found: Recorded, low: float, high: float) -> Array:
    """Return the weights that make preferences between pairs of recorded answers likeliest, shape (W,).

    This is how reward models are fitted where nobody asks what will be said after tuning. By Newton's method; the
    objective is concave.
    """
    weight = np.tile(found.share, (len(found.preferred), 1)) / len(found.preferred)
    gaps = found.counts[:, None, :] - found.counts[None, :, :]
    x = np.zeros(found.counts.shape[1])
    for _ in range(NEWTON_STEPS):
        guess = sigmoid(_differences(found, x))
        curvature = np.einsum("i,j,ij,ijd,ije->de", found.share, found.share, guess * (1 - guess), gaps, gaps)
        x = x + np.linalg.lstsq(curvature, slope(found, x, weight))[0]
    return np.clip(x, low, high)


class PreferenceLikelihood(Commitment):
    """The leader is paid, when an answer is sent, the log-likelihood of what people say of it beside a recorded one.

    r_L(k, s, b) += sum_c share(c) [p_k(s, c) d(s, c) - log(1 + exp(d(s, c)))] where b sends answer s; d is the
    difference of the scores that x gives the two answers.

    Parameters
    ----------
    low, high
        Bounds of the weights.
    found
        The recorded preferences.
    sends
        Whether an action sends the answer, shape (S, B); the game may have more states, in which none is sent.
    num_states
        Of the game.
    """

    changes = frozenset({"leader_reward"})
    always_fits = True

    def __init__(self, low: float, high: float, found: Recorded, sends: NDArray[np.bool_], num_states: int) -> None:
        super().__init__(low, high, found.counts.shape[1:])
        self.found, self.sends = found, sends
        self.game_shape = (len(found.preferred), num_states, 1, sends.shape[1])

    def effect(self, x: Array) -> Effect:
        """Return the log-likelihood of each answer, where it is sent."""
        reward = np.zeros(self.game_shape)
        paid = log_likelihood(self.found, x)[:, self.found.class_of]
        reward[:, : len(self.sends), 0] = paid[:, :, None] * self.sends
        return Effect(leader_reward=reward)

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return dJ/dr_L, gathered by class, times the derivative of the log-likelihood."""
        by_action = need(cotangents.leader_reward, "leader_reward").reshape(self.game_shape)[:, : len(self.sends), 0]
        weight = np.zeros((len(by_action), len(self.found.counts)))
        np.add.at(weight.T, self.found.class_of, (by_action * self.sends).sum(axis=-1).T)
        return slope(self.found, x, weight)
