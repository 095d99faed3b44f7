"""Many copies of the leader's problem as one Gymnasium vector environment.

The leaders commit, a response plays, the leaders are paid. Copy i plays the episodes of a
:class:`~stackelberg_envs.faces.gymnasium_views.LeaderEnv` that is reset with its seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, singledispatch
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, require_count, require_flag, require_room
from stackelberg_envs.errors import ArgumentError, PhaseError
from stackelberg_envs.faces import common
from stackelberg_envs.faces.copies import TabularCopies
from stackelberg_envs.faces.forms import Forms, announced, leader_form
from stackelberg_envs.faces.gymnasium_views import Response, leader_env
from stackelberg_envs.faces.observations import Observer
from stackelberg_envs.faces.responses import checked_tables, soft_response
from stackelberg_envs.faces.rounds import respond
from stackelberg_envs.faces.vector_base import autoreset_mode, masked, require_autoreset
from stackelberg_envs.games.environments import EnvironmentGame
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.tabular import Game, TabularGame
from stackelberg_envs.games.vector import VectorGame
from stackelberg_envs.pictures.canvas import GENERIC_RENDERER
from stackelberg_envs.play.resets import require_options, require_seeds
from stackelberg_envs.play.session import Session
from stackelberg_envs.play.simulators import NOTHING
from stackelberg_envs.play.streams import UniformStreams

__all__ = ["LeaderVectorEnv", "leader_vector_env"]

READY, COMMITTING, OVER = "ready", "committing", "over"
#: Uniform numbers for the followers' actions that a copy draws at once.
ACTIONS_PER_DRAW = 256


class LeaderVectorEnv(VectorEnv[Any, Any, Any]):
    """n copies of the leader's one-step environment of a tabular game.

    Parameters
    ----------
    game
        The game.
    num_envs
        n.
    response
        Maps (game, x) to the followers' policy, an array of shape ([K,] S, A, B); default the exact soft best response.
        It is asked once for each commitment, and not for those of the step before.
    discounted
        Whether the leader is paid its discounted return over the episode, or the plain sum.
    observe_commitment, normalize, scale_rewards, scale_observations
        See :class:`stackelberg_envs.faces.gymnasium_views.LeaderEnv`.
    autoreset
        "next_step" or "same_step", as in :class:`stackelberg_envs.faces.vector_base.FollowerVectorEnv`. Every episode
        has one step, so that with the former every other step only begins episodes.
    renderer, name
        As for the other faces; a vector environment draws nothing.

    Notes
    -----
    With ``reset(seed=s)`` copy i plays, bit for bit, the episodes of a ``LeaderEnv`` that is reset with ``seed=s + i``.
    """

    def __init__(
        self,
        game: TabularGame,
        num_envs: int = 1,
        *,
        response: Response | None = None,
        discounted: bool = True,
        observe_commitment: str = "all",
        normalize: bool = False,
        scale_rewards: bool = False,
        scale_observations: bool = False,
        autoreset: str = "next_step",
        renderer: str = GENERIC_RENDERER,
        name: str | None = None,
    ) -> None:
        del renderer
        if response is not None and not callable(response):
            raise ArgumentError(f"response: expected a function (game, x) -> policy, got {type(response).__name__}")
        self.game = game
        self.num_envs = n = require_count(num_envs, "num_envs")
        self.response: Response = soft_response if response is None else response
        self.discounted = require_flag(discounted, "discounted")
        self._same_step = require_autoreset(autoreset) == "same_step"
        self.metadata = {
            **common.metadata(name, game, is_parallelizable=False),
            "render_modes": [],
            "autoreset_mode": autoreset_mode(autoreset),
        }
        session = Session(game)
        forms = Forms(normalize=normalize, scale_rewards=scale_rewards, scale_observations=scale_observations)
        observer = Observer(session, observe_commitment, forms.observed_sizes(game))
        self._factors, self._form = observer.factors, leader_form(game, None, forms)
        self.reward_units = forms.reward_units(game)
        self._leader_share = forms.share_of_episodes(game, discounted=self.discounted)
        # Before anything is made: a number that is too large is an accident.
        require_room((n, *observer.space.shape), "num_envs", ArgumentError)
        self.observation_layout = dict(observer.layout)
        self.single_observation_space = common.copy_of(observer.space)
        self.single_action_space = common.copy_of(self._form.space)
        self.observation_space = batch_space(self.single_observation_space, n)
        self.action_space = batch_space(self.single_action_space, n)
        m = session.num_followers
        self._copies = TabularCopies(game, n, m, observer, commits=True, last_step=game.horizon)
        self._streams = UniformStreams(n, ACTIONS_PER_DRAW, backwards=False)
        self._none = np.zeros(n * m, np.int64)
        self._phase = READY
        #: Of the commitments of the last step, which a leader may make again.
        self._answered: dict[bytes, Array] = {}

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
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
        require_options(options, advice="; here a commitment is the action")
        seeds = require_seeds(seed, self.num_envs)
        super().reset(seed=seeds[0])
        self._copies.streams.seed(seeds)
        self._streams.seed(seeds)
        return self._open()

    def step(
        self, actions: Any
    ) -> tuple[NDArray[np.float32], Array, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Commit in every copy, let the responses play whole episodes, and pay the leaders.

        Raises
        ------
        PhaseError
            Before reset.
        CommitmentError
            Wrong shape, or a number that is not finite; nothing has changed then.
        """
        n = self.num_envs
        no = np.zeros(n, np.bool_)
        if self._phase == READY:
            raise PhaseError("step: expected reset() first")
        if self._phase == OVER:
            observations, infos = self._open()
            return observations, np.zeros(n), no, no.copy(), infos
        plain, discounted = self._play(self._commit(actions))
        self._phase = OVER
        rewards = (discounted if self.discounted else plain) * self._leader_share
        observations, infos = self._seen(), self._infos(plain, discounted)
        if self._same_step:
            last: NDArray[Any] = np.full(n, None, dtype=object)
            last[:] = list(observations)
            over = np.ones(n, np.bool_)
            final = {"final_obs": last, "_final_obs": over, "final_info": infos, "_final_info": over.copy()}
            observations, infos = self._open()
            infos |= final
        return observations, rewards, ~no, no, infos

    def _open(self) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode in every copy."""
        copies = self._copies
        copies.phase[:] = 0
        copies.advance(self._none)
        copies.contexts[:] = NOTHING
        self._phase = COMMITTING
        self._terminated = np.zeros(self.num_envs, np.int64)
        nothing = np.zeros(self.num_envs)
        return self._seen(), self._infos(nothing, nothing)

    def _seen(self) -> NDArray[np.float32]:
        """Return what the leaders observe, new arrays."""
        rows = self._copies.leader_observations()
        return rows if self._factors is None else rows * self._factors

    def _commit(self, actions: Any) -> list[Array]:
        """Put each copy's commitment in force; return each copy's response as running sums, (Z, A, B)."""
        game, rows = self.game, announced(self.game, actions, self.num_envs)
        projected = [game.commitment.project(self._form.meant(row).reshape(game.commitment.shape)) for row in rows]
        answers: dict[bytes, Array] = {}
        for x in projected:
            key = x.tobytes()
            if key not in answers:
                known = self._answered.get(key)
                answers[key] = checked_tables(game, self.response(game, x)) if known is None else known
        self._answered = answers
        for i, x in enumerate(projected):
            self._copies.commit(i, x)
        return [answers[x.tobytes()] for x in projected]

    def _play(self, answers: list[Array]) -> tuple[Array, Array]:
        """Play every copy's episode to its end; return the sums of the leaders' rewards, plain and discounted."""
        game, copies, n = self.game, self._copies, self.num_envs
        first = {id(answer): k for k, answer in reversed(list(enumerate(answers)))}
        distinct = sorted(set(first.values()))
        slot = np.array([distinct.index(first[id(answer)]) for answer in answers])
        responses = np.stack([answers[k] for k in distinct])
        plain, discounted, weight = np.zeros(n), np.zeros(n), 1.0
        copies.advance(self._none)
        m = len(self._none) // n
        while (playing := copies.playing()).any():
            self._streams.need(m)
            chosen = respond(
                self._streams.numbers,
                self._streams.place,
                playing,
                copies.contexts,
                copies.now,
                slot,
                responses,
                game.shape[0],
            )
            made = copies.advance(chosen, only_play=True)
            paid = np.where(playing, made.leader_rewards, 0.0)
            plain += paid
            discounted += weight * paid
            weight *= game.leader_discount
            self._terminated[playing] = made.flags[0][playing]
        return plain, discounted

    def _infos(self, plain: Array, discounted: Array) -> dict[str, Any]:
        copies = self._copies
        infos = {
            "leader_return": plain.copy(),
            "discounted_leader_return": discounted.copy(),
            "steps": copies.steps.copy(),
            "context": copies.contexts.copy(),
            "terminated": self._terminated.copy(),
        }
        return masked(infos, np.ones(self.num_envs, np.bool_))


class StackedLeaderVectorEnv(gymnasium.vector.SyncVectorEnv):
    """The same by one environment after the other, for games whose functions take one commitment at a time.

    Parameters
    ----------
    game, num_envs, autoreset
        See :class:`LeaderVectorEnv`.
    options
        Those of :func:`stackelberg_envs.leader_env`.
    """

    def __init__(self, game: Game, num_envs: int = 1, *, autoreset: str = "next_step", **options: Any) -> None:
        mode = autoreset_mode(require_autoreset(autoreset))
        copies = require_count(num_envs, "num_envs")
        require_room((copies,), "num_envs", ArgumentError)
        self.game, self._phase = game, READY
        # Before 1.1 Gymnasium knows no modes.
        modes = {} if isinstance(mode, str) else {"autoreset_mode": mode}
        super().__init__([partial(leader_env, game, **options)] * copies, **modes)
        self._stays_over = autoreset == "next_step"

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode in every copy; see :meth:`LeaderVectorEnv.reset`."""
        made = super().reset(seed=require_seeds(seed, self.num_envs), options=options)
        self._phase = COMMITTING
        return made

    def step(self, actions: Any) -> tuple[Any, Array, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Commit in every copy, and pay the leaders; see :meth:`LeaderVectorEnv.step`."""
        if self._phase == READY:
            raise PhaseError("step: expected reset() first")
        # Before any copy has moved.
        given = self.action_space.sample() if self._phase == OVER else announced(self.game, actions, self.num_envs)
        made = super().step(given.reshape(self.num_envs, -1))
        over = (made[2] | made[3]).all() and self._stays_over
        self._phase = OVER if over else COMMITTING
        return made


@singledispatch
def leader_vector_env(
    game: Game,
    num_envs: int = 1,
    *,
    response: Response | None = None,
    discounted: bool = True,
    observe_commitment: str = "all",
    normalize: bool = False,
    scale_rewards: bool = False,
    scale_observations: bool = False,
    autoreset: str = "next_step",
    renderer: str = GENERIC_RENDERER,
    name: str | None = None,
) -> VectorEnv[Any, Any, Any]:
    """Return the leader's environments of a kind of game; ``leader_vector_env.register(kind)`` adds kinds."""
    raise ArgumentError(
        f"game: expected a TabularGame, a MarkovGame, a VectorGame or an EnvironmentGame, got {type(game).__name__}"
    )


leader_vector_env.register(TabularGame, LeaderVectorEnv)
leader_vector_env.register(MarkovGame, StackedLeaderVectorEnv)
leader_vector_env.register(VectorGame, StackedLeaderVectorEnv)
leader_vector_env.register(EnvironmentGame, StackedLeaderVectorEnv)
