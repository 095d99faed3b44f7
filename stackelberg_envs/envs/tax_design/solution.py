"""The exact answers of tax design: the solution on the grid of assets, and the policy of the households in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.envs.tax_design.asset_grid import SavingPlan, group_values, pieces
from stackelberg_envs.envs.tax_design.economy import every_action
from stackelberg_envs.envs.tax_design.group_policy import GroupPolicy, draw_groups, group_log_probabilities
from stackelberg_envs.envs.tax_design.plan import TaxPlan, TypePlan
from stackelberg_envs.solvers.episode import EpisodeValues
from stackelberg_envs.solvers.planned import PlannedSolution

__all__ = ["TaxPolicy", "TaxSolution"]

#: What a finer grid changes, times this, bounds what the grid adds: errors fall at least by half from one to the next.
GRID_ALLOWANCE = 2.0
#: Of what the solution's linear systems and sums lose, relative.
ROUNDING = 1e-11

Actions = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TaxPolicy:
    """The soft best response of all types of household, at any assets.

    The Gibbs policy of ``Q(m, b) = reward + discount W(m + displacement of b)``, with W interpolated between its knots
    (quintic Hermite); neither the policy nor the state is rounded to the grid.

    Parameters
    ----------
    plan
        The solution it comes from.
    typed_states
        Whether the type of a household is the second entry of its state; else it is the context.
    """

    plan: TaxPlan
    typed_states: bool = False

    @cached_property
    def _ends(self) -> list[Array]:
        """For each type, running sums of the probabilities within groups; group g covers (g, g + 1]."""
        return [np.cumsum(one.within) for one in self.plan.types]

    @cached_property
    def _pieces(self) -> list[Array]:
        responses = [(one.saving.problem.grid, one.saving.response.coefficients) for one in self.plan.types]
        return [pieces(grid, coefficients) for grid, coefficients in responses]

    def _types(self, states: Array, contexts: IntArray) -> NDArray[np.integer]:
        return states[:, 1].astype(np.intp) if self.typed_states else np.asarray(contexts)

    def sample(self, rng: np.random.Generator, states: Array, leader_actions: Array, contexts: IntArray) -> Actions:
        """Draw actions, shape (n, 4): first the group, then the action within it."""
        del leader_actions
        kinds, u = self._types(states, contexts), rng.random((len(states), 2))
        out = np.empty((len(states), 4), np.int64)
        for k, one in enumerate(self.plan.types):
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
        problem = self.plan.types[kind].saving.problem
        arrays = problem.displacement, problem.follower_group, self._pieces[kind]
        grid, discount = problem.grid, problem.follower_discount
        return GroupPolicy(*arrays, grid.low, grid.high, discount, problem.temperature)

    @staticmethod
    def _within(one: TypePlan, ends: Array, group: NDArray[np.integer], u: Array) -> Actions:
        actions = every_action(one.rules)
        place = np.searchsorted(ends, group + u)
        last = np.append(actions.first[1:], len(ends)) - 1
        # Rounding in the running sums must not lead into a neighbouring group.
        return np.asarray(actions.order[np.clip(place, actions.first[group], last[group])])

    def log_prob(self, states: Array, leader_actions: Array, contexts: IntArray, actions: Actions) -> Array:
        """Return the log-probability of actions of shape (n, 4), shape (n,)."""
        del leader_actions
        kinds, out = self._types(states, contexts), np.empty(len(states))
        for k, one in enumerate(self.plan.types):
            rows = np.flatnonzero(kinds == k)
            every = every_action(one.rules)
            number, of_group = every.number(actions[rows]), np.empty(len(rows))
            group_log_probabilities(every.group[number], states[rows, 0], self._group_policy(k), of_group)
            out[rows] = of_group + one.log_within[number]
        return out


@dataclass(frozen=True, eq=False, repr=False)
class TaxSolution(PlannedSolution[TaxPlan]):
    """Everything exact about one schedule of taxes, on the grid of assets.

    Attributes
    ----------
    policy
        The households' soft best response.
    horizon
        Play steps after which an episode is cut.
    """

    policy: TaxPolicy
    horizon: int

    @property
    def response(self) -> TaxPolicy:
        """The households' soft best response: another name of `policy`, the one that solutions of all games know."""
        return self.policy

    @cached_property
    def episode(self) -> EpisodeValues:
        """What an episode is worth as it is played, cut at the game's horizon."""
        return EpisodeValues(self.horizon, *self.plan.episode_values(self.horizon))

    @property
    def type_values(self) -> Array:
        """What each type contributes, J(x) if all households were of it, shape (K,)."""
        return np.array([one.saving.leader_value for one in self.plan.types])

    @cached_property
    def refined(self) -> TaxPlan:
        """The same solved on a grid of half as many nodes more, for the grid errors."""
        return self.plan.on_grid(self.plan.nodes + max(2, self.plan.nodes // 2))

    @property
    def leader_value_error(self) -> float:
        """Bound on the error of `leader_value`; see :attr:`value_error`."""
        return self._stated(self.leader_value, self.refined.leader_value)

    @property
    def follower_value_error(self) -> float:
        """Bound on the error of `follower_value`; see :attr:`value_error`."""
        own = max(one.saving.response.error for one in self.plan.types)
        return own + self._stated(self.follower_value, self.refined.follower_value)

    @property
    def value_error(self) -> float:
        """Bound on the errors of `leader_value` and `follower_value`, reward units.

        What the grid adds is estimated: twice the difference to a finer grid.
        """
        return max(self.leader_value_error, self.follower_value_error)

    @property
    def policy_error(self) -> float:
        """Bound on the error of the probability of any group of actions that move the assets alike, at the nodes."""
        own = max(one.saving.response.policy_error for one in self.plan.types)
        pairs = zip(self.plan.types, self.refined.types, strict=True)
        return own + GRID_ALLOWANCE * max(_policy_distance(one.saving, finer.saving) for one, finer in pairs)

    @property
    def gradient_error(self) -> float:
        """Bound on the error of every entry of `gradient`; see :attr:`value_error`."""
        finer = self.refined
        return self._stated(self.gradient, finer.direct_gradient + finer.response_gradient)

    @staticmethod
    def _stated(mine: Array | float, finer: Array | float) -> float:
        size = float(np.abs(np.asarray(mine)).max())
        return GRID_ALLOWANCE * float(np.abs(np.asarray(mine) - finer).max()) + ROUNDING * size

    @property
    def grid_error(self) -> float:
        """Estimate of the error of `leader_value` that the grid makes: the difference to the finer grid."""
        return abs(self.refined.leader_value - self.leader_value)

    @property
    def follower_grid_error(self) -> float:
        """The same of the follower's value."""
        return abs(self.refined.follower_value - self.follower_value)


def _policy_distance(mine: SavingPlan, finer: SavingPlan) -> float:
    """Return the largest difference of the probability of a group, at the nodes of the first."""
    q = group_values(finer.problem, finer.response.coefficients, mine.problem.grid.nodes)
    weights = np.exp((q - q.max(axis=1, keepdims=True)) / finer.problem.temperature)
    return float(np.abs(mine.response.policy - weights / weights.sum(axis=1, keepdims=True)).max())
