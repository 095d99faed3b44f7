"""Many copies of the follower's environment as one native Gymnasium vector environment.

All copies are under one commitment and step in one pass. Autoreset is Gymnasium's "next step": the step
after an episode's end ignores the action, begins the next episode and pays nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from stackelberg_envs.arrays import Array, require_count, require_flag
from stackelberg_envs.errors import PhaseError
from stackelberg_envs.faces import common
from stackelberg_envs.faces.followers import given_commitment
from stackelberg_envs.faces.observations import Observer
from stackelberg_envs.games.tabular import Game
from stackelberg_envs.pictures.canvas import GENERIC_RENDERER
from stackelberg_envs.play.resets import require_seeds
from stackelberg_envs.play.session import Session, neutral_commitment

__all__ = ["FollowerVectorEnv", "Step", "masked"]


#: Observations, rewards, terminations, truncations, infos.
Step = tuple[NDArray[np.float32], Array, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]


def _next_step_autoreset() -> Any:
    """Return Gymnasium's constant, or its name before 1.1."""
    try:
        from gymnasium.vector import AutoresetMode
    except ImportError:
        return "NextStep"
    return AutoresetMode.NEXT_STEP


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
    observe_commitment
        How much of the commitment observations show: "all", "local" or "none".
    copy
        Whether each step returns new observations, or the same array overwritten (faster; for learners that
        copy them anyway).
    max_episode_steps
        Steps after which an episode is truncated if the game's horizon does not end it before, as Gymnasium's
        ``TimeLimit`` does for one environment; the time in observations stays a share of the horizon.
    renderer, name
        As for the other faces; a vector environment draws nothing.

    Notes
    -----
    Observations, rewards and infos are those of :class:`FollowerEnv`, stacked; each info key has its mask of
    copies that report it (all). The random stream is its own: seeds do not reproduce the single environment's
    episodes, and a list of seeds, one per copy, makes one stream out of all. A commitment given at reset stays in
    force across autoresets until the next reset.
    """

    def __init__(
        self,
        game: Game,
        num_envs: int = 1,
        *,
        commitment: ArrayLike | None = None,
        observe_commitment: str = "all",
        copy: bool = True,
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
        self.metadata = {
            **common.metadata(name, game, is_parallelizable=False),
            "render_modes": [],
            "autoreset_mode": _next_step_autoreset(),
        }
        session = Session(game, num_followers=1)
        self._observer = Observer(session, observe_commitment)
        self.observation_layout = dict(self._observer.layout)
        self.single_observation_space = common.copy_of(self._observer.space)
        self.single_action_space = common.copy_of(session.simulator.follower_action_space)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._started = False

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode in every copy.

        Parameters
        ----------
        seed
            Starts a new random stream, also as one integer per copy; None goes on with the present one.
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
        if isinstance(seeds, list):
            self.np_random = np.random.default_rng(seeds)
        elif seeds is not None:
            super().reset(seed=seeds)
        self._write_commitment(x)
        self._commit(x)
        self._started = True
        observations, _, _, _, infos = self._advance(self._restart())
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

    def _write_commitment(self, x: Array) -> None:
        """Write the parts of the observations that the commitment fixes, and zeros elsewhere."""
        layout = self.observation_layout
        width = self._observer.space.shape[0]
        self._observations: NDArray[np.float32] = np.zeros((self.num_envs, width), np.float32)
        self._observations[:, layout["phase"]] = (0.0, 1.0)
        if self._observer.observes == "all":
            self._observations[:, layout["commitment"]] = x.ravel()

    @abstractmethod
    def _commit(self, x: Array) -> None:
        """Put x in force."""

    @abstractmethod
    def _restart(self) -> NDArray[Any]:
        """Let every copy begin an episode at the next advance, and return actions for it that are ignored."""

    @abstractmethod
    def _checked(self, actions: Any) -> NDArray[Any]:
        """Return legal actions, or raise ActionError."""

    @abstractmethod
    def _advance(self, actions: NDArray[Any]) -> Step:
        """Move every copy, or begin its next episode where the last one is over."""

    def _seen(self) -> NDArray[np.float32]:
        """Return the observations to hand out."""
        return self._observations.copy() if self.copy else self._observations


def masked(infos: dict[str, Any]) -> dict[str, Any]:
    """Return infos with Gymnasium's masks: every copy reports every key."""
    everywhere = np.ones(len(next(iter(infos.values()))), dtype=np.bool_)
    return infos | {f"_{key}": everywhere for key in infos}
