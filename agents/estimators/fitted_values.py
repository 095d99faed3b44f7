r"""Values at recorded steps from present and past play: fitted evaluation, one step of the horizon after the other.

What past play (:mod:`agents.estimators.replay`) does not tell, how both players act now, enters as means: the leader's
over its own policy, the follower's over nodes of the Gaussian that is fitted to its present actions. With a linear
critic :math:`\psi(s) u` and steps i of all that is kept,

.. math::
    \psi(s_i)\, u_n \approx E[r \mid s_i] + \gamma\, E[\psi(s') \mid s_i]\, u_{n-1} , \qquad u_0 = 0 ,

by least squares, n steps being left: fitted evaluation (Le, Voloshin and Yue, "Batch Policy Learning under
Constraints", ICML 2019). A follower's values, which know no horizon, are the fixed point. Next states and rewards under
other actions than the recorded ones come from regressions, to which each step adds its own residual.

Why past play matters: where games hardly have noise, all play under one commitment begins in one place and follows one
path. How values change *across* that path, which is the gradient, only other commitments can show.

Letters: T present steps, M steps in all, F features, A and B sizes of both players' actions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.samples import Actions, ActionSpec, Samples

from ..observing.trajectories import Trajectories
from .action_nodes import (
    GaussianBehaviour,
    GaussianNodes,
    encode,
    even_nodes,
    gaussian_nodes,
    weighted_sum,
)
from .regression import (
    Bumps,
    LeastSquares,
    Regression,
    Whitening,
    make_features,
    quadratic_features,
)
from .replay import OwnPolicy, Played, joined
from .step_model import FELT, MotionModel, PlayerValues, Reached, steps_left

__all__ = ["FittedModel", "PresentBehaviour"]

#: Ridge of least squares, relative to the features' mean squares: some features are zero in almost all steps.
RIDGE = 1e-8
#: Ridges on what is beside quadratic features, the first with which means grow no faster than quadratic ones do: fits
#: in which they do say nothing after a hundred steps.
RIDGES = (RIDGE, 1e-6, 1e-4, 1e-3, 1e-2, 1e-1)
#: Ridge of weights of present steps.
PRESENT_RIDGE = 1e-5
#: Growth by less than this factor is none.
GROWTH = 1.01
#: The least that columns are scaled up from, relative to the largest one's norm.
LEAST_COLUMN = 1e-3
#: Rewards are taken to depend on actions only where actions explain more than this part of the error that states leave.
#: Features leave errors that depend on states. A fit lays some of them to the actions by chance, which would bias the
#: gradient.
LEAST_EXPLAINED = 0.5
#: Past steps count up to this many times the range of present play beyond it: play that left for far away, under a
#: commitment with which nothing holds it, would be all that squares see.
NEAR, ROUNDING = 2.0, 1e-6
#: Bumps beside the quadratic features, and their width in distances to the nearest other centres.
CENTRES, OVERLAP = 100, 2.0
#: Centres are drawn mostly where rewards are far from their median. This weight, relative to the average step's, is
#: added to all steps, so that places with usual rewards get some centres, too.
USUAL_WEIGHT = 0.1


def ridge_regression(columns: Array) -> LeastSquares:
    """Return least squares on features of which many are zero in almost all steps."""
    return LeastSquares(columns, ridge=RIDGE, shortest=LEAST_COLUMN)


class PresentBehaviour(GaussianBehaviour):
    """The follower's present behaviour: b ~ N(m(s) + beta (a - f(s)), covariance), f the leader's mean action.

    m is fitted to present play. Where the leader hardly varies its action, beta cannot be: it is fitted to all play,
    under commitments among which actions differ more.

    Parameters
    ----------
    present, everything
        Steps.
    policy
        The leader's, at the present steps.
    """

    def __init__(self, present: Samples, everything: Samples, policy: OwnPolicy) -> None:
        W, A = present.state.shape[1], present.leader_action.shape[1]
        rows = np.concatenate([everything.state, everything.leader_action, np.ones((len(everything), 1))], axis=1)
        self._on_action = ridge_regression(rows).solve(everything.follower_action)[W : W + A]
        own = present.follower_action - (present.leader_action - policy.mean) @ self._on_action
        self._mean = Regression.simplest(present.state, own)
        unit = even_nodes(own.shape[1])
        self._nodes = GaussianNodes.of(own - self._mean(present.state), 1 + W, *unit)
        self.covariance, self.weights = self._nodes.covariance, self._nodes.weights
        # Of all steps: values are those of the present behaviour everywhere.
        self.entropy = np.full(len(everything), self._nodes.entropy)
        self.leader_means = policy.mean
        self.action_nodes = self.at(present.state, present.leader_action, policy.mean)
        self.action_nodes_at_mean = self.at(present.state, policy.mean, policy.mean)
        seen = rows[-len(present) :, :-1]
        self.seen = quadratic_features(Whitening.of(seen)(seen))

    def at(self, states: Array, leader_actions: Array, leader_means: Array) -> list[Actions]:
        """Return the nodes of the follower's action at any steps, (n, B) each."""
        mean = self._mean(states) + (leader_actions - leader_means) @ self._on_action
        return list(mean + self._nodes.shifts[:, None])


class FittedModel(MotionModel):
    """Values of present behaviour, from present and past play.

    Parameters
    ----------
    play
        The present play.
    played
        All that is kept, present play last; see :class:`agents.estimators.replay.PastPlay`.
    spec
        The follower's actions, a box.
    features
        Name; see :func:`agents.estimators.regression.make_features`.
    num_contexts
        K.
    rng
        For features that are drawn.
    policy
        Samples -> the leader's present policy there.

    Attributes
    ----------
    leader_nodes, leader_weights
        Actions that stand for the leader's at the present steps, (T, A) each, and what they count.
    """

    behaviour: PresentBehaviour

    def __init__(
        self,
        play: Trajectories,
        played: Sequence[Played],
        spec: ActionSpec,
        features: str,
        num_contexts: int,
        rng: np.random.Generator,
        policy: Callable[[Samples], OwnPolicy],
    ) -> None:
        if spec.counts is not None:
            raise ArgumentError("critic: 'fitted' is for followers whose actions are a box")
        everything = joined([*(_near(one, play) for one in played[:-1]), played[-1]])
        steps = self._all = everything.samples
        self.leader_reward, self.follower_reward = everything.leader_reward, everything.follower_reward
        own, present = policy(steps), policy(play.samples)
        self._leader_means, self._leader_actions = own.mean, own.mean + everything.noise * own.spread
        nodes, self.leader_weights = gaussian_nodes(own.mean.shape[1], True)
        self.leader_nodes = [present.mean + node * present.spread for node in nodes]
        away = np.sqrt(np.abs(self.leader_reward - np.median(self.leader_reward)))
        importance = away / max(float(away.mean()), 1e-300) + USUAL_WEIGHT
        psi = make_features(
            features,
            np.concatenate([steps.state, steps.next_state]),
            num_contexts,
            rng,
            lambda: self.leader_reward[:, None],
            Bumps(CENTRES, OVERLAP, importance),
        )
        rows = np.concatenate([steps.state, steps.leader_action, encode(steps.follower_action, spec)], axis=1)
        motion = Regression.simplest(rows, steps.next_state)
        #: What the fitted motion leaves of all next states, shape (M, W).
        self._left = np.asarray(steps.next_state - motion(rows))
        behaviour = PresentBehaviour(play.samples, steps, present)
        super().__init__(play, spec, psi, motion, self._left[-play.num_steps :], behaviour, rng)
        self._play, self._going = play, everything.going
        self.here = psi(steps.state, steps.context)
        self._paid_columns = quadratic_features(motion.whitening(rows))
        self._squares = self._steady_squares(steps.state.shape[1], num_contexts)

    def _steady_squares(self, W: int, num_contexts: int) -> LeastSquares:
        """Return least squares on features and columns of the actions, with enough ridge that no mean explodes."""
        columns, F = np.concatenate([self.here, self._paid_columns], axis=1), self.here.shape[1]
        quadratic = np.arange(F) % (F // num_contexts) < 1 + W + W * (W + 1) // 2
        plain = LeastSquares(self.here[:, quadratic], ridge=RIDGE, shortest=LEAST_COLUMN)
        growth = GROWTH * max(1.0, _radius(plain.solve(self._expected[0][:, quadratic])))
        for ridge in RIDGES:
            found = LeastSquares(
                columns,
                ridge=np.concatenate([np.where(quadratic, RIDGE, ridge), np.full(columns.shape[1] - F, RIDGE)]),
                shortest=LEAST_COLUMN,
            )
            if quadratic.all() or _radius(found.solve(self._expected[0], F)) <= growth:
                break
        return found

    def control_variate(self, increments: Array) -> Array:
        """Return increments less their regression on what the follower saw, with the ridge that values have."""
        seen = self.behaviour.seen
        return np.asarray(increments - seen @ ridge_regression(seen).solve(increments))

    def present_squares(self, here: Array) -> LeastSquares:
        """Return least squares with a ridge: many bumps are where past play was, and present play hardly is."""
        return LeastSquares(here, ridge=PRESENT_RIDGE, shortest=LEAST_COLUMN)

    @cached_property
    def _expected(self) -> tuple[Array, Array]:
        """Means over present behaviour: of the features of the next state, (M, F), and of the reward's columns."""
        steps, a = self._all, self._leader_actions
        ahead, paid = np.zeros_like(self.here), np.zeros_like(self._paid_columns)
        nodes = self.behaviour.at(steps.state, a, self._leader_means)
        for weight, b in zip(self.behaviour.weights, nodes, strict=True):
            reached = self.reach(a, b, steps, self._left)
            ahead += weight * reached.features
            paid += weight * reached.paid
        return ahead * self._going[:, None], paid

    @cached_property
    def operator(self) -> Array:
        """K with E[psi(s') | s] = psi(s) K, shape (F, F)."""
        return self._squares.solve(self._expected[0], self.here.shape[1])

    def player(self, rewards: Array, discount: float, *, horizon: int | None = None) -> PlayerValues:
        """Return the values, at the present steps, of the player that is paid `rewards` in all, shape (M,).

        Raises
        ------
        InstabilityError
            Values that go on for ever have no limit.
        """
        T, F = len(self.steps), self.here.shape[1]
        paid = self._paid(rewards)
        mean = self._squares.solve(rewards + (self._expected[1] - self._paid_columns) @ paid, F)
        if horizon is not None and discount**horizon > FELT:
            left = np.clip(steps_left(self._play, horizon), 1, horizon).astype(np.int64)
            stages = self._stages(mean, discount, horizon)
            now, later = stages[left], stages[left - 1]
        else:
            now = later = np.broadcast_to(np.linalg.solve(self.fading(discount), mean), (T, F))

        def of_next(states: Array) -> Array:
            return _paired(self.features(states, self.steps.context), later) * self.going

        def q(reached: Reached) -> Array:
            return np.asarray(reached.paid @ paid + discount * _paired(reached.features, later) * self.going)

        weights = self.behaviour.weights
        given = weighted_sum(weights, [q(node) for node in self.nodes])
        error = rewards[-T:] + discount * of_next(self.steps.next_state) - _paired(self.here[-T:], now)
        return PlayerValues(
            advantage=q(self.recorded) - given,
            mean=given,
            action=given - weighted_sum(weights, [q(node) for node in self.nodes_at_mean]),
            # Next states are fitted means and own residuals: nothing is left beside a function of the actions.
            next=np.zeros(T),
            error=float(np.abs(error).mean()),
            q=q,
            of_next=of_next,
        )

    def _paid(self, rewards: Array) -> Array:
        """Return what columns of the actions earn; nothing where they explain little that states do not explain.

        Features leave a part of rewards unexplained that does depend on states. Where the leader hardly varies its
        action it would be laid to actions, and what they seem to earn is larger than what they change later.
        """
        F, squares = self.here.shape[1], self._squares
        alone, joint = squares.solve(rewards, F), squares.solve(rewards)
        left = ((rewards - self.here @ alone) ** 2).sum(), ((rewards - squares.columns @ joint) ** 2).sum()
        paid = joint[F:]
        return paid if left[1] < (1.0 - LEAST_EXPLAINED) * left[0] else np.zeros_like(paid)

    def _stages(self, mean: Array, discount: float, horizon: int) -> Array:
        """Return u with n = 0, 1, ... steps left, shape (horizon + 1, F)."""
        stages = np.zeros((horizon + 1, len(mean)))
        for n in range(horizon):
            stages[n + 1] = mean + discount * self.operator @ stages[n]
        return stages


def _near(past: Played, play: Trajectories) -> Played:
    """Return the steps of past play from and to states not far from where present play was."""
    there = np.concatenate([play.state, play.next_state])
    low, high = there.min(axis=0), there.max(axis=0)
    room = NEAR * (high - low) + ROUNDING * np.maximum(np.abs(low), np.abs(high))
    states = np.stack([past.samples.state, past.samples.next_state])
    kept = ((states >= low - room) & (states <= high + room)).all(axis=(0, 2))
    samples = Samples(**{name: values[kept] for name, values in vars(past.samples).items()})
    paid = None if past.follower_reward is None else past.follower_reward[kept]
    return Played(samples, past.leader_reward[kept], paid, past.going[kept], past.noise[kept])


def _radius(operator: Array) -> float:
    return float(np.abs(np.linalg.eigvals(operator)).max())


def _paired(features: Array, coefficients: Array) -> Array:
    """Return the values of features with coefficients of their own, (T, F) each: shape (T,)."""
    return np.asarray(np.einsum("tf,tf->t", features, coefficients))
