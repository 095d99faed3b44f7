"""The exact solution of tax design on a grid of assets: values, best responses, hypergradients.

The 1,250 actions of a household move its assets in 130 ways, so they collapse by log-sum-exp to 130 groups of a
saving problem (:mod:`stackelberg_envs.envs.tax_design.saving`).

Letters: K household types, B actions, G groups of actions that move the assets alike, S nodes of the grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.envs.tax_design.asset_grid import AssetGrid, make_grid
from stackelberg_envs.envs.tax_design.economy import (
    EveryAction,
    Households,
    TaxProblem,
    TaxRules,
    asset_utility,
    consumption_slopes,
    consumption_utility,
    every_action,
    welfare,
    welfare_slopes,
)
from stackelberg_envs.envs.tax_design.policy import TaxPolicy
from stackelberg_envs.envs.tax_design.saving import (
    DEFAULT_TOLERANCE,
    SavingProblem,
    SavingSolution,
    cut_value,
    endless_value,
    entropy_bonus,
    flows,
    group_values,
    solve_saving,
)
from stackelberg_envs.solvers.solution import EpisodeValues, Solution

__all__ = ["TaxSolution", "TypeSolution", "solve_tax"]

#: What a finer grid changes, times this, bounds what the grid adds: errors fall at least by half from one to the next.
GRID_ALLOWANCE = 2.0
#: What the solution's linear systems and sums lose by rounding, relative to the result.
ROUNDING = 1e-11


@dataclass(frozen=True, eq=False)
class TypeSolution:
    """The solution for one type of household.

    Attributes
    ----------
    saving
        The saving problem of the groups of actions, solved.
    log_within, within
        Of each action within its group, its log-probability and its probability, shape (B,), in the order of
        :func:`every_action`.
    direct_gradient, response_gradient
        dJ/dx of this type, with the response held fixed, and the part through it; shape (4,).
    """

    rules: TaxRules
    x: Array
    preferences: Array
    saving: SavingSolution
    log_within: Array
    action_utility: Array
    action_welfare: Array

    @cached_property
    def within(self) -> Array:  # noqa: D102 - under Attributes
        return np.exp(self.log_within)

    @cached_property
    def follower_reward(self) -> Array:
        """What the response pays the follower in a step, without entropy bonus, at the nodes, shape (S,)."""
        problem, actions = self.saving.problem, every_action(self.rules)
        entropy = -np.add.reduceat(self.within * self.log_within, actions.first)
        plain = problem.follower_group - problem.temperature * entropy
        return np.asarray(problem.follower_state + self.saving.response.policy @ plain)

    def episode_values(self, horizon: int) -> tuple[float, float, float]:
        """Leader's value, follower's with entropy bonus, and follower's without, of an episode cut at the horizon."""
        problem, response = self.saving.problem, self.saving.response
        leader = problem.leader_state + response.policy @ problem.leader_group
        regularised = problem.follower_state + response.policy @ problem.follower_group
        regularised = regularised + entropy_bonus(problem, response)
        return (
            cut_value(self.saving, leader, problem.leader_discount, horizon),
            cut_value(self.saving, regularised, problem.follower_discount, horizon),
            cut_value(self.saving, self.follower_reward, problem.follower_discount, horizon),
        )

    @cached_property
    def _gradients(self) -> tuple[Array, Array]:
        """Chain the derivatives by group through rewards and displacements to the rates."""
        actions, flow, group = every_action(self.rules), flows(self.saving), every_action(self.rules).group
        by_leader = self.within * flow.occupancy[group]
        centred = self.action_welfare - self.saving.problem.leader_group[group]
        by_follower = self.within * flow.response[group] + by_leader * centred / self.saving.problem.temperature
        direct = by_leader @ welfare_slopes(self.rules, self.x, actions.hours, actions.consumption)
        slopes = consumption_slopes(self.action_utility, self.x[1:], self.preferences)
        response = np.concatenate([[0.0], by_follower @ slopes])
        direct[0] -= flow.direct_move @ actions.group_hours
        response[0] -= flow.response_move @ actions.group_hours
        return direct, response

    @property
    def direct_gradient(self) -> Array:  # noqa: D102 - under Attributes
        return self._gradients[0]

    @property
    def response_gradient(self) -> Array:  # noqa: D102
        return self._gradients[1]


@dataclass(frozen=True, eq=False, repr=False)
class TaxSolution(Solution):
    """Everything exact about one schedule of taxes, on a grid of assets.

    What the grid adds to an error is estimated: twice the difference to a finer grid.

    Attributes
    ----------
    problem, x
        The economy and the rates.
    types
        The solution for each type of household.
    nodes, tolerance
        Of the grid, per panel, and of the response on it.
    """

    problem: TaxProblem
    x: Array
    types: tuple[TypeSolution, ...]
    nodes: int
    tolerance: float

    @cached_property
    def policy(self) -> TaxPolicy:
        """The households' soft best response."""
        return TaxPolicy(self.types, self.problem.typed_states)

    @cached_property
    def leader_value(self) -> float:
        """J(x), reward units."""
        return float(self._mean([one.saving.leader_value for one in self.types]))

    @cached_property
    def follower_value(self) -> float:
        """The mean over types of the entropy-regularised value at the initial distribution."""
        return float(self._mean([one.saving.follower_value for one in self.types]))

    @cached_property
    def follower_reward_value(self) -> float:
        """The mean over types of the discounted reward alone, without entropy bonus, over endless play."""
        discount = self.problem.follower_discount
        return float(self._mean([endless_value(one.saving, one.follower_reward, discount) for one in self.types]))

    @cached_property
    def episode(self) -> EpisodeValues:
        """What an episode is worth as it is played, cut at the game's horizon."""
        horizon = self.problem.horizon
        return EpisodeValues(horizon, *map(float, self._mean([one.episode_values(horizon) for one in self.types])))

    @cached_property
    def direct_gradient(self) -> Array:
        """Derivative dJ/dx with the responses held fixed, shape (4,)."""
        return self._mean([one.direct_gradient for one in self.types])

    @cached_property
    def response_gradient(self) -> Array:
        """The part of dJ/dx that goes through the responses, shape (4,)."""
        return self._mean([one.response_gradient for one in self.types])

    @property
    def values(self) -> tuple[Array, ...]:
        """Soft values of each type at the nodes: pass them as `start` for a nearby commitment."""
        return tuple(one.saving.response.values for one in self.types)

    @property
    def type_values(self) -> Array:
        """What each type contributes, J(x) if all households were of it, shape (K,)."""
        return np.array([one.saving.leader_value for one in self.types])

    @cached_property
    def refined(self) -> TaxSolution:
        """The same solved on a grid of half as many nodes more, for the grid errors."""
        finer = self.nodes + max(2, self.nodes // 2)
        return solve_tax(self.problem, self.x, nodes=finer, tolerance=self.tolerance)

    @property
    def leader_value_error(self) -> float:
        """Bound on the error of `leader_value`, reward units."""
        return self._stated(self.leader_value, self.refined.leader_value)

    @property
    def follower_value_error(self) -> float:
        """Bound on the error of `follower_value`, reward units."""
        own = max(one.saving.response.error for one in self.types)
        return own + self._stated(self.follower_value, self.refined.follower_value)

    @property
    def policy_error(self) -> float:
        """Bound on the error of the probability of any group of actions that move the assets alike, at the nodes."""
        own = max(one.saving.response.policy_error for one in self.types)
        pairs = zip(self.types, self.refined.types, strict=True)
        return own + GRID_ALLOWANCE * max(_policy_distance(one.saving, finer.saving) for one, finer in pairs)

    @property
    def gradient_error(self) -> float:
        """Bound on the error of every entry of `gradient`."""
        return self._stated(self.gradient, self.refined.gradient)

    def _mean(self, values: Sequence[Array | float | tuple[float, ...]]) -> Array:
        return np.tensordot(self.problem.households.probabilities, np.asarray(values), axes=1)

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


def _policy_distance(mine: SavingSolution, finer: SavingSolution) -> float:
    """Return the largest difference of the probability of a group, at the nodes of the first."""
    q = group_values(finer.problem, finer.response.coefficients, mine.problem.grid.nodes)
    weights = np.exp((q - q.max(axis=1, keepdims=True)) / finer.problem.temperature)
    return float(np.abs(mine.response.policy - weights / weights.sum(axis=1, keepdims=True)).max())


def solve_tax(
    problem: TaxProblem,
    x: Array,
    *,
    nodes: int,
    tolerance: float = DEFAULT_TOLERANCE,
    start: Sequence[Array] | None = None,
) -> TaxSolution:
    """Return the soft best responses of all types to the rates x, and what they are worth.

    Parameters
    ----------
    problem
        The economy.
    x
        Income tax and three VAT rates, shape (4,).
    nodes
        Of the grid, per panel; see :func:`stackelberg_envs.envs.tax_design.asset_grid.make_grid`.
    tolerance
        Bound on the error of the best response on the grid: of the probability of every group of actions.
    start
        ``solution.values`` of a nearby commitment on the same grid.
    """
    rules, households, temperature = problem.rules, problem.households, problem.temperature
    grid = make_grid(rules.low, rules.high, float(households.noise), nodes)
    actions = every_action(rules)
    action_welfare = welfare(rules, x, actions.hours, actions.consumption)
    common = {
        "grid": grid,
        "displacement": (1.0 - x[0]) * actions.group_hours - actions.group_spending,
        "follower_state": asset_utility(households, grid.nodes),
        "leader_state": np.minimum(grid.nodes, 0.0) if rules.count_debt else np.zeros(len(grid)),
        "initial": _initial(grid, households),
    }
    types = []
    for k, preferences in enumerate(households.preferences):
        utility = consumption_utility(actions.consumption, x[1:], preferences)
        soft, log_within = _collapse(utility - households.disutility * actions.hours**2, actions, temperature)
        saving = SavingProblem(
            **common,
            follower_group=soft,
            leader_group=np.add.reduceat(np.exp(log_within) * action_welfare, actions.first),
            follower_discount=problem.follower_discount,
            leader_discount=problem.leader_discount,
            temperature=temperature,
        )
        solved = solve_saving(saving, tolerance=tolerance, start=None if start is None else start[k])
        types.append(TypeSolution(rules, x, preferences, solved, log_within, utility, action_welfare))
    return TaxSolution(problem, x, tuple(types), nodes, tolerance)


def _initial(grid: AssetGrid, households: Households) -> Array:
    z = (grid.nodes - households.initial_mean) / households.initial_deviation
    weights = grid.weights * np.exp(-0.5 * z**2)
    return np.asarray(weights / weights.sum())


def _collapse(rewards: Array, actions: EveryAction, temperature: float) -> tuple[Array, Array]:
    """Return the soft maximum of the rewards by group, shape (G,), and log Gibbs weights within it, shape (B,)."""
    top = np.maximum.reduceat(rewards, actions.first)
    weights = np.exp((rewards - top[actions.group]) / temperature)
    soft = top + temperature * np.log(np.add.reduceat(weights, actions.first))
    return soft, (rewards - soft[actions.group]) / temperature
