"""Games out of environments that nobody looks into: any of Gymnasium's or PettingZoo's, under a leader.

Nothing is known of such a game but what play shows: no dynamics, no rewards, no state to begin in. So it has no exact
solution, and of the faces only those of the leader; there is play, followers that learn in it, and leaders that see
trajectories.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, singledispatch
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from stackelberg_envs.arrays import Array, as_float, require_count
from stackelberg_envs.errors import ArgumentError, GameError
from stackelberg_envs.games.commitments.base import MISTAKES, Commitment
from stackelberg_envs.games.committed import Committed
from stackelberg_envs.games.observed import Bonus, EnvironmentStep, Numbers, Vectors
from stackelberg_envs.games.samples import ActionSpec, SampledCommitment, SampledEffect, Samples
from stackelberg_envs.games.tabular import DEFAULT_HORIZON
from stackelberg_envs.games.tabular_checks import require_commitment, shared_scalars

if TYPE_CHECKING:
    from gymnasium.spaces import Box

__all__ = ["BlackBox", "CommittedEnvironment", "EnvironmentGame", "wrap_commitment"]

#: Episodes by which a commitment is judged for the record of a run.
EVALUATION_EPISODES = 20


class BlackBox(SampledCommitment):
    """A commitment of which only the bounds are known: what it changes is the environment's business."""

    def effect_at(self, x: Array, samples: Samples) -> SampledEffect:
        """Return nothing: what it changes is not known."""
        del x, samples
        return SampledEffect()


@dataclass(frozen=True, eq=False, kw_only=True)
class EnvironmentGame:
    """A leader over an environment that nobody looks into; :func:`wrap_commitment` makes it.

    Parameters
    ----------
    make_env
        () -> a Gymnasium environment or a parallel one of PettingZoo.
    apply
        (environment, x) -> the environment under x; None where x changes rewards only, as the commitment says.
    commitment
        What the leader announces.
    leader_reward
        :class:`EnvironmentStep` -> number; None for the environment's own reward.
    seen
        What leaders see of states and actions.
    spaces
        Agent -> its spaces of observations and actions, the same under every x; a Gymnasium environment's one agent
        has the name "".
    evaluation_episodes
        Episodes by which a commitment is judged for the record of a run.
    leader_discount, follower_discount, temperature, horizon, observe_rewards, publish_temperature, name, facts
        As of :class:`stackelberg_envs.TabularGame`.
    """

    make_env: Callable[[], Any]
    apply: Callable[[Any, Array], Any] | None
    commitment: Commitment
    leader_reward: Callable[[EnvironmentStep], float] | None
    seen: Numbers | Vectors
    spaces: dict[str, tuple[Any, Any]]
    suggested_follower: str
    leader_discount: float
    follower_discount: float
    temperature: float
    horizon: int
    evaluation_episodes: int = EVALUATION_EPISODES
    observe_rewards: bool = True
    publish_temperature: bool = True
    name: str = "environment"
    facts: dict[str, Any] = field(default_factory=dict)
    #: All followers act at once in one environment, and one object acts for them.
    num_followers: int = 1
    #: The kind of game, by which followers are found.
    kind: ClassVar[str] = "environment"
    num_contexts: ClassVar[int] = 1
    has_solution: ClassVar[bool] = False
    can_be_unstable: ClassVar[bool] = False
    table_shape: ClassVar[tuple[None, None, None]] = (None, None, None)

    def __post_init__(self) -> None:
        """Check what all games share."""
        _require_functions(self.make_env, self.apply, self.leader_reward)
        require_commitment(self.commitment, Commitment)  # type: ignore[type-abstract]
        _require_known_effect(self.commitment, self.apply)
        # What leaders see follows the commitment, also where `replace` brings another.
        seen = _seen(list(self.spaces.values()), self.commitment)
        object.__setattr__(self, "seen", seen)
        object.__setattr__(self, "commitment", seen.shown(self.commitment))
        for name, value in shared_scalars(self).items():
            object.__setattr__(self, name, value)
        count = require_count(self.evaluation_episodes, "evaluation_episodes", error=GameError)
        object.__setattr__(self, "evaluation_episodes", count)

    @property
    def num_agents(self) -> int:
        """Followers in the environment."""
        return len(self.spaces)

    @property
    def seen_as(self) -> str:
        """The kind of game, by which leaders are found: what it looks like, where the commitment's effect is known."""
        return self.seen.kind if self.commitment.changes else self.kind

    def under(self, x: ArrayLike) -> CommittedEnvironment:
        """Return the game under the commitment x, which is checked here.

        Raises
        ------
        CommitmentError
            x lies outside its space.
        """
        return CommittedEnvironment(self, self.commitment.check(x))

    def replace(self, **changes: Any) -> EnvironmentGame:
        """Return the same game with some arguments changed; it is checked again."""
        return replace(self, **changes)


@dataclass(frozen=True, eq=False)
class CommittedEnvironment(Committed):
    """An environment under a commitment."""

    game: EnvironmentGame

    def make(self) -> Any:
        """Return a new environment under the commitment, as followers learn in it: bonuses are in its rewards."""
        env = self.bare()
        if not self.game.commitment.changes:
            return env
        return _bonus_wrapper(env, self.bonus)

    def bare(self) -> Any:
        """Return a new environment under the commitment, without the bonuses of a commitment whose effect is known.

        Raises
        ------
        GameError
            An environment with other agents or spaces than those of the game.
        """
        game = self.game
        env = _made(game.make_env)
        if game.apply is None:
            _require_same_spaces(env, game.spaces, "make_env")
            return env
        try:
            made = game.apply(env, self.commitment.copy())
        except Exception as exc:  # of whatever kind: simulators have errors of their own
            raise GameError(f"{game.name}: its apply raised {type(exc).__name__}: {exc}") from exc
        made = _environment(made, "apply")
        _require_same_spaces(made, game.spaces, "apply")
        return made

    @cached_property
    def bonus(self) -> Bonus:
        """What the commitment adds to both rewards: (observation, action, next observation) -> (follower, leader)."""
        if not self.game.commitment.changes:
            return lambda observation, action, following: (0.0, 0.0)
        return self.game.seen.bonus(self.game.commitment, self.commitment)

    def paid_to_leader(self, step: EnvironmentStep) -> float:
        """Return the leader's reward for a step, what the commitment adds to it included."""
        reward, game = step.reward, self.game
        if game.leader_reward is not None:
            try:
                reward = float(game.leader_reward(step))
            except MISTAKES as exc:
                raise GameError(f"{game.name}: its leader_reward raised {type(exc).__name__}: {exc}") from exc
        return reward + self.bonus(step.observation, step.action, step.next_observation)[1]


def wrap_commitment(
    make_env: Callable[[], Any],
    apply: Callable[[Any, Array], Any] | None,
    space: Box | Commitment,
    *,
    leader_reward: Callable[[EnvironmentStep], float] | None = None,
    leader_discount: float = 0.99,
    follower_discount: float = 0.99,
    temperature: float = 0.05,
    horizon: int | None = None,
    evaluation_episodes: int = EVALUATION_EPISODES,
    name: str | None = None,
    names: Sequence[str] | None = None,
) -> EnvironmentGame:
    """Return a game out of any Gymnasium environment or parallel PettingZoo environment.

    Parameters
    ----------
    make_env
        Returns a new environment.
    apply
        Takes a new environment and a commitment x, and returns the environment under x: with an attribute set, in a
        wrapper, or another one altogether. None where `space` is a commitment that says itself what it changes.
    space
        A finite Box that x is in; what x changes is then `apply`'s business, and leaders that only try commitments
        work (`random_search`, `zero_order`, `cma_es`). Or a commitment that adds to rewards, such as
        :class:`stackelberg_envs.StateIncentive` for an environment whose observations and actions are numbers, or a
        :class:`stackelberg_envs.SampledCommitment`; then leaders that estimate gradients work too (`bchg`).
    leader_reward
        What the leader earns by a step of a follower, as a function of an :class:`EnvironmentStep`; by default what
        the environment pays the follower. Of several followers the leader is paid the mean.
    leader_discount, follower_discount, temperature
        As of :class:`stackelberg_envs.TabularGame`; the temperature says how evenly the follower chooses, in units of
        its reward, to followers and leaders that need to know it.
    horizon
        Steps after which an episode is cut; by default the environment's own limit, else 200.
    evaluation_episodes
        Episodes by which a commitment is judged for the record of a run: there is no exact value.
    name
        For people; by default the environment's id.
    names
        Of the entries of x, where `space` is a Box.

    Raises
    ------
    ArgumentError, GameError
        Before any step is made: no environment, one that cannot be reset, no finite box, a commitment that changes more
        than rewards, or one that does not fit the environment's spaces; the message names the argument.
    """
    _require_functions(make_env, apply, leader_reward)
    env = _made(make_env)
    # Of its own: what others draw from an environment's spaces must not change the game.
    agent_spaces = copy.deepcopy(_all_spaces(env))
    spaces = list(agent_spaces.values())
    commitment = _commitment(space, apply, names)
    limit, known_as = _limit_and_name(env)
    env.close()
    game = EnvironmentGame(
        make_env=make_env,
        apply=apply,
        commitment=commitment,
        leader_reward=leader_reward,
        seen=_seen(spaces, commitment),
        spaces=agent_spaces,
        suggested_follower="soft_q_learning" if all(map(_is_counted, spaces)) else "sb3",
        leader_discount=leader_discount,
        follower_discount=follower_discount,
        temperature=temperature,
        horizon=limit if horizon is None else horizon,
        evaluation_episodes=evaluation_episodes,
        name=known_as if name is None else name,
    )
    _try_once(game)
    return game


def _require_functions(make_env: Any, apply: Any, leader_reward: Any) -> None:
    if not callable(make_env):
        raise ArgumentError(f"make_env: expected a function that returns an environment, got {type(make_env).__name__}")
    if apply is not None and not callable(apply):
        raise ArgumentError(f"apply: expected a function of an environment and x, or None, got {type(apply).__name__}")
    if leader_reward is not None and not callable(leader_reward):
        raise ArgumentError(f"leader_reward: expected a function of a step, got {type(leader_reward).__name__}")


def _require_known_effect(commitment: Commitment, apply: Any) -> None:
    """Require that it is known what x changes: rewards, as the commitment says, or what `apply` makes of it."""
    odd = sorted(commitment.changes - {"follower_reward", "leader_reward"})
    if odd or not (commitment.changes or isinstance(commitment, BlackBox)):
        raise GameError(
            f"space: expected a commitment that adds to rewards, got one that changes {', '.join(odd) or 'nothing'}"
        )
    if apply is None and not commitment.changes:
        raise ArgumentError(
            "apply: expected a function of an environment and x, since a Box does not say what x changes"
        )


def _environment(env: Any, source: str) -> Any:
    """Return an environment of one of the two kinds, or raise."""
    if hasattr(env, "agent_iter"):
        raise ArgumentError(
            f"{source}: expected a Gymnasium environment or a parallel one of PettingZoo, got an AEC environment; "
            "pettingzoo.utils.aec_to_parallel makes it parallel"
        )
    if hasattr(env, "single_action_space"):
        raise ArgumentError(
            f"{source}: expected a single environment, got {type(env).__name__} of many copies; make one of them"
        )
    if isinstance(env, type) or not (hasattr(env, "reset") and hasattr(env, "step") and hasattr(env, "action_space")):
        raise ArgumentError(
            f"{source}: expected a Gymnasium environment or a parallel one of PettingZoo, got {type(env).__name__}"
        )
    return env


def _made(make_env: Callable[[], Any]) -> Any:
    """Return a new environment as nobody has touched it."""
    try:
        env = make_env()
    except Exception as exc:  # of whatever kind: simulators have errors of their own
        raise GameError(f"make_env: it raised {type(exc).__name__}: {exc}") from exc
    return _environment(env, "make_env")


def _all_spaces(env: Any) -> dict[str, tuple[Any, Any]]:
    """Return the spaces of observations and actions of each agent."""
    if not hasattr(env, "possible_agents"):
        return {"": (env.observation_space, env.action_space)}
    return {agent: (env.observation_space(agent), env.action_space(agent)) for agent in env.possible_agents}


def _require_same_spaces(env: Any, expected: dict[str, tuple[Any, Any]], source: str) -> None:
    spaces = _all_spaces(env)
    if list(spaces) != list(expected):
        raise GameError(f"{source}: expected an environment with the agents {list(expected)}, got others")
    for agent, pair in spaces.items():
        if pair != expected[agent]:
            raise GameError(f"{source}: expected the same spaces under every x, got {pair}, not {expected[agent]}")


def _is_counted(spaces: tuple[Any, Any]) -> bool:
    return all(hasattr(space, "n") and hasattr(space, "start") for space in spaces)


def _commitment(space: Any, apply: Any, names: Sequence[str] | None) -> Commitment:
    if isinstance(space, Commitment):
        if names is not None:
            raise ArgumentError("names: expected none beside a commitment, which has its own")
        _require_known_effect(space, apply)
        return space
    if not (hasattr(space, "low") and hasattr(space, "high")):
        raise ArgumentError(f"space: expected a Box or a commitment, got {type(space).__name__}")
    if np.dtype(space.dtype).kind != "f":
        raise ArgumentError(f"space: expected a Box of real numbers, as leaders choose them, got one of {space.dtype}")
    low, high = (as_float(bound, f"space: {name}") for name, bound in (("low", space.low), ("high", space.high)))
    made = BlackBox(low, high, names=names)
    _require_known_effect(made, apply)
    return made


def _seen(spaces: list[tuple[Any, Any]], commitment: Commitment) -> Numbers | Vectors:
    """Return what leaders see; where it matters to the commitment, the spaces have to fit it."""
    alike = all(pair == spaces[0] for pair in spaces)
    return _seen_by(commitment, spaces[0] if alike else None)


@singledispatch
def _seen_by(commitment: Commitment, spaces: tuple[Any, Any] | None) -> Numbers | Vectors:
    """Return what a leader sees that announces a commitment over tables."""
    if spaces is None or not _is_counted(spaces):
        raise GameError(
            f"space: {type(commitment).__name__} is for observations and actions that are numbers, Discrete and the "
            f"same for all agents; got {spaces}; a SampledCommitment is for vectors"
        )
    states, actions = spaces
    return Numbers(int(states.n), int(actions.n), int(states.start), int(actions.start))


@_seen_by.register
def _(commitment: SampledCommitment, spaces: tuple[Any, Any] | None) -> Vectors:
    size, actions = 0, None
    if spaces is not None:
        states, acted = spaces
        size = int(np.prod(states.shape)) if hasattr(states, "low") else int(hasattr(states, "n") and not states.shape)
        try:
            actions = ActionSpec.of(acted)
        except GameError:
            actions = None
    if commitment.changes and (not size or actions is None):
        raise GameError(
            f"space: {type(commitment).__name__} is for observations in a Box and actions in a Box, Discrete or "
            f"MultiDiscrete, the same for all agents; got {spaces}"
        )
    return Vectors(size, actions)


def _limit_and_name(env: Any) -> tuple[int, str]:
    spec, metadata = getattr(env, "spec", None), getattr(env, "metadata", None) or {}
    limit = getattr(spec, "max_episode_steps", None)
    name = getattr(spec, "id", None) or metadata.get("name") or type(env.unwrapped).__name__
    return DEFAULT_HORIZON if limit is None else int(limit), str(name)


def _try_once(game: EnvironmentGame) -> None:
    """Apply a commitment once and begin an episode: spaces have to stay the same, and the effect has to fit them."""
    commitment = game.commitment
    committed = game.under(commitment.project(0.5 * (commitment.low + commitment.high)))
    env = committed.bare()
    try:
        begun = env.reset(seed=0)
    except Exception as exc:  # of whatever kind: simulators have errors of their own
        raise GameError(f"{game.name}: its reset raised {type(exc).__name__}: {exc}") from exc
    if not (isinstance(begun, tuple) and len(begun) == 2):
        raise GameError(f"{game.name}: expected observations and infos from its reset, got {type(begun).__name__}")
    env.close()
    commitment.effect(committed.commitment)


def _bonus_wrapper(env: Any, bonus: Bonus) -> Any:
    from stackelberg_envs.games.bonuses import GymnasiumBonus, ParallelBonus

    return ParallelBonus(env, bonus) if hasattr(env, "possible_agents") else GymnasiumBonus(env, bonus)
