"""`certify`: the best commitment of a small game, and a proven bound on what any other could be worth."""

from __future__ import annotations

import heapq
import itertools
import math
import signal
import time
from collections.abc import Callable, Generator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from stackelberg_envs.arrays import Array, frozen, require_at_least, require_count, require_progress
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.solvers.best_commitment import best_commitment
from stackelberg_envs.solvers.certificates.affine import AffineGame, affine_game, count_coordinates, require_affine
from stackelberg_envs.solvers.certificates.bounds import known_at_first
from stackelberg_envs.solvers.certificates.directions import turned
from stackelberg_envs.solvers.certificates.quadratics import monomials
from stackelberg_envs.solvers.certificates.search import Branch, Searched, good_enough, search_branch, whole
from stackelberg_envs.solvers.solving import solve

__all__ = ["Certificate", "certify"]

#: More coordinates, or more numbers in a table of quadratic functions, are refused.
MOST_COORDINATES, MOST_NUMBERS = 10, 500_000
#: Commitments that the search for a good one may try, before there are boxes.
EVALUATIONS = 500
#: Seconds between two calls of `progress`, at least.
SECONDS_BETWEEN = 1.0
#: Boxes that a branch is given at first, and later.
FIRST_BUDGET, BUDGET = 100, 1_000
#: Branches below which budgets are small.
FEW = 64
#: Seconds that a box takes for each number in a table of quadratic functions, on one core; measured.
SECONDS_PER_NUMBER = 6e-7
#: Boxes to a coordinate in the games that were measured.
BOXES_PER_COORDINATE = 12.0


@dataclass(frozen=True, eq=False)
class Certificate:
    """The best commitment found, and a bound that no commitment of the set exceeds.

    Attributes
    ----------
    value
        J at the commitment, reward units.
    commitment
        It, in the shape of the game's commitments.
    upper_bound
        No commitment is worth more, reward units.
    boxes
        How many boxes were bounded.
    seconds
        How long it took.
    stopped_because
        "gap reached", "time", "boxes", "interrupted", or "rounding" where boxes became too small to be cut.
    """

    value: float
    commitment: Array
    upper_bound: float
    boxes: int
    seconds: float
    stopped_because: str

    @property
    def gap(self) -> float:
        """By how much the bound lies above the value, as a share of the size of the value."""
        above = self.upper_bound - self.value
        return above / abs(self.value) if self.value else math.inf if above else 0.0

    def __repr__(self) -> str:
        """Return one line, without the commitment."""
        return (
            f"Certificate(value={self.value:.8g}, upper_bound={self.upper_bound:.8g}, gap={self.gap:.3g}, "
            f"{self.boxes} boxes, {self.seconds:.1f} s, stopped because {self.stopped_because})"
        )


def certify(
    game: Any,
    *,
    gap: float = 0.01,
    time_limit: float = 600.0,
    max_boxes: int | None = None,
    processes: int = 1,
    known: ArrayLike | None = None,
    progress: Callable[[Certificate], object] | None = None,
) -> Certificate:
    """Find the best commitment of a small game, with a proven upper bound, by branch and bound.

    Parameters
    ----------
    game
        A tabular game with few states, whose commitment has few free entries and enters all arrays in an affine way:
        a PolicyTable, TransitionMixture, Incentive, StateIncentive, LinearFeatures, Transfer, IncentiveCost, a Joint of
        them, or a FunctionCommitment made with ``affine=True``.
    gap
        It stops when the bound is at most this share of the value's size above the value.
    time_limit
        Seconds after which it stops with the bound that it has.
    max_boxes
        Boxes after which it stops as well; default no limit.
    processes
        How many processes look at boxes; 1 is this one alone.
    known
        A good commitment, if there is one; a short :func:`stackelberg_envs.best_commitment` looks for others.
    progress
        Called with a certificate of what is proven so far, about once a second.

    Returns
    -------
    Certificate
        With Ctrl-C, what was proven until then, and `stopped_because` says so; before there are boxes that is nothing,
        and Ctrl-C is Python's.

    Raises
    ------
    ArgumentError
        A game that is not tabular, a commitment of another kind, more coordinates or states than can be searched (with
        what it would cost), or arguments out of range.
    CommitmentError
        A known commitment outside its space.

    Notes
    -----
    What rounding does to a bound is bounded along with it, from the sizes of numbers and the lengths of sums; the
    exponential and the logarithm are taken to be right to a few units of rounding.

    Examples
    --------
    >>> import stackelberg_envs as se
    >>> proven = se.certify(se.make_game("stackelberg/DiscreteToy-v1"), gap=0.001)
    >>> round(proven.value, 3), proven.upper_bound < 35.03
    (34.993, True)
    """
    _require_small(game)
    require_at_least(gap, 0.0, "gap")
    require_at_least(time_limit, 0.0, "time_limit")
    require_progress(progress)
    limit = math.inf if max_boxes is None else require_count(max_boxes, "max_boxes")
    search = _Search(game, gap, known)
    return search.run(require_count(processes, "processes"), time_limit, limit, progress)


def _require_small(game: Any) -> None:
    """Raise where a certificate is not possible, or would cost too much."""
    if not isinstance(game, TabularGame):
        name = getattr(game, "name", type(game).__name__)
        raise ArgumentError(f"game: expected a tabular game, which certificates are for, got {name!r}")
    require_affine(game)
    D = count_coordinates(game.commitment)
    numbers = math.prod(game.table_shape) * (1 + D + D * (D + 1) // 2)
    if D > MOST_COORDINATES or numbers > MOST_NUMBERS:
        boxes, seconds = D * math.log10(BOXES_PER_COORDINATE), numbers * SECONDS_PER_NUMBER
        raise ArgumentError(
            f"{game.name}: expected at most {MOST_COORDINATES} free entries of the commitment, and at most "
            f"{MOST_NUMBERS:,} numbers in a table of quadratic functions, got {D} and {numbers:,}; a certificate would "
            f"take some 10^{boxes:.0f} boxes of {seconds:.1g} s each"
        )


class _Search:
    """The boxes that wait, and what is proven of the others."""

    def __init__(self, game: TabularGame, gap: float, known: ArrayLike | None) -> None:
        self.game, self.gap, self.began = game, gap * (1.0 - 1e-9), time.monotonic()
        made = affine_game(game)
        self.boxes, self.closed, self.stuck = 0, -np.inf, -np.inf
        start = best_commitment(game, evaluations=EVALUATIONS, known=[] if known is None else [known])
        if start.stopped_because == "interrupted":
            raise KeyboardInterrupt
        self.x, self.value = start.commitment, start.value
        self.made: AffineGame = turned(made, made.coordinates(self.x))
        self.D = len(self.made.directions)
        self.factors = monomials(self.D)
        self._order = itertools.count()
        self.heap: list[tuple[float, int, Branch]] = []
        self.away: dict[Future[Searched], float] = {}
        if self.D:
            everything = whole(self.D)
            self.known = known_at_first(self.made.on(everything.low, everything.high))
            self.push(everything)

    def push(self, branch: Branch) -> None:
        """Let a branch wait."""
        heapq.heappush(self.heap, (-branch.upper, next(self._order), branch))

    def take(self) -> Branch:
        """Return the branch with the largest bound, which waits no longer."""
        return heapq.heappop(self.heap)[2]

    def arguments(self, branch: Branch) -> tuple[Any, ...]:
        """Return the arguments of the search of a branch."""
        return self.made, self.factors, self.known, branch, self.value, self.gap, self.budget

    @property
    def open(self) -> float:
        """The largest bound of branches that wait or are being searched."""
        return max([-self.heap[0][0] if self.heap else -np.inf, *self.away.values()])

    @property
    def done(self) -> bool:
        """Whether nothing is left to search."""
        return self.open <= good_enough(self.value, self.gap)

    @property
    def budget(self) -> int:
        """How many boxes a branch is given."""
        return FIRST_BUDGET if len(self.heap) + len(self.away) < FEW else BUDGET

    def merge(self, found: Searched) -> None:
        """Take in what the search of a branch has found."""
        self.boxes += found.boxes
        self.closed, self.stuck = max(self.closed, found.closed), max(self.stuck, found.stuck)
        for branch in found.left:
            self.push(branch)
        if found.z is not None and found.value > self.value:
            x = self.game.commitment.project(self.made.commitment(found.z))
            value = float(solve(self.game, x).leader_value)
            if value > self.value:
                self.x, self.value = x, value

    def certificate(self, reason: str) -> Certificate:
        """Return what is proven."""
        upper = max(self.value, self.closed, self.stuck, self.open)
        return Certificate(
            self.value, frozen(np.array(self.x)), upper, self.boxes, time.monotonic() - self.began, reason
        )

    def run(
        self, processes: int, time_limit: float, max_boxes: float, progress: Callable[[Certificate], object] | None
    ) -> Certificate:
        """Search until nothing is left, or a limit is met."""
        told, reason = self.began, ""
        turns = self._alone() if processes == 1 else self._together(processes)
        try:
            for _ in turns:
                now = time.monotonic()
                if self.boxes >= max_boxes or now - self.began >= time_limit:
                    reason = "boxes" if self.boxes >= max_boxes else "time"
                    break
                if progress is not None and now - told >= SECONDS_BETWEEN:
                    told = now
                    progress(self.certificate(""))
        except (KeyboardInterrupt, SystemError) as exc:
            if not _is_interrupt(exc):
                raise
            reason = "interrupted"
        finally:
            turns.close()
        if self.done:
            reason = "gap reached" if self.stuck <= good_enough(self.value, self.gap) else "rounding"
        return self.certificate(reason)

    def _alone(self) -> Generator[None, None, None]:
        while not self.done:
            branch = self.take()
            arguments = self.arguments(branch)
            try:
                found = search_branch(*arguments)
            except BaseException:
                self.push(branch)
                raise
            self.merge(found)
            yield

    def _together(self, processes: int) -> Generator[None, None, None]:
        with ProcessPoolExecutor(processes, initializer=_ignore_interrupts) as workers:
            try:
                while not self.done:
                    while self.heap and len(self.away) < processes:
                        branch = self.take()
                        arguments = self.arguments(branch)
                        self.away[workers.submit(search_branch, *arguments)] = branch.upper
                    finished, _ = wait(self.away, return_when=FIRST_COMPLETED)
                    for future in finished:
                        found = future.result()
                        del self.away[future]
                        self.merge(found)
                    yield
            finally:
                workers.shutdown(cancel_futures=True)


def _is_interrupt(exc: BaseException) -> bool:
    """Return whether Ctrl-C is behind an exception: from inside a compiled loop Numba passes it on as a SystemError."""
    return any(isinstance(one, KeyboardInterrupt) for one in (exc, exc.__cause__, exc.__context__))


def _ignore_interrupts() -> None:
    """Leave Ctrl-C to the process that asked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
