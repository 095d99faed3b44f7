"""What the mean time of a trip can be at best, from formulas, and again by minimising it over routes."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.envs.toll_routing.commuters import routes
from stackelberg_envs.faces.references import Reference

__all__ = ["least_mean_time", "reference"]

#: In units of the temperature, a toll that leaves nobody on a road: what is left there is below rounding.
PROHIBITIVE = 20.0
SOURCE = (
    "system optimum, which tolls on all roads bring about at every temperature (marginal cost pricing, Pigou 1920; "
    "Roughgarden and Tardos 2002)"
)


def reference(network: object, power: float, max_toll: float, temperature: float) -> Reference | None:
    """Return the best J of a continuum of travellers with tolls on all roads, where a formula has it; else None.

    Parameters
    ----------
    network
        "pigou" or "braess"; of others there is no formula.
    power
        Pigou's p.
    max_toll, temperature
        The largest toll has to be large enough for the travellers' temperature.
    """
    if network == "pigou":
        share = np.exp(-np.log1p(power) / power)
        needed = 1.0 - share**power - temperature * np.log(share / (1.0 - share))
        value = -float(1.0 - share + share ** (power + 1.0))
    elif network == "braess":
        needed, value = 0.5 + PROHIBITIVE * temperature, -1.5
    else:
        return None
    if not abs(needed) <= max_toll + 0.5 * (network == "braess"):
        return None
    return Reference(value, "closed form", "minus the mean time of a trip", SOURCE)


def least_mean_time(game: Any) -> float:
    """Return minus the least mean time of a trip over all shares of routes, by a program that knows no equilibrium."""
    from scipy.optimize import minimize

    network = game.commitment.network
    ways = routes(network)

    def mean_time(shares: Array) -> float:
        flows = network.total * (shares @ ways)
        return float(flows @ network.latencies(flows)) / float(network.total)

    start = np.full(len(ways), 1.0 / len(ways))
    whole = {"type": "eq", "fun": lambda shares: shares.sum() - 1.0}
    options: Any = {"constraints": whole, "options": {"ftol": 1e-14, "maxiter": 500}}
    found = minimize(mean_time, start, bounds=[(0.0, 1.0)] * len(ways), **options)
    return -float(found.fun)
