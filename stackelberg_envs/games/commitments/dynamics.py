"""The leader configures linear dynamics, and pays for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from stackelberg_envs.arrays import Array, frozen
from stackelberg_envs.errors import CommitmentError, GameError
from stackelberg_envs.games.cotangents import StepCotangents
from stackelberg_envs.games.linear_forms import LinearForm, LinearNumbers, affine, as_vector, quadratic_form
from stackelberg_envs.games.matrices import as_matrix, as_symmetric, is_definite
from stackelberg_envs.games.samples import SampledCommitment, SampledEffect, Samples

__all__ = ["DynamicsCommitment"]


class DynamicsCommitment(SampledCommitment):
    """The leader configures linear dynamics, s' ~ N(A(x) s + B b, noise), and pays price * |x|^2 per step.

    It holds what the leader configures, the dynamics, as the score of a transition demands; it holds nothing of the
    follower's reward.

    Parameters
    ----------
    form
        How x enters A.
    weights
        The numbers of the dynamics, shape (N,).
    follower_input
        B, shape (W, B).
    noise
        Covariance, positive definite, shape (W, W).
    low, high
        Bounds of x, shape (D,).
    names
        A name for each entry of x.
    """

    changes = frozenset({"transition", "leader_reward"})

    def __init__(
        self,
        form: LinearForm,
        weights: ArrayLike,
        follower_input: ArrayLike,
        noise: ArrayLike,
        low: ArrayLike,
        high: ArrayLike,
        names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(low, high, names=names)
        if not isinstance(form, LinearForm):
            raise GameError(f"form: expected a LinearForm, got {type(form).__name__}")
        N, columns, W, _ = form.basis.shape
        if self.shape != (columns - 1,):
            raise GameError(
                f"low, high: expected shape {(columns - 1,)}, as the form has entries of x, got {self.shape}"
            )
        self.form = form
        #: The numbers of the dynamics, as they were given.
        self.weights = as_vector(weights, "weights")
        if self.weights.shape != (N,):
            raise GameError(f"weights: expected shape {(N,)}, as the form has matrices, got {self.weights.shape}")
        self.table = frozen(np.tensordot(self.weights, form.basis, 1))
        self.follower_input = as_matrix(follower_input, "follower_input")
        if self.follower_input.shape != (W, form.follower_action_size):
            expected = (W, form.follower_action_size)
            raise GameError(f"follower_input: expected shape {expected}, got {self.follower_input.shape}")
        self.noise = as_symmetric(noise, "noise")
        if len(self.noise) != W:
            raise GameError(f"noise: expected shape {(W, W)}, got {self.noise.shape}")
        if not is_definite(self.noise):
            raise GameError(f"noise: expected a positive definite covariance, got {self.noise.tolist()}")
        precision = np.linalg.inv(self.noise)
        self.precision: Array = frozen(0.5 * (precision + precision.T))
        self._constant = 0.5 * np.linalg.slogdet(2 * np.pi * self.noise)[1]

    @classmethod
    def of_numbers(
        cls,
        form: LinearForm,
        numbers: LinearNumbers,
        low: ArrayLike,
        high: ArrayLike,
        names: Sequence[str] | None = None,
    ) -> DynamicsCommitment:
        """Return the commitment of a game with this form and these numbers."""
        return cls(form, numbers.weights, numbers.follower_input, numbers.noise, low, high, names)

    def with_numbers(self, form: LinearForm, numbers: LinearNumbers) -> DynamicsCommitment:
        """Return the same commitment for another form and other numbers.

        Their noise may be singular: such moves have no density, and whoever asks for one is told so.
        """
        if not is_definite(numbers.noise):
            return _MovesWithoutDensity(form, numbers, self.low, self.high, self.names)
        return DynamicsCommitment.of_numbers(form, numbers, self.low, self.high, self.names)

    def effect_at(self, x: Array, samples: Samples) -> SampledEffect:
        """Return the log-density of the recorded moves, bounds of the state ignored, and the price of x."""
        away = self._away(x, samples)
        moves = -0.5 * quadratic_form(self.precision, away) - self._constant
        return SampledEffect(transition=moves, leader_reward=np.full(len(samples), -self.form.price * np.sum(x * x)))

    def vjp_at(self, x: Array, samples: Samples, cotangents: StepCotangents) -> Array:
        """Return the score of the recorded moves, weighted, and the derivative of the price.

        The sum over steps of c_t (s'_t - A s_t - B b_t) s_t' needs three small matrices and no move by itself.
        """
        out = np.zeros(x.shape)
        if cotangents.transition is not None:
            weighted = samples.state * cotangents.transition[:, None]
            expected = affine(self.table, x) @ (samples.state.T @ weighted)
            expected += self.follower_input @ (samples.follower_action.T @ weighted)
            score = self.precision @ (samples.next_state.T @ weighted - expected)
            out += np.tensordot(self.table[1:], score, 2)
        if cotangents.leader_reward is not None:
            out -= 2 * self.form.price * x * cotangents.leader_reward.sum()
        return out

    def _away(self, x: Array, samples: Samples) -> Array:
        expected = samples.state @ affine(self.table, x).T + samples.follower_action @ self.follower_input.T
        return np.asarray(samples.next_state - expected)


class _MovesWithoutDensity(DynamicsCommitment):
    """A commitment whose moves have singular noise: it can be played, but no score can be computed from play."""

    def __init__(
        self,
        form: LinearForm,
        numbers: LinearNumbers,
        low: ArrayLike,
        high: ArrayLike,
        names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(form, numbers.weights, numbers.follower_input, np.eye(form.sizes[0]), low, high, names)
        self.noise = numbers.noise

    def effect_at(self, x: Array, samples: Samples) -> SampledEffect:
        """Refuse: there is no density."""
        raise CommitmentError(f"noise: expected a positive definite covariance, got {self.noise.tolist()}")

    def vjp_at(self, x: Array, samples: Samples, cotangents: StepCotangents) -> Array:
        """Refuse: there is no density."""
        raise CommitmentError(f"noise: expected a positive definite covariance, got {self.noise.tolist()}")
