"""Steps per second of every face of Four-Rooms, in one run, each beside what it is to be compared with.

Run ``python benchmarks/speed_faces.py``. Single process, in its processor time; the best of many short repetitions is
shown, because whatever else a machine does can only slow a loop down.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils.wrappers import AssertOutOfBoundsWrapper, OrderEnforcingWrapper

import stackelberg_envs as se
from stackelberg_envs.play.rollout import GameTables, tabular_rollout

ID = "stackelberg/FourRooms-v0"
SUPERSUIT, LEADERS = "SuperSuit, 64, agent steps", "SyncVectorEnv of leader_env, 64, episodes"
REPETITIONS = 25
SECONDS = 1.0
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


class EmptyAec(AECEnv[str, Any, Any]):
    """An AECEnv that does nothing: the same agents, spaces and episode length."""

    def __init__(self) -> None:
        super().__init__()
        self.like = se.raw_env(ID)
        self.metadata = {"name": "empty", "is_parallelizable": False}
        self.render_mode = None
        self.possible_agents = self.like.possible_agents
        self.zeros = np.zeros(self.like.observation_space("leader_0").shape, np.float32)

    def observation_space(self, agent: str) -> Any:
        """Return the space of Four-Rooms."""
        return self.like.observation_space(agent)

    def action_space(self, agent: str) -> Any:
        """Return the space of Four-Rooms."""
        return self.like.action_space(agent)

    def observe(self, agent: str) -> Any:
        """Return zeros."""
        del agent
        return self.zeros

    def reset(self, seed: int | None = None, options: Any = None) -> None:
        """Begin an episode: the leader acts once, then the follower 200 times."""
        del seed, options
        self.agents = self.possible_agents[:]
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos = {agent: {} for agent in self.agents}
        self.rounds, self.agent_selection = 0, "leader_0"

    def step(self, action: Any) -> None:
        """Pass the turn."""
        if self.truncations[self.agent_selection]:
            self._was_dead_step(action)
            return
        self.rounds += 1
        self.agent_selection = "follower_0"
        if self.rounds > 200:
            self.truncations = dict.fromkeys(self.agents, True)


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


def batch_loop(num_envs: int) -> Callable[[], int]:
    """Return a loop of 50 rounds of leader and follower in many copies; its steps are those of agents."""
    env = se.parallel_vector_env(ID, num_envs=num_envs)
    env.reset(seed=0)
    actions = {"leader_0": np.tile(X, (num_envs, 1)), "follower_0": np.ones(num_envs, dtype=np.int64)}

    def loop() -> int:
        for _ in range(50):
            env.step(actions)
        return 50 * num_envs * len(actions)

    return loop


def supersuit_loop(num_envs: int) -> Callable[[], int]:
    """Return the same by SuperSuit; its agents must have equal spaces, so that the leader has a menu."""
    import supersuit

    env = supersuit.pettingzoo_env_to_vec_env_v1(supersuit.black_death_v3(se.parallel_env(ID, menu=4)))
    vector = supersuit.concat_vec_envs_v1(env, num_envs, num_cpus=0, base_class="gymnasium")
    vector.reset(seed=0)
    actions = np.ones(vector.num_envs, dtype=np.int64)

    def loop() -> int:
        for _ in range(50):
            vector.step(actions)
        return 50 * vector.num_envs

    return loop


def leader_loop(env: Any) -> Callable[[], int]:
    """Return a loop of ten steps of the leader's environments; its steps are episodes."""
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    actions = rng.uniform(-0.2, 0.0, (env.num_envs, 104))

    def loop() -> int:
        for _ in range(10):
            env.step(actions)
        return 5 * env.num_envs  # every other step begins episodes

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
        start, steps = time.process_time(), 0
        while time.process_time() - start < SECONDS / REPETITIONS:
            steps += loop()
        best = max(best, steps / (time.process_time() - start))
    return best


def sync_loop(num_envs: int) -> Callable[[], int]:
    """Return a loop over Gymnasium's SyncVectorEnv of follower environments."""
    return vector_loop(gymnasium.vector.SyncVectorEnv([lambda: se.follower_env(ID)] * num_envs))


def times(rates: dict[str, float], name: str, other: str, target: str) -> str:
    """Return how much faster one row is than another."""
    return f"{rates[name] / rates[other]:.1f} x {other}" + (f" ({target})" if target else "")


def wrapping(rates: dict[str, float]) -> str:
    """Return what `env` costs a turn beyond `raw_env`, beside what its wrappers cost an empty environment."""
    ours = 1 / rates["env (wrapped), turns"] - 1 / rates["raw_env, turns"]
    theirs = 1 / rates["empty AECEnv, wrapped"] - 1 / rates["empty AECEnv"]
    return f"its wrappers cost {ours / theirs:.2f} x what they cost an empty AECEnv (target: at most 1.2)"


def measure() -> dict[str, float]:
    """Return steps per second of each row."""
    empty, fresh, parallel = Empty(), FreshEmpty(), se.parallel_env(ID)
    empty_aec = EmptyAec()
    wrapped_empty = OrderEnforcingWrapper(AssertOutOfBoundsWrapper(EmptyAec()))
    raw, wrapped, follower = se.raw_env(ID), se.env(ID), se.follower_env(ID)
    rates = {
        "empty ParallelEnv": rate(lambda: parallel_loop(empty)),
        "empty, with new arrays": rate(lambda: parallel_loop(fresh)),
        "parallel_env": rate(lambda: parallel_loop(parallel)),
        "raw_env, turns": rate(lambda: aec_loop(raw)),
        "env (wrapped), turns": rate(lambda: aec_loop(wrapped)),
        "empty AECEnv": rate(lambda: aec_loop(empty_aec)),
        "empty AECEnv, wrapped": rate(lambda: aec_loop(wrapped_empty)),
        "follower_env": rate(lambda: follower_loop(follower)),
    }
    for n in (1, 64, 1024):
        rates[f"vector_env, {n}"] = rate(vector_loop(se.vector_env(ID, num_envs=n)))
        if n <= 64:
            rates[f"SyncVectorEnv, {n}"] = rate(sync_loop(n))
    for n in (64, 1024):
        rates[f"parallel_vector_env, {n}, agent steps"] = rate(batch_loop(n))
    rates[SUPERSUIT] = rate(supersuit_loop(64))
    rates["leader_vector_env, 64, episodes"] = rate(leader_loop(se.leader_vector_env(ID, num_envs=64)))
    single = gymnasium.vector.SyncVectorEnv([lambda: se.leader_env(ID)] * 64)
    rates[LEADERS] = rate(leader_loop(single))
    rates["tabular_rollout, one core"] = rate(rollout_loop())
    return rates


def main() -> None:
    """Print the table."""
    rates = measure()
    parallel = rates["parallel_env"]
    compared = {
        "parallel_env": f"{rates['empty ParallelEnv'] / parallel:.1f} x slower than empty, "
        f"{rates['empty, with new arrays'] / parallel:.1f} x than empty with new arrays (target: at most 3)",
        "env (wrapped), turns": wrapping(rates),
        "vector_env, 1": f"{rates['vector_env, 1'] / rates['SyncVectorEnv, 1']:.1f} x SyncVectorEnv, "
        f"{rates['vector_env, 1'] / rates['follower_env']:.2f} x follower_env (target: 1)",
        "vector_env, 64": times(rates, "vector_env, 64", "SyncVectorEnv, 64", "target: 40"),
        "vector_env, 1024": times(rates, "vector_env, 1024", "SyncVectorEnv, 64", "target: 150"),
        "parallel_vector_env, 64, agent steps": times(rates, "parallel_vector_env, 64, agent steps", SUPERSUIT, ""),
        "parallel_vector_env, 1024, agent steps": times(
            rates, "parallel_vector_env, 1024, agent steps", SUPERSUIT, "target: 100"
        ),
        "leader_vector_env, 64, episodes": times(rates, "leader_vector_env, 64, episodes", LEADERS, ""),
        "tabular_rollout, one core": f"{rates['tabular_rollout, one core'] / parallel:.0f} x parallel_env "
        "(target: 100, and 15,000,000 steps/s)",
    }
    print(f"{'face of Four-Rooms':28}{'steps/s':>14}  compared")
    for name, value in rates.items():
        print(f"{name:28}{value:>14,.0f}  {compared.get(name, '')}")


if __name__ == "__main__":
    main()
