"""Many copies of one follower as a vector environment of stable-baselines3, on the package's own vectors.

from stackelberg_envs.clients.sb3 import VecEnv

model = PPO("MlpPolicy", VecEnv("stackelberg/FourRooms-v0", num_envs=64))
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.errors import ArgumentError, MissingExtraError, PhaseError
from stackelberg_envs.faces.clients import check_client
from stackelberg_envs.faces.registration import vector_env

try:
    from stable_baselines3.common.vec_env.base_vec_env import VecEnv as BaseVecEnv
except ImportError as exc:
    raise MissingExtraError(
        f'clients.sb3: expected stable-baselines3, got {exc}: pip install "stackelberg-envs[sb3]"'
    ) from exc

__all__ = ["VecEnv"]


class VecEnv(BaseVecEnv):
    """One follower under a given commitment, in n copies that step in one call.

    Parameters
    ----------
    id
        Of the game; None where ``game=`` is given.
    num_envs
        n.
    options
        Those of :func:`stackelberg_envs.vector_env`, ``autoreset`` apart: copies begin anew at once, as
        stable-baselines3 has it.

    Attributes
    ----------
    vector
        The Gymnasium vector environment beneath.

    Raises
    ------
    ArgumentError
        ``autoreset``, or actions that stable-baselines3 does not take; the message says which argument helps.

    Notes
    -----
    After ``seed(s)`` and ``reset()``, copy i plays the episodes of :func:`stackelberg_envs.follower_env` with seed
    s + i. Infos are those of the single environment, one dict for each copy; that of a step which ends an episode has
    ``terminal_observation`` and ``TimeLimit.truncated`` besides. Options of a reset hold for all copies, because all
    are under one commitment: ``set_options({"commitment": x})``. In games with feasible actions it has the masks that
    sb3-contrib's MaskablePPO asks for.
    """

    def __init__(self, id: str | None = None, num_envs: int = 1, **options: Any) -> None:  # noqa: A002
        if "autoreset" in options:
            raise ArgumentError("autoreset: expected none, copies begin anew at once in stable-baselines3")
        self.vector: Any = vector_env(id, num_envs=num_envs, autoreset="same_step", **options)
        self._actions: NDArray[Any] | None = None
        self._masks: NDArray[np.int8] | None = None
        single = self.vector.single_observation_space, self.vector.single_action_space
        self.render_mode = None
        super().__init__(num_envs, *single)
        check_client(self, "stable-baselines3")

    def reset(self) -> NDArray[np.float32]:
        """Begin an episode in every copy, and return the first observations, shape (n, L)."""
        seeds = None if self._seeds[0] is None else self._seeds
        if any(options != self._options[0] for options in self._options):
            raise ArgumentError("options: expected the same for all copies, which are under one commitment")
        observations, infos = self.vector.reset(seed=seeds, options=self._options[0] or None)
        self.reset_infos, self._masks = _per_copy(infos, self.num_envs), infos.get("action_mask")
        self._reset_seeds()
        self._reset_options()
        self._actions = None
        return np.asarray(observations)

    def step_async(self, actions: NDArray[Any]) -> None:
        """Take the actions of all copies."""
        self._actions = actions

    def step_wait(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Play the step: observations, rewards, whether an episode is over, infos.

        Raises
        ------
        PhaseError
            Before actions were given.
        ActionError
            Illegal actions; the message says where.
        """
        if self._actions is None:
            raise PhaseError("step_wait: expected step_async(actions) first")
        observations, rewards, terminated, truncated, infos = self.vector.step(self._actions)
        self._actions, self._masks = None, infos.get("action_mask")
        over = terminated | truncated
        last = infos.pop("final_info", {})
        seen = infos.pop("final_obs", None)
        told, ended = _per_copy(infos, self.num_envs), _per_copy(last, self.num_envs)
        for i in np.flatnonzero(over):
            self.reset_infos[i] = told[i]
            cut = bool(truncated[i] and not terminated[i])
            told[i] = {**ended[i], "terminal_observation": np.asarray(seen[i]), "TimeLimit.truncated": cut}
        return np.asarray(observations), np.asarray(rewards, dtype=np.float32), over, told

    def action_masks(self) -> NDArray[np.bool_]:
        """Return True for the actions that each copy can take now, shape (n, B).

        Raises
        ------
        AttributeError
            Before the first reset, or a game in which every action can always be taken: it has no masks.
        """
        if self._masks is None:
            raise AttributeError("action_masks: expected a game with feasible actions, after a reset")
        return np.asarray(self._masks, dtype=np.bool_)

    def close(self) -> None:
        """Close the vector environment."""
        self.vector.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute once for each copy: all share the vector's.

        Raises
        ------
        AttributeError
            The vector environment has none of that name.
        """
        if attr_name == "action_masks" and getattr(self.vector.game, "feasible", None) is not None:
            return [self.action_masks for _ in self._get_indices(indices)]
        value = self.render_mode if attr_name == "render_mode" else getattr(self.vector, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refuse: copies share what they have."""
        raise ArgumentError(f"set_attr: expected none, copies share one vector environment; got {attr_name!r}")

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Return the masks of copies, for ``action_masks``; refuse all else: there are no single environments."""
        if method_name == "action_masks":
            return list(self.action_masks()[list(self._get_indices(indices))])
        raise ArgumentError(f"env_method: expected none, copies share one vector environment; got {method_name!r}")

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Any = None) -> list[bool]:
        """Return that no copy is wrapped."""
        del wrapper_class
        return [False for _ in self._get_indices(indices)]


def _per_copy(infos: dict[str, Any], n: int) -> list[dict[str, Any]]:
    """Return one dict for each copy of the infos that Gymnasium's vectors give in one, with its masks of copies."""
    rows: list[dict[str, Any]] = [{} for _ in range(n)]
    for key, values in infos.items():
        mask = infos.get(f"_{key}")
        if mask is None:
            continue
        for row, value, reports in zip(rows, values, mask, strict=True):
            if reports:
                row[key] = value
    return rows
