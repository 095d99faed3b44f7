"""Many copies of a tabular follower's environment, stepped in one compiled pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, as_integers
from stackelberg_envs.errors import ActionError
from stackelberg_envs.faces.copies import TabularCopies
from stackelberg_envs.faces.rounds import Round
from stackelberg_envs.faces.vector_base import FollowerVectorEnv, Step, masked

__all__ = ["TabularVectorEnv", "integers_of"]


class TabularVectorEnv(FollowerVectorEnv):
    """See :class:`FollowerVectorEnv`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._copies = TabularCopies(
            self.game,
            self.num_envs,
            1,
            self._observer,
            commits=False,
            last_step=self._last_step,
            share=self._follower_share,
        )
        self._nothing = np.zeros(self.num_envs, np.int64)
        everywhere: NDArray[np.bool_] = np.ones(self.num_envs, np.bool_)
        everywhere.flags.writeable = False  # all infos show this one
        #: Infos without their entries.
        self._masks = masked(dict.fromkeys(self._copies.keys), everywhere)

    def _begin(self, x: Array, seeds: Sequence[int | None]) -> None:
        for i in range(self.num_envs):
            self._copies.commit(i, x)
        self._copies.restart(seeds)

    def _checked(self, actions: Any) -> NDArray[np.int64]:
        return integers_of(actions, (self.num_envs,))  # which of them exist the copies say

    def _advance(self, actions: NDArray[Any]) -> Step:
        copies = self._copies
        made = copies.advance(actions)
        infos = self._infos(made)
        terminated, truncated = made.flags
        if self._same_step:
            over = terminated | truncated
            if over.any():
                infos = self._begin_anew(made, over)
        # What the step paid is kept apart from what infos show: a learner may change one and not the other.
        return self._seen(copies.observations), made.floats[2], terminated, truncated, infos

    def _infos(self, made: Round) -> dict[str, Any]:
        infos, masks = self._masks | self._copies.seen(made), self._copies.action_masks()
        return infos if masks is None else {**infos, "action_mask": masks, "_action_mask": infos["_played"]}

    def _begin_anew(self, made: Round, over: NDArray[np.bool_]) -> dict[str, Any]:
        """Begin the episodes that a step ended; return infos with the last of those that are over."""
        copies = self._copies
        last: NDArray[Any] = np.full(self.num_envs, None, dtype=object)
        for i in np.flatnonzero(over):
            last[i] = self._seen(copies.observations[i : i + 1])[0].copy()
        former = made._replace(integers=made.integers.copy(), floats=made.floats.copy())
        final = {key: np.where(over, value, 0) for key, value in copies.seen(former).items()}
        if (masks := copies.action_masks()) is not None:
            final["action_mask"] = np.where(over[:, None], masks, np.int8(0))
        copies.advance(self._nothing, made)
        return self._infos(made) | {
            "final_obs": last,
            "_final_obs": over,
            "final_info": masked(final, over.copy()),
            "_final_info": over.copy(),
        }


def integers_of(actions: Any, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return actions as integers of a shape, or raise ActionError."""
    array = actions if type(actions) is np.ndarray else as_integers(actions, "actions", ActionError)
    if array.shape != shape or array.dtype.kind not in "iu":
        counted = " x ".join(map(str, shape))
        raise ActionError(
            f"actions: expected {counted} integers, got an array of {array.dtype} and shape {array.shape}"
        )
    return array.astype(np.int64, copy=False)
