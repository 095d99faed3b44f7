"""Identification of tax design from play: least squares for what households want, and moments of what moves them.

Public is the form: what actions mean, the law, the leader's own measure of welfare, the discounts, the range of the
assets, and that utility is made of consumption (a product of powers), work (a square) and assets (a logarithm above
zero, a straight line below). The numbers are estimated from steps under any commitments:

    utility      nonlinear least squares of the follower's reward in 4 + 3 K numbers; exact, as rewards have no noise
    noise        root mean square of the assets' moves, where their range is far away
    start        mean and standard deviation of first assets
    types        how often each was seen, with one more of each
    temperature  the largest likelihood of the actions seen, where it is private
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.envs.tax_design.economy import (
    GOODS,
    Households,
    TaxFamily,
    TaxProblem,
    TaxRules,
    consumption_utility,
    every_action,
)
from stackelberg_envs.envs.tax_design.saving import group_values
from stackelberg_envs.envs.tax_design.solution import TaxSolution, solve_tax
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.trajectories import Trajectories

__all__ = ["CompressedTaxRecord", "TaxModel", "TaxModelClass"]

#: Nodes per panel of the model's grid and its tolerance, in temperatures: errors of 2e-4, far below those of what was
#: identified.
MODEL_NODES, MODEL_TOLERANCE = 4, 1e-7
#: Steps of a record that the fit of the rewards keeps of each kind, evenly spread over it.
KEPT_STEPS = 2_000
#: The noise is measured where the mean lies within this part of the range of the assets.
INNER = 0.5
#: Least estimate of the noise, as a part of the range: the grid of assets is as fine as the noise asks for.
LEAST_NOISE = 1 / 200
#: Records, the last ones, from which a private temperature is estimated, and its range in multiples of how much the
#: utilities of actions differ.
TEMPERATURE_RECORDS = 3
TEMPERATURES = (1e-4, 1.0)
#: Scales of the assets tried for the start of the fit, and the least one allowed in it, as parts of the range.
FIRST_SCALES = np.geomspace(0.0025, 2.5, 40)
LEAST_SCALE = 5e-6
#: What is taken of preferences before anything was bought.
FIRST_PREFERENCE = 1.0 / GOODS


@dataclass(frozen=True, eq=False)
class CompressedTaxRecord:
    """What the fit needs of one record.

    Attributes
    ----------
    commitment
        The x in force, shape (4,).
    assets, actions, kinds, rewards
        Some of its steps: shape (n,), (n, 4), (n,), (n,).
    moves
        Number of moves far from the range's ends, and the sum of their squared deviations from the mean.
    first_assets, first_kinds
        Of each episode, shape (N,).
    """

    commitment: Array
    assets: Array
    actions: NDArray[np.int64]
    kinds: NDArray[np.intp]
    rewards: Array
    moves: tuple[int, float]
    first_assets: Array
    first_kinds: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class TaxModel(TaxProblem):
    """An identified economy: the households' numbers, and a private temperature, are estimates."""

    #: Soft values of the last solution at each scale of the temperature, where the next one starts.
    _last: dict[float, tuple[Array, ...]] = field(default_factory=dict, repr=False)

    @property
    def size(self) -> int:
        """About how many numbers a solution reads at least once: a matrix over the grid of assets for each type."""
        nodes = MODEL_NODES * (self.rules.high - self.rules.low) / self.households.noise
        return int(len(self.households.probabilities) * nodes**2)

    def solve(self, x: Array, scale: float = 1.0) -> TaxSolution:
        """Return everything exact about one commitment in the model, at `scale` times the temperature."""
        problem, rates = replace(self, temperature=scale * self.temperature), np.asarray(x, dtype=np.float64)
        made = solve_tax(problem, rates, nodes=MODEL_NODES, tolerance=MODEL_TOLERANCE, start=self._last.get(scale))
        self._last[scale] = made.values
        return made

    def value(self, x: Array, scale: float = 1.0) -> float:
        """Return J in the model."""
        return self.solve(x, scale).leader_value

    def value_and_gradient(self, x: Array, scale: float = 1.0) -> tuple[float, Array]:
        """Return J and dJ/dx in the model, the households' response included."""
        made = self.solve(x, scale)
        return made.leader_value, made.gradient


@dataclass(frozen=True, eq=False)
class TaxModelClass:
    """Fits the economies of one family to play.

    Attributes
    ----------
    family
        What the game publishes.
    """

    family: TaxFamily

    @property
    def record_type(self) -> type[CompressedTaxRecord]:
        """The class of the records that :meth:`compress` returns."""
        return CompressedTaxRecord

    def compress(self, record: Trajectories) -> CompressedTaxRecord:
        """Return what :meth:`fit` needs of a record; it may stand in for it.

        Raises
        ------
        ArgumentError
            A record without the follower's rewards.
        """
        if record.follower_reward is None:
            raise ArgumentError("follower_reward: expected an array, got None; this model is fitted to it")
        first = record.offsets[:-1]
        kinds = (
            record.state[:, 1].astype(np.intp)
            if self.family.typed_states
            else np.repeat(record.context.astype(np.intp), np.diff(record.offsets))
        )
        bought = np.flatnonzero((record.follower_action[:, 1:] > 0).all(axis=1))
        # Only who buys of everything shows what it prefers, and few do.
        kept = np.union1d(_spread(np.arange(len(record.state))), _spread(bought))
        return CompressedTaxRecord(
            commitment=np.asarray(record.commitment, dtype=np.float64),
            assets=record.state[kept, 0],
            actions=record.follower_action[kept],
            kinds=kinds[kept],
            rewards=record.follower_reward[kept],
            moves=self._moves(record),
            first_assets=record.state[first, 0],
            first_kinds=kinds[first],
        )

    def _moves(self, record: Trajectories) -> tuple[int, float]:
        rules = self.family.rules
        hours, goods = rules.amounts(record.follower_action)
        mean = rules.mean_assets(float(record.commitment[0]), record.state[:, 0], hours, goods.sum(axis=1))
        middle, reach = (rules.high + rules.low) / 2, (rules.high - rules.low) / 2
        inner = np.abs(mean - middle) < INNER * reach
        return int(inner.sum()), float(((record.next_state[:, 0] - mean)[inner] ** 2).sum())

    def fit(self, data: Sequence[Trajectories | CompressedTaxRecord]) -> TaxModel:
        """Return the economy that fits all records best.

        Parameters
        ----------
        data
            At least one record, with steps. A type of household that was never seen is taken to prefer all goods alike.
        """
        records = [item if isinstance(item, CompressedTaxRecord) else self.compress(item) for item in data]
        if not sum(len(record.assets) for record in records):
            raise ArgumentError("data: expected at least one step, got none")
        households = self._households(records)
        temperature = self.family.temperature
        if temperature is None:
            temperature = self._estimated_temperature(households, records[-TEMPERATURE_RECORDS:])
        return self._model(households, temperature)

    def _model(self, households: Households, temperature: float) -> TaxModel:
        family = self.family
        return TaxModel(
            rules=family.rules,
            households=households,
            leader_discount=family.leader_discount,
            follower_discount=family.follower_discount,
            temperature=temperature,
            horizon=family.horizon,
            typed_states=family.typed_states,
        )

    def _households(self, records: list[CompressedTaxRecord]) -> Households:
        rules, K = self.family.rules, self.family.num_types
        numbers = _fit_rewards(rules, K, records)
        first = np.concatenate([record.first_assets for record in records])
        kinds = np.concatenate([record.first_kinds for record in records])
        seen = np.bincount(kinds, minlength=K) + 1.0
        count, squares = (sum(column) for column in zip(*(record.moves for record in records), strict=True))
        return Households(
            preferences=numbers[4:].reshape(K, GOODS),
            probabilities=seen / seen.sum(),
            disutility=float(numbers[0]),
            asset_scale=float(numbers[1]),
            asset_weight=float(numbers[2]),
            debt_weight=float(numbers[3]),
            noise=max(float(np.sqrt(squares / max(count, 1))), LEAST_NOISE * (rules.high - rules.low)),
            initial_mean=float(first.mean()),
            initial_deviation=max(float(first.std()), 1e-2 * (rules.high - rules.low) / 2),
        )

    def _estimated_temperature(self, households: Households, records: list[CompressedTaxRecord]) -> float:
        """Return the temperature under which the actions seen are likeliest, by golden sections on its logarithm."""
        from scipy.optimize import minimize_scalar

        every, vat = every_action(self.family.rules), records[-1].commitment[1:]
        work = households.disutility * every.hours**2
        goods = [consumption_utility(every.consumption, vat, row) for row in households.preferences]
        spread = max(float(np.ptp(utility - work)) for utility in goods)

        def loss(logarithm: float) -> float:
            model = self._model(households, spread * float(np.exp(logarithm)))
            return -sum(_log_likelihood(model, record) for record in records)

        found = minimize_scalar(loss, bounds=tuple(np.log(TEMPERATURES)), method="bounded", options={"xatol": 1e-4})
        return spread * float(np.exp(found.x))


def _spread(rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return at most KEPT_STEPS of the rows, evenly spread."""
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(KEPT_STEPS, len(rows))).astype(np.intp))]


def _fit_rewards(rules: TaxRules, K: int, records: list[CompressedTaxRecord]) -> Array:
    """Return work, scale and weight of assets, weight of debt, and all preferences, shape (4 + 3 K,)."""
    from scipy.optimize import least_squares

    design = _Design.of(rules, K, records)
    reach = rules.high - rules.low
    low = np.array([-np.inf, LEAST_SCALE * reach, -np.inf, -np.inf, *np.zeros(GOODS * K)])
    # In units of the rewards: what ends the iteration is an absolute number.
    unit = float(np.abs(design.rewards).max()) or 1.0
    # Interior methods crawl here: a type that was not seen has columns of zeros.
    options: dict[str, Any] = {"method": "dogbox", "xtol": 1e-14, "ftol": 1e-14, "gtol": 1e-14}

    def residuals(numbers: Array) -> Array:
        return design.residuals(numbers) / unit

    def jacobian(numbers: Array) -> Array:
        return design.jacobian(numbers) / unit

    found: Any = least_squares(
        residuals, design.start(reach * FIRST_SCALES), jac=jacobian, bounds=(low, np.inf), x_scale="jac", **options
    )
    return np.asarray(found.x)


@dataclass(frozen=True, eq=False)
class _Design:
    """Steps as columns; logarithms of what is enjoyed are 0 where nothing is, and `bought` is 0 there."""

    assets: Array
    hours: Array
    logarithms: Array
    bought: Array
    member: Array
    rewards: Array

    @classmethod
    def of(cls, rules: TaxRules, K: int, records: list[CompressedTaxRecord]) -> _Design:
        """Return all steps of the records together."""
        amounts = [rules.amounts(record.actions) for record in records]
        enjoyed = np.concatenate(
            [goods / (1.0 + record.commitment[1:]) for (_, goods), record in zip(amounts, records, strict=True)]
        )
        return cls(
            assets=np.concatenate([record.assets for record in records]),
            hours=np.concatenate([hours for hours, _ in amounts]),
            logarithms=np.log(np.where(enjoyed > 0, enjoyed, 1.0)),
            bought=np.asarray((enjoyed > 0).all(axis=1), dtype=np.float64),
            member=np.eye(K)[np.concatenate([record.kinds for record in records])],
            rewards=np.concatenate([record.rewards for record in records]),
        )

    def start(self, scales: Array) -> Array:
        """Return numbers near the best, by linear least squares.

        Of work and assets, for each of some scales, from steps without utility of consumption; and then of
        preferences, from the logarithm of what that leaves of the others.
        """
        plain = self.bought == 0
        fits = [(*self._without_consumption(scale, plain), scale) for scale in scales]
        _, (disutility, weight, debt), scale = min(fits, key=lambda fit: fit[0])
        numbers = np.array([disutility, scale, weight, debt, *np.full(GOODS * self.member.shape[1], FIRST_PREFERENCE)])
        left = np.where(plain, 0.0, self._utility(numbers) - self.residuals(numbers))
        for k in range(self.member.shape[1]):
            rows = (left > 0) & (self.member[:, k] > 0)
            # NumPy below 2 has no rank for a matrix without rows.
            if rows.any() and np.linalg.matrix_rank(self.logarithms[rows]) == GOODS:
                found = np.linalg.lstsq(self.logarithms[rows], np.log(left[rows]), rcond=None)[0]
                numbers[4 + GOODS * k : 4 + GOODS * (k + 1)] = np.maximum(found, 0.0)
        return numbers

    def _without_consumption(self, scale: float, rows: NDArray[np.bool_]) -> tuple[float, Array]:
        """Return the squared residuals' sum, and work, weight of assets and weight of debt, at this scale of assets."""
        assets = self.assets[rows]
        above, below = np.log1p(np.maximum(assets, 0.0) / scale), np.minimum(assets, 0.0)
        columns = np.column_stack([-(self.hours[rows] ** 2), above, below])
        found = np.linalg.lstsq(columns, self.rewards[rows], rcond=None)[0]
        return float(((columns @ found - self.rewards[rows]) ** 2).sum()), found

    def _utility(self, numbers: Array) -> Array:
        preferences = self.member @ numbers[4:].reshape(-1, GOODS)
        return np.asarray(self.bought * np.exp((self.logarithms * preferences).sum(axis=1)))

    def residuals(self, numbers: Array) -> Array:
        """Return what the numbers leave over of the rewards, shape (T,)."""
        disutility, scale, weight, debt = numbers[:4]
        above, below = np.maximum(self.assets, 0.0), np.minimum(self.assets, 0.0)
        assets = weight * np.log1p(above / scale) + debt * below
        return np.asarray(assets - disutility * self.hours**2 + self._utility(numbers) - self.rewards)

    def jacobian(self, numbers: Array) -> Array:
        """Return the derivative of the residuals, shape (T, 4 + 3 K)."""
        _, scale, weight, _ = numbers[:4]
        above, below = np.maximum(self.assets, 0.0), np.minimum(self.assets, 0.0)
        by_preference = (self._utility(numbers)[:, None] * self.logarithms)[:, None, :] * self.member[:, :, None]
        by_scale = -weight * above / (scale * (scale + above))
        columns = [-(self.hours**2), by_scale, np.log1p(above / scale), below]
        return np.column_stack([*columns, by_preference.reshape(len(above), -1)])


def _log_likelihood(model: TaxModel, record: CompressedTaxRecord) -> float:
    made, total = model.solve(record.commitment), 0.0
    every = every_action(model.rules)
    number = every.number(record.actions)
    for k, one in enumerate(made.types):
        rows = record.kinds == k
        q = group_values(one.saving.problem, one.saving.response.coefficients, record.assets[rows])
        scaled = (q - q.max(axis=1, keepdims=True)) / model.temperature
        own = scaled[np.arange(len(scaled)), every.group[number[rows]]] + one.log_within[number[rows]]
        total += float((own - np.log(np.exp(scaled).sum(axis=1))).sum())
    return total
