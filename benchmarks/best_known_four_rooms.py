"""Best known leader values of Four-Rooms with one goal: exact gradients from many starts, three kinds of them.

Random logits; temperature continuation (optimise at a higher temperature, lower it step by step, keep the
logits); and vertices of the commitment set (the whole budget on one cell, the best few refined). Nothing here
proves an optimum: these are the values to beat. Writes docs/tables/best_known_four_rooms.md.

    python benchmarks/best_known_four_rooms.py [--starts 40]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import agents
import stackelberg_envs as se

TEMPERATURES = (0.001, 0.003, 0.005, 0.007, 0.01)
PENALTIES = (1.0, 3.0, 5.0)
LADDER = (0.1, 0.05, 0.03, 0.02, 0.015, 0.012, 0.01, 0.008, 0.007, 0.006, 0.005, 0.004, 0.003, 0.002, 0.001)
#: Logits further than this below the largest one have no gradient left; continuation lifts them back.
DEEPEST = 8.0
REFINED_VERTICES = 6


def ascend(temperature, penalty, theta):
    """Return (value, theta) of L-BFGS on the exact hypergradient from theta."""
    game = se.make_game("stackelberg/FourRooms-v0", temperature=temperature, penalty=penalty)
    record = agents.run(
        game,
        leader="exact",
        updates=500,
        steps_per_update=1,
        evaluate_every=0,
        leader_options={"start": list(theta)},
    )
    return record.leader_value, record.theta


def continuation(temperature, penalty, theta):
    """Return (value, theta) after lowering the temperature to its true value."""
    for step in (*[t for t in LADDER if t > temperature], temperature):
        value, theta = ascend(step, penalty, np.clip(theta - theta.max(), -DEEPEST, 0.0))
    return value, theta


def vertices(temperature, penalty, size):
    """Yield starts with (almost) the whole budget on one cell, the best cells first."""
    game = se.make_game("stackelberg/FourRooms-v0", temperature=temperature, penalty=penalty)
    parametrisation = agents.make_parametrisation(game.commitment)
    for share in (3.0, 6.0):
        starts = [share * np.eye(size)[cell] for cell in range(size - 1)]
        starts.sort(key=lambda theta: -se.solve(game, parametrisation(theta)).leader_value)
        yield from starts[:REFINED_VERTICES]


def search(temperature, penalty, starts):
    """Return the best value by kind of start."""
    rng = np.random.default_rng(0)
    size = 105
    random = [2.0 * rng.standard_normal(size) for _ in range(starts)]
    found = {
        "random": [ascend(temperature, penalty, theta)[0] for theta in random],
        "continuation": [
            continuation(temperature, penalty, theta)[0] for theta in (np.zeros(size), *random[: starts // 2])
        ],
        "vertices": [ascend(temperature, penalty, theta)[0] for theta in vertices(temperature, penalty, size)],
    }
    return {kind: max(values) for kind, values in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=40)
    starts = parser.parse_args().starts
    lines = [
        "| temperature | penalty | random starts | continuation | vertices | best known |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for temperature in TEMPERATURES:
        for penalty in PENALTIES:
            best = search(temperature, penalty, starts)
            cells = " | ".join(f"{best[kind]:.4f}" for kind in ("random", "continuation", "vertices"))
            lines.append(f"| {temperature} | {penalty:g} | {cells} | {max(best.values()):.4f} |")
            print(lines[-1], flush=True)
    Path("docs/tables").mkdir(parents=True, exist_ok=True)
    Path("docs/tables/best_known_four_rooms.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
