r"""The Boltzmann-covariance hypergradient from observed trajectories.

With the eligibility trace :math:`e_t = \gamma_F e_{t-1} + \gamma_L^t A_L(s_t, a_t, b_t)/\lambda` the hypergradient is
the average over episodes of

.. math::
    \sum_t \; e_t\, dr_F + \gamma_L^t\, dr_L
    + (\gamma_L^t Q_L(s_t,a_t) + \gamma_F e_{t-1} V_F(s_t,a_t))\, d\log f
    + (\gamma_L^{t+1} \bar V_L(s_{t+1}) + \gamma_F e_t \bar V_F(s_{t+1}))\, d\log P .

Kudo et al. (2026), arXiv 2603.14867, in the one-pass form derived for this project: O(T) time, whatever the
size of theta, and no need to visit a state twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, ratio
from stackelberg_envs.games.cotangents import Cotangents, StepCotangents
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.jit import compiled

from ..observing.trajectories import Trajectories
from .counts import scatter_add

__all__ = [
    "StepValues",
    "ValueEstimates",
    "boltzmann_covariance",
    "score_function",
    "step_coefficients",
    "tabulate",
]


@dataclass(frozen=True, eq=False)
class ValueEstimates:
    """What an estimator needs besides the trajectories; all are the leader's own estimates.

    Attributes
    ----------
    leader_policy
        f under the commitment, shape (Z, A).
    behaviour
        The follower's policy g, shape (Z, A, B).
    leader_q
        Q_L, shape (Z, A, B).
    follower_values
        V_F, shape (Z, A); None where the commitment changes neither f nor P, and it is not needed.
    """

    leader_policy: Array
    behaviour: Array
    leader_q: Array
    follower_values: Array | None = None


class StepValues(NamedTuple):
    """Values at the recorded steps, reward units, each of shape (T,); tables or functions may be behind them.

    Attributes
    ----------
    advantage
        A_L(s_t, a_t, b_t), centred under the follower's policy given (s_t, a_t).
    leader_action, follower_action
        Q_L(s_t, a_t) and V_F(s_t, a_t), each less any function of s_t.
    leader_next, follower_next
        Vbar_L(s_{t+1}) and Vbar_F(s_{t+1}), each less any function of (s_t, a_t, b_t).
    """

    advantage: Array
    leader_action: Array
    follower_action: Array
    leader_next: Array
    follower_next: Array


def boltzmann_covariance(
    trajectories: Trajectories,
    values: ValueEstimates,
    *,
    leader_discount: float,
    follower_discount: float,
    temperature: float,
) -> StepCotangents:
    """Boltzmann-covariance coefficients of every recorded step.

    Parameters
    ----------
    trajectories
        What was observed under one commitment.
    values
        The leader's estimates.
    leader_discount, follower_discount
        In [0, 1), per play step.
    temperature
        Weight of the follower's entropy, reward units.

    Returns
    -------
    StepCotangents
        Already divided by the number of episodes; their sum against derivatives is the estimate.
    """
    action_values = np.einsum("zab,zab->za", values.behaviour, values.leader_q)
    state_values = np.einsum("za,za->z", values.leader_policy, action_values)
    soft = np.zeros_like(action_values) if values.follower_values is None else values.follower_values
    soft_states = np.einsum("za,za->z", values.leader_policy, soft)
    z, a, b = trajectories.joint_state, trajectories.leader_action, trajectories.follower_action
    u = trajectories.next_joint_state
    # State values are subtracted as baselines: E[d log f | s] = 0.
    steps = StepValues(
        advantage=(values.leader_q - action_values[:, :, None])[z, a, b],
        leader_action=(action_values - state_values[:, None])[z, a],
        follower_action=(soft - soft_states[:, None])[z, a],
        leader_next=state_values[u],
        follower_next=soft_states[u],
    )
    return step_coefficients(trajectories, steps, leader_discount, follower_discount, 1.0 / temperature)


def score_function(trajectories: Trajectories, values: ValueEstimates, *, leader_discount: float) -> StepCotangents:
    """Score-function coefficients of the direct term: the follower's response is taken as fixed.

    It is so at a temperature without end.

    Parameters
    ----------
    trajectories, values, leader_discount
        As for :func:`boltzmann_covariance`; no follower values are needed.
    """
    return boltzmann_covariance(
        trajectories, values, leader_discount=leader_discount, follower_discount=0.0, temperature=np.inf
    )


def step_coefficients(
    trajectories: Trajectories,
    values: StepValues,
    leader_discount: float,
    follower_discount: float,
    beta: float,
    increments_of: Callable[[Array], Array] | None = None,
) -> StepCotangents:
    """Coefficients of every recorded step from values at the steps.

    Parameters
    ----------
    trajectories
        What was observed under one commitment.
    values
        Estimates at its steps.
    leader_discount, follower_discount
        In [0, 1), per play step; 0 for the latter leaves the response out where `beta` is 0 too.
    beta
        1 / temperature.
    increments_of
        What is made of gamma_L^t beta A_L, shape (T,), before it is added to the trace; default nothing.
    """
    T = len(values.advantage)
    scales, out = np.empty(T), np.empty((4, T))
    _discount_powers(trajectories.offsets, leader_discount, scales)
    pushed = scales * beta * values.advantage
    increments = pushed if increments_of is None else increments_of(pushed)
    weights, ends, offsets = trajectories.step_weights, trajectories.ends, trajectories.offsets
    _trace_coefficients(offsets, ends, weights, scales, increments, leader_discount, follower_discount, values, out)
    return StepCotangents(*out)


def tabulate(
    coefficients: StepCotangents,
    trajectories: Trajectories,
    array_shape: tuple[int, ...],
    *,
    wanted: frozenset[str],
    leader_policy: Array | None = None,
    transition: Transition | None = None,
) -> Cotangents:
    """Sum coefficients into cotangent arrays.

    Parameters
    ----------
    coefficients, trajectories
        Of the same steps.
    array_shape
        ([K,] S, A, B).
    wanted
        Which entries of :class:`stackelberg_envs.Cotangents` to fill, of those that the coefficients have.
    leader_policy
        f, shape (Z, A), to turn d log f into d f; needed for that entry.
    transition
        P over joint states, shape (Z, A, B, N), to turn d log P into d P; needed for that entry.
    """
    Z = int(np.prod(array_shape[:-2]))
    shape = (Z, *array_shape[-2:])
    z, a, b = trajectories.joint_state, trajectories.leader_action, trajectories.follower_action
    entries = vars(coefficients)
    given: dict[str, Array] = {}
    for name in wanted & {"follower_reward", "leader_reward"}:
        if entries[name] is not None:
            out = np.zeros(shape)
            scatter_add(z, a, b, entries[name], out)
            given[name] = out.reshape(array_shape)
    if "leader_policy" in wanted and coefficients.leader_policy is not None and leader_policy is not None:
        sums = np.bincount(z * shape[1] + a, coefficients.leader_policy, minlength=Z * shape[1])
        given["leader_policy"] = ratio(sums.reshape(leader_policy.shape), leader_policy).reshape(array_shape[:-1])
    if "transition" in wanted and coefficients.transition is not None and transition is not None:
        given["transition"] = _by_transition(coefficients.transition, trajectories, transition, array_shape)
    return Cotangents(**given)


def _by_transition(
    values: Array, trajectories: Trajectories, transition: Transition, array_shape: tuple[int, ...]
) -> Array:
    """Return the sums of d log P coefficients, divided by P, in the layout of `transition`."""
    Z = len(transition.successors)
    visited = trajectories.joint_state, trajectories.leader_action, trajectories.follower_action
    z, a, b = (array.astype(np.int64) for array in visited)
    shape: tuple[int, ...] = transition.probabilities.shape
    # One key per (z, a, b, next state): a list may name a state twice, and visits cannot tell the places apart.
    rows = np.arange(np.prod(shape[:-1])).reshape(*shape[:-1], 1)
    keys, place = np.unique(rows * Z + transition.successors, return_inverse=True)
    mass = np.bincount(place.ravel(), transition.probabilities.ravel())
    found = np.searchsorted(keys, ((z * shape[1] + a) * shape[2] + b) * Z + trajectories.next_joint_state)
    # The last step of a terminated episode leads nowhere; its coefficient is zero, wherever it is put.
    sums = np.bincount(np.minimum(found, len(keys) - 1), values, minlength=len(keys))
    lists = ratio(sums, mass)[place].reshape(shape)
    if not transition.dense:
        return lists.reshape(*array_shape, lists.shape[-1])
    S = array_shape[-3]
    dense = np.zeros((*lists.shape[:-1], S))
    np.put_along_axis(dense, transition.successors.astype(np.intp) % S, lists, axis=-1)
    return dense.reshape(*array_shape, S)


@compiled
def _discount_powers(offsets: NDArray[np.int64], discount: float, out: Array) -> None:
    """Write discount^t, t counted from the start of each episode, into `out` (T,)."""
    for i in range(offsets.shape[0] - 1):
        scale = 1.0
        for t in range(offsets[i], offsets[i + 1]):
            out[t] = scale
            scale *= discount


@compiled
def _trace_coefficients(
    offsets: NDArray[np.int64],
    ends: NDArray[np.bool_],
    weights: Array,
    scales: Array,
    increments: Array,
    leader_discount: float,
    follower_discount: float,
    values: StepValues,
    out: Array,
) -> None:
    """Boltzmann covariance with an eligibility trace, one forward pass.

    Everything has an entry per step (T,), but `weights`, which has one per step into an episode. `scales` are the
    leader's discounts gamma_L^t, `increments` what each step adds to the trace. The rows of `out` (4, T) become the
    coefficients of d r_F, d r_L, d log f and d log P.
    """
    by_follower_reward, by_leader_reward, by_leader_policy, by_transition = out[0], out[1], out[2], out[3]
    for i in range(offsets.shape[0] - 1):
        trace = 0.0
        for t in range(offsets[i], offsets[i + 1]):
            weight, scale = weights[t - offsets[i]], scales[t]
            carried = follower_discount * trace
            trace = carried + increments[t]
            by_follower_reward[t] = weight * trace
            by_leader_reward[t] = weight * scale
            by_leader_policy[t] = weight * (scale * values.leader_action[t] + carried * values.follower_action[t])
            by_transition[t] = 0.0
            if not ends[t]:
                by_transition[t] = weight * (
                    scale * leader_discount * values.leader_next[t]
                    + follower_discount * trace * values.follower_next[t]
                )
