"""Time of one leader update on the building: 10,000 observed steps, from trajectories to the next commitment.

    python benchmarks/speed_building_update.py

Wall and processor time on one thread, the best of 20 updates.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import time

import numpy as np

import stackelberg_envs as se
from agents.leaders import leader_class
from agents.runs.briefing import make_brief
from agents.runs.collection import collect

STEPS, REPEATS = 10_000, 20


def main():
    game = se.make_game("stackelberg/BuildingThermal-v1")
    middle = np.full(8, 0.5)
    seen = collect(game, middle, game.solve(middle), steps=STEPS, rng=0)
    print("| leader | wall, ms | processor, ms |\n| --- | --- | --- |")
    for name in ("bchg", "naive", "hpgd"):
        kind = leader_class(name, "vector")
        brief = make_brief(game, kind.required_information(game.commitment, kind.Config()))
        wall, processor = [], []
        for _ in range(REPEATS):
            leader = kind(brief, kind.Config(start=list(middle)), np.random.default_rng(0))
            started = time.perf_counter(), time.process_time()
            leader.update(seen)
            wall.append(time.perf_counter() - started[0])
            processor.append(time.process_time() - started[1])
        print(f"| `{name}` | {1e3 * min(wall):.0f} | {1e3 * min(processor):.0f} |")


if __name__ == "__main__":
    main()
