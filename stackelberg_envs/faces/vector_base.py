"""Many copies of the follower's environment as one native Gymnasium vector environment.

All copies are under one commitment and step in one pass. Copy i plays the episodes of the single environment that is
reset with its seed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from stackelberg_envs.arrays import Array, require_count, require_flag, require_room
from stackelberg_envs.errors import ArgumentError, PhaseError
from stackelberg_envs.faces import common
from stackelberg_envs.faces.followers import given_commitment
from stackelberg_envs.faces.forms import Forms, follower_form
from stackelberg_envs.faces.observations import Observer, is_one_of
from stackelberg_envs.games.tabular import Game
from stackelberg_envs.pictures.canvas import GENERIC_RENDERER
from stackelberg_envs.play.resets import require_seeds
from stackelberg_envs.play.session import Session, neutral_commitment

__all__ = ["FollowerVectorEnv", "Step", "autoreset_mode", "masked", "require_autoreset"]


#: Observations, rewards, terminations, truncations, infos.
Step = tuple[NDArray[np.float32], Array, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]


AUTORESET = {"next_step": "NextStep", "same_step": "SameStep"}


def require_autoreset(autoreset: Any) -> str:
    """Return when an episode that is over begins anew: "next_step" or "same_step"."""
    if not is_one_of(autoreset, tuple(AUTORESET)):
        raise ArgumentError(f"autoreset: expected 'next_step' or 'same_step', got {autoreset!r}")
    return str(autoreset)


def autoreset_mode(autoreset: str) -> Any:
    """Return Gymnasium's constant, or its name before 1.1."""
    try:
        from gymnasium.vector import AutoresetMode
    except ImportError:
        return AUTORESET[autoreset]
    return AutoresetMode(AUTORESET[autoreset])


class FollowerVectorEnv(VectorEnv[Any, Any, Any], ABC):
    """n copies of one follower under a given commitment.

    Parameters
    ----------
    game
        The game.
    num_envs
        n.
    commitment
        In force from a reset that does not bring another in ``options={"commitment": x}``; default the one
        nearest to zero.
    observe_commitment, normalize, flatten_actions, scale_rewards, scale_observations
        See :class:`stackelberg_envs.faces.parallel.ParallelFace`.
    copy
        Whether each step returns new observations, or the same array overwritten (faster; for learners that
        copy them anyway).
    autoreset
        When the next episode of a copy begins, in Gymnasium's words. "next_step": the step after an episode's end
        ignores the action, begins the next episode and pays nothing. "same_step": the step that ends an episode
        returns the first observation of the next one; ``infos["final_obs"]`` and ``infos["final_info"]`` have the last
        of the one that is over.
    shared_stream
        Only in games of vectors: all copies draw from one stream, that of the first seed, so that the game's functions
        are called once for all copies. With 1,024 copies that is some two hundred times faster, and the episodes are
        not those of single environments.
    max_episode_steps
        Steps after which an episode is truncated if the game's horizon does not end it before, as Gymnasium's
        ``TimeLimit`` does for one environment; the time in observations stays a share of the horizon.
    renderer, name
        As for the other faces; a vector environment draws nothing.

    Notes
    -----
    Observations, rewards and infos are those of :class:`FollowerEnv`, stacked; each info key has its mask of
    copies that report it (all). Each copy has a random stream of its own: with ``reset(seed=s)`` copy i plays the
    episodes of a :class:`FollowerEnv` that is reset with ``seed=s + i``, bit for bit. A commitment given at reset stays
    in force across autoresets until the next reset.
    """

    def __init__(
        self,
        game: Game,
        num_envs: int = 1,
        *,
        commitment: ArrayLike | None = None,
        observe_commitment: str = "all",
        normalize: bool = False,
        flatten_actions: bool = False,
        scale_rewards: bool = False,
        scale_observations: bool = False,
        copy: bool = True,
        autoreset: str = "next_step",
        max_episode_steps: int | None = None,
        renderer: str = GENERIC_RENDERER,
        name: str | None = None,
    ) -> None:
        del renderer
        self.game: Any = game
        self.num_envs = require_count(num_envs, "num_envs")
        limit = game.horizon if max_episode_steps is None else require_count(max_episode_steps, "max_episode_steps")
        self._last_step = min(game.horizon, limit)
        self.commitment = neutral_commitment(game) if commitment is None else game.commitment.check(commitment)
        self.copy = require_flag(copy, "copy")
        self._same_step = require_autoreset(autoreset) == "same_step"
        self.metadata = {
            **common.metadata(name, game, is_parallelizable=False),
            "render_modes": [],
            "autoreset_mode": autoreset_mode(autoreset),
        }
        session = Session(game, num_followers=1)
        forms = Forms(normalize, flatten_actions, scale_rewards, scale_observations)
        self._observer = Observer(session, observe_commitment, forms.observed_sizes(game))
        # Before anything is made: a number that is too large is an accident.
        require_room((self.num_envs, *self._observer.space.shape), "num_envs", ArgumentError)
        self._form = follower_form(session.simulator.follower_action_space, forms)
        #: What one unit of the leader's and of a follower's reward is, in the game's reward units.
        self.reward_units = forms.reward_units(game)
        self._follower_share = 1.0 / self.reward_units[1]
        self.observation_layout = dict(self._observer.layout)
        self.single_observation_space = common.copy_of(self._observer.space)
        self.single_action_space = common.copy_of(self._form.space)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._started = False
        #: Stands for actions where every copy begins an episode; the kind of game sets it.
        self._nothing: NDArray[Any]

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode in every copy.

        Parameters
        ----------
        seed
            Starts new random streams: those of seed, seed + 1, ..., or one seed per copy. None goes on with the
            present one.
        options
            ``{"commitment": x}`` puts x in force until the next reset.

        Raises
        ------
        CommitmentError
            x lies outside its space.
        ArgumentError
            Another option, or a seed that is neither an integer of at least 0 nor one per copy; nothing has changed
            then.
        """
        x = given_commitment(self.game, self.commitment, options)
        seeds = require_seeds(seed, self.num_envs)
        super().reset(seed=seeds[0])
        self._begin(x, seeds)
        self._started = True
        observations, _, _, _, infos = self._advance(self._nothing)
        return observations, infos

    def step(self, actions: Any) -> Step:
        """Play one step in every copy.

        Raises
        ------
        PhaseError
            Before reset.
        ActionError
            An array of the wrong shape, or an illegal action; the message says where.
        """
        if not self._started:
            raise PhaseError("step: expected reset() first")
        return self._advance(self._checked(actions))

    def _seen(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return observations to hand out."""
        factors = self._observer.factors
        if factors is not None:
            return rows * factors
        return rows.copy() if self.copy else rows

    @abstractmethod
    def _begin(self, x: Array, seeds: Sequence[int | None]) -> None:
        """Put x in force, start the streams, and let every copy begin an episode at the next advance."""

    @abstractmethod
    def _checked(self, actions: Any) -> NDArray[Any]:
        """Return legal actions of every copy, or raise ActionError."""

    @abstractmethod
    def _advance(self, actions: NDArray[Any]) -> Step:
        """Move every copy, or begin its next episode where the last one is over, whatever its action is."""


def masked(infos: dict[str, Any], reports: NDArray[np.bool_]) -> dict[str, Any]:
    """Return infos with Gymnasium's masks: the copies that report each key."""
    made = {}
    for key, value in infos.items():
        made[key] = value
        made[f"_{key}"] = reports
    return made
