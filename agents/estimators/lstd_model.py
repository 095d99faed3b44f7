r"""Values by least-squares temporal differences, from one commitment's play.

Action values of either player have the form

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

from functools import cached_property, partial

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.samples import ActionSpec

from ..observing.trajectories import Trajectories
from .action_nodes import Behaviour, DiscreteBehaviour, GaussianBehaviour, encode
from .critics import discounted_returns
from .regression import LeastSquares, Regression, make_features, temporal_differences
from .step_model import FELT, RANK, MotionModel, PlayerValues, Reached, steps_left

__all__ = ["LstdModel"]


class LstdModel(MotionModel):
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
