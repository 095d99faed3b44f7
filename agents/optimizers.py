"""Optimizers on NumPy vectors. They ascend: the leader's value is to grow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, unknown_name

__all__ = ["Adam", "Optimizer", "Sgd", "clip_norm", "make_optimizer"]


class Optimizer(Protocol):
    """Turns gradients into steps; may keep state between them."""

    def step(self, gradient: Array) -> Array:
        """Return the step to add to theta."""


@dataclass
class Sgd:
    """Plain gradient ascent, with optional heavy-ball momentum.

    Parameters
    ----------
    learning_rate
        Step per unit of gradient.
    momentum
        In [0, 1).
    """

    learning_rate: float
    momentum: float = 0.0
    _velocity: Array | None = None

    def step(self, gradient: Array) -> Array:
        """Return the step to add to theta."""
        velocity = gradient if self._velocity is None else self.momentum * self._velocity + gradient
        self._velocity = velocity
        return self.learning_rate * velocity


@dataclass
class Adam:
    """Adam (Kingma and Ba, 2015).

    Parameters
    ----------
    learning_rate
        Largest step per entry, about.
    beta1, beta2
        Decay of the averages of gradient and squared gradient.
    epsilon
        Added to the root of the latter.
    """

    learning_rate: float
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    _mean: Array | None = None
    _square: Array | None = None
    _count: int = 0

    def step(self, gradient: Array) -> Array:
        """Return the step to add to theta."""
        mean = np.zeros_like(gradient) if self._mean is None else self._mean
        square = np.zeros_like(gradient) if self._square is None else self._square
        self._count += 1
        self._mean = self.beta1 * mean + (1 - self.beta1) * gradient
        self._square = self.beta2 * square + (1 - self.beta2) * gradient**2
        corrected = self._mean / (1 - self.beta1**self._count)
        root = np.sqrt(self._square / (1 - self.beta2**self._count))
        return np.asarray(self.learning_rate * corrected / (root + self.epsilon))


def clip_norm(gradient: Array, limit: float | None) -> Array:
    """Return the gradient, shortened to Euclidean norm `limit` where it is longer."""
    if limit is None:
        return gradient
    norm = float(np.linalg.norm(gradient))
    return gradient if norm <= limit else gradient * (limit / norm)


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
