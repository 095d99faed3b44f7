"""What noisy values of commitments say of all others: a Gaussian process over the unit cube.

C. E. Rasmussen and C. K. I. Williams, "Gaussian Processes for Machine Learning" (2006), chapters 2 and 5. The kernel is
Matern's with 5/2, each coordinate has a length of its own, and the mean is a constant that is fitted along. The
variances of the values' errors are given.

Letters: n points, D coordinates, m places asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from stackelberg_envs.arrays import Array

__all__ = ["Surrogate", "fit_surrogate"]

#: What lengths are before any value is seen: log-normal around this part of the cube, and how wide.
USUAL, WIDE = 0.5, 1.0
#: Bounds of lengths.
SHORTEST, LONGEST = 0.01, 10.0
#: Part of the variance of values that no length explains, so that steps do not make all lengths short.
ROUGH = 1e-4
#: Iterations of a fit.
ITERATIONS = 15


@dataclass(frozen=True, eq=False)
class Surrogate:
    """A Gaussian process after values were seen.

    Attributes
    ----------
    points
        Shape (n, D).
    lengths
        Over which values change, shape (D,).
    size
        Standard deviation of values around their mean.
    mean
        That mean.
    weights, factor
        The values less the mean, divided by their covariance, shape (n,), and its lower Cholesky factor.
    """

    points: Array
    lengths: Array
    size: float
    mean: float
    weights: Array
    factor: Array

    @classmethod
    def of(cls, points: Array, values: Array, variances: Array, lengths: Array, size: float) -> Surrogate:
        """Return the process given values of points and the variances of their errors, each of shape (n,)."""
        factor = scipy.linalg.cholesky(_covariance(points, variances, lengths, size), lower=True)
        ones = scipy.linalg.cho_solve((factor, True), np.ones(len(points)))
        mean = float(values @ ones / ones.sum())
        weights = scipy.linalg.cho_solve((factor, True), values - mean)
        return cls(points, lengths, size, mean, weights, factor)

    def expected(self, places: Array) -> Array:
        """Return expected values, shape (m,), at places of shape (m, D)."""
        return np.asarray(self.mean + self._with(places) @ self.weights)

    def known(self, places: Array) -> tuple[Array, Array]:
        """Return expected values and their standard deviations, each of shape (m,)."""
        cross = self._with(places)
        left = scipy.linalg.solve_triangular(self.factor, cross.T, lower=True)
        return self.mean + cross @ self.weights, np.sqrt(np.maximum(self.size**2 - (left**2).sum(axis=0), 0.0))

    def _with(self, places: Array) -> Array:
        return np.asarray(self.size**2 * _matern(_distances(places, self.points, self.lengths)))


def fit_surrogate(points: Array, values: Array, variances: Array, start: Array | None = None) -> tuple[Array, float]:
    """Return the most likely lengths, shape (D,), and size.

    Parameters
    ----------
    points, values, variances
        Shapes (n, D), (n,) and (n,).
    start
        Lengths to begin at.
    """
    D, spread = points.shape[1], float(values.std()) or 1.0
    first = np.full(D, USUAL) if start is None else start
    found = scipy.optimize.minimize(
        _unlikely,
        np.log([*first, spread]),
        args=(points, values, variances, np.log(spread)),
        jac=True,
        method="L-BFGS-B",
        bounds=[(np.log(SHORTEST), np.log(LONGEST))] * D + [(np.log(0.1 * spread), np.log(30.0 * spread))],
        options={"maxiter": ITERATIONS},
    )
    return np.exp(found.x[:-1]), float(np.exp(found.x[-1]))


def _unlikely(logs: Array, points: Array, values: Array, variances: Array, spread: float) -> tuple[float, Array]:
    """Return minus the logarithm of the likelihood and of what was thought before, and the derivative by the logs."""
    lengths, size = np.exp(logs[:-1]), float(np.exp(logs[-1]))
    distances = _distances(points, points, lengths)
    signal = size**2 * _matern(distances)
    matrix = signal.copy()
    matrix[np.diag_indices_from(matrix)] += variances + ROUGH * size**2
    factor = scipy.linalg.cholesky(matrix, lower=True)
    inverse = scipy.linalg.cho_solve((factor, True), np.eye(len(points)))
    ones = inverse.sum(axis=1)
    residual = values - values @ ones / ones.sum()
    weights = inverse @ residual
    before = (logs[:-1] - np.log(USUAL)) / WIDE, logs[-1] - spread
    value = 0.5 * residual @ weights + np.log(np.diag(factor)).sum()
    value += 0.5 * (before[0] @ before[0]) + 0.5 * before[1] ** 2
    pull = 0.5 * (inverse - np.outer(weights, weights))
    # d signal / d log length_d is size^2 5/3 (1 + sqrt 5 r) exp(-sqrt 5 r) times the squared distance along d.
    root = np.sqrt(5.0) * distances
    slope = pull * size**2 * (5.0 / 3.0) * (1.0 + root) * np.exp(-root)
    gradient = np.empty_like(logs)
    for d in range(points.shape[1]):
        gradient[d] = (slope * ((points[:, d, None] - points[:, d]) / lengths[d]) ** 2).sum() + before[0][d] / WIDE
    gradient[-1] = 2.0 * ((pull * signal).sum() + ROUGH * size**2 * np.trace(pull)) + before[1]
    return float(value), gradient


def _covariance(points: Array, variances: Array, lengths: Array, size: float) -> Array:
    matrix = size**2 * _matern(_distances(points, points, lengths))
    matrix[np.diag_indices_from(matrix)] += variances + ROUGH * size**2
    return np.asarray(matrix)


def _distances(places: Array, points: Array, lengths: Array) -> Array:
    """Return distances in lengths, shape (m, n)."""
    return np.asarray(scipy.spatial.distance.cdist(places / lengths, points / lengths))


def _matern(distances: Array) -> Array:
    root = np.sqrt(5.0) * distances
    return np.asarray((1.0 + root + root**2 / 3.0) * np.exp(-root))
