r"""Values and occupancies from a bag of recorded steps, where the discount makes the end of an episode unfelt.

A step counts by how often states like its own are visited from the game's first states, not by how many steps into its
episode it happened to be recorded. With features :math:`\psi`, the matrix :math:`M = \Psi^T(\Psi - \gamma \bar\Psi')`
of least-squares temporal differences gives values and, transposed, what each recorded step counts:

.. math::
    \psi(s)\, u = \psi(s)\, M^{-1} \Psi^T r , \qquad
    \omega_t = \psi(s_t)\, M^{-T} E[\psi(s_0)] , \qquad
    J = E[\psi(s_0)]\, u = \sum_t \omega_t r_t .

So all steps of an episode have their part, those too whose discount has died away; and the first states are those of
all play so far, since no commitment moves them. Traces are carried along by the same matrix.

What next states are on average is read off the announced dynamics (:mod:`agents.estimators.announced_moves`) where the
commitment sets them, and fitted else. So neither the noise of moves nor moves that the state's bounds cut off enter.

Letters: T steps, F features, W state size, M first states.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.samples import Actions, ActionSpec, SampledCommitment, Samples

from ..observing.trajectories import Trajectories
from .action_nodes import (
    Behaviour,
    DiscreteBehaviour,
    GaussianBehaviour,
    GaussianNodes,
    encode,
    gaussian_nodes,
    weighted_sum,
)
from .announced_moves import AnnouncedMoves
from .first_states import FirstStates
from .regression import Bumps, LeastSquares, Regression, StateFeatures, Whitening, quadratic_features
from .step_model import PlayerValues, Reached, StepModel

__all__ = ["OccupancyModel"]

#: Bumps beside the quadratic features.
BUMPS = Bumps(count=10)
#: Ridges on bumps, relative to the squares of the columns, the first with which motion does not grow; and the shortest
#: column. No motion of a mean grows: fits to few steps in which it does are worth nothing near 1 / discount.
RIDGES, SHORTEST = (1e-6, 1e-4, 1e-3, 1e-2, 1e-1), 1e-3
#: Eigenvalues up to this are taken for ones.
LARGEST = 1.01
#: Singular values of the equations below this, relative to the largest, are taken for zero.
RANK = 1e-11
#: Rewards are quadratic where a quadratic function leaves less than this part of them.
QUADRATIC = 1e-6


class _Moves(Protocol):
    """Mean next states and the covariance around them."""

    @property
    def covariance(self) -> Array:
        """Shape (W, W)."""

    def mean(self, samples: Samples) -> Array:
        """Return the mean next states, shape (T, W)."""


@dataclass(frozen=True, eq=False)
class _FittedMoves:
    """Moves by regression on states and both players' actions."""

    motion: Regression
    covariance: Array
    spec: ActionSpec

    @classmethod
    def of(cls, samples: Samples, spec: ActionSpec) -> _FittedMoves:
        rows = _rows(samples, spec)
        motion = Regression.simplest(rows, samples.next_state)
        left = samples.next_state - motion(rows)
        return cls(motion, left.T @ left / max(len(left) - len(motion.weights), 1), spec)

    def mean(self, samples: Samples) -> Array:
        return self.motion(_rows(samples, self.spec))


def _rows(samples: Samples, spec: ActionSpec) -> Array:
    return np.concatenate([samples.state, samples.leader_action, encode(samples.follower_action, spec)], axis=1)


class OccupancyModel(StepModel):
    """Values and occupancies of one commitment's play.

    Parameters
    ----------
    play
        What was observed under one commitment.
    spec
        The follower's actions.
    features
        "quadratic", "local" or "auto": quadratic ones, with bumps beside unless all that is seen is quadratic.
    num_contexts
        K.
    rng
        Draws the centres of bumps.
    commitment
        Which may set the dynamics.
    first
        First states of all play.
    """

    def __init__(
        self,
        play: Trajectories,
        spec: ActionSpec,
        features: str,
        num_contexts: int,
        rng: np.random.Generator,
        commitment: SampledCommitment,
        first: FirstStates,
    ) -> None:
        steps = play.samples
        self._moves: _Moves = AnnouncedMoves.read(commitment, play.commitment, steps) or _FittedMoves.of(steps, spec)
        rows = _rows(steps, spec)
        self._paid = Whitening.of(rows)
        boxed = spec.counts is None
        if features == "auto":
            features = "quadratic" if boxed and self._all_is_quadratic(play, rows) else "local"
        whitening = Whitening.of(np.concatenate([steps.state, steps.next_state[play.offsets[1:] - 1]]))
        local = features == "local"
        bumps = BUMPS.among(whitening(steps.state), rng) if local else None
        psi = StateFeatures(whitening, num_contexts, bumps, shared=True)
        behaviour: Behaviour
        behaviour = GaussianBehaviour(steps, linear=not local) if boxed else DiscreteBehaviour(steps, psi, spec)
        self._move_nodes = _move_nodes(self._moves.covariance, exact_squares=not local)
        super().__init__(play, spec, psi, behaviour, rng)
        self.leader_reward, self.follower_reward = play.leader_reward, play.follower_reward
        self.here = psi(steps.state, steps.context)
        # Nothing is known of contexts that were not played.
        seen = np.isin(first.contexts, play.context)
        self._first = psi(first.states[seen], first.contexts[seen]).mean(axis=0)
        length = np.sqrt((self.here**2).sum(axis=0))
        length = np.maximum(length, SHORTEST * length.max()) if local else length
        self._scale = np.where(length > 0, length, 1.0)
        self._scaled = self.here / self._scale
        #: On the diagonal of the equations, shape (F,).
        self._ridge = np.zeros(len(self._scale))
        for ridge in RIDGES if bumps is not None else ():
            self._ridge[num_contexts * quadratic_features(steps.state[:1]).shape[1] :] = ridge
            if np.abs(np.linalg.eigvals(self.operator)).max() <= LARGEST:
                break

    def _all_is_quadratic(self, play: Trajectories, rows: Array) -> bool:
        """Return whether moves are linear and rewards quadratic in all that is seen."""
        columns, targets = quadratic_features(self._paid(rows)), [play.leader_reward]
        if play.follower_reward is not None:
            targets.append(play.follower_reward)
        if len(columns) <= columns.shape[1]:
            return True
        rewards, mean = np.stack(targets, axis=1), self._moves.mean(play.samples)
        left = rewards - columns @ LeastSquares(columns).solve(rewards)
        bent = mean - Regression.of(rows, mean, squares=False)(rows)
        return bool(
            (np.abs(left).max(axis=0) <= QUADRATIC * np.abs(rewards).max(axis=0)).all()
            and np.abs(bent).max() <= QUADRATIC * np.abs(mean).max()
        )

    def reach(self, a: Array, b: Actions) -> Reached:
        """Return where the steps lead under actions (T, A) and (T, B): means of the features of the next state."""
        steps = replace(self.steps, leader_action=a, follower_action=b)
        mean = self._moves.mean(steps)
        features = weighted_sum(
            self._move_nodes.weights, [self.features(mean + shift, steps.context) for shift in self._move_nodes.shifts]
        )
        boxed = self._spec.counts is None
        paid = quadratic_features(self._paid(_rows(steps, self._spec))) if boxed else np.empty((len(mean), 0))
        return Reached(mean, features, paid)

    def player(self, rewards: Array, discount: float, *, horizon: int | None = None) -> PlayerValues:
        """Return the values of the player that is paid `rewards`, shape (T,), as if play had no end."""
        del horizon
        boxed, going, F = self._spec.counts is None, self.going, self.here.shape[1]
        weights, mean = self.behaviour.weights, rewards
        paid = np.empty(0)
        if boxed:
            columns = np.concatenate([self.here, self.recorded.paid], axis=1)
            paid = LeastSquares(columns).solve(rewards)[F:]
            mean = rewards + (weighted_sum(weights, [node.paid for node in self.nodes]) - self.recorded.paid) @ paid
        u = self._solve(self._matrix(discount), self._scaled.T @ mean) / self._scale

        def of_next(states: Array) -> Array:
            return np.asarray(self.features(states, self.steps.context) @ u)

        def q(reached: Reached) -> Array:
            now = reached.paid @ paid if boxed else rewards
            return np.asarray(now + discount * going * (reached.features @ u))

        recorded = q(self.recorded)
        at = [[q(reached)[:, None] for reached in found] for found in (self.nodes, self.nodes_at_mean)]
        given, base = (part[:, 0] for part in self.behaviour.means(recorded[:, None], *at))
        ahead = going * of_next(self.steps.next_state)
        return PlayerValues(
            advantage=recorded - given,
            mean=given,
            action=given - base,
            next=ahead - going * (self.recorded.features @ u),
            error=float(np.abs(rewards + discount * ahead - self.here @ u).mean()),
            q=q,
            of_next=of_next,
        )

    def visits(self, discount: float) -> Array:
        """Return what each step counts in the discounted occupancy from the first states, shape (T,)."""
        return np.asarray(self._scaled @ self._solve(self._matrix(discount).T, self._first / self._scale))

    def expected_trace(self, increments: Sequence[Array], discount: float) -> Array:
        """Return the mean trace that reaches each step from earlier ones, given its state; shape (T,)."""
        pushed = np.zeros(self.here.shape[1])
        for node, increment in zip(self.nodes, increments, strict=True):
            pushed += node.features.T @ (increment * self.going)
        arriving = self._solve(self._matrix(discount).T, discount * pushed / self._scale)
        return np.asarray(self._scaled @ arriving)

    @cached_property
    def _ahead(self) -> Array:
        """Means of the features of the next state over moves and behaviour, scaled, shape (T, F)."""
        mean = weighted_sum(self.behaviour.weights, [node.features for node in self.nodes])
        return mean * self.going[:, None] / self._scale

    @property
    def operator(self) -> Array:
        """K with E[psi(s') | s] = psi(s) K, shape (F, F)."""
        squares = self._scaled.T @ self._scaled + np.diag(self._ridge)
        found = self._solve(squares, self._scaled.T @ self._ahead)
        return found / self._scale[:, None] * self._scale

    def _matrix(self, discount: float) -> Array:
        """The matrix of temporal differences, of scaled features, shape (F, F)."""
        made = self._scaled.T @ (self._scaled - discount * self._ahead)
        return made + np.diag(self._ridge)

    def _solve(self, matrix: Array, right: Array) -> Array:
        return np.asarray(np.linalg.lstsq(matrix, right, rcond=RANK)[0])

    @cached_property
    def _noise(self) -> GaussianNodes:
        """One of each two opposite nodes of the moves' noise, with their common weights."""
        nodes = self._move_nodes
        leading = nodes.shifts[np.arange(len(nodes.shifts)), np.abs(nodes.shifts).argmax(axis=1)]
        return replace(nodes, shifts=nodes.shifts[leading > 0], weights=2.0 * nodes.weights[leading > 0])


def _move_nodes(covariance: Array, exact_squares: bool) -> GaussianNodes:
    return GaussianNodes.around(covariance, *gaussian_nodes(len(covariance), exact_squares))
