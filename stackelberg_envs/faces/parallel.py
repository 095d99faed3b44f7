"""The native ParallelEnv: leader and followers act together, and every action is always legal.

Round 0 is the commitment: the followers' actions are ignored and nobody is paid. Rounds 1..H are play: the
leader's actions are ignored. With ``commitment="per_step"`` the leader's action of round t is the one shown
to the followers, and played, in round t + 1.
"""

from __future__ import annotations

from typing import Any

from pettingzoo import ParallelEnv

from stackelberg_envs.errors import PhaseError
from stackelberg_envs.faces.common import LEADER, TwoSides, action_of, require_actions
from stackelberg_envs.play.session import COMMITMENT, DONE, READY

__all__ = ["ParallelFace"]

Dicts = tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]


class ParallelFace(TwoSides, ParallelEnv[str, Any, Any]):  # type: ignore[misc]  # PettingZoo ships no types
    """A game as a ParallelEnv.

    Parameters
    ----------
    game
        The game.
    commitment
        "once": the leader's action of round 0 is its commitment. "per_step": it acts at every step (games
        with leader actions only).
    menu, menu_seed
        See :class:`stackelberg_envs.faces.common.Menu`; the leader's space is then Discrete.
    observe_commitment
        How much of the commitment observations show: "all", "local" or "none".
    normalize
        Whether boxes of actions are [-1, 1] in every entry, whatever the game's bounds are.
    flatten_actions
        Whether MultiDiscrete actions are numbered: one Discrete action for each combination.
    scale_rewards, scale_observations
        Whether rewards, and the numbers of observations, are divided by their typical sizes; see
        :func:`stackelberg_envs.faces.forms.typical_sizes`. Infos keep the game's own rewards.
    max_cycles
        Rounds after which an episode is truncated, the one of the commitment among them; in the AEC form, where a
        cycle is a turn of every follower, play steps.
    render_mode
        "rgb_array", "ansi", "human" (a window, which shows every step; needs the extra "window") or None.
    renderer
        ``"module:name"`` of a renderer.
    name
        For `metadata`.

    Notes
    -----
    Every info describes the round just made, with the same keys at reset and at every step; see
    :meth:`stackelberg_envs.play.session.Session.play`. The leader's holds the follower's record, or with
    several followers an array of shape (n,) per key.
    """

    is_parallelizable = True
    opening_rounds = 1

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Begin an episode.

        Parameters
        ----------
        seed
            Starts a new random stream; None goes on with the present one.
        options
            None are known.

        Raises
        ------
        ArgumentError
            An option, or a seed that is no integer of at least 0; nothing has changed then.
        """
        self._begin(seed, options)
        self._shown()
        return self._observations(), self._infos()

    def step(self, actions: dict[str, Any]) -> Dicts:
        """Play one round; after the end, return five empty dicts.

        Raises
        ------
        PhaseError
            Before the first reset, or an action is missing that the round needs.
        CommitmentError, ActionError
            An action outside its space, or of an agent that does not exist.
        """
        agents = self.agents
        if not agents:
            if self.session.phase == READY:
                raise PhaseError("step: expected reset() first")
            return {}, {}, {}, {}, {}
        session = self.session
        require_actions(actions, agents)
        if session.phase == COMMITMENT:
            self._leader_acts(action_of(actions, LEADER))
            self.observer.begin_play()
        elif session.per_step:
            self._play_and_lead(actions)
        else:
            # A missing action becomes None, which the session refuses unless that follower is finished.
            session.play([*map(actions.get, self.followers)])
            self.observer.update()
        if session.phase == DONE:
            terminations = dict.fromkeys(agents, session.terminated)
            truncations = dict.fromkeys(agents, session.truncated)
            self.agents = []
        else:
            terminations, truncations = self._goes_on.copy(), self._goes_on.copy()
        results = self._observations(), self._rewards(), terminations, truncations, self._infos()
        if self.render_mode == "human":
            self.render()
        return results

    def _play_and_lead(self, actions: dict[str, Any]) -> None:
        """Play a round whose leader action is for the next one."""
        session = self.session
        following = action_of(actions, LEADER)
        self._check_leader(following)
        session.play([actions.get(agent) for agent in self.followers])
        if not (session.terminated or session.truncated):
            self._leader_acts(following)
        self.observer.update()

    def _check_leader(self, action: Any) -> None:
        """Refuse an illegal leader action before anything moves."""
        check = self.session.simulator.check_leader_action
        for part in self._leader_parts(action):
            check(part)

    def _observations(self) -> dict[str, Any]:
        observer = self.observer
        factors = observer.factors
        if factors is None and len(self.followers) == 1:
            # The leader observes what its only follower does.
            row = observer.rows[0]
            return {LEADER: row.copy(), self.followers[0]: row.copy()}
        observations = {LEADER: observer.leader()}
        for agent, row in zip(self.followers, observer.rows):  # noqa: B905 - as long by construction
            observations[agent] = row.copy() if factors is None else row * factors
        return observations
