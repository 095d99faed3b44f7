"""Collecting play from PettingZoo environments, parallel or AEC, by nothing but their public faces.

What happened is read from the followers' infos, whose keys every face of this suite fills
(docs/reference/interfaces.md): ``played``, ``context``, ``state``, ``leader_action``, ``follower_action``,
``next_state``, ``terminal``,
``leader_reward`` and, where public, ``follower_reward``. Another environment that fills them can be used too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.vector import VectorGame
from stackelberg_envs.play.rollout import checked_response, sampling_policy

from ..observing.trajectories import Trajectories

__all__ = ["Policy", "collect_from_env"]

LEADER, FOLLOWER = "leader_0", "follower_"
NEEDED = ("played", "context", "state", "leader_action", "follower_action", "next_state", "terminal", "leader_reward")
#: (observation, info, rng) -> action.
Policy = Callable[[Any, dict[str, Any], np.random.Generator], Any]


def collect_from_env(
    env: Any,
    x: ArrayLike,
    follower: Any,
    *,
    steps: int | None,
    episodes: int | None,
    rng: np.random.Generator,
) -> Trajectories:
    """Play episodes of a PettingZoo environment and record what an observer sees.

    Parameters
    ----------
    env
        A ParallelEnv or AECEnv with agents ``leader_0`` and ``follower_0``, ``follower_1``, ...; each
        follower's play becomes an episode of its own.
    x
        The leader's action in the first round of every episode.
    follower
        A follower, its response, or a function (observation, info, rng) -> action; all followers act by it.
    steps, episodes
        Follower steps in all, and rounds of play at most; None: no limit.
    rng
        Draws the environment's seed and the policy's actions.

    Raises
    ------
    ArgumentError
        No environment, a response that does not fit it, or infos that lack what an observer has to be told.
    """
    if not (hasattr(env, "action_space") and hasattr(env, "possible_agents")):
        raise ArgumentError(f"collect: expected a game or a PettingZoo environment, got {type(env).__name__}")
    forms = getattr(env.unwrapped, "forms", None)
    if forms is not None and (forms.normalize or forms.flatten_actions):
        raise ArgumentError(
            "collect: expected an environment with the game's own actions, got one with normalize or flatten_actions"
        )
    game = getattr(env.unwrapped, "game", None)
    policy = follower if callable(follower) else _acting(game, env, follower)
    rounds = _AecRounds(env) if hasattr(env, "agent_iter") else _ParallelRounds(env)
    log = _Log(budget=2**62 if steps is None else steps)
    played = 0
    seed: int | None = int(rng.integers(2**31))
    while not log.full and (episodes is None or played < episodes):
        observations, infos = rounds.reset(seed)
        seed = None
        observations, infos, over = rounds.commit(x)
        _require_keys(infos)
        log.open(infos)
        while not over and not log.full:
            actions = {name: policy(observations[name], infos[name], rng) for name in infos if name != LEADER}
            observations, infos, over = rounds.play(actions)
            log.add(infos)
        log.close(over)
        played += 1
    return log.trajectories(np.asarray(x, dtype=np.float64), _num_states(game))


class _ParallelRounds:
    """Rounds of a ParallelEnv."""

    def __init__(self, env: Any) -> None:
        self.env = env
        self._idle: dict[str, Any] = {}

    def reset(self, seed: int | None) -> tuple[dict[str, Any], dict[str, Any]]:
        observations, infos = self.env.reset(seed=seed)
        self._idle = {name: self.env.action_space(name).sample() for name in self.env.agents}
        return observations, infos

    def commit(self, x: ArrayLike) -> tuple[dict[str, Any], dict[str, Any], bool]:
        return self._step({**self._idle, LEADER: _as_action(self.env, x)})

    def play(self, actions: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], bool]:
        return self._step({**self._idle, **actions})

    def _step(self, actions: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], bool]:
        observations, _, _, _, infos = self.env.step(actions)
        return observations, infos, not self.env.agents


class _AecRounds:
    """Rounds of an AECEnv: one turn each, in its order."""

    def __init__(self, env: Any) -> None:
        self.env = env

    def reset(self, seed: int | None) -> tuple[dict[str, Any], dict[str, Any]]:
        self.env.reset(seed=seed)
        return self._seen()[:2]

    def commit(self, x: ArrayLike) -> tuple[dict[str, Any], dict[str, Any], bool]:
        self.env.step(_as_action(self.env, x))
        return self._seen()

    def play(self, actions: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], bool]:
        for _ in actions:
            self.env.step(actions[self.env.agent_selection])
        return self._seen()

    def _seen(self) -> tuple[dict[str, Any], dict[str, Any], bool]:
        env = self.env
        # A leader that has committed has a turn again only when play is over.
        over = any(env.terminations.values()) or any(env.truncations.values()) or env.agent_selection == LEADER
        return {name: env.observe(name) for name in env.agents}, dict(env.infos), over


@dataclass
class _Log:
    """Steps as they come in, follower by follower, then episode after episode."""

    budget: int
    episodes: list[list[dict[str, Any]]] = field(default_factory=list)
    current: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    whole: list[bool] = field(default_factory=list)
    cut: set[str] = field(default_factory=set)
    taken: int = 0

    @property
    def full(self) -> bool:
        return self.taken >= self.budget

    def open(self, infos: dict[str, Any]) -> None:
        self.current = {name: [] for name in infos if name != LEADER}
        self.cut = set()

    def add(self, infos: dict[str, Any]) -> None:
        for name, steps in self.current.items():
            if infos[name]["played"] and self.full:
                self.cut.add(name)
            elif infos[name]["played"]:
                steps.append(infos[name])
                self.taken += 1

    def close(self, over: bool) -> None:
        """End the round; one that is not over was cut by the budget, for those who were not in a terminal state."""
        for name, steps in self.current.items():
            if steps:
                self.episodes.append(steps)
                self.whole.append(bool(steps[-1]["terminal"]) or (over and name not in self.cut))

    def trajectories(self, x: Array, num_states: int) -> Trajectories:
        steps = [step for episode in self.episodes for step in episode]

        vectors = isinstance(steps[0]["state"], np.ndarray)

        def column(name: str, dtype: Any) -> Any:
            return np.array([step[name] for step in steps], dtype=dtype)

        def told(name: str) -> Any:
            """Return states or actions: numbers as int32, rows as they are."""
            return np.stack([np.atleast_1d(step[name]) for step in steps]) if vectors else column(name, np.int32)

        return Trajectories(
            commitment=x,
            num_states=num_states,
            state=told("state"),
            leader_action=told("leader_action") if vectors else np.maximum(told("leader_action"), 0),
            follower_action=told("follower_action"),
            next_state=told("next_state"),
            leader_reward=column("leader_reward", np.float64),
            follower_reward=column("follower_reward", np.float64) if "follower_reward" in steps[0] else None,
            offsets=np.cumsum([0, *map(len, self.episodes)], dtype=np.int64),
            terminated=np.array([bool(episode[-1]["terminal"]) for episode in self.episodes]),
            context=np.array([episode[0]["context"] for episode in self.episodes], dtype=np.int32),
            whole=np.array(self.whole),
        )


def _as_action(env: Any, x: ArrayLike) -> Any:
    space = env.action_space(LEADER)
    return np.asarray(x, dtype=space.dtype).reshape(space.shape)


def _require_keys(infos: dict[str, Any]) -> None:
    for name, info in infos.items():
        missing = [key for key in NEEDED if key not in info]
        if name != LEADER and missing:
            raise ArgumentError(f"env: expected {', '.join(NEEDED)} in the infos of {name}; missing {missing}")


@singledispatch
def _num_states(game: Any) -> int:
    """Return S, to tell joint states from states; 0 where states are vectors."""
    del game
    return 1


@_num_states.register
def _(game: TabularGame) -> int:
    return game.shape[0]


@_num_states.register
def _(game: VectorGame) -> int:
    del game
    return 0


@singledispatch
def _acting(game: Any, env: Any, follower: Any) -> Policy:
    """Return a follower's response as a function of what an environment of this suite shows.

    The state and the context are those of the last info, the leader's action is read from the observation.
    """
    del game, env, follower
    raise ArgumentError("follower: expected a function for an environment that is not of this suite, got a table")


@_acting.register
def _(game: TabularGame, env: Any, follower: Any) -> Policy:
    if len(getattr(follower, "players", [follower])) > 1:
        raise ArgumentError("follower: expected one, got several; no follower plays the mean of their tables")
    S, A, B = game.shape
    policy, feasible = getattr(follower, "policy", follower), game.uncommitted.feasible
    response = checked_response(policy, (game.num_contexts * S, A, B), feasible)
    shown = getattr(env.unwrapped, "observation_layout", {}).get("leader_action")

    def act(observation: Any, info: dict[str, Any], rng: np.random.Generator) -> int:
        a = 0 if shown is None else int(np.argmax(observation[shown]))
        z = max(info["context"], 0) * S + info["next_state"]
        return int(rng.choice(B, p=response[z, a]))

    return act


@_acting.register
def _(game: VectorGame, env: Any, follower: Any) -> Policy:
    del game
    policy = sampling_policy(getattr(follower, "policy", follower))
    shown = getattr(env.unwrapped, "observation_layout", {}).get("leader_action", slice(0, 0))
    space = env.action_space(f"{FOLLOWER}0")

    def act(observation: Any, info: dict[str, Any], rng: np.random.Generator) -> Any:
        leader_action = np.asarray(observation[shown], dtype=np.float64)
        contexts = np.full(1, max(info["context"], 0), dtype=np.int32)
        drawn = policy.sample(rng, info["next_state"][None], leader_action[None], contexts)[0]
        return np.asarray(drawn, dtype=space.dtype).reshape(space.shape)[()]

    return act
