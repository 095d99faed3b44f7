"""The exact solution of tax design on a grid of assets: values, best responses, hypergradients.

The 1,250 actions of a household move its assets in 130 ways, so they collapse by log-sum-exp to 130 groups of a
saving problem (:mod:`stackelberg_envs.envs.tax_design.asset_grid`).

Letters: K household types, B actions, G groups of actions that move the assets alike, S nodes of the grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.envs.tax_design.asset_grid import (
    DEFAULT_NODES,
    DEFAULT_TOLERANCE,
    AssetGrid,
    SavingPlan,
    SavingProblem,
    cut_value,
    endless_value,
    entropy_bonus,
    flows,
    make_grid,
    plan,
)
from stackelberg_envs.envs.tax_design.economy import (
    EveryAction,
    Households,
    TaxRules,
    asset_utility,
    consumption_slopes,
    consumption_utility,
    every_action,
    welfare,
    welfare_slopes,
)

__all__ = ["TaxPlan", "TypePlan", "solve_tax"]


@dataclass(frozen=True, eq=False)
class TypePlan:
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
    saving: SavingPlan
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


@dataclass(frozen=True, eq=False)
class TaxPlan:
    """The solution for all types under one commitment.

    Attributes
    ----------
    probabilities
        Of each type, shape (K,).
    types
        One plan per type.
    nodes
        Of the grid, per panel.
    question
        The arguments of :func:`solve_tax` that it answers, without the grid.
    """

    probabilities: Array
    types: tuple[TypePlan, ...]
    nodes: int
    question: dict[str, Any] = field(repr=False)

    def on_grid(self, nodes: int) -> TaxPlan:
        """Return the same solved on another grid."""
        return solve_tax(**self.question, nodes=nodes)

    def _mean(self, values: Sequence[Array | float | tuple[float, ...]]) -> Array:
        return np.tensordot(self.probabilities, np.asarray(values), axes=1)

    @cached_property
    def leader_value(self) -> float:
        """J(x)."""
        return float(self._mean([one.saving.leader_value for one in self.types]))

    @cached_property
    def follower_value(self) -> float:
        """The mean over types of the entropy-regularised value at the initial distribution."""
        return float(self._mean([one.saving.follower_value for one in self.types]))

    @cached_property
    def follower_reward_value(self) -> float:
        """The mean over types of the discounted reward alone, without entropy bonus, over endless play."""
        discount = self.question["follower_discount"]
        return float(self._mean([endless_value(one.saving, one.follower_reward, discount) for one in self.types]))

    def episode_values(self, horizon: int) -> tuple[float, float, float]:
        """Leader's value, follower's with entropy bonus, and follower's without, of an episode cut at the horizon."""
        leader, regularised, plain = self._mean([one.episode_values(horizon) for one in self.types])
        return float(leader), float(regularised), float(plain)

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


def solve_tax(
    rules: TaxRules,
    households: Households,
    x: Array,
    *,
    temperature: float,
    follower_discount: float,
    leader_discount: float,
    nodes: int = DEFAULT_NODES,
    tolerance: float = DEFAULT_TOLERANCE,
    start: Sequence[Array] | None = None,
) -> TaxPlan:
    """Return the soft best responses of all types to the rates x, and what they are worth.

    Parameters
    ----------
    rules, households
        The economy.
    x
        Income tax and three VAT rates, shape (4,).
    temperature, follower_discount, leader_discount
        Of the game.
    nodes
        Of the grid, per panel; see :func:`stackelberg_envs.envs.tax_design.asset_grid.make_grid`.
    tolerance
        Bound on the error of the best response on the grid: of the probability of every group of actions.
    start
        ``plan.values`` of a nearby commitment on the same grid.
    """
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
        problem = SavingProblem(
            **common,
            follower_group=soft,
            leader_group=np.add.reduceat(np.exp(log_within) * action_welfare, actions.first),
            follower_discount=follower_discount,
            leader_discount=leader_discount,
            temperature=temperature,
        )
        solved = plan(problem, tolerance=tolerance, start=None if start is None else start[k])
        types.append(TypePlan(rules, x, preferences, solved, log_within, utility, action_welfare))
    question = {"rules": rules, "households": households, "x": x, "temperature": temperature, "tolerance": tolerance}
    question |= {"follower_discount": follower_discount, "leader_discount": leader_discount}
    return TaxPlan(households.probabilities, tuple(types), nodes, question)


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
