"""The leader commits to a linear policy of vector states."""

from __future__ import annotations

import numpy as np

from stackelberg_envs.arrays import Array, require_positive
from stackelberg_envs.errors import GameError
from stackelberg_envs.games.commitments.base import need
from stackelberg_envs.games.cotangents import StepCotangents
from stackelberg_envs.games.linear_forms import LARGEST_STATE
from stackelberg_envs.games.samples import SampledCommitment, SampledEffect, Samples

__all__ = ["GainCommitment"]


class GainCommitment(SampledCommitment):
    """The leader commits to a linear policy: a ~ N(x s, noise^2), x = K.

    Parameters
    ----------
    shape
        (A, W).
    bound
        Entries of x lie in [-bound, bound].
    noise
        Standard deviation of each entry of a, positive. The game's form has its square; see
        :meth:`stackelberg_envs.games.linear_forms.LinearForm.of_gain`.
    """

    changes = frozenset({"leader_policy"})

    def __init__(self, shape: tuple[int, int], bound: float, noise: float) -> None:
        limit = require_positive(bound, "bound")
        super().__init__(-limit, limit, shape)
        if len(self.shape) != 2:
            raise GameError(f"shape: expected two sizes, (A, W), got {shape!r}")
        self.noise = require_positive(noise, "leader_noise")
        if not 1.0 / LARGEST_STATE <= self.noise <= LARGEST_STATE:
            limits = f"[{1.0 / LARGEST_STATE:g}, {LARGEST_STATE:g}]"
            raise GameError(f"leader_noise: expected a number in {limits}, got {noise!r}")

    @property
    def gains(self) -> Array:
        """What the gain K(x) = x is made of, shape (1 + D, A, W); see `LinearForm`."""
        A, W = self.shape
        return np.concatenate([np.zeros((1, A * W)), np.eye(A * W)]).reshape(-1, A, W)

    def effect_at(self, x: Array, samples: Samples) -> SampledEffect:
        """Return the log-density of the leader's actions."""
        away = self._away(x, samples) / self.noise
        constant = away.shape[1] * np.log(self.noise * np.sqrt(2 * np.pi))
        return SampledEffect(leader_policy=-0.5 * (away * away).sum(axis=1) - constant)

    def vjp_at(self, x: Array, samples: Samples, cotangents: StepCotangents) -> Array:
        """Return the score of the recorded actions, weighted: sum_t c_t (a_t - x s_t) s_t' / noise^2."""
        weight = need(cotangents.leader_policy, "leader_policy")
        away = self._away(x, samples)
        return np.asarray((away * weight[:, None]).T @ samples.state / self.noise**2)

    @staticmethod
    def _away(x: Array, samples: Samples) -> Array:
        return np.asarray(samples.leader_action - samples.state @ x.T)
