"""What a leader is: it commits, it sees trajectories, it commits again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, as_float, first_index
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.commitments.base import Commitment
from stackelberg_envs.validation import checked

from ..learning.halving import HalvingSearch
from ..learning.optimizers import Optimizer, Sgd, clip_norm, length, make_optimizer
from ..learning.parametrisations import unit_of
from ..observing.brief import Brief, Information
from ..observing.budget import DEFAULT_STEPS_PER_UPDATE
from ..observing.trajectories import Trajectories
from ..options import NonNegative, Options, Positive, Start
from ..registry import Registry
from ..state import stateful
from ..state.stateful import Stateful

__all__ = [
    "LEADERS",
    "ONE_ASCENT",
    "GradientConfig",
    "GradientLeader",
    "Leader",
    "PointLeader",
    "recommendation",
    "register_leader",
    "starting_point",
]


def kind_seen(game: Any) -> str:
    """Return the kind of game that a game is to leaders; some look otherwise to them than to followers."""
    kind: str = getattr(game, "seen_as", game.kind)
    return kind


LEADERS: Registry[Leader] = Registry("leader", __package__, kind_seen)
#: Entries of two commitments closer than this, relative to themselves, are the same: environments round to 32 bits.
SAME = 1e-5
#: The same relative to the largest entry of either, for entries that should be zero.
ROUNDING = 1e-9


class Leader(Stateful, ABC):
    """A leader algorithm: it announces a commitment, sees how the follower plays under it, and announces the next.

    Parameters
    ----------
    brief
        All it knows before it has seen any play.
    config
        Its hyperparameters, an instance of its ``Config``.
    rng
        Where it draws its random numbers from.

    Attributes
    ----------
    name
        The name it is registered under.
    information
        What it has to see; see :class:`agents.Information`. If that depends on options and commitments, this is the
        highest level, and :meth:`required_information` tells the actual one.
    Config
        Dataclass of its hyperparameters.
    off_policy
        Whether it can learn from play under other commitments than its last one. Otherwise :meth:`observe` refuses
        such play.
    kinds
        The kinds of game it works on: "tabular", "vector" (states are vectors), "environment" (nothing is known but
        what its own commitments earn).
    serves
        What it is made for besides plain games of tables: "feasible actions", "discount 1".
    needs_response
        Whether it takes the play that it sees for the follower's response, so that a follower which still learns
        misleads it; a run then notes if the follower plays otherwise when a commitment comes again.
    presets
        Options by the name of a preset: "published" is how the paper has it, where that differs from the defaults.
    state_fields
        What a checkpoint holds of it besides what its bases say; see :mod:`agents.state.stateful`.
    """

    name: ClassVar[str] = "leader"
    state_fields = stateful.fields(rng=stateful.Rng())

    information: ClassVar[Information]
    Config: ClassVar[type[Any]]
    off_policy: ClassVar[bool] = False
    kinds: ClassVar[frozenset[str]] = frozenset({"tabular"})
    serves: ClassVar[frozenset[str]] = frozenset()
    needs_response: ClassVar[bool] = True
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType({})

    def __init__(self, brief: Brief, config: Any, rng: np.random.Generator) -> None:
        if brief.kind not in self.kinds:
            kinds = " or ".join(sorted(self.kinds))
            raise ArgumentError(f"{self.name}: expected the brief of a {kinds} game, got that of a {brief.kind} one")
        self.brief = brief
        self.config = config
        self.rng = rng
        #: What was announced and not observed yet.
        self._announced: Array | None = None

    @classmethod
    def required_information(cls, commitment: Commitment, config: Any, public_temperature: bool = True) -> Information:
        """Return the level it works at, by what the commitment changes and by its options; by default `information`."""
        del commitment, config, public_temperature
        return cls.information

    @classmethod
    def preferred_steps(cls, brief: Brief, config: Any) -> int:
        """Return how many follower steps it likes to see after each commitment, where the user does not say it.

        Parameters
        ----------
        brief
            What it will be told, without the budget of the run.
        config
            Its hyperparameters.
        """
        del brief, config
        return DEFAULT_STEPS_PER_UPDATE

    @abstractmethod
    def commit(self) -> Array:
        """Return the commitment to announce next, of ``brief.commitment.shape``."""

    @abstractmethod
    def update(self, trajectories: Trajectories) -> dict[str, float]:
        """Learn from play under the last commitment; return diagnostics for the record."""

    def announce(self) -> Array:
        """Return the commitment to announce, and remember that it was: a run asks here, and not `commit`."""
        self._announced = self.commit()
        return self._announced

    def observe(self, trajectories: Trajectories) -> dict[str, float]:
        """Learn from play, by `update`, after a look at what commitment it was played under.

        Raises
        ------
        ArgumentError
            Play under another commitment than the last one, for a leader that is not off-policy.
        """
        announced = self._announced
        if not self.off_policy and (announced is None or _differ(trajectories.commitment, np.asarray(announced)).any()):
            # Nothing was announced since the last update, or its parameters were set by hand after that.
            require_on_policy(trajectories, self.brief.commitment.check(self.commit()), self.name)
        diagnostics = self.update(trajectories)
        self._announced = None
        return diagnostics

    def recommend(self) -> Array:
        """Return the commitment it would end with now; by default what it would announce next.

        A run asks after every update, through :func:`recommendation`, and goes on as if it had not.
        """
        return self.commit()

    def parameters(self) -> Array | None:
        """Return theta, the parameters of its commitment, for the record; by default None, for a leader without."""
        return None

    def shorten(self, share: float = 0.5) -> bool:
        """Move back towards the last commitment that was played, and return whether that can be done.

        The run asks for it when a commitment leaves the follower without a finite response: the last commitment had
        one, so a step that is short enough will, too.

        Parameters
        ----------
        share
            Which part of the way to move back; 1 is all of it.
        """
        del share
        return False

    def close(self) -> None:
        """End what it has started outside this object, such as a process; by default there is nothing."""


def recommendation(leader: Leader) -> tuple[Any, Any]:
    """Return what a leader recommends and its theta there, or None without one; the leader stays as it was.

    Its random numbers go on as if they had not been asked for, and attributes that are set anew are set back. What it
    changes inside an array it has to set back itself.
    """
    before, bits = dict(vars(leader)), leader.rng.bit_generator
    randomness = bits.state
    try:
        x = np.array(leader.recommend())
        return x, copy(leader.parameters())
    finally:
        bits.state = randomness
        attributes = vars(leader)
        for name in attributes.keys() - before.keys():
            del attributes[name]
        attributes.update(before)


register_leader = LEADERS.register


@dataclass(frozen=True)
class GradientConfig(Options):
    """Hyperparameters every gradient leader has.

    Attributes
    ----------
    learning_rate
        None: the leader tries many commitments, climbs from the best in steps of its own choice, and recommends the
        best; see :mod:`agents.learning.halving`. A number: one ascent from `start` at this rate, as in the papers.
    decay
        Of that one ascent: its rate at update t is learning_rate / (1 + decay t). It falls because the estimates stay
        noisy: with a constant rate the commitment would keep moving around its optimum. Steps are in units of the
        parametrisation. Logits have no unit, and for "projection" the unit is the width of the box.
    optimizer
        Of that one ascent. "adam" makes steps of about the size of the rate. "sgd" makes steps of the rate times the
        gradient, where the gradient is measured in units of the largest reward (in size) that the leader has seen.
    max_norm
        Of that one ascent. Limit on the length of the gradient by theta, in units of the largest reward seen, so that
        one bad estimate cannot move the commitment far. Longer gradients are shortened to it; None leaves them as they
        are.
    start
        The first commitment: "zeros", "random" (standard normal theta, in its units), or an array of the
        parametrisation's size.
    """

    learning_rate: Positive | None = None
    decay: NonNegative = 0.02
    optimizer: Literal["adam", "sgd"] = "adam"
    max_norm: Positive | None = None
    start: Start = "zeros"


#: Of play under one commitment: less says little even where episodes are short.
LEAST_STEPS = 250
#: One ascent at a falling rate, as in the papers.
ONE_ASCENT: dict[str, Any] = {"learning_rate": 0.05}


class PointLeader(Leader):
    """A leader whose commitment is x(theta) for one theta, which begins where ``config.start`` says.

    Attributes
    ----------
    theta
        Its parameters, shape (P,).
    unit
        What counts as one step of each entry, shape (P,); see :func:`agents.learning.parametrisations.unit_of`.
    largest_reward
        The largest of its own rewards seen so far, in size: what gradients are measured in.
    """

    state_fields = stateful.fields(
        theta=stateful.Array(),
        largest_reward=stateful.Number(low=0.0),
        _played=stateful.Array(like="theta", optional=True),
    )

    def __init__(self, brief: Brief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        self.unit = unit_of(brief.parametrisation)
        self.theta = starting_point(config.start, brief.parametrisation.size, rng, self.unit)
        self.largest_reward = 0.0
        self._played: Array | None = None

    def observe_rewards(self, trajectories: Trajectories) -> None:
        """Keep the size of the largest reward: of those in the play, or of all in the game where that is known."""
        known = None if self.brief.model is None else self.brief.model_reward(self.commit())
        rewards = trajectories.leader_reward if known is None else known
        self.largest_reward = max(self.largest_reward, float(np.abs(rewards).max(initial=0.0)))

    def climbed(self, theta: Array, gradient: Array, optimizer: Optimizer, updates: int) -> Array:
        """Return where a step of the optimizer along dJ/dtheta leads from theta, all of shape (P,).

        Options are those of :class:`GradientConfig`; `updates` is the number of earlier steps.
        """
        config, scaled = self.config, self.unit * gradient
        # A leader that was never paid anything has no better measure than the gradient itself.
        unit = self.largest_reward or length(scaled) or 1.0
        if isinstance(optimizer, Sgd):
            optimizer.unit = unit
        if config.max_norm is not None:
            scaled = clip_norm(scaled, config.max_norm, unit)
        step = optimizer.step(scaled) / (1.0 + config.decay * updates)
        return self.brief.parametrisation.retract(theta + self.unit * step)

    def commit(self) -> Array:
        """Return x(theta)."""
        return self.brief.parametrisation(self.theta)

    def parameters(self) -> Array:
        """Return theta."""
        return self.theta

    def move_to(self, theta: Array) -> None:
        """Make another theta the present one, and remember the one that was played."""
        self._played, self.theta = self.theta, theta

    def shorten(self, share: float = 0.5) -> bool:
        """Move theta back towards the last one that was played."""
        if self._played is None:
            return False
        self.theta = self.theta + share * (self._played - self.theta)
        return True


class GradientLeader(PointLeader):
    """A leader that ascends an estimate of dJ/dx: from many starts, or from one as in the papers.

    Attributes
    ----------
    search
        What is tried next; None where there is one ascent at a given rate.
    """

    Config = GradientConfig
    presets: ClassVar[dict[str, dict[str, Any]]] = {"published": ONE_ASCENT}
    state_fields = stateful.fields(
        search=stateful.Part(optional=True),
        optimizer=stateful.Part(like="theta", optional=True),
        _updates=stateful.Count(),
    )

    def __init__(self, brief: Brief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        self.search: HalvingSearch | None = None
        self.optimizer: Optimizer | None = None
        if config.learning_rate is None:
            refuse_ascent_options(config, self.name)
            self.search = HalvingSearch(brief.parametrisation, self.theta, rng, brief.updates)
        else:
            self.optimizer = make_optimizer(config.optimizer, config.learning_rate)
        self._updates = 0

    @classmethod
    def preferred_steps(cls, brief: Brief, config: Any) -> int:
        """Two episodes, within bounds: many commitments are tried. For one ascent, as many steps as by default."""
        usual = super().preferred_steps(brief, config)
        return usual if config.learning_rate is not None else min(max(2 * brief.horizon, LEAST_STEPS), usual)

    def update(self, trajectories: Trajectories) -> dict[str, float]:
        """Estimate the gradient, take one step along it, and turn to what is to be tried next."""
        self.observe_rewards(trajectories)
        dx, diagnostics = self.gradient(trajectories)
        if self.optimizer is not None:
            gradient = self.brief.parametrisation.vjp(self.theta, dx)
            self.move_to(self.climbed(self.theta, gradient, self.optimizer, self._updates))
        elif self.search is not None:
            gradient = self.brief.parametrisation.uphill(self.theta, dx)
            value, error = self.judge(trajectories)
            diagnostics = {"judged_value": value, "phase": float(self.search.phase), **diagnostics}
            self.search.learn(self.theta, value, error, gradient)
            self.move_to(self.search.theta)
        self._updates += 1
        return {"gradient_norm": length(gradient), **diagnostics}

    @abstractmethod
    def gradient(self, trajectories: Trajectories) -> tuple[Array, dict[str, float]]:
        """Return the estimate of dJ/dx, the shape of x, and diagnostics."""

    def judge(self, trajectories: Trajectories) -> tuple[float, float]:
        """Return what the commitment just played seems to be worth, and the standard error of that, reward units.

        It is called after `gradient`. By default it is the mean return of the episodes.
        """
        returns = trajectories.returns(self.brief.leader_discount)
        error = float(np.std(returns, ddof=1) / np.sqrt(len(returns))) if len(returns) > 1 else np.inf
        return float(returns.mean()), error

    def recommend(self) -> Array:
        """Return the best commitment found; in one ascent, the present one."""
        if self.search is not None:
            self.theta = self.search.best
        return self.commit()


def refuse_ascent_options(config: GradientConfig, leader: str) -> None:
    """Raise ArgumentError where an option of one ascent is set, but not its learning rate: it would have no effect."""
    usual = type(config)()
    for name in ("decay", "optimizer", "max_norm"):
        given = getattr(config, name)
        if given != getattr(usual, name):
            raise ArgumentError(
                f"{leader}: {name}: expected learning_rate beside it, got {given!r} alone; it belongs to one ascent at "
                "a given rate, as preset='published' makes it"
            )


def require_on_policy(trajectories: Trajectories, announced: Array, leader: str) -> None:
    """Raise ArgumentError, with the first entry that differs, unless play was under the announced commitment."""
    played = np.asarray(trajectories.commitment)
    if played.shape != announced.shape:
        raise ArgumentError(
            f"{leader}: expected play under a commitment of shape {announced.shape}, got {played.shape}"
        )
    odd = _differ(played, announced)
    if odd.any():
        where = first_index(odd)
        raise ArgumentError(
            f"{leader}: expected play under its last commitment, since it is not off-policy; "
            f"got {played[where]:.6g} instead of {announced[where]:.6g} at index {where}"
        )


def _differ(played: Array, announced: Array) -> NDArray[np.bool_]:
    """Return where a commitment differs from the announced one by more than rounding; NaN differs from everything."""
    if played.shape != announced.shape:
        return np.ones(1, dtype=np.bool_)
    larger = np.maximum(np.abs(played), np.abs(announced))
    return np.asarray(~(np.abs(played - announced) <= SAME * larger + ROUNDING * larger.max(initial=0.0)))


def starting_point(start: Any, size: int, rng: np.random.Generator, unit: Array | float = 1.0) -> Array:
    """Return the first theta, shape (size,), from the option `start` of :class:`GradientConfig`."""
    start = checked(start, Start, "start")
    if isinstance(start, str):
        return np.zeros(size) if start == "zeros" else np.asarray(unit * rng.standard_normal(size))
    theta = as_float(start, "start", ArgumentError).ravel()
    if theta.size != size:
        raise ArgumentError(f"start: expected {size} finite numbers, got an array of size {theta.size}")
    return theta
