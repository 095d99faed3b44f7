"""Linear-quadratic games as plain arrays: their public form, their numbers, and both under one commitment.

s' = A s + B b + C a + noise, the leader plays a ~ N(K s, leader_noise), the follower sees a and is paid
-(s'Q s + b'R b). A commitment enters A or K, affinely. The *form* says how and is public; the *numbers* are the
game's own, or whatever a leader has identified from play.

Letters: W, A, B sizes of the state, of the leader's and of the follower's action; D entries of x; N numbers
that make up the dynamics.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.cotangents import Cotangents
from stackelberg_envs.errors import CommitmentError, GameError
from stackelberg_envs.samples import SampledCommitment, SampledEffect, Samples

__all__ = [
    "BumpReward",
    "DynamicsCommitment",
    "GainCommitment",
    "LeaderReward",
    "LinearForm",
    "LinearGaussianPolicy",
    "LinearNumbers",
    "LinearQuadratic",
    "QuadraticReward",
    "free_dynamics",
]


@dataclass(frozen=True, eq=False)
class LinearNumbers:
    """The numbers of a linear-quadratic game: everything that its form leaves open.

    Attributes
    ----------
    weights
        Of the matrices that make up the dynamics, shape (N,); see :class:`LinearForm`.
    follower_input, leader_input
        B and C, shapes (W, B) and (W, A).
    noise
        Covariance of the process noise, shape (W, W); may be zero.
    state_cost, action_cost
        Q and R of the follower's reward -(s'Q s + b'R b), symmetric, shapes (W, W) and (B, B).
    initial_mean, initial_covariance
        Of the initial state, shapes (W,) and (W, W).
    """

    weights: Array
    follower_input: Array
    leader_input: Array
    noise: Array
    state_cost: Array
    action_cost: Array
    initial_mean: Array
    initial_covariance: Array


@dataclass(frozen=True, eq=False)
class LinearQuadratic:
    """A linear-quadratic game under one commitment, for the follower and for whoever evaluates its play.

    Attributes
    ----------
    numbers
        All that does not depend on the commitment.
    dynamics
        A, shape (W, W).
    gain
        K, shape (A, W).
    leader_noise
        Covariance of the leader's action around K s, shape (A, A).
    discount, temperature
        The follower's.
    """

    numbers: LinearNumbers
    dynamics: Array
    gain: Array
    leader_noise: Array
    discount: float
    temperature: float

    @property
    def drift(self) -> Array:
        """M = A + C K, what the follower expects of the next state before it sees a; shape (W, W)."""
        return self.dynamics + self.numbers.leader_input @ self.gain


@dataclass(frozen=True, eq=False)
class LinearForm:
    """How a commitment enters a linear-quadratic game, without the game's numbers.

    A(x) = sum_n weights_n (basis[n, 0] + sum_d x_d basis[n, d + 1]) and K(x) = gains[0] + sum_d x_d gains[d + 1].

    Attributes
    ----------
    basis
        Shape (N, 1 + D, W, W).
    gains
        Shape (1 + D, A, W); A = 0 where the leader only configures.
    follower_action_size
        B.
    leader_noise
        Covariance of the leader's action around K s, shape (A, A).
    price
        The leader pays price * |x|^2 per step, reward units.
    """

    basis: Array
    gains: Array
    follower_action_size: int
    leader_noise: Array
    price: float = 0.0

    @property
    def sizes(self) -> tuple[int, int, int]:
        """(W, A, B)."""
        return self.basis.shape[-1], self.gains.shape[1], self.follower_action_size

    def dynamics(self, weights: Array, x: Array) -> Array:
        """Return A(x), shape (W, W)."""
        return affine(np.tensordot(weights, self.basis, 1), x)

    def gain(self, x: Array) -> Array:
        """Return K(x), shape (A, W)."""
        return affine(self.gains, x)

    def parts(self, numbers: LinearNumbers, x: Array, discount: float, temperature: float) -> LinearQuadratic:
        """Return the game that these numbers make of a commitment."""
        dynamics, gain = self.dynamics(numbers.weights, x), self.gain(x)
        return LinearQuadratic(numbers, dynamics, gain, self.leader_noise, discount, temperature)

    def pull_back(self, weights: Array, dynamics: Array, gain: Array) -> Array:
        """Return dJ/dx, shape (D,), from dJ/dA and dJ/dK."""
        moved = np.tensordot(weights, self.basis, 1)[1:]
        return np.asarray(np.tensordot(moved, dynamics, 2) + np.tensordot(self.gains[1:], gain, 2))


def affine(table: Array, x: Array) -> Array:
    """Return table[0] + sum_d x_d table[d + 1]."""
    return np.asarray(table[0] + (x.ravel() @ table[1:].reshape(x.size, -1)).reshape(table.shape[1:]))


def free_dynamics(W: int, D: int) -> Array:
    """Return the basis of dynamics of which nothing is known and which x does not change, (W^2, 1 + D, W, W)."""
    basis = np.zeros((W * W, 1 + D, W, W))
    basis[:, 0] = np.eye(W * W).reshape(W * W, W, W)
    return basis


# --- the leader's own reward ------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class BumpReward:
    """The leader is paid for being near a place: exp(-1/2 sum_i ((s_i - target_i) / width_i)^2), over a horizon.

    Attributes
    ----------
    target, width
        Shape (W,); widths are positive.
    """

    target: Array
    width: Array

    def at(self, states: Array, follower_actions: Array) -> Array:
        """Return the reward of n steps, shape (n,)."""
        del follower_actions
        away = (states - self.target) / self.width
        return np.asarray(np.exp(-0.5 * (away * away).sum(axis=-1)))


@dataclass(frozen=True, eq=False)
class QuadraticReward:
    """The leader is paid -(s'Q s + b'R b), over infinite play.

    Attributes
    ----------
    state_cost, action_cost
        Symmetric, shapes (W, W) and (B, B).
    """

    state_cost: Array
    action_cost: Array

    def at(self, states: Array, follower_actions: Array) -> Array:
        """Return the reward of n steps, shape (n,)."""
        return -quadratic(self.state_cost, states) - quadratic(self.action_cost, follower_actions)


LeaderReward = BumpReward | QuadraticReward


def quadratic(matrix: Array, vectors: Array) -> Array:
    """Return v'matrix v of n vectors, shape (n,)."""
    return np.asarray(np.einsum("ni,ni->n", vectors @ matrix, vectors))


# --- policies and commitments -----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class LinearGaussianPolicy:
    """A follower that plays b ~ N(on_state s + on_action a, covariance).

    Attributes
    ----------
    on_state, on_action
        Shapes (B, W) and (B, A).
    covariance
        Positive definite, shape (B, B).
    """

    on_state: Array
    on_action: Array
    covariance: Array

    @cached_property
    def _factor(self) -> Array:
        return np.asarray(np.linalg.cholesky(self.covariance), dtype=np.float64)

    def mean(self, states: Array, leader_actions: Array) -> Array:
        """Return the mean action, shape (n, B)."""
        return np.asarray(states @ self.on_state.T + leader_actions @ self.on_action.T)

    def sample(self, rng: np.random.Generator, states: Array, leader_actions: Array, contexts: IntArray) -> Array:
        """Draw actions, shape (n, B)."""
        del contexts
        mean = self.mean(states, leader_actions)
        return mean + rng.standard_normal(mean.shape) @ self._factor.T

    def log_prob(self, states: Array, leader_actions: Array, contexts: IntArray, actions: Array) -> Array:
        """Return the log-density of actions, shape (n,)."""
        del contexts
        white = np.linalg.solve(self._factor, (actions - self.mean(states, leader_actions)).T)
        constant = np.log(np.diag(self._factor)).sum() + 0.5 * len(self._factor) * np.log(2 * np.pi)
        return np.asarray(-0.5 * (white * white).sum(axis=0) - constant)


class GainCommitment(SampledCommitment):
    """The leader commits to a linear policy: a ~ N(x s, noise^2), x = K.

    Parameters
    ----------
    shape
        (A, W).
    bound
        Entries of x lie in [-bound, bound].
    noise
        Standard deviation of each entry of a, positive.
    """

    changes = frozenset({"leader_policy"})

    def __init__(self, shape: tuple[int, int], bound: float, noise: float) -> None:
        super().__init__(-bound, bound, shape)
        if not noise > 0:
            raise GameError(f"leader_noise: expected a number greater than 0, got {noise!r}")
        self.noise = noise

    def effect_at(self, x: Array, samples: Samples) -> SampledEffect:
        """Return the log-density of the leader's actions."""
        away = self._away(x, samples) / self.noise
        constant = away.shape[1] * np.log(self.noise * np.sqrt(2 * np.pi))
        return SampledEffect(leader_policy=-0.5 * (away * away).sum(axis=1) - constant)

    def vjp_at(self, x: Array, samples: Samples, cotangents: Cotangents) -> Array:
        """Return the score of the recorded actions, weighted: sum_t c_t (a_t - x s_t) s_t' / noise^2."""
        weight = _need(cotangents.leader_policy, "leader_policy")
        away = self._away(x, samples)
        return np.asarray((away * weight[:, None]).T @ samples.state / self.noise**2)

    @staticmethod
    def _away(x: Array, samples: Samples) -> Array:
        return np.asarray(samples.leader_action - samples.state @ x.T)


class DynamicsCommitment(SampledCommitment):
    """The leader configures linear dynamics, s' ~ N(A(x) s + B b, noise), and pays price * |x|^2 per step.

    It holds what the leader configures, the dynamics, as the score of a transition demands; it holds nothing of the
    follower's reward.

    Parameters
    ----------
    form
        How x enters A.
    weights
        The numbers of the dynamics, shape (N,).
    follower_input
        B, shape (W, B).
    noise
        Covariance, positive definite, shape (W, W).
    low, high
        Bounds of x, shape (D,).
    """

    changes = frozenset({"transition", "leader_reward"})

    def __init__(
        self, form: LinearForm, weights: Array, follower_input: Array, noise: Array, low: Array, high: Array
    ) -> None:
        super().__init__(low, high)
        self.form = form
        self.table = np.tensordot(weights, form.basis, 1)
        self.follower_input = np.array(follower_input, dtype=np.float64)
        if np.linalg.eigvalsh(noise).min() <= 0:
            raise GameError(f"noise: expected a positive definite covariance, got {np.asarray(noise).tolist()}")
        self.precision: Array = np.asarray(np.linalg.inv(noise), dtype=np.float64)
        self._constant = 0.5 * np.linalg.slogdet(2 * np.pi * noise)[1]

    def effect_at(self, x: Array, samples: Samples) -> SampledEffect:
        """Return the log-density of the recorded moves, bounds of the state ignored, and the price of x."""
        away = self._away(x, samples)
        moves = -0.5 * quadratic(self.precision, away) - self._constant
        return SampledEffect(transition=moves, leader_reward=np.full(len(samples), -self.form.price * np.sum(x * x)))

    def vjp_at(self, x: Array, samples: Samples, cotangents: Cotangents) -> Array:
        """Return the score of the recorded moves, weighted, and the derivative of the price.

        The sum over steps of c_t (s'_t - A s_t - B b_t) s_t' needs three small matrices and no move by itself.
        """
        out = np.zeros(x.shape)
        if cotangents.transition is not None:
            weighted = samples.state * cotangents.transition[:, None]
            expected = affine(self.table, x) @ (samples.state.T @ weighted)
            expected += self.follower_input @ (samples.follower_action.T @ weighted)
            score = self.precision @ (samples.next_state.T @ weighted - expected)
            out += np.tensordot(self.table[1:], score, 2)
        if cotangents.leader_reward is not None:
            out -= 2 * self.form.price * x * cotangents.leader_reward.sum()
        return out

    def _away(self, x: Array, samples: Samples) -> Array:
        expected = samples.state @ affine(self.table, x).T + samples.follower_action @ self.follower_input.T
        return np.asarray(samples.next_state - expected)


def _need(cotangent: Array | None, name: str) -> Array:
    if cotangent is None:
        raise CommitmentError(f"cotangents.{name}: expected an array, got None; this commitment changes it")
    return cotangent
