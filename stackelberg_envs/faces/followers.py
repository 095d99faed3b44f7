"""The followers alone, as equal agents under a given commitment: all at once, or in turns (`aec.py`).

This is where vector wrappers and learners of homogeneous agents train: the commitment comes from outside and
the leader is no agent. Its reward is in the infos.
"""

from __future__ import annotations

from typing import Any, ClassVar

from numpy.typing import ArrayLike
from pettingzoo import ParallelEnv

from stackelberg_envs.arrays import Array, require_count
from stackelberg_envs.errors import PhaseError
from stackelberg_envs.faces import common
from stackelberg_envs.faces.forms import Forms, formed_simulator
from stackelberg_envs.faces.parallel import Dicts
from stackelberg_envs.games.tabular import Game
from stackelberg_envs.pictures.canvas import GENERIC_RENDERER
from stackelberg_envs.play.resets import require_options, require_seed
from stackelberg_envs.play.session import READY, Session, neutral_commitment

__all__ = ["FollowersEnv", "FollowersFace", "given_commitment"]


def given_commitment(game: Game, default: Array, options: dict[str, Any] | None, *, official: bool = False) -> Array:
    """Return the commitment of an episode: ``options["commitment"]`` unless that is None, else the default."""
    given = require_options(options, ("commitment",), official=official).get("commitment")
    return default if given is None else game.commitment.check(given)


class FollowersFace(common.AgentFace):
    """What the followers' two forms have in common; see :class:`FollowersEnv` for the parameters."""

    #: Whether PettingZoo can make the parallel form of it; for `metadata`.
    is_parallelizable: ClassVar[bool] = True

    def __init__(
        self,
        game: Game,
        *,
        commitment: ArrayLike | None = None,
        observe_commitment: str = "all",
        normalize: bool = False,
        flatten_actions: bool = False,
        scale_rewards: bool = False,
        scale_observations: bool = False,
        max_cycles: int | None = None,
        render_mode: str | None = None,
        renderer: str = GENERIC_RENDERER,
        name: str | None = None,
    ) -> None:
        forms = Forms(normalize, flatten_actions, scale_rewards, scale_observations)
        steps = None if max_cycles is None else require_count(max_cycles, "max_cycles")
        session = Session(game, max_steps=steps, simulator=formed_simulator(game, forms))
        self._open(session, forms, observe_commitment, render_mode, renderer)
        self.commitment = neutral_commitment(game) if commitment is None else game.commitment.check(commitment)
        self.metadata = common.metadata(name, game, is_parallelizable=self.is_parallelizable)
        self.followers = common.follower_names(session.num_followers)
        self._make_spaces({agent: common.action_space_of(session, i) for i, agent in enumerate(self.followers)})

    def _begin(self, seed: int | None, options: dict[str, Any] | None) -> None:
        """Check the arguments of a reset, then begin an episode in the play phase."""
        x, seed = given_commitment(self.game, self.commitment, options, official=True), require_seed(seed)
        self._restart(seed)
        self._commit(x)
        self.agents = self.possible_agents[:]

    def _rewards(self) -> dict[str, float]:
        share = self._follower_share
        return {agent: paid * share for agent, paid in zip(self.followers, self.session.follower_rewards, strict=True)}

    def _infos(self) -> dict[str, dict[str, Any]]:
        return dict(zip(self.followers, self._follower_infos(), strict=True))


class FollowersEnv(FollowersFace, ParallelEnv[str, Any, Any]):  # type: ignore[misc]  # PettingZoo ships no types
    """The followers of a game as a ParallelEnv.

    Parameters
    ----------
    game
        The game.
    commitment
        In force in every episode whose reset does not bring another in ``options={"commitment": x}``; default
        the one nearest to zero.
    max_cycles
        Play steps after which an episode is truncated if the game's horizon does not end it before.
    observe_commitment, normalize, flatten_actions, scale_rewards, scale_observations, render_mode, renderer, name
        See :class:`stackelberg_envs.faces.parallel.ParallelFace`.
    """

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Begin an episode, in the play phase.

        Parameters
        ----------
        seed
            Starts a new random stream; None goes on with the present one.
        options
            ``{"commitment": x}`` puts x in force for this episode.

        Raises
        ------
        CommitmentError
            x lies outside its space.
        ArgumentError
            Another option, or a seed that is no integer of at least 0; nothing has changed then.
        """
        self._begin(seed, options)
        self._shown()
        return self._observations(), self._infos()

    def step(self, actions: dict[str, Any]) -> Dicts:
        """Play one step; after the end, return five empty dicts.

        Raises
        ------
        PhaseError
            Before the first reset, or the action of a follower that still plays is missing.
        ActionError
            An illegal action, or one of an agent that does not exist.
        """
        agents, session = self.agents, self.session
        if not agents:
            if session.phase == READY:
                raise PhaseError("step: expected reset() first")
            return {}, {}, {}, {}, {}
        common.require_actions(actions, agents)
        finished = session.finished
        session.play([None if finished[i] else common.action_of(actions, agent) for i, agent in enumerate(agents)])
        self.observer.update()
        terminations = dict.fromkeys(agents, session.terminated)
        truncations = dict.fromkeys(agents, session.truncated)
        if session.terminated or session.truncated:
            self.agents = []
        self._shown()
        return self._observations(), self._rewards(), terminations, truncations, self._infos()

    def _observations(self) -> dict[str, Any]:
        return {agent: self.observer.follower(i) for i, agent in enumerate(self.followers)}
