"""Best known values of the linear-quadratic games: exact gradients from many random starts.

    python benchmarks/best_known_linear.py [--starts 200]

Each start is uniform in the box of commitments and climbs by L-BFGS-B on exact values and hypergradients. Where the
follower has no response the value counts as -1000, with gradient zero. Writes docs/tables/best_known_linear.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from stackelberg_envs.envs import bilevel_lqr_v0, building_thermal_v0
from stackelberg_envs.errors import InstabilityError
from stackelberg_envs.games.linear_quadratic import LinearQuadraticGame
from stackelberg_envs.solvers.linear_quadratic.solution import solve_problem

TABLE = Path(__file__).parents[1] / "docs" / "tables" / "best_known_linear.md"
OPTIONS = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 1000}


def climb(game: LinearQuadraticGame, start: np.ndarray) -> tuple[float, np.ndarray]:
    box = game.commitment

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        try:
            solution = solve_problem(game.problem, flat.reshape(box.shape))
            return -solution.leader_value, -solution.gradient.ravel()
        except InstabilityError:
            return 1e3, np.zeros(flat.size)

    bounds = list(zip(box.low.ravel(), box.high.ravel(), strict=True))
    found = minimize(loss, start.ravel(), jac=True, bounds=bounds, method="L-BFGS-B", options=OPTIONS)
    return -float(found.fun), found.x


def row(game: LinearQuadraticGame, starts: int, label: str = "") -> str:
    rng = np.random.default_rng(0)
    ends = [climb(game, rng.uniform(game.commitment.low, game.commitment.high)) for _ in range(starts)]
    values = np.array([value for value, _ in ends])
    best, place = ends[int(values.argmax())]
    near = int((values > best - 1e-3 * abs(best)).sum())
    where = ", ".join(f"{entry:.4f}".rstrip("0").rstrip(".") for entry in place)
    others = np.sort(values[values <= best - 1e-3 * abs(best)])
    rest = f"{others[0]:.3g} to {others[-1]:.3g}" if len(others) else "none"
    return f"| {game.name}{label} | {best:.6f} | ({where}) | {near} of {starts} | {rest} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=200)
    starts = parser.parse_args().starts
    lines = [
        "| game | best value found | at | starts that end within 0.1 % of it | the others end at |",
        "| --- | --- | --- | --- | --- |",
        row(bilevel_lqr_v0.make_game(), starts),
        row(bilevel_lqr_v0.make_game(leader_discount=1 - 1e-12), starts, ", undiscounted"),
        row(building_thermal_v0.make_game(), starts),
    ]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
