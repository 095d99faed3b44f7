"""What a vector environment promises, clause by clause."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

from stackelberg_envs.conformity.clauses import attempt
from stackelberg_envs.conformity.clauses import require_clause as _require
from stackelberg_envs.faces.vector_base import autoreset_mode

__all__ = ["check_vector", "is_number", "plain"]

#: Steps in which copies of a follower are tried, and those of a leader, of which every other one plays an episode.
STEPS, LEADER_STEPS = 250, 3
#: Infos of the episode that is over, where the next one begins in the same step.
LAST = ("final_obs", "final_info")
NEXT_STEP = "the step after an end begins the next episode"


def _vector_steps(env: Any, seed: int) -> Iterator[tuple[Any, ...]]:
    """Yield observations, rewards, both flags and infos, of the reset and of steps with random actions."""
    space, n = copy.deepcopy(env.action_space), env.num_envs
    space.seed(1000 * seed)
    observations, infos = env.reset(seed=seed)
    yield observations, np.zeros(n), np.zeros(n, np.bool_), np.zeros(n, np.bool_), infos
    for _ in range(STEPS if _counter(infos) == "played" else LEADER_STEPS):
        masks = infos.get("action_mask")
        made = env.step(space.sample() if masks is None else space.sample(tuple(masks)))
        infos = made[-1]
        yield made


def check_vector(env: Any, seed: int) -> None:
    """Check whole rollouts of one seed, spaces, types, infos and how episodes follow each other."""
    with attempt("reset and step run on"):
        first, second = (repr([plain(list(step)) for step in _vector_steps(env, seed)]) for _ in range(2))
    _require(first == second, "two runs of one seed are equal, step by step")
    with attempt("observations, rewards, flags and infos are arrays of one entry per copy"):
        _check_steps(env, seed)


def _check_steps(env: Any, seed: int) -> None:
    n = env.num_envs
    same_step = env.metadata.get("autoreset_mode") == autoreset_mode("same_step")
    over, keys = np.ones(n, np.bool_), None
    for number, (observations, rewards, terminated, truncated, infos) in enumerate(_vector_steps(env, seed)):
        where = f"step {number}"
        present = {key: value for key, value in infos.items() if key.lstrip("_") not in LAST}
        _require(env.observation_space.contains(observations), "observations lie in their space", where)
        _check_outcome(n, rewards, terminated, truncated, where)
        keys = sorted(present) if keys is None else keys
        _require(sorted(present) == keys, "info keys are the same at reset and every step", where)
        _check_vector_infos(n, present, where)
        ended = terminated | truncated
        begun = (ended if number else over) if same_step else over
        _check_next(present, begun, same_step, where)
        if not same_step:
            pays = rewards[over].any() or terminated[over].any()
            _require(not pays, "a step that begins an episode pays nothing", where)
        over = ended


def _check_next(infos: dict[str, Any], begun: Any, same_step: bool, where: str) -> None:
    """Check that episodes begin where they should: who has played, or the leader's steps, is 0 there."""
    clause = "an episode that is over is followed by the next one at once" if same_step else NEXT_STEP
    _require(np.array_equal(infos[_counter(infos)] == 0, begun), clause, where)


def _counter(infos: dict[str, Any]) -> str:
    """Return the info that is zero until something is played: the followers' or the leader's."""
    return "played" if "played" in infos else "steps"


def _check_outcome(n: int, rewards: Any, terminated: Any, truncated: Any, where: str) -> None:
    typed = rewards.dtype == np.float64 and terminated.dtype == truncated.dtype == np.bool_
    _require(typed, "rewards are float64 and flags are bool", where)
    shapes = {np.shape(part) for part in (rewards, terminated, truncated)}
    _require(shapes == {(n,)}, "rewards and flags have shape (n,)", where)
    _require(not (terminated & truncated).any(), "an episode is terminated or truncated, not both", where)


def _check_vector_infos(n: int, infos: dict[str, Any], where: str) -> None:
    _require(_counter(infos) in infos, "infos say who played", where)
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
