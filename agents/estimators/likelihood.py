r"""All that was seen, fitted at once: dynamics and follower by one maximum likelihood.

The follower is taken to play the soft best response :math:`g` to each commitment x, in dynamics it believes in, with a
temperature :math:`\lambda`. Its actions then tell about the dynamics as well: a value difference of one temperature
shows in what it does, long before the counted transitions show it. So the dynamics P, the temperature (where it is
private) and the belief are estimated together from the posterior

.. math::
    \sum_{s,a,b,s'} c(s,a,b,s') \log P(s'|s,a,b) + \sum_x \sum_{s,a,b} n_x(s,a,b) \log g_x(b|s,a) ,

c the counted transitions (with the shrinkage of the model as pseudo-counts) and n_x the actions taken under x.
Estimated one after the other, with P counted first, its errors look like indifference of the follower and
the temperature comes out too high: the dilution that errors in the regressors cause in any regression.

The belief has one parameter, the tremble :math:`\epsilon`:

.. math::
    P_\epsilon(\cdot|s,a,b) \propto
    \Big( (1-\epsilon) P(\cdot|s,a,b) + \epsilon \frac1B \sum_{b'} P(\cdot|s,a,b') \Big)_+ ,

as if its own action were replaced by a random one with probability :math:`\epsilon`. A negative tremble is a follower
surer of its actions than they are. The derivatives are those of the exact hypergradient, with
:math:`w = (n - n g)/\lambda` in place of the leader's: the flow u of w through the believed dynamics is the derivative
of the log-likelihood by r_F, and :math:`\gamma_F u \bar V(s')` the one by :math:`P_\epsilon(s'|s,a,b)`. The
method is this project's own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, require_count
from stackelberg_envs.errors import OutputError
from stackelberg_envs.games.primitives import Primitives
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.solvers.soft.linear import push_flow, resolvent

from ..observing.trajectories import Trajectories
from ..state import stateful
from ..state.stateful import Stateful

__all__ = [
    "BehaviourModel",
    "CommitmentHistory",
    "PlayFit",
    "PlayLikelihood",
    "action_likelihood",
    "likeliest_temperature",
    "trembled",
]

#: Of the follower's values, in temperatures; of the flow, relative to what flows in.
TOLERANCE = 1e-9
#: The tremble is looked for here, the temperature within this factor of where the search starts.
TREMBLES, FACTOR = (-1.0, 0.95), 100.0
#: One unit of the optimiser in log temperature and in the tremble: about a standard error.
UNIT = 0.01
#: Where no temperature is known, these multiples of the range of the follower's rewards seen are tried first.
FIRST_TEMPERATURES = tuple(np.geomspace(1e-4, 30.0, 23))
#: Pairs of L-BFGS, and the relative gain of an iteration that is its last: of 20,000 nats, 0.02.
PAIRS, LEAST_PROGRESS = 20, 1e-6


@dataclass(frozen=True)
class BehaviourModel:
    """How a follower is taken to behave: its temperature, reward units, and its tremble, at most 1."""

    temperature: float
    tremble: float = 0.0


@dataclass(frozen=True, eq=False)
class PlayFit:
    """The end of an ascent of the likelihood.

    Attributes
    ----------
    behaviour
        The follower's.
    probabilities
        P(s' | s, a, b) in the lists of the likelihood, shape (Z, A, B, W).
    value
        The log-likelihood, less that of the counted transitions under their own frequencies.
    evaluations
        Of the likelihood.
    """

    behaviour: BehaviourModel
    probabilities: Array
    value: float
    evaluations: int


@dataclass(frozen=True, eq=False)
class _Played:
    """How often the actions in `cells` (flat indices of (z, a, b)) were taken under the commitment x."""

    x: Array
    cells: NDArray[np.intp]
    counts: Array


class CommitmentHistory(Stateful):
    """The actions seen under some of the commitments so far: a limited number, those that were played most.

    Parameters
    ----------
    shape
        (Z, A, B).
    most
        Where there would be more commitments, the one with the fewest steps is forgotten, the oldest of these first.
    commitment_shape
        The shape of x, to check what a checkpoint says; None: any.
    """

    state_fields = stateful.fields(
        _played=stateful.List(
            stateful.Record(
                _Played,
                x=stateful.Array(lambda self: self.commitment_shape),
                cells=stateful.Array((None,), dtype=np.intp, low=0, high=lambda self: math.prod(self.shape) - 1),
                counts=stateful.Array((None,), low=0.0),
            ),
            most=lambda self: self.most,
        ),
    )

    def __init__(
        self, shape: tuple[int, int, int], most: int = 24, commitment_shape: tuple[int, ...] | None = None
    ) -> None:
        self.shape, self.commitment_shape = shape, commitment_shape
        self.most = require_count(most, "most")
        self._played: list[_Played] = []

    def check_state(self, loaded: dict[str, Any], where: str) -> None:
        """Raise OutputError unless each cell has a count."""
        if any(len(played.cells) != len(played.counts) for played in loaded["_played"]):
            raise OutputError(f"{where}: expected a count for each cell, got others")

    def __len__(self) -> int:
        """How many commitments are kept."""
        return len(self._played)

    def add(self, trajectories: Trajectories) -> None:
        """Count the actions under one more commitment, or under one that was played before."""
        index = (trajectories.joint_state, trajectories.leader_action, trajectories.follower_action)
        cells = np.ravel_multi_index(index, self.shape)
        weights, x = np.ones(len(cells)), np.array(trajectories.commitment)
        for i, earlier in enumerate(self._played):
            if np.array_equal(earlier.x, x):
                cells, weights = np.concatenate([earlier.cells, cells]), np.concatenate([earlier.counts, weights])
                del self._played[i]
                break
        seen, place = np.unique(cells, return_inverse=True)
        counts: Array = np.bincount(place, weights, len(seen)).astype(np.float64)
        self._played.append(_Played(x, seen, counts))
        if len(self._played) > self.most:
            fewest = min(self._played[:-1], key=lambda played: played.counts.sum())
            self._played = [played for played in self._played if played is not fewest]

    def tables(self) -> list[tuple[Array, Array]]:
        """Return each commitment with its counts, shape (Z, A, B)."""
        tables = []
        for played in self._played:
            counts = np.zeros(self.shape)
            counts.ravel()[played.cells] = played.counts
            tables.append((played.x, counts))
        return tables


def trembled(transition: Transition, tremble: float) -> Transition:
    """Return the dynamics that a follower with that tremble believes in.

    Parameters
    ----------
    transition
        Lists of shape (Z, A, B, W) that name the same successors for every b.
    tremble
        At most 1.
    """
    return Transition(transition.successors, _believed(transition.probabilities, tremble)[0])


def _believed(own: Array, tremble: float) -> tuple[Array, Array]:
    """Return the believed probabilities, shape (Z, A, B, W), and what they were divided by, (Z, A, B, 1)."""
    raw = np.maximum((1.0 - tremble) * own + tremble * own.mean(axis=2, keepdims=True), 0.0)
    total = raw.sum(axis=-1, keepdims=True)
    total = np.where(total > 0, total, 1.0)  # rows that lead nowhere
    return raw / total, total


def _through_belief(own: Array, tremble: float, believed: Array, total: Array, by: Array) -> tuple[Array, float]:
    """Return derivatives by P, shape (Z, A, B, W), and by the tremble, from those `by` believed probabilities."""
    towards = own.mean(axis=2, keepdims=True) - own
    # At zero the derivative is the one from above: entries that a tremble would make positive count.
    raw = np.where(own + tremble * towards >= 0, (by - (believed * by).sum(axis=-1, keepdims=True)) / total, 0.0)
    by_tremble = float((raw * towards).sum())
    return (1.0 - tremble) * raw + tremble * raw.mean(axis=2, keepdims=True), by_tremble


class PlayLikelihood:
    """The log-likelihood of the play, as a function of P, temperature and tremble, and its gradient.

    Parameters
    ----------
    games
        The model under each commitment, all with the same transition lists.
    counts
        How often each action was taken under each commitment, each of shape (Z, A, B).
    choices
        The actions of whose values the model knows something, booleans of shape (Z, A, B). The likelihood is that of
        the choice among those, others do not count.
    seen
        Counted transitions with pseudo-counts, shape (Z, A, B, W), every row with a positive sum.
    leads
        1, or 0 for rows of which nothing was seen, if these are to lead nowhere instead, shape (Z, A, B).
    """

    def __init__(
        self,
        games: list[Primitives],
        counts: list[Array],
        choices: NDArray[np.bool_],
        seen: Array,
        leads: Array | None = None,
    ) -> None:
        self.games, self.choices, self.seen, self.leads = games, choices, seen, leads
        self.counts = [np.where(choices, n, 0.0) for n in counts]
        self.evaluations = 0
        self._warm: list[Array | None] = [None] * len(games)

    def __call__(self, probabilities: Array, behaviour: BehaviourModel) -> tuple[float, Array, float, float]:
        """Return the log-likelihood and its derivatives by P, log temperature and tremble.

        Parameters
        ----------
        probabilities
            P, shape (Z, A, B, W).
        behaviour
            The follower's.
        """
        self.evaluations += 1
        believed, total = _believed(probabilities, behaviour.tremble)
        value, by_temperature, by_belief = 0.0, 0.0, np.zeros_like(probabilities)
        for i, game in enumerate(self.games):
            moves = believed if self.leads is None else believed * self.leads[..., None]
            dynamics = Transition(game.transition.successors, moves)
            changed = replace(
                game, transition=dynamics, believed_transition=dynamics, temperature=behaviour.temperature
            )
            one, flow, state_values, by_log = action_likelihood(changed, self.counts[i], self.choices, self._warm[i])
            self._warm[i] = state_values
            value, by_temperature = value + one, by_temperature + by_log
            arriving = game.follower_discount * game.continuing[:, None, None] * flow
            arriving = arriving if self.leads is None else arriving * self.leads
            by_belief += arriving[..., None] * state_values[dynamics.successors]
        by_own, by_tremble = _through_belief(probabilities, behaviour.tremble, believed, total, by_belief)
        return value, by_own, by_temperature, by_tremble

    def fit(self, start: BehaviourModel, first: Array, *, free: tuple[bool, bool], iterations: int) -> PlayFit:
        """Ascend by L-BFGS from a behaviour and dynamics.

        Parameters
        ----------
        start
            How the follower is taken to behave at first.
        first
            P to begin with, shape (Z, A, B, W); where it is zero it stays zero.
        free
            Whether temperature and tremble are estimated; what is not stays as in `start`.
        iterations
            At most.
        """
        possible = first > 0
        logits = np.where(possible, np.log(np.where(possible, first, 1.0)), -np.inf)
        visits = self.seen.sum(axis=-1, keepdims=True)
        # About a standard error of a logit.
        unit = np.where(possible, 1.0 / np.sqrt(np.maximum(visits, 1.0)), 0.0)
        before = self.evaluations

        def unpacked(point: Array) -> tuple[BehaviourModel, Array]:
            behaviour = BehaviourModel(start.temperature * math.exp(UNIT * point[0]), start.tremble + UNIT * point[1])
            return behaviour, scipy.special.log_softmax(logits + unit * point[2:].reshape(unit.shape), axis=-1)

        def loss(point: Array) -> tuple[float, Array]:
            behaviour, logarithms = unpacked(point)
            own = np.exp(logarithms)
            value, by_own, by_temperature, by_tremble = self(own, behaviour)
            value += float((self.seen * np.where(possible, logarithms, 0.0)).sum())
            by_logits = own * (by_own - (own * by_own).sum(axis=-1, keepdims=True)) + self.seen - visits * own
            gradient = np.concatenate([[UNIT * by_temperature, UNIT * by_tremble], (unit * by_logits).ravel()])
            gradient[:2] *= free
            return -value, -gradient

        limits: list[Any] = [(-math.log(FACTOR) / UNIT, math.log(FACTOR) / UNIT)]
        limits += [tuple((limit - start.tremble) / UNIT for limit in TREMBLES)] + [(None, None)] * unit.size
        options: Any = {"maxiter": iterations, "maxcor": PAIRS, "ftol": LEAST_PROGRESS}
        solver: Any = scipy.optimize.minimize
        result = solver(loss, np.zeros(2 + unit.size), jac=True, method="L-BFGS-B", bounds=limits, options=options)
        behaviour, logarithms = unpacked(result.x)
        return PlayFit(behaviour, np.exp(logarithms), -float(result.fun), self.evaluations - before)


def action_likelihood(
    game: Primitives, counts: Array, choices: NDArray[np.bool_], start: Array | None
) -> tuple[float, Array, Array, float]:
    """Log-likelihood of the actions under one commitment, and its derivatives.

    Parameters
    ----------
    game
        The model as the follower believes it.
    counts, choices
        How often each action was taken, and those to choose among, shape (Z, A, B).
    start
        State values to start the best response from.

    Returns
    -------
    tuple
        The log-likelihood; its derivative by the follower's rewards, the flow, shape (Z, A, B), whose product with
        the discount and V(s') is the one by P(s' | z, a, b); the follower's state values, shape (Z,); the derivative by
        log temperature.
    """
    from stackelberg_envs.solvers.soft import soft_best_response  # only who plans loads solvers

    best = soft_best_response(game, tolerance=TOLERANCE, start=start)
    advantage = best.q - best.values[:, :, None]
    seen = counts.sum(axis=2) > 0
    n = counts[seen]
    log_g = scipy.special.log_softmax(np.where(choices, advantage / game.temperature, -np.inf)[seen], axis=1)
    value = float((n * np.where(n > 0, log_g, 0.0)).sum())
    w = np.zeros_like(counts)
    w[seen] = (n - n.sum(axis=1, keepdims=True) * np.exp(log_g)) / game.temperature
    joint = game.joint_policy(best.policy)
    believed, discount = game.believed_transition, game.follower_discount
    inflow = push_flow(discount * w, believed, game.continuing)
    system = resolvent(game.follower_process, joint)
    arriving = system.solve_transposed(inflow, TOLERANCE * float(np.abs(inflow).sum()))
    flow = w + arriving[:, None, None] * joint
    # By log temperature: -(Q - V) / temperature in the logits, the entropy (V - Q) in the values.
    taken = advantage if game.feasible is None else np.where(game.feasible, advantage, 0.0)
    by_temperature = -float((flow * taken).sum())
    return value, flow, best.state_values, by_temperature


def likeliest_temperature(games: list[Primitives], counts: list[Array], choices: NDArray[np.bool_]) -> float | None:
    """Return the temperature that makes the actions likeliest in models that are taken as they are.

    Parameters
    ----------
    games
        The model under each commitment.
    counts
        How often each action was taken under each, each of shape (Z, A, B).
    choices
        See :class:`PlayLikelihood`.

    Returns
    -------
    float or None
        None where the best of temperatures of all sizes is no maximum but the least or the largest one: the better
        action was always taken, all were taken alike, or there was nothing to choose.
    """
    scale = max(float(np.ptp(game.follower_reward[choices])) for game in games) if choices.any() else 0.0
    chosen = [np.where(choices, n, 0.0) for n in counts]
    warm: list[Array | None] = [None] * len(games)

    def loss(logarithm: float) -> float:
        value = 0.0
        for i, game in enumerate(games):
            temperature = scale * math.exp(logarithm)
            changed = replace(game, transition=game.believed_transition, temperature=temperature)
            one, _, warm[i], _ = action_likelihood(changed, chosen[i], choices, warm[i])
            value += one
        return -value

    if scale == 0.0:
        return None
    # Logarithms of multiples of the scale: the search has steps relative to them, which a unit would shift.
    tried = [math.log(multiple) for multiple in FIRST_TEMPERATURES]
    best = int(np.argmin([loss(logarithm) for logarithm in reversed(tried)]))
    best = len(tried) - 1 - best
    if best in (0, len(tried) - 1):
        return None
    bounds = (tried[best - 1], tried[best + 1])
    found = scipy.optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4}).x
    return scale * math.exp(found)
