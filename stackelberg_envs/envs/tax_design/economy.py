"""The economics of tax design as functions of arrays.

What everybody can read in the law, :class:`TaxRules`, is kept apart from what only households know of themselves,
:class:`Households`. The game, the commitment, the exact solution and the model that a leader identifies all stand on
these functions.

Source: Thoma et al. (2024), arXiv 2406.01575, the tax design experiment.

Letters: n samples, K household types, B actions, G groups of actions that move the assets alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import (
    Array,
    as_float,
    frozen,
    require_at_least,
    require_count,
    require_flag,
    require_number,
    require_positive,
    require_rows_sum_to_one,
    require_shape,
)
from stackelberg_envs.errors import GameError

__all__ = [
    "EveryAction",
    "Households",
    "TaxFamily",
    "TaxProblem",
    "TaxRules",
    "asset_utility",
    "consumption_slopes",
    "consumption_utility",
    "every_action",
    "welfare",
    "welfare_slopes",
]

IntegerArray = NDArray[np.int64]
GOODS = 3


@dataclass(frozen=True)
class TaxRules:
    """What is public: what actions mean, and how the leader measures welfare.

    Attributes
    ----------
    hours, levels
        Numbers of working times and of amounts of each good to choose from.
    hour_step, good_step
        Hours and goods per step of an action.
    low, high
        Range of the assets.
    consumption_weight, revenue_weight
        Of the mean consumption (as a part of the greatest one) and of the logarithm of taxes, in the leader's reward.
    count_debt
        Whether the leader's reward has the term min(assets, 0).
    """

    hours: int = 10
    levels: int = 5
    hour_step: float = 0.89
    good_step: float = 1.25
    low: float = -100.0
    high: float = 100.0
    consumption_weight: float = 15.0
    revenue_weight: float = 5.0
    count_debt: bool = True

    def __post_init__(self) -> None:
        """Check every number."""
        for name in ("hours", "levels"):
            object.__setattr__(self, name, require_count(getattr(self, name), name, 2, GameError))
        for name in ("low", "high", "consumption_weight", "revenue_weight"):
            object.__setattr__(self, name, require_number(getattr(self, name), name))
        for name in ("hour_step", "good_step"):
            object.__setattr__(self, name, require_positive(getattr(self, name), name))
        object.__setattr__(self, "count_debt", require_flag(self.count_debt, "count_debt", GameError))
        if not self.low < self.high:
            raise GameError(f"low: expected less than high, got {self.low} and {self.high}")

    @property
    def action_sizes(self) -> tuple[int, ...]:
        """Of a MultiDiscrete action: hours, then each good."""
        return (self.hours, *(GOODS * (self.levels,)))

    def amounts(self, actions: NDArray[np.integer]) -> tuple[Array, Array]:
        """Return hours, shape (n,), and consumption before taxes, shape (n, 3), of actions of shape (n, 4)."""
        amounts = np.asarray(actions, dtype=np.float64)
        return self.hour_step * amounts[:, 0], self.good_step * amounts[:, 1:]

    def mean_assets(self, income_tax: float, assets: Array, hours: Array, spent: Array) -> Array:
        """Return the assets after work and spending, clipped to their range, before the noise."""
        return np.clip(assets + (1.0 - income_tax) * hours - spent, self.low, self.high)


@dataclass(frozen=True, eq=False)
class Households:
    """What only the households know.

    Attributes
    ----------
    preferences
        Exponent of each good in the utility of consumption, shape (K, 3).
    probabilities
        Of each type, shape (K,).
    disutility
        Of work, per squared hour.
    asset_weight, asset_scale, debt_weight
        The utility of assets m is asset_weight * ln(1 + m / asset_scale) above zero and debt_weight * m below.
    noise
        Standard deviation of the assets' noise before it is truncated to their range.
    initial_mean, initial_deviation
        Of the normal distribution of the initial assets.
    """

    preferences: Array
    probabilities: Array
    disutility: float = 0.1
    asset_weight: float = 1.0
    asset_scale: float = 20.0
    debt_weight: float = 1.0
    noise: float = 5.0
    initial_mean: float = 0.0
    initial_deviation: float = float(np.sqrt(2.0))

    def __post_init__(self) -> None:
        """Check every number; arrays are copied and frozen."""
        preferences = as_float(self.preferences, "preferences")
        if preferences.ndim != 2 or preferences.shape[1] != GOODS or not len(preferences):
            raise GameError(f"preferences: expected shape (K, {GOODS}), got {preferences.shape}")
        probabilities = as_float(self.probabilities, "probabilities")
        require_shape(probabilities, [(len(preferences),)], "probabilities")
        object.__setattr__(self, "preferences", frozen(preferences))
        object.__setattr__(self, "probabilities", frozen(require_rows_sum_to_one(probabilities, "probabilities")))
        for name in ("disutility", "asset_weight", "debt_weight", "initial_mean"):
            object.__setattr__(self, name, require_number(getattr(self, name), name))
        for name in ("asset_scale", "noise"):
            object.__setattr__(self, name, require_positive(getattr(self, name), name))
        object.__setattr__(
            self, "initial_deviation", require_at_least(self.initial_deviation, 0.0, "initial_deviation", GameError)
        )


def asset_utility(households: Households, assets: Array) -> Array:
    """Return u(m), the shape of `assets`."""
    above = households.asset_weight * np.log1p(np.maximum(assets, 0.0) / households.asset_scale)
    return np.asarray(above + households.debt_weight * np.minimum(assets, 0.0))


def consumption_utility(consumption: Array, vat: Array, preferences: Array) -> Array:
    """Return prod_j (c_j / (1 + t_j))^preference_j, shape (n,); VAT shrinks what is enjoyed, not the budget.

    Parameters
    ----------
    consumption
        Before taxes, shape (n, 3).
    vat
        Shape (3,).
    preferences
        Shape (3,) or (n, 3).
    """
    return np.asarray(((consumption / (1.0 + vat)) ** preferences).prod(axis=-1))


def consumption_slopes(utility: Array, vat: Array, preferences: Array) -> Array:
    """Return the derivatives of the utility of consumption by the three VAT rates, shape (n, 3)."""
    return -utility[:, None] * preferences / (1.0 + vat)


def welfare(rules: TaxRules, x: Array, hours: Array, consumption: Array) -> Array:
    """Return the action's part of the leader's reward, shape (n,): consumption and taxes."""
    enjoyed = consumption / (1.0 + x[1:])
    greatest = rules.good_step * (rules.levels - 1)
    revenue = enjoyed @ x[1:] + x[0] * hours
    consumed = rules.consumption_weight * enjoyed.mean(axis=1) / greatest
    return np.asarray(consumed + rules.revenue_weight * np.log1p(revenue))


def welfare_slopes(rules: TaxRules, x: Array, hours: Array, consumption: Array) -> Array:
    """Return the derivatives of :func:`welfare` by the four rates, shape (n, 4)."""
    left = 1.0 / (1.0 + x[1:])
    greatest = rules.good_step * (rules.levels - 1)
    by_revenue = rules.revenue_weight / (1.0 + consumption @ (x[1:] * left) + x[0] * hours)
    by_vat = consumption * left**2 * (by_revenue[:, None] - rules.consumption_weight / (GOODS * greatest))
    return np.column_stack([by_revenue * hours, by_vat])


@dataclass(frozen=True, eq=False)
class TaxFamily:
    """The family of economies that a game belongs to: what is public about it, and none of the households' numbers.

    Attributes
    ----------
    rules
        What is public.
    num_types
        K.
    typed_states
        Whether the type of a household is in its state; else it is the context.
    leader_discount, follower_discount, horizon
        As in the game.
    temperature
        None where it is private.
    """

    rules: TaxRules
    num_types: int
    typed_states: bool
    leader_discount: float
    follower_discount: float
    temperature: float | None
    horizon: int


@dataclass(frozen=True, eq=False)
class TaxProblem:
    """All that the exact solution of an economy depends on, the game's own or identified from play.

    Attributes
    ----------
    rules, households
        The economy.
    leader_discount, follower_discount
        In [0, 1), per step.
    temperature
        Weight of the households' entropy, reward units.
    horizon
        Steps of an episode; it matters to values of episodes.
    typed_states
        Whether the type of a household is the second entry of its state; else it is the context.
    """

    rules: TaxRules
    households: Households
    leader_discount: float
    follower_discount: float
    temperature: float
    horizon: int
    typed_states: bool = False


@dataclass(frozen=True, eq=False)
class EveryAction:
    """All actions, sorted by group; a group works and spends alike.

    Attributes
    ----------
    order
        The actions, shape (B, 4).
    group, first
        The group of each, shape (B,), and the first action of each group, shape (G,).
    hours, consumption
        What they mean, shape (B,) and (B, 3).
    sizes
        Of the MultiDiscrete space.
    """

    order: IntegerArray
    group: IntegerArray
    first: IntegerArray
    hours: Array
    consumption: Array
    sizes: tuple[int, ...]

    def number(self, actions: NDArray[np.integer]) -> IntegerArray:
        """Return the place in `order` of actions of shape (n, 4)."""
        return np.asarray(self._places[np.ravel_multi_index(tuple(actions.T), self.sizes)])

    @cached_property
    def _places(self) -> IntegerArray:
        out = np.empty(len(self.order), np.int64)
        out[np.ravel_multi_index(tuple(self.order.T), self.sizes)] = np.arange(len(self.order))
        return out

    @cached_property
    def group_hours(self) -> Array:
        """Hours worked in each group, shape (G,)."""
        return np.asarray(self.hours[self.first])

    @cached_property
    def group_spending(self) -> Array:
        """Spent in each group, shape (G,)."""
        return np.asarray(self.consumption.sum(axis=1)[self.first])


@cache
def every_action(rules: TaxRules) -> EveryAction:
    """Return every action of the rules, sorted by group: 1,250 actions in 130 groups as published."""
    actions = np.stack(np.meshgrid(*map(np.arange, rules.action_sizes), indexing="ij"), axis=-1).reshape(-1, 1 + GOODS)
    group = actions[:, 0] * (GOODS * (rules.levels - 1) + 1) + actions[:, 1:].sum(axis=1)
    order = np.argsort(group, kind="stable")
    actions, group = actions[order], group[order]
    first = np.searchsorted(group, np.arange(group[-1] + 1))
    return EveryAction(actions, group, first, *rules.amounts(actions), rules.action_sizes)
