"""LinearQuadraticGame: vector games with linear dynamics and quadratic costs, exact by two matrix equations."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property, singledispatch
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from stackelberg_envs.arrays import Array, IntArray, frozen_space, require_positive, require_shape
from stackelberg_envs.errors import GameError
from stackelberg_envs.games.commitments.dynamics import DynamicsCommitment
from stackelberg_envs.games.commitments.gain import GainCommitment
from stackelberg_envs.games.linear_forms import (
    BumpReward,
    LeaderReward,
    LinearFamily,
    LinearForm,
    LinearNumbers,
    LinearProblem,
    QuadraticReward,
    affine,
    quadratic_form,
)
from stackelberg_envs.games.matrices import differs, require_definite, require_semidefinite
from stackelberg_envs.games.samples import Actions, SampledCommitment
from stackelberg_envs.games.tabular_checks import with_facts_left
from stackelberg_envs.games.vector import BatchStep, VectorGame

if TYPE_CHECKING:
    from gymnasium.spaces import Box


__all__ = ["LinearQuadraticGame"]

#: Steps of the longest episode over which a BumpReward is summed: its value holds one covariance a step.
LONGEST = 10**6


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearQuadraticGame(VectorGame):
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
        Of the follower's action space, and of the leader's where it chooses at every step: for learners. Actions are
        not clipped, and the best response knows no bound.

    Raises
    ------
    GameError
        Shapes that do not fit, costs or covariances that are not positive (semi)definite, or numbers that the
        commitment holds too and with other values.
    """

    form: LinearForm
    numbers: LinearNumbers
    reward: LeaderReward
    state_bound: float = np.inf
    action_bound: float = 100.0

    suggested_follower: ClassVar[str] = "maxent_lqr"
    solver: ClassVar[str] = "stackelberg_envs.solvers.linear_quadratic.solution:solve_problem"
    bounds_actions: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the numbers once."""
        super().__post_init__()
        kinds = {"form": LinearForm, "numbers": LinearNumbers, "reward": BumpReward | QuadraticReward}
        for name, kind in kinds.items():
            if not isinstance(getattr(self, name), kind):
                expected = getattr(kind, "__name__", str(kind))
                raise GameError(f"{name}: expected a {expected}, got {type(getattr(self, name)).__name__}")
        for name, may_be_infinite in (("state_bound", True), ("action_bound", False)):
            object.__setattr__(self, name, _checked_bound(getattr(self, name), name, may_be_infinite))
        _check_shapes(self.form, self.numbers, self.commitment.low.size)
        _check_reward(self.reward, self.form, self.horizon)
        require_definite(self.numbers.action_cost, "action_cost")
        for name in ("state_cost", "noise", "initial_covariance"):
            require_semidefinite(getattr(self.numbers, name), name)
        _require_agreement(self.commitment, self.form, self.numbers)
        _require_declared(self.form, self.commitment)

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

    @cached_property
    def leader_choice_space(self) -> Box | None:
        """The box that `action_bound` makes, for a leader that chooses at every step."""
        A = self.form.sizes[1]
        return _box(self.action_bound, A) if A else None

    @cached_property
    def problem(self) -> LinearProblem:
        """What the exact solution depends on."""
        names = (item.name for item in fields(LinearProblem))
        return LinearProblem(**{name: getattr(self, name) for name in names})

    @property
    def model_class(self) -> LinearFamily:
        """The form, from which a leader identifies the game; it holds none of the game's numbers."""
        return LinearFamily(
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
        states: Array = mean + rng.standard_normal((len(contexts), len(mean))) @ factor.T
        return states if self.state_bound == np.inf else np.clip(states, -self.state_bound, self.state_bound)

    def leader_actions(self, rng: np.random.Generator, x: Array, states: Array, contexts: IntArray) -> Array:
        """Draw a ~ N(K(x) s, leader_noise), shape (n, A)."""
        del contexts
        A = self.form.gains.shape[1]
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
        paid = -quadratic_form(numbers.state_cost, states) - quadratic_form(numbers.action_cost, follower_actions)
        leader = self.reward.at(states, follower_actions) - self.form.price * float(np.sum(x * x))
        if self.state_bound < np.inf:
            following = np.clip(following, -self.state_bound, self.state_bound)
        return BatchStep(following, leader, paid, np.zeros(len(states), np.bool_))

    def replace(self, **changes: Any) -> LinearQuadraticGame:
        """Return the same game with some arguments changed; it is checked again.

        A :class:`~stackelberg_envs.games.commitments.dynamics.DynamicsCommitment` that is not among them takes the form
        and the numbers that are.
        """
        if isinstance(self.commitment, DynamicsCommitment) and "commitment" not in changes:
            form, numbers = changes.get("form", self.form), changes.get("numbers", self.numbers)
            if (
                isinstance(form, LinearForm)
                and isinstance(numbers, LinearNumbers)
                and {"form", "numbers"} & set(changes)
            ):
                changes["commitment"] = self.commitment.with_numbers(form, numbers)
        return replace(self, **with_facts_left(self, changes))

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


def _box(bound: float, size: int) -> Box:
    from gymnasium.spaces import Box

    space: Box = frozen_space(Box(-bound, bound, (size,), np.float32))
    return space


def _root(covariance: Array) -> Array:
    """Return a square root of a covariance, which may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)


def _checked_bound(value: Any, name: str, may_be_infinite: bool) -> float:
    """Return a bound that a space of float32 can carry."""
    if may_be_infinite and isinstance(value, float | np.floating) and value == np.inf:
        return float(value)
    bound, limits = require_positive(value, name), np.finfo(np.float32)
    if not float(limits.tiny) <= bound <= float(limits.max):
        raise GameError(f"{name}: expected a number that float32 can carry, as spaces do, got {bound:g}")
    return bound


def _check_shapes(form: LinearForm, numbers: LinearNumbers, D: int) -> None:
    W, A, B = form.sizes
    if form.basis.shape[1] != 1 + D:
        raise GameError(f"basis: expected shape (N, {1 + D}, W, W), as x has {D} entries, got {form.basis.shape}")
    expected: dict[str, tuple[int, ...]] = {
        "weights": (len(form.basis),),
        "follower_input": (W, B),
        "leader_input": (W, A),
        "noise": (W, W),
        "state_cost": (W, W),
        "action_cost": (B, B),
        "initial_mean": (W,),
        "initial_covariance": (W, W),
    }
    for name, shape in expected.items():
        array = getattr(numbers, name)
        if array.shape != shape:
            raise GameError(f"{name}: expected finite numbers of shape {shape}, got shape {array.shape}")


@singledispatch
def _check_reward(reward: LeaderReward, form: LinearForm, horizon: int) -> None:
    """Raise unless a leader's reward fits the form and the horizon."""


@_check_reward.register
def _(reward: BumpReward, form: LinearForm, horizon: int) -> None:
    require_shape(reward.target, [(form.sizes[0],)], "reward.target")
    if horizon > LONGEST:
        raise GameError(f"horizon: expected at most {LONGEST} steps, over which a BumpReward sums, got {horizon}")


@_check_reward.register
def _(reward: QuadraticReward, form: LinearForm, horizon: int) -> None:
    W, _, B = form.sizes
    require_shape(reward.state_cost, [(W, W)], "reward.state_cost")
    require_shape(reward.action_cost, [(B, B)], "reward.action_cost")


@singledispatch
def _require_agreement(commitment: SampledCommitment, form: LinearForm, numbers: LinearNumbers) -> None:
    """Raise unless what a commitment holds is what the form and the numbers say; most hold nothing."""


@_require_agreement.register
def _(commitment: GainCommitment, form: LinearForm, numbers: LinearNumbers) -> None:
    _require_equal("gains", form.gains, commitment.gains, "GainCommitment, in which K = x")
    noise = commitment.noise**2 * np.eye(len(commitment.low))
    _require_equal("leader_noise", form.leader_noise, noise, f"GainCommitment(noise={commitment.noise:g}), squared")


@_require_agreement.register
def _(commitment: DynamicsCommitment, form: LinearForm, numbers: LinearNumbers) -> None:
    _require_equal("basis", form.basis, commitment.form.basis, "the form of the DynamicsCommitment")
    _require_equal("price", np.array(form.price), np.array(commitment.form.price), "that of the DynamicsCommitment")
    for name in ("weights", "follower_input", "noise"):
        _require_equal(name, getattr(numbers, name), getattr(commitment, name), "the DynamicsCommitment")
    if numbers.leader_input.any():
        raise GameError("leader_input: expected none beside a DynamicsCommitment, whose moves know no leader's action")


def _require_declared(form: LinearForm, commitment: SampledCommitment) -> None:
    """Raise unless the commitment declares all that x changes by the form."""
    changed = {
        "transition": bool(form.basis[:, 1:].any()),
        "leader_policy": bool(form.gains[1:].any()),
        "leader_reward": form.price != 0,
    }
    for name, changes in changed.items():
        if changes and name not in commitment.changes:
            raise GameError(
                f"form: by it x changes the {name}, but the commitment declares only {sorted(commitment.changes)}"
            )


def _require_equal(name: str, own: Array, other: Array, owner: str) -> None:
    """Raise unless two copies of the same quantity agree up to rounding, with both numbers."""
    if own.shape != other.shape:
        raise GameError(f"{name}: expected shape {other.shape} as {owner} has it, got {own.shape}")
    where = differs(own, other)
    if where is not None:
        place = f" at index {where}" if where else ""
        raise GameError(f"{name}: expected {other[where]:.9g}{place}, as {owner} has it, got {own[where]:.9g}")
