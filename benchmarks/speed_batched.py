"""Steps per second of vector games, at 1 and at 1,024 copies, beside Gymnasium's SyncVectorEnv of as many.

Run ``python benchmarks/speed_batched.py``; it writes ``docs/tables/speed_batched.md``. Single process, whose own time
counts and not the clock. The loops take turns and the best of several rounds is shown, because whatever else a machine
does can only slow a loop down.

"simulator" is the game alone: the leader's actions and the step. "vector_env" adds observations, infos and the
beginning of new episodes, with a random stream for each copy or one for all (``shared_stream``). All are compared with
SyncVectorEnv over the Gymnasium view of the same game.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

import stackelberg_envs as se
from stackelberg_envs.conformity.vector_games import UniformPolicy
from stackelberg_envs.games.vector import VectorGame

COPIES = (1, 1024)
TARGET = 50
#: Rounds in which the loops take turns, and seconds of each loop in each.
ROUNDS, SECONDS = 5, 0.4
#: Sets of actions that are drawn before and used in turn.
PREPARED = 32
TABLE = Path(__file__).parents[1] / "docs" / "tables" / "speed_batched.md"

Loop = Callable[[], int]


def vector_ids() -> list[str]:
    """Return the ids of games of vectors."""
    return [spec_id for spec_id in se.registered_ids() if isinstance(se.make_game(spec_id), VectorGame)]


def prepared_actions(game: VectorGame, n: int) -> list[Any]:
    """Return sets of n follower actions."""
    policy, rng = UniformPolicy(game.follower_action_space), np.random.default_rng(0)
    nobody = np.zeros((n, 0)), np.zeros(n, np.int32)
    return [policy.sample(rng, np.zeros((n, 1)), *nobody) for _ in range(PREPARED)]


def simulator_loop(game: VectorGame, n: int) -> Loop:
    """Return a loop over the game's own functions; finished copies start anew."""
    rng, contexts, actions = np.random.default_rng(0), np.zeros(n, np.int32), prepared_actions(game, n)
    x = game.commitment.project(np.zeros(game.commitment.shape))
    states = game.initial_states(rng, contexts)

    def loop() -> int:
        nonlocal states
        for follower_actions in actions:
            shown = game.leader_actions(rng, x, states, contexts)
            made = game.step(rng, x, states, contexts, shown, follower_actions)
            states = made.next_state
            if made.terminated.any():
                over = made.terminated
                states[over] = game.initial_states(rng, contexts[over])
        states = game.initial_states(rng, contexts)
        return n * len(actions)

    return loop


def vector_loop(envs: Any, game: VectorGame, n: int) -> Loop:
    """Return a loop over a vector environment."""
    dtype, actions = envs.single_action_space.dtype, prepared_actions(game, n)
    actions = [each.astype(dtype).reshape(envs.action_space.shape) for each in actions]
    envs.reset(seed=0)

    def loop() -> int:
        for each in actions:
            envs.step(each)
        return n * len(actions)

    return loop


def rates(loops: dict[str, Loop]) -> dict[str, float]:
    """Return each loop's best steps per second; every loop runs at least once a round, after one warm-up."""
    best = dict.fromkeys(loops, 0.0)
    for number in range(ROUNDS + 1):
        for name, loop in loops.items():
            start, steps = time.process_time(), 0
            while steps == 0 or (number and time.process_time() - start < SECONDS):
                steps += loop()
            if number:
                best[name] = max(best[name], steps / (time.process_time() - start))
    return best


def measure(spec_id: str, n: int) -> dict[str, float]:
    """Return steps per second of the game, the native vector environment and SyncVectorEnv."""
    game = se.make_game(spec_id)
    sync = gymnasium.vector.SyncVectorEnv([lambda: se.follower_env(spec_id, game=game)] * n)
    return rates(
        {
            "simulator": simulator_loop(game, n),
            "vector_env": vector_loop(se.vector_env(spec_id, game=game, num_envs=n), game, n),
            "shared": vector_loop(se.vector_env(spec_id, game=game, num_envs=n, shared_stream=True), game, n),
            "sync": vector_loop(sync, game, n),
        }
    )


def row(spec_id: str, n: int) -> str:
    """Return a row of the table."""
    found = measure(spec_id, n)
    ratios = [found[name] / found["sync"] for name in ("simulator", "shared", "vector_env")]
    cells = [f"{found[name]:,.0f}" for name in ("simulator", "shared", "vector_env", "sync")]
    return f"| `{spec_id}` | {n:,} | {' | '.join(cells)} | {' | '.join(f'{ratio:.1f}' for ratio in ratios)} |"


def main() -> None:
    """Print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ids", nargs="*", help="some ids only; the table is then printed and not written")
    chosen = parser.parse_args().ids
    lines = [
        "| game | copies | simulator, steps/s | `vector_env`, shared stream | `vector_env` | `SyncVectorEnv` "
        "| simulator, ratio | shared stream, ratio | `vector_env`, ratio |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    print("\n".join(lines))
    for spec_id in chosen or vector_ids():
        for n in COPIES:
            lines.append(row(spec_id, n))
            print(lines[-1], flush=True)
    print(f"Target at {max(COPIES):,} copies: {TARGET} times SyncVectorEnv.")
    if not chosen:
        TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
