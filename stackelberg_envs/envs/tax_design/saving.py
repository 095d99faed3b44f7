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
from functools import cached_property

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.envs.tax_design.asset_grid import AssetGrid, Places, interpolate, places_of
from stackelberg_envs.envs.tax_design.hermite import hermite_slopes, read_terms, scatter_terms
from stackelberg_envs.errors import ConvergenceError

__all__ = [
    "GroupFlows",
    "SavingProblem",
    "SavingResponse",
    "SavingSolution",
    "cut_value",
    "endless_value",
    "entropy_bonus",
    "flows",
    "group_values",
    "soft_response",
    "solve_saving",
]

DEFAULT_TOLERANCE = 1e-8
MAX_NEWTON_STEPS = 60
#: What rounding does in one backup, relative to the values.
ROUNDING = 8 * float(np.finfo(np.float64).eps)


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
    places
        Where W is read after each action of each node.
    """

    values: Array
    coefficients: Array
    policy: Array
    kernel: Array
    error: float
    policy_error: float
    steps: int
    places: Places


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
    places = places_of(problem.grid, problem.grid.nodes[:, None] + problem.displacement)
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
        # A probability moves by at most a quarter of what two values move apart, over the temperature.
        reached = 0.5 * (error + rounding) / problem.temperature
        # Below rounding the residual no longer falls.
        if reached <= tolerance or (error >= best and error <= 16 * rounding):
            if 0 < tolerance < reached:
                break
            return SavingResponse(backed, smoothing @ backed, policy, kernel, error + rounding, reached, step, places)
        values = values + np.linalg.solve(np.eye(len(values)) - gamma * kernel, residual)
    raise ConvergenceError(
        f"best response on the asset grid: expected an error of at most {tolerance:.1e} of every probability, reached "
        f"{0.5 * (error + rounding) / problem.temperature:.1e}; 0 takes what is reached"
    )


def _backup(problem: SavingProblem, places: Places, coefficients: Array) -> tuple[Array, Array]:
    """Return the backed-up values and the policy they come from."""
    q = problem.follower_group + problem.follower_discount * read_terms(places.first, places.weights, coefficients)
    top = q.max(axis=1, keepdims=True)
    weights = np.exp((q - top) / problem.temperature)
    total = weights.sum(axis=1, keepdims=True)
    soft = top[:, 0] + problem.temperature * np.log(total[:, 0])
    return problem.follower_state + soft, weights / total


def _kernel(places: Places, policy: Array, smoothing: Array) -> Array:
    """Return sum_g pi(g | m) p(. | m, g) between nodes, shape (S, S)."""
    return scatter_terms(places.first, places.weights, policy, len(smoothing)) @ smoothing


@dataclass(frozen=True, eq=False)
class SavingSolution:
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


def cut_value(made: SavingSolution, reward: Array, discount: float, horizon: int) -> float:
    """Return what `reward` at the nodes, shape (S,), adds up to over an episode that is cut at the horizon."""
    values = reward
    for _ in range(horizon - 1):
        longer = reward + discount * (made.response.kernel @ values)
        change, values = np.abs(longer - values).max(), longer
        # All further steps together are below rounding.
        if discount * change <= np.finfo(np.float64).eps * (1.0 - discount) * np.abs(values).max():
            break
    return float(made.problem.initial @ values)


def endless_value(made: SavingSolution, reward: Array, discount: float) -> float:
    """Return the same over endless play."""
    system = np.eye(len(reward)) - discount * made.response.kernel
    return float(made.problem.initial @ np.linalg.solve(system, reward))


def solve_saving(
    problem: SavingProblem, *, tolerance: float = DEFAULT_TOLERANCE, start: Array | None = None
) -> SavingSolution:
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
    return SavingSolution(problem, response, values, float(problem.initial @ values), follower)


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


def flows(made: SavingSolution) -> GroupFlows:
    """Return the derivatives of the leader's value by two more linear solves.

    The adjoint form of :func:`stackelberg_envs.solvers.soft.hypergradient`, summed over assets: d is the leader's
    discounted occupancy, w = d pi A_L / temperature the Boltzmann covariance, m the signed flow it causes, and
    u = w + m pi.
    """
    problem, response = made.problem, made.response
    places, pi = response.places, response.policy
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
