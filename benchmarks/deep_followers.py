"""What followers with networks lose against the exact best response: soft DQN in tax design, SAC in the LQ games.

A follower learns the response to one commitment from nothing. Per game: the exact value of the best response; the
value of the learned policy, reward plus temperature times entropy, by Monte Carlo; and what it loses, by the identity
J* - J = temperature * E sum gamma^t (log g - log g*) over the play of g, whose standard error is much smaller.

    python benchmarks/deep_followers.py [--seeds 10] [--games tax_design ...] [--processes 2]

One line per finished run is appended to docs/tables/deep_followers.jsonl, and runs found there are not repeated.
docs/tables/deep_followers.md is made of these lines; delete them to measure anew.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

import stackelberg_envs as se
from agents.followers import follower_class

TABLE, RESULTS = Path("docs/tables/deep_followers.md"), Path("docs/tables/deep_followers.jsonl")
EPISODES = 1_000
#: Play is followed until the discount has fallen to this.
FADED = 1e-4
#: Name -> (id, commitment, follower, its options).
GAMES = {
    "bilevel_lqr": (
        "stackelberg/BilevelLqr-v1",
        [[-1.0, -2.0]],
        "sac",
        {"steps": 40_000, "updates": 2, "quadratic": True},
    ),
    "building_thermal": (
        "stackelberg/BuildingThermal-v1",
        [0.5] * 8,
        "sac",
        {"steps": 40_000, "updates": 4, "quadratic": True, "action_scale": 5.0, "target_rate": 0.05},
    ),
    "tax_design": (
        "stackelberg/TaxDesign-v0",
        [0.3] * 4,
        "soft_dqn",
        {
            "steps": 600_000,
            "copies": 256,
            "episode_steps": 20,
            "updates": 6,
            "batch_size": 512,
            "learning_rate": 0.01,
            "last_rate": 0.01,
            "target_every": 40,
            "target_rows": 1_024,
            "replay_size": 600_000,
            "huber": 2.0,
            "afterstates": True,
        },
    ),
}


def measure(game, x, policy, best, episodes, seed):
    """Return value and loss of a policy, each with its standard error, from one set of episodes."""
    rng = np.random.default_rng(seed)
    K = game.num_contexts
    contexts = rng.choice(K, size=episodes, p=game.context_probabilities).astype(np.int32)
    states, value, loss = game.initial_states(rng, contexts), np.zeros(episodes), np.zeros(episodes)
    for t in range(math.ceil(math.log(FADED) / math.log(game.follower_discount))):
        a = game.leader_actions(rng, x, states, contexts)
        b = policy.sample(rng, states, a, contexts)
        own, other = (each.log_prob(states, a, contexts, b) for each in (policy, best))
        made = game.step(rng, x, states, contexts, a, b)
        weight = game.follower_discount**t
        value += weight * (made.follower_reward - game.temperature * own)
        loss += weight * game.temperature * (own - other)
        states = made.next_state
    return [(each.mean(), each.std(ddof=1) / math.sqrt(episodes)) for each in (value, loss)]


def run(name, seed):
    """Return what a follower that learned with a seed loses."""
    spec, x, kind_name, options = GAMES[name]
    game, kind, x = se.make_game(spec), follower_class(kind_name), np.array(x)
    exact = game.solve(x)
    follower = kind(kind.Config(**options), np.random.default_rng(seed))
    begun = time.process_time()
    steps = follower.learn(game.under(x))
    seconds = time.process_time() - begun
    (value, value_error), (loss, loss_error) = measure(game, x, follower.policy, exact.policy, EPISODES, seed + 1)
    return {
        "game": name,
        "seed": seed,
        "steps": steps,
        "seconds": round(seconds),
        "exact": round(float(exact.follower_value), 3),
        "value": [round(float(v), 3) for v in (value, value_error)],
        "loss": [round(float(v), 4) for v in (loss, loss_error)],
    }


def results():
    """Return the runs there are, by (game, seed)."""
    lines = RESULTS.read_text(encoding="utf-8").splitlines() if RESULTS.exists() else []
    return {(line["game"], line["seed"]): line for line in map(json.loads, lines)}


def write_table(found):
    """Write one row per game."""
    lines = [
        "| game | follower | steps | seeds | exact value | loss, median | least to greatest | of the value, median "
        "| of the value, greatest | standard error of a loss, up to | CPU seconds |",
        "| --- " * 11 + "|",
    ]
    for name, (_, _, kind, _) in GAMES.items():
        runs = [line for (game, _), line in sorted(found.items()) if game == name]
        if not runs:
            continue
        losses, exact = np.array([line["loss"] for line in runs]), runs[0]["exact"]
        middle, least, greatest = np.median(losses[:, 0]), losses[:, 0].min(), losses[:, 0].max()
        shares = [f"{100 * loss / abs(exact):.2f} %" for loss in (middle, greatest)]
        lines.append(
            f"| `{name}` | `{kind}` | {runs[0]['steps']:,} | {len(runs)} | {exact:.3f} | {middle:.4f} "
            f"| {least:.4f} to {greatest:.4f} | {shares[0]} | {shares[1]} | {losses[:, 1].max():.4f} "
            f"| {np.median([line['seconds'] for line in runs]):.0f} |"
        )
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--games", nargs="+", default=list(GAMES), choices=list(GAMES))
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    wanted = [(name, seed) for name in options.games for seed in range(options.seeds)]
    missing = [each for each in wanted if each not in results()]
    with ProcessPoolExecutor(options.processes) as pool:
        for line in pool.map(run, *zip(*missing, strict=True)) if missing else ():
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(line, flush=True)
    write_table(results())


if __name__ == "__main__":
    main()
