"""Leaders with their defaults on the guided games, against the follower that plans on a grid.

    python benchmarks/guided_defaults.py [certainty_equivalent] [--games cartpole pendulum] [--seeds 10] [--first 0]
        [--steps 1000000]

One line per finished run is appended to docs/tables/guided.jsonl, and runs found there are not repeated;
docs/tables/guided.md is made of them. The share is the way from the value of the leader's first commitment to that of
the best known one. Values are means over 4,000 episodes with the same random numbers for all commitments.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

import agents
import stackelberg_envs as se
from agents.runs.evaluation import EVALUATION_SEED
from stackelberg_envs.play.rollout import rollout
from stackelberg_envs.solvers.grids.response import respond

RESULTS, TABLE = Path("docs/tables/guided.jsonl"), Path("docs/tables/guided.md")
#: By which commitments are judged at last: with 200 the pendulum's values are known to .26 only.
EPISODES = 4_000
GAMES = {"cartpole": "stackelberg/GuidedCartPole-v0", "pendulum": "stackelberg/GuidedPendulum-v0"}


def value(game, x):
    """Return J by play and its standard error."""
    seen = rollout(game.under(x), respond(game, x), np.random.default_rng(EVALUATION_SEED), episodes=EPISODES)
    returns = seen.returns(game.leader_discount)
    return float(returns.mean()), float(returns.std(ddof=1) / np.sqrt(len(returns)))


def measure(game, leader, seed, steps):
    """Return one run, without options."""
    begun = time.process_time()
    record = agents.run(GAMES[game], leader=leader, steps=steps, seed=seed, evaluate_every=0)
    if record.status != "finished":
        raise SystemExit(f"{game} {leader} {seed}: {record.status}")
    seconds = time.process_time() - begun
    final, error = value(se.make_game(GAMES[game]), np.asarray(record.commitment))
    return {
        "run": [game, leader, steps, seed],
        "final": round(final, 3),
        "error": round(error, 3),
        "commitment": np.round(record.commitment, 4).tolist(),
        "observed_steps": record.observed_steps,
        "seconds": round(seconds, 1),
    }


def results():
    """Return the runs there are."""
    if not RESULTS.exists():
        return []
    return [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]


def write_table(lines):
    """Write what each leader reached on each game."""
    rows = [
        "| game | leader | start | best known | steps | seeds | median | worst | share: median, worst | at 95 % | s |"
    ]
    rows.append("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in GAMES:
        game = se.make_game(GAMES[name])
        start, best = (value(game, x)[0] for x in (np.zeros(game.commitment.shape), game.facts["best_commitment"]))
        for leader, steps in sorted({tuple(line["run"][1:3]) for line in lines if line["run"][0] == name}):
            mine = [line for line in lines if line["run"][:3] == [name, leader, steps]]
            finals = np.array([line["final"] for line in mine])
            shares = (finals - start) / (best - start)
            rows.append(
                f"| {name} | `{leader}` | {start:.2f} | {best:.2f} | {steps:,} | {len(mine)} | "
                f"{np.median(finals):.2f} | {finals.min():.2f} | {np.median(shares):.3f}, {shares.min():.3f} | "
                f"{(shares >= 0.95).sum()} of {len(mine)} | {np.median([line['seconds'] for line in mine]):.0f} |"
            )
    TABLE.write_text("\n".join(rows) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("leaders", nargs="*", default=["certainty_equivalent"])
    parser.add_argument("--games", nargs="+", default=list(GAMES), choices=list(GAMES))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--steps", type=int, default=1_000_000)
    arguments = parser.parse_args()
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        for game in arguments.games:
            for leader in arguments.leaders:
                if any(line["run"] == [game, leader, arguments.steps, seed] for line in results()):
                    continue
                line = measure(game, leader, seed, arguments.steps)
                with RESULTS.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
                print(line, flush=True)
    write_table(results())


if __name__ == "__main__":
    main()
