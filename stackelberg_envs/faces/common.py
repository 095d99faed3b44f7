"""What the faces share: agents, spaces, the leader's kinds of action, menus, rendering."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from gymnasium.spaces import Box, Discrete, Space
from gymnasium.spaces.utils import flatten_space
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike

from stackelberg_envs.arrays import Array, require_count
from stackelberg_envs.errors import ActionError, ArgumentError, CommitmentError, PhaseError
from stackelberg_envs.faces.forms import Forms, formed_simulator, leader_form
from stackelberg_envs.faces.observations import Observer, is_one_of
from stackelberg_envs.games.tabular import Game
from stackelberg_envs.pictures import canvas as rendering
from stackelberg_envs.pictures import window
from stackelberg_envs.pictures.canvas import GENERIC_RENDERER
from stackelberg_envs.play.resets import require_options, require_seed
from stackelberg_envs.play.session import Session, neutral_commitment

__all__ = [
    "LEADER",
    "LEADER_COMMITS",
    "RENDER_MODES",
    "Menu",
    "TwoSides",
    "follower_names",
    "metadata",
    "require_render_mode",
]

LEADER = "leader_0"
RENDER_MODES = ("human", "rgb_array", "ansi")
RENDER_FPS = 8
#: For resets of the faces on which the leader acts.
LEADER_COMMITS = f"; here a commitment is the action of {LEADER}"


def follower_names(n: int) -> list[str]:
    """Return ``follower_0`` .. ``follower_{n-1}``."""
    return [f"follower_{i}" for i in range(n)]


def metadata(name: str | None, game: Game, *, is_parallelizable: bool) -> dict[str, Any]:
    """Return the metadata PettingZoo and Gymnasium ask for."""
    return {
        "name": name or game.name,
        "render_modes": list(RENDER_MODES),
        "render_fps": RENDER_FPS,
        "is_parallelizable": is_parallelizable,
    }


def require_render_mode(mode: str | None) -> str | None:
    """Return a render mode, or raise ArgumentError, or MissingExtraError where "human" has nothing to draw with."""
    if mode is not None and not is_one_of(mode, RENDER_MODES):
        raise ArgumentError(f"render_mode: expected None or one of {RENDER_MODES}, got {mode!r}")
    if mode == "human":
        window.require_pygame()
    return mode


def render(session: Session, renderer: str, mode: str | None) -> Any:
    """Return the picture or text of a session; in mode "human" the picture goes to a window."""
    if mode is None:
        return None
    picture = rendering.draw(session, renderer, "ansi" if mode == "ansi" else "rgb_array")
    if mode == "human":
        window.show(picture, session.game.name, RENDER_FPS)  # type: ignore[arg-type]
        return None
    return picture


class Menu:
    """k commitments to choose from, for leaders that know discrete actions only.

    Parameters
    ----------
    game
        The game.
    menu
        k >= 1: the commitment nearest to zero and k - 1 drawn evenly from the box; or the commitments.
    seed
        For the drawn ones.
    """

    def __init__(self, game: Game, menu: int | Sequence[ArrayLike], seed: int = 0) -> None:
        commitment = game.commitment
        if isinstance(menu, int | np.integer):
            count = require_count(menu, "menu")
            rng = np.random.default_rng(require_seed(seed, "menu_seed"))
            drawn = [rng.uniform(commitment.low, commitment.high) for _ in range(count - 1)]
            self.commitments: list[Array] = [neutral_commitment(game), *map(commitment.project, drawn)]
        else:
            self.commitments = [_on_menu(game, i, x) for i, x in enumerate(_listed(menu))]
        if not self.commitments:
            raise ArgumentError("menu: expected at least one commitment, got none")
        self.space = Discrete(len(self.commitments))

    def __getitem__(self, action: Any) -> Array:
        """Return the commitment of an action."""
        if not self.space.contains(action):
            raise ActionError(f"{LEADER}: expected an action in {self.space}, got {action!r}")
        return self.commitments[int(action)]


def _listed(menu: Any) -> list[Any]:
    if isinstance(menu, str | bytes | Mapping) or not isinstance(menu, Iterable):
        raise ArgumentError(f"menu: expected a number or a list of commitments, got {type(menu).__name__}")
    return list(menu)


def _on_menu(game: Game, i: int, x: ArrayLike) -> Array:
    try:
        return game.commitment.check(x)
    except CommitmentError as error:
        raise CommitmentError(f"menu[{i}]: {error}") from None


class SessionFace:
    """What a face of one session holds: the game, the session, who observes it, and how it is drawn."""

    def _open(self, session: Session, forms: Forms, observe: str, render_mode: str | None, renderer: str) -> None:
        self.game = session.game
        self.session = session
        self.forms = forms
        #: What one unit of the leader's and of a follower's reward is, in the game's reward units.
        self.reward_units = forms.reward_units(self.game)
        self._leader_share, self._follower_share = (1.0 / unit for unit in self.reward_units)
        self.observer = Observer(session, observe, forms.observed_sizes(self.game))
        self.render_mode = require_render_mode(render_mode)
        self.renderer = renderer
        self.observation_layout = dict(self.observer.layout)

    def _restart(self, seed: int | None) -> None:
        """Begin an episode: the commitment is still to be made."""
        self.session.reset(seed)
        self.observer.restart()

    def _commit(self, x: Any) -> None:
        """Make the commitment of the episode; play begins."""
        self.session.commit(x)
        self.observer.begin_play()

    def _follower_infos(self) -> list[dict[str, Any]]:
        """Return a new info for each follower: its record, and its mask in games that have them."""
        records, masks = self.session.records, self.session.action_masks()
        if masks is None:
            return [record.copy() for record in records]
        return [{**record, "action_mask": mask} for record, mask in zip(records, masks, strict=True)]

    def _shown(self) -> None:
        """Show the picture of mode "human", which is due after each step."""
        if self.render_mode == "human":
            self.render()

    def render(self) -> Any:
        """Return the picture ("rgb_array") or text ("ansi"); show the picture in a window ("human")."""
        return render(self.session, self.renderer, self.render_mode)

    def close(self) -> None:
        """Close the window of mode "human"."""
        if self.render_mode == "human":
            window.close()


class AgentFace(SessionFace):
    """What a face with PettingZoo's agents adds: a space of observations and one of actions for each."""

    _np_random: np.random.Generator | None = None

    @property
    def np_random(self) -> np.random.Generator:
        """A random stream for wrappers, which draw from it without moving the environment's own."""
        if self._np_random is None:
            self._np_random = np.random.default_rng()
        return self._np_random

    def _restart(self, seed: int | None) -> None:
        super()._restart(seed)
        if seed is not None:
            self._np_random = np.random.default_rng(seed)

    def _make_spaces(self, action_spaces: dict[str, Space[Any]]) -> None:
        # One object per agent: seeding one agent's space must not change what another samples.
        self.possible_agents = list(action_spaces)
        self.agents: list[str] = []
        #: The flags of a round that ends nothing; copied, which is faster than to be made.
        self._goes_on = dict.fromkeys(self.possible_agents, False)
        self.action_spaces = action_spaces
        self.observation_spaces: dict[str, Space[Any]] = {
            agent: copy_of(self.observer.space) for agent in self.possible_agents
        }
        self.state_space = self.observer.state_space

    def observation_space(self, agent: str) -> Space[Any]:
        """Return the observation space of an agent: the same object every time."""
        return space_of(self.observation_spaces, agent)

    def action_space(self, agent: str) -> Space[Any]:
        """Return the action space of an agent: the same object every time."""
        return space_of(self.action_spaces, agent)

    def state(self) -> Any:
        """Return the global view, a new array in `state_space`."""
        return self.observer.state()


class TwoSides(AgentFace):
    """What the AEC and the parallel face have in common; see :func:`ParallelFace` for the parameters.

    Attributes
    ----------
    session
        The episode in progress.
    observation_layout
        Name of each part of an observation -> its slice.
    state_space
        Of :meth:`state`.
    """

    #: Whether all agents act at once; for `metadata`.
    is_parallelizable: ClassVar[bool]
    #: What `commitment` may be.
    modes: ClassVar[tuple[str, ...]] = ("once", "per_step")
    #: Cycles before play begins.
    opening_rounds: ClassVar[int]
    metadata: dict[str, Any]

    def __init__(
        self,
        game: Game,
        *,
        commitment: str = "once",
        menu: int | Sequence[ArrayLike] | None = None,
        menu_seed: int = 0,
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
        if not is_one_of(commitment, self.modes):
            known = " or ".join(map(repr, self.modes))
            raise ArgumentError(f"commitment: expected {known}, got {commitment!r}")
        per_step = commitment == "per_step"
        if per_step and menu is not None:
            raise ArgumentError("menu: expected None with commitment='per_step', where no commitment is made")
        self._settles = commitment == "episode"
        forms = Forms(normalize, flatten_actions, scale_rewards, scale_observations)
        simulator, steps = formed_simulator(game, forms), self._steps_in(max_cycles)
        session = Session(game, per_step=per_step, max_steps=steps, simulator=simulator)
        self._open(session, forms, observe_commitment, render_mode, renderer)
        self.menu = None if menu is None else Menu(game, menu, menu_seed)
        self.metadata = metadata(name, game, is_parallelizable=self.is_parallelizable)
        self.followers = follower_names(self.session.num_followers)
        self._leader_form = leader_form(game, self._leader_choices(), forms)
        leading = copy_of(self._leader_form.space) if self.menu is None else self.menu.space
        self._make_spaces(
            {LEADER: leading, **{agent: action_space_of(self.session, i) for i, agent in enumerate(self.followers)}}
        )

    def _begin(self, seed: int | None, options: dict[str, Any] | None) -> None:
        """Check the arguments of a reset, then begin an episode with all agents."""
        require_options(options, advice=LEADER_COMMITS, official=True)
        self._restart(require_seed(seed))
        self.agents = self.possible_agents[:]

    def _steps_in(self, max_cycles: int | None) -> int | None:
        """Return the play steps in a number of cycles."""
        if max_cycles is None:
            return None
        least = 1 + self.opening_rounds
        if require_count(max_cycles, "max_cycles") < least:
            raise ArgumentError(f"max_cycles: expected at least {least}, the first of which is the commitment, got 1")
        return max_cycles - self.opening_rounds

    def _leader_choices(self) -> Space[Any] | None:
        """Return what the leader chooses from at every step, for all followers; None where it commits."""
        choices = self.session.simulator.leader_choice_space
        if not self.session.per_step or choices is None:
            return None
        n = len(self.followers)
        joint: Space[Any] = batch_space(choices, n) if n > 1 else choices
        # Clients take one row of numbers: the followers' parts stand one after the other.
        return flatten_space(joint) if isinstance(joint, Box) else joint

    def commitment_of(self, action: Any) -> Any:
        """Return the commitment that an action of the leader means, before it is projected.

        Raises
        ------
        CommitmentError, ActionError
            Wrong shape, a number that is not finite, or nothing on the menu.
        """
        return self._leader_form.meant(action) if self.menu is None else self.menu[action]

    def _leader_acts(self, action: Any) -> None:
        """Pass the leader's action on, by its kind."""
        session = self.session
        if session.per_step:
            session.lead(self._leader_parts(action))
        else:
            session.commit(self.commitment_of(action))

    def _leader_parts(self, action: Any) -> list[Any]:
        """Return the leader's action for each follower; with several followers it brings one for each."""
        n, action = len(self.followers), self._leader_form.meant(action)
        if n == 1:
            return [action]
        if isinstance(action, np.ndarray) and action.ndim == 1 and len(action) > n and len(action) % n == 0:
            return list(action.reshape(n, -1))
        # A 0-dimensional array has no length.
        listed = isinstance(action, list | tuple) or (isinstance(action, np.ndarray) and action.ndim > 0)
        if not listed or len(action) != n:
            raise ActionError(f"{LEADER}: expected {n} actions, one per follower, got {action!r}")
        return list(action)

    def _rewards(self) -> dict[str, float]:
        """Return what everybody is paid for the last round."""
        session = self.session
        leader = session.leader_reward * self._leader_share
        if len(self.followers) == 1:
            return {LEADER: leader, self.followers[0]: session.follower_rewards[0] * self._follower_share}
        rewards = {LEADER: leader}
        paid, share = session.follower_rewards, self._follower_share
        for i, agent in enumerate(self.followers):
            rewards[agent] = paid[i] * share
        return rewards

    def _infos(self) -> dict[str, dict[str, Any]]:
        """Return the followers' records; the leader gets a copy of the only one, or all of them stacked."""
        records = self.session.records
        # The session makes new records every round, so these can be handed out as they are.
        if self.session.masked:
            # No part of the leader's actions is ever forbidden, so it gets no mask.
            leader = records[0].copy() if len(records) == 1 else _stacked(records)
            return {LEADER: leader, **dict(zip(self.followers, self._follower_infos(), strict=True))}
        if len(records) == 1:
            return {LEADER: records[0].copy(), self.followers[0]: records[0]}
        return {LEADER: _stacked(records), **dict(zip(self.followers, records, strict=True))}


def _stacked(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Return several followers' records as one: an array of shape (n, ...) per key."""
    return {key: np.array([record[key] for record in records]) for key in records[0]}


def require_actions(actions: Any, agents: list[str]) -> None:
    """Raise ActionError unless actions are a mapping from agents; a name that nobody has would be passed over."""
    # Asking whether it is a Mapping takes longer than half of a step.
    if type(actions) is not dict and not isinstance(actions, Mapping):
        raise ActionError(f"step: expected a dict of actions by agent, got {type(actions).__name__}")
    for agent in actions:
        if agent not in agents:
            raise ActionError(f"step: expected actions of agents among {agents}, got one of {agent!r}")


def action_of(actions: dict[str, Any], agent: str) -> Any:
    """Return an agent's action, or raise PhaseError if it is missing where it is needed."""
    try:
        return actions[agent]
    except KeyError:
        raise PhaseError(f"step: expected an action of {agent!r} in this round, got {sorted(actions)}") from None


class FeasibleActions(Discrete):
    """The actions of a follower, some of which it cannot always take.

    Without a mask, samples are drawn from those that it can take now: so players of random actions, the official tests
    among them, need to know nothing of masks.

    Parameters
    ----------
    session, i
        Whose turn it is, and the follower's number.
    """

    def __init__(self, session: Session, i: int) -> None:
        super().__init__(session.simulator.follower_action_space.n)  # type: ignore[attr-defined]
        self._session, self._i = session, i

    def sample(self, mask: Any = None, probability: Any = None) -> np.int64:
        """Return an action that can be taken now, or one within a mask or by probabilities."""
        if probability is not None:
            return super().sample(mask, probability)
        masks = self._session.action_masks() if mask is None else None
        return super().sample(mask if masks is None else masks[self._i])

    def __deepcopy__(self, memo: dict[int, Any]) -> FeasibleActions:
        """Return a space of the same session; alone, that is not copied."""
        session = memo.get(id(self._session), self._session)
        twin = FeasibleActions(session, self._i)
        twin._np_random = copy.deepcopy(self._np_random, memo)
        return twin


def action_space_of(session: Session, i: int) -> Space[Any]:
    """Return the action space of follower i, with a random stream of its own."""
    return FeasibleActions(session, i) if session.masked else copy_of(session.simulator.follower_action_space)


def space_of(spaces: dict[str, Space[Any]], agent: str) -> Space[Any]:
    """Return the space of an agent; who does not exist is refused by name."""
    try:
        return spaces[agent]
    except (KeyError, TypeError):
        raise ArgumentError(f"agent: expected one of {', '.join(spaces)}, got {agent!r}") from None


def copy_of(space: Space[Any]) -> Space[Any]:
    """Return an equal space with a random stream of its own."""
    return copy.deepcopy(space)
