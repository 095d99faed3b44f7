"""The response of the households: the soft best response at any assets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.envs.tax_design.asset_grid import pieces
from stackelberg_envs.envs.tax_design.economy import every_action
from stackelberg_envs.envs.tax_design.group_policy import GroupPolicy, draw_groups, group_log_probabilities

if TYPE_CHECKING:
    from stackelberg_envs.envs.tax_design.solution import TypeSolution

__all__ = ["TaxPolicy"]

Actions = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TaxPolicy:
    """The soft best response of all types of household, at any assets.

    The Gibbs policy of ``Q(m, b) = reward + discount W(m + displacement of b)``, with W interpolated between its knots
    (quintic Hermite); neither the policy nor the state is rounded to the grid.

    Parameters
    ----------
    types
        The solution for each type.
    typed_states
        Whether the type of a household is the second entry of its state; else it is the context.
    """

    types: tuple[TypeSolution, ...]
    typed_states: bool = False

    @cached_property
    def _ends(self) -> list[Array]:
        """For each type, running sums of the probabilities within groups; group g covers (g, g + 1]."""
        return [np.cumsum(one.within) for one in self.types]

    @cached_property
    def _pieces(self) -> list[Array]:
        responses = [(one.saving.problem.grid, one.saving.response.coefficients) for one in self.types]
        return [pieces(grid, coefficients) for grid, coefficients in responses]

    def _types(self, states: Array, contexts: IntArray) -> NDArray[np.integer]:
        return states[:, 1].astype(np.intp) if self.typed_states else np.asarray(contexts)

    def sample(self, rng: np.random.Generator, states: Array, leader_actions: Array, contexts: IntArray) -> Actions:
        """Draw actions, shape (n, 4): first the group, then the action within it."""
        del leader_actions
        kinds, u = self._types(states, contexts), rng.random((len(states), 2))
        out = np.empty((len(states), 4), np.int64)
        for k, one in enumerate(self.types):
            rows = np.flatnonzero(kinds == k)
            if rows.size:
                drawn = self._groups(k, states[rows, 0], u[rows, 0])
                out[rows] = self._within(one, self._ends[k], drawn, u[rows, 1])
        return out

    def _groups(self, kind: int, assets: Array, u: Array) -> NDArray[np.int64]:
        out = np.empty(len(assets), np.int64)
        draw_groups(u, assets, self._group_policy(kind), out)
        return out

    def _group_policy(self, kind: int) -> GroupPolicy:
        """Return the policy of one type over groups."""
        problem = self.types[kind].saving.problem
        arrays = problem.displacement, problem.follower_group, self._pieces[kind]
        grid, discount = problem.grid, problem.follower_discount
        return GroupPolicy(*arrays, grid.low, grid.high, discount, problem.temperature)

    @staticmethod
    def _within(one: TypeSolution, ends: Array, group: NDArray[np.integer], u: Array) -> Actions:
        actions = every_action(one.rules)
        place = np.searchsorted(ends, group + u)
        last = np.append(actions.first[1:], len(ends)) - 1
        # Rounding in the running sums must not lead into a neighbouring group.
        return np.asarray(actions.order[np.clip(place, actions.first[group], last[group])])

    def log_prob(self, states: Array, leader_actions: Array, contexts: IntArray, actions: Actions) -> Array:
        """Return the log-probability of actions of shape (n, 4), shape (n,)."""
        del leader_actions
        kinds, out = self._types(states, contexts), np.empty(len(states))
        for k, one in enumerate(self.types):
            rows = np.flatnonzero(kinds == k)
            every = every_action(one.rules)
            number, of_group = every.number(actions[rows]), np.empty(len(rows))
            group_log_probabilities(every.group[number], states[rows, 0], self._group_policy(k), of_group)
            out[rows] = of_group + one.log_within[number]
        return out
