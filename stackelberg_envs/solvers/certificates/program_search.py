"""Certificates by mixed-integer programs, of followers that take the best action, and of those that nearly do.

Where the commitment moves nothing but rewards, and without kinks, one program says it all. Else boxes are cut, the one
with the largest bound first, until what the programs relax is small.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, frozen
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.solvers.certificates.affine import AffineArrays, AffineGame
from stackelberg_envs.solvers.certificates.best_actions import hard_response
from stackelberg_envs.solvers.certificates.boxes import feasible_centre
from stackelberg_envs.solvers.certificates.certificate import Certificate
from stackelberg_envs.solvers.certificates.linear_systems import on_box, policy_system, solve_factorised
from stackelberg_envs.solvers.certificates.responses import Nearness, most_worth, response_program
from stackelberg_envs.solvers.certificates.search import Branch, good_enough, parts, whole
from stackelberg_envs.solvers.solving import solve

__all__ = ["ProgramSearch", "bounded", "nearness"]

#: Of the gap, what the solver of a program may leave.
SHARE = 0.25
#: Boxes are not cut below this part of the range of a coordinate.
LEAST_RADIUS = 1e-7
#: Steps of Newton's method.
TURNS = 3


class Bounded(NamedTuple):
    """What a program says of a box: a bound, the place of its best point, shape (D,) or None, and where to cut."""

    upper: float
    z: Array | None
    cut: int
    place: float


def bounded(made: AffineGame, branch: Branch, temperature: float, gap: float, seconds: float) -> Bounded:
    """Bound the leader's value on a box.

    Parameters
    ----------
    made
        The game.
    branch
        The box; its corners are moved to where there can be commitments.
    temperature
        Of the follower; at 0 it takes a best action, tied ones as the leader likes.
    gap
        Which share of the size of the value is not looked for.
    seconds
        How long it may take.
    """
    low, high = branch.low, branch.high
    centre, radii = np.empty_like(low), np.empty_like(low)
    if not feasible_centre(low, high, made.arrays.groups, made.arrays.limits, centre, radii):
        return Bounded(-np.inf, None, -1, 0.0)
    box = on_box(made.on(low, high), centre, radii)
    near, lost = nearness(box, temperature, gap)
    made_of = response_program(box, near)
    upper, point = made_of.program.maximise(made_of.goal, SHARE * gap, seconds)
    if point is None:
        return Bounded(upper + lost, None, -1, 0.0)
    D = len(low)
    z, off = np.clip(centre + radii * point[:D], low, high), made_of.program.violation(point)[:D]
    if temperature == 0.0 and off.any():
        z = tied_place(made.arrays, z, point[made_of.choices] > 0.5, low, high)
    kink = made.kinks.worst(low, high)
    if kink >= 0:
        return Bounded(upper + lost, z, int(made.kinks.coordinates[kink]), float(made.kinks.places[kink]))
    cut = int(off.argmax()) if D else -1
    if cut < 0 or off[cut] == 0.0 or radii[cut] <= LEAST_RADIUS:
        return Bounded(upper + lost, z, -1, 0.0)
    return Bounded(upper + lost, z, cut, float(0.5 * (low[cut] + high[cut])))


def nearness(box: AffineArrays, temperature: float, gap: float) -> tuple[Nearness, float]:
    """Return how near to the best the actions are that the leader may choose from, and what others are worth to it."""
    Z, A, B = box.follower_reward.shape[:3]
    if temperature == 0.0 or B == 1:
        return Nearness(0.0, 0.0), 0.0
    # Actions further below the best than the slack have less than (B - 1) exp(-slack / temperature) of probability.
    dynamics, free = (box.successors, box.probabilities, box.leader_discount), (np.zeros((Z, A, B)), np.ones((Z, A, B)))
    high = most_worth(box, dynamics, box.leader_reward, *free)
    low = -most_worth(box, dynamics, -box.leader_reward, *free)
    radius = np.abs(box.leader_reward[..., 1:]).sum(axis=-1)
    reward = float((box.leader_reward[..., 0] + radius).max() - (box.leader_reward[..., 0] - radius).min())
    most = (reward + box.leader_discount * float(high.max() - low.min())) / (1.0 - box.leader_discount)
    allowed = max(SHARE * gap * abs(float(box.initial @ high)), 1e-12 * most)
    slack = temperature * float(np.log(max((B - 1) * most / allowed, float(B))))
    return Nearness(slack, temperature * float(np.log(B))), allowed


def tied_place(arrays: AffineArrays, z: Array, choice: NDArray[np.bool_], low: Array, high: Array) -> Array:
    """Return a place of a box, near z, where a follower's choice of actions, shape (Z, A, B), is as good as any.

    Where products are relaxed, such a place is met only nearly. Newton's method: the advantages of other actions over
    those chosen are linear in z nearby, and the largest of them is made as small as it can be.
    """
    from scipy.optimize import linprog

    D = len(z)
    for _ in range(TURNS):
        advantage, slopes = advantages(arrays, z, choice.astype(np.float64))
        costs = np.append(np.zeros(D), 1.0)
        rows = np.column_stack([slopes, -np.ones(len(slopes))])
        bounds = [*zip(low - z, high - z, strict=True), (0.0, None)]
        found = linprog(costs, A_ub=rows, b_ub=-advantage, bounds=bounds)
        if found.x is None:
            break
        z = np.clip(z + found.x[:D], low, high)
    return z


def advantages(arrays: AffineArrays, z: Array, choice: Array) -> tuple[Array, Array]:
    """Return by how much each action is better than the chosen one, (Z A B,), and the derivatives by z, (Z A B, D)."""
    Z, A, B, columns = arrays.follower_reward.shape
    here = on_box(arrays, z, np.ones(columns - 1))
    policy, kernel = here.leader_policy[..., 0].copy(), here.believed_probabilities[..., 0].copy()
    lists, weight = here.believed_successors, here.follower_discount * here.continuing[:, None, None]
    system = policy_system(policy, choice, lists, kernel, here.continuing, here.follower_discount)
    values = np.einsum("sa,sab,sab->s", policy, choice, here.follower_reward[..., 0])[:, None]
    solve_factorised(system, values)
    q = here.follower_reward[..., 0] + weight * (kernel * values[lists, 0]).sum(axis=-1)
    # What moves directly, and what the values of states ahead then do.
    moved = here.follower_reward[..., 1:].copy()
    if here.believed_probabilities.shape[-1] > 1:
        moved += weight[..., None] * np.einsum(
            "sabni,sabn->sabi", here.believed_probabilities[..., 1:], values[lists, 0]
        )
    slopes = np.einsum("sa,sab,sabi->si", policy, choice, moved)
    slopes += np.einsum("sai,sab,sab->si", here.leader_policy[..., 1:], choice, q)
    solve_factorised(system, slopes)
    moved += weight[..., None] * np.einsum("sabn,sabni->sabi", kernel, slopes[lists])
    own, own_moved = (choice * q).sum(axis=-1), (choice[..., None] * moved).sum(axis=2)
    return (q - own[..., None]).ravel(), (moved - own_moved[:, :, None]).reshape(Z * A * B, columns - 1)


class ProgramSearch:
    """Boxes that wait for their program, and what is proven of the others.

    Attributes
    ----------
    x, value, policy
        The best commitment found, J there, and at temperature 0 the follower's response, shape (Z, A, B).
    boxes
        How many boxes were bounded.
    """

    def __init__(self, game: TabularGame, made: AffineGame, x: Array, *, hard: bool, gap: float, began: float) -> None:
        self.game, self.made, self.hard, self.gap = game, made, hard, gap
        self.temperature = 0.0 if hard else made.arrays.temperature
        self.began, self.boxes, self.closed, self.stuck = began, 0, -np.inf, -np.inf
        self.policy: Array | None = None
        self.x, self.value = x, -np.inf
        self.try_commitment(x)
        self._order = itertools.count()
        self.heap = [(-np.inf, next(self._order), whole(len(made.directions)))]

    def try_commitment(self, x: Array) -> None:
        """Keep a commitment if it is worth more than the best so far."""
        response = hard_response(self.game.primitives(x)) if self.hard else None
        value = float(solve(self.game, x).leader_value) if response is None else response.leader_value
        if value > self.value:
            self.x, self.value = x, value
            self.policy = None if response is None else response.policy

    @property
    def upper(self) -> float:
        """What no commitment exceeds."""
        return max(self.value, self.closed, self.stuck, -self.heap[0][0] if self.heap else -np.inf)

    @property
    def done(self) -> bool:
        """Whether no box that waits matters."""
        return not self.heap or -self.heap[0][0] <= good_enough(self.value, self.gap)

    @property
    def proven(self) -> bool:
        """Whether the bound is as near to the value as was asked for."""
        return self.upper <= good_enough(self.value, self.gap)

    def step(self, seconds: float) -> None:
        """Bound the box with the largest bound."""
        branch = heapq.heappop(self.heap)[2]
        found = bounded(self.made, branch, self.temperature, self.gap, seconds)
        self.boxes += 1
        upper = min(found.upper, branch.upper)
        if found.z is not None:
            self.try_commitment(self.game.commitment.project(self.made.commitment(found.z)))
        if upper <= good_enough(self.value, self.gap):
            self.closed = max(self.closed, upper)
        elif found.cut < 0:
            self.stuck = max(self.stuck, upper)
        else:
            for part in parts(branch.low, branch.high, found.cut, found.place, upper):
                heapq.heappush(self.heap, (-upper, next(self._order), part))

    def certificate(self, reason: str) -> Certificate:
        """Return what is proven."""
        x, seconds = frozen(np.array(self.x)), time.monotonic() - self.began
        return Certificate(self.value, x, self.upper, self.boxes, seconds, reason, self.policy)

    def run(
        self,
        time_limit: float,
        max_boxes: float,
        progress: Callable[[Certificate], object] | None,
    ) -> Certificate:
        """Bound boxes until nothing is left, or a limit is met."""
        reason = "rounding" if self.hard else "temperature"
        while not self.done:
            left = time_limit - (time.monotonic() - self.began)
            if left <= 0.0 or self.boxes >= max_boxes:
                reason = "time" if left <= 0.0 else "boxes"
                break
            waiting = list(self.heap)
            try:
                self.step(left)
            except KeyboardInterrupt:
                self.heap, reason = waiting, "interrupted"
                break
            if progress is not None:
                progress(self.certificate(""))
        if self.proven:
            reason = "gap reached"
        elif self.done and time.monotonic() - self.began >= time_limit:
            reason = "time"
        return self.certificate(reason)
