"""Steps per second of every face of Four-Rooms, in one run, each beside what it is to be compared with.

Run ``python benchmarks/speed_faces.py``. Single process; the best of several repetitions is shown, because
whatever else a machine does can only slow a loop down.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from pettingzoo import ParallelEnv

import stackelberg_envs as se
from stackelberg_envs.play.rollout import GameTables, tabular_rollout

ID = "stackelberg/FourRooms-v0"
REPETITIONS = 5
SECONDS = 0.4
#: Commitment under which a random walker's episodes reach the horizon most of the time.
X = np.zeros(104, dtype=np.float32)


class Empty(ParallelEnv[str, Any, Any]):
    """A ParallelEnv that does nothing: the same agents, spaces and episode length, fresh dicts, no work."""

    def __init__(self) -> None:
        self.like = se.parallel_env(ID)
        self.possible_agents = self.like.possible_agents
        self.zeros = {a: np.zeros(self.like.observation_space(a).shape, np.float32) for a in self.possible_agents}

    def observation_space(self, agent: str) -> Any:
        """Return the space of Four-Rooms."""
        return self.like.observation_space(agent)

    def action_space(self, agent: str) -> Any:
        """Return the space of Four-Rooms."""
        return self.like.action_space(agent)

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        """Begin an episode of 201 rounds."""
        del seed, options
        self.agents = self.possible_agents[:]
        self.rounds = 0
        return dict(self.zeros), {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, Any]) -> Any:
        """Return five new dicts."""
        del actions
        agents = self.agents
        self.rounds += 1
        over = self.rounds > 200
        if over:
            self.agents = []
        return (
            {agent: self.zeros[agent] for agent in agents},
            dict.fromkeys(agents, 0.0),
            dict.fromkeys(agents, False),
            dict.fromkeys(agents, over),
            {agent: {} for agent in agents},
        )


class FreshEmpty(Empty):
    """The same, with new observation arrays each step, which every environment here owes its callers."""

    def step(self, actions: dict[str, Any]) -> Any:
        """Return five new dicts and new arrays."""
        _, *rest = super().step(actions)
        return {agent: zeros.copy() for agent, zeros in self.zeros.items()}, *rest


def parallel_loop(env: Any) -> int:
    """Play one episode; return its steps."""
    env.reset()
    actions, steps = {"leader_0": X, "follower_0": 1}, 0
    while env.agents:
        env.step(actions)
        steps += 1
    return steps


def aec_loop(env: Any) -> int:
    """Play one episode; return its turns, the final ones of finished agents not counted."""
    env.reset()
    turns = 0
    for agent in env.agent_iter():
        _, _, terminated, truncated, _ = env.last()
        if terminated or truncated:
            env.step(None)
            continue
        env.step(X if agent == "leader_0" else 1)
        turns += 1
    return turns


def follower_loop(env: Any) -> int:
    """Play one episode; return its steps."""
    env.reset()
    steps, over = 0, False
    while not over:
        _, _, terminated, truncated, _ = env.step(1)
        steps, over = steps + 1, terminated or truncated
    return steps


def vector_loop(env: Any) -> Callable[[], int]:
    """Return a loop of 50 batched steps."""
    env.reset(seed=0)
    actions = np.ones(env.num_envs, dtype=np.int64)

    def loop() -> int:
        for _ in range(50):
            env.step(actions)
        return 50 * env.num_envs

    return loop


def rollout_loop() -> Callable[[], int]:
    """Return a loop of one fused rollout of 200,000 follower steps."""
    game = se.make_game(ID)
    arrays = game.primitives(X)
    response = se.solve(game, X).best.policy
    rng, tables = np.random.default_rng(0), GameTables.of(arrays, game.horizon)

    def loop() -> int:
        return len(tabular_rollout(rng, tables, response, 200_000, 1_000_000).state)

    return loop


def rate(loop: Callable[[], int]) -> float:
    """Return the best steps per second of some repetitions, after one call that compiles and warms up."""
    loop()
    best = 0.0
    for _ in range(REPETITIONS):
        start, steps = time.perf_counter(), 0
        while time.perf_counter() - start < SECONDS / REPETITIONS:
            steps += loop()
        best = max(best, steps / (time.perf_counter() - start))
    return best


def sync_loop(num_envs: int) -> Callable[[], int]:
    """Return a loop over Gymnasium's SyncVectorEnv of follower environments."""
    return vector_loop(gymnasium.vector.SyncVectorEnv([lambda: se.follower_env(ID)] * num_envs))


def measure() -> dict[str, float]:
    """Return steps per second of each row."""
    empty, fresh, parallel = Empty(), FreshEmpty(), se.parallel_env(ID)
    raw, wrapped, follower = se.raw_env(ID), se.env(ID), se.follower_env(ID)
    rates = {
        "empty ParallelEnv": rate(lambda: parallel_loop(empty)),
        "empty, with new arrays": rate(lambda: parallel_loop(fresh)),
        "parallel_env": rate(lambda: parallel_loop(parallel)),
        "raw_env, turns": rate(lambda: aec_loop(raw)),
        "env (wrapped), turns": rate(lambda: aec_loop(wrapped)),
        "follower_env": rate(lambda: follower_loop(follower)),
    }
    for n in (1, 64, 1024):
        rates[f"vector_env, {n}"] = rate(vector_loop(se.vector_env(ID, num_envs=n)))
        if n <= 64:
            rates[f"SyncVectorEnv, {n}"] = rate(sync_loop(n))
    rates["tabular_rollout, one core"] = rate(rollout_loop())
    return rates


def main() -> None:
    """Print the table."""
    rates = measure()
    parallel = rates["parallel_env"]
    compared = {
        "parallel_env": f"{rates['empty ParallelEnv'] / parallel:.1f} x slower than empty, "
        f"{rates['empty, with new arrays'] / parallel:.1f} x than empty with new arrays (target: at most 4)",
        "vector_env, 1": f"{rates['vector_env, 1'] / rates['SyncVectorEnv, 1']:.1f} x SyncVectorEnv",
        "vector_env, 64": f"{rates['vector_env, 64'] / rates['SyncVectorEnv, 64']:.1f} x SyncVectorEnv",
        "tabular_rollout, one core": f"{rates['tabular_rollout, one core'] / parallel:.0f} x parallel_env "
        "(target: 100, and 15,000,000 steps/s)",
    }
    print(f"{'face of Four-Rooms':28}{'steps/s':>14}  compared")
    for name, value in rates.items():
        print(f"{name:28}{value:>14,.0f}  {compared.get(name, '')}")


if __name__ == "__main__":
    main()
