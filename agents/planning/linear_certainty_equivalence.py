"""Certainty equivalence on batched games: the public form is fitted to all play, and the search goes on inside.

The game's `model_class` says what is public about its form: which numbers there are, not what they are. Fitted to
the play under all commitments so far it gives J and dJ/dx of any commitment at no cost in follower steps.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from agents.observing.brief import Brief
from agents.observing.trajectories import Trajectories
from agents.planning.box import BoxFound, BoxObjective, box_ascend, box_search
from agents.state import stateful
from agents.state.stateful import Field, Stateful
from agents.state.tree import Tree
from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, ConvergenceError, InstabilityError, OutputError

__all__ = ["IdentifiedPlanner"]


#: What a fit raises where play does not tell enough.
FITLESS = (InstabilityError, ConvergenceError, np.linalg.LinAlgError)


class _Remembered(Field):
    """One record, as the model class keeps it: an object of its ``record_type``, or plain values."""

    def save(self, value: Any) -> Tree:
        if is_dataclass(value) and not isinstance(value, type):
            return {item.name: getattr(value, item.name) for item in fields(value)}
        return value

    def load(self, tree: Tree, own: Any, owner: Any, where: str) -> Any:
        kind = owner.model_class.record_type
        if kind is None:
            return tree
        names = [item.name for item in fields(kind)]
        if not isinstance(tree, dict) or list(tree) != names:
            raise OutputError(f"{where}: expected a record of {', '.join(names)}, got another")
        return kind(**tree)


class IdentifiedPlanner(Stateful):
    """Chooses commitments for a leader that identifies a batched game.

    Parameters
    ----------
    brief
        Of a batched game with a `model_class`.
    config
        With `draws`, `replan`, `refine` and the fields of :class:`agents.planning.box.BoxSearchConfig`.
    first
        The first commitment.
    rng
        Of exploration and of random starts.
    """

    # The generator is the leader's.
    state_fields = stateful.fields(
        x=stateful.Array(),
        _best=stateful.Array(like="x", optional=True),
        _played=stateful.Array(like="x"),
        _records=stateful.List(_Remembered()),
        _updates=stateful.Count(),
        _steps=stateful.Count(),
        _planned_at=stateful.Number(low=0.0),
    )

    def __init__(self, brief: Brief, config: Any, first: Array, rng: np.random.Generator) -> None:
        if brief.model_class is None:
            raise ArgumentError(
                "certainty_equivalent: expected a game that publishes its form, but this one has no model class; "
                "bchg, naive, hpgd, zero_order, cma_es and random_search need none"
            )
        self.brief, self.config, self.rng = brief, config, rng
        self.model_class = brief.model_class
        self.x = first
        self._best: Array | None = None
        self._played = first
        self._records: list[Any] = []
        self._updates, self._steps, self._planned_at = 0, 0, 0.0

    def check_state(self, loaded: dict[str, Any], where: str) -> None:
        """Raise OutputError unless the model class can make something of the records."""
        if loaded["_updates"] != len(loaded["_records"]):
            raise OutputError(
                f"{where}: expected a record of each of {loaded['_updates']} updates, got {len(loaded['_records'])}"
            )
        if not loaded["_records"]:
            return
        try:
            self.model_class.fit(loaded["_records"])
        except FITLESS:
            return
        except Exception as exc:  # of whatever kind, from arrays that do not fit together
            raise OutputError(f"{where}: expected records of play in this game, got others ({exc})") from exc

    def update(self, trajectories: Trajectories) -> dict[str, float]:
        """Add the play to what is known, fit the form to it, and choose the next commitment."""
        self._remember(trajectories)
        self._played = np.asarray(trajectories.commitment)
        self._updates += 1
        found, diagnostics = self._plan()
        if found is not None:
            self._best = found
        exploring = self._updates <= self.config.draws or self._best is None
        commitment = self.brief.commitment
        drawn = commitment.low + (commitment.high - commitment.low) * self.rng.random(commitment.shape)
        self.x = drawn if exploring or self._best is None else self._best
        return {"exploring": float(exploring), **diagnostics}

    def recommend(self) -> Array:
        """Return the best commitment known; while there is none, the present one."""
        return self.x if self._best is None else self._best

    def shorten(self, share: float = 0.5) -> bool:
        """Go a share of the way back to the last commitment that was played."""
        self.x = self.x + share * (self._played - self.x)
        return True

    def _remember(self, trajectories: Trajectories) -> None:
        if trajectories.follower_reward is None:
            raise ArgumentError("trajectories: expected the follower's rewards, got none")
        # Some forms need only a few numbers of a record.
        self._records.append(self.model_class.compress(trajectories))
        self._steps += trajectories.num_steps

    def _plan(self) -> tuple[Array | None, dict[str, float]]:
        """Return the best commitment in the model, None where there is no model or nothing finite in it."""
        if self._updates < self.config.draws:
            return None, {"model_value": float("nan"), "model_unstable": 0.0}
        try:
            model = self.model_class.fit(self._records)
        except FITLESS:
            return None, {"model_value": float("nan"), "model_unstable": 1.0}
        commitment = self.brief.commitment
        value = getattr(model, "value", None)
        objective = BoxObjective(model.value_and_gradient, commitment.low, commitment.high, value)
        found = self._search(objective)
        diagnostics = {"model_value": found.value, "model_unstable": float(objective.unstable)}
        return (None if objective.unstable == objective.evaluations else objective.commitment(found.x)), diagnostics

    def _search(self, objective: BoxObjective) -> BoxFound:
        last = objective.unit(self.recommend())
        if self._steps >= self.config.replan * self._planned_at:
            self._planned_at = float(self._steps)
            return box_search(objective, self.config, self.rng, [last, np.full(objective.size, 0.5)])
        return box_ascend(objective, last, iterations=self.config.refine)
