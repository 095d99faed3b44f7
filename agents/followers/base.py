"""What a follower is: it learns its own best response in its own view of the game.

:class:`Follower` is all that the outer loop asks for. :class:`RestartingFollower` adds what every follower of
this package can do: keep or reset what it has learned, and respond to a commitment of some updates ago.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, CommitmentError, OutputError
from stackelberg_envs.games.committed import Committed
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.vector import AnyGame

from ..options import Natural, Options
from ..registry import Registry
from ..state import stateful
from ..state.stateful import Stateful

__all__ = [
    "FOLLOWERS",
    "Follower",
    "FollowerConfig",
    "FollowerView",
    "RestartingFollower",
    "TableFollower",
    "barred",
    "gibbs",
    "register_follower",
    "require_tabular",
]

FOLLOWERS: Registry[Follower] = Registry("follower", __package__)
Kind = TypeVar("Kind", bound="type[Follower]")


#: What a follower is shown: the decision process it faces once the leader has committed.
FollowerView = Committed


class Follower(Stateful, ABC):
    """A follower algorithm: it sees a commitment and adapts its policy to it.

    Parameters
    ----------
    config
        Its hyperparameters, an instance of its ``Config``.
    rng
        Where it draws its random numbers from.

    Attributes
    ----------
    name
        The name it is registered under.
    policy
        The response after the first call of :meth:`learn`: g(b | z, a), shape (Z, A, B), in tabular games; a
        :class:`stackelberg_envs.games.vector.FollowerPolicy` in vector games. None before.
    solution
        Everything exact about the commitment responded to, where the follower plays the solution of a game's solver.
    kinds
        The kinds of game it works on: "tabular", "vector".
    serves
        What it is made for besides plain games of tables: "feasible actions" (it plays only these), "discount 1".
    state_fields
        What a checkpoint holds of it besides what its bases say; see :mod:`agents.state.stateful`.
    needs_trust
        Whether a checkpoint of it holds more than numbers, so that reading one may run what is in it.
    game
        The game it will be shown, for what a checkpoint says of sizes; None where nobody has said so.
    """

    name: ClassVar[str] = "follower"
    Config: ClassVar[type[Any]]
    kinds: ClassVar[frozenset[str]] = frozenset({"tabular"})
    serves: ClassVar[frozenset[str]] = frozenset()
    needs_trust: ClassVar[bool] = False
    state_fields = stateful.fields(rng=stateful.Rng(), policy=stateful.Policy(lambda self: self.table_shape))
    policy: Any = None
    solution: Any = None

    def __init__(self, config: Any, rng: np.random.Generator) -> None:
        self.config = config
        self.rng = rng
        self.game: AnyGame | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Follower:
        """Return a copy that goes on by itself, in the same game: games never change, and some are large."""
        memo[id(self.game)] = self.game
        twin = object.__new__(type(self))
        memo[id(self)] = twin
        vars(twin).update({name: copy.deepcopy(value, memo) for name, value in vars(self).items()})
        return twin

    @property
    def table_shape(self) -> tuple[int | None, int | None, int | None]:
        """(Z, A, B) of the game, as far as it is known."""
        return (None, None, None) if self.game is None else self.game.table_shape

    def show(self, game: AnyGame) -> Follower:
        """Say which game it will be shown; return the follower."""
        self.game = game
        return self

    @property
    def players(self) -> Sequence[Follower]:
        """Those whose play is observed, each in episodes of its own: the follower itself, unless it is several."""
        return [self]

    @property
    def learned(self) -> bool:
        """Whether it has a response."""
        return self.policy is not None

    @property
    def delay(self) -> int:
        """By how many announcements its response is late."""
        return 0

    def solution_under(self, x: Array) -> Any:
        """Return everything exact about the commitment x, where that is what the follower responded to; else None."""
        return self.solution if self.solution is not None and np.array_equal(self.solution.x, x) else None

    def tables(self) -> dict[str, Array]:
        """Return what has to be finite after :meth:`learn`, by name; by default all declared tables of numbers."""
        found = {}
        for name in self.all_fields():
            table = getattr(self, name, None)
            if isinstance(table, np.ndarray) and table.dtype.kind == "f":
                found[name.strip("_")] = table
        return found

    @abstractmethod
    def learn(self, view: FollowerView) -> int:
        """Adapt to the commitment; return the number of environment steps this took (0 for planners)."""


@dataclass(frozen=True)
class FollowerConfig(Options):
    """Options that every follower of this package has.

    Attributes
    ----------
    restart
        Whether it forgets all it has learned at each new commitment.
    delay
        It responds to the commitment of this many leader updates ago. Until there are as many, it responds to the
        first.
    """

    restart: bool = False
    delay: Natural = 0


@dataclass(frozen=True)
class TabularFollowerConfig(FollowerConfig):
    """Options that followers with tables have besides.

    Attributes
    ----------
    per_context
        Whether, in a run, each context has a follower of its own, which sees nothing of the others.
    """

    per_context: bool = False


def _shape_of_commitments(follower: Follower) -> tuple[int | None, ...] | None:
    return None if follower.game is None else follower.game.commitment.shape


class RestartingFollower(Follower):
    """A follower with the options of :class:`FollowerConfig`.

    Subclasses say how to begin with nothing learned and how to adapt from what they have.

    Attributes
    ----------
    fresh
        Whether nothing had been learned before the present commitment.
    """

    state_fields = stateful.fields(
        _announced=stateful.List(stateful.Array(_shape_of_commitments)),
        fresh=stateful.Flag(),
    )

    Config: ClassVar[type[Any]] = FollowerConfig

    def __init__(self, config: Any, rng: np.random.Generator) -> None:
        super().__init__(config, rng)
        self._announced: deque[Array] = deque(maxlen=config.delay + 1)
        self.fresh = True

    @property
    def delay(self) -> int:  # noqa: D102
        return int(self.config.delay)

    def check_state(self, loaded: dict[str, Any], where: str) -> None:
        """Raise OutputError unless what was announced could be announced in the game."""
        try:
            for x in loaded["_announced"]:
                if self.game is not None:
                    self.game.commitment.check(x)
        except CommitmentError as exc:
            raise OutputError(f"{where}._announced: {exc}") from exc

    def learn(self, view: FollowerView) -> int:
        """Adapt to the commitment of `delay` updates ago, from nothing if this is the first or with `restart`."""
        self._announced.append(view.commitment)
        seen = view if len(self._announced) == 1 else view.game.under(self._announced[0])
        self.fresh = self.config.restart or self.policy is None
        if self.fresh:
            self.begin(seen)
        return self.adapt(seen)

    @abstractmethod
    def begin(self, view: FollowerView) -> None:
        """Forget all that was learned."""

    @abstractmethod
    def adapt(self, view: FollowerView) -> int:
        """Set ``policy`` and return the number of environment steps this took."""


class TableFollower(RestartingFollower):
    """A follower that is a table Q(z, a, b) and improves it one iteration after the other.

    Attributes
    ----------
    q
        The table, shape (Z, A, B), reward units.
    """

    q: Array
    state_fields = stateful.fields(q=stateful.Array(lambda self: self.table_shape, optional=True))

    def check_state(self, loaded: dict[str, Any], where: str) -> None:
        """Raise OutputError unless a follower that has a policy has all its tables."""
        super().check_state(loaded, where)
        missing = [name for name in self.all_fields() if name not in loaded]
        if "policy" in loaded and missing:
            raise OutputError(f"{where}: expected {', '.join(missing)} beside the policy, got none")

    @abstractmethod
    def iterate(self, view: FollowerView, iterations: int) -> None:
        """Improve the table by a number of iterations and set ``policy``."""

    def iterates(self, view: FollowerView, counts: Sequence[int]) -> list[Array]:
        """Begin anew and return the policy after each number of iterations.

        Parameters
        ----------
        view
            The commitment to respond to; `delay` plays no part.
        counts
            Rising numbers of iterations, at least 1.

        Returns
        -------
        list of Array
            Policies of shape (Z, A, B). Equal generators give equal policies for equal beginnings of `counts`.

        Raises
        ------
        ArgumentError
            Counts that do not rise.
        """
        self.begin(view)
        done, out = 0, []
        for count in counts:
            if count <= done:
                raise ArgumentError(f"iterations: expected rising numbers of at least 1, got {list(counts)}")
            self.iterate(view, count - done)
            out.append(self.policy.copy())
            done = count
        return out


def require_tabular(game: AnyGame) -> TabularGame:
    """Return the game, or raise ArgumentError if it is not a tabular one."""
    if not isinstance(game, TabularGame):
        raise ArgumentError(f"follower: expected a tabular game, got {game.name!r}")
    return game


def barred(q: Array, feasible: NDArray[np.bool_] | None) -> Array:
    """Return a table with minus infinity for actions that are not feasible; the table itself where all are."""
    return q if feasible is None else np.where(feasible, q, -np.inf)


def gibbs(q: Array, temperature: float) -> Array:
    """Return exp(q / temperature), normalised over the last axis, shape (Z, A, B)."""
    weights = np.exp((q - q.max(axis=-1, keepdims=True)) / temperature)
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


register_follower = FOLLOWERS.register
