"""Optimizers on NumPy vectors. They ascend: the leader's value is to grow.

None of them knows an absolute size: gradients times a number, in a unit times that number, make the same steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, unknown_name

from ..state import stateful
from ..state.stateful import Stateful

__all__ = ["Adam", "Optimizer", "Sgd", "clip_norm", "length", "make_optimizer", "power_of_two"]


#: Of the size and dtype of the gradient, which whoever has the optimizer checks.
VECTOR = stateful.Array((None,), dtype=(np.float64, np.float32), optional=True)


class Optimizer(Protocol):
    """Turns gradients into steps; may keep state between them."""

    def step(self, gradient: Array) -> Array:
        """Return the step to add to theta."""


@dataclass
class Sgd(Stateful):
    """Plain gradient ascent, with optional heavy-ball momentum.

    Parameters
    ----------
    learning_rate
        Step for a gradient of one unit.
    momentum
        In [0, 1).
    unit
        What gradients are measured in; who steps may change it.
    """

    state_fields = stateful.fields(_velocity=VECTOR)

    learning_rate: float
    momentum: float = 0.0
    unit: float = 1.0
    _velocity: Array | None = None

    def step(self, gradient: Array) -> Array:
        """Return the step to add to theta."""
        scaled = gradient / self.unit
        velocity = scaled if self._velocity is None else self.momentum * self._velocity + scaled
        self._velocity = velocity
        return self.learning_rate * velocity


@dataclass
class Adam(Stateful):
    """Adam (Kingma and Ba, 2015).

    Parameters
    ----------
    learning_rate
        Largest step per entry, about.
    beta1, beta2
        Decay of the averages of gradient and squared gradient.
    epsilon
        Added to the root of the latter, in units of its largest entry.
    """

    state_fields = stateful.fields(
        _mean=VECTOR,
        _root=VECTOR,
        _count=stateful.Count(),
    )

    learning_rate: float
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    _mean: Array | None = None
    _root: Array | None = None
    _count: int = 0

    def step(self, gradient: Array) -> Array:
        """Return the step to add to theta."""
        mean = np.zeros_like(gradient) if self._mean is None else self._mean
        root = np.zeros_like(gradient) if self._root is None else self._root
        self._count += 1
        self._mean = self.beta1 * mean + (1 - self.beta1) * gradient
        # The root itself is kept: squares of small gradients would be zero, those of large ones infinite.
        self._root = np.hypot(math.sqrt(self.beta2) * root, math.sqrt(1 - self.beta2) * gradient)
        corrected = self._mean / (1 - self.beta1**self._count)
        size = self._root / math.sqrt(1 - self.beta2**self._count)
        size = size + self.epsilon * size.max(initial=0.0)
        step: Array = np.zeros_like(corrected)
        np.divide(corrected, size, out=step, where=size > 0)
        return self.learning_rate * step


def clip_norm(gradient: Array, limit: float, unit: float = 1.0) -> Array:
    """Return the gradient, shortened to Euclidean norm `limit` times `unit` where it is longer."""
    norm = length(gradient)
    return gradient if norm <= limit * unit else gradient * (limit * unit / norm)


def length(vector: Array) -> float:
    """Return the Euclidean norm, also where squares of the entries would be zero or infinite."""
    largest = float(np.abs(vector).max(initial=0.0))
    return largest * float(np.linalg.norm(vector / largest)) if 0.0 < largest < np.inf else largest


def power_of_two(size: float) -> float:
    """Return the power of two next to a positive number, so that dividing by it rounds nothing; 1 for zero."""
    return float(2.0 ** np.clip(np.round(np.log2(size)), -1022, 1023)) if size > 0 else 1.0


def make_optimizer(name: str, learning_rate: float) -> Optimizer:
    """Return "sgd" or "adam".

    Raises
    ------
    UnknownNameError
        Another name.
    ArgumentError
        A learning rate that is not positive.
    """
    kinds: dict[str, type[Sgd] | type[Adam]] = {"sgd": Sgd, "adam": Adam}
    if name not in kinds:
        raise unknown_name("optimizer", name, kinds)
    if not (np.isfinite(learning_rate) and learning_rate > 0):
        raise ArgumentError(f"learning_rate: expected a number greater than 0, got {learning_rate!r}")
    return kinds[name](learning_rate)
