"""What all conformity checks share: clauses, errors that name them, and bounds that hold at a stated rate."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import NormalDist
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ConformityError

__all__ = ["FALSE_ALARM", "agree", "attempt", "require_clause", "require_mean"]

#: Probability with which a sound game fails a check because of its random numbers, of all its comparisons together.
FALSE_ALARM = 1e-6
#: Comparisons by random numbers in one check, at most; each gets an equal part of the rate.
COMPARISONS = 1_000
#: Standard errors by which a normal mean is off as rarely as one comparison may be.
STANDARD_ERRORS = -NormalDist().inv_cdf(0.5 * FALSE_ALARM / COMPARISONS)
ROUNDING = float(np.finfo(np.float64).eps)


def require_clause(holds: Any, clause: str, detail: Any = "") -> None:
    """Raise ConformityError with the clause unless it holds."""
    if not holds:
        raise ConformityError(f"{clause}: {detail}" if detail != "" else clause)


@contextmanager
def attempt(clause: str, *passes: type[Exception]) -> Iterator[None]:
    """Run a part of a check; whatever the game or environment raises in it breaks the clause.

    Parameters
    ----------
    clause
        What has to work.
    passes
        Errors that mean something to the caller.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, (ConformityError, *passes)):
            raise
        raise ConformityError(f"{clause}: {type(error).__name__}: {error}") from error


def agree(one: Array, other: Array, tolerance: float, rounding: float = 0.0) -> tuple[bool, float]:
    """Return whether two arrays are equal up to a part of their largest entry, and by which part they differ.

    Parameters
    ----------
    one, other
        Of one shape and unit.
    tolerance
        The part that is allowed.
    rounding
        What the arithmetic behind them may miss, in their unit.
    """
    difference = float(np.abs(np.subtract(one, other)).max(initial=0.0))
    size = float(max(np.abs(one).max(initial=0.0), np.abs(other).max(initial=0.0)))
    return difference <= tolerance * size + rounding, difference / size if size else difference


def require_mean(values: Array, exact: float, allowed: float, spread: float | None, clause: str) -> None:
    """Raise unless the mean of independent numbers is near what it should be.

    Parameters
    ----------
    values
        Shape (n,).
    exact
        Their expectation.
    allowed
        By which it may be off for other reasons.
    spread
        Greatest minus least value that is possible, for a bound that holds for any distribution (Maurer and Pontil,
        2009); None where none is known: the mean is then taken to be normal.
    clause
        What is wrong if it is not.
    """
    n = len(values)
    # Means are taken in units of the largest value, whose square may be too large or too small for a float.
    unit = float(np.abs(values).max(initial=0.0)) or 1.0
    scaled = np.asarray(values) / unit
    mean, deviation = float(scaled.mean()), float(scaled.std(ddof=1))
    if spread is None:
        bound = STANDARD_ERRORS * deviation / math.sqrt(n)
    else:
        rare = math.log(4.0 * COMPARISONS / FALSE_ALARM)
        bound = deviation * math.sqrt(2.0 * rare / n) + 7.0 * spread / unit * rare / (3.0 * (n - 1))
    off = abs(mean - exact / unit)
    if not off <= bound + allowed / unit + 16 * ROUNDING * math.sqrt(n):
        errors = off * math.sqrt(n) / deviation if deviation else math.inf
        raise ConformityError(f"{clause}: {mean * unit:.6g} and {exact:.6g}, {errors:.1f} standard errors apart")
