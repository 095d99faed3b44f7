"""The forms in which learners take a game: boxes of [-1, 1], numbered actions, rewards and observations of size one.

A form changes what goes in and comes out at a face, and nothing of the game: infos and sessions keep the game's own
actions, rewards and states.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete, Space
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, as_float, require_flag
from stackelberg_envs.errors import ArgumentError, CommitmentError
from stackelberg_envs.games.actions import action_bounds, checked_actions
from stackelberg_envs.games.commitments.base import Commitment
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.tabular import Game, TabularGame
from stackelberg_envs.games.vector import VectorGame
from stackelberg_envs.play.session import neutral_commitment, simulator_of
from stackelberg_envs.play.simulators import Simulator

__all__ = [
    "ActionForm",
    "Forms",
    "Sizes",
    "announced",
    "follower_form",
    "formed_simulator",
    "leader_form",
    "typical_sizes",
]

#: Joint actions that one Discrete space may number.
MOST_ACTIONS = 10**6
#: Among a game's facts: what :class:`Sizes` holds, by name.
TYPICAL = "typical"


@dataclass(frozen=True)
class Forms:
    """Which forms a face takes.

    Attributes
    ----------
    normalize
        Boxes of actions are [-1, 1] in every entry, whatever the game's bounds are.
    flatten_actions
        MultiDiscrete actions are numbered: one Discrete action for each combination, the last entry counting fastest.
    scale_rewards
        Rewards are divided by their typical size; see :func:`typical_sizes`.
    scale_observations
        Each number of an observation is divided by its typical size; zero stays zero.
    """

    normalize: bool = False
    flatten_actions: bool = False
    scale_rewards: bool = False
    scale_observations: bool = False

    def __post_init__(self) -> None:
        """Check the flags."""
        for name, value in vars(self).items():
            require_flag(value, name)

    def reward_units(self, game: Game) -> tuple[float, float]:
        """Return what one unit of the leader's and of the followers' reward is, in the game's reward units."""
        if not self.scale_rewards:
            return 1.0, 1.0
        sizes = typical_sizes(game, "scale_rewards")
        return sizes.leader_reward, sizes.follower_reward

    def share_of_episodes(self, game: Game, *, discounted: bool) -> float:
        """Return what the leader's return is multiplied by: one over a typical step's pay, all along an episode."""
        discount = game.leader_discount if discounted else 1.0
        steps = float(np.sum(discount ** np.arange(game.horizon))) if self.scale_rewards else 1.0
        return 1.0 / self.reward_units(game)[0] / steps

    def observed_sizes(self, game: Game) -> Sizes | None:
        """Return what observations are divided by."""
        return typical_sizes(game, "scale_observations") if self.scale_observations else None


# --- actions ---------------------------------------------------------------------------------------------


class ActionForm:
    """Actions as the game has them.

    Attributes
    ----------
    space
        What learners are told.
    """

    def __init__(self, space: Space[Any]) -> None:
        self.space = space

    def meant(self, action: Any) -> Any:
        """Return the game's action that an action means."""
        return action

    def meant_by_all(self, actions: Any, n: int) -> Any:
        """Return the game's actions that those of n copies mean, one row each."""
        del n
        return actions


class ScaledBox(ActionForm):
    """Actions in [-1, 1], for a game that takes others.

    Parameters
    ----------
    space
        The game's box.
    read
        Returns an action as numbers, or raises.
    whose
        For messages.
    """

    def __init__(self, space: Box, read: Callable[[Any], Array], whose: str) -> None:
        self._low, self._high = action_bounds(space)
        if not (np.isfinite(self._low) & np.isfinite(self._high)).all():
            raise ArgumentError(f"normalize: expected finite bounds of the actions of {whose}, got {space}")
        self._read = read
        super().__init__(Box(-1.0, 1.0, space.shape, np.float32))

    def meant(self, action: Any) -> Array:
        """Return the action in the game's own units."""
        return self._in_units(self._read(action))

    def meant_by_all(self, actions: Any, n: int) -> Array:
        """Return the actions of n copies in the game's own units."""
        bounds = np.full(self._low.shape, -1.0), np.full(self._low.shape, 1.0)
        return self._in_units(checked_actions(actions, n, bounds, "actions"))

    def _in_units(self, action: Array) -> Array:
        meant: Array = self._low + (action + 1.0) * 0.5 * (self._high - self._low)
        return meant


class NumberedActions(ActionForm):
    """Combinations of discrete actions, each by its number.

    Parameters
    ----------
    space
        The game's actions.
    whose
        For messages.
    """

    def __init__(self, space: MultiDiscrete, whose: str) -> None:
        sizes = [int(size) for size in space.nvec]
        count = math.prod(sizes)
        if count > MOST_ACTIONS:
            raise ArgumentError(
                f"flatten_actions: expected at most {MOST_ACTIONS:,} combinations of actions of {whose}, got {count:,}"
            )
        least = np.asarray(space.start, dtype=np.int64)
        self._rows = np.stack(np.unravel_index(np.arange(count), sizes), axis=1) + least
        super().__init__(Discrete(count))
        self._bounds = action_bounds(self.space)
        self._name = f"{whose}: action"

    def meant(self, action: Any) -> NDArray[np.int64]:
        """Return the combination that a number stands for."""
        row: NDArray[np.int64] = self._rows[int(checked_actions([action], 1, self._bounds, self._name)[0, 0])]
        return row.copy()

    def meant_by_all(self, actions: Any, n: int) -> NDArray[np.int64]:
        """Return the combinations that the numbers of n copies stand for."""
        rows: NDArray[np.int64] = self._rows[checked_actions(actions, n, self._bounds, "actions")[:, 0]]
        return rows


def _form(space: Space[Any], forms: Forms, read: Callable[[Any], Array], whose: str) -> ActionForm:
    if forms.normalize and isinstance(space, Box):
        return ScaledBox(space, read, whose)
    if forms.flatten_actions and isinstance(space, MultiDiscrete):
        return NumberedActions(space, whose)
    return ActionForm(space)


def _read_action(shape: tuple[int, ...], whose: str, action: Any) -> Array:
    bounds = np.full(shape, -1.0), np.full(shape, 1.0)
    read: Array = checked_actions([action], 1, bounds, f"{whose}: action")[0]
    return read


def _read_choices(shape: tuple[int, ...], action: Any) -> Array:
    """Return what the leader chose for all followers as one row; it may come as one row each."""
    return _read_action(shape, "leader_0", action.ravel() if isinstance(action, np.ndarray) else action)


def _read_commitment(commitment: Commitment, action: Any) -> Array:
    """Return a commitment as one row; it may come in its own shape."""
    array = as_float(action, "commitment", CommitmentError, booleans=False)
    if array.shape not in (commitment.shape, (commitment.low.size,)):
        raise CommitmentError(f"commitment: expected shape {commitment.space.shape}, got {array.shape}")
    return array.ravel()


def announced(game: Game, given: Any, n: int) -> Array:
    """Return what the leaders of n copies announce, one row for each.

    Raises
    ------
    CommitmentError
        Wrong shape, or a number that is not finite.
    """
    commitment = game.commitment
    rows = as_float(given, "commitment", CommitmentError, booleans=False)
    if rows.shape not in ((n, commitment.low.size), (n, *commitment.shape)):
        raise CommitmentError(f"commitment: expected shape {(n, commitment.low.size)}, got {rows.shape}")
    return rows


def leader_form(game: Game, choices: Space[Any] | None, forms: Forms) -> ActionForm:
    """Return the form of the leader's actions.

    Parameters
    ----------
    game
        The game.
    choices
        What it chooses from at every step; None where it commits.
    forms
        Which forms.

    Raises
    ------
    ArgumentError
        Boxes without finite bounds, or too many combinations.
    """
    if choices is None:
        return _form(game.commitment.space, forms, functools.partial(_read_commitment, game.commitment), "leader_0")
    return _form(choices, forms, functools.partial(_read_choices, choices.shape or ()), "leader_0")


class _FormedSimulator:
    """A game's simulator whose followers act in a form; all else is the simulator's own."""

    def __init__(self, simulator: Simulator, form: ActionForm) -> None:
        self.follower_action_space = form.space
        self._form = form
        self._check = simulator.check_follower_action
        for name in ("leader_action_space", "leader_choice_space", "state_bounds", "leader_action_bounds"):
            setattr(self, name, getattr(simulator, name))
        for name in OWN_METHODS:
            setattr(self, name, getattr(simulator, name))
        if hasattr(simulator, "step_together"):
            self.step_together = simulator.step_together

    def check_follower_action(self, action: Any) -> Any:
        """Return the game's action that an action means, or raise ActionError."""
        return self._check(self._form.meant(action))


#: What a form leaves to the simulator.
OWN_METHODS = (
    "nothing",
    "seed",
    "commit",
    "reset",
    "leader_action",
    "action_mask",
    "check_leader_action",
    "step",
    "write_state",
    "write_leader_action",
)


def formed_simulator(game: Game, forms: Forms) -> Simulator:
    """Return the simulator of a game, whose followers act in a form.

    Raises
    ------
    ArgumentError
        Boxes without finite bounds, or too many combinations.
    """
    simulator = simulator_of(game)
    form = follower_form(simulator.follower_action_space, forms)
    made: Any = _FormedSimulator(simulator, form)
    return simulator if form.space is simulator.follower_action_space else made


def follower_form(space: Space[Any], forms: Forms) -> ActionForm:
    """Return the form of a follower's actions, which the game takes from `space`.

    Raises
    ------
    ArgumentError
        Boxes without finite bounds, or too many combinations.
    """
    return _form(space, forms, functools.partial(_read_action, space.shape or (), "follower_0"), "follower_0")


# --- sizes -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Sizes:
    """How large a game's numbers typically are; all are above zero.

    Attributes
    ----------
    leader_reward, follower_reward
        Per step, in reward units.
    state
        Of each number of a state in observations, shape (W,).
    leader_action
        Of each number of the leader's action, shape (A,).
    """

    leader_reward: float
    follower_reward: float
    state: Array
    leader_action: Array


@singledispatch
def typical_sizes(game: Game, asked_by: str) -> Sizes:
    """Return the typical sizes of a game's numbers.

    Games state them among their facts: ``facts={"typical": {"leader_reward": ..,
    "follower_reward": .., "state": ..}}``,
    and ``"leader_action"`` where that has no finite bounds. A game of tables need not. There they are the largest
    rewards under the commitment nearest to zero and under those at the ends of the bounds, and one for the rest.

    Parameters
    ----------
    game
        The game.
    asked_by
        The argument that needs them, for the message.

    Raises
    ------
    ArgumentError
        A game of vectors that does not state them, or numbers that are none.
    """
    raise ArgumentError(f"game: expected a TabularGame or a VectorGame, got {type(game).__name__}")


@typical_sizes.register(TabularGame)
def _(game: TabularGame, asked_by: str) -> Sizes:
    if TYPICAL in game.facts:
        return _stated(game, asked_by)
    ends = (game.commitment.low, game.commitment.high)
    tried = [game.primitives(x) for x in (neutral_commitment(game), *map(game.commitment.project, ends))]

    def largest(name: str) -> float:
        return max(float(np.abs(getattr(made, name)).max()) for made in tried) or 1.0

    simulator = simulator_of(game)
    widths = simulator.state_bounds[0].size, simulator.leader_action_bounds[0].size
    return Sizes(largest("leader_reward"), largest("follower_reward"), np.ones(widths[0]), np.ones(widths[1]))


@typical_sizes.register(MarkovGame)
def _(game: MarkovGame, asked_by: str) -> Sizes:
    if TYPICAL in game.facts:
        return _stated(game, asked_by)
    ends = (game.commitment.low, game.commitment.high)
    tried = [game.under(x).arrays for x in (neutral_commitment(game), *map(game.commitment.project, ends))]
    leader = max(float(np.abs(made.leader_reward).max()) for made in tried) or 1.0
    followers = max(float(np.abs(made.follower_rewards).max()) for made in tried) or 1.0
    return Sizes(leader, followers, np.ones(simulator_of(game).state_bounds[0].size), np.ones(0))


@typical_sizes.register(VectorGame)
def _(game: VectorGame, asked_by: str) -> Sizes:
    return _stated(game, asked_by)


def _stated(game: Game, asked_by: str) -> Sizes:
    """Return the sizes that are among a game's facts."""
    stated = game.facts.get(TYPICAL)
    if not isinstance(stated, Mapping):
        raise ArgumentError(
            f"{asked_by}: expected a game that states the typical size of its numbers, facts={{{TYPICAL!r}: "
            f"{{'leader_reward': .., 'follower_reward': .., 'state': ..}}}}, but {game.name!r} does not"
        )
    simulator = simulator_of(game)
    low, high = simulator.leader_action_bounds
    bounds = np.maximum(np.abs(low), np.abs(high)).astype(np.float64)
    given = {"leader_action": bounds, **stated}
    return Sizes(
        float(_size(given, "leader_reward", ())),
        float(_size(given, "follower_reward", ())),
        _size(given, "state", simulator.state_bounds[0].shape),
        _size(given, "leader_action", bounds.shape),
    )


def _size(given: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> Array:
    where = f"facts[{TYPICAL!r}][{name!r}]"
    if name not in given:
        raise ArgumentError(f"{where}: expected numbers above zero, got none")
    array = as_float(given[name], where, ArgumentError)
    if array.shape != shape or not (array > 0).all():
        raise ArgumentError(f"{where}: expected numbers above zero of shape {shape}, got {given[name]!r}")
    return array
