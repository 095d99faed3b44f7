"""Gradients from few steps on games of vectors: the critics of `bchg` against the exact gradient.

Gradients are in units of the boxes. Commitments are the default start, places near the best known one, edges of the box
and random ones. At each of them every estimate is from one batch of play by a leader that has learned from play under
fifty random commitments before, as in a run. Writes docs/tables/vector_gradients.md.

    python benchmarks/vector_gradients.py [--seeds 10] [--tasks building tax lqr]
"""

from __future__ import annotations

import argparse
from contextlib import suppress
from copy import deepcopy
from pathlib import Path

import numpy as np

import agents
import stackelberg_envs as se
from agents.leaders.base import LEADERS
from agents.runs.briefing import make_brief
from stackelberg_envs.errors import StackelbergError

TABLE = Path("docs/tables/vector_gradients.md")
IDS = {
    "building": "stackelberg/BuildingThermal-v1",
    "tax": "stackelberg/TaxDesign-v0",
    "lqr": "stackelberg/BilevelLqr-v1",
}
POINTS = {
    "building": [[0.0] * 8, [0.5] * 8, [1, 0, 1, 1, 0, 0.778, 1, 1], [0.9, 0.1, 0.9, 0.9, 0.1, 0.7, 0.9, 0.9]],
    "tax": [
        [0.0] * 4,
        [0.3] * 4,
        [0.55, 0, 0, 0],
        [0.63, 0.1, 0.1, 0.1],
        [0.75, 0, 0, 0.5],
        [0.05, 2, 2, 2],
        [1.0] * 4,
    ],
    "lqr": [[0.0, 0.0], [-9.96, -10.0], [-9.5, -10.1], [-8.0, -9.0]],
}
RANDOM, DRAWN = 4, 7
BEFORE = {"critic": "lstd", "features": "quadratic"}
CRITICS = {"before": BEFORE, "before, local": {**BEFORE, "features": "local"}, "now": {}}
SIZES = (400, 800, 1_000, 2_000)
EARLIER = 50


def drawn(game, rng, count):
    """Return solutions at random commitments, of those where there is one: from the others a run would step back."""
    out = []
    while len(out) < count:
        with suppress(StackelbergError):
            out.append(se.solve(game, rng.uniform(game.commitment.low, game.commitment.high)))
    return out


def earlier_play(game, rng):
    """Return short play under other commitments, as a run has seen it before."""
    steps = 2 * game.horizon
    return [agents.collect(game, one.x, one.policy, steps=steps, rng=rng) for one in drawn(game, rng, EARLIER)]


def estimates(game, taught, solution, size, seeds):
    """Return estimates in units of the box, shape (seeds, D)."""
    width, found = (game.commitment.high - game.commitment.low).ravel(), []
    for seed in range(seeds):
        seen = agents.collect(game, solution.x, solution.policy, steps=size, rng=[1_000 + seed, size])
        found.append(deepcopy(taught).gradient(seen)[0].ravel() * width)
    return np.array(found)


def taught_leader(game, options, earlier):
    """Return a leader that has learned from earlier play."""
    kind = LEADERS.serving("bchg", game)
    config = LEADERS.configure("bchg", kind, options)
    brief = make_brief(game, kind.required_information(game.commitment, config), leader="bchg")
    leader = kind(brief, config, np.random.default_rng(0))
    for play in earlier:
        leader.gradient(play)
    return leader


def rows(task, seeds):
    """Yield the lines of one task."""
    game = se.make_game(IDS[task])
    width = (game.commitment.high - game.commitment.low).ravel()
    solutions = [se.solve(game, np.reshape(x, game.commitment.shape)) for x in POINTS[task]]
    solutions += drawn(game, np.random.default_rng(DRAWN), RANDOM)
    earlier = earlier_play(game, np.random.default_rng(5))
    for name, options in CRITICS.items():
        taught = taught_leader(game, options, earlier)
        for size in SIZES:
            cosines, errors, wrong = [], [], []
            for solution in solutions:
                truth = solution.gradient.ravel() * width
                found = estimates(game, taught, solution, size, seeds)
                norms, scale = np.linalg.norm(found, axis=1), np.linalg.norm(truth)
                cosines += list(np.divide(found @ truth, norms * scale, out=np.zeros(seeds), where=norms > 0))
                errors += list(np.linalg.norm(found - truth, axis=1) / scale)
                steepest = np.abs(truth).argmax()
                wrong += list(found[:, steepest] * truth[steepest] <= 0)
            low, middle = np.quantile(cosines, [0.1, 0.5])
            yield (
                f"| {task} | {name} | {size:,} | {middle:.2f} | {low:.2f} | {np.mean(wrong):.0%} "
                f"| {np.median(errors):.2f} | {np.quantile(errors, 0.9):.3g} |"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--tasks", nargs="*", default=list(IDS))
    arguments = parser.parse_args()
    head = [
        "| task | critic | steps | median cosine | tenth percentile | wrong sign | median error | ninth decile |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    made = list(head)
    for task in arguments.tasks:
        for row in rows(task, arguments.seeds):
            print(row, flush=True)
            made.append(row)
    TABLE.write_text("\n".join(made) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
