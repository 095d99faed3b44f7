"""Tax design: a government sets an income tax and three VAT rates; households work, buy and save.

| | |
| --- | --- |
| id | `stackelberg/TaxDesign-v0` |
| states | assets m in [-100, 100]; with ``num_households`` also the type of the household |
| leader actions | none (the leader only configures) |
| follower actions | MultiDiscrete [10, 5, 5, 5]: hours, and how much of each good |
| contexts K | 2: types of household |
| commitment | income tax and three VAT rates in [0, 2], shape (4,) |
| horizon | 200 |
| discounts | 0.9, 0.9 |
| temperature | 0.1 |

What x changes
    The income tax takes its part of what work brings, and so moves the assets. VAT shrinks what is enjoyed of a
    purchase, not the budget. Both are the leader's revenue.
Dynamics
    An action (i, k_1, k_2, k_3) means h = 0.89 i hours and c_j = 1.25 k_j of each good. The assets become
    clip(m + (1 - t_0) h - sum c), and then a normal noise of standard deviation 5 is added, truncated so that they
    stay in their range. They begin at sqrt(2) N(0, 1).
Follower's reward
    u(m) - 0.1 h^2 + prod_j (c_j / (1 + t_j))^preference_j, at the assets before the step, with u(m) = ln(1 + m / 20)
    above zero and m below. The preferences of the two types are (0.6, 0.3, 0.1) and (0.1, 0.7, 0.2).
Leader's reward
    Social welfare: 15 mean_j(c_j / (1 + t_j)) / 5 + 5 ln(1 + sum_j t_j c_j / (1 + t_j) + t_0 h) + min(m, 0).
    ``count_debt=False`` leaves out the last term.
End
    Only by the time limit.
What is known
    Values, best responses and hypergradients on a grid of assets, whose error is reported (``grid_error`` of the
    solution). From 0.3 everywhere to the best rates found, J rises from 28.735778 to 38.139134 (``BEST_RATES`` and
    ``BEST_KNOWN`` below, for three temperatures).
Arguments
    ``max_rate``, ``count_debt``, ``temperature``, ``leader_discount``, ``follower_discount``, ``horizon``, ``nodes``,
    ``num_households``.
    With ``num_households=n``, n households play at once, of one type after the other, and the leader is paid their
    mean; there are then no contexts, and the type is the second entry of a household's state. Which type has the odd
    household, and which begins, is drawn anew in each episode, so that types count alike for every n.
Sources
    Thoma et al. (2024), arXiv 2406.01575, the tax design experiment, and the configuration published with it:
    all rates start at 0.3, 60,000 steps are observed per update, 1,000 updates. Final values were published as curves
    only. In the published code the household's network has one independent head for each part of the action, and the
    gradient by the income tax leaves out the household's reaction.
Version history
    v0: first version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stackelberg_envs.arrays import (
    Array,
    IntArray,
    as_float,
    frozen,
    frozen_space,
    require_count,
    require_flag,
    require_positive,
    require_temperature,
)
from stackelberg_envs.envs.tax_design.economy import (
    Households,
    TaxFamily,
    TaxRules,
    asset_utility,
    consumption_slopes,
    consumption_utility,
    welfare,
    welfare_slopes,
)
from stackelberg_envs.errors import ArgumentError, GameError, StackelbergError
from stackelberg_envs.faces.registration import declare
from stackelberg_envs.games.batched import BatchedGame, BatchStep
from stackelberg_envs.games.cotangents import StepCotangents
from stackelberg_envs.games.samples import SampledCommitment, SampledEffect, Samples
from stackelberg_envs.play.session import cumulative

if TYPE_CHECKING:
    from gymnasium.spaces import Box, MultiDiscrete

    from stackelberg_envs.envs.tax_design.solution import TaxSolution

#: Exponents of the goods for each type of household.
PREFERENCES = ((0.6, 0.3, 0.1), (0.1, 0.7, 0.2))
#: Of the published experiment: where every rate starts, and what the leader observes.
PUBLISHED = {"start": 0.3, "steps_per_update": 60_000, "updates": 1_000}
DEFAULT_NODES = 8
MOST_NODES = 500
#: Best known rates and leader's values by temperature, rounded from docs/tables/best_known_tax_design.md, which
#: benchmarks/best_known_tax_design.py makes: every one of its starts ended there.
BEST_RATES = {
    0.1: (0.63849, 0.0, 0.0, 0.0),
    0.2: (0.62452, 0.0, 0.0, 0.22819),
    0.3: (0.60096, 0.00903, 0.0, 0.5478),
}
BEST_KNOWN = {0.1: 38.139134, 0.2: 39.042236, 0.3: 40.638837}


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


@dataclass(frozen=True, eq=False, kw_only=True)
class TaxGame(BatchedGame):
    """Tax design; see the module.

    Parameters
    ----------
    rules, households
        The economy: what is public and what only the households know.
    nodes
        Of the grid of assets in :meth:`solve`, per panel.
    typed_states
        Whether the type of a household is the second entry of its state; else it is the context.
    """

    suggested_follower: ClassVar[str] = "tax_grid"

    commitment: TaxSchedule
    rules: TaxRules
    households: Households
    nodes: int = DEFAULT_NODES
    typed_states: bool = False

    def __post_init__(self) -> None:
        """Check the numbers once, and that what is held twice is the same."""
        super().__post_init__()
        for name, kind in (("rules", TaxRules), ("households", Households), ("commitment", TaxSchedule)):
            if not isinstance(getattr(self, name), kind):
                raise GameError(f"{name}: expected {kind.__name__}, got {type(getattr(self, name)).__name__}")
        object.__setattr__(self, "nodes", _checked_nodes(self.nodes, GameError))
        object.__setattr__(self, "typed_states", require_flag(self.typed_states, "typed_states", GameError))
        self.commitment.require_agreement(self.rules, self.households, self.typed_states)
        shares = np.ones(1) if self.typed_states else self.households.probabilities
        if self.context_probabilities.shape != shares.shape or np.abs(self.context_probabilities - shares).max() > 1e-9:
            raise GameError(
                f"context_probabilities: expected {shares.tolist()}, as the households have them, "
                f"got {self.context_probabilities.tolist()}"
            )

    def replace(self, **changes: Any) -> TaxGame:
        """Return the same game with some arguments changed; it is checked again.

        Where types are contexts, their probabilities and those of the households are one thing: either may be given.
        A schedule that is not among the changes takes the rules and the households that are.
        """
        households, typed = changes.get("households", self.households), changes.get("typed_states", self.typed_states)
        if "context_probabilities" in changes and "households" not in changes and not typed:
            shares = as_float(changes["context_probabilities"], "context_probabilities")
            households = changes["households"] = replace(households, probabilities=shares)
        elif "context_probabilities" not in changes and isinstance(households, Households):
            changes["context_probabilities"] = np.ones(1) if typed else households.probabilities
        if "commitment" not in changes and isinstance(households, Households):
            rules, rate = changes.get("rules", self.rules), float(self.commitment.high[0])
            changes["commitment"] = TaxSchedule(rules, households.preferences, households.noise, rate, typed)
        return replace(self, **changes)

    @cached_property
    def state_space(self) -> Box:
        """Assets, and the type where it is a part of the state."""
        from gymnasium.spaces import Box

        low, high = [self.rules.low], [self.rules.high]
        if self.typed_states:
            low, high = [*low, 0.0], [*high, len(self.households.preferences) - 1.0]
        space: Box = frozen_space(Box(np.array(low, np.float32), np.array(high, np.float32)))
        return space

    @cached_property
    def follower_action_space(self) -> MultiDiscrete[Any]:
        """Hours and the amount of each good, in steps."""
        from gymnasium.spaces import MultiDiscrete

        space: MultiDiscrete[Any] = frozen_space(MultiDiscrete(np.array(self.rules.action_sizes)))
        return space

    @property
    def model_class(self) -> TaxFamily:
        """The form of the economy, from which a leader identifies it; it holds none of the households' numbers."""
        return TaxFamily(
            rules=self.rules,
            num_types=len(self.households.preferences),
            typed_states=self.typed_states,
            leader_discount=self.leader_discount,
            follower_discount=self.follower_discount,
            temperature=self.temperature if self.publish_temperature else None,
        )

    def initial_states(self, rng: np.random.Generator, contexts: IntArray) -> Array:
        """Draw initial assets, and the types of households where these are a part of the state.

        However many are drawn at once, each household is of each type with its probability: so a mean over households
        is worth what :meth:`solve` says.
        """
        n, home = len(contexts), self.households
        drawn = rng.normal(home.initial_mean, home.initial_deviation, n)
        assets = np.clip(drawn, self.rules.low, self.rules.high)
        if not self.typed_states:
            return assets[:, None]
        return np.column_stack([assets, _types_in_turn(rng, home.probabilities, n)])

    def step(
        self,
        rng: np.random.Generator,
        x: Array,
        states: Array,
        contexts: IntArray,
        leader_actions: Array,
        follower_actions: NDArray[np.integer],
    ) -> BatchStep:
        """Make one step of n copies."""
        del leader_actions
        assets, home = states[:, 0], self.households
        hours, goods = self.rules.amounts(follower_actions)
        kinds = states[:, 1].astype(np.intp) if self.typed_states else contexts
        mean = self.rules.mean_assets(x[0], assets, hours, goods.sum(axis=1))
        following = states.copy()
        following[:, 0] = _truncated_normal(rng, mean, home.noise, self.rules)
        enjoyed = consumption_utility(goods, x[1:], home.preferences[kinds])
        social = welfare(self.rules, x, hours, goods)
        return BatchStep(
            next_state=following,
            leader_reward=social + np.minimum(assets, 0.0) if self.rules.count_debt else social,
            follower_reward=asset_utility(home, assets) - home.disutility * hours**2 + enjoyed,
            terminated=np.zeros(len(states), np.bool_),
        )

    def solve(
        self, x: ArrayLike, *, nodes: int | None = None, tolerance: float = 1e-8, start: Sequence[Array] | None = None
    ) -> TaxSolution:
        """Return the exact answers on the grid of assets.

        Parameters
        ----------
        x
            The commitment.
        nodes
            Of the grid, per panel; default the game's.
        tolerance
            Bound on the error of the best response on the grid: of the probability of every group of actions.
        start
            ``solution.plan.values`` of a nearby commitment on the same grid, to save Newton steps.
        """
        from stackelberg_envs.envs.tax_design.plan import solve_tax
        from stackelberg_envs.envs.tax_design.solution import TaxPolicy, TaxSolution

        rates = self.commitment.check(x)
        made = solve_tax(
            self.rules,
            self.households,
            rates,
            temperature=self.temperature,
            follower_discount=self.follower_discount,
            leader_discount=self.leader_discount,
            nodes=self.nodes if nodes is None else _checked_nodes(nodes, ArgumentError),
            tolerance=tolerance,
            start=start,
        )
        return TaxSolution(rates, made, TaxPolicy(made, self.typed_states), self.horizon)


def _types_in_turn(rng: np.random.Generator, probabilities: Array, n: int) -> NDArray[np.intp]:
    """Return n types, one after the other, whose counts are as near to n times their probabilities as can be.

    What does not divide falls to types by chance, and the turn begins anywhere, so that at each place, and in the mean
    over places, each type has its probability.
    """
    drawn = np.searchsorted(cumulative(probabilities), (np.arange(n) + rng.random()) / n, side="right")
    rank = np.arange(n) - np.searchsorted(drawn, drawn)
    return np.roll(drawn[np.lexsort((drawn, rank))], int(rng.integers(n)))


def _checked_nodes(nodes: object, error: type[StackelbergError]) -> int:
    number = require_count(nodes, "nodes", 2, error)
    if number > MOST_NODES:
        raise error(f"nodes: expected at most {MOST_NODES} per panel, whose matrices fill two gigabytes, got {number}")
    return number


def _truncated_normal(rng: np.random.Generator, mean: Array, noise: float, rules: TaxRules) -> Array:
    """Draw normal numbers around means inside the range, and redraw those that fall outside."""
    drawn = mean + noise * rng.standard_normal(len(mean))
    while True:
        outside = np.flatnonzero((drawn < rules.low) | (drawn > rules.high))
        if not outside.size:
            return drawn
        drawn[outside] = mean[outside] + noise * rng.standard_normal(outside.size)


def make_game(
    *,
    max_rate: float = 2.0,
    count_debt: bool = True,
    temperature: float = 0.1,
    leader_discount: float = 0.9,
    follower_discount: float = 0.9,
    horizon: int = 200,
    nodes: int = DEFAULT_NODES,
    num_households: int | None = None,
) -> TaxGame:
    """Tax design as a batched game.

    Parameters
    ----------
    max_rate
        Upper bound of all four rates, above 0.
    count_debt
        Whether the leader's reward has the term min(m, 0), as published.
    temperature
        Weight of the follower's entropy, reward units; published 0.1, 0.2 and 0.3.
    leader_discount, follower_discount
        Per step.
    horizon
        Steps after which an episode is truncated.
    nodes
        Quadrature nodes per panel of the grid of assets; the exact answers' error falls fast in it.
    num_households
        Households that play at once, of one type after the other; the leader is paid their mean. Default one
        household, whose type is the context.

    Raises
    ------
    GameError
        A bound of the rates that is not positive, fewer than one household or than two nodes.
    """
    max_rate, temperature = require_positive(max_rate, "max_rate"), require_temperature(temperature)
    typed = num_households is not None
    rules = TaxRules(count_debt=count_debt)
    facts: dict[str, Any] = {"preferences": PREFERENCES, "published": PUBLISHED}
    K = len(PREFERENCES)
    households = Households(np.array(PREFERENCES), np.full(K, 1.0 / K))
    game = TaxGame(
        commitment=TaxSchedule(rules, households.preferences, households.noise, max_rate, typed),
        rules=rules,
        households=households,
        nodes=nodes,
        typed_states=typed,
        context_probabilities=np.ones(1) if typed else households.probabilities,
        num_followers=1 if num_households is None else require_count(num_households, "num_households", error=GameError),
        leader_discount=leader_discount,
        follower_discount=follower_discount,
        temperature=temperature,
        horizon=horizon,
        name="Tax design",
        facts=facts,
    )
    as_published = rules.count_debt and (leader_discount, follower_discount) == (0.9, 0.9)
    if as_published and temperature in BEST_KNOWN and max_rate >= max(BEST_RATES[temperature]):
        return game.replace(facts=facts | {"best_known": BEST_KNOWN[temperature]})
    return game


FACES = declare(make_game, renderer="stackelberg_envs.envs.tax_design.picture:tax_design")
raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES
