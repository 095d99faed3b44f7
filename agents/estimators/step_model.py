r"""What critics of games with vectors fit to play: where a step leads on average, and how the follower acts.

Everything is built from one map :math:`\psi` of states to features. A step's mean next state
:math:`\hat s'(s,a,b)` is fitted first, and the follower's behaviour as nodes that stand for its action. The features of
next states and the columns on which rewards may depend are then evaluated once at each step for the recorded action,
for the nodes, and for the nodes at the leader's mean action; values of both players are linear in these.

:class:`LstdModel` finds them by least-squares temporal differences. Action values of either player have the form

.. math::
    Q(s,a,b) = \psi(s) u + \big[\omega(s,a)\big] y + \big[\chi(s,a,b)\big] v

with columns :math:`\chi` that have mean zero over the follower's action and :math:`\omega` over the leader's: parts of
:math:`\psi(\hat s')` and of the reward. So :math:`\bar V(s) = \psi(s) u`, and u solves the equations of least-squares
temporal differences (Bradtke and Barto, "Linear Least-Squares Algorithms for Temporal Difference Learning", Machine
Learning 22, 1996), in which the other columns only take up the noise of the actions; in a linear-quadratic game with
quadratic :math:`\psi` nothing but the process noise is left. Last, :math:`E[\bar V(s')|s,a,b]` is regressed on
:math:`\psi(\hat s')`, and

.. math::
    Q(s,a,b) = r(s,a,b) + \gamma E[\bar V(s')|s,a,b]

is a function of the step from which means over the follower's action can be taken.

A follower acts as if play went on for ever. A leader whose discounted episode is cut by the horizon does not: its
features are :math:`\psi(s)` and :math:`\gamma^n \psi(s)`, n steps being left, and its value ends with the episode.

Letters: T steps, F features, Q columns of rewards, W, A, B sizes of the state and of both actions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from agents.estimators.action_nodes import (
    Behaviour,
    DiscreteBehaviour,
    GaussianBehaviour,
    GaussianNodes,
    encode,
    gaussian_nodes,
)
from agents.estimators.critics import discounted_returns
from agents.estimators.regression import (
    LeastSquares,
    Regression,
    StateFeatures,
    make_features,
    quadratic_features,
    temporal_differences,
)
from agents.observing.trajectories import Trajectories
from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import InstabilityError
from stackelberg_envs.games.samples import Actions, ActionSpec, Samples

__all__ = ["FELT", "LstdModel", "PlayerValues", "Reached", "StepModel", "steps_left"]

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
    motion
        The mean next state of rows [state, leader's action, encoded follower's action].
    residual
        What each step has beside that mean, shape (T, W), or 0 for the mean alone.
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
        motion: Regression,
        residual: Array | float,
        behaviour: Behaviour,
        rng: np.random.Generator,
    ) -> None:
        steps = self.steps = play.samples
        self.going = 1.0 - play.ends
        self.features, self.motion, self.behaviour = features, motion, behaviour
        self._spec, self._residual, self._rng = spec, residual, rng
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
        return np.asarray(here @ LeastSquares(here, rank=RANK).solve(moments=arriving))

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


class LstdModel(StepModel):
    """What least squares finds in one commitment's play.

    Parameters
    ----------
    play
        What was observed under one commitment.
    spec
        The follower's actions.
    features
        Name; see :func:`agents.estimators.regression.make_features`.
    num_contexts
        K.
    rng
        For features that are drawn.
    discounts
        The players', leader's first: features of a network are fitted to their returns.
    monte_carlo
        Whether u is fitted to whole observed returns instead of temporal differences. A cut episode goes on as its
        last state's value says.
    """

    def __init__(
        self,
        play: Trajectories,
        spec: ActionSpec,
        features: str,
        num_contexts: int,
        rng: np.random.Generator,
        discounts: tuple[float, float] = (0.0, 0.0),
        *,
        monte_carlo: bool = False,
    ) -> None:
        steps = play.samples
        reached = np.concatenate([steps.state, steps.next_state[play.offsets[1:] - 1]])
        psi = make_features(features, reached, num_contexts, rng, lambda: _returns(play, discounts))
        boxed, b = spec.counts is None, steps.follower_action
        rows = np.concatenate([steps.state, steps.leader_action, b if boxed else encode(b, spec)], axis=1)
        # Values are quadratic where motion and behaviour are linear; squares would only fit noise there.
        curved = boxed and psi.beside is not None
        motion = Regression.of(rows, steps.next_state, squares=curved)
        behaviour: Behaviour
        behaviour = GaussianBehaviour(steps, linear=not curved) if boxed else DiscreteBehaviour(steps, psi, spec)
        super().__init__(play, spec, psi, motion, 0.0, behaviour, rng)
        self.leader_reward, self.follower_reward = play.leader_reward, play.follower_reward
        self._play, self._monte_carlo = play, monte_carlo
        self.here, self._following = psi(steps.state, steps.context), psi(steps.next_state, steps.context)

    def player(self, rewards: Array, discount: float, *, horizon: int | None = None) -> PlayerValues:
        """Return the values of the player that is paid `rewards`, shape (T,)."""
        here, following, later = self.here, self._following, None
        if horizon is not None and discount**horizon > FELT:
            left = steps_left(self._play, horizon)
            later = _clock(left - 1.0, discount)
            here, following = _timed(here, _clock(left, discount)), _timed(following, later)
        ahead = following * self.going[:, None]
        every, k = [self.recorded, *self.nodes, *self.nodes_at_mean], len(self.nodes)
        recorded, *others = map(partial(self._columns, clock=later, rewards=rewards), every)
        given, base = self.behaviour.means(recorded, others[:k], others[k:])
        F = here.shape[1]
        paid = LeastSquares(np.concatenate([here, recorded], axis=1)).solve(rewards)[F:]
        by_b, by_a = recorded - given, given - base
        noise = [by_b[:, :F], by_b @ paid[:, None]]
        if self.steps.leader_action.shape[1]:
            noise += [by_a[:, :F], by_a @ paid[:, None]]
        targets, following = rewards, discount * ahead
        if self._monte_carlo:
            targets, following = self._whole_returns(rewards, ahead, discount)
        u = temporal_differences(np.concatenate([here, *noise], axis=1), following, targets, rank=RANK)
        next_values = ahead @ u
        expected = LeastSquares(recorded[:, :F]).solve(next_values)
        weights = paid.copy()
        weights[:F] += discount * expected
        error = rewards + discount * next_values - here @ u

        def of_next(states: Array) -> Array:
            features = self.features(states, self.steps.context)
            return np.asarray((features if later is None else _timed(features, later)) @ u)

        return PlayerValues(
            advantage=by_b @ weights,
            mean=given @ weights,
            action=by_a @ weights,
            next=next_values - recorded[:, :F] @ expected,
            error=float(np.abs(error).mean()),
            q=lambda reached: np.asarray(self._columns(reached, later, rewards) @ weights),
            of_next=of_next,
        )

    def _columns(self, reached: Reached, clock: Array | None, rewards: Array) -> Array:
        """Return psi at the mean next state, and what else the reward may depend on, shape (T, F + Q)."""
        boxed = self._spec.counts is None
        if boxed and clock is None:
            return reached.columns
        features = reached.features if clock is None else _timed(reached.features, clock)
        return np.concatenate([features, reached.paid if boxed else rewards[:, None]], axis=1)

    def _whole_returns(self, rewards: Array, ahead: Array, discount: float) -> tuple[Array, Array]:
        """Return what each step and all after it earned, shape (T,), and what goes on after them, shape (T, F)."""
        play, targets = self._play, np.empty(len(rewards))
        discounted_returns(rewards, play.offsets, np.zeros(play.num_episodes), discount, targets)
        last = np.repeat(play.offsets[1:] - 1, play.lengths)
        away = last + 1 - np.arange(len(rewards))
        return targets, discount ** away[:, None] * ahead[last]

    @cached_property
    def operator(self) -> Array:
        """K with E[psi(s') | s] = psi(s) K, shape (F, F)."""
        mean = np.zeros_like(self.here)
        for weight, node in zip(self.behaviour.weights, self.nodes, strict=True):
            mean += weight * node.features
        return LeastSquares(self.here).solve(mean * self.going[:, None])


def _clock(left: Array, discount: float) -> Array:
    """Return what features are multiplied by with so many steps left, shape (T, 2): nothing is left of ended play."""
    running = left > 0
    return np.stack([running, running * discount**left], axis=1)


def _timed(features: Array, clock: Array) -> Array:
    """Return features once for each column of the clock."""
    return np.concatenate([features * clock[:, :1], features * clock[:, 1:]], axis=1)


def _returns(play: Trajectories, discounts: tuple[float, float]) -> Array:
    """Return what each player earned from each step to the end of its episode, shape (T, 1 or 2)."""
    columns = []
    for rewards, discount in zip((play.leader_reward, play.follower_reward), discounts, strict=True):
        if rewards is not None:
            out = np.empty(play.num_steps)
            discounted_returns(rewards, play.offsets, np.zeros(play.num_episodes), discount, out)
            columns.append(out)
    return np.stack(columns, axis=1)
