"""LinearQuadraticGame: batched games with linear dynamics and quadratic costs, exact by two matrix equations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from stackelberg_envs.arrays import Array, IntArray, require_positive
from stackelberg_envs.batched import BatchedGame, BatchStep
from stackelberg_envs.errors import GameError
from stackelberg_envs.linear_forms import LeaderReward, LinearForm, LinearNumbers, affine, quadratic
from stackelberg_envs.samples import Actions

if TYPE_CHECKING:
    from gymnasium.spaces import Box

    from stackelberg_envs.oracles.lqr import LinearSolution
    from stackelberg_envs.planning.lqr_model import LinearModelClass

__all__ = ["LinearQuadraticGame"]


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearQuadraticGame(BatchedGame):
    """s' = A(x) s + B b + C a + noise; the follower pays quadratic costs, the leader is paid as `reward` says.

    Parameters
    ----------
    form
        How x enters dynamics and the leader's policy; public.
    numbers
        All else about dynamics and the follower's reward; private.
    reward
        The leader's own, before the price of x.
    state_bound
        Next states are clipped to [-state_bound, state_bound]; exact values ignore this.
    action_bound
        Of the follower's action space, for learners. Actions are not clipped, and the best response knows no bound.

    Raises
    ------
    GameError
        Shapes that do not fit, costs or covariances that are not positive (semi)definite.
    """

    form: LinearForm
    numbers: LinearNumbers
    reward: LeaderReward
    state_bound: float = np.inf
    action_bound: float = 100.0

    suggested_follower: ClassVar[str] = "maxent_lqr"
    bounds_actions: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the numbers once."""
        super().__post_init__()
        require_positive(self.action_bound, "action_bound")
        if not self.state_bound > 0:
            raise GameError(f"state_bound: expected a number greater than 0, got {self.state_bound!r}")
        _check_shapes(self.form, self.numbers, self.commitment.low.size)
        for name, least in (("action_cost", 1e-12), ("state_cost", 0.0), ("noise", 0.0), ("initial_covariance", 0.0)):
            _require_symmetric(getattr(self.numbers, name), name, least)

    @cached_property
    def state_space(self) -> Box:
        """Of one state, shape (W,)."""
        return _box(self.state_bound, self.form.sizes[0])

    @cached_property
    def follower_action_space(self) -> Box:
        """Of the follower's action, shape (B,)."""
        return _box(self.action_bound, self.form.sizes[2])

    @cached_property
    def leader_action_space(self) -> Box | None:
        """Of the leader's action, shape (A,), unbounded; None where it only configures."""
        A = self.form.sizes[1]
        return _box(np.inf, A) if A else None

    @property
    def model_class(self) -> LinearModelClass:
        """The form, from which a leader identifies the game; it holds none of the game's numbers."""
        from stackelberg_envs.planning.lqr_model import LinearModelClass

        return LinearModelClass(
            form=self.form,
            reward=self.reward,
            leader_discount=self.leader_discount,
            follower_discount=self.follower_discount,
            temperature=self.temperature if self.publish_temperature else None,
            horizon=self.horizon,
            state_bound=self.state_bound,
        )

    def initial_states(self, rng: np.random.Generator, contexts: IntArray) -> Array:
        """Draw Gaussian initial states, shape (n, W)."""
        mean, factor = self.numbers.initial_mean, self._factors[0]
        return self._clipped(mean + rng.standard_normal((len(contexts), len(mean))) @ factor.T)

    def leader_actions(self, rng: np.random.Generator, x: Array, states: Array, contexts: IntArray) -> Array:
        """Draw a ~ N(K(x) s, leader_noise), shape (n, A)."""
        del contexts
        A = self.form.sizes[1]
        if not A:
            return np.zeros((len(states), 0))
        return states @ self.form.gain(x).T + rng.standard_normal((len(states), A)) @ self._factors[2].T

    def step(
        self,
        rng: np.random.Generator,
        x: Array,
        states: Array,
        contexts: IntArray,
        leader_actions: Array,
        follower_actions: Actions,
    ) -> BatchStep:
        """Make one step of n copies; both are paid for the state before it."""
        del contexts
        numbers = self.numbers
        following = states @ affine(self._dynamics, x).T + follower_actions @ numbers.follower_input.T
        if leader_actions.shape[1]:
            following = following + leader_actions @ numbers.leader_input.T
        if self._noisy:
            following = following + rng.standard_normal(states.shape) @ self._factors[1].T
        paid = -quadratic(numbers.state_cost, states) - quadratic(numbers.action_cost, follower_actions)
        leader = self.reward.at(states, follower_actions) - self.form.price * float(np.sum(x * x))
        return BatchStep(self._clipped(following), leader, paid, np.zeros(len(states), np.bool_))

    def solve(self, x: ArrayLike) -> LinearSolution:
        """Return everything exact about one commitment: the leader's and the follower's values, and dJ/dx.

        Raises
        ------
        CommitmentError
            x lies outside its space.
        InstabilityError
            The follower cannot keep its discounted cost finite, or the leader's is infinite.
        """
        from stackelberg_envs.oracles.lqr import solve_linear

        return solve_linear(self, self.commitment.check(x))

    @cached_property
    def _dynamics(self) -> Array:
        return np.tensordot(self.numbers.weights, self.form.basis, 1)

    @cached_property
    def _noisy(self) -> bool:
        return bool(self.numbers.noise.any())

    @cached_property
    def _factors(self) -> tuple[Array, Array, Array]:
        """Square roots of the covariances of initial state, process and leader's action."""
        numbers = self.numbers
        return _root(numbers.initial_covariance), _root(numbers.noise), _root(self.form.leader_noise)

    def _clipped(self, states: Array) -> Array:
        return states if self.state_bound == np.inf else np.clip(states, -self.state_bound, self.state_bound)


def _box(bound: float, size: int) -> Box:
    from gymnasium.spaces import Box

    return Box(-bound, bound, (size,), np.float32)


def _root(covariance: Array) -> Array:
    """Return a square root of a covariance, which may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)


def _check_shapes(form: LinearForm, numbers: LinearNumbers, D: int) -> None:
    W, A, B = form.sizes
    expected: dict[str, tuple[Any, tuple[int, ...]]] = {
        "basis": (form.basis, (len(form.basis), 1 + D, W, W)),
        "gains": (form.gains, (1 + D, A, W)),
        "leader_noise": (form.leader_noise, (A, A)),
        "weights": (numbers.weights, (len(form.basis),)),
        "follower_input": (numbers.follower_input, (W, B)),
        "leader_input": (numbers.leader_input, (W, A)),
        "noise": (numbers.noise, (W, W)),
        "state_cost": (numbers.state_cost, (W, W)),
        "action_cost": (numbers.action_cost, (B, B)),
        "initial_mean": (numbers.initial_mean, (W,)),
        "initial_covariance": (numbers.initial_covariance, (W, W)),
    }
    for name, (array, shape) in expected.items():
        if array.shape != shape or not np.isfinite(array).all():
            raise GameError(f"{name}: expected finite numbers of shape {shape}, got shape {array.shape}")


def _require_symmetric(matrix: Array, name: str, least: float) -> None:
    if not np.array_equal(matrix, matrix.T):
        raise GameError(f"{name}: expected a symmetric matrix, got {matrix.tolist()}")
    smallest = float(np.linalg.eigvalsh(matrix).min())
    if smallest < least - 1e-12 * (1 + np.abs(matrix).max()) * (least == 0):
        raise GameError(f"{name}: expected eigenvalues of at least {least:g}, got {smallest:.6g}")
