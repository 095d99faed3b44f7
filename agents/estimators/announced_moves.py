"""The dynamics that a commitment sets, as a leader can read them off it: Gaussian moves around means.

A leader that commits to dynamics knows their log-density, since its score is a part of the gradient. Where that is
quadratic in the next state, differences of it tell the mean next state of any step and the covariance around it, and no
recorded move has to stand for them. Recorded moves that the announced dynamics do not make, such as those that a bound
of the state has cut off, then do no harm.

Letters: n steps, W state size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.samples import SampledCommitment, Samples

__all__ = ["AnnouncedMoves"]

#: Relative error of a log-density that is taken for a Gaussian one of the same covariance everywhere.
GAUSSIAN = 1e-5


@dataclass(frozen=True, eq=False)
class AnnouncedMoves:
    """Moves s' ~ N(mean(s, a, b), covariance) under one commitment.

    Attributes
    ----------
    commitment, x
        What was announced.
    covariance
        Shape (W, W).
    widths
        Of the differences by which the log-density is read, shape (W,).
    """

    commitment: SampledCommitment
    x: Array
    covariance: Array
    widths: Array

    @classmethod
    def read(cls, commitment: SampledCommitment, x: Array, samples: Samples) -> AnnouncedMoves | None:
        """Return the moves that x sets, read at the samples; None where it sets none or they are not such Gaussians."""
        if "transition" not in commitment.changes:
            return None
        W = samples.state.shape[1]
        widths = np.std(samples.next_state - samples.state, axis=0)
        if not (widths > 0).all():
            return None
        made = cls(commitment, x, np.eye(W), widths)
        precision = np.empty((len(samples), W, W))
        with np.errstate(all="ignore"):
            middle = made.log_density(samples, np.zeros(W))
            up, down = (
                np.stack([made.log_density(samples, sign * step) for step in np.diag(widths)]) for sign in (1, -1)
            )
            for i in range(W):
                for j in range(i, W):
                    both = made.log_density(samples, np.diag(widths)[i] + np.diag(widths)[j])
                    bend = (both - up[i] - up[j] + middle) / (widths[i] * widths[j])
                    precision[:, i, j] = precision[:, j, i] = -bend
        # Of quadratic functions all second differences agree, wherever they are taken.
        size = np.abs(np.concatenate([middle[None], up, down])).max()
        again = (2.0 * middle - up - down) / widths[:, None] ** 2
        mean = precision.mean(axis=0)
        error = np.abs(precision - mean) * np.outer(widths, widths)
        twice = np.abs(again - np.diag(mean)[:, None]) * widths[:, None] ** 2
        if not np.isfinite(size) or max(error.max(), twice.max()) > GAUSSIAN * size or np.linalg.eigvalsh(mean)[0] <= 0:
            return None
        return replace(made, covariance=np.linalg.inv(mean))

    def log_density(self, samples: Samples, shift: Array) -> Array:
        """Return the log-density of moves that end beside the recorded ones, shape (n,)."""
        found = self.commitment.effect_at(self.x, replace(samples, next_state=samples.next_state + shift)).transition
        return np.full(len(samples), np.nan) if found is None else found

    def mean(self, samples: Samples) -> Array:
        """Return the mean next states, shape (n, W); from where the samples' own next states are does not matter."""
        slopes = [
            (self.log_density(samples, step) - self.log_density(samples, -step)) / (2.0 * width)
            for step, width in zip(np.diag(self.widths), self.widths, strict=True)
        ]
        return np.asarray(samples.next_state + np.stack(slopes, axis=1) @ self.covariance)
