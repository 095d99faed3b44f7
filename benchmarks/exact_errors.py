"""Stated bounds and true errors of exact solutions, by discount, temperature, size and linear solver.

    python benchmarks/exact_errors.py [--sides 8 24 48] [--output docs/tables/exact_errors.md]

The game is a square grid with a goal in one corner, which ends the episode or does not. The truth is computed in 50
decimal digits, by Newton's method and band LU of Python's decimal numbers: nothing of it is shared with the package but
the arrays of the game, and the values that Newton's method starts from. Stops with an error if a true error is above
its bound, or a gradient is off by more than 1e-8 of its largest entry. A star marks a bound that is more than a
thousand times the error.
"""

from __future__ import annotations

import argparse
import decimal
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np

from stackelberg_envs.games.commitments.incentives import StateIncentive
from stackelberg_envs.games.tabular import Primitives, TabularGame
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.solvers.soft import linear
from stackelberg_envs.solvers.solution import Solution
from stackelberg_envs.solvers.solving import solve

decimal.getcontext().prec = 50
DISCOUNTS, TEMPERATURES = (0.9, 0.999, 0.999999), (1e-3, 0.05, 1.0)
METHODS = ("band", "dense", "krylov")
AGREEMENT, LOOSE, LARGE = 1e-8, 1e3, 40
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))
Numbers = list[Decimal]
HEADER = """| grid | end | discount | temperature | solver | policy | | J | | gradient | | |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
| | | | | | bound | true | bound | true | bound | true | largest entry |
"""


def grid_world(side: int, discount: float, temperature: float, terminal: bool) -> TabularGame:
    """A grid whose walker slips, with a goal in the last corner."""
    S = side * side
    row, column = divmod(np.arange(S), side)
    landing = [np.clip(row + r, 0, side - 1) * side + np.clip(column + c, 0, side - 1) for r, c in MOVES]
    successors = np.broadcast_to(np.stack(landing, axis=-1)[:, None, None, :], (S, 1, 4, 4))
    goal = np.eye(S)[-1]
    return TabularGame(
        transition=Transition.from_lists(
            successors, np.broadcast_to(np.where(np.eye(4, dtype=bool), 0.8, 0.2 / 3), successors.shape)
        ),
        leader_reward=np.tile(np.cos(np.arange(S))[:, None, None], (1, 1, 4)),
        follower_reward=np.tile(goal[:, None, None], (1, 1, 4)),
        initial=np.full(S, 1 / S),
        terminal=goal if terminal else None,
        leader_discount=discount,
        follower_discount=discount,
        temperature=temperature,
        commitment=StateIncentive(-0.2, 0.2, where=np.ones(S)),
    )


class BandLU:
    """LU without pivoting of I - discount P_pi, which is diagonally dominant, in decimal numbers."""

    def __init__(self, rows: list[dict[int, Decimal]], width: int) -> None:
        self.width, self.rows = width, rows
        self.below: list[dict[int, Decimal]] = [{} for _ in rows]
        for k, pivot in enumerate(rows):
            upper = [(j, v) for j, v in pivot.items() if j > k]
            for i in range(k + 1, min(k + width, len(rows) - 1) + 1):
                entry = rows[i].pop(k, None)
                if not entry:
                    continue
                factor = self.below[i][k] = entry / pivot[k]
                target = rows[i]
                for j, v in upper:
                    target[j] = target.get(j, Decimal(0)) - factor * v

    def solve(self, rhs: Numbers) -> Numbers:
        """Return the solution of the system."""
        out = list(rhs)
        for i, lower in enumerate(self.below):
            out[i] -= sum((v * out[j] for j, v in lower.items()), Decimal(0))
        for i in reversed(range(len(out))):
            rest = sum((v * out[j] for j, v in self.rows[i].items() if j > i), Decimal(0))
            out[i] = (out[i] - rest) / self.rows[i][i]
        return out

    def solve_transposed(self, rhs: Numbers) -> Numbers:
        """Return the solution of the transposed system."""
        out = list(rhs)
        for i, row in enumerate(self.rows):
            out[i] /= row[i]
            for j, v in row.items():
                if j > i:
                    out[j] -= v * out[i]
        for i in reversed(range(len(out))):
            for j, v in self.below[i].items():
                out[j] -= v * out[i]
        return out


@dataclass(frozen=True)
class Truth:
    """J, the response by state and action, and dJ/dx, in 50 digits."""

    value: Decimal
    policy: list[Numbers]
    gradient: Numbers


class InDecimal:
    """The grid in decimal numbers; one leader action, every state with its own incentive."""

    def __init__(self, parts: Primitives, side: int) -> None:
        self.Z, _, self.B = parts.follower_reward.shape
        self.width = side
        self.temperature, self.discount = Decimal(parts.temperature), Decimal(parts.leader_discount)
        self.pay = [[Decimal(float(r)) for r in row[0]] for row in parts.follower_reward]
        self.earn = [[Decimal(float(r)) for r in row[0]] for row in parts.leader_reward]
        self.initial = [Decimal(float(p)) for p in parts.initial]
        lists = parts.transition
        targets, chances = lists.successors[:, 0].tolist(), lists.probabilities[:, 0].tolist()
        self.moves = [
            [[(t, Decimal(p)) for t, p in zip(targets[z][b], chances[z][b], strict=True)] for b in range(self.B)]
            if parts.continuing[z] else [[]] * self.B
            for z in range(self.Z)
        ]  # fmt: skip

    def ahead(self, z: int, b: int, values: Numbers) -> Decimal:
        """Return the discounted mean of the values after action b in state z."""
        return self.discount * sum((p * values[t] for t, p in self.moves[z][b]), Decimal(0))

    def backup(self, values: Numbers) -> tuple[Numbers, list[Numbers]]:
        """Return the backed-up values and the Gibbs policy."""
        backed, policy = [], []
        for z in range(self.Z):
            q = [self.pay[z][b] + self.ahead(z, b, values) for b in range(self.B)]
            top = max(q)
            weights = [((one - top) / self.temperature).exp() for one in q]
            mass = sum(weights)
            backed.append(top + self.temperature * mass.ln())
            policy.append([weight / mass for weight in weights])
        return backed, policy

    def factor(self, policy: list[Numbers]) -> BandLU:
        """Return I - discount P_pi, factorised."""
        rows = []
        for z in range(self.Z):
            row = {z: Decimal(1)}
            for b in range(self.B):
                for t, p in self.moves[z][b]:
                    row[t] = row.get(t, Decimal(0)) - self.discount * policy[z][b] * p
            rows.append(row)
        return BandLU(rows, self.width)

    def solve(self, start: Numbers) -> Truth:
        """Newton's method from values near the solution, and then the equations of the adjoint."""
        values = start
        while True:
            backed, policy = self.backup(values)
            left = [b - v for b, v in zip(backed, values, strict=True)]
            system = self.factor(policy)
            if max(map(abs, left)) < Decimal("1e-36"):
                break
            values = [v + step for v, step in zip(values, system.solve(left), strict=True)]
        pay = [
            sum((g * r for g, r in zip(*pair, strict=True)), Decimal(0)) for pair in zip(policy, self.earn, strict=True)
        ]
        leader = system.solve(pay)
        visits = system.solve_transposed(self.initial)
        inflow, covariance = [Decimal(0)] * self.Z, [Decimal(0)] * self.Z
        for z in range(self.Z):
            q = [self.earn[z][b] + self.ahead(z, b, leader) for b in range(self.B)]
            mean = sum((g * one for g, one in zip(policy[z], q, strict=True)), Decimal(0))
            for b in range(self.B):
                w = visits[z] * policy[z][b] * (q[b] - mean) / self.temperature
                covariance[z] += w
                for t, p in self.moves[z][b]:
                    inflow[t] += self.discount * w * p
        flow = system.solve_transposed(inflow)
        value = sum((p * v for p, v in zip(self.initial, leader, strict=True)), Decimal(0))
        return Truth(value, policy, [w + m for w, m in zip(covariance, flow, strict=True)])


def apart(found: np.ndarray, truth: Numbers) -> float:
    return max(float(abs(Decimal(float(a)) - b)) for a, b in zip(found.ravel(), truth, strict=True))


def rows(side: int, discount: float, temperature: float, terminal: bool) -> Iterator[str]:
    game = grid_world(side, discount, temperature, terminal)
    x = np.random.default_rng(0).uniform(-0.1, 0.1, side * side)
    solutions: dict[str, Solution] = {}
    original = linear.choose
    for method in METHODS:
        linear.choose = lambda *_, chosen=method: chosen
        solution = solve(game, x)
        _ = solution.gradient_error
        solutions[method] = solution
    linear.choose = original
    high, low = solutions["band"].accuracy.reference.values
    unit = Decimal(solutions["band"].accuracy.reference.follower_unit)
    start = [unit * (Decimal(float(a)) + Decimal(float(b))) for a, b in zip(high, low, strict=True)]
    truth = InDecimal(game.primitives(x), side).solve(start)
    scale = float(max(map(abs, truth.gradient)))
    for method, solution in solutions.items():
        true = (
            apart(solution.response, [g for state in truth.policy for g in state]),
            apart(np.array([solution.leader_value]), [truth.value]),
            apart(solution.gradient, truth.gradient),
        )
        bounds = solution.policy_error, solution.leader_value_error, solution.gradient_error
        if any(one > bound for one, bound in zip(true, bounds, strict=True)) or true[2] > AGREEMENT * scale:
            raise SystemExit(f"{side}, {discount}, {temperature}, {method}: bounds {bounds}, true errors {true}")
        cells = " | ".join(f"{bound:.1e} | {one:.1e}" for one, bound in zip(true, bounds, strict=True))
        grid, end = f"{side} x {side}", "yes" if terminal else "no"
        mark = " *" if any(bound > LOOSE * one > 0 for one, bound in zip(true, bounds, strict=True)) else ""
        yield f"| {grid} | {end} | {discount} | {temperature} | {method}{mark} | {cells} | {scale:.1e} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[8, 24, 48])
    parser.add_argument("--discounts", type=float, nargs="+", default=list(DISCOUNTS))
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    lines = []
    for side in options.sides:
        for terminal in (True, False):
            # The truth of the largest grids takes minutes, so they are held to it where it is hardest.
            for discount in options.discounts if side < LARGE else [max(options.discounts)]:
                for temperature in TEMPERATURES:
                    for line in rows(side, discount, temperature, terminal):
                        print(line, flush=True)
                        lines.append(line + "\n")
    if options.output:
        options.output.write_text(HEADER + "".join(lines))


if __name__ == "__main__":
    main()
