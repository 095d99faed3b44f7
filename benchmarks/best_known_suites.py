"""Start and best known value of each task of the suites: exact evaluation, exact gradients from many random starts.

    python benchmarks/best_known_suites.py SUITE [--tasks NAME ...] [--starts 60]

Each start is drawn in the game's own parametrisation, half of them near its middle, and climbs by L-BFGS on exact
values and hypergradients; as many points and vertices of a box climb in the box itself. In Four-Rooms the known
commitments of other cells are starts as well. What a game says itself (its fact "best_known") is printed beside it.
Nothing proves that the values are optimal.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

import stackelberg_envs as se
from agents.benchmark.suite_files import load_suite
from agents.learning.parametrisations import make_parametrisation
from stackelberg_envs.errors import ConvergenceError, InstabilityError
from stackelberg_envs.play.session import neutral_commitment

OPTIONS = {"maxiter": 500, "ftol": 1e-13, "gtol": 1e-9}
KNOWN = Path(__file__).parent / "best_known_four_rooms.json"
#: Of logits, for starts far from the middle and near it.
SPREADS = (3.0, 0.3)
#: Share of an unused cell, from which logits can find their way back.
LEAST = 1e-5


def climb(game, theta):
    """Return (J, theta) of where an ascent ends."""
    parametrisation = make_parametrisation(game.commitment)

    def loss(point):
        try:
            solution = se.solve(game, parametrisation(point))
        except (ConvergenceError, InstabilityError):
            return 1e3, np.zeros_like(point)
        return -solution.leader_value, -parametrisation.vjp(point, solution.gradient).ravel()

    found = minimize(loss, theta, jac=True, method="L-BFGS-B", options=OPTIONS)
    return -float(found.fun), found.x


def climb_box(game, x):
    """Return (J, x) of where an ascent in a box of commitments ends: at its faces logits would not move."""
    box = game.commitment

    def loss(point):
        try:
            solution = se.solve(game, point.reshape(box.shape))
        except (ConvergenceError, InstabilityError):
            return 1e3, np.zeros_like(point)
        return -solution.leader_value, -solution.gradient.ravel()

    bounds = list(zip(box.low.ravel(), box.high.ravel(), strict=True))
    found = minimize(loss, x.ravel(), jac=True, bounds=bounds, method="L-BFGS-B", options=OPTIONS)
    return -float(found.fun), found.x


def box_ends(game, starts, rng):
    """Return where ascents from points and vertices of a box end; nothing for commitments that are no box."""
    box = game.commitment
    if make_parametrisation(box).name != "sigmoid":
        return []
    points = [rng.uniform(box.low, box.high) for _ in range(starts)]
    vertices = [np.where(rng.random(box.shape) < 0.5, box.low, box.high) for _ in range(starts)]
    return [climb_box(game, x)[0] for x in (*points, *vertices)]


def known_logits(game):
    """Return logits near the commitments that are known for Four-Rooms in other cells; none for other games."""
    if game.name != "Four-Rooms":
        return []
    cells, low = [f"{row},{column}" for row, column in game.facts["cells"]], game.commitment.low.min()
    found = []
    for entry in json.loads(KNOWN.read_text(encoding="utf-8")).values():
        shares = np.array([entry["x"].get(cell, 0.0) for cell in cells]) / low
        found.append(np.log(np.maximum([*shares, 1.0 - shares.sum()], LEAST)))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite")
    parser.add_argument("--tasks", nargs="*")
    parser.add_argument("--starts", type=int, default=60)
    options = parser.parse_args()
    for task in load_suite(options.suite, ["published.four_rooms"]).tasks:
        if options.tasks and task.name not in options.tasks:
            continue
        game = se.make_game(task.game, **task.arguments)
        rng, size = np.random.default_rng(0), make_parametrisation(game.commitment).size
        neutral = se.solve(game, neutral_commitment(game)).leader_value
        starts = [SPREADS[index % 2] * rng.standard_normal(size) for index in range(options.starts)]
        ends = [climb(game, theta)[0] for theta in (*starts, *known_logits(game))]
        ends = sorted([*ends, *box_ends(game, options.starts, rng)])
        near = sum(value > ends[-1] - 1e-3 * abs(ends[-1]) for value in ends)
        print(
            f"{task.name}: start {neutral:.6g}, best {ends[-1]:.6f} ({near} of {len(ends)} starts end within 0.1 %), "
            f"median {np.median(ends):.4f}, known {game.facts.get('best_known')}",
            flush=True,
        )


if __name__ == "__main__":
    main()
