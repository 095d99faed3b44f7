"""`best_commitment`: the best commitment that can be found to a game with an exact solution, by a stated rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike

from stackelberg_envs.arrays import Array, frozen, require_at_least, require_count, require_progress
from stackelberg_envs.errors import InstabilityError
from stackelberg_envs.solvers.searching.objective import Objective
from stackelberg_envs.solvers.searching.starts import MEMBERS, SAME, End, Population, look_around, start
from stackelberg_envs.solvers.solving import solve

__all__ = ["EVALUATIONS", "BestCommitment", "best_commitment"]

#: The best has to be the end of so many starts, besides: a good end that is rarely met may have a better one beside it.
LEAST_HITS = 5
#: Evaluations after which no further start is made.
EVALUATIONS = 200_000


@dataclass(frozen=True, eq=False)
class BestCommitment:
    """The best commitment found, and what tells how sure one may be of it. Nothing proves that there is no better one.

    Attributes
    ----------
    value
        J at it, exact, reward units.
    commitment
        It, in the shape of the game's commitments.
    starts
        Independent starts that were made.
    hits
        How many of them ended at this value.
    ends
        At how many different values they ended.
    unseen
        Expected share of starts that would end at none of these: ends (ends + 1) / (starts (starts - 1)); 1 before the
        second start.
    range
        The best value less the worst one that was met, reward units.
    evaluations
        How often the game was solved.
    stopped_because
        Why there was no further start; empty while the search goes on.
    seed
        What the starts were drawn from.
    """

    value: float
    commitment: Array
    starts: int
    hits: int
    ends: int
    unseen: float
    range: float
    evaluations: int
    stopped_because: str
    seed: int

    def __repr__(self) -> str:
        """Return one line, without the commitment."""
        state = f"stopped because {self.stopped_because}" if self.stopped_because else "searching"
        return (
            f"BestCommitment(value={self.value:.8g}, found by {self.hits} of {self.starts} starts, "
            f"which ended at {self.ends} different values, {self.evaluations:,} evaluations; {state})"
        )


def best_commitment(
    game: Any,
    *,
    seed: int = 0,
    unseen: float = 0.1,
    evaluations: int = EVALUATIONS,
    known: Iterable[ArrayLike] = (),
    progress: Callable[[BestCommitment], object] | None = None,
) -> BestCommitment:
    """Search the closed set of commitments for the best one, with exact values and gradients.

    Each of many independent starts is a small population of ascents by L-BFGS-B from points inside the set, from its
    vertices, and down a ladder of temperatures; their ends are crossed and ascended from again, and the best is
    compared with its neighbours. The set has its edges: an action that is never taken, a whole budget in one place.

    Parameters
    ----------
    game
        Any game whose exact solution is known: of tables with commitments of every kind, of vectors with `solve`, of
        followers that affect each other. Of these the equilibrium on the principal branch counts, and J may jump.
    seed
        Of the starts; equal seeds give equal results.
    unseen
        It stops when the share of starts that would end elsewhere than all so far is expected to be at most this
        (Boender and Rinnooy Kan, 1987), and five starts have ended at the best value. The rule never says 0: with
        that, only `evaluations` stop it.
    evaluations
        It stops as well when the game has been solved so often; the present start is made to its end.
    known
        Commitments to ascend from besides, such as those that a leader ended at. They count as no start.
    progress
        Called after each start with what was found so far.

    Returns
    -------
    BestCommitment
        With Ctrl-C, what was found until then, and `stopped_because` says so.

    Raises
    ------
    ArgumentError
        A game without an exact solution, or arguments out of range.
    CommitmentError
        A known commitment outside its space.
    InstabilityError
        No start has met a commitment with a finite value.

    Examples
    --------
    >>> import stackelberg_envs as se
    >>> found = se.best_commitment(se.make_game("stackelberg/DiscreteToy-v1"))
    >>> round(found.value, 4)
    34.9926
    """
    require_count(seed, "seed", 0)
    require_count(evaluations, "evaluations")
    require_at_least(unseen, 0.0, "unseen")
    require_progress(progress)
    search = _Search(game, seed)
    reason = ""
    try:
        search.take(known)
        while not reason:
            search.start()
            reason = search.reason(unseen, evaluations)
            if reason.startswith("at most") and search.champions_improve():
                reason = ""
            if progress is not None and search.best is not None:
                progress(search.result(reason))
    except KeyboardInterrupt:
        if search.best is None:
            raise
        reason = "interrupted"
    return search.result(reason)


class _Search:
    """The starts made so far."""

    def __init__(self, game: Any, seed: int) -> None:
        self._game, self._seed = game, seed
        self._objective = Objective(game)
        self._rng = np.random.default_rng(seed)
        self._values: list[float] = []
        self._champions = Population(self._objective, MEMBERS)
        self.best: End | None = None

    def take(self, known: Iterable[ArrayLike]) -> None:
        """Look around each known commitment."""
        for x in known:
            point = self._objective.points.point(self._game.commitment.check(x))
            self._keep(look_around(self._objective, (self._objective.value(point), point)))

    def start(self) -> None:
        """Make one more start."""
        end = start(self._objective, self._rng)
        self._values.append(end[0])
        self._keep(end)
        if self.best is None and len(self._values) >= MEMBERS:
            self._give_up()

    def champions_improve(self) -> bool:
        """Cross the ends of all starts, and return whether that leads higher than all of them."""
        before = self._champions.ends[0][0]
        self._champions.breed(self._rng)
        first = self._champions.ends[0]
        if first[0] <= before + self._near:
            return False
        self._keep(look_around(self._objective, first))
        return True

    def reason(self, unseen: float, evaluations: int) -> str:
        """Return why to stop; nothing to go on."""
        if self._objective.points.free == 0:
            return "there is one commitment only"
        if self._unseen <= unseen and self._hits >= LEAST_HITS:
            return f"at most {unseen:g} of starts are expected to end elsewhere"
        return "its evaluations are used up" if self._objective.evaluations >= evaluations else ""

    def result(self, reason: str) -> BestCommitment:
        """Return what was found so far."""
        if self.best is None:
            self._give_up()
        x = self._game.commitment.project(self._objective.points.commitment(self.best[1]))
        return BestCommitment(
            value=float(solve(self._game, x).leader_value),
            commitment=frozen(np.array(x)),
            starts=len(self._values),
            hits=self._hits,
            ends=self._ends,
            unseen=self._unseen,
            range=self._objective.range,
            evaluations=self._objective.evaluations,
            stopped_because=reason,
            seed=self._seed,
        )

    def _give_up(self) -> NoReturn:
        raise InstabilityError(
            f"{self._game.name}: expected a commitment whose value and gradient floats can hold, found none by "
            f"{len(self._values)} starts"
        )

    @property
    def _near(self) -> float:
        return SAME * self._objective.range

    @property
    def _hits(self) -> int:
        return 0 if self.best is None else sum(value >= self.best[0] - self._near for value in self._values)

    @property
    def _ends(self) -> int:
        """How many values differ from the next lower one."""
        found = np.sort([value for value in self._values if np.isfinite(value)])
        return int(len(found) > 0) + int((np.diff(found) > self._near).sum())

    @property
    def _unseen(self) -> float:
        starts = len(self._values)
        return self._ends * (self._ends + 1) / (starts * (starts - 1)) if starts > 1 else 1.0

    def _keep(self, end: End) -> None:
        if np.isfinite(end[0]):
            self._champions.add(end)
            if self.best is None or end[0] > self.best[0]:
                self.best = end
