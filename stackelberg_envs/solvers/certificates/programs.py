"""Mixed-integer linear programs: variables with bounds, linear rows, products relaxed by McCormick's inequalities.

A linear expression is a dictionary from numbers of variables to coefficients; under :data:`ONE` is its constant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from stackelberg_envs.arrays import Array

__all__ = ["ONE", "Expression", "Program", "Solved", "combined"]

Expression = Mapping[int, float]
#: Where an expression keeps its constant.
ONE = -1


class Solved(NamedTuple):
    """What the solver found.

    Attributes
    ----------
    upper
        No point is worth more, to the solver's tolerances; -inf where there is none.
    point
        The best one found, shape (variables,), or None.
    """

    upper: float
    point: Array | None


def combined(*parts: tuple[float, Expression]) -> dict[int, float]:
    """Return the sum of multiples of expressions."""
    out: dict[int, float] = {}
    for weight, part in parts:
        if weight != 0.0:
            for variable, coefficient in part.items():
                out[variable] = out.get(variable, 0.0) + weight * coefficient
    return out


class Program:
    """Variables, rows, and which products of them are relaxed.

    Attributes
    ----------
    products
        Of each relaxed product the two factors, a variable and an expression, and the variable in its place.
    """

    def __init__(self) -> None:
        self.low: list[float] = []
        self.high: list[float] = []
        self.integer: list[bool] = []
        self.rows: list[tuple[Expression, float]] = []
        self.products: list[tuple[int, Expression, int]] = []

    def variable(self, low: float, high: float, *, integer: bool = False) -> int:
        """Add a variable, and return its number."""
        self.low.append(low)
        self.high.append(high)
        self.integer.append(integer)
        return len(self.low) - 1

    def at_most_zero(self, *parts: tuple[float, Expression]) -> None:
        """Require that a sum of multiples of expressions is at most zero."""
        row = combined(*parts)
        self.rows.append((row, -row.pop(ONE, 0.0)))

    def range_of(self, expression: Expression) -> tuple[float, float]:
        """Return bounds on an expression, from those of its variables."""
        low = high = expression.get(ONE, 0.0)
        for variable, coefficient in expression.items():
            if variable != ONE:
                ends = coefficient * self.low[variable], coefficient * self.high[variable]
                low, high = low + min(ends), high + max(ends)
        return low, high

    def product(self, one: int, other: Expression) -> Expression:
        """Return an expression in the place of the product of a variable and an expression."""
        (least, most), (low, high) = (self.low[one], self.high[one]), self.range_of(other)
        corners = (least * low, least * high, most * low, most * high)
        made = self.variable(min(corners), max(corners))
        for sign, first, second in ((-1.0, least, low), (-1.0, most, high), (1.0, most, low), (1.0, least, high)):
            # The product of the two distances from the bounds has a sign.
            parts = ((1.0, {made: 1.0}), (-first, other), (-second, {one: 1.0}), (first * second, {ONE: 1.0}))
            self.at_most_zero(*((sign * weight, part) for weight, part in parts))
        self.products.append((one, other, made))
        return {made: 1.0}

    def maximise(self, goal: Expression, gap: float, seconds: float) -> Solved:
        """Return an upper bound on the goal, and a point.

        Parameters
        ----------
        goal
            What is maximised.
        gap
            Which share of the size of its value the bound may be above it.
        seconds
            After these the bound is what it is then.
        """
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import csr_array

        costs = np.zeros(len(self.low))
        for variable, coefficient in goal.items():
            if variable != ONE:
                costs[variable] = -coefficient
        where = [(k, variable) for k, (row, _) in enumerate(self.rows) for variable in row]
        values = [coefficient for row, _ in self.rows for coefficient in row.values()]
        matrix = csr_array((values, np.array(where).T), shape=(len(self.rows), len(costs)))
        limits = np.array([limit for _, limit in self.rows])
        found = milp(
            costs,
            integrality=np.array(self.integer, dtype=int),
            bounds=Bounds(np.array(self.low), np.array(self.high)),
            constraints=LinearConstraint(matrix, ub=limits),
            options={"mip_rel_gap": gap, "time_limit": max(seconds, 0.0)},
        )
        constant = goal.get(ONE, 0.0)
        if found.status == INFEASIBLE:
            return Solved(-np.inf, None)
        bound = found.get("mip_dual_bound")
        upper = self.range_of(goal)[1] if bound is None or not np.isfinite(bound) else constant - float(bound)
        return Solved(upper, None if found.x is None else np.asarray(found.x))

    def violation(self, point: Array) -> Array:
        """Return by how much products at a point are not what stands in their place, by their first factor."""
        out = np.zeros(len(point))
        for one, other, made in self.products:
            value = sum(c * (1.0 if variable == ONE else point[variable]) for variable, c in other.items())
            out[one] += abs(point[one] * value - point[made])
        return out


#: What scipy calls a program without any point.
INFEASIBLE = 2
