"""Identification of linear-quadratic games from play: least squares for dynamics and the follower's reward.

What is public is the form: that dynamics are linear and costs quadratic, how the commitment enters, the leader's own
reward and noise, and the discounts. The rest is estimated from steps under any commitments:

    dynamics    s' on the entries of A(x), B and C, all commitments together, as A(x) is linear in its numbers
    noise       covariance of what that leaves over
    Q, R        the follower's reward on the products of states and of actions
    start       mean and covariance of first states
    temperature from the spread of the follower's actions, (temperature / 2) S^-1, where it is private

Each record is first compressed by QR decompositions to two small triangles, which lose nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, InstabilityError
from stackelberg_envs.games.linear_forms import LinearFamily, LinearForm, LinearNumbers, LinearProblem
from stackelberg_envs.games.trajectories import Trajectories
from stackelberg_envs.solvers.linear_quadratic.riccati import linear_best_response
from stackelberg_envs.solvers.linear_quadratic.solution import LinearSolution, solve_problem

__all__ = ["CompressedRecord", "LinearModel", "LinearModelClass"]

#: Directions of a design this much weaker than the strongest count as never seen.
RANK_TOLERANCE = 1e-11
#: Rows that are decomposed at once.
BLOCK = 256
#: Least eigenvalue of R, relative to the largest number of Q and R.
LEAST_COST = 1e-9
#: Least temperature, relative to what moving actions about costs.
LEAST_TEMPERATURE = 1e-12
#: Records, the last ones, from which a private temperature is estimated.
TEMPERATURE_RECORDS = 5


@dataclass(frozen=True, eq=False)
class CompressedRecord:
    """What least squares needs of one record.

    Attributes
    ----------
    commitment
        The x in force.
    steps
        Steps that count; those whose next state was clipped are left out.
    moves
        Triangle R of the QR decomposition of the columns [s, a, b, s'].
    rewards
        The same of [products of s, products of b, r_F].
    first_states
        Shape (N, W).
    """

    commitment: Array
    steps: int
    moves: Array
    rewards: Array
    first_states: Array


@dataclass(frozen=True, eq=False)
class LinearModel(LinearProblem):
    """An identified linear-quadratic game: its numbers, and a private temperature, are estimates."""

    def solve(self, x: Array, scale: float = 1.0) -> LinearSolution:
        """Return everything exact about one commitment in the model, at `scale` times the temperature.

        Raises
        ------
        InstabilityError
            In the model the follower cannot keep its cost finite, or the leader's is infinite.
        """
        return solve_problem(replace(self, temperature=scale * self.temperature), np.asarray(x, dtype=np.float64))

    def value_and_gradient(self, x: Array, scale: float = 1.0) -> tuple[float, Array]:
        """Return J and dJ/dx in the model, the follower's response included; see :meth:`solve`."""
        solution = self.solve(x, scale)
        return solution.leader_value, solution.gradient


@dataclass(frozen=True, eq=False)
class LinearModelClass:
    """Fits the games of one family to play.

    Attributes
    ----------
    family
        What the game publishes.
    """

    family: LinearFamily

    @property
    def record_type(self) -> type[CompressedRecord]:
        """The class of the records that :meth:`compress` returns."""
        return CompressedRecord

    def compress(self, record: Trajectories) -> CompressedRecord:
        """Return what :meth:`fit` needs of a record, some hundred numbers, which may stand in for it.

        Raises
        ------
        ArgumentError
            A record without the follower's rewards.
        """
        if record.follower_reward is None:
            raise ArgumentError("follower_reward: expected an array, got None; this model is fitted to it")
        inside = (np.abs(record.next_state) < self.family.state_bound).all(axis=1)
        s, b = record.state, record.follower_action
        columns = np.concatenate([s, record.leader_action, b, record.next_state], axis=1)[inside]
        costs = np.concatenate([_products(s), _products(b), record.follower_reward[:, None]], axis=1)
        first = record.state[record.offsets[:-1]]
        return CompressedRecord(record.commitment, len(columns), _triangle(columns), _triangle(costs), first)

    def fit(self, data: Sequence[Trajectories | CompressedRecord]) -> LinearModel:
        """Return the model that fits all records best; directions never seen get the smallest numbers that fit.

        Raises
        ------
        ArgumentError
            No records, or records without the follower's rewards.
        """
        records = [item if isinstance(item, CompressedRecord) else self.compress(item) for item in data]
        if not records:
            raise ArgumentError("data: expected at least one record, got none")
        family = self.family
        weights, follower_input, leader_input, noise = fit_dynamics(family.form, records)
        state_cost, action_cost = fit_costs(family.form, records)
        first = np.concatenate([record.first_states for record in records])
        mean = first.mean(axis=0)
        spread = (first - mean).T @ (first - mean) / len(first)
        numbers = LinearNumbers(
            weights, follower_input, leader_input, noise, state_cost, action_cost, mean, 0.5 * (spread + spread.T)
        )
        known = 1.0 if family.temperature is None else family.temperature
        model = LinearModel(
            family.form, numbers, family.reward, family.leader_discount, family.follower_discount, known, family.horizon
        )
        if family.temperature is not None:
            return model
        return replace(model, temperature=fit_temperature(model, records[-TEMPERATURE_RECORDS:]))


def fit_dynamics(form: LinearForm, records: Sequence[CompressedRecord]) -> tuple[Array, Array, Array, Array]:
    """Return the numbers of A, then B, C and the noise covariance, by least squares over all records."""
    W, A, B = form.sizes
    N = len(form.basis)
    designs, targets = [], []
    for record in records:
        seen, following = record.moves[:, :-W], record.moves[:, -W:]
        by_weight = np.tensordot(seen[:, :W], _moved(form, record.commitment), (1, 2))
        by_input = np.einsum("pk,ij->pikj", seen[:, W:], np.eye(W)).reshape(len(seen), W, -1)
        designs.append(np.concatenate([by_weight.transpose(0, 2, 1), by_input], axis=2).reshape(len(seen) * W, -1))
        targets.append(following.reshape(-1))
    found = _least_squares(np.concatenate(designs), np.concatenate(targets))
    left = [(target - design @ found).reshape(-1, W) for design, target in zip(designs, targets, strict=True)]
    away = np.concatenate(left)
    steps = max(1, sum(record.steps for record in records))
    inputs = found[N:].reshape(A + B, W).T
    return found[:N], inputs[:, A:], inputs[:, :A], away.T @ away / steps


def fit_costs(form: LinearForm, records: Sequence[CompressedRecord]) -> tuple[Array, Array]:
    """Return Q, positive semidefinite, and R, positive definite, by least squares over all records."""
    W, _, B = form.sizes
    rows = np.concatenate([record.rewards for record in records])
    found = -_least_squares(rows[:, :-1], rows[:, -1])
    split = W * (W + 1) // 2
    state_cost, action_cost = _symmetric(found[:split], W), _symmetric(found[split:], B)
    # A follower that is never paid anything has no scale: any R will do.
    scale = float(np.abs(found).max()) or 1.0
    return _at_least(state_cost, 0.0), _at_least(action_cost, LEAST_COST * scale)


def fit_temperature(model: LinearModel, records: Sequence[CompressedRecord]) -> float:
    """Return the temperature at which best responses would spread as the follower's actions do.

    S depends on no temperature, so temperature = 2 tr(S V) / B with V the covariance of b given s and a.

    Raises
    ------
    InstabilityError
        The model has no best response to any of the commitments.
    """
    W, A, B = model.form.sizes
    total = weight = size = 0.0
    failure: InstabilityError | None = None
    for record in records:
        left = record.moves[W + A : W + A + B, W + A : W + A + B]
        try:
            curvature = linear_best_response(replace(model, temperature=1.0).under(record.commitment)).curvature
        except InstabilityError as error:
            failure = error
            continue
        actions = record.moves[:, W + A : W + A + B]
        total += 2 * float(np.sum(curvature * (left.T @ left))) / B
        size += 2 * float(np.sum(curvature * (actions.T @ actions))) / B
        weight += max(1, record.steps - W - A)
    if not weight and failure is not None:
        raise failure
    # Actions that show no spread at all are those of a temperature too small to be seen.
    return max(total, LEAST_TEMPERATURE * size) / weight or LEAST_TEMPERATURE * float(np.trace(curvature)) / B


def _moved(form: LinearForm, x: Array) -> Array:
    """Return what each number multiplies in A(x), shape (N, W, W)."""
    return np.asarray(form.basis[:, 0] + np.tensordot(form.basis[:, 1:], np.ravel(x), (1, 0)))


def _products(vectors: Array) -> Array:
    """Return v_i v_j for i <= j, shape (n, m (m + 1) / 2)."""
    # Column by column: gathering pairs of columns takes three times as long.
    parts = [vectors[:, i : i + 1] * vectors[:, i:] for i in range(vectors.shape[1])]
    return np.concatenate(parts, axis=1)


def _symmetric(entries: Array, size: int) -> Array:
    """Return the symmetric matrix M with v'Mv = sum of entries times products."""
    matrix = np.zeros((size, size))
    matrix[np.triu_indices(size)] = entries
    return 0.5 * (matrix + matrix.T)


def _at_least(matrix: Array, least: float) -> Array:
    """Return the nearest symmetric matrix without an eigenvalue below `least`."""
    values, vectors = np.linalg.eigh(matrix)
    if values.min() >= least:
        return matrix
    raised = (vectors * np.maximum(values, least)) @ vectors.T
    return np.asarray(0.5 * (raised + raised.T))


def _triangle(columns: Array) -> Array:
    """Return R of the QR decomposition: all inner products of the columns, in as many rows.

    Long ones in blocks, which stay in the processor's cache: a third of the time.
    """
    blocks, size = len(columns) // BLOCK, columns.shape[1]
    if blocks > 2:
        whole = blocks * BLOCK
        first = np.asarray(np.linalg.qr(columns[:whole].reshape(blocks, BLOCK, size), mode="r"))
        columns = np.concatenate([first.reshape(-1, size), columns[whole:]])
    return np.asarray(np.linalg.qr(columns, mode="r"))


def _least_squares(design: Array, target: Array) -> Array:
    """Return the least-squares solution of smallest norm, columns scaled to length one first."""
    triangle = _triangle(np.concatenate([design, target[:, None]], axis=1))
    length = np.linalg.norm(triangle[:, :-1], axis=0)
    length = np.where(length > 0, length, 1.0)
    found = np.linalg.lstsq(triangle[:, :-1] / length, triangle[:, -1], rcond=RANK_TOLERANCE)[0]
    return np.asarray(found / length, dtype=np.float64)
