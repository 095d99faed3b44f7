"""Vector games, whose states and actions are vectors: functions of batches, in which n copies step in one call.

A :class:`VectorGame` satisfies the same :class:`~stackelberg_envs.games.tabular.Game` protocol as a tabular one and
stands behind the same faces. Where the exact answer is known the game names its solver, and ``se.solve`` works as
usual.

Letters: n copies, W state size, A and B sizes of the leader's and the follower's action, K contexts.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stackelberg_envs.arrays import Array, IntArray, as_float, first_index, frozen, require_rows_sum_to_one
from stackelberg_envs.errors import ArgumentError, GameError, StackelbergError
from stackelberg_envs.games.actions import action_bounds
from stackelberg_envs.games.commitments.base import MISTAKES
from stackelberg_envs.games.committed import CommittedVector
from stackelberg_envs.games.environments import EnvironmentGame
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.samples import Actions, ModelClass, SampledCommitment
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.tabular_checks import require_commitment, shared_scalars, with_facts_left

if TYPE_CHECKING:
    from gymnasium.spaces import Box, Space

__all__ = [
    "AnyGame",
    "BatchStep",
    "FollowerPolicy",
    "ModelClass",
    "SampledSolution",
    "VectorGame",
    "call_game",
    "what_was_given",
]


#: Names of what a game's functions are given, after the generator.
CALLED = ("x", "states", "contexts", "leader_actions", "follower_actions")
#: Functions that draw rows -> which of the game's `sizes` a row has.
DRAWN = {"initial_states": 0, "leader_actions": 1}


@dataclass(frozen=True, eq=False)
class BatchStep:
    """What one step of n copies returns.

    Attributes
    ----------
    next_state
        Shape (n, W).
    leader_reward, follower_reward
        Shape (n,), reward units.
    terminated
        Shape (n,): whether nothing follows this step. The time limit is not the game's business.
    """

    next_state: Array
    leader_reward: Array
    follower_reward: Array
    terminated: NDArray[np.bool_]


class FollowerPolicy(Protocol):
    """A response: how the followers of n copies act."""

    def sample(self, rng: np.random.Generator, states: Array, leader_actions: Array, contexts: IntArray) -> Actions:
        """Draw actions, shape (n, B): float64 for boxes, int64 for Discrete (B = 1) and MultiDiscrete."""

    def log_prob(self, states: Array, leader_actions: Array, contexts: IntArray, actions: Actions) -> Array:
        """Return the log-density (log-probability) of actions, shape (n,)."""


class SampledSolution(Protocol):
    """Everything exact about one commitment to a vector game.

    Attributes
    ----------
    x
        The commitment.
    leader_value, follower_value
        J(x), and the follower's value at the initial distribution, its entropy bonus included; reward units, over
        endless play unless the game says otherwise.
    policy
        The follower's soft best response.
    direct_gradient, response_gradient, gradient
        dJ/dx with the response held fixed, the part that goes through the response, and their sum; the shape of x.

    Notes
    -----
    The solutions that come with this package also have `response` (the policy, as solutions of tabular games call it),
    `follower_reward_value` (no entropy bonus) and `episode` (an episode as it is played, cut at the horizon).
    """

    @property
    def x(self) -> Array: ...  # noqa: D102
    @property
    def leader_value(self) -> float: ...  # noqa: D102
    @property
    def follower_value(self) -> float: ...  # noqa: D102
    @property
    def policy(self) -> FollowerPolicy: ...  # noqa: D102
    @property
    def direct_gradient(self) -> Array: ...  # noqa: D102
    @property
    def response_gradient(self) -> Array: ...  # noqa: D102
    @property
    def gradient(self) -> Array: ...  # noqa: D102


@dataclass(frozen=True, eq=False, kw_only=True)
class VectorGame(ABC):
    """A game whose states are vectors; subclasses are frozen dataclasses that add their numbers.

    Parameters
    ----------
    commitment
        What the leader announces and what it changes at samples.
    leader_discount, follower_discount
        In [0, 1), per play step.
    temperature
        Weight of the follower's entropy, greater than 0, in reward units.
    horizon
        Play steps after which an episode is truncated.
    context_probabilities
        Shape (K,); default one context.
    num_followers
        Followers that play at once, each in its own copy; the leader is paid their mean.
    observe_rewards, publish_temperature
        Whether observers of play see the follower's rewards, and whether the temperature is public.
    name, facts
        For people: a name, and what is known about the game.
    """

    commitment: SampledCommitment
    leader_discount: float
    follower_discount: float
    temperature: float
    horizon: int
    context_probabilities: Array = field(default_factory=lambda: np.ones(1))
    num_followers: int = 1
    observe_rewards: bool = True
    publish_temperature: bool = True
    name: str = "vector"
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check what all vector games share."""
        require_commitment(self.commitment, SampledCommitment)  # type: ignore[type-abstract]
        for name, value in shared_scalars(self).items():
            object.__setattr__(self, name, value)
        weights = as_float(self.context_probabilities, "context_probabilities")
        if weights.ndim != 1:
            raise GameError(f"context_probabilities: expected shape (K,), got {weights.shape}")
        weights = require_rows_sum_to_one(weights, "context_probabilities")
        object.__setattr__(self, "context_probabilities", frozen(weights))

    #: The kind of game, by which players are found.
    kind: ClassVar[str] = "vector"
    #: Name of the follower that runs take by default: the exact one where there is one.
    suggested_follower: ClassVar[str] = "sac"
    #: Whether there may be commitments without a finite response of the follower.
    can_be_unstable: ClassVar[bool] = True
    #: The follower's policy is no table.
    table_shape: ClassVar[tuple[None, None, None]] = (None, None, None)
    #: Where the exact solver is, as "module:function" of `problem` and a checked x; None where there is none.
    solver: ClassVar[str | None] = None
    #: Whether every action that is played has to lie in `follower_action_space`. False where that is a range for
    #: learners only, and the game takes any number.
    bounds_actions: ClassVar[bool] = True

    @property
    def num_contexts(self) -> int:
        """K."""
        return len(self.context_probabilities)

    @property
    @abstractmethod
    def state_space(self) -> Box:
        """Of one state, shape (W,); bounds may be infinite."""

    @property
    @abstractmethod
    def follower_action_space(self) -> Space[Any]:
        """Box, Discrete or MultiDiscrete."""

    @property
    def leader_action_space(self) -> Box | None:
        """Of the leader's play action, shape (A,); None where the leader only configures."""
        return None

    @property
    def leader_choice_space(self) -> Box | None:
        """Where a leader that chooses at every step acts: `leader_action_space`, unless that is endless."""
        return self.leader_action_space

    @cached_property
    def sizes(self) -> tuple[int, int]:
        """(W, A), as the spaces say; asked for at every step, so the spaces are made once."""
        shown = self.leader_action_space
        return int(self.state_space.shape[0]), 0 if shown is None else int(shown.shape[0])

    @cached_property
    def played_bounds(self) -> tuple[Actions, Actions]:
        """The least and greatest action that may be played, shape (B,); infinite where the game takes any number."""
        low, high = action_bounds(self.follower_action_space)
        return (low, high) if self.bounds_actions else (np.full_like(low, -np.inf), np.full_like(high, np.inf))

    @property
    def model_class(self) -> object | None:
        """What is public about the game's form, for leaders that fit a model; None where nothing is.

        Data that leaders know how to fit, like a :class:`~stackelberg_envs.games.linear_forms.LinearFamily`, or an
        object of one's own with a `fit`, see :class:`~stackelberg_envs.games.samples.ModelClass`.
        """
        return None

    @abstractmethod
    def initial_states(self, rng: np.random.Generator, contexts: IntArray) -> Array:
        """Draw initial states, float64 of shape (n, W), for contexts of shape (n,)."""

    def leader_actions(self, rng: np.random.Generator, x: Array, states: Array, contexts: IntArray) -> Array:
        """Draw the leader's actions from the committed policy, float64 of shape (n, A)."""
        del rng, x, contexts
        return np.zeros((len(states), 0))

    @abstractmethod
    def step(
        self,
        rng: np.random.Generator,
        x: Array,
        states: Array,
        contexts: IntArray,
        leader_actions: Array,
        follower_actions: Actions,
    ) -> BatchStep:
        """Make one step of n copies under the commitment x.

        Parameters
        ----------
        rng
            Draws whatever is random; equal generators must give equal steps.
        x
            The commitment, in its shape.
        states
            Shape (n, W), float64.
        contexts
            Shape (n,), int32.
        leader_actions
            Shape (n, A), float64; A = 0 where the leader only configures.
        follower_actions
            Shape (n, B): float64 for a Box; int64 for MultiDiscrete spaces and for Discrete ones, where B = 1: then
            ``follower_actions[:, 0]`` has one number a copy.

        Returns
        -------
        BatchStep
            Arrays with one row a copy. Play refuses other shapes, other types and numbers that are not finite.
        """

    def under(self, x: ArrayLike) -> CommittedVector:
        """Return the game under the commitment x, which is checked here.

        Raises
        ------
        CommitmentError
            x lies outside its space.
        """
        return CommittedVector(self, self.commitment.check(x))

    def solve(self, x: ArrayLike) -> SampledSolution:
        """Return everything exact about one commitment; a game with a solver of its own names it or overrides this.

        Raises
        ------
        CommitmentError
            x lies outside its space.
        ArgumentError
            No exact solution of this game is known.
        """
        if self.solver is None:
            raise ArgumentError(
                f"{self.name}: expected a game with an exact solution, but none is known for this one; "
                "estimate its value by play"
            )
        module, _, name = self.solver.partition(":")
        solution: SampledSolution = getattr(importlib.import_module(module), name)(
            self.problem, self.commitment.check(x)
        )
        return solution

    @property
    def problem(self) -> Any:
        """What the solver is given: the game itself, unless less is enough."""
        return self

    @property
    def has_solution(self) -> bool:
        """Whether :meth:`solve` works."""
        return self.solver is not None or type(self).solve is not VectorGame.solve

    def replace(self, **changes: Any) -> VectorGame:
        """Return the same game with some arguments changed; it is checked again.

        Facts on what a leader can reach, best known values and references, stay behind where values change.
        """
        from dataclasses import replace

        return replace(self, **with_facts_left(self, changes))


@overload
def call_game(
    game: VectorGame, name: Literal["initial_states", "leader_actions"], rng: np.random.Generator, *arguments: Any
) -> Array: ...
@overload
def call_game(game: VectorGame, name: Literal["step"], rng: np.random.Generator, *arguments: Any) -> BatchStep: ...
def call_game(game: VectorGame, name: str, rng: np.random.Generator, *arguments: Any) -> Any:
    """Return what one of a game's functions returns, checked: its arrays are what the game promises, and finite.

    Parameters
    ----------
    game
        The game.
    name
        "initial_states", "leader_actions" or "step".
    rng, *arguments
        What the function takes.

    Raises
    ------
    GameError
        The function raised an error, or returned something else; the message says what it was given.
    """
    try:
        made = getattr(game, name)(rng, *arguments)
    except StackelbergError:
        raise
    except MISTAKES as exc:
        raise GameError(f"{game.name}: its {name} {what_was_given(exc, arguments)}") from exc
    n = len(arguments[-1])
    parts: list[tuple[str, Any, tuple[int, ...]]]
    if name in DRAWN:
        parts = [(name, made, (n, game.sizes[DRAWN[name]]))]
    elif isinstance(made, BatchStep):
        rewards = made.leader_reward, made.follower_reward
        parts = [("step: next_state", made.next_state, arguments[1].shape)]
        parts += [("step: leader_reward", rewards[0], (n,)), ("step: follower_reward", rewards[1], (n,))]
        over: Any = made.terminated
        if type(over) is not np.ndarray or over.shape != (n,) or over.dtype != np.bool_:
            raise GameError(f"{game.name}: step: terminated: expected bool of shape {(n,)}, got {_seen(over)}")
    else:
        raise GameError(f"{game.name}: expected its step to return a BatchStep, got {type(made).__name__}")
    for what, array, shape in parts:
        if type(array) is not np.ndarray or array.shape != shape or array.dtype != np.float64:
            raise GameError(f"{game.name}: {what}: expected float64 of shape {shape}, got {_seen(array)}")
        if not np.isfinite(array).all():
            where = first_index(~np.isfinite(array))
            raise GameError(f"{game.name}: {what}: expected finite numbers, got {array[where]} at index {where}")
    return made


def what_was_given(error: Exception, arguments: tuple[Any, ...]) -> str:
    """Return what a game's function raised, and the types and shapes of what it was given after the generator."""
    names = ("contexts",) if len(arguments) == 1 else CALLED
    given = ", ".join(f"{what} {_seen(value)}" for what, value in zip(names, arguments, strict=False))
    actions = arguments[-1] if len(arguments) == len(CALLED) else np.zeros((0, 0))
    advice = "; follower_actions[:, 0] has one number a copy" if actions.shape[1] == 1 else ""
    return f"raised {type(error).__name__}: {error}; it was given {given}{advice}"


def _seen(value: Any) -> str:
    """Return the type and the shape of a value, for a message."""
    if type(value) is np.ndarray:
        return f"{value.dtype} of shape {value.shape}"
    return type(value).__name__


AnyGame: TypeAlias = TabularGame | VectorGame | EnvironmentGame | MarkovGame
