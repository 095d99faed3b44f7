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
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from stackelberg_envs.arrays import (
    Array,
    IntArray,
    as_float,
    first_index,
    frozen,
    require_count,
    require_number,
    require_positive,
)
from stackelberg_envs.errors import CommitmentError, GameError
from stackelberg_envs.games.commitments.base import need
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.matrices import as_matrix, as_symmetric, is_definite, require_semidefinite
from stackelberg_envs.games.samples import SampledCommitment, SampledEffect, Samples

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


#: Numbers in units of states and actions beyond this, and costs beyond its square, are refused: a value is a product
#: of a cost and of two states, and has to be a number.
LARGEST_STATE = 1e50


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

    All arrays are copied and frozen; matrices that must be symmetric are symmetrised where they are so up to
    rounding.

    Raises
    ------
    GameError
        No finite numbers, or a matrix that is not symmetric; the game they go into checks the rest.
    """

    weights: Array
    follower_input: Array
    leader_input: Array
    noise: Array
    state_cost: Array
    action_cost: Array
    initial_mean: Array
    initial_covariance: Array

    def __post_init__(self) -> None:
        """Convert, check and freeze every array."""
        for name in ("weights", "initial_mean"):
            _keep(self, name, _at_most(LARGEST_STATE, _as_vector(getattr(self, name), name), name))
        for name in ("follower_input", "leader_input"):
            _keep(self, name, _at_most(LARGEST_STATE, as_matrix(getattr(self, name), name), name))
        for name in ("noise", "state_cost", "action_cost", "initial_covariance"):
            _keep(self, name, _at_most(LARGEST_STATE**2, as_symmetric(getattr(self, name), name), name))


def _at_most(most: float, array: Array, name: str) -> Array:
    """Return the array, unless products of its numbers with those of others would be no numbers."""
    over = np.abs(array) > most
    if over.any():
        where = first_index(over)
        raise GameError(f"{name}: expected numbers of at most {most:g}, got {array[where]:g} at index {where}")
    return array


def _keep(owner: object, name: str, value: object) -> None:
    object.__setattr__(owner, name, value)


def _as_vector(value: Any, name: str) -> Array:
    array = as_float(value, name)
    if array.ndim != 1:
        raise GameError(f"{name}: expected a vector, got shape {array.shape}")
    return frozen(array)


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

    :meth:`of_gain` makes the form of a leader that plays a linear policy from its commitment.

    Raises
    ------
    GameError
        Shapes that do not fit, no finite numbers, or a leader_noise that is no covariance.
    """

    basis: Array
    gains: Array
    follower_action_size: int
    leader_noise: Array
    price: float = 0.0

    def __post_init__(self) -> None:
        """Convert, check and freeze every array."""
        basis, gains = as_float(self.basis, "basis"), as_float(self.gains, "gains")
        if basis.ndim != 4 or basis.shape[2] != basis.shape[3] or 0 in basis.shape[1:]:
            raise GameError(f"basis: expected shape (N, 1 + D, W, W), got {basis.shape}")
        if gains.ndim != 3 or (len(gains), gains.shape[2]) != (basis.shape[1], basis.shape[3]):
            expected = f"({basis.shape[1]}, A, {basis.shape[3]})"
            raise GameError(f"gains: expected shape (1 + D, A, W), {expected} for this basis, got {gains.shape}")
        noise, A = as_symmetric(self.leader_noise, "leader_noise"), gains.shape[1]
        if len(noise) != A:
            raise GameError(f"leader_noise: expected shape {(A, A)} for these gains, got {noise.shape}")
        require_semidefinite(noise, "leader_noise")
        _at_most(LARGEST_STATE**2, noise, "leader_noise")
        for name, table in (("basis", basis), ("gains", gains)):
            _at_most(LARGEST_STATE, table, name)
        _keep(self, "basis", frozen(basis))
        _keep(self, "gains", frozen(gains))
        _keep(self, "leader_noise", noise)
        size = require_count(self.follower_action_size, "follower_action_size", error=GameError)
        _keep(self, "follower_action_size", size)
        _keep(self, "price", require_number(self.price, "price"))

    @classmethod
    def of_gain(cls, commitment: GainCommitment, basis: Array, follower_action_size: int) -> LinearForm:
        """Return the form of a leader that plays a ~ N(x s, noise^2): gains and noise are the commitment's.

        Parameters
        ----------
        commitment
            The leader's; x = K has shape (A, W).
        basis
            Of the dynamics, shape (N, 1 + A W, W, W), or (N, W, W) where x does not change them.
        follower_action_size
            B.
        """
        A, W = commitment.shape
        D, table = A * W, as_float(basis, "basis")
        if table.ndim == 3:
            still = np.zeros((len(table), 1 + D, *table.shape[1:]))
            still[:, 0] = table
            table = still
        return cls(table, commitment.gains, follower_action_size, commitment.noise**2 * np.eye(A))

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
        Shape (W,); widths are positive. Copied and frozen.
    """

    target: Array
    width: Array

    def __post_init__(self) -> None:
        """Convert, check and freeze both."""
        target, width = _as_vector(self.target, "target"), _as_vector(self.width, "width")
        if target.shape != width.shape:
            raise GameError(f"width: expected shape {target.shape} as the target, got {width.shape}")
        _at_most(LARGEST_STATE, target, "target")
        _at_most(LARGEST_STATE, width, "width")
        flat = ~(width >= 1.0 / LARGEST_STATE)
        if flat.any():
            where = first_index(flat)
            raise GameError(f"width: expected numbers greater than 0, got {width[where]} at index {where}")
        _keep(self, "target", target)
        _keep(self, "width", width)

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
        Symmetric, shapes (W, W) and (B, B); they may be indefinite. Copied, symmetrised where they are symmetric up to
        rounding, and frozen.

    Raises
    ------
    GameError
        No finite numbers, or a matrix that is not symmetric: v'Mv alone does not say which gradient is meant.
    """

    state_cost: Array
    action_cost: Array

    def __post_init__(self) -> None:
        """Convert, symmetrise and freeze both."""
        for name in ("state_cost", "action_cost"):
            matrix = as_symmetric(getattr(self, name), f"reward.{name}")
            _keep(self, name, _at_most(LARGEST_STATE**2, matrix, f"reward.{name}"))

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
        try:
            return np.asarray(np.linalg.cholesky(self.covariance), dtype=np.float64)
        except np.linalg.LinAlgError:
            raise GameError(f"covariance: expected a positive definite matrix, got {self.covariance!r}") from None

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
        Standard deviation of each entry of a, positive. The game's form has its square; see :meth:`LinearForm.of_gain`.
    """

    changes = frozenset({"leader_policy"})

    def __init__(self, shape: tuple[int, int], bound: float, noise: float) -> None:
        limit = require_positive(bound, "bound")
        super().__init__(-limit, limit, shape)
        if len(self.shape) != 2:
            raise GameError(f"shape: expected two sizes, (A, W), got {shape!r}")
        self.noise = require_positive(noise, "leader_noise")
        if not 1.0 / LARGEST_STATE <= self.noise <= LARGEST_STATE:
            limits = f"[{1.0 / LARGEST_STATE:g}, {LARGEST_STATE:g}]"
            raise GameError(f"leader_noise: expected a number in {limits}, got {noise!r}")

    @property
    def gains(self) -> Array:
        """What the gain K(x) = x is made of, shape (1 + D, A, W); see :class:`LinearForm`."""
        A, W = self.shape
        return np.concatenate([np.zeros((1, A * W)), np.eye(A * W)]).reshape(-1, A, W)

    def effect_at(self, x: Array, samples: Samples) -> SampledEffect:
        """Return the log-density of the leader's actions."""
        away = self._away(x, samples) / self.noise
        constant = away.shape[1] * np.log(self.noise * np.sqrt(2 * np.pi))
        return SampledEffect(leader_policy=-0.5 * (away * away).sum(axis=1) - constant)

    def vjp_at(self, x: Array, samples: Samples, cotangents: Cotangents) -> Array:
        """Return the score of the recorded actions, weighted: sum_t c_t (a_t - x s_t) s_t' / noise^2."""
        weight = need(cotangents.leader_policy, "leader_policy")
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
        self,
        form: LinearForm,
        weights: ArrayLike,
        follower_input: ArrayLike,
        noise: ArrayLike,
        low: ArrayLike,
        high: ArrayLike,
    ) -> None:
        super().__init__(low, high)
        if not isinstance(form, LinearForm):
            raise GameError(f"form: expected a LinearForm, got {type(form).__name__}")
        N, columns, W, _ = form.basis.shape
        if self.shape != (columns - 1,):
            raise GameError(
                f"low, high: expected shape {(columns - 1,)}, as the form has entries of x, got {self.shape}"
            )
        self.form = form
        #: The numbers of the dynamics, as they were given.
        self.weights = _as_vector(weights, "weights")
        if self.weights.shape != (N,):
            raise GameError(f"weights: expected shape {(N,)}, as the form has matrices, got {self.weights.shape}")
        self.table = frozen(np.tensordot(self.weights, form.basis, 1))
        self.follower_input = as_matrix(follower_input, "follower_input")
        if self.follower_input.shape != (W, form.follower_action_size):
            expected = (W, form.follower_action_size)
            raise GameError(f"follower_input: expected shape {expected}, got {self.follower_input.shape}")
        self.noise = as_symmetric(noise, "noise")
        if len(self.noise) != W:
            raise GameError(f"noise: expected shape {(W, W)}, got {self.noise.shape}")
        if not is_definite(self.noise):
            raise GameError(f"noise: expected a positive definite covariance, got {self.noise.tolist()}")
        precision = np.linalg.inv(self.noise)
        self.precision: Array = frozen(0.5 * (precision + precision.T))
        self._constant = 0.5 * np.linalg.slogdet(2 * np.pi * self.noise)[1]

    @classmethod
    def of_numbers(
        cls, form: LinearForm, numbers: LinearNumbers, low: ArrayLike, high: ArrayLike
    ) -> DynamicsCommitment:
        """Return the commitment of a game with this form and these numbers."""
        return cls(form, numbers.weights, numbers.follower_input, numbers.noise, low, high)

    def with_numbers(self, form: LinearForm, numbers: LinearNumbers) -> DynamicsCommitment:
        """Return the same commitment for another form and other numbers.

        Their noise may be singular: such moves have no density, and whoever asks for one is told so.
        """
        if not is_definite(numbers.noise):
            return _MovesWithoutDensity(form, numbers, self.low, self.high)
        return DynamicsCommitment.of_numbers(form, numbers, self.low, self.high)

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


class _MovesWithoutDensity(DynamicsCommitment):
    """A commitment whose moves have singular noise: it can be played, but no score can be computed from play."""

    def __init__(self, form: LinearForm, numbers: LinearNumbers, low: ArrayLike, high: ArrayLike) -> None:
        super().__init__(form, numbers.weights, numbers.follower_input, np.eye(form.sizes[0]), low, high)
        self.noise = numbers.noise

    def effect_at(self, x: Array, samples: Samples) -> SampledEffect:
        """Refuse: there is no density."""
        raise CommitmentError(f"noise: expected a positive definite covariance, got {self.noise.tolist()}")

    def vjp_at(self, x: Array, samples: Samples, cotangents: Cotangents) -> Array:
        """Refuse: there is no density."""
        raise CommitmentError(f"noise: expected a positive definite covariance, got {self.noise.tolist()}")
