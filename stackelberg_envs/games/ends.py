"""Sure ends: whether play ends whatever the players do, and after how many steps.

With discount 1 a value is a sum over play that only a terminal state ends. It is a number for every response and every
commitment where no set of states can be kept to for ever: no set in each of whose states some pair of actions leads
into the set alone. This is a question about which moves are possible, not about how likely they are, and it is decided
exactly; then the expected number of steps is bounded too, and stands where 1 / (1 - discount) stands otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, IntArray, frozen
from stackelberg_envs.errors import GameError
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.jit import compiled

__all__ = ["SureEnd", "sure_end"]

#: Sweeps after which, and expected steps beyond which, play takes too long for floats to carry what it is worth.
MOST_SWEEPS, MOST_STEPS = 100_000, 1e9
#: The bound on the number of steps is at most about twice this part above the number itself.
SLACK = 0.05


@dataclass(frozen=True, eq=False)
class SureEnd:
    """That play ends, whatever the players do.

    Attributes
    ----------
    steps
        Bound on the expected number of steps of an episode, from any state, whatever the players do.
    order
        All joint states, each after those that play can go to from it, shape (Z,); None where play can come back.
    longest
        Most steps that an episode from each state can have, shape (Z,); None where there is no such number.
    """

    steps: float
    order: IntArray | None
    longest: IntArray | None


def sure_end(transitions: list[Transition], possible: NDArray[np.bool_], states: int) -> SureEnd:
    """Return within how many steps play ends.

    Parameters
    ----------
    transitions
        Lists of shape (Z, A, B, N): every row that play meets is a mixture of theirs.
    possible
        Which actions can be taken where play goes on from, shape (Z, A, B).
    states
        S, by which places are told.

    Raises
    ------
    GameError
        Play need not end; the message names a state.
    """
    successors, probabilities, possible = _one_table(transitions, possible)
    order = np.empty(len(possible), dtype=np.int32)
    count = _resolved(successors, probabilities, possible, False, order)
    if count < len(order):
        kept = np.setdiff1d(np.arange(len(order)), order[:count])
        context, state = divmod(int(kept[0]), states)
        place = f"state {state}" if len(order) == states else f"context {context}, state {state}"
        raise GameError(
            f"leader_discount, follower_discount: expected less than 1, or play that ends in a terminal state whatever "
            f"the players do; from {place} it can go on for ever, within {len(kept)} states"
        )
    steps, longest = np.ones(len(order)), np.ones(len(order), dtype=np.int32)
    acyclic = np.empty_like(order)
    if _resolved(successors, probabilities, possible, True, acyclic) == len(order):
        _add_up(successors, probabilities, possible, acyclic, steps, longest)
        return SureEnd(float(steps.max()), frozen(acyclic), frozen(longest))
    return SureEnd(_most_steps(successors, probabilities, possible, order, steps), None, None)


def _one_table(transitions: list[Transition], possible: NDArray[np.bool_]) -> tuple[IntArray, Array, NDArray[np.bool_]]:
    """Return successors and probabilities of shape (Z, C, N), and which of the C choices can be made: all kernels'."""
    Z, width = len(possible), max(one.successors.shape[-1] for one in transitions)

    def table(lists: NDArray[Any]) -> NDArray[Any]:
        missing = width - lists.shape[-1]
        return (np.pad(lists, [(0, 0)] * 3 + [(0, missing)]) if missing else lists).reshape(Z, -1, width)

    successors = [table(one.successors) for one in transitions]
    probabilities = [table(one.probabilities) for one in transitions]
    flat = possible.reshape(Z, -1)
    if len(transitions) == 1:
        return successors[0], probabilities[0], flat
    choices = np.tile(flat, (1, len(transitions)))
    return np.concatenate(successors, axis=1), np.concatenate(probabilities, axis=1), choices


def _most_steps(
    successors: IntArray, probabilities: Array, possible: NDArray[np.bool_], order: IntArray, steps: Array
) -> float:
    """Return a bound on the greatest expected number of steps, by value iteration from below.

    Changes shrink at last by one factor in all states, so their sum is guessed. Any w with w >= 1 - e + P w for every
    choice proves that no play takes more than w / (1 - e), and w <= 1 + e + P w for one choice that some play takes as
    many as w / (1 + e).
    """
    last = np.inf
    for _ in range(MOST_SWEEPS):
        before = steps.copy()
        _sweep(successors, probabilities, possible, order, steps)
        change = steps - before
        largest = float(change.max())
        factor = largest / last
        guess = steps + change * (factor / (1.0 - factor)) if factor < 1.0 else steps
        least, greatest = _excess(successors, probabilities, possible, guess)
        if max(-least, greatest) <= SLACK and guess.max() <= MOST_STEPS:
            return float(guess.max() / (1.0 - greatest))
        if steps.max() > MOST_STEPS:
            break
        last = largest
    raise GameError(
        f"leader_discount, follower_discount: expected less than 1, or play that ends within {MOST_STEPS:g} steps in "
        f"the mean whatever the players do; it can take {steps.max():.3g} or more"
    )


@compiled
def _resolved(
    successors: IntArray, probabilities: Array, possible: NDArray[np.bool_], every: bool, order: IntArray
) -> int:
    """Write states into `order`, each after those that resolve it, and return how many there are.

    A state is resolved when all its choices are, and a choice when one of its successors is, or every one of them.
    """
    Z, C, _ = successors.shape
    first, choices, left = _leading_to(successors, probabilities, possible)
    todo = possible.sum(axis=1)
    if not every:
        left[:] = 1
    count = 0
    for s in range(Z):
        if todo[s] == 0:
            order[count] = s
            count += 1
    i = 0
    while i < count:
        t = order[i]
        i += 1
        for c in choices[first[t] : first[t + 1]]:
            left[c] -= 1
            if left[c] == 0:
                todo[c // C] -= 1
                if todo[c // C] == 0:
                    order[count] = c // C
                    count += 1
    return count


@compiled
def _leading_to(
    successors: IntArray, probabilities: Array, possible: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], IntArray]:
    """Return the choices that can lead to each state, one state after the other, and how many successors each has.

    Choice c of state s has the number s C + c; those that lead to t are entries ``first[t]`` to ``first[t + 1] - 1``.
    """
    Z, C, N = successors.shape
    first, left = np.zeros(Z + 2, np.int64), np.zeros(Z * C, np.int32)
    for i in range(Z * C * N):
        s, c, n = i // (C * N), i // N % C, i % N
        if possible[s, c] and probabilities[s, c, n] > 0.0:
            first[successors[s, c, n] + 2] += 1
            left[s * C + c] += 1
    first[:] = np.cumsum(first)
    choices = np.empty(first[Z + 1], np.int64)
    # Each entry moves on to where the next state's begin, and so becomes that one's.
    for i in range(Z * C * N):
        s, c, n = i // (C * N), i // N % C, i % N
        if possible[s, c] and probabilities[s, c, n] > 0.0:
            t = successors[s, c, n]
            choices[first[t + 1]] = s * C + c
            first[t + 1] += 1
    return first, choices, left


@compiled
def _add_up(
    successors: IntArray,
    probabilities: Array,
    possible: NDArray[np.bool_],
    order: IntArray,
    steps: Array,
    longest: IntArray,
) -> None:
    """Write the greatest expected and the greatest possible number of steps of play that never comes back."""
    _, C, N = successors.shape
    for s in order:
        most, far = 0.0, 0
        for c in range(C):
            if possible[s, c]:
                ahead = 0.0
                for n in range(N):
                    if probabilities[s, c, n] > 0.0:
                        ahead += probabilities[s, c, n] * steps[successors[s, c, n]]
                        far = max(far, longest[successors[s, c, n]])
                most = max(most, ahead)
        steps[s], longest[s] = 1.0 + most, 1 + far


@compiled
def _sweep(
    successors: IntArray, probabilities: Array, possible: NDArray[np.bool_], order: IntArray, steps: Array
) -> None:
    """Replace steps(s) by 1 + the greatest mean of what follows, state by state in the order given."""
    for s in order:
        steps[s] = 1.0 + _greatest_mean(successors[s], probabilities[s], possible[s], steps)


@compiled
def _excess(
    successors: IntArray, probabilities: Array, possible: NDArray[np.bool_], steps: Array
) -> tuple[float, float]:
    """Return the least and the greatest 1 + (greatest mean of what follows) - steps(s) over states."""
    least, greatest = np.inf, -np.inf
    for s in range(successors.shape[0]):
        excess = 1.0 + _greatest_mean(successors[s], probabilities[s], possible[s], steps) - steps[s]
        least, greatest = min(least, excess), max(greatest, excess)
    return least, greatest


@compiled
def _greatest_mean(successors: IntArray, probabilities: Array, possible: NDArray[np.bool_], values: Array) -> float:
    """Return the greatest mean of the values that follow one state; 0 where nothing does."""
    most = 0.0
    for c in range(successors.shape[0]):
        if possible[c]:
            ahead = 0.0
            for n in range(successors.shape[1]):
                ahead += probabilities[c, n] * values[successors[c, n]]
            most = max(most, ahead)
    return most
