"""The budget of a run: how often the leader commits, and how much of the follower's play it sees each time."""

from __future__ import annotations

from typing import NamedTuple

from stackelberg_envs.errors import ArgumentError

__all__ = ["DEFAULT_STEPS", "DEFAULT_STEPS_PER_UPDATE", "Budget", "budget_of"]

#: Follower steps that a leader observes in all, where nobody says.
DEFAULT_STEPS = 100_000
#: Follower steps after each commitment, where only the number of updates is said.
DEFAULT_STEPS_PER_UPDATE = 1_000


class Budget(NamedTuple):
    """What a leader is given: its updates, and the follower steps that it sees in each."""

    updates: int
    steps_per_update: int


def budget_of(steps: int | None, updates: int | None, steps_per_update: int | None, preferred: int) -> Budget:
    """Return what was said of a budget, completed.

    Parameters
    ----------
    steps
        Follower steps in all; None: 100,000, unless the other two say it. They are never exceeded, and where they do
        not divide evenly, fewer than one update of them is left.
    updates, steps_per_update
        As in :class:`Budget`; None where nobody said it.
    preferred
        Steps per update that the leader likes best, where only `steps` is given or nothing.

    Raises
    ------
    ArgumentError
        Three numbers that contradict one another, or fewer steps than one update has.
    """
    if updates is not None and steps_per_update is not None:
        if steps is not None and steps != updates * steps_per_update:
            raise ArgumentError(
                f"steps: expected updates x steps_per_update = {updates:,} x {steps_per_update:,} = "
                f"{updates * steps_per_update:,}, or one of the three less, got {steps:,}"
            )
        return Budget(updates, steps_per_update)
    if updates is not None:
        if steps is None:
            return Budget(updates, DEFAULT_STEPS_PER_UPDATE)
        if steps < updates:
            raise ArgumentError(f"steps: expected at least one for each of {updates:,} updates, got {steps:,}")
        return Budget(updates, steps // updates)
    if steps_per_update is not None:
        if steps is not None and steps < steps_per_update:
            raise ArgumentError(f"steps: expected at least steps_per_update = {steps_per_update:,}, got {steps:,}")
        return Budget(max(1, (steps or DEFAULT_STEPS) // steps_per_update), steps_per_update)
    steps = DEFAULT_STEPS if steps is None else steps
    updates = max(1, round(steps / preferred))
    return Budget(updates, steps // updates)
