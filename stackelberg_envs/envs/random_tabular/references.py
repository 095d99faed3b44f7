"""The best weights of random games of 10 to 100,000 states: certified where they are few, else the best known."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ConvergenceError
from stackelberg_envs.faces.best_known import best_known
from stackelberg_envs.faces.references import Reference

__all__ = ["ASCENDED", "CERTAIN", "CERTIFIED", "GAP", "SIZES", "ascended", "best_value", "reference"]

#: Numbers of states of which a best value is kept, with two features and defaults besides.
SIZES = (10, 100, 1_000, 10_000, 100_000)
#: Up to so many states the value is certified: no weights are worth more than it by this share of its size.
CERTIFIED, GAP = 100, 0.01
#: From so many states on the yardstick would take hours, and what is kept is the best end of a few ascents.
ASCENDED = 10_000
CERTAIN = "certified by branch and bound"
#: Where it is not, ascents from even weights and from random ones, fewer in larger games.
MOST_ASCENTS, STATES = 9, 20_000


def reference(id: str, setting: dict[str, Any]) -> Reference | None:  # noqa: A002
    """Return the best value that is kept of a setting with weights of features; None of another."""
    known = best_known(id, setting) if setting["commitment"] == "features" else None
    if known is None:
        return None
    sure = known.status == CERTAIN
    meaning = f"J at its temperature, within {GAP:.0%} of the best" if sure else "J at its temperature"
    return Reference(known.value, known.status, meaning, known.found_by)


def best_value(game: Any) -> float:
    """Return the best value again: by branch and bound where it is certified, else by ascents of another method.

    Raises
    ------
    ConvergenceError
        Branch and bound ended with a larger gap than was certified.
    """
    from stackelberg_envs.solvers.certificates.certifying import certify

    if game.facts["reference"]["status"] == CERTAIN:
        found = certify(game, gap=GAP)
        if found.stopped_because != "gap reached":
            raise ConvergenceError(
                f"random tabular: expected no weights worth more than {found.value:.6g} by {GAP:.0%}, proved no more "
                f"than {found.upper_bound:.6g}"
            )
        return float(found.value)
    return ascended(game)[0]


def ascended(game: Any) -> tuple[float, Array]:
    """Return the best value at which L-BFGS ends within the bounds, from the middle and random weights; and weights."""
    from scipy.optimize import minimize

    from stackelberg_envs.solvers.solving import solve

    low, high = game.commitment.low, game.commitment.high
    rng, bounds = np.random.default_rng(0), np.stack([low, high], axis=1)
    count = min(MOST_ASCENTS - 1, STATES // game.shape[0])
    starts = [0.5 * (low + high), *(rng.uniform(low, high) for _ in range(count))]
    # Of large games the values of all weights are close to each other; what is climbed is measured by how they differ.
    values = [float(solve(game, start).leader_value) for start in (low, high, *starts)]
    middle, unit = float(np.mean(values)), float(np.std(values)) or 1.0

    def loss(x: Any) -> Any:
        solution = solve(game, np.clip(x, low, high))
        return (middle - solution.leader_value) / unit, -np.asarray(solution.gradient) / unit

    how: Any = {"jac": True, "bounds": bounds, "method": "L-BFGS-B"}
    how["options"] = {"ftol": 1e-14, "gtol": 1e-9, "maxiter": 200}
    ends = [minimize(loss, start, **how) for start in starts]
    best = min(ends, key=lambda end: float(end.fun))
    return middle - unit * float(best.fun), np.asarray(best.x)
