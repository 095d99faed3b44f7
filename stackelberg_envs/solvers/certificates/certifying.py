"""`certify`: the best commitment of a small game, and a proven bound on what any other could be worth."""

from __future__ import annotations

import heapq
import itertools
import math
import signal
import time
from collections.abc import Callable, Generator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from stackelberg_envs.arrays import frozen, require_at_least, require_count, require_progress
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.solvers.best_commitment import BestCommitment, best_commitment
from stackelberg_envs.solvers.certificates.affine import AffineGame, affine_game, count_coordinates, require_affine
from stackelberg_envs.solvers.certificates.bounds import known_at_first
from stackelberg_envs.solvers.certificates.certificate import Certificate
from stackelberg_envs.solvers.certificates.directions import turned
from stackelberg_envs.solvers.certificates.program_search import ProgramSearch
from stackelberg_envs.solvers.certificates.quadratics import monomials
from stackelberg_envs.solvers.certificates.search import Branch, Searched, good_enough, search_branch, whole
from stackelberg_envs.solvers.solving import solve

__all__ = ["certify"]

#: More coordinates, or more numbers in a table of quadratic functions, are refused.
MOST_COORDINATES, MOST_NUMBERS = 10, 500_000
#: What a method is called; programs with more binaries are refused.
BOXES, PROGRAMS, MOST_BINARIES = "boxes", "mixed_integer", 2_000
#: Commitments that the search for a good one may try, before there are boxes.
EVALUATIONS = 500
#: What a program may take that looks for a good commitment.
SECONDS_FOR_A_START = 30.0
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


def certify(
    game: Any,
    *,
    temperature: float | None = None,
    method: str | None = None,
    gap: float = 0.01,
    time_limit: float = 600.0,
    max_boxes: int | None = None,
    processes: int = 1,
    known: ArrayLike | None = None,
    progress: Callable[[Certificate], object] | None = None,
) -> Certificate:
    """Find the best commitment of a small game, with a proven upper bound.

    Parameters
    ----------
    game
        A tabular game with few states, whose commitment has few free entries and enters all arrays in an affine way:
        a PolicyTable, TiedPolicy, TransitionMixture, Incentive, StateIncentive, LinearFeatures, Transfer,
        IncentiveCost, a Joint of them, or a FunctionCommitment made with ``affine=True``.
    temperature
        None: that of the game. 0: the limit in which the follower takes the best action for certain, and of several
        that are best the one that the leader likes best.
    method
        "boxes": branch and bound with bounds on the soft response, the default. "mixed_integer": programs for HiGHS, in
        which the leader chooses the follower's actions among those that are nearly best; the default at temperature 0,
        and for low temperatures. The bound is then right to the tolerances of that solver, some 1e-6.
    gap
        It stops when the bound is at most this share of the value's size above the value.
    time_limit
        Seconds after which it stops with the bound that it has.
    max_boxes
        Boxes after which it stops as well; default no limit.
    processes
        How many processes look at boxes; 1 is this one alone. With mixed-integer programs 1.
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
        A game that is not tabular, such as one of followers that affect each other, a commitment of another kind,
        feasible actions or discount 1 where the temperature is not 0, discount 1 where the commitment changes the
        dynamics, more coordinates or states than can be searched (with what it would cost), or arguments out of range.
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
    method = _checked_method(temperature, method)
    _require_small(game, method, temperature is not None)
    require_at_least(gap, 0.0, "gap")
    require_at_least(time_limit, 0.0, "time_limit")
    require_progress(progress)
    limit = math.inf if max_boxes is None else require_count(max_boxes, "max_boxes")
    count = require_count(processes, "processes")
    if method == BOXES:
        return _Search(game, gap, known).run(count, time_limit, limit, progress)
    if count > 1:
        raise ArgumentError(f"processes: expected 1 with method={method!r}, got {count}")
    return _by_programs(game, temperature is not None, gap * (1.0 - 1e-9), known).run(time_limit, limit, progress)


def _by_programs(game: TabularGame, hard: bool, gap: float, known: ArrayLike | None) -> ProgramSearch:
    """Return a search by programs from a good commitment."""
    began, made = time.monotonic(), affine_game(game)
    x = _good_commitment(game, known).commitment
    search = ProgramSearch(game, made, x, hard=True, gap=gap, began=began)
    if hard:
        return search
    # What is best at low temperatures is a peak too narrow for a search, and near to what is best at temperature 0.
    search.step(SECONDS_FOR_A_START)
    x = _good_commitment(game, search.x).commitment
    return ProgramSearch(game, made, x, hard=False, gap=gap, began=began)


def _checked_method(temperature: float | None, method: str | None) -> str:
    """Return "boxes" or "mixed_integer"."""
    if temperature is not None and temperature != 0:
        raise ArgumentError(f"temperature: expected 0, or None for that of the game, got {temperature!r}")
    if method is None:
        return BOXES if temperature is None else PROGRAMS
    if method not in (BOXES, PROGRAMS):
        raise ArgumentError(f"method: expected {BOXES!r}, {PROGRAMS!r} or None, got {method!r}")
    if method == BOXES and temperature is not None:
        raise ArgumentError(f"method: expected {PROGRAMS!r} at temperature 0, got {method!r}")
    return method


def _good_commitment(game: TabularGame, known: ArrayLike | None) -> BestCommitment:
    start = best_commitment(game, evaluations=EVALUATIONS, known=[] if known is None else [known])
    if start.stopped_because == "interrupted":
        raise KeyboardInterrupt
    return start


def _require_small(game: Any, method: str, hard: bool) -> None:
    """Raise where a certificate is not possible, or would cost too much."""
    if isinstance(game, MarkovGame):
        raise ArgumentError(
            f"game: expected a game of one follower, whose only best response the bounds are on, but {game.name!r} has "
            f"{game.num_followers} that affect each other: they may have several equilibria, and the one they play may "
            "jump; best_commitment searches without a bound"
        )
    if not isinstance(game, TabularGame):
        name = getattr(game, "name", type(game).__name__)
        raise ArgumentError(f"game: expected a tabular game, which certificates are for, got {name!r}")
    if game.ends is not None and (not hard or "transition" in game.commitment.changes):
        raise ArgumentError(
            f"{game.name}: expected discounts below 1, which bounds need, got a game with discount 1; temperature=0 "
            f"takes such games where the commitment does not change the dynamics"
        )
    if game.feasible is not None and not hard:
        raise ArgumentError(
            f"{game.name}: expected every action to be feasible in every state, which bounds on a soft response need; "
            f"temperature=0 takes such games"
        )
    require_affine(game)
    D = count_coordinates(game.commitment)
    if method == PROGRAMS:
        _require_small_program(game, D)
        return
    numbers = math.prod(game.table_shape) * (1 + D + D * (D + 1) // 2)
    if D > MOST_COORDINATES or numbers > MOST_NUMBERS:
        boxes, seconds = D * math.log10(BOXES_PER_COORDINATE), numbers * SECONDS_PER_NUMBER
        raise ArgumentError(
            f"{game.name}: expected at most {MOST_COORDINATES} free entries of the commitment, and at most "
            f"{MOST_NUMBERS:,} numbers in a table of quadratic functions, got {D} and {numbers:,}; a certificate would "
            f"take some 10^{boxes:.0f} boxes of {seconds:.1g} s each"
        )


def _require_small_program(game: TabularGame, D: int) -> None:
    """Raise where programs would be too large, or too many."""
    binaries = math.prod(game.table_shape)
    kinks = game.commitment.kinks
    cut = game.commitment.changes_play or (kinks is not None and bool(np.isfinite(kinks).any()))
    if binaries > MOST_BINARIES or (cut and D > MOST_COORDINATES):
        raise ArgumentError(
            f"{game.name}: expected at most {MOST_BINARIES:,} actions of the follower over all states, and where the "
            f"commitment changes play or bends at most {MOST_COORDINATES} free entries, got {binaries:,} and {D}; a "
            f"certificate would choose among 10^{_choices(game):.0f} policies"
            + (f" in some 10^{D * math.log10(BOXES_PER_COORDINATE):.0f} boxes" if cut else "")
        )


def _choices(game: TabularGame) -> float:
    """Return the logarithm of the number of policies that take one action each."""
    Z, A, B = game.table_shape
    return Z * A * math.log10(B)


class _Search:
    """The boxes that wait, and what is proven of the others."""

    def __init__(self, game: TabularGame, gap: float, known: ArrayLike | None) -> None:
        self.game, self.gap, self.began = game, gap * (1.0 - 1e-9), time.monotonic()
        made = affine_game(game)
        self.boxes, self.closed, self.stuck = 0, -np.inf, -np.inf
        start = _good_commitment(game, known)
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
