"""Seeded stepping through commitment and play; every face of a game stands on one :class:`Session`.

An episode is round 0, in which the leader commits, and rounds 1..H, in which the followers play. The context
and the initial states are drawn *after* the commitment: a leader cannot commit to one thing in one context
and to another in the next. Where the game has leader actions, the session draws each of them from the
committed policy before the follower acts and shows it.

``per_step`` sessions are the uncommitted variant: the leader chooses its action at every step, before the
followers, and therefore sees context and states from the start.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ActionError, ArgumentError, PhaseError
from stackelberg_envs.games.environments import EnvironmentGame
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.tabular import Game, TabularGame
from stackelberg_envs.games.vector import VectorGame
from stackelberg_envs.play.markov import MarkovSimulator
from stackelberg_envs.play.resets import require_seed
from stackelberg_envs.play.simulators import NOTHING, Simulator, record
from stackelberg_envs.play.tabular import TabularSimulator
from stackelberg_envs.play.vector import VectorSimulator

__all__ = ["COMMITMENT", "DONE", "PLAY", "READY", "Session", "neutral_commitment", "simulator_of"]

#: Phases of a session, in order; READY is before the first reset.
READY, COMMITMENT, PLAY, DONE = "ready", "commitment", "play", "done"

#: States of one episode that are kept for pictures.
LONGEST_TRAIL = 1000


@singledispatch
def simulator_of(game: Game) -> Simulator:
    """Return the simulator of a game; ``simulator_of.register(kind)`` adds kinds of games.

    Raises
    ------
    ArgumentError
        A game of a kind that has none.
    """
    raise ArgumentError(f"game: expected a TabularGame or a VectorGame, got {type(game).__name__}")


@simulator_of.register(EnvironmentGame)
def _(game: EnvironmentGame) -> Simulator:
    raise ArgumentError(
        f"game: expected a TabularGame or a VectorGame, got an EnvironmentGame; followers of {game.name!r} act in "
        "game.under(x).make(), and its leader in leader_env(game=game, response=...)"
    )


simulator_of.register(TabularGame, TabularSimulator)
simulator_of.register(MarkovGame, MarkovSimulator)
simulator_of.register(VectorGame, VectorSimulator)


def neutral_commitment(game: Game) -> Array:
    """Return the commitment nearest to zero: no incentive, no tax, a uniform policy."""
    return game.commitment.project(np.zeros(game.commitment.shape))


class Session:
    """One leader and n followers, from commitment to the end of play.

    Parameters
    ----------
    game
        The game.
    num_followers
        Followers that play at once, each in its own copy of the decision process; default the game's. All
        share the episode's context; the leader is paid the mean over followers.
    per_step
        Whether the leader chooses its action at every step instead of committing.
    max_steps
        Play steps after which an episode is truncated if the game's horizon does not end it before.
    simulator
        Stands in for the game's own.

    Attributes
    ----------
    phase
        READY, COMMITMENT, PLAY or DONE.
    x
        The commitment in force; None in the commitment phase.
    context
        Index of the context; None until it is drawn.
    states, leader_actions
        Each follower's present state, and the leader's action shown to it (None where there is none).
    trail
        The followers' states since the start of play, one tuple per step, for pictures; the last thousand at most.
    played
        Play steps made.
    terminated, truncated
        How the episode ended; at most one is True.
    leader_reward, follower_rewards
        Of the last round.
    leader_return, follower_returns
        Undiscounted sums over the episode so far.
    masked
        Whether there are actions that a follower cannot take in some states.
    records
        What an observer sees of the last round, one dict of numbers per follower; see :meth:`play`.
    """

    def __init__(
        self,
        game: Game,
        *,
        num_followers: int | None = None,
        per_step: bool = False,
        max_steps: int | None = None,
        simulator: Simulator | None = None,
    ) -> None:
        self.game = game
        self.simulator = simulator_of(game) if simulator is None else simulator
        self._no_leader_action = self.simulator.nothing().leader_action
        self.num_followers = game.num_followers if num_followers is None else num_followers
        self.per_step = per_step
        # Simulators of users may know nothing of masks.
        masks: Any = getattr(self.simulator, "action_mask", None)
        self.masked = masks is not None and masks(None, None) is not None
        self.has_leader_actions = self.simulator.leader_action_space is not None
        if per_step and not self.has_leader_actions:
            raise ArgumentError(
                "commitment: expected a game with leader actions (A > 1) for 'per_step', "
                f"but in {game.name!r} the leader only configures"
            )
        self.horizon = game.horizon
        self._last_step = game.horizon if max_steps is None else min(game.horizon, max_steps)
        self._observe_rewards = game.observe_rewards
        self._share = 1.0 / self.num_followers
        self._alone = self.num_followers == 1 and not self.masked
        #: Makes the step of all followers, where they share a state.
        self._together: Any = getattr(self.simulator, "step_together", None)
        self.phase = READY
        self.trail: deque[tuple[Any, ...]] = deque(maxlen=LONGEST_TRAIL)
        self._clear()

    def _clear(self) -> None:
        n = self.num_followers
        self.x: Array | None = None
        self.context: int | None = None
        self.states: list[Any] = [None] * n
        self.leader_actions: list[Any] = [None] * n
        self.finished = [False] * n
        self.trail.clear()
        self.played = 0
        self._waits_for_leader = self.per_step
        self.terminated = self.truncated = False
        self.leader_reward = self.leader_return = 0.0
        self.follower_rewards, self.follower_returns = [0.0] * n, [0.0] * n
        self.records = [self._idle_record(i) for i in range(n)]

    def reset(self, seed: int | None = None) -> None:
        """Begin an episode in the commitment phase.

        Parameters
        ----------
        seed
            Starts a new random stream; None goes on with the present one.

        Raises
        ------
        ArgumentError
            A seed that is no integer of at least 0.
        """
        self.simulator.seed(require_seed(seed))
        self._clear()
        self.phase = COMMITMENT
        if self.per_step:
            self._begin(neutral_commitment(self.game))
            self.records = [self._idle_record(i) for i in range(self.num_followers)]

    def commit(self, x: ArrayLike) -> None:
        """Put a commitment in force, draw context and initial states, and show the first leader actions.

        Parameters
        ----------
        x
            Projected on the admissible commitments.

        Raises
        ------
        CommitmentError
            Wrong shape, or a number that is not finite.
        PhaseError
            Not in the commitment phase, or a per-step session.
        """
        self._require(COMMITMENT, "commit")
        if self.per_step:
            raise PhaseError("commit: expected lead(), because in this session the leader chooses at every step")
        self._begin(self.game.commitment.project(x))
        self.phase = PLAY
        if self.has_leader_actions:
            self._draw_leader_actions()
        self.records = [self._idle_record(i) for i in range(self.num_followers)]

    def _begin(self, x: Array) -> None:
        self.simulator.commit(x)
        self.x = x
        self.context, self.states = self.simulator.reset(self.num_followers)
        self.trail.append(tuple(self.states))

    def _draw_leader_actions(self) -> None:
        draw = self.simulator.leader_action
        self.leader_actions = [
            None if finished else draw(state) for state, finished in zip(self.states, self.finished, strict=True)
        ]

    def lead(self, actions: Sequence[Any]) -> None:
        """Set the leader's actions for the coming play step, one per follower (per-step sessions).

        Raises
        ------
        ActionError
            An illegal action.
        PhaseError
            A session in which the leader commits, or one that is over.
        """
        if not self.per_step:
            raise PhaseError("lead: expected a per-step session; here the leader's policy was committed")
        if self.phase not in (COMMITMENT, PLAY):
            raise PhaseError(f"lead: expected a running episode, got phase {self.phase!r}; call reset() first")
        check = self.simulator.check_leader_action
        checked = [check(action) for action in actions]
        self.leader_actions = [
            None if finished else action for action, finished in zip(checked, self.finished, strict=True)
        ]
        if self.phase == COMMITMENT:
            self.records = [self._idle_record(i) for i in range(self.num_followers)]
        self.phase = PLAY
        self._waits_for_leader = False

    def play(self, actions: Sequence[Any]) -> None:
        """Let every follower act once.

        Parameters
        ----------
        actions
            One per follower; those of finished followers are ignored.

        Raises
        ------
        ActionError
            An illegal action; the message names the follower. The episode is left as it was.
        PhaseError
            Before the commitment, or after the end.

        Notes
        -----
        `records` then holds, per follower, the transition just made: ``played`` (1; 0 for a follower that
        idled or before play), ``state`` it acted in, ``leader_action`` shown, ``follower_action`` taken,
        ``leader_reward`` its part of the leader's reward before the mean, ``follower_reward`` (absent where
        the game keeps it private), ``next_state``, ``terminal`` (1 if nothing follows), ``context`` and
        ``step``, the number of play steps made. For states and actions that do not exist stand the values of
        ``simulator.nothing``: -1 for numbers, zeros for vectors.
        """
        if self.phase != PLAY or self._waits_for_leader:
            self._require_play()
        self.advance(self._checked(actions))

    def advance(self, actions: Sequence[Any]) -> None:
        """Make a play step with actions that are legal by their making; see :meth:`play`.

        For actions drawn from a given response, whose tails may lie outside the space that learners act in.
        """
        self.played += 1
        if self._together is not None:
            self.leader_reward = self._move_together(actions)
        else:
            total = 0.0
            for i, action in enumerate(actions):
                total += self._idle(i) if self.finished[i] else self._move(i, action)
            self.leader_reward = total * self._share
        self.leader_return += self.leader_reward
        self._end_round()

    def action_masks(self) -> list[NDArray[np.int8]] | None:
        """Return which actions each follower can take next, ones and zeros, new arrays; None where it can take all.

        It is all ones while a follower has nothing to choose: before play, and when it is finished.
        """
        return [self._action_mask(i) for i in range(self.num_followers)] if self.masked else None

    def _action_mask(self, i: int) -> NDArray[np.int8]:
        idle = self.finished[i] or self.phase != PLAY
        mask = self.simulator.action_mask(None if idle else self.states[i], self.leader_actions[i])
        assert mask is not None  # noqa: S101 - asked only where there are masks
        return mask

    def checked_action(self, i: int, action: Any) -> Any:
        """Return a legal action of follower i, which is to act.

        Raises
        ------
        ActionError
            An action that does not exist, or that is not feasible in its state.
        """
        checked = self.simulator.check_follower_action(action)
        if self.masked and not (mask := self._action_mask(i))[checked]:
            shown = "" if self.leader_actions[i] is None else f" after the leader's action {self.leader_actions[i]}"
            raise ActionError(
                f"follower action: expected one that is feasible in state {self.states[i]}{shown}, one of "
                f"{np.flatnonzero(mask).tolist()}, got {checked}"
            )
        return checked

    def _move(self, i: int, action: Any) -> float:
        """Make follower i's transition, write its record and return what it earns the leader."""
        states, shown = self.states, self.leader_actions[i]
        state = states[i]
        following, leader_reward, follower_reward, terminal = self.simulator.step(
            state, 0 if shown is None else shown, action
        )
        states[i] = following
        self.follower_rewards[i] = follower_reward
        self.follower_returns[i] += follower_reward
        self.finished[i] = terminal
        # What `record` makes, whose call takes as long as all of this.
        self.records[i] = seen = {
            "played": 1,
            "step": self.played,
            "context": self.context,
            "state": state,
            "leader_action": self._no_leader_action if shown is None else shown,
            "follower_action": action,
            "next_state": following,
            "terminal": int(terminal),
            "leader_reward": leader_reward,
        }
        if self._observe_rewards:
            seen["follower_reward"] = follower_reward
        return leader_reward

    def _move_together(self, actions: Sequence[Any]) -> float:
        """Make the transition of all followers, write their records and return what it earns the leader."""
        n, state = self.num_followers, self.states[0]
        following, earned, paid, terminal = self._together(state, list(actions))
        leader_reward = float(earned)
        self.states, self.finished = [following] * n, [terminal] * n
        for i, action in enumerate(actions):
            self.follower_rewards[i] = paid[i]
            self.follower_returns[i] += paid[i]
            seen = paid[i] if self._observe_rewards else None
            self.records[i] = record(
                1,
                self.played,
                self.context,
                state,
                self._no_leader_action,
                action,
                following,
                int(terminal),
                leader_reward,
                seen,
            )
        return leader_reward

    def _idle(self, i: int) -> float:
        self.records[i] = self._idle_record(i)
        self.follower_rewards[i] = 0.0
        return 0.0

    def _end_round(self) -> None:
        self.trail.append(tuple(self.states))
        if self.finished[0] and all(self.finished):
            self.terminated, self.phase = True, DONE
        elif self.played >= self._last_step:
            self.truncated, self.phase = True, DONE
        if self.per_step:
            self.leader_actions = [None] * self.num_followers
            self._waits_for_leader = True
        elif self.has_leader_actions:
            # Also after the last step: who bootstraps a truncated episode needs a whole observation.
            self._draw_leader_actions()

    def _checked(self, actions: Sequence[Any]) -> list[Any]:
        """Return legal actions, None for finished followers; nothing has moved when one is refused."""
        if len(actions) != self.num_followers:
            raise ActionError(f"play: expected {self.num_followers} actions, got {len(actions)}")
        exists, finished, masked = self.simulator.check_follower_action, self.finished, self.masked
        checked: list[Any] = []
        try:
            if self._alone:  # the loop takes longer than what it does
                return [None if finished[0] else exists(actions[0])]
            for action in actions:
                i = len(checked)
                checked.append(None if finished[i] else self.checked_action(i, action) if masked else exists(action))
        except ActionError as error:
            # How many were legal is whose turn it was.
            raise ActionError(f"follower_{len(checked)}: {error}") from None
        return checked

    def _idle_record(self, i: int) -> dict[str, Any]:
        """Return the record of a round in which follower i made no transition."""
        state, nothing = self.states[i], self.simulator.nothing()
        return record(
            0,
            self.played,
            NOTHING if self.context is None else self.context,
            nothing.state,
            nothing.leader_action,
            nothing.follower_action,
            nothing.state if state is None else state,
            0,
            0.0,
            0.0 if self._observe_rewards else None,
        )

    def _require_play(self) -> None:
        self._require(PLAY, "play")
        raise PhaseError("play: expected the leader's action of this step first; call lead()")

    def _require(self, phase: str, call: str) -> None:
        if self.phase == phase:
            return
        advice = {
            READY: "call reset() first",
            COMMITMENT: "the leader has to commit first",
            PLAY: "the commitment of this episode is in force",
            DONE: "the episode is over, call reset()",
        }[self.phase]
        raise PhaseError(f"{call}: expected the {phase} phase, got phase {self.phase!r}; {advice}")
