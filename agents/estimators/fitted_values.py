r"""Values at recorded steps from present and past play: fitted evaluation, one step of the horizon after the other.

A leader that commits to its policy alone changes neither dynamics nor rewards, so steps played under earlier
commitments tell of them as much as present ones. What they do not tell, how both players act now, enters as means: the
leader's over its own policy, the follower's over nodes of the Gaussian that is fitted to its present actions. With
a linear critic :math:`\psi(s) u` and steps i of all that is kept,

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

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from agents.estimators.play_model import Regression, encode, gaussian_nodes
from agents.estimators.sampled_values import FELT, PlayerValues, spread_over, steps_left
from agents.estimators.state_features import Whitening, make_features, quadratic
from agents.observing.trajectories import Trajectories
from agents.state import stateful
from agents.state.stateful import Stateful
from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, InstabilityError, OutputError
from stackelberg_envs.games.samples import Actions, ActionSpec, SampledCommitment, Samples

__all__ = ["FittedBehaviour", "FittedValues", "OwnPolicy", "Replay", "even_nodes", "own_policy"]

#: Of least squares on features, relative to their mean squares.
RIDGE = 1e-8
#: The least that columns are scaled up from, relative to the largest one's norm.
LEAST_COLUMN = 1e-3
#: Rewards depend on actions where these leave less than this share of the error that states leave.
MATTERS = 0.5
#: Bumps beside the quadratic features, and their width in distances to the nearest other centres.
CENTRES, OVERLAP = 100, 2.0
#: Weight of steps of ordinary rewards where centres are drawn, in that of the average step.
ORDINARY = 0.1
#: Nodes of one action: so many, from minus to plus this many standard deviations.
NODES, FARTHEST_NODE = 7, 2.6
#: Steps of differences by an action are at least this part of the largest action.
LEAST_WIDTH = 1e-3
#: Relative error of a log-density that is taken for a Gaussian one.
GAUSSIAN = 1e-5


def even_nodes(B: int) -> tuple[Array, Array]:
    """Return nodes (k, B) and weights (k,) for means under N(0, 1).

    Of one action they lie evenly, as for the trapezoidal rule, and have variance one: features much narrower than
    the distribution pass between the nodes of Gauss and Hermite. Of several actions see :func:`gaussian_nodes`.
    """
    if B > 1:
        return gaussian_nodes(B, False)
    points = np.linspace(-FARTHEST_NODE, FARTHEST_NODE, NODES)
    weights = np.exp(-0.5 * points**2)
    weights /= weights.sum()
    return (points / np.sqrt(weights @ points**2))[:, None], weights


@dataclass(frozen=True, eq=False)
class OwnPolicy:
    """The leader's Gaussian policy at steps: mean and standard deviation of each action, shape (n, A)."""

    mean: Array
    spread: Array


def own_policy(commitment: SampledCommitment, x: Array, samples: Samples) -> OwnPolicy:
    """Return the leader's own policy from its log-density around the recorded actions.

    Parameters
    ----------
    commitment
        One that sets the leader's policy, and that to independent Gaussian actions.
    x
        The commitment in force.
    samples
        The steps; their leader actions are only where differences are taken.

    Raises
    ------
    ArgumentError
        The log-density is not quadratic in the action.
    """
    played = samples.leader_action
    mean, spread = np.empty(played.shape), np.empty(played.shape)
    width = np.maximum(np.std(played, axis=0), LEAST_WIDTH * np.abs(played).max(axis=0))
    width = np.where(width > 0, width, 1.0)
    for i, w in enumerate(width):
        step = np.zeros(played.shape[1])
        step[i] = w
        middle, up, down, far = (_log_density(commitment, x, samples, k * step) for k in (0, 1, -1, 2))
        curvature, slope = up + down - 2.0 * middle, 0.5 * (up - down)
        error = np.abs(far - (middle + 2.0 * slope + 2.0 * curvature)).max()
        if not (curvature < 0).all() or error > GAUSSIAN * np.abs(np.stack([middle, up, down, far])).max():
            raise ArgumentError("critic: 'fitted' is for leaders whose policy is Gaussian with independent actions")
        mean[:, i] = played[:, i] - w * slope / curvature
        spread[:, i] = w / np.sqrt(-curvature)
    return OwnPolicy(mean, spread)


def _log_density(commitment: SampledCommitment, x: Array, samples: Samples, shift: Array) -> Array:
    found = commitment.effect_at(x, replace(samples, leader_action=samples.leader_action + shift)).leader_policy
    if found is None:
        raise ArgumentError("critic: 'fitted' is for commitments that set the leader's policy")
    return found


@dataclass(frozen=True, eq=False)
class _Played:
    """Play of one commitment: its steps, rewards of both, and the leader's actions in units of its own noise."""

    samples: Samples
    leader_reward: Array
    follower_reward: Array | None
    going: Array
    noise: Array


#: What actions come as.
NUMBERS = (np.float64, np.float32, np.int64, np.int32)
TABLE, COLUMN = stateful.Array((None, None), dtype=NUMBERS), stateful.Array((None,))


class Replay(Stateful):
    """The latest play, of at most `most` steps beside the present ones; whole batches go.

    Parameters
    ----------
    most
        Steps.
    widths
        Of states, leader actions and follower actions, and the number of contexts, to check what a checkpoint says.
    """

    state_fields = stateful.fields(
        _played=stateful.List(
            stateful.Record(
                _Played,
                samples=stateful.Record(
                    Samples,
                    state=TABLE,
                    leader_action=TABLE,
                    follower_action=TABLE,
                    next_state=TABLE,
                    context=stateful.Array((None,), dtype=(np.int32, np.int64), low=0),
                ),
                leader_reward=COLUMN,
                follower_reward=stateful.Array((None,), optional=True),
                going=COLUMN,
                noise=TABLE,
            )
        )
    )

    def __init__(self, most: int, widths: tuple[int, int, int, int] | None = None) -> None:
        self.most, self.widths = most, widths
        self._played: deque[_Played] = deque()

    def check_state(self, loaded: dict[str, Any], where: str) -> None:
        """Raise OutputError unless all arrays of a batch have its steps, and the widths are those of the game."""
        for i, one in enumerate(loaded["_played"]):
            steps, n = one.samples, len(one.samples)
            tables = (steps.state, steps.leader_action, steps.follower_action)
            columns = (*tables, steps.next_state, steps.context, one.leader_reward, one.going, one.noise)
            paid = () if one.follower_reward is None else (one.follower_reward,)
            right = {len(column) for column in (*columns, *paid)} == {n}
            right = (
                right and steps.next_state.shape == steps.state.shape and one.noise.shape == steps.leader_action.shape
            )
            if self.widths is not None:
                *widths, K = self.widths
                right = right and [table.shape[1] for table in tables] == widths and bool((steps.context < K).all())
            if not right:
                raise OutputError(f"{where}[{i}]: expected the play of this game, got other columns")

    def add(self, trajectories: Trajectories, policy: OwnPolicy) -> list[_Played]:
        """Keep one more commitment's play and return all that is kept, present play last."""
        steps = trajectories.samples
        noise = (steps.leader_action - policy.mean) / policy.spread
        going = np.asarray(~trajectories.ends, dtype=np.float64)
        self._played.append(_Played(steps, trajectories.leader_reward, trajectories.follower_reward, going, noise))
        while sum(len(played.samples) for played in list(self._played)[:-1]) > self.most:
            self._played.popleft()
        return list(self._played)


def _joined(played: Sequence[_Played]) -> _Played:
    names = ("state", "leader_action", "follower_action", "next_state", "context")
    steps = Samples(*(np.concatenate([getattr(one.samples, name) for one in played]) for name in names))
    leader, going, noise = (
        np.concatenate([getattr(one, name) for one in played]) for name in ("leader_reward", "going", "noise")
    )
    paid = [one.follower_reward for one in played if one.follower_reward is not None]
    return _Played(steps, leader, np.concatenate(paid) if len(paid) == len(played) else None, going, noise)


class FittedBehaviour:
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

    balanced = True

    def __init__(self, present: Samples, everything: Samples, policy: OwnPolicy) -> None:
        W, A = present.state.shape[1], present.leader_action.shape[1]
        rows = np.concatenate([everything.state, everything.leader_action, np.ones((len(everything), 1))], axis=1)
        self._on_action = _solve(rows, everything.follower_action)[W : W + A]
        own = present.follower_action - (present.leader_action - policy.mean) @ self._on_action
        self._mean = _simplest(present.state, own)
        residual = own - self._mean(present.state)
        spare = max(len(residual) - 1 - W, 1)
        self.covariance = residual.T @ residual / spare
        values, vectors = np.linalg.eigh(self.covariance)
        values = np.maximum(values, 1e-300)
        # Of all steps: values are those of the present behaviour everywhere.
        self.entropy = np.full(len(everything), 0.5 * float(np.log(2.0 * np.pi * np.e * values).sum()))
        nodes, self.shares = even_nodes(residual.shape[1])
        self._shifts = nodes @ (vectors * np.sqrt(values)).T
        self.leader_means = policy.mean
        self.plays = self.at(present.state, present.leader_action, policy.mean)
        self.base_plays = self.at(present.state, policy.mean, policy.mean)
        self.seen = quadratic(Whitening.of(rows[-len(present) :, :-1])(rows[-len(present) :, :-1]))

    def at(self, states: Array, leader_actions: Array, leader_means: Array) -> list[tuple[float, Actions]]:
        """Return actions that stand for the follower's at any steps, (n, B) each, and their shares."""
        mean = self._mean(states) + (leader_actions - leader_means) @ self._on_action
        return [(float(share), mean + shift) for share, shift in zip(self.shares, self._shifts, strict=True)]


def _simplest(rows: Array, targets: Array) -> Regression:
    """Return a linear regression, or a quadratic one where Schwarz's criterion prefers it."""
    n, found = len(rows), [Regression.of(rows, targets, squares=squares) for squares in (False, True)]
    least = 1e-24 * n * (targets**2).mean(axis=0)
    errors = [((targets - one(rows)) ** 2).sum(axis=0) + least for one in found]
    extra = (found[1].weights.shape[0] - found[0].weights.shape[0]) * targets.shape[1] * np.log(n)
    return found[bool(n * np.log(errors[0] / np.maximum(errors[1], 1e-300)).sum() > extra)]


def _solve(columns: Array, targets: Array) -> Array:
    """Least squares by normal equations with a small ridge: weights (F, ...) for targets (n, ...)."""
    return _Squares(columns).solve(targets)


class _Squares:
    """Columns (n, C) on which targets are regressed, or on the first of which."""

    def __init__(self, columns: Array) -> None:
        self.columns = columns
        scale = np.sqrt(np.einsum("nf,nf->f", columns, columns))
        # Bumps that no step is near would get weights that mean something only where there are no steps.
        self._scale = np.maximum(scale, LEAST_COLUMN * scale.max())
        self._gram = columns.T @ columns / np.outer(self._scale, self._scale)
        self._gram[np.diag_indices(len(self._gram))] += RIDGE

    def solve(self, targets: Array, first: int | None = None) -> Array:
        """Return weights (C, ...) for targets (n, ...), by the first columns only or by all."""
        gram, scale = self._gram[:first, :first], self._scale[:first, None]
        flat = targets.reshape(len(targets), -1)
        found = np.linalg.solve(gram, (self.columns[:, :first].T @ flat) / scale) / scale
        return np.asarray(found.reshape(len(gram), *targets.shape[1:]))


class FittedValues:
    """Values of present behaviour, from present and past play.

    Parameters
    ----------
    trajectories
        The present play.
    played
        All that is kept, present play last; see :class:`Replay`.
    spec
        The follower's actions, a box.
    features
        Name; see :func:`agents.estimators.state_features.make_features`.
    num_contexts
        K.
    rng
        For features that are drawn.
    policy
        Samples -> the leader's present policy there.

    Attributes
    ----------
    behaviour
        The follower's.
    leader_reward, follower_reward
        Of all that is kept, shape (M,); the latter None where it is not seen.
    leader_plays
        Actions that stand for the leader's at the present steps, (T, A) each, and their shares.
    """

    def __init__(
        self,
        trajectories: Trajectories,
        played: Sequence[_Played],
        spec: ActionSpec,
        features: str,
        num_contexts: int,
        rng: np.random.Generator,
        policy: Callable[[Samples], OwnPolicy],
    ) -> None:
        if spec.counts is not None:
            raise ArgumentError("critic: 'fitted' is for followers whose actions are a box")
        everything = _joined(played)
        self._trajectories, self._steps, self._spec = trajectories, trajectories.samples, spec
        self._all, self._everything = everything.samples, everything
        self.leader_reward, self.follower_reward = everything.leader_reward, everything.follower_reward
        own, own_now = policy(self._all), policy(self._steps)
        self._leader_means = own.mean
        self._leader_actions = own.mean + everything.noise * own.spread
        self.behaviour = FittedBehaviour(self._steps, self._all, own_now)
        nodes, shares = gaussian_nodes(own.mean.shape[1], True)
        self.leader_plays = [
            (float(w), own_now.mean + node * own_now.spread) for node, w in zip(nodes, shares, strict=True)
        ]
        away = np.sqrt(np.abs(self.leader_reward - np.median(self.leader_reward)))
        self._features = make_features(
            features,
            np.concatenate([self._all.state, self._all.next_state]),
            num_contexts,
            rng,
            self.leader_reward[:, None],
            importance=away / max(float(away.mean()), 1e-300) + ORDINARY,
            centres=CENTRES,
            overlap=OVERLAP,
        )
        rows = self._rows(self._all, self._all.leader_action, self._all.follower_action)
        self._motion = _simplest(rows, self._all.next_state)
        self._whitening = Whitening.of(rows)
        self._known: dict[tuple[int, int], tuple[Array, Array, Array, Actions]] = {}

    def _rows(self, steps: Samples, leader_actions: Array, follower_actions: Actions) -> Array:
        return np.concatenate([steps.state, leader_actions, encode(follower_actions, self._spec)], axis=1)

    @cached_property
    def _residual(self) -> Array:
        """What the fitted motion leaves of all next states, shape (M, W)."""
        rows = self._rows(self._all, self._all.leader_action, self._all.follower_action)
        return np.asarray(self._all.next_state - self._motion(rows))

    @cached_property
    def _here(self) -> Array:
        return self._features(self._all.state, self._all.context)

    @cached_property
    def _expected(self) -> tuple[Array, Array]:
        """Means over present behaviour: of the features of the next state, (M, F), and of the reward's columns."""
        steps, ahead, paid = self._all, np.zeros_like(self._here), np.zeros_like(self._played_columns)
        for share, b in self.behaviour.at(steps.state, self._leader_actions, self._leader_means):
            rows = self._rows(steps, self._leader_actions, b)
            reached = self._motion(rows) + self._residual
            ahead += share * self._features(reached, steps.context)
            paid += share * quadratic(self._whitening(rows))
        return ahead * self._everything.going[:, None], paid

    @cached_property
    def _played_columns(self) -> Array:
        rows = self._rows(self._all, self._all.leader_action, self._all.follower_action)
        return quadratic(self._whitening(rows))

    @cached_property
    def _squares(self) -> _Squares:
        """Of psi and of the reward's columns."""
        return _Squares(np.concatenate([self._here, self._played_columns], axis=1))

    @cached_property
    def _operator(self) -> Array:
        """K with E[psi(s') | s] = psi(s) K, shape (F, F)."""
        return self._squares.solve(self._expected[0], self._here.shape[1])

    @cached_property
    def _radius(self) -> float:
        return float(np.abs(np.linalg.eigvals(self._operator)).max())

    def _fading(self, discount: float) -> Array:
        """Return I - discount K.

        Raises
        ------
        InstabilityError
            It does not die away.
        """
        radius = discount * self._radius
        if radius >= 1.0:
            raise InstabilityError(f"critic: expected features whose discounted motion fades, got {radius:.6g}", radius)
        return np.eye(len(self._operator)) - discount * self._operator

    def player(self, rewards: Array, discount: float, *, horizon: int | None = None) -> PlayerValues:
        """Return the values, at the present steps, of the player that is paid `rewards` in all, shape (M,).

        Parameters
        ----------
        rewards
            With the entropy bonus, for the follower.
        discount
            In [0, 1), per play step.
        horizon
            Play steps after which values end; None where they go on.

        Raises
        ------
        InstabilityError
            Values that go on for ever have no limit.
        """
        F = self._here.shape[1]
        paid = self._paid(rewards)
        mean = self._squares.solve(rewards + (self._expected[1] - self._played_columns) @ paid, F)
        T = len(self._steps)
        if horizon is not None and discount**horizon > FELT:
            left = np.clip(steps_left(self._trajectories, horizon), 1, horizon).astype(np.int64)
            stages = self._stages(mean, discount, horizon)
            now, later = stages[left], stages[left - 1]
        else:
            now = later = np.broadcast_to(np.linalg.solve(self._fading(discount), mean), (T, F))
        return self._values(rewards[-T:], discount, paid, now, later)

    def _paid(self, rewards: Array) -> Array:
        """Return what columns of the actions earn; nothing where they explain little that states do not explain.

        Features leave a part of rewards unexplained that does depend on states. Where the leader hardly varies its
        action it would be laid to actions, and what they seem to earn is larger than what they change later.
        """
        F, squares = self._here.shape[1], self._squares
        alone, joint = squares.solve(rewards, F), squares.solve(rewards)
        left = ((rewards - self._here @ alone) ** 2).sum(), ((rewards - squares.columns @ joint) ** 2).sum()
        paid = joint[F:]
        return paid if left[1] < MATTERS * left[0] else np.zeros_like(paid)

    def _stages(self, mean: Array, discount: float, horizon: int) -> Array:
        """Return u with n = 0, 1, ... steps left, shape (horizon + 1, F)."""
        stages = np.zeros((horizon + 1, len(mean)))
        for n in range(horizon):
            stages[n + 1] = mean + discount * self._operator @ stages[n]
        return stages

    def _values(self, rewards: Array, discount: float, paid: Array, now: Array, later: Array) -> PlayerValues:
        """Return what coefficients of values now and at the next state, (T, F), and of rewards amount to."""
        steps, behaviour = self._steps, self.behaviour
        going = self._everything.going[-len(steps) :]

        def of_next(states: Array) -> Array:
            return np.asarray(np.einsum("tf,tf->t", self._features(states, steps.context), later) * going)

        def of_actions(a: Array, b: Actions) -> Array:
            ahead, columns = self._at(a, b)
            return np.asarray(columns @ paid + discount * np.einsum("tf,tf->t", ahead, later) * going)

        def mean_over(plays: list[tuple[float, Actions]], a: Array) -> Array:
            return np.asarray(sum(share * of_actions(a, b) for share, b in plays))

        given = mean_over(behaviour.plays, steps.leader_action)
        following = of_next(steps.next_state)
        value = np.einsum("tf,tf->t", self._here[-len(steps) :], now)
        return PlayerValues(
            advantage=of_actions(steps.leader_action, steps.follower_action) - given,
            action=given - mean_over(behaviour.base_plays, behaviour.leader_means),
            # Next states are fitted means and own residuals: nothing is left beside a function of the actions.
            next=np.zeros(len(steps)),
            error=float(np.abs(rewards + discount * following - value).mean()),
            of_next=of_next,
            advantage_of=lambda b: of_actions(steps.leader_action, b) - given,
            of_actions=of_actions,
        )

    def _at(self, a: Array, b: Actions) -> tuple[Array, Array]:
        """Return the features of the next state, (T, F), and the reward's columns, at the present steps."""
        key = id(a), id(b)
        if key not in self._known:
            rows = self._rows(self._steps, a, b)
            reached = self._motion(rows) + self._residual[-len(self._steps) :]
            # The actions are kept, too, so that their identity stays theirs.
            found = self._features(reached, self._steps.context), quadratic(self._whitening(rows))
            self._known[key] = (*found, a, b)
        return self._known[key][:2]

    def plays_at(self, leader_actions: Array) -> list[tuple[float, Actions]]:
        """Return the follower's actions at the present steps and other leader actions, with their shares."""
        return self.behaviour.at(self._steps.state, leader_actions, self.behaviour.leader_means)

    def away_from_states(self, impulses: Array) -> Array:
        """Return impulses, shape (T,), less their regression on what the follower saw; given that, their mean is 0."""
        seen = self.behaviour.seen
        return np.asarray(impulses - seen @ _solve(seen, impulses))

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
        T = len(self._steps)
        going, here = self._everything.going[-T:], self._here[-T:]
        pushed = np.zeros(here.shape[1])
        for (_, b), impulse in zip(self.behaviour.plays, impulses, strict=True):
            pushed += self._at(self._steps.leader_action, b)[0].T @ (impulse * going)
        arriving = np.linalg.solve(self._fading(discount).T, discount * pushed)
        return spread_over(here, arriving)

    @property
    def leader_actions(self) -> Array:
        """The recorded ones, shape (T, A)."""
        return self._steps.leader_action
