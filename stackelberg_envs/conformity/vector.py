"""What a vector environment promises, clause by clause."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

from stackelberg_envs.conformity.clauses import attempt
from stackelberg_envs.conformity.clauses import require_clause as _require

__all__ = ["check_vector", "is_number", "plain"]

#: Steps in which it is tried.
STEPS = 250


def _vector_steps(env: Any, seed: int) -> Iterator[tuple[Any, ...]]:
    """Yield observations, rewards, both flags and infos, of the reset and of steps with random actions."""
    space, n = copy.deepcopy(env.action_space), env.num_envs
    space.seed(1000 * seed)
    observations, infos = env.reset(seed=seed)
    yield observations, np.zeros(n), np.zeros(n, np.bool_), np.zeros(n, np.bool_), infos
    for _ in range(STEPS):
        yield env.step(space.sample())


def check_vector(env: Any, seed: int) -> None:
    """Check whole rollouts of one seed, spaces, types, infos and how episodes follow each other."""
    with attempt("reset and step run on"):
        first, second = (repr([plain(list(step)) for step in _vector_steps(env, seed)]) for _ in range(2))
    _require(first == second, "two runs of one seed are equal, step by step")
    with attempt("observations, rewards, flags and infos are arrays of one entry per copy"):
        _check_steps(env, seed)


def _check_steps(env: Any, seed: int) -> None:
    over, keys = np.ones(env.num_envs, np.bool_), None
    for number, (observations, rewards, terminated, truncated, infos) in enumerate(_vector_steps(env, seed)):
        where = f"step {number}"
        _require(env.observation_space.contains(observations), "observations lie in their space", where)
        _check_outcome(env.num_envs, rewards, terminated, truncated, where)
        keys = sorted(infos) if keys is None else keys
        _require(sorted(infos) == keys, "info keys are the same at reset and every step", where)
        _check_vector_infos(env.num_envs, infos, where)
        _require(np.array_equal(infos["played"] == 0, over), "the step after an end begins the next episode", where)
        begins = not (rewards[over].any() or terminated[over].any())
        _require(begins, "a step that begins an episode pays nothing", where)
        over = terminated | truncated


def _check_outcome(n: int, rewards: Any, terminated: Any, truncated: Any, where: str) -> None:
    typed = rewards.dtype == np.float64 and terminated.dtype == truncated.dtype == np.bool_
    _require(typed, "rewards are float64 and flags are bool", where)
    shapes = {np.shape(part) for part in (rewards, terminated, truncated)}
    _require(shapes == {(n,)}, "rewards and flags have shape (n,)", where)
    _require(not (terminated & truncated).any(), "an episode is terminated or truncated, not both", where)


def _check_vector_infos(n: int, infos: dict[str, Any], where: str) -> None:
    _require("played" in infos, "infos say who played", where)
    for key, value in infos.items():
        sound = is_number(value) and np.shape(value)[:1] == (n,)
        # A value is written out only where it is odd.
        _require(sound, "infos hold a number or a fixed array per copy", sound or f"{where}: {key}={value!r}")
        _require(key.startswith("_") or f"_{key}" in infos, "each info has its mask", key)


def plain(value: Any) -> Any:
    """Return a value as something whose repr shows all of it."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number, or an array of such."""
    if isinstance(value, np.ndarray):
        return bool(value.dtype.kind in "biuf" and np.isfinite(value).all())
    return isinstance(value, int | float) and bool(np.isfinite(value))
