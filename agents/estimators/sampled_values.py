r"""Values at recorded steps of games whose states are vectors, by linear least squares.

Everything is built from one map :math:`\psi` of states to features. A step's mean next state
:math:`\hat s'(s,a,b)` is fitted first. Then the action values of either player are sought in the form

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

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.estimators.critics import discounted_returns
from agents.estimators.play_model import (
    Behaviour,
    DiscreteBehaviour,
    GaussianBehaviour,
    Regression,
    StepFunction,
    encode,
    gaussian_nodes,
    regress,
)
from agents.estimators.state_features import StateFeatures, make_features, quadratic
from agents.observing.trajectories import Trajectories
from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.errors import InstabilityError
from stackelberg_envs.games.samples import Actions, ActionSpec

__all__ = ["PlayerValues", "SampledValues", "spread_over", "steps_left"]

#: A horizon is felt where the discount over it is larger than this.
FELT = 1e-3
#: Singular values below this, relative to the largest, are taken for zero.
RANK = 1e-11


@dataclass(frozen=True, eq=False)
class PlayerValues:
    """One player's values at the steps, reward units, each of shape (T,) but the last three.

    Attributes
    ----------
    advantage
        Q(s, a, b) less its mean over b.
    action
        That mean, less a function of s.
    next
        Vbar(s'), less a function of (s, a, b).
    error
        Mean absolute temporal-difference error.
    of_next
        Vbar at other next states (T, W) than the recorded ones, shape (T,).
    advantage_of
        The advantage of other follower actions (T, B) than the recorded ones, shape (T,).
    of_actions
        Q(s, a, b) at any actions (T, A) and (T, B), less a function of s, shape (T,).
    """

    advantage: Array
    action: Array
    next: Array
    error: float
    of_next: Callable[[Array], Array]
    advantage_of: Callable[[Actions], Array]
    of_actions: Callable[[Array, Actions], Array]


def spread_over(here: Array, arriving: NDArray[np.floating[Any]]) -> Array:
    """Return numbers at steps, shape (T,), that have a given functional of the features and are linear in them.

    Parameters
    ----------
    here
        Features at the steps, shape (T, F).
    arriving
        The sum of number times features, shape (F,).
    """
    scale = np.sqrt((here**2).sum(axis=0))
    scale = np.where(scale > 0, scale, 1.0)
    gram = here.T @ here / np.outer(scale, scale)
    return np.asarray(here @ (np.linalg.lstsq(gram, arriving / scale, rcond=RANK)[0] / scale))


def steps_left(trajectories: Trajectories, horizon: int) -> Array:
    """Return how many steps an episode had left, this one included, shape (T,)."""
    begun = np.arange(trajectories.num_steps) - np.repeat(trajectories.offsets[:-1], trajectories.lengths)
    return np.asarray(horizon - begun, dtype=np.float64)


class SampledValues:
    """What least squares finds in one commitment's play.

    Parameters
    ----------
    trajectories
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

    Attributes
    ----------
    behaviour
        The follower's, with its entropy.
    """

    def __init__(
        self,
        trajectories: Trajectories,
        spec: ActionSpec,
        features: str,
        num_contexts: int,
        rng: np.random.Generator,
        discounts: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        steps = trajectories.samples
        self._trajectories, self._steps, self._spec, self._rng = trajectories, steps, spec, rng
        reached = np.concatenate([steps.state, steps.next_state[trajectories.offsets[1:] - 1]])
        self._known: dict[tuple[int, int], tuple[Array, Array, Actions]] = {}
        self._features = make_features(features, reached, num_contexts, rng, self._returns(discounts))
        self._boxed = spec.counts is None
        rows = self._rows(steps.state, steps.leader_action, steps.follower_action)
        # Values are quadratic where motion and behaviour are linear; squares would only fit noise there.
        curved = self._boxed and not self._features.is_quadratic
        self._next_state = Regression.of(rows, steps.next_state, squares=curved)
        self.behaviour: Behaviour
        if self._boxed:
            self.behaviour = GaussianBehaviour(steps, linear=not curved)
        else:
            self.behaviour = DiscreteBehaviour(steps, self._features, spec)

    def _returns(self, discounts: tuple[float, float]) -> Array:
        """Return what each player earned from each step to the end of its episode, shape (T, 1 or 2)."""
        seen, columns = self._trajectories, []
        for rewards, discount in zip((seen.leader_reward, seen.follower_reward), discounts, strict=True):
            if rewards is not None:
                out = np.empty(seen.num_steps)
                discounted_returns(rewards, seen.offsets, np.zeros(seen.num_episodes), discount, out)
                columns.append(out)
        return np.stack(columns, axis=1)

    def _rows(self, states: Array, leader_actions: Array, follower_actions: Actions) -> Array:
        return np.concatenate([states, leader_actions, encode(follower_actions, self._spec)], axis=1)

    def player(
        self, rewards: Array, discount: float, *, horizon: int | None = None, monte_carlo: bool = False
    ) -> PlayerValues:
        """Return the values of the player that is paid `rewards`, shape (T,).

        Parameters
        ----------
        rewards
            With the entropy bonus, for the follower.
        discount
            In [0, 1), per play step.
        horizon
            Play steps after which values end; None where they go on.
        monte_carlo
            Whether u is fitted to whole observed returns instead of temporal differences. A cut episode goes on as
            its last state's value says.
        """
        steps, ends = self._steps, self._trajectories.ends
        left = None
        if horizon is not None and discount**horizon > FELT:
            left = steps_left(self._trajectories, horizon)
        psi = _Timed(self._features, discount, left)
        here = psi(steps.state, steps.context)
        ahead = psi.following(steps.next_state, steps.context) * ~ends[:, None]
        function = self._columns(psi, rewards)
        columns = self.behaviour.conditional(function)
        F = here.shape[1]
        paid = regress(np.concatenate([here, columns.at], axis=1), rewards)[F:]
        given, base = columns.given, columns.base
        by_b, by_a = columns.at - given, given - base
        noise = [by_b[:, :F], by_b @ paid[:, None], *([by_a[:, :F], by_a @ paid[:, None]] if self._acts else [])]
        u = self._solve(np.concatenate([here, *noise], axis=1), ahead, rewards, discount, monte_carlo)
        next_values = ahead @ u
        expected = regress(columns.at[:, :F], next_values)
        weights = paid.copy()
        weights[:F] += discount * expected
        advantage = by_b @ weights

        def of_actions(a: Array, b: Actions) -> Array:
            return np.asarray(function(steps.state, a, b, steps.context) @ weights)

        error = rewards + discount * next_values - here @ u
        return PlayerValues(
            advantage=advantage,
            action=by_a @ weights,
            next=next_values - columns.at[:, :F] @ expected,
            error=float(np.abs(error).mean()),
            of_next=lambda states: np.asarray(psi.following(states, steps.context) @ u),
            advantage_of=lambda b: of_actions(steps.leader_action, b) - given @ weights,
            of_actions=of_actions,
        )

    def next_pairs(self, actions: Actions, *, drawn: bool = False) -> list[tuple[Array, Array, float]]:
        """Return pairs of next states under given follower actions, shape (T, W) each, and the pairs' shares.

        The two lie on both sides of the fitted mean, along an axis of the fitted noise. Sums over them are the means
        of cubic functions; where features are not quadratic, there are more pairs and they are those of smooth ones.

        Parameters
        ----------
        actions
            Shape (T, B).
        drawn
            Whether each step has one of its pairs, drawn by their shares, instead of all; always the same one.
        """
        steps = self._steps
        mean = self._next_state(self._rows(steps.state, steps.leader_action, actions))
        shifts, shares = self._noise_pairs
        if drawn:
            shift = shifts[self._drawn_pair]
            return [(mean + shift, mean - shift, float(shares.sum()))]
        return [(mean + shift, mean - shift, float(share)) for shift, share in zip(shifts, shares, strict=True)]

    @cached_property
    def _drawn_pair(self) -> NDArray[np.intp]:
        shares = self._noise_pairs[1]
        return self._rng.choice(len(shares), size=self._trajectories.num_steps, p=shares / shares.sum())

    @cached_property
    def _noise_pairs(self) -> tuple[Array, Array]:
        """Return one of each two opposite nodes, shape (P, W), and their common shares, shape (P,)."""
        steps = self._steps
        mean = self._next_state(self._rows(steps.state, steps.leader_action, steps.follower_action))
        residual = steps.next_state - mean
        values, vectors = np.linalg.eigh(residual.T @ residual / len(residual))
        nodes, shares = gaussian_nodes(mean.shape[1], self._features.is_quadratic)
        # A node in the middle adds nothing to a difference.
        first = [i for i, node in enumerate(nodes) if tuple(node) > tuple(-node)]
        return nodes[first] @ (vectors * np.sqrt(np.maximum(values, 0.0))).T, 2.0 * shares[first]

    def away_from_states(self, impulses: Array) -> Array:
        """Return impulses, shape (T,), less their regression on what the follower saw; given that, their mean is 0."""
        seen = self.behaviour.seen
        return np.asarray(impulses - seen @ regress(seen, impulses))

    def carried(self, impulses: Sequence[Array], discount: float) -> Array:
        """Return the mean trace that reaches each step from earlier ones, given its state; shape (T,).

        Parameters
        ----------
        impulses
            What each step adds to the trace, shape (T,), under each of the behaviour's `plays`.
        discount
            Of the trace.

        Raises
        ------
        InstabilityError
            The fitted motion of the features, discounted, does not die away.
        """
        steps, going = self._steps, ~self._trajectories.ends
        psi = _Timed(self._features, discount, None)
        here = psi(steps.state, steps.context)
        function = self._columns(psi, np.zeros(len(going)))
        F = here.shape[1]
        mean, pushed = np.zeros_like(here), np.zeros(F)
        for (share, actions), impulse in zip(self.behaviour.plays, impulses, strict=True):
            ahead = function(steps.state, steps.leader_action, actions, steps.context)[:, :F] * going[:, None]
            mean += share * ahead
            pushed += ahead.T @ impulse
        motion = regress(here, mean)
        radius = float(discount * np.abs(np.linalg.eigvals(motion)).max())
        if radius >= 1.0:
            raise InstabilityError(f"trace: expected features whose discounted motion fades, got {radius:.6g}", radius)
        # m(psi) = discount (sum_t impulse_t psi(s_{t+1}) + m(E psi(s'))): what arrives in states, as a functional.
        arriving = np.linalg.solve(np.eye(F) - discount * motion.T, discount * pushed)
        return spread_over(here, arriving)

    @property
    def leader_actions(self) -> Array:
        """The recorded ones, shape (T, A)."""
        return self._steps.leader_action

    @property
    def _acts(self) -> bool:
        """Whether the leader plays."""
        return bool(self._steps.leader_action.shape[1])

    def _columns(self, psi: _Timed, rewards: Array) -> StepFunction:
        """Return psi at the mean next state, and what else the reward may depend on."""

        def function(state: Array, a: Array, b: Actions, context: IntArray) -> Array:
            z = self._next_state.whitening(self._rows(state, a, b))
            ahead = psi.following(self._next_state.at(z), context)
            # Discrete actions are never looked at elsewhere than where they were played: the reward is its own column.
            return np.concatenate([ahead, quadratic(z) if self._boxed else rewards[:, None]], axis=1)

        def remembered(state: Array, a: Array, b: Actions, context: IntArray) -> Array:
            key = id(a), id(b)
            if key not in self._known:
                # The actions are kept, too, so that their identity stays theirs.
                self._known[key] = function(state, a, b, context), a, b
            return self._known[key][0]

        # Both players look at the same actions; what they see is the same where no time is counted.
        return remembered if psi.left is None and self._boxed else function

    def _solve(self, columns: Array, ahead: Array, rewards: Array, discount: float, monte_carlo: bool) -> Array:
        """Return u, shape (F,)."""
        F = ahead.shape[1]
        targets, following = rewards, discount * ahead
        if monte_carlo:
            targets, following = _to_the_end(self._trajectories, rewards, ahead, discount)
        scale = np.sqrt((columns**2).sum(axis=0))
        scale = np.where(scale > 0, scale, 1.0)
        scaled = columns / scale
        matrix = scaled.T @ scaled
        matrix[:, :F] -= scaled.T @ (following / scale[:F])
        solution = np.linalg.lstsq(matrix, scaled.T @ targets, rcond=RANK)[0]
        return np.asarray((solution / scale)[:F])


def _to_the_end(trajectories: Trajectories, rewards: Array, ahead: Array, discount: float) -> tuple[Array, Array]:
    """Return the observed returns, shape (T,), and the discounted features at the ends of episodes, shape (T, F)."""
    returns = np.empty(len(rewards))
    discounted_returns(rewards, trajectories.offsets, np.zeros(trajectories.num_episodes), discount, returns)
    last = np.repeat(trajectories.offsets[1:] - 1, trajectories.lengths)
    away = last + 1 - np.arange(len(rewards))
    return returns, discount ** away[:, None] * ahead[last]


@dataclass(frozen=True, eq=False)
class _Timed:
    """Features of states at the steps, and of states that follow them; both know how many steps are left."""

    features: StateFeatures
    discount: float
    left: Array | None

    def __call__(self, states: Array, contexts: IntArray) -> Array:
        return self._with_time(self.features(states, contexts), self.left)

    def following(self, states: Array, contexts: IntArray) -> Array:
        return self._with_time(self.features(states, contexts), None if self.left is None else self.left - 1.0)

    def _with_time(self, plain: Array, left: NDArray[Any] | None) -> Array:
        if left is None:
            return plain
        running = (left > 0)[:, None]
        return np.concatenate([plain * running, plain * running * self.discount ** left[:, None]], axis=1)
