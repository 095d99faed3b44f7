r"""Saving problems on a grid of assets: soft best response, leader's value and hypergradient.

A saving problem is a Markov decision process with one number m, the assets, whose actions only displace it:

.. math::
    m' \sim p(\cdot \mid \mu), \qquad \mu = \mathrm{clip}(m + d_g),

with truncated normal noise p, and whose rewards split into a part of m and a part of the action. Actions of equal
displacement form a group g. Then

.. math::
    \bar V(m) = u(m) + \lambda \log \sum_g \exp\big((R_g + \gamma W(\mu(m, g))) / \lambda\big), \qquad
    W(\mu) = \int p(m' \mid \mu) \bar V(m') dm',

where R_g is the soft maximum of the rewards in the group. W is a smooth function of *one* number, whatever the
number of actions. It is held by its value and two derivatives at even knots (quintic Hermite interpolation), and the
integral is taken at Gauss-Legendre nodes in panels, one of which ends where u has its kink. The interpolation is
linear in the values at the nodes, so all of it is a finite decision process whose derivatives are exact. W is defined
between nodes too, and so is the policy: nothing is rounded to the grid in play.

Letters: S nodes, C coefficients of W, G groups, D entries of what the problem depends on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.envs.tax_design.hermite import hermite, hermite_slopes, read_terms, scatter_terms
from stackelberg_envs.errors import ConvergenceError

__all__ = [
    "AssetGrid",
    "GroupFlows",
    "SavingPlan",
    "SavingProblem",
    "SavingResponse",
    "cut_value",
    "endless_value",
    "entropy_bonus",
    "flows",
    "group_values",
    "interpolate",
    "make_grid",
    "pieces",
    "plan",
    "soft_response",
]

#: Panel edges from the kink on, in standard deviations of the noise; beyond the last one every two.
FINE_EDGES = (0.0, 0.25, 0.5, 1.0, 2.0)
WIDEST = 2.0
#: The same from the lower end on: debt that is cut off there makes the policy switch within a short way.
LOW_EDGES = (0.5, 1.0)
#: Knots of W per standard deviation of the noise, for each node per panel.
KNOTS_PER_NODE = 5 / 16
DEFAULT_NODES = 8
DEFAULT_TOLERANCE = 1e-8
MAX_NEWTON_STEPS = 60
#: Of one backup, relative to the values.
ROUNDING = 8 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class AssetGrid:
    """A grid of assets and the smoothing by noise on it.

    Attributes
    ----------
    nodes, weights
        Quadrature on [low, high], shape (S,).
    low, high, noise
        Range of the assets, and the standard deviation of the noise before it is truncated to the range.
    spacing
        Between the knots of W.
    smoothing
        Values at the nodes -> coefficients of W, shape (C, S): at each knot W, W' and W''.
    """

    nodes: Array
    weights: Array
    low: float
    high: float
    noise: float
    spacing: float
    smoothing: Array

    def __len__(self) -> int:
        """S."""
        return len(self.nodes)


@lru_cache(maxsize=16)
def make_grid(low: float, high: float, noise: float, nodes: int = DEFAULT_NODES, kink: float = 0.0) -> AssetGrid:
    """Return a grid.

    Parameters
    ----------
    low, high
        Range of the assets.
    noise
        Standard deviation before truncation, above 0.
    nodes
        Quadrature nodes per panel; the knots become denser with them. Error falls fast in it, cost is cubic.
    kink
        Where the rewards are not smooth; panels end there.
    """
    points, weights = _panels(_edges(low, high, noise, kink), nodes)
    intervals = max(1, round((high - low) / noise * KNOTS_PER_NODE * nodes))
    knots = np.linspace(low, high, intervals + 1)
    smoothing = _smoothing(knots, points, weights, noise)
    for array in (points, weights, smoothing):
        array.flags.writeable = False
    return AssetGrid(points, weights, low, high, noise, (high - low) / intervals, smoothing)


def _edges(low: float, high: float, noise: float, kink: float) -> Array:
    """Return panel edges, dense around the kink: the initial assets lie there too."""
    count = int(max(high - kink, kink - low, 0.0) / (WIDEST * noise)) + 1
    reach = noise * np.concatenate([FINE_EDGES, WIDEST * np.arange(2, count + 2)])
    edges = np.concatenate([kink - reach, kink + reach, low + noise * np.array(LOW_EDGES)])
    # An edge right next to the end of the range would make a sliver.
    inner = edges[(edges > low + 0.1 * noise) & (edges < high - 0.1 * noise)]
    return np.unique(np.concatenate([[low, high], inner]))


def _panels(edges: Array, nodes: int) -> tuple[Array, Array]:
    points, weights = np.polynomial.legendre.leggauss(nodes)
    half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    return (middle[:, None] + half[:, None] * points).ravel(), (half[:, None] * weights).ravel()


def _smoothing(knots: Array, nodes: Array, weights: Array, noise: float) -> Array:
    """Return the rows p(m | mu), dp/dmu and d2p/dmu2 at each knot, shape (3 knots, S).

    p is normalised over the nodes, as truncation to the range asks for; the score is (m - mu) / noise^2, centred.
    """
    score = (nodes - knots[:, None]) / noise**2
    log_p = -0.5 * (noise * score) ** 2
    p = weights * np.exp(log_p - log_p.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    centred = score - (p * score).sum(axis=1, keepdims=True)
    variance = (p * centred**2).sum(axis=1, keepdims=True)
    return np.stack([p, p * centred, p * (centred**2 - variance)], axis=1).reshape(-1, len(nodes))


@dataclass(frozen=True, eq=False)
class _Places:
    """Where W is read: the first coefficient, the place s in [0, 1] between its knot and the next, and the weights.

    Where a move is clipped to the range, `free` is 0 and W does not depend on the displacement.
    """

    first: NDArray[np.intp]
    between: Array
    weights: tuple[Array, ...]
    free: Array


def _places(grid: AssetGrid, mean: Array) -> _Places:
    """Return where W is read for next assets of the given mean (any shape), before it is clipped."""
    clipped = np.clip(mean, grid.low, grid.high)
    intervals = len(grid.smoothing) // 3 - 1
    position = (clipped - grid.low) / grid.spacing
    cell = np.minimum(position.astype(np.intp), intervals - 1)
    between = position - cell
    return _Places(3 * cell, between, hermite(between, grid.spacing), (clipped == mean).astype(np.float64))


def pieces(grid: AssetGrid, coefficients: Array) -> Array:
    """Return W between the knots as polynomials in the place s in [0, 1], rising powers, shape (intervals, 6)."""
    value, slope, curve = coefficients.reshape(-1, 3).T * np.array([[1.0], [grid.spacing], [grid.spacing**2]])
    start = np.stack([value[:-1], slope[:-1], curve[:-1] / 2])
    left = value[1:] - start.sum(axis=0)
    left_slope = slope[1:] - start[1] - 2 * start[2]
    left_curve = curve[1:] - 2 * start[2]
    end = (
        10 * left - 4 * left_slope + left_curve / 2,
        -15 * left + 7 * left_slope - left_curve,
        6 * left - 3 * left_slope + left_curve / 2,
    )
    return np.ascontiguousarray(np.stack([*start, *end], axis=1))


def interpolate(grid: AssetGrid, coefficients: Array, mean: Array) -> Array:
    """Return W at next assets of the given mean, which is clipped to the range; the shape of `mean`."""
    places = _places(grid, mean)
    return read_terms(places.first, places.weights, coefficients)


@dataclass(frozen=True, eq=False)
class SavingProblem:
    """A saving problem on a grid, under one commitment and in one context.

    Attributes
    ----------
    grid
        The grid.
    displacement
        d_g, shape (G,).
    follower_group, leader_group
        Shape (G,): the follower's soft maximum of the action's part of its reward in the group, and the leader's mean
        of its own there, under the Gibbs weights of the group.
    follower_state, leader_state
        The assets' part of the rewards at the nodes, shape (S,).
    initial
        Initial distribution over nodes, shape (S,).
    follower_discount, leader_discount, temperature
        Of the game.
    """

    grid: AssetGrid
    displacement: Array
    follower_group: Array
    leader_group: Array
    follower_state: Array
    leader_state: Array
    initial: Array
    follower_discount: float
    leader_discount: float
    temperature: float


@dataclass(frozen=True, eq=False)
class SavingResponse:
    """The follower's soft best response on the grid.

    Attributes
    ----------
    values
        Soft values at the nodes, shape (S,); pass them as `start` to a later solve.
    coefficients
        Of W, shape (C,).
    policy
        Probability of each group at each node, shape (S, G).
    kernel
        Transition between nodes under the policy, shape (S, S); rows sum to one.
    error
        Bound on the error of `values` as a solution on this grid.
    policy_error
        The same for `policy`.
    steps
        Newton steps made.
    """

    values: Array
    coefficients: Array
    policy: Array
    kernel: Array
    error: float
    policy_error: float
    steps: int
    _places: _Places


def group_values(problem: SavingProblem, coefficients: Array, assets: Array) -> Array:
    """Return the action's part of Q_F by group, R_g + discount W(m + d_g), at any assets, shape (n, G)."""
    ahead = interpolate(problem.grid, coefficients, assets[:, None] + problem.displacement)
    return np.asarray(problem.follower_group + problem.follower_discount * ahead)


def soft_response(
    problem: SavingProblem, *, tolerance: float = DEFAULT_TOLERANCE, start: Array | None = None
) -> SavingResponse:
    """Return the soft best response by Newton's method, which is soft policy iteration.

    Parameters
    ----------
    problem
        The saving problem.
    tolerance
        Bound on the error of the probability of every group of actions; it has no unit. 0 takes what floats hold.
    start
        Values of a nearby problem on the same grid, to save steps.

    Raises
    ------
    ConvergenceError
        The bound was not reached.
    """
    places = _places(problem.grid, problem.grid.nodes[:, None] + problem.displacement)
    gamma, smoothing = problem.follower_discount, problem.grid.smoothing
    values = problem.follower_state / (1.0 - gamma) if start is None else start
    best = error = rounding = np.inf
    for step in range(1, MAX_NEWTON_STEPS + 1):
        coefficients = smoothing @ values
        backed, policy = _backup(problem, places, coefficients)
        residual = backed - values
        best, error = min(best, error), gamma / (1.0 - gamma) * float(np.abs(residual).max())
        rounding = ROUNDING * float(np.abs(backed).max()) / (1.0 - gamma)
        kernel = _kernel(places, policy, smoothing)
        # Below rounding the residual no longer falls.
        if 0.5 * error <= tolerance * problem.temperature or (error >= best and error <= 16 * rounding):
            # A probability moves by at most a quarter of what two values move apart, over the temperature.
            reached = 0.5 * (error + rounding) / problem.temperature
            if 0 < tolerance < reached:
                break
            return SavingResponse(backed, smoothing @ backed, policy, kernel, error + rounding, reached, step, places)
        values = values + np.linalg.solve(np.eye(len(values)) - gamma * kernel, residual)
    raise ConvergenceError(
        f"best response on the asset grid: expected an error of at most {tolerance:.1e} of every probability, reached "
        f"{0.5 * (error + rounding) / problem.temperature:.1e}; 0 takes what is reached"
    )


def _backup(problem: SavingProblem, places: _Places, coefficients: Array) -> tuple[Array, Array]:
    """Return the backed-up values and the policy they come from."""
    q = problem.follower_group + problem.follower_discount * read_terms(places.first, places.weights, coefficients)
    top = q.max(axis=1, keepdims=True)
    weights = np.exp((q - top) / problem.temperature)
    total = weights.sum(axis=1, keepdims=True)
    soft = top[:, 0] + problem.temperature * np.log(total[:, 0])
    return problem.follower_state + soft, weights / total


def _kernel(places: _Places, policy: Array, smoothing: Array) -> Array:
    """Return sum_g pi(g | m) p(. | m, g) between nodes, shape (S, S)."""
    return scatter_terms(places.first, places.weights, policy, len(smoothing)) @ smoothing


@dataclass(frozen=True, eq=False)
class SavingPlan:
    """A best response and what it is worth to both.

    Attributes
    ----------
    problem, response
        What was solved, and the best response.
    leader_values
        Of the leader, at the nodes, shape (S,).
    leader_value, follower_value
        At the initial distribution.
    """

    problem: SavingProblem
    response: SavingResponse
    leader_values: Array
    leader_value: float
    follower_value: float

    @cached_property
    def occupancy(self) -> Array:
        """Discounted number of visits of each node under the leader's discount, shape (S,)."""
        system = np.eye(len(self.leader_values)) - self.problem.leader_discount * self.response.kernel.T
        return np.asarray(np.linalg.solve(system, self.problem.initial))


def entropy_bonus(problem: SavingProblem, response: SavingResponse) -> Array:
    """Return the temperature times the entropy of the response over groups, at the nodes, shape (S,).

    Entropy within groups is in the follower's part of the reward already.
    """
    logs = np.log(np.where(response.policy > 0, response.policy, 1.0))
    return np.asarray(-problem.temperature * (response.policy * logs).sum(axis=1))


def cut_value(made: SavingPlan, reward: Array, discount: float, horizon: int) -> float:
    """Return what `reward` at the nodes, shape (S,), adds up to over an episode that is cut at the horizon."""
    values = reward
    for _ in range(horizon - 1):
        longer = reward + discount * (made.response.kernel @ values)
        change, values = np.abs(longer - values).max(), longer
        # All further steps together are below rounding.
        if discount * change <= np.finfo(np.float64).eps * (1.0 - discount) * np.abs(values).max():
            break
    return float(made.problem.initial @ values)


def endless_value(made: SavingPlan, reward: Array, discount: float) -> float:
    """Return the same over endless play."""
    system = np.eye(len(reward)) - discount * made.response.kernel
    return float(made.problem.initial @ np.linalg.solve(system, reward))


def plan(problem: SavingProblem, *, tolerance: float = DEFAULT_TOLERANCE, start: Array | None = None) -> SavingPlan:
    """Return the best response and both values of it.

    Parameters
    ----------
    problem
        The saving problem.
    tolerance, start
        As for :func:`soft_response`.
    """
    response = soft_response(problem, tolerance=tolerance, start=start)
    reward = problem.leader_state + response.policy @ problem.leader_group
    system = np.eye(len(reward)) - problem.leader_discount * response.kernel
    values: Array = np.asarray(np.linalg.solve(system, reward), dtype=np.float64)
    follower = float(problem.initial @ response.values)
    return SavingPlan(problem, response, values, float(problem.initial @ values), follower)


@dataclass(frozen=True, eq=False)
class GroupFlows:
    """Derivatives of the leader's value by what a commitment changes, by group, shape (G,) each.

    Attributes
    ----------
    occupancy
        Discounted number of actions in the group: dJ/dr_L, summed over assets.
    response
        dJ/dr_F of the group as a whole, summed over assets.
    direct_move, response_move
        dJ/d(displacement) with the follower's policy held fixed, and the part through its response.
    """

    occupancy: Array
    response: Array
    direct_move: Array
    response_move: Array


def flows(made: SavingPlan) -> GroupFlows:
    """Return the derivatives of the leader's value by two more linear solves.

    The adjoint form of :func:`stackelberg_envs.solvers.soft.hypergradient`, summed over assets: d is the leader's
    discounted occupancy, w = d pi A_L / temperature the Boltzmann covariance, m the signed flow it causes, and
    u = w + m pi.
    """
    problem, response = made.problem, made.response
    places, pi = response._places, response.policy
    grid = problem.grid
    identity = np.eye(len(grid))
    d = made.occupancy
    leader = grid.smoothing @ made.leader_values
    q = problem.leader_group + problem.leader_discount * read_terms(places.first, places.weights, leader)
    w = d[:, None] * pi * (q - (pi * q).sum(axis=1, keepdims=True)) / problem.temperature
    caused = problem.follower_discount * (
        scatter_terms(places.first, places.weights, w, len(leader)) @ grid.smoothing
    ).sum(axis=0)
    m = np.linalg.solve(identity - problem.follower_discount * response.kernel.T, caused)
    u = w + m[:, None] * pi
    slopes = hermite_slopes(places.between, grid.spacing)
    reached = d[:, None] * pi
    direct = problem.leader_discount * read_terms(places.first, slopes, leader) * places.free * reached
    through = problem.follower_discount * read_terms(places.first, slopes, response.coefficients) * places.free * u
    return GroupFlows(reached.sum(axis=0), u.sum(axis=0), direct.sum(axis=0), through.sum(axis=0))
