"""The gradient leaders on BC-HG's Four-Rooms figures: one goal, penalty 5, 10,000 updates, ten seeds.

    python benchmarks/published_figures.py [--steps 100] [--seeds 10] [--processes 2]

Slip as published: play at 0.33, the follower's plans and the report at 0.44. All leaders start at zero logits and keep
their default options but for the learning rate, 0.1 for all. Writes docs/tables/published_figures_<steps>.md: mean
and quartiles of the report, and every seed.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

import agents
import stackelberg_envs as se

TEMPERATURES = (0.001, 0.003, 0.005)
LEADERS = ("bchg", "hpgd", "zero_order", "naive")
#: Final values of BC-HG's figures at 100 and 1,000 steps per update.
PUBLISHED = {
    ("bchg", 100): (0.668, 0.548, 1.333),
    ("bchg", 1_000): (0.195, 0.265, 1.054),
    ("hpgd", 100): (-0.01, 0.108, 1.196),
    ("hpgd", 1_000): (0.198, 0.265, 1.213),
    ("naive", 100): (0.001, 0.001, 0.018),
    ("naive", 1_000): (0.001, 0.001, 0.018),
}
UPDATES = 10_000


def report(job):
    """Return the reported value of one run's final commitment."""
    leader, temperature, steps, seed = job
    game = se.make_game("stackelberg/FourRooms-v0", temperature=temperature, slip=0.33, follower_slip=0.44)
    record = agents.run(
        game,
        leader=leader,
        updates=UPDATES,
        steps_per_update=steps,
        seed=seed,
        evaluate_every=0,
        leader_options={"learning_rate": 0.1},
    )
    return se.solve(game.as_believed(), record.commitment).leader_value


def row(pool, leader, index, steps, seeds):
    temperature = TEMPERATURES[index]
    values = list(pool.map(report, [(leader, temperature, steps, seed) for seed in range(seeds)]))
    low, high = np.quantile(values, [0.25, 0.75])
    published = PUBLISHED.get((leader, steps))
    each = " ".join(f"{value:.2f}" for value in sorted(values))
    shown = "" if published is None else published[index]
    return f"| {temperature} | `{leader}` | {shown} | {np.mean(values):.3f} ({low:.3f} to {high:.3f}) | {each} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("steps", 100), ("seeds", 10), ("processes", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    arguments = parser.parse_args()
    lines = [
        "| temperature | leader | published | report: mean (quartiles) | each seed |",
        "| --- | --- | --- | --- | --- |",
    ]
    path = Path(f"docs/tables/published_figures_{arguments.steps}.md")
    with ProcessPoolExecutor(arguments.processes) as pool:
        for index in range(len(TEMPERATURES)):
            for leader in LEADERS:
                lines.append(row(pool, leader, index, arguments.steps, arguments.seeds))
                print(lines[-1], flush=True)
                path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
