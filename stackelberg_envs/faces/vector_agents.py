"""Many copies of leader and followers at once: dicts of arrays, one row per copy.

The multi-agent counterpart of a Gymnasium vector environment. Copy i plays the episodes of a
:class:`~stackelberg_envs.faces.parallel.ParallelFace` that is reset with its seed, each copy under the commitment that
its own leader made.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import singledispatch
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, require_count, require_room
from stackelberg_envs.errors import ActionError, ArgumentError, PhaseError
from stackelberg_envs.faces import common
from stackelberg_envs.faces.forms import Forms, announced, formed_simulator, leader_form
from stackelberg_envs.faces.observations import Observer
from stackelberg_envs.faces.parallel import ParallelFace
from stackelberg_envs.faces.vector_base import require_autoreset
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.tabular import Game, TabularGame
from stackelberg_envs.games.vector import VectorGame
from stackelberg_envs.pictures.canvas import GENERIC_RENDERER
from stackelberg_envs.play.resets import require_options, require_seeds
from stackelberg_envs.play.session import COMMITMENT, DONE, PLAY, Session, simulator_of

__all__ = ["Batches", "ParallelVectorEnv", "parallel_vector_env"]

#: Observations, rewards, terminations, truncations, infos, each by agent.
Batches = tuple[dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any], dict[str, dict[str, Any]]]


class ParallelVectorEnv(ABC):
    """n copies of a game's leader and followers.

    Parameters
    ----------
    game
        The game.
    num_envs
        n.
    observe_commitment, normalize, flatten_actions, scale_rewards, scale_observations
        See :class:`stackelberg_envs.faces.parallel.ParallelFace`.
    autoreset
        "next_step": the step after an episode's end ignores the actions, begins the next episode (its commitment
        phase) and pays nothing. "same_step": the step that ends an episode returns the first observations of the next
        one; ``infos[agent]["final_obs"]``, shape (n, L), has the last ones, in the rows of
        ``infos[agent]["_final_obs"]``.
    renderer, name
        As for the other faces; a vector environment draws nothing.

    Attributes
    ----------
    possible_agents, agents
        ``leader_0``, ``follower_0``, ...; all of them, always.
    observation_layout
        Name of each part of an observation -> its slice.

    Notes
    -----
    With ``reset(seed=s)`` copy i plays the episodes of a parallel environment that is reset with ``seed=s + i``.
    Observations have shape (n, L), rewards and flags (n,), entries of infos (n,), the leader's with several followers
    (n, followers). Copies whose leader commits read a row of the leader's actions, the others read the followers'.
    """

    def __init__(
        self,
        game: Game,
        num_envs: int = 1,
        *,
        observe_commitment: str = "all",
        normalize: bool = False,
        flatten_actions: bool = False,
        scale_rewards: bool = False,
        scale_observations: bool = False,
        autoreset: str = "next_step",
        renderer: str = GENERIC_RENDERER,
        name: str | None = None,
    ) -> None:
        del renderer
        self.game: Any = game
        self.num_envs = require_count(num_envs, "num_envs")
        self._same_step = require_autoreset(autoreset) == "same_step"
        self.metadata = {
            **common.metadata(name, game, is_parallelizable=True),
            "render_modes": [],
            "autoreset_mode": autoreset,
        }
        self.forms = Forms(normalize, flatten_actions, scale_rewards, scale_observations)
        #: What one unit of the leader's and of a follower's reward is, in the game's reward units.
        self.reward_units = self.forms.reward_units(game)
        self._leader_share, self._follower_share = (1.0 / unit for unit in self.reward_units)
        self._leader_form = leader_form(game, None, self.forms)
        session = Session(game, simulator=formed_simulator(game, self.forms))
        self._observer = Observer(session, observe_commitment, self.forms.observed_sizes(game))
        # Before anything is made: a number that is too large is an accident.
        require_room((self.num_envs, *self._observer.space.shape), "num_envs", ArgumentError)
        self.observation_layout = dict(self._observer.layout)
        self.followers = common.follower_names(session.num_followers)
        self.possible_agents = [common.LEADER, *self.followers]
        self.agents = self.possible_agents[:]
        follower_space = session.simulator.follower_action_space
        self._actions: dict[str, Space[Any]] = {common.LEADER: common.copy_of(self._leader_form.space)}
        self._actions |= {agent: common.copy_of(follower_space) for agent in self.followers}
        self._batched = {agent: batch_space(space, self.num_envs) for agent, space in self._actions.items()}
        self._observations = {agent: common.copy_of(self._observer.space) for agent in self.agents}
        self._batched_observations = {
            agent: batch_space(space, self.num_envs) for agent, space in self._observations.items()
        }
        self._started = False

    def single_action_space(self, agent: str) -> Space[Any]:
        """Return the space of one copy's action."""
        return common.space_of(self._actions, agent)

    def action_space(self, agent: str) -> Space[Any]:
        """Return the space of all copies' actions."""
        return common.space_of(self._batched, agent)

    def single_observation_space(self, agent: str) -> Space[Any]:
        """Return the space of one copy's observation."""
        return common.space_of(self._observations, agent)

    def observation_space(self, agent: str) -> Space[Any]:
        """Return the space of all copies' observations."""
        return common.space_of(self._batched_observations, agent)

    def reset(
        self, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Begin an episode in every copy, in the commitment phase.

        Parameters
        ----------
        seed
            Starts new random streams: those of seed, seed + 1, ..., or one seed per copy. None goes on with the
            present ones.
        options
            None are known.

        Raises
        ------
        ArgumentError
            An option, or a seed that is neither an integer of at least 0 nor one per copy; nothing has changed then.
        """
        require_options(options, official=True)
        observations, infos = self._reset(require_seeds(seed, self.num_envs))
        self._started = True
        return observations, infos

    def step(self, actions: dict[str, Any]) -> Batches:
        """Make a round in every copy.

        Raises
        ------
        PhaseError
            Before reset, or an action is missing that a copy needs.
        CommitmentError, ActionError
            An array of the wrong shape, or an action outside its space; the message says where.
        """
        if not self._started:
            raise PhaseError("step: expected reset() first")
        common.require_actions(actions, self.possible_agents)
        return self._step(actions)

    def close(self) -> None:
        """End the copies: the next step needs a reset."""
        self._started = False

    @abstractmethod
    def _reset(self, seeds: list[int | None]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Begin an episode in every copy."""

    @abstractmethod
    def _step(self, actions: dict[str, Any]) -> Batches:
        """Make a round in every copy, whose actions' agents exist."""


class TabularParallelVectorEnv(ParallelVectorEnv):
    """The same in one compiled pass."""

    def __init__(self, *args: Any, **options: Any) -> None:
        from stackelberg_envs.faces.copies import TabularCopies  # brings Numba

        super().__init__(*args, **options)
        m = len(self.followers)
        self._copies = TabularCopies(
            self.game,
            self.num_envs,
            m,
            self._observer,
            commits=True,
            last_step=self.game.horizon,
            share=self._follower_share,
        )
        self._none = np.zeros(self.num_envs * m, np.int64)

    def _reset(self, seeds: list[int | None]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        self._copies.restart(seeds)
        made = self._copies.advance(self._none)
        return self._seen(), self._infos(made)

    def _step(self, actions: dict[str, Any]) -> Batches:
        copies = self._copies
        commits, played = copies.committing(), self._played(actions)
        if commits.any():
            self._commit(common.action_of(actions, common.LEADER), commits)
        made = copies.advance(played)
        rewards = {common.LEADER: made.leader_rewards * self._leader_share}
        paid = made.floats[2].reshape(self.num_envs, -1)
        rewards |= {agent: paid[:, j].copy() for j, agent in enumerate(self.followers)}
        terminated = {agent: made.flags[0].copy() for agent in self.agents}
        truncated = {agent: made.flags[1].copy() for agent in self.agents}
        over = made.flags[0] | made.flags[1]
        if not (self._same_step and over.any()):
            return self._seen(), rewards, terminated, truncated, self._infos(made)
        last = self._seen()
        copies.advance(self._none, made)
        infos = self._infos(made)
        for agent in self.agents:
            infos[agent] |= {"final_obs": last[agent], "_final_obs": over.copy()}
        return self._seen(), rewards, terminated, truncated, infos

    def _played(self, actions: dict[str, Any]) -> NDArray[np.int64]:
        """Return the followers' actions, shape (n m,); they may be missing where no follower plays."""
        from stackelberg_envs.faces.vector_tabular import integers_of

        if not self._copies.playing().any():
            return self._none
        columns = [integers_of(common.action_of(actions, agent), (self.num_envs,)) for agent in self.followers]
        return columns[0] if len(columns) == 1 else np.stack(columns, axis=1).ravel()

    def _commit(self, given: Any, commits: NDArray[np.bool_]) -> None:
        """Put each leader's commitment in force; nothing has changed when one is refused."""
        commitment, rows = self.game.commitment, announced(self.game, given, self.num_envs)
        if (rows == rows[0]).all():
            rows = rows[:1]
        meant = map(self._leader_form.meant, rows)
        projected: list[Array] = [commitment.project(row.reshape(commitment.shape)) for row in meant]
        for i in np.flatnonzero(commits):
            self._copies.commit(int(i), projected[i if len(projected) > 1 else 0])

    def _seen(self) -> dict[str, Any]:
        copies = self._copies
        rows = copies.observations.reshape(self.num_envs, len(self.followers), -1)
        seen = {common.LEADER: copies.leader_observations()}
        seen |= {agent: rows[:, j].copy() for j, agent in enumerate(self.followers)}
        factors = self._observer.factors
        return seen if factors is None else {agent: part * factors for agent, part in seen.items()}

    def _infos(self, made: Any) -> dict[str, dict[str, Any]]:
        n, m = self.num_envs, len(self.followers)
        entries = {key: value.reshape(n, m) for key, value in self._copies.seen(made).items()}
        leader = {key: value[:, 0].copy() if m == 1 else value.copy() for key, value in entries.items()}
        if (masks := self._copies.action_masks()) is not None:
            entries["action_mask"] = masks.reshape(n, m, -1)
        infos = {common.LEADER: leader}
        return infos | {
            agent: {key: value[:, j].copy() for key, value in entries.items()} for j, agent in enumerate(self.followers)
        }


class StackedParallelVectorEnv(ParallelVectorEnv):
    """The same by one parallel environment after the other, for games whose functions take one commitment at a time."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        forms, observe = vars(self.forms), self._observer.observes
        self._envs = [ParallelFace(self.game, observe_commitment=observe, **forms) for _ in range(self.num_envs)]

    def _reset(self, seeds: list[int | None]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        made = [env.reset(seed=seed) for env, seed in zip(self._envs, seeds, strict=True)]
        return self._stacked([each[0] for each in made]), self._stacked_infos([each[1] for each in made])

    def _step(self, actions: dict[str, Any]) -> Batches:
        given = self._checked(actions)
        made, lasts = [], []
        for i, env in enumerate(self._envs):
            mine = {agent: rows[i] for agent, rows in given.items()}
            results = env.step(mine) if env.agents else self._opened(env)
            lasts.append(results[0])
            if self._same_step and not env.agents:
                observations, infos = env.reset()
                results = (observations, *results[1:4], infos)
            made.append(results)
        infos = self._stacked_infos([each[4] for each in made])
        terminated, truncated = self._stacked([each[2] for each in made]), self._stacked([each[3] for each in made])
        if self._same_step and (terminated[common.LEADER] | truncated[common.LEADER]).any():
            last = self._stacked(lasts)
            for agent in self.agents:
                infos[agent] |= {"final_obs": last[agent], "_final_obs": terminated[agent] | truncated[agent]}
        return self._stacked([e[0] for e in made]), self._stacked([e[1] for e in made]), terminated, truncated, infos

    def _checked(self, actions: dict[str, Any]) -> dict[str, Any]:
        """Return the actions that copies need, or raise before any copy has moved."""
        given: dict[str, Any] = {}
        phases = [env.session.phase if env.agents else DONE for env in self._envs]
        if COMMITMENT in phases:
            given[common.LEADER] = announced(self.game, common.action_of(actions, common.LEADER), self.num_envs)
        if PLAY not in phases:
            return given
        check = self._envs[0].session.simulator.check_follower_action
        for j, agent in enumerate(self.followers):
            rows = common.action_of(actions, agent)
            listed = isinstance(rows, list | tuple) or (isinstance(rows, np.ndarray) and rows.ndim > 0)
            if not listed or len(rows) != self.num_envs:
                n = self.num_envs
                raise ActionError(f"actions: expected {n} of {agent!r}, one for each copy, got {rows!r:.60}")
            for phase, env, action in zip(phases, self._envs, rows, strict=True):
                if phase == PLAY and not env.session.finished[j]:
                    check(action)
            given[agent] = rows
        return given

    def _opened(self, env: ParallelFace) -> Any:
        """Begin the next episode of a copy: nobody is paid for it."""
        observations, infos = env.reset()
        agents = self.agents
        return (
            observations,
            dict.fromkeys(agents, 0.0),
            dict.fromkeys(agents, False),
            dict.fromkeys(agents, False),
            infos,
        )

    def _stacked(self, parts: list[dict[str, Any]]) -> dict[str, Any]:
        return {agent: np.array([part[agent] for part in parts]) for agent in self.agents}

    def _stacked_infos(self, parts: list[dict[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
        return {
            agent: {key: np.array([part[agent][key] for part in parts]) for key in parts[0][agent]}
            for agent in self.agents
        }


@singledispatch
def parallel_vector_env(
    game: Game,
    num_envs: int = 1,
    *,
    observe_commitment: str = "all",
    normalize: bool = False,
    flatten_actions: bool = False,
    scale_rewards: bool = False,
    scale_observations: bool = False,
    autoreset: str = "next_step",
    renderer: str = GENERIC_RENDERER,
    name: str | None = None,
) -> ParallelVectorEnv:
    """Return the :class:`ParallelVectorEnv` of a kind of game; ``parallel_vector_env.register(kind)`` adds kinds."""
    simulator_of(game)  # refuses with what there is instead, where there is something
    raise ArgumentError(f"game: expected a TabularGame, a MarkovGame or a VectorGame, got {type(game).__name__}")


parallel_vector_env.register(TabularGame, TabularParallelVectorEnv)
parallel_vector_env.register(MarkovGame, StackedParallelVectorEnv)
parallel_vector_env.register(VectorGame, StackedParallelVectorEnv)
