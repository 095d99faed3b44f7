"""Followers that learn in an environment that nobody looks into: anything that can learn and act.

A learner is an object with ``learn(env, steps)``, which learns for so many steps in a Gymnasium or parallel PettingZoo
environment, and ``act(observation, rng)``, which returns an action; in a PettingZoo environment both are
dicts by agent. A learner that says what it holds, by ``state_dict()`` and ``load_state_dict(state)``, can be resumed:
its environments are made anew for every commitment, so nothing of them has to be stored.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np

from stackelberg_envs.errors import ArgumentError, OutputError

from ..options import Count
from ..state import stateful
from ..state.stateful import Pending, pending_state, state_of
from ..state.tree import Tree
from .base import FollowerConfig, FollowerView, RestartingFollower, register_follower

__all__ = ["Learner", "LearnerConfig", "LearningFollower", "register_learner"]


class Learner(Protocol):
    """What learns and acts in an environment."""

    def learn(self, env: Any, steps: int) -> Any:
        """Learn for so many steps, from what it has learned before on."""

    def act(self, observation: Any, rng: np.random.Generator) -> Any:
        """Return an action as it plays when the leader watches; in PettingZoo environments dicts by agent."""


#: (environment, generator) -> learner; usually the learner's class.
MakeLearner = Callable[[Any, np.random.Generator], Learner]
Made = TypeVar("Made", bound=MakeLearner)


@dataclass(frozen=True)
class LearnerConfig(FollowerConfig):
    """Options of followers that learn in an environment.

    Attributes
    ----------
    steps
        Environment steps after each commitment.
    first_steps
        The same when nothing has been learned yet; None takes `steps`.
    """

    steps: Count = 20_000
    first_steps: Count | None = None


class LearningFollower(RestartingFollower):
    """A follower whose learner is made once, and again with `restart`, and learns on under each commitment.

    Attributes
    ----------
    storable
        Whether its learners have ``state_dict()`` and ``load_state_dict(state)``, as a :class:`Stateful` has.
    """

    Config: ClassVar[type[Any]] = LearnerConfig
    kinds = frozenset({"environment"})
    storable: ClassVar[bool] = False
    state_fields = stateful.fields()

    @abstractmethod
    def make_learner(self, env: Any) -> Learner:
        """Return a learner that has learned nothing yet."""

    def begin(self, view: FollowerView) -> None:
        """Make the learner.

        Raises
        ------
        ArgumentError
            What was made cannot learn or act.
        """
        env = environment_of(view)
        self.policy = self.make_learner(env)
        env.close()
        missing = [name for name in ("learn", "act") if not callable(getattr(self.policy, name, None))]
        if missing:
            made = type(self.policy).__name__
            raise ArgumentError(
                f"follower {self.name!r}: expected a learner with learn and act, got {made} without {missing}"
            )

    def adapt(self, view: FollowerView) -> int:
        """Let it learn for the configured number of steps."""
        first = self.config.first_steps
        steps = int(first if self.fresh and first is not None else self.config.steps)
        env = environment_of(view)
        self.policy.learn(env, steps)
        env.close()
        return steps

    def state_dict(self) -> dict[str, Tree]:
        """Return what the next update depends on.

        Raises
        ------
        ArgumentError
            Its learners do not say what they hold; the run goes on without checkpoints.
        """
        if not self.storable:
            raise ArgumentError(
                f"follower {self.name!r}: expected a follower that can be stored, got a learner without state_dict "
                "and load_state_dict"
            )
        state = super().state_dict()
        return state if self.policy is None else {**state, "learner": state_of(self.policy)}

    def checked_state(self, tree: Tree, where: str) -> Pending:
        """Return a state that was checked as far as the learner can."""
        if not isinstance(tree, dict) or "learner" not in tree:
            return super().checked_state(tree, where)
        pending = super().checked_state({name: part for name, part in tree.items() if name != "learner"}, where)
        if self.game is None or not tree["_announced"]:
            raise OutputError(f"{where}: expected a learner in an environment that is known, got another state")
        before = self.rng.bit_generator.state
        env = environment_of(self.game.under(tree["_announced"][0]))
        learner = self.make_learner(env)
        env.close()
        self.rng.bit_generator.state = before
        learned = pending_state(learner, tree["learner"], f"{where}.learner")

        def apply() -> None:
            learned.apply()
            pending.apply()
            self.policy = learner

        return Pending(apply)


def environment_of(view: Any) -> Any:
    """Return a new environment under a commitment."""
    return view.make()


def register_learner(name: str) -> Callable[[Made], Made]:
    """Class decorator: make a learner known as the follower `name` in games made by ``se.wrap_commitment``.

    Parameters
    ----------
    name
        What ``agents.run(game, follower=name)`` takes.

    Returns
    -------
    Callable
        Takes a class, or a function, that makes a learner of an environment and a generator: an object with
        ``learn(env, steps)`` and ``act(observation, rng)``. It is returned as it is. Runs with a class that also has
        ``state_dict()`` and ``load_state_dict(state)`` can be resumed; a state is made of numbers, strings and arrays
        in lists and dicts.

    Raises
    ------
    ArgumentError
        The name is none or is taken, or what is decorated cannot be called.
    """

    def decorate(make: Made) -> Made:
        if not callable(make):
            raise ArgumentError(f"learner {name!r}: expected a class or a function (env, rng), got {make!r}")

        def make_learner(self: LearningFollower, env: Any) -> Learner:
            return make(env, self.rng)

        place = {
            "__module__": make.__module__,
            "__qualname__": f"{make.__qualname__}.follower",
            "__doc__": make.__doc__,
            "state_fields": stateful.fields(),
            "storable": all(callable(getattr(make, method, None)) for method in ("state_dict", "load_state_dict")),
        }
        register_follower(name)(type(make.__name__, (LearningFollower,), {**place, "make_learner": make_learner}))
        return make

    return decorate
