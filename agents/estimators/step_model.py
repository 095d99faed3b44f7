r"""What critics of games with vectors fit to play: where a step leads on average, and how the follower acts.

Everything is built from one map :math:`\psi` of states to features. A step's mean next state
:math:`\hat s'(s,a,b)` is fitted first, and the follower's behaviour as nodes that stand for its action. The features of
next states and the columns on which rewards may depend are then evaluated once at each step for the recorded action,
for the nodes, and for the nodes at the leader's mean action; values of both players are linear in these.

Letters: T steps, F features, Q columns of rewards, W, A, B sizes of the state and of both actions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import InstabilityError
from stackelberg_envs.games.samples import Actions, ActionSpec, Samples

from ..observing.trajectories import Trajectories
from .action_nodes import (
    Behaviour,
    GaussianNodes,
    encode,
    gaussian_nodes,
)
from .regression import (
    LeastSquares,
    Regression,
    StateFeatures,
    quadratic_features,
)

__all__ = ["FELT", "RANK", "MotionModel", "PlayerValues", "Reached", "StepModel", "steps_left"]

#: A horizon is felt where the discount over it is larger than this.
FELT = 1e-3
#: Singular values of the equations of values and traces below this, relative to the largest, are taken for zero: these
#: are differences of moments, which lose a digit to a regression's.
RANK = 1e-11


@dataclass(frozen=True, eq=False)
class Reached:
    """Where steps lead on average under certain actions of both players.

    Attributes
    ----------
    state
        The next states, shape (T, W).
    features
        psi there, shape (T, F).
    paid
        Columns on which rewards may depend, shape (T, Q); none where the follower's actions are discrete.
    """

    state: Array
    features: Array
    paid: Array

    @cached_property
    def columns(self) -> Array:
        """Features and columns of rewards side by side, shape (T, F + Q)."""
        return np.concatenate([self.features, self.paid], axis=1)


@dataclass(frozen=True, eq=False)
class PlayerValues:
    """One player's values at the steps, reward units; arrays of shape (T,).

    Attributes
    ----------
    advantage
        Q(s, a, b) less its mean over b.
    mean
        That mean, of the function `q`.
    action
        The mean, less a function of s.
    next
        Vbar(s'), less a function of (s, a, b).
    error
        Mean absolute temporal-difference error, one number.
    q
        Q(s, a, b), less a function of s, at other actions than the recorded ones, from where these lead.
    of_next
        Vbar at other next states (T, W) than the recorded ones.
    """

    advantage: Array
    mean: Array
    action: Array
    next: Array
    error: float
    q: Callable[[Reached], Array]
    of_next: Callable[[Array], Array]


class StepModel(ABC):
    """What was fitted to one commitment's play, and what to past play, too.

    Parameters
    ----------
    play
        What was observed under one commitment.
    spec
        The follower's actions.
    features
        psi.
    behaviour
        The follower's, with its entropy.
    rng
        For one of several pairs of next states.

    Attributes
    ----------
    steps
        Of the play.
    going
        Whether play went on after each step, 1 or 0, shape (T,).
    leader_reward, follower_reward
        Of the steps to which values are fitted; the latter None where it is not seen.
    recorded
        Where the recorded actions lead.
    nodes, nodes_at_mean
        Where the nodes of the follower's behaviour do, and its nodes at the leader's mean action with that.
    """

    here: Array
    leader_reward: Array
    follower_reward: Array | None

    def __init__(
        self,
        play: Trajectories,
        spec: ActionSpec,
        features: StateFeatures,
        behaviour: Behaviour,
        rng: np.random.Generator,
    ) -> None:
        steps = self.steps = play.samples
        self.going = 1.0 - play.ends
        self.features, self.behaviour = features, behaviour
        self._spec, self._rng = spec, rng
        self._pair: NDArray[np.intp] | None = None
        self.recorded = self.reach(steps.leader_action, steps.follower_action)
        self.nodes, self.nodes_at_mean = [], []
        for b in behaviour.action_nodes:
            known = b is steps.follower_action
            self.nodes.append(self.recorded if known else self.reach(steps.leader_action, b))
        for b in behaviour.action_nodes_at_mean:
            self.nodes_at_mean.append(self.reach(behaviour.leader_means, b))

    @abstractmethod
    def player(self, rewards: Array, discount: float, *, horizon: int | None = None) -> PlayerValues:
        """Return the values, at the present steps, of the player that is paid `rewards`.

        Parameters
        ----------
        rewards
            Of all steps to which values are fitted; with the entropy bonus, for the follower.
        discount
            In [0, 1), per play step.
        horizon
            Play steps after which values end; None where they go on.
        """

    @property
    @abstractmethod
    def operator(self) -> Array:
        """K with E[psi(s') | s] = psi(s) K, shape (F, F)."""

    @abstractmethod
    def reach(self, a: Array, b: Actions) -> Reached:
        """Return where the steps lead under actions (T, A) and (T, B)."""

    def control_variate(self, increments: Array) -> Array:
        """Return increments, shape (T,), less their regression on what the follower saw; its true value is 0."""
        seen = self.behaviour.seen
        return np.asarray(increments - seen @ LeastSquares(seen).solve(increments))

    def expected_trace(self, increments: Sequence[Array], discount: float) -> Array:
        """Return the mean trace that reaches each step from earlier ones, given its state; shape (T,).

        Expected eligibility traces (van Hasselt et al., AAAI 2021), as a functional of the features.

        Parameters
        ----------
        increments
            What each step adds to the trace, shape (T,), at each of the nodes.
        discount
            Of the trace.

        Raises
        ------
        InstabilityError
            The fitted motion of the features, discounted, does not die away.
        """
        here = self.here[-len(self.going) :]
        pushed = np.zeros(here.shape[1])
        for node, increment in zip(self.nodes, increments, strict=True):
            pushed += node.features.T @ (increment * self.going)
        # m(psi) = discount (sum_t increment_t psi(s_{t+1}) + m(E psi(s'))): what arrives in states, as a functional.
        arriving = np.linalg.solve(self.fading(discount).T, discount * pushed)
        return np.asarray(here @ self.present_squares(here).solve(moments=arriving))

    def present_squares(self, here: Array) -> LeastSquares:
        """Return least squares on the features of present states, shape (T, F), by which functionals become weights."""
        return LeastSquares(here, rank=RANK)

    def fading(self, discount: float) -> Array:
        """Return I - discount K.

        Raises
        ------
        InstabilityError
            It has no sum: the features' discounted motion does not die away.
        """
        radius = discount * float(np.abs(np.linalg.eigvals(self.operator)).max())
        if radius >= 1.0:
            raise InstabilityError(f"critic: expected features whose discounted motion fades, got {radius:.6g}", radius)
        return np.eye(len(self.operator)) - discount * self.operator

    def next_pairs(self, reached: Reached, *, drawn: bool = False) -> list[tuple[Array, Array, float]]:
        """Return pairs of next states around mean ones, shape (T, W) each, and the pairs' weights.

        The two lie on both sides of the fitted mean, along an axis of the fitted noise. Sums over them are the means
        of cubic functions; where features are not quadratic, there are more pairs and they are those of smooth ones.

        Parameters
        ----------
        reached
            The fitted means.
        drawn
            Whether each step has one of its pairs, drawn by their weights, instead of all; always the same one.
        """
        noise, mean = self._noise, reached.state
        if drawn:
            if self._pair is None:
                share = noise.weights / noise.weights.sum()
                self._pair = self._rng.choice(len(share), size=len(self.going), p=share)
            shift = noise.shifts[self._pair]
            return [(mean + shift, mean - shift, float(noise.weights.sum()))]
        return list(zip(mean + noise.shifts[:, None], mean - noise.shifts[:, None], noise.weights, strict=True))

    @cached_property
    def _noise(self) -> GaussianNodes:
        """One of each two opposite nodes of the process noise, with their common weights."""
        residual = self.steps.next_state - self.recorded.state
        nodes, weights = gaussian_nodes(residual.shape[1], self.features.beside is None)
        # A node in the middle adds nothing to a difference.
        leading = nodes[np.arange(len(nodes)), (nodes != 0).argmax(axis=1)]
        return GaussianNodes.of(residual, 0, nodes[leading > 0], 2.0 * weights[leading > 0])


def steps_left(play: Trajectories, horizon: int) -> Array:
    """Return how many steps an episode had left, this one included, shape (T,)."""
    return np.asarray(horizon - play.time, dtype=np.float64)


class MotionModel(StepModel):
    """A step model in which moves are one fitted regression.

    Parameters
    ----------
    play, spec, features, behaviour, rng
        See :class:`StepModel`.
    motion
        The mean next state of rows [state, leader's action, encoded follower's action].
    residual
        What each step has beside that mean, shape (T, W), or 0 for the mean alone.
    """

    def __init__(
        self,
        play: Trajectories,
        spec: ActionSpec,
        features: StateFeatures,
        motion: Regression,
        residual: Array | float,
        behaviour: Behaviour,
        rng: np.random.Generator,
    ) -> None:
        self.motion, self._residual = motion, residual
        super().__init__(play, spec, features, behaviour, rng)

    def reach(
        self, a: Array, b: Actions, steps: Samples | None = None, residual: Array | float | None = None
    ) -> Reached:
        """Return where the steps lead under actions (T, A) and (T, B); or where other steps do."""
        steps = self.steps if steps is None else steps
        boxed = self._spec.counts is None
        z = self.motion.whitening(np.concatenate([steps.state, a, b if boxed else encode(b, self._spec)], axis=1))
        state = self.motion.at(z) + (self._residual if residual is None else residual)
        # Discrete actions are never looked at elsewhere than where they were played: the reward is its own column.
        paid = quadratic_features(z) if boxed else np.empty((len(z), 0))
        return Reached(state, self.features(state, steps.context), paid)
