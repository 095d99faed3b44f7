"""What the government announces: an income tax and three VAT rates."""

from __future__ import annotations

import numpy as np

from stackelberg_envs.arrays import Array, as_float, frozen, require_flag, require_positive
from stackelberg_envs.envs.tax_design.economy import (
    Households,
    TaxRules,
    consumption_slopes,
    consumption_utility,
    welfare,
    welfare_slopes,
)
from stackelberg_envs.errors import GameError
from stackelberg_envs.games.cotangents import StepCotangents
from stackelberg_envs.games.samples import SampledCommitment, SampledEffect, Samples

__all__ = ["TaxSchedule"]


class TaxSchedule(SampledCommitment):
    """Income tax and three VAT rates.

    Parameters
    ----------
    rules
        What actions mean, and the leader's measure of welfare.
    preferences
        Exponents of the goods, shape (K, 3): by them VAT enters the follower's reward.
    noise
        Standard deviation of the assets' noise: by it the income tax enters the transition.
    max_rate
        Upper bound of all rates.
    typed_states
        Whether the type of a household is in its state; else it is the context.
    """

    changes = frozenset({"follower_reward", "leader_reward", "transition"})
    names = ("income tax", "VAT 1", "VAT 2", "VAT 3")

    def __init__(self, rules: TaxRules, preferences: Array, noise: float, max_rate: float, typed_states: bool) -> None:
        super().__init__(0.0, require_positive(max_rate, "max_rate"), (4,))
        if not isinstance(rules, TaxRules):
            raise GameError(f"rules: expected TaxRules, got {type(rules).__name__}")
        self._rules, self._typed = rules, require_flag(typed_states, "typed_states", GameError)
        self._preferences = frozen(as_float(preferences, "preferences"))
        self._noise = require_positive(noise, "noise")

    def require_agreement(self, rules: TaxRules, households: Households, typed_states: bool) -> None:
        """Raise unless what this schedule holds is what its game holds too."""
        held = {"rules": self._rules, "noise": self._noise, "typed_states": self._typed}
        asked = {"rules": rules, "noise": households.noise, "typed_states": typed_states}
        for name, value in asked.items():
            if value != held[name]:
                raise GameError(f"{name}: expected {held[name]}, as the TaxSchedule has it, got {value}")
        if not np.array_equal(self._preferences, households.preferences):
            held_too = self._preferences.tolist()
            raise GameError(
                f"preferences: expected {held_too}, as the TaxSchedule has it, got {households.preferences.tolist()}"
            )

    def effect_at(self, x: Array, samples: Samples) -> SampledEffect:
        """Return the utility of consumption, the welfare of the action, and the log-density of the next assets."""
        hours, goods = self._rules.amounts(samples.follower_action)
        before, after = samples.state[:, 0], samples.next_state[:, 0]
        mean = self._rules.mean_assets(x[0], before, hours, goods.sum(axis=1))
        return SampledEffect(
            follower_reward=consumption_utility(goods, x[1:], self._preferences_of(samples)),
            leader_reward=welfare(self._rules, x, hours, goods),
            transition=_log_density(after, mean, self._rules, self._noise),
        )

    def vjp_at(self, x: Array, samples: Samples, cotangents: StepCotangents) -> Array:
        """Return dJ/dx, shape (4,)."""
        hours, goods = self._rules.amounts(samples.follower_action)
        out = np.zeros(4)
        if cotangents.leader_reward is not None:
            out += cotangents.leader_reward @ welfare_slopes(self._rules, x, hours, goods)
        if cotangents.follower_reward is not None:
            preferences = self._preferences_of(samples)
            utility = consumption_utility(goods, x[1:], preferences)
            out[1:] += cotangents.follower_reward @ consumption_slopes(utility, x[1:], preferences)
        if cotangents.transition is not None:
            out[0] += cotangents.transition @ self._income_scores(x, samples, hours, goods.sum(axis=1))
        return out

    def _income_scores(self, x: Array, samples: Samples, hours: Array, spent: Array) -> Array:
        """Return the derivative of the log-density by the income tax, shape (T,); zero where the mean was clipped."""
        before, after = samples.state[:, 0], samples.next_state[:, 0]
        mean = self._rules.mean_assets(x[0], before, hours, spent)
        free = mean == before + (1.0 - x[0]) * hours - spent
        return np.where(free, -hours * _score(after, mean, self._rules, self._noise), 0.0)

    def _preferences_of(self, samples: Samples) -> Array:
        kinds = samples.state[:, 1] if self._typed else samples.context
        return self._preferences[np.asarray(kinds, dtype=np.intp)]


def _log_density(after: Array, mean: Array, rules: TaxRules, noise: float) -> Array:
    """Return the log-density of a normal number truncated to the range of the assets, shape (T,)."""
    from scipy.special import ndtr

    inside = ndtr((rules.high - mean) / noise) - ndtr((rules.low - mean) / noise)
    z = (after - mean) / noise
    return np.asarray(-0.5 * z**2 - np.log(noise * np.sqrt(2 * np.pi)) - np.log(inside))


def _score(after: Array, mean: Array, rules: TaxRules, noise: float) -> Array:
    """Return the derivative of the log-density by the mean, shape (T,)."""
    from scipy.special import ndtr

    low, high = (rules.low - mean) / noise, (rules.high - mean) / noise
    at_ends = (np.exp(-0.5 * high**2) - np.exp(-0.5 * low**2)) / np.sqrt(2 * np.pi)
    return np.asarray(((after - mean) / noise + at_ends / (ndtr(high) - ndtr(low))) / noise)
