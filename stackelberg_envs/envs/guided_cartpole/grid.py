r"""The follower's values on a grid: whoever balances the pole plans ahead.

A grid point is (v, w, th, y): speeds, and the angle and the position *after* the step, which neither action can change
any more. So the box of th and y is where the step does not end the episode, without a cell that is cut; from a grid
point the following angle and position are again on the grid, and only the two speeds lie between grid points.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.envs.guided_cartpole_v0 import (
    CART,
    GRAVITY,
    HALF_LENGTH,
    MAX_ANGLE,
    MAX_POSITION,
    POLE,
    PUSH,
    TIME_STEP,
    WIND,
)
from stackelberg_envs.jit import compiled
from stackelberg_envs.solvers.grids.line_density import log_integral
from stackelberg_envs.solvers.grids.response import PLANNED, PLAYED, ValueGrid

__all__ = ["CartPoleGrid"]

#: Speeds beyond these, m/s and rad/s, count as these in values; who goes faster is about to fail.
MAX_SPEED, MAX_SPIN = 2.0, 2.5
MASS, MOMENT = CART + POLE, POLE * HALF_LENGTH
#: Positions on the grid that are past the end by rounding are on it.
EDGE = 1e-9


class _Numbers(NamedTuple):
    """First points and spacings of the axes, numbers of the game, and what a last step is worth."""

    speed: float
    spin: float
    angle: float
    position: float
    speed_step: float
    spin_step: float
    angle_step: float
    position_step: float
    discount: float
    temperature: float
    noise: float
    last: float


class CartPoleGrid(ValueGrid):
    """Axes: speed, angular speed, angle after the step, position after the step."""

    points: ClassVar[tuple[int, ...]] = (9, 13, 9, 9)

    @cached_property
    def axes(self) -> tuple[Array, ...]:
        """Rising grid points."""
        ends = MAX_SPEED, MAX_SPIN, MAX_ANGLE, MAX_POSITION
        return tuple(np.linspace(-end, end, count) for end, count in zip(ends, self.shape, strict=True))

    @property
    def states(self) -> Array:
        """Position, speed, angle, angular speed at the grid points, shape (n, 4)."""
        v, w, angle, position = (part.ravel() for part in np.meshgrid(*self.axes, indexing="ij"))
        return np.stack([position - TIME_STEP * v, v, angle - TIME_STEP * w, w], axis=1)

    @property
    def bounds(self) -> tuple[float, float]:
        """What one step is worth, and what endless play is."""
        return self._numbers.last, self._numbers.last / (1.0 - self.game.follower_discount)

    @cached_property
    def _numbers(self) -> _Numbers:
        game = self.game
        v, w, angle, position = (float(axis[0]) for axis in self.axes)
        dv, dw, tilt, move = (float(axis[1] - axis[0]) for axis in self.axes)
        last, noise = 1.0 + game.temperature * math.log(2.0 * self.limit), game.commitment.scale
        return _Numbers(
            v, w, angle, position, dv, dw, tilt, move, game.follower_discount, game.temperature, noise, last
        )

    def backup(self, values: Array, winds: Array) -> Array:  # noqa: D102
        shifted, out = np.empty_like(values), np.empty_like(values)
        _shift(values, self._numbers, shifted)
        _backup(shifted, winds, self._numbers, out)
        return out

    def exponents(self, values: Array, states: Array, winds: Array) -> Array:  # noqa: D102
        out = np.empty((len(states), PLAYED))
        _exponents(values, states, winds, self._numbers, out)
        return out


@compiled
def _turning(angle: float, spin: float, push: float) -> tuple[float, float]:
    """Return the cart's and the pole's acceleration without wind."""
    sine, cosine = math.sin(angle), math.cos(angle)
    pushed = (PUSH * push + MOMENT * spin * spin * sine) / MASS
    turning = (GRAVITY * sine - cosine * pushed) / (HALF_LENGTH * (4.0 / 3.0 - POLE * cosine * cosine / MASS))
    return pushed - MOMENT * turning * cosine / MASS, turning


@compiled
def _place(number: float, most: int) -> tuple[int, float]:
    """Return the cell of a number of grid spacings and how far in it, at the ends if it lies beyond."""
    inside = min(max(number, 0.0), most - 1.0)
    cell = min(int(inside), most - 2)
    return cell, inside - cell


@compiled
def _shift(values: Array, grid: _Numbers, out: Array) -> None:
    """Set W where angle and position *before* the step are on the grid: speeds on it, the others between."""
    V, S, T, X = values.shape
    for k in range(V):
        right = TIME_STEP * (grid.speed + k * grid.speed_step) / grid.position_step
        for m in range(S):
            up = TIME_STEP * (grid.spin + m * grid.spin_step) / grid.angle_step
            for j in range(T):
                falls = j + up < -EDGE or j + up > T - 1 + EDGE
                below, high = _place(j + up, T)
                for i in range(X):
                    if falls or i + right < -EDGE or i + right > X - 1 + EDGE:
                        out[k, m, j, i] = grid.last
                        continue
                    left, far = _place(i + right, X)
                    near = values[k, m, below, left] * (1.0 - high) + values[k, m, below + 1, left] * high
                    away = values[k, m, below, left + 1] * (1.0 - high) + values[k, m, below + 1, left + 1] * high
                    out[k, m, j, i] = near * (1.0 - far) + away * far


@compiled
def _backup(shifted: Array, winds: Array, grid: _Numbers, out: Array) -> None:
    """Set the right-hand side of the equation for W."""
    V, S, T, X = shifted.shape
    q, room = np.empty(PLANNED), np.empty(PLANNED)
    cell, part, spin = np.empty(PLANNED, np.int64), np.empty(PLANNED), np.empty(PLANNED)
    step, scale = 2.0 / (PLANNED - 1), grid.discount / grid.temperature
    for m in range(S):
        w = grid.spin + m * grid.spin_step
        for j in range(T):
            angle = grid.angle + j * grid.angle_step - TIME_STEP * w
            blow = TIME_STEP * WIND * math.cos(angle) ** 2 / grid.spin_step
            for k in range(V):
                for b in range(PLANNED):
                    cart, pole = _turning(angle, w, -1.0 + b * step)
                    cell[b], part[b] = _place(k + TIME_STEP * cart / grid.speed_step, V)
                    spin[b] = m + TIME_STEP * pole / grid.spin_step
                for i in range(X):
                    total = 0.0
                    for side in (-1.0, 1.0):
                        wind = min(max(winds[k, m, j, i] + side * grid.noise, -1.0), 1.0) * blow
                        for b in range(PLANNED):
                            row, along = _place(spin[b] + wind, S)
                            c, share = cell[b], part[b]
                            slow = shifted[c, row, j, i] * (1.0 - along) + shifted[c, row + 1, j, i] * along
                            fast = shifted[c + 1, row, j, i] * (1.0 - along) + shifted[c + 1, row + 1, j, i] * along
                            q[b] = scale * (slow * (1.0 - share) + fast * share)
                        total += 0.5 * log_integral(q, room, step)
                    out[k, m, j, i] = 1.0 + grid.temperature * total


@compiled
def _exponents(values: Array, states: Array, winds: Array, grid: _Numbers, out: Array) -> None:
    """Set discount W(s') / temperature at the nodes of play, up to a constant."""
    V, S, T, X = values.shape
    step, scale = 2.0 / (PLAYED - 1), grid.discount / grid.temperature
    for row in range(states.shape[0]):
        x, v, angle, w = states[row, 0], states[row, 1], states[row, 2], states[row, 3]
        position, tilt = x + TIME_STEP * v, angle + TIME_STEP * w
        over = abs(position) > MAX_POSITION or abs(tilt) > MAX_ANGLE
        blow = WIND * winds[row] * math.cos(angle) ** 2
        for b in range(PLAYED):
            out[row, b] = 0.0
            if over:
                continue
            cart, pole = _turning(angle, w, -1.0 + b * step)
            faster, turned = v + TIME_STEP * cart, w + TIME_STEP * (pole + blow)
            ahead, lean = position + TIME_STEP * faster, tilt + TIME_STEP * turned
            if abs(ahead) > MAX_POSITION or abs(lean) > MAX_ANGLE:
                out[row, b] = scale * grid.last
                continue
            k, to_k = _place((faster - grid.speed) / grid.speed_step, V)
            m, to_m = _place((turned - grid.spin) / grid.spin_step, S)
            j, to_j = _place((lean - grid.angle) / grid.angle_step, T)
            i, to_i = _place((ahead - grid.position) / grid.position_step, X)
            total = 0.0
            for dk in range(2):
                for dm in range(2):
                    for dj in range(2):
                        share = (to_k if dk else 1.0 - to_k) * (to_m if dm else 1.0 - to_m)
                        share *= to_j if dj else 1.0 - to_j
                        near, far = values[k + dk, m + dm, j + dj, i], values[k + dk, m + dm, j + dj, i + 1]
                        total += share * (near * (1.0 - to_i) + far * to_i)
            out[row, b] = scale * total
