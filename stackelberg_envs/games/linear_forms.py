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
from typing import TYPE_CHECKING, Any

import numpy as np

from stackelberg_envs.arrays import (
    Array,
    IntArray,
    as_float,
    first_index,
    frozen,
    require_count,
    require_number,
)
from stackelberg_envs.errors import GameError
from stackelberg_envs.games.matrices import as_matrix, as_symmetric, require_semidefinite

if TYPE_CHECKING:
    from stackelberg_envs.games.commitments.gain import GainCommitment

__all__ = [
    "BumpReward",
    "LeaderReward",
    "LinearFamily",
    "LinearForm",
    "LinearGaussianPolicy",
    "LinearNumbers",
    "LinearProblem",
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
            _keep(self, name, at_most(LARGEST_STATE, as_vector(getattr(self, name), name), name))
        for name in ("follower_input", "leader_input"):
            _keep(self, name, at_most(LARGEST_STATE, as_matrix(getattr(self, name), name), name))
        for name in ("noise", "state_cost", "action_cost", "initial_covariance"):
            _keep(self, name, at_most(LARGEST_STATE**2, as_symmetric(getattr(self, name), name), name))


def at_most(most: float, array: Array, name: str) -> Array:
    """Return the array, unless products of its numbers with those of others would be no numbers."""
    over = np.abs(array) > most
    if over.any():
        where = first_index(over)
        raise GameError(f"{name}: expected numbers of at most {most:g}, got {array[where]:g} at index {where}")
    return array


def _keep(owner: object, name: str, value: object) -> None:
    object.__setattr__(owner, name, value)


def as_vector(value: Any, name: str) -> Array:
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
    drift
        M = A + C K, what the follower expects of the next state before it sees a; shape (W, W).
    leader_noise
        Covariance of the leader's action around K s, shape (A, A).
    discount, temperature
        The follower's.
    """

    numbers: LinearNumbers
    dynamics: Array
    gain: Array
    drift: Array
    leader_noise: Array
    discount: float
    temperature: float


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
        at_most(LARGEST_STATE**2, noise, "leader_noise")
        for name, table in (("basis", basis), ("gains", gains)):
            at_most(LARGEST_STATE, table, name)
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

    def gain(self, x: Array) -> Array:
        """Return K(x), shape (A, W)."""
        return affine(self.gains, x)

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
        target, width = as_vector(self.target, "target"), as_vector(self.width, "width")
        if target.shape != width.shape:
            raise GameError(f"width: expected shape {target.shape} as the target, got {width.shape}")
        at_most(LARGEST_STATE, target, "target")
        at_most(LARGEST_STATE, width, "width")
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
            _keep(self, name, at_most(LARGEST_STATE**2, matrix, f"reward.{name}"))

    def at(self, states: Array, follower_actions: Array) -> Array:
        """Return the reward of n steps, shape (n,)."""
        return -quadratic_form(self.state_cost, states) - quadratic_form(self.action_cost, follower_actions)


LeaderReward = BumpReward | QuadraticReward


def quadratic_form(matrix: Array, vectors: Array) -> Array:
    """Return v'matrix v of n vectors, shape (n,)."""
    return np.asarray(np.einsum("ni,ni->n", vectors @ matrix, vectors))


@dataclass(frozen=True, eq=False)
class LinearProblem:
    """All that the exact solution of a linear-quadratic game depends on, the game's own or identified from play.

    Attributes
    ----------
    form, numbers, reward
        The game: what is public, all else about dynamics and the follower's reward, and the leader's own reward.
    leader_discount, follower_discount
        In [0, 1), per step.
    temperature
        Weight of the follower's entropy, reward units.
    horizon
        Steps of an episode; it matters to a bump and to values of episodes.
    """

    form: LinearForm
    numbers: LinearNumbers
    reward: LeaderReward
    leader_discount: float
    follower_discount: float
    temperature: float
    horizon: int

    def under(self, x: Array) -> LinearQuadratic:
        """Return the game that a commitment makes of it."""
        form, numbers = self.form, self.numbers
        dynamics, gain = affine(np.tensordot(numbers.weights, form.basis, 1), x), affine(form.gains, x)
        drift = dynamics + numbers.leader_input @ gain
        private = self.follower_discount, self.temperature
        return LinearQuadratic(numbers, dynamics, gain, drift, form.leader_noise, *private)


# --- policies ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class LinearFamily:
    """The family of linear-quadratic games that a game belongs to: what is public about it, and none of its numbers.

    Attributes
    ----------
    form
        How a commitment enters.
    reward
        The leader's own.
    leader_discount, follower_discount, horizon
        As in the game.
    temperature
        None where it is private.
    state_bound
        States are clipped to [-state_bound, state_bound].
    """

    form: LinearForm
    reward: LeaderReward
    leader_discount: float
    follower_discount: float
    temperature: float | None
    horizon: int
    state_bound: float = np.inf


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
        mean = states @ self.on_state.T + leader_actions @ self.on_action.T
        return np.asarray(mean + rng.standard_normal(mean.shape) @ self._factor.T)

    def log_prob(self, states: Array, leader_actions: Array, contexts: IntArray, actions: Array) -> Array:
        """Return the log-density of actions, shape (n,)."""
        del contexts
        white = np.linalg.solve(self._factor, (actions - self.mean(states, leader_actions)).T)
        constant = np.log(np.diag(self._factor)).sum() + 0.5 * len(self._factor) * np.log(2 * np.pi)
        return np.asarray(-0.5 * (white * white).sum(axis=0) - constant)
