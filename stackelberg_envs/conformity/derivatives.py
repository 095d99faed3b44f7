"""Whether the derivative that a commitment over tables states is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.conformity.clauses import ROUNDING, agree, require_clause
from stackelberg_envs.conformity.vector_games import DIFFERENCE_STEPS
from stackelberg_envs.errors import ConformityError
from stackelberg_envs.games.commitments.base import DIFFERENCE_STEP, Commitment, finite_difference_vjp
from stackelberg_envs.games.cotangents import Cotangents

__all__ = ["check_vjp"]

#: Derivatives are compared up to so many entries of x.
MAX_ENTRIES = 500
RELATIVE_TOLERANCE = 1e-5


def check_vjp(
    commitment: Commitment,
    x: Array,
    shapes: Mapping[str, tuple[int, ...]],
    values: Mapping[str, Array],
    rng: np.random.Generator,
) -> None:
    """Compare a commitment's derivative with central differences, for random cotangents of one array at a time.

    Parameters
    ----------
    commitment
        What is checked, in what it `changes`.
    x
        Where.
    shapes
        Name of an array of the game -> shape of its cotangents.
    values
        Name -> the array under x, whose size says what rounding makes of differences.
    rng
        For the cotangents.

    Raises
    ------
    ConformityError
        They differ by more than a part of 1e-5 and rounding, whatever the step of the differences.
    """
    if x.size > MAX_ENTRIES:
        return
    width = np.where(commitment.high > commitment.low, commitment.high - commitment.low, 1.0)
    for name in sorted(commitment.changes & shapes.keys()):
        given: dict[str, Any] = {other: np.zeros(size) for other, size in shapes.items()}
        cotangents = Cotangents(**given | {name: rng.standard_normal(shapes[name])})
        exact = commitment.vjp(x, cotangents)
        require_clause(np.shape(exact) == x.shape, "commitment.vjp returns the shape of x", np.shape(exact))
        rounding, errors = 16 * ROUNDING * float(np.abs(values[name]).sum()), []
        for step in _other_steps(commitment):
            differences = finite_difference_vjp(commitment, x, cotangents, step)
            # In units of the widths, in which entries of x can be compared.
            same, error = agree(exact * width, differences * width, RELATIVE_TOLERANCE, rounding / step)
            errors.append(error)
            if same:
                break
        else:
            found = f"error {min(errors):.1e} of its {name}"
            raise ConformityError(f"commitment.vjp agrees with finite differences: {found}")


def _other_steps(commitment: Commitment) -> tuple[float, ...]:
    """Return steps of differences; where the derivative is itself a difference, others than its own."""
    inherited = type(commitment).vjp is Commitment.vjp
    return tuple(step for step in DIFFERENCE_STEPS if not (inherited and step == DIFFERENCE_STEP))
