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
from stackelberg_envs.solvers.grids.line_density import log_integral_and_slopes
from stackelberg_envs.solvers.grids.policy_iteration import Indices, Landings, Policy, landing_values, settle
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

    def grouped(self, values: Array) -> Array:
        """Return them by angle and position; a group has all speeds."""
        V, S, T, X = self.shape
        return np.ascontiguousarray(values.reshape(V * S, T * X).T)

    def ungrouped(self, values: Array) -> Array:  # noqa: D102
        return np.ascontiguousarray(values.T).reshape(self.shape)

    @cached_property
    def landings(self) -> Landings:
        """Where angle and position, moved by the new speeds, lie between four grid points, or past the end."""
        V, S, T, X = self.shape
        L, G = V * S, T * X
        landings = Landings(np.zeros((G, L, 4), np.int64), np.zeros((G, L, 4)), np.zeros((G, L)))
        _land(self.shape, self._numbers, landings)
        return landings

    @cached_property
    def _sizes(self) -> _Sizes:
        numbers, (V, S, T, X) = self._numbers, self.shape
        # Pushes do most to a pole that is upright.
        (slow, back), (fast, ahead) = (_turning(0.0, 0.0, push) for push in (-1.0, 1.0))
        gusts = 2.0 * WIND * min(numbers.noise, 1.0)
        rows = TIME_STEP * (fast - slow) / numbers.speed_step
        columns = TIME_STEP * (back - ahead + gusts) / numbers.spin_step
        return _Sizes(V, S, T, X, min(int(rows + EDGE) + 3, V), min(int(columns + EDGE) + 3, S))

    @cached_property
    def _pushes(self) -> _Pushes:
        V, S, T, _ = self.shape
        shape = T, V * S, PLANNED
        pushes = _Pushes(np.empty(shape, np.int64), np.empty(shape), np.empty(shape), np.empty(shape[:2]))
        _push(self._sizes, self._numbers, pushes)
        return pushes

    def improved(self, values: Array, winds: Array) -> Policy:  # noqa: D102
        sizes = self._sizes
        offsets = np.arange(sizes.rows)[:, None] * sizes.spins + np.arange(sizes.columns)
        policy = Policy.empty(values, offsets.ravel())
        _improve(values, self.landings, winds, sizes, self._pushes, self._numbers, policy)
        return policy

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
def _land(shape: tuple[int, ...], grid: _Numbers, landings: Landings) -> None:
    """Set where angle and position move by the speeds of grid points: between four of them, or past the end."""
    V, S, T, X = shape
    L = V * S
    for n in range(L):
        k, m = n // S, n % S
        right = TIME_STEP * (grid.speed + k * grid.speed_step) / grid.position_step
        up = TIME_STEP * (grid.spin + m * grid.spin_step) / grid.angle_step
        for g in range(T * X):
            j, i = g // X, g % X
            below, high = _place(j + up, T)
            left, far = _place(i + right, X)
            falls = j + up < -EDGE or j + up > T - 1 + EDGE or i + right < -EDGE or i + right > X - 1 + EDGE
            landings.fixed[g, n] = grid.last if falls else 0.0
            for corner in range(4):
                upper, farther = corner % 2, corner // 2
                share = (high if upper else 1.0 - high) * (far if farther else 1.0 - far)
                landings.places[g, n, corner] = ((below + upper) * X + left + farther) * L + n
                landings.shares[g, n, corner] = 0.0 if falls else share


class _Sizes(NamedTuple):
    """Grid points on each axis, and how many speeds and angular speeds follow from one."""

    speeds: int
    spins: int
    angles: int
    positions: int
    rows: int
    columns: int


class _Pushes(NamedTuple):
    """What the planned pushes lead to from grid points without wind.

    Attributes
    ----------
    cell, part
        The cell of the speed, and how far in it, shape (T, V * S, PLANNED).
    spin
        The angular speed, in spacings, of the same shape.
    blow
        What a full wind adds to that, shape (T, V * S).
    """

    cell: Indices
    part: Array
    spin: Array
    blow: Array


@compiled
def _push(sizes: _Sizes, grid: _Numbers, pushes: _Pushes) -> None:
    """Set what pushes lead to."""
    S = sizes.spins
    for j in range(sizes.angles):
        for n in range(sizes.speeds * S):
            k, m = n // S, n % S
            spin = grid.spin + m * grid.spin_step
            angle = grid.angle + j * grid.angle_step - TIME_STEP * spin
            pushes.blow[j, n] = TIME_STEP * WIND * math.cos(angle) ** 2 / grid.spin_step
            for b in range(PLANNED):
                cart, pole = _turning(angle, spin, -1.0 + b * 2.0 / (PLANNED - 1))
                pushes.cell[j, n, b], pushes.part[j, n, b] = _place(
                    k + TIME_STEP * cart / grid.speed_step, sizes.speeds
                )
                pushes.spin[j, n, b] = m + TIME_STEP * pole / grid.spin_step


@compiled
def _improve(
    values: Array, landings: Landings, winds: Array, sizes: _Sizes, pushes: _Pushes, grid: _Numbers, policy: Policy
) -> None:
    """Set the best policy for values."""
    G, L = values.shape
    landing, scale = np.empty(L), grid.discount / grid.temperature
    q, slopes, room = np.empty(PLANNED), np.empty(PLANNED), np.empty(PLANNED)
    for g in range(G):
        j = g // sizes.positions
        landing_values(values, landings, g, landing)
        for n in range(L):
            cells, parts, spins, blow = pushes.cell[j, n], pushes.part[j, n], pushes.spin[j, n], pushes.blow[j, n]
            least, most = _winds(winds[g, n], grid.noise)
            policy.first[g, n] = _first(cells, spins, least * blow, sizes)
            total, sides = 0.0, 1 if least == most else 2  # a wind as strong as can be has one side
            for side in range(sides):
                blown = (most if side else least) * blow
                _look_ahead(landing, cells, parts, spins, blown, sizes.spins, scale, q)
                total += log_integral_and_slopes(q, room, slopes, 2.0 / (PLANNED - 1)) / sides
                for b in range(PLANNED):
                    slopes[b] *= grid.discount / sides
                _add(slopes, cells, parts, spins, blown, sizes, policy.first[g, n], policy.weights[g, n])
            policy.image[g, n] = 1.0 + grid.temperature * total
            settle(policy, g, n, landing)


@compiled
def _winds(mean: float, noise: float) -> tuple[float, float]:
    """Return the two winds that stand for all that are drawn."""
    return max(min(mean - noise, 1.0), -1.0), max(min(mean + noise, 1.0), -1.0)


@compiled
def _first(cells: Indices, spins: Array, blown: float, sizes: _Sizes) -> int:
    """Return the first landing of a point, in its group, under the least wind."""
    slowest, least = cells[0], spins[0]
    for b in range(1, PLANNED):
        slowest, least = min(slowest, cells[b]), min(least, spins[b])
    row, column = min(slowest, sizes.speeds - sizes.rows), _place(least + blown, sizes.spins)[0]
    return int(row * sizes.spins + min(column, sizes.spins - sizes.columns))


@compiled
def _look_ahead(
    landing: Array, cells: Indices, parts: Array, spins: Array, blown: float, S: int, scale: float, q: Array
) -> None:
    """Set scale * W(s') at the planned pushes."""
    for b in range(PLANNED):
        c, share = cells[b] * S, parts[b]
        r, along = _place(spins[b] + blown, S)
        slow = landing[c + r] * (1.0 - along) + landing[c + r + 1] * along
        fast = landing[c + S + r] * (1.0 - along) + landing[c + S + r + 1] * along
        q[b] = scale * (slow * (1.0 - share) + fast * share)


@compiled
def _add(
    probabilities: Array,
    cells: Indices,
    parts: Array,
    spins: Array,
    blown: float,
    sizes: _Sizes,
    first: int,
    weights: Array,
) -> None:
    """Add probabilities of the planned pushes to the weights of landings."""
    S, columns = sizes.spins, sizes.columns
    row, column = first // S, first % S
    for b in range(PLANNED):
        r, along = _place(spins[b] + blown, S)
        fast = probabilities[b] * parts[b]
        slow, place = probabilities[b] - fast, (cells[b] - row) * columns + r - column
        weights[place] += slow * (1.0 - along)
        weights[place + 1] += slow * along
        weights[place + columns] += fast * (1.0 - along)
        weights[place + columns + 1] += fast * along


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
