"""Many copies of the follower's environment as one native Gymnasium vector environment.

All copies are under one commitment and step in one jitted pass. Autoreset is Gymnasium's "next step": the
step after an episode's end ignores the action, begins the next episode and pays nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from stackelberg_envs import kernels
from stackelberg_envs.adapters import common
from stackelberg_envs.adapters.followers import given_commitment
from stackelberg_envs.adapters.observations import Observer, local_rows
from stackelberg_envs.arrays import Array, IntArray, require_count
from stackelberg_envs.errors import ActionError, ArgumentError, PhaseError
from stackelberg_envs.games import TabularGame
from stackelberg_envs.rendering import GENERIC_RENDERER
from stackelberg_envs.simulation import MAX_ONE_HOT, NOTHING, Session, cumulative, neutral_commitment

__all__ = ["FollowerVectorEnv"]


#: Observations, rewards, terminations, truncations, infos.
Step = tuple[NDArray[np.float32], Array, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]


def _next_step_autoreset() -> Any:
    """Return Gymnasium's constant, or its name before 1.1."""
    try:
        from gymnasium.vector import AutoresetMode
    except ImportError:
        return "NextStep"
    return AutoresetMode.NEXT_STEP


class FollowerVectorEnv(VectorEnv[Any, Any, Any]):
    """n copies of one follower under a given commitment.

    Parameters
    ----------
    game
        A tabular game.
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
    renderer, name
        As for the other faces; a vector environment draws nothing.

    Notes
    -----
    Observations, rewards and infos are those of :class:`FollowerEnv`, stacked; each info key has its mask of
    copies that report it (all). The random stream is its own: seeds do not reproduce the single environment's
    episodes. A commitment given at reset stays in force across autoresets until the next reset.
    """

    def __init__(
        self,
        game: TabularGame,
        num_envs: int = 1,
        *,
        commitment: ArrayLike | None = None,
        observe_commitment: str = "all",
        copy: bool = True,
        renderer: str = GENERIC_RENDERER,
        name: str | None = None,
    ) -> None:
        del renderer
        if not isinstance(game, TabularGame):
            raise ArgumentError(f"game: expected a TabularGame, got {type(game).__name__}")
        self.game = game
        self.num_envs = require_count(num_envs, "num_envs")
        self.commitment = neutral_commitment(game) if commitment is None else game.commitment.check(commitment)
        self.copy = copy
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
        self._initial = cumulative(game.joint_initial)
        self._started = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode in every copy.

        Parameters
        ----------
        seed
            Starts a new random stream; None goes on with the present one.
        options
            ``{"commitment": x}`` puts x in force until the next reset.

        Raises
        ------
        CommitmentError
            x lies outside its space.
        """
        super().reset(seed=seed)
        self._commit(given_commitment(self.game, self.commitment, options))
        n = self.num_envs
        self._states, self._leader_actions, self._played = (np.zeros(n, np.int32) for _ in range(3))
        self._over, self._terminated, self._truncated = np.ones(n, np.bool_), *np.zeros((2, n), np.bool_)
        self._leader_rewards, self._follower_rewards = np.zeros((2, n))
        self._started = True
        observations, _, _, _, infos = self._advance(np.zeros(n, np.int32))
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

    def _commit(self, x: Array) -> None:
        """Put x in force and write the parts of the observations that it fixes."""
        self._primitives = self.game.primitives(x)
        layout = self.observation_layout
        width = self._observer.space.shape[0]
        self._observations: NDArray[np.float32] = np.zeros((self.num_envs, width), np.float32)
        self._observations[:, layout["phase"]] = (0.0, 1.0)
        self._local: NDArray[np.float32] = np.zeros((0, 0), np.float32)
        if self._observer.observes == "all":
            self._observations[:, layout["commitment"]] = x.ravel()
        elif self._observer.observes == "local":
            rows = local_rows(self.game, x)
            self._local = self._local if rows is None else rows

    def _checked(self, actions: Any) -> IntArray:
        array = np.asarray(actions)
        if array.shape != (self.num_envs,) or array.dtype.kind not in "iu":
            raise ActionError(
                f"actions: expected {self.num_envs} integers, got an array of {array.dtype} and shape {array.shape}"
            )
        B = self.game.shape[2]
        illegal = (array < 0) | (array >= B)
        if illegal.any():
            where = int(illegal.argmax())
            raise ActionError(f"actions: expected integers in 0..{B - 1}, got {array[where]} at index {where}")
        return array.astype(np.int32, copy=False)

    def _advance(self, actions: IntArray) -> Step:
        game, n = self._primitives, self.num_envs
        before, shown, began = self._states.copy(), self._leader_actions.copy(), self._over.copy()
        kernels.vector_step(
            self.np_random.random((2, n)),
            actions,
            self._initial,
            game.leader_policy,
            game.leader_reward,
            game.follower_reward,
            game.transition.successors,
            game.transition.probabilities,
            game.continuing,
            self.game.horizon,
            self._states,
            self._leader_actions,
            self._played,
            self._over,
            self._leader_rewards,
            self._follower_rewards,
            self._terminated,
            self._truncated,
        )
        self._observe(before)
        return (
            self._observations.copy() if self.copy else self._observations,
            self._follower_rewards.copy(),
            self._terminated.copy(),
            self._truncated.copy(),
            self._infos(before, shown, actions, began),
        )

    def _observe(self, before: IntArray) -> None:
        S, A, _ = self.game.shape
        layout, K = self.observation_layout, self.game.num_contexts
        starts = [layout[part].start if part in layout else 0 for part in ("leader_action", "context", "commitment")]
        kernels.vector_observe(
            before,
            self._states,
            self._leader_actions,
            self._played,
            S,
            S <= MAX_ONE_HOT,
            starts[0],
            A if A > 1 else 0,
            starts[1],
            K if K > 1 else 0,
            starts[2],
            self._local,
            self.game.horizon,
            self._observations,
        )

    def _infos(self, before: IntArray, shown: IntArray, actions: IntArray, began: NDArray[np.bool_]) -> dict[str, Any]:
        S, A, _ = self.game.shape
        infos: dict[str, Any] = {
            "played": (~began).astype(np.int32),
            "step": self._played.copy(),
            "context": self._states // S,
            "state": np.where(began, NOTHING, before % S),
            "leader_action": np.where(began, NOTHING, shown) if A > 1 else np.full(self.num_envs, NOTHING),
            "follower_action": np.where(began, NOTHING, actions),
            "next_state": self._states % S,
            "terminal": self._terminated.astype(np.int32),
            "leader_reward": self._leader_rewards.copy(),
        }
        if self.game.observe_rewards:
            infos["follower_reward"] = self._follower_rewards.copy()
        everywhere = np.ones(self.num_envs, dtype=np.bool_)
        return infos | {f"_{key}": everywhere for key in infos}
