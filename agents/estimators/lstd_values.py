r"""Values at recorded steps of games whose states are vectors, by least-squares temporal differences.

The action values of either player are sought in the form

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

Letters: T steps, F features.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from agents.estimators.action_nodes import Behaviour, DiscreteBehaviour, GaussianBehaviour, encode
from agents.estimators.critics import discounted_returns
from agents.estimators.least_squares import LeastSquares, Regression, temporal_differences
from agents.estimators.state_features import make_features
from agents.estimators.step_model import FELT, RANK, PlayerValues, Reached, StepModel, steps_left
from agents.observing.trajectories import Trajectories
from stackelberg_envs.arrays import Array
from stackelberg_envs.games.samples import ActionSpec

__all__ = ["LstdModel"]


class LstdModel(StepModel):
    """What least squares finds in one commitment's play.

    Parameters
    ----------
    play
        What was observed under one commitment.
    spec
        The follower's actions.
    features
        Name; see :func:`agents.estimators.state_features.make_features`.
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
        boxed = spec.counts is None
        rows = np.concatenate([steps.state, steps.leader_action, encode(steps.follower_action, spec)], axis=1)
        # Values are quadratic where motion and behaviour are linear; squares would only fit noise there.
        curved = boxed and not psi.is_quadratic
        motion = Regression.of(rows, steps.next_state, squares=curved)
        behaviour: Behaviour
        behaviour = GaussianBehaviour(steps, linear=not curved) if boxed else DiscreteBehaviour(steps, psi, spec)
        super().__init__(play, spec, psi, motion, 0.0, behaviour, rng)
        self.leader_reward, self.follower_reward = play.leader_reward, play.follower_reward
        self._play, self._monte_carlo = play, monte_carlo
        self.here, self._following = psi(steps.state, steps.context), psi(steps.next_state, steps.context)

    def player(self, rewards: Array, discount: float, *, horizon: int | None = None) -> PlayerValues:
        """Return the values of the player that is paid `rewards`, shape (T,)."""
        now = later = None
        if horizon is not None and discount**horizon > FELT:
            left = steps_left(self._play, horizon)
            now, later = _clock(left, discount), _clock(left - 1.0, discount)
        here, ahead = _timed(self.here, now), _timed(self._following, later) * self.going[:, None]
        every, k = [self.recorded, *self.nodes, *self.nodes_at_mean], len(self.nodes)
        recorded, *others = [self._columns(reached, later, rewards) for reached in every]
        given, base = self.behaviour.means(recorded, others[:k], others[k:])
        F = here.shape[1]
        paid = LeastSquares(np.concatenate([here, recorded], axis=1)).solve(rewards)[F:]
        by_b, by_a = recorded - given, given - base
        noise = [by_b[:, :F], by_b @ paid[:, None]]
        if self.steps.leader_action.shape[1]:
            noise += [by_a[:, :F], by_a @ paid[:, None]]
        u = self._temporal_differences(np.concatenate([here, *noise], axis=1), ahead, rewards, discount)
        next_values = ahead @ u
        expected = LeastSquares(recorded[:, :F]).solve(next_values)
        weights = paid.copy()
        weights[:F] += discount * expected
        error = rewards + discount * next_values - here @ u
        return PlayerValues(
            advantage=by_b @ weights,
            mean=given @ weights,
            action=by_a @ weights,
            next=next_values - recorded[:, :F] @ expected,
            error=float(np.abs(error).mean()),
            q=lambda reached: np.asarray(self._columns(reached, later, rewards) @ weights),
            of_next=lambda states: np.asarray(_timed(self.features(states, self.steps.context), later) @ u),
        )

    def _columns(self, reached: Reached, clock: Array | None, rewards: Array) -> Array:
        """Return psi at the mean next state, and what else the reward may depend on, shape (T, F + Q)."""
        if self._spec.counts is not None:
            return np.concatenate([_timed(reached.features, clock), rewards[:, None]], axis=1)
        if clock is None:
            return reached.columns
        return np.concatenate([_timed(reached.features, clock), reached.paid], axis=1)

    def _temporal_differences(self, columns: Array, ahead: Array, rewards: Array, discount: float) -> Array:
        """Return u, shape (F,): the first of the columns' weights."""
        targets, following = rewards, discount * ahead
        if self._monte_carlo:
            play, targets = self._play, np.empty(len(rewards))
            discounted_returns(rewards, play.offsets, np.zeros(play.num_episodes), discount, targets)
            last = np.repeat(play.offsets[1:] - 1, play.lengths)
            away = last + 1 - np.arange(len(rewards))
            following = discount ** away[:, None] * ahead[last]
        return temporal_differences(columns, following, targets, rank=RANK)

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


def _timed(features: Array, clock: Array | None) -> Array:
    """Return features once for each column of the clock, or as they are where no time is counted."""
    if clock is None:
        return features
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
