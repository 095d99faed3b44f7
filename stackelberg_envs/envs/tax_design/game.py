"""The game of tax design: how households live under a schedule of taxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stackelberg_envs.arrays import Array, IntArray, as_float, frozen_space, require_count, require_flag
from stackelberg_envs.envs.tax_design.economy import (
    Households,
    TaxFamily,
    TaxProblem,
    TaxRules,
    asset_utility,
    consumption_utility,
    welfare,
)
from stackelberg_envs.envs.tax_design.schedule import TaxSchedule
from stackelberg_envs.errors import ArgumentError, GameError, StackelbergError
from stackelberg_envs.games.tabular_checks import with_facts_left
from stackelberg_envs.games.vector import BatchStep, VectorGame
from stackelberg_envs.play.simulators import cumulative

if TYPE_CHECKING:
    from gymnasium.spaces import Box, MultiDiscrete

    from stackelberg_envs.envs.tax_design.solution import TaxSolution

__all__ = ["DEFAULT_NODES", "TaxGame"]

DEFAULT_NODES = 8
MOST_NODES = 500


@dataclass(frozen=True, eq=False, kw_only=True)
class TaxGame(VectorGame):
    """Tax design; see :mod:`stackelberg_envs.envs.tax_design_v0`.

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
        changes = with_facts_left(self, changes)
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

    @cached_property
    def problem(self) -> TaxProblem:
        """What the exact solution depends on."""
        return TaxProblem(**{item.name: getattr(self, item.name) for item in fields(TaxProblem)})

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
            horizon=self.horizon,
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
            ``solution.values`` of a nearby commitment on the same grid, to save Newton steps.
        """
        from stackelberg_envs.envs.tax_design.solution import solve_tax

        count = self.nodes if nodes is None else _checked_nodes(nodes, ArgumentError)
        return solve_tax(self.problem, self.commitment.check(x), nodes=count, tolerance=tolerance, start=start)


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
