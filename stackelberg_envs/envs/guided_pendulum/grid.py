r"""The follower's values on a grid: whoever swings the pendulum up plans ahead.

A grid point is an angle, on a circle, and a speed. A step first changes the speed and then turns the angle by the new
one, so for all speeds that may follow from a grid point the angle is known.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.envs.guided_pendulum_v0 import (
    GRAVITY,
    LENGTH,
    MASS,
    MAX_SPEED,
    MAX_TORQUE,
    TIME_STEP,
    WIND,
    as_states,
)
from stackelberg_envs.jit import compiled
from stackelberg_envs.solvers.grids.line_density import log_integral_and_slopes
from stackelberg_envs.solvers.grids.policy_iteration import Indices, Landings, Policy, landing_values, settle
from stackelberg_envs.solvers.grids.response import PLANNED, PLAYED, ValueGrid

__all__ = ["PendulumGrid"]

#: Change of speed in a step, by the sine of the angle, by the torque, and by the wind at an upright pendulum.
FALL, TURN, BLOW = TIME_STEP * 3 * GRAVITY / (2 * LENGTH), TIME_STEP * 3 / (MASS * LENGTH**2), TIME_STEP * WIND
#: Prices of speed and torque, squared.
SPEED_PRICE, TORQUE_PRICE = 0.1, 0.001
CIRCLE = 2.0 * math.pi
#: Rounding of a number of cells.
EDGE = 1e-9


class _Numbers(NamedTuple):
    """Spacings of angle and speed, and the numbers of the game."""

    angle_step: float
    speed_step: float
    discount: float
    temperature: float
    noise: float


class PendulumGrid(ValueGrid):
    """Axes: angle, from -pi, and speed."""

    points: ClassVar[tuple[int, ...]] = (72, 81)

    @cached_property
    def axes(self) -> tuple[Array, Array]:
        """Rising grid points."""
        angles, speeds = self.shape
        around = np.linspace(-np.pi, np.pi, angles, endpoint=False)
        return around, np.linspace(-MAX_SPEED, MAX_SPEED, speeds)

    @property
    def states(self) -> Array:
        """Cosine and sine of the angle, and the speed, at the grid points, shape (n, 3)."""
        return as_states(*(part.ravel() for part in np.meshgrid(*self.axes, indexing="ij")))

    @property
    def bounds(self) -> tuple[float, float]:
        """The worst and the best for ever."""
        game, bonus = self.game, self.game.temperature * math.log(2.0 * self.limit)
        worst = -(math.pi**2 + SPEED_PRICE * MAX_SPEED**2 + TORQUE_PRICE * MAX_TORQUE**2)
        return (worst + bonus) / (1.0 - game.follower_discount), bonus / (1.0 - game.follower_discount)

    @cached_property
    def _numbers(self) -> _Numbers:
        game = self.game
        spacing = CIRCLE / self.shape[0], 2.0 * MAX_SPEED / (self.shape[1] - 1)
        return _Numbers(*spacing, game.follower_discount, game.temperature, game.commitment.scale)

    def grouped(self, values: Array) -> Array:
        """Return them as they are: a group has one angle."""
        return values

    def ungrouped(self, values: Array) -> Array:  # noqa: D102
        return values

    @cached_property
    def landings(self) -> Landings:
        """Where the angle, after it turned by the new speed, lies between two grid points."""
        (A, S), speeds = self.shape, self.axes[1]
        turned = TIME_STEP * speeds / self._numbers.angle_step
        whole = np.floor(turned)
        angles = (np.arange(A)[:, None] + whole.astype(np.int64)) % A
        places = np.stack([angles, (angles + 1) % A], axis=2) * S + np.arange(S)[:, None]
        shares = np.broadcast_to(np.stack([1.0 - (turned - whole), turned - whole], axis=1), places.shape)
        return Landings(places, np.ascontiguousarray(shares), np.zeros(self.shape))

    @cached_property
    def _offsets(self) -> Indices:
        """As many speeds as torques and winds lead to from one grid point."""
        reached = 2.0 * MAX_TORQUE * TURN + 2.0 * BLOW * min(self.game.commitment.scale, 1.0)
        return np.arange(min(int(reached / self._numbers.speed_step + EDGE) + 3, self.shape[1]))

    def improved(self, values: Array, winds: Array) -> Policy:  # noqa: D102
        policy = Policy.empty(values, self._offsets)
        _improve(values, self.landings, winds, self._numbers, policy)
        return policy

    def exponents(self, values: Array, states: Array, winds: Array) -> Array:  # noqa: D102
        out = np.empty((len(states), PLAYED))
        _exponents(values, np.arctan2(states[:, 1], states[:, 0]), states[:, 2], winds, self._numbers, out)
        return out


@compiled
def _faster(speed: float, torque: float, grid: _Numbers, most: int) -> tuple[int, float]:
    """Return the cell of the speed after a torque, in the speed's range, and how far in it."""
    reached = min(max(speed + TURN * torque, -MAX_SPEED), MAX_SPEED)
    number = (reached + MAX_SPEED) / grid.speed_step
    cell = min(int(number), most - 2)
    return cell, number - cell


@compiled
def _improve(values: Array, landings: Landings, winds: Array, grid: _Numbers, policy: Policy) -> None:
    """Set the best policy for values."""
    A, S = values.shape
    q, slopes, room, landing = np.empty(PLANNED), np.empty(PLANNED), np.empty(PLANNED), np.empty(S)
    step, cold, N = 2.0 * MAX_TORQUE / (PLANNED - 1), 1.0 / grid.temperature, policy.offsets.shape[0]
    for i in range(A):
        landing_values(values, landings, i, landing)
        angle = -math.pi + i * grid.angle_step
        fall, blow = FALL * math.sin(angle), BLOW * math.cos(angle) ** 2
        for k in range(S):
            speed, total = k * grid.speed_step - MAX_SPEED, 0.0
            least = min(max(winds[i, k] - grid.noise, -1.0), 1.0) * blow
            most = min(max(winds[i, k] + grid.noise, -1.0), 1.0) * blow
            first = min(_faster(speed + fall + least, -MAX_TORQUE, grid, S)[0], S - N)
            policy.first[i, k] = first
            sides = 1 if least == most else 2  # a wind as strong as can be has one side
            for side in range(sides):
                blown = speed + fall + (most if side else least)
                for b in range(PLANNED):
                    torque = -MAX_TORQUE + b * step
                    cell, part = _faster(blown, torque, grid, S)
                    ahead = landing[cell] * (1.0 - part) + landing[cell + 1] * part
                    q[b] = (grid.discount * ahead - TORQUE_PRICE * torque * torque) * cold
                total += log_integral_and_slopes(q, room, slopes, step) / sides
                for b in range(PLANNED):
                    cell, part = _faster(blown, -MAX_TORQUE + b * step, grid, S)
                    weight = grid.discount * slopes[b] / sides
                    policy.weights[i, k, cell - first] += weight * (1.0 - part)
                    policy.weights[i, k, cell - first + 1] += weight * part
            policy.image[i, k] = grid.temperature * total - angle * angle - SPEED_PRICE * speed * speed
            settle(policy, i, k, landing)


@compiled
def _exponents(values: Array, angles: Array, speeds: Array, winds: Array, grid: _Numbers, out: Array) -> None:
    """Set (r + discount W(s')) / temperature at the nodes of play, up to a constant."""
    A, S = values.shape
    step = 2.0 * MAX_TORQUE / (PLAYED - 1)
    for row in range(angles.shape[0]):
        angle = angles[row]
        blown = speeds[row] + FALL * math.sin(angle) + BLOW * winds[row] * math.cos(angle) ** 2
        for b in range(PLAYED):
            torque = -MAX_TORQUE + b * step
            k, part = _faster(blown, torque, grid, S)
            reached = (k + part) * grid.speed_step - MAX_SPEED
            number = (angle + TIME_STEP * reached + math.pi) / grid.angle_step
            whole = math.floor(number)
            along, near, far = number - whole, whole % A, (whole + 1) % A
            slow = values[near, k] * (1.0 - along) + values[far, k] * along
            fast = values[near, k + 1] * (1.0 - along) + values[far, k + 1] * along
            ahead = slow * (1.0 - part) + fast * part
            out[row, b] = (grid.discount * ahead - TORQUE_PRICE * torque * torque) / grid.temperature
