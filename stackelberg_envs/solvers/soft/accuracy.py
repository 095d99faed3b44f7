"""How far an exact solution may be off: bounds found by solving once more, in twice the precision.

Answers are compared with those of :class:`stackelberg_envs.solvers.soft.precise.Reference`, whose own errors are
bounded (:mod:`stackelberg_envs.solvers.soft.precise_bounds`). So the bounds are about as large as the errors. They cost
about one more solve, when they are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.commitments.base import DIFFERENCE_STEP, Commitment, finite_difference_vjp
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.solvers.soft.hypergradient import SoftSolution, rounded_solution
from stackelberg_envs.solvers.soft.precise import ROUNDING, Reference, exact_dot
from stackelberg_envs.solvers.soft.precise_bounds import Bounds

if TYPE_CHECKING:
    from stackelberg_envs.solvers.soft.solution import TabularSolution

__all__ = ["Accuracy"]

#: Random signs with which a commitment's derivative is tried out, and the seed they are drawn with.
PROBES, PROBE_SEED = 3, 0
#: Wider steps of finite differences, whose error grows with the square.
WIDER = 2.0
NAMES = ("follower_reward", "leader_reward", "leader_policy", "transition")


@dataclass(frozen=True, eq=False)
class Accuracy:
    """Bounds on the errors of a solution.

    Attributes
    ----------
    solution
        What was solved, and its solution.
    """

    solution: TabularSolution

    @cached_property
    def reference(self) -> Reference:
        """The solution in twice the precision."""
        if self.solution.reference is not None:
            return self.solution.reference
        return Reference(self.solution.primitives, self.solution.best.state_values)

    @cached_property
    def bounds(self) -> Bounds:
        """Bounds on the errors of the reference."""
        return Bounds(self.reference)

    @cached_property
    def follower_value_error(self) -> float:
        """Of the follower's values in all states, and of their mean at the start, reward units."""
        made, best, unit = self.reference, self.solution.best, self.reference.follower_unit
        start = self.solution.primitives.initial
        apart = max(
            _distance(best.state_values, made.values, unit),
            _distance(best.values, made.soft_values, unit),
            abs(float(start @ best.state_values) - unit * exact_dot(start, made.values)),
        )
        return apart + self.bounds.follower_value + ROUNDING * float(np.abs(best.state_values).max())

    @cached_property
    def leader_value_error(self) -> float:
        """Of the leader's value at the start, reward units."""
        made, value = self.reference, self.solution.leader.value
        exact = made.leader_unit * exact_dot(self.solution.primitives.initial, made.leader.values)
        return abs(value - exact) + self.bounds.leader_value + ROUNDING * abs(value)

    @cached_property
    def policy_error(self) -> float:
        """Of any probability of the response."""
        made = self.reference
        return _distance(self.solution.best.policy, made.policy, 1.0) + self.bounds.policy

    def gradient_error(self, gradient: Array) -> float:
        """Return a bound on the error of any entry of dJ/dx, given as it was computed."""
        rounded = rounded_solution(self.solution.primitives, self.reference)
        wanted, shape = self.solution.game.commitment.changes, self.solution.game.array_shape
        direct, through = rounded.direct(wanted, shape), rounded.through_response(wanted, shape)
        exact = self._pull_back(direct) + self._pull_back(through)
        terms = self._terms(rounded, direct, through)
        apart = float(np.abs(gradient - exact).max(initial=0.0))
        # Cotangents are rounded, and so is every step of the sums that a commitment makes of them.
        steps = 8.0 + np.sqrt(max(self._size(terms) / max(gradient.size, 1), 1.0))
        lost = steps * ROUNDING * self._reach(terms)
        unknown = self._reach(self._unknown(rounded, terms))
        return float(apart + lost + unknown) + self._difference_error(direct + through, exact)

    def _pull_back(self, cotangents: Cotangents) -> Array:
        return self.solution.game.commitment.vjp(self.solution.x, cotangents)

    def _terms(self, made: SoftSolution, direct: Cotangents, through: Cotangents) -> Cotangents:
        """Return how large the terms are that each cotangent was added up from."""
        given = {}
        for name in NAMES:
            parts = [getattr(one, name) for one in (direct, through)]
            if any(part is not None for part in parts):
                given[name] = sum(np.abs(part) for part in parts if part is not None)
        if "leader_policy" in given:
            values = np.einsum("sab,sab->sa", made.best.policy, np.abs(made.leader.q))
            mine = np.abs(made.flows.occupancy[:, None] * values) + np.abs(
                made.flows.state_flow[:, None] * made.best.values
            )
            given["leader_policy"] = mine.reshape(given["leader_policy"].shape)
        return Cotangents(**given)

    def _unknown(self, made: SoftSolution, terms: Cotangents) -> Cotangents:
        """Return the errors of the reference's cotangents: no entry is off by more than what all are together."""
        bounds = self.bounds
        visits, flow = bounds.occupancy, bounds.flow
        largest = {name: float(np.abs(getattr(made.leader, name)).max()) for name in ("q", "state_values")}
        follower = float(np.abs(made.best.values).max())
        d, m = (float(np.abs(part).max()) for part in (made.flows.occupancy, made.flows.state_flow))
        u = float(np.abs(made.flows.reward_flow).max())
        sizes = {
            "follower_reward": flow,
            "leader_reward": visits + bounds.policy * d,
            "leader_policy": visits * largest["q"] + d * (bounds.leader_state_values + bounds.policy * largest["q"])
            + flow * follower + m * bounds.follower_value,
            "transition": visits * largest["state_values"] + d * bounds.leader_state_values
            + flow * follower + u * bounds.follower_value,
        }  # fmt: skip
        return Cotangents(
            **{name: np.full_like(one, sizes[name]) for name, one in vars(terms).items() if one is not None}
        )

    @staticmethod
    def _size(terms: Cotangents) -> int:
        return sum(one.size for one in vars(terms).values() if one is not None)

    def _reach(self, terms: Cotangents) -> float:
        """Return what the commitment's derivative makes of terms of this size, at most, with whatever signs.

        The derivative is linear; it is tried out with all signs alike and with some at random.
        """
        rng, reach = np.random.default_rng(PROBE_SEED), 0.0
        for probe in range(1 + PROBES):
            signed = {
                name: one if probe == 0 else np.where(rng.random(one.shape) < 0.5, one, -one)
                for name, one in vars(terms).items()
                if one is not None
            }
            reach = max(reach, float(np.abs(self._pull_back(Cotangents(**signed))).max(initial=0.0)))
        return reach

    def _difference_error(self, cotangents: Cotangents, gradient: Array) -> float:
        """Return what finite differences miss, estimated from wider ones, where a commitment makes them."""
        if not _differences(self.solution.game.commitment):
            return 0.0
        commitment, x = self.solution.game.commitment, self.solution.x
        wider = finite_difference_vjp(commitment, x, cotangents, WIDER * DIFFERENCE_STEP)
        return float(np.abs(wider - gradient).max(initial=0.0))


def _differences(commitment: Commitment) -> bool:
    """Return whether the commitment, or a part of it, has no derivative of its own."""
    if type(commitment).vjp is Commitment.vjp:
        return True
    return any(_differences(part) for part in getattr(commitment, "parts", ()))


def _distance(rounded: Array, pair: Array, unit: float) -> float:
    return float(np.abs((rounded - unit * pair[0]) - unit * pair[1]).max())
