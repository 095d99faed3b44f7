"""Flat float32 observations: what each number means, and how they are kept up to date cheaply.

Layout, in this order; a part that a game does not have is left out::

    state           own state: one-hot, or a number in [0, 1] beyond 1000 states
    leader_action   the leader's action of this step, one-hot, shown before the follower acts
    context         one-hot
    commitment      the commitment in force ("all": x; "local": its row for the own state)
    phase           two numbers: in the commitment phase, in play
    time            play steps made, as a part of the horizon

The leader's own state is the follower's; with several followers, the mean over them (so the shares of
followers in each state). Whatever is not drawn yet is zero.
"""

from __future__ import annotations

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.faces.forms import Sizes
from stackelberg_envs.games.tabular import Game
from stackelberg_envs.play.session import COMMITMENT, READY, Session, neutral_commitment
from stackelberg_envs.play.simulators import Bounds

__all__ = ["OBSERVE_COMMITMENT", "Observer", "is_one_of", "local_rows"]

OBSERVE_COMMITMENT = ("all", "local", "none")
Row = NDArray[np.float32]


class Observer:
    """The observations of one session.

    Parameters
    ----------
    session
        The session.
    observe_commitment
        "all", "local" or "none". "local" falls back to "all" for commitments without a row per state.
    sizes
        Observations are divided by them, and the commitment by its bounds; None leaves all as it is.

    Attributes
    ----------
    layout
        Name of each part -> its slice.
    space
        Of every agent's observation.
    observes
        "all", "local" or "none": what became of `observe_commitment`.
    rows
        What each follower observes, kept up to date in place, before it is divided by sizes.
    state_layout, state_space
        The same for :meth:`state`.
    """

    def __init__(self, session: Session, observe_commitment: str = "all", sizes: Sizes | None = None) -> None:
        if not is_one_of(observe_commitment, OBSERVE_COMMITMENT):
            raise ArgumentError(f"observe_commitment: expected 'all', 'local' or 'none', got {observe_commitment!r}")
        self.session = session
        self._simulator = session.simulator
        self.observes = _observed_part(session, observe_commitment)
        bounds = self._bounds(_commitment_bounds(session, self.observes))
        self.layout = _layout(bounds)
        #: What each number is multiplied by on its way out; None leaves all as it is.
        self.factors = None if sizes is None else _factors(bounds, sizes)
        self.space = _box(bounds, self.factors)
        central = self._central_bounds(bounds)
        self.state_layout = _layout(central)
        self._state_factors = None if sizes is None else _factors(central, sizes)
        self.state_space = _box(central, self._state_factors)
        self._several = session.num_followers > 1
        self._tick = 1.0 / session.horizon
        self._time = self.space.shape[0] - 1
        self._action_start = self.layout["leader_action"].start if "leader_action" in self.layout else 0
        self.restart()

    def _bounds(self, commitment: Bounds) -> dict[str, Bounds]:
        simulator, K = self._simulator, self.session.game.num_contexts
        contexts = K if K > 1 else 0
        parts = {
            "state": simulator.state_bounds,
            "leader_action": simulator.leader_action_bounds,
            "context": (np.zeros(contexts, np.float32), np.ones(contexts, np.float32)),
            "commitment": commitment,
            "phase": (np.zeros(2, np.float32), np.ones(2, np.float32)),
            "time": (np.zeros(1, np.float32), np.ones(1, np.float32)),
        }
        return {name: part for name, part in parts.items() if part[0].size}

    def _central_bounds(self, bounds: dict[str, Bounds]) -> dict[str, Bounds]:
        n = self.session.num_followers
        central = dict(bounds)
        for name in ("state", "leader_action"):
            if name in bounds:
                central[name] = (np.tile(bounds[name][0], n), np.tile(bounds[name][1], n))
        central.pop("commitment", None)
        if not self.session.per_step:
            central["commitment"] = _commitment_bounds(self.session, "all")
        return central

    def restart(self) -> None:
        """Write the observations of a session that was just reset."""
        session = self.session
        n, width = session.num_followers, self.space.shape[0]
        self.rows: list[Row] = [np.zeros(width, np.float32) for _ in range(n)]
        self._states = [None] * n
        self._actions = [None] * n
        self._x = np.zeros(session.game.commitment.low.size, np.float32)
        self._local: Row | None = None
        self._committing = session.phase in (READY, COMMITMENT)
        if session.context is not None:
            self._show_episode()
        self._show_phase()
        if session.context is not None:
            self.update()

    def begin_play(self) -> None:
        """Write what the leader's first action changed."""
        self._committing = False
        self._show_episode()
        self._show_phase()
        self.update()

    def _show_phase(self) -> None:
        for row in self.rows:
            row[self.layout["phase"]] = (1.0, 0.0) if self._committing else (0.0, 1.0)

    def _show_episode(self) -> None:
        """Write what stays the same until the end: the context and the commitment."""
        session = self.session
        if session.x is not None:
            self._x = session.x.astype(np.float32).ravel()
            if self.observes == "local":
                self._local = local_rows(session.game, session.x)
        for row in self.rows:
            if "context" in self.layout:
                row[self.layout["context"].start + session.context] = 1.0
            if self.observes == "all":
                row[self.layout["commitment"]] = self._x

    def update(self) -> None:
        """Write what a round changed: states, the leader's actions, the time."""
        session, simulator = self.session, self._simulator
        elapsed = session.played * self._tick
        shows_actions = session.has_leader_actions
        for i, row in enumerate(self.rows):
            state = session.states[i]
            simulator.write_state(row, self._states[i], state)
            self._states[i] = state
            row[self._time] = elapsed
            if shows_actions:
                action = session.leader_actions[i]
                simulator.write_leader_action(row, self._action_start, self._actions[i], action)
                self._actions[i] = action
            if self._local is not None:
                row[self.layout["commitment"]] = self._local[state]

    def follower(self, i: int) -> Row:
        """Return a new array: what follower i observes."""
        return self.rows[i].copy() if self.factors is None else self.rows[i] * self.factors

    def leader(self) -> Row:
        """Return a new array: what the leader observes."""
        row = self.rows[0].copy()
        if self._several:
            # In float64, so that the mean of equal float32 numbers is that number and stays in bounds.
            end = self.layout["phase"].start
            row[:end] = np.mean([other[:end] for other in self.rows], axis=0, dtype=np.float64)
        return row if self.factors is None else row * self.factors

    def state(self) -> Row:
        """Return the global view: every state and shown action, context, phase, time, commitment."""
        rows = self.rows
        parts = [row[self.layout["state"]] for row in rows]
        if "leader_action" in self.layout:
            parts += [row[self.layout["leader_action"]] for row in rows]
        parts += [rows[0][self.layout[name]] for name in ("context", "phase", "time") if name in self.layout]
        if "commitment" in self.state_layout:
            parts.append(self._x)
        seen = np.concatenate(parts)
        return seen if self._state_factors is None else seen * self._state_factors


def is_one_of(value: object, choices: tuple[str, ...]) -> bool:
    """Return whether a value is one of some words; an array, which compares entry by entry, is none."""
    return isinstance(value, str) and value in choices


def _observed_part(session: Session, wanted: str) -> str:
    if session.per_step:
        return "none"
    if wanted == "local" and local_rows(session.game, neutral_commitment(session.game)) is None:
        return "all"
    return wanted


def local_rows(game: Game, x: Array) -> Row | None:
    """Return the commitment's row of each state as float32, shape (S, L), or None."""
    rows = game.commitment.local(x)
    return None if rows is None else np.asarray(rows, dtype=np.float32)


def _commitment_bounds(session: Session, observed: str) -> Bounds:
    """Return bounds that contain zero, which stands for "none yet"."""
    commitment = session.game.commitment
    if observed == "none":
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    low, high = np.asarray(commitment.low), np.asarray(commitment.high)
    if observed == "local":
        rows = np.concatenate([np.asarray(commitment.local(bound)) for bound in (low, high)])
        low, high = rows.min(axis=0), rows.max(axis=0)
    greatest = max(float(np.abs(low).max(initial=0.0)), float(np.abs(high).max(initial=0.0)))
    if greatest > float(np.finfo(np.float32).max):
        raise ArgumentError(
            f"game: expected commitments that float32 holds, as observations do, got bounds of {greatest:g}: "
            "give it in larger units"
        )
    return (
        np.minimum(low, 0.0).astype(np.float32).ravel(),
        np.maximum(high, 0.0).astype(np.float32).ravel(),
    )


def _layout(bounds: dict[str, Bounds]) -> dict[str, slice]:
    layout, start = {}, 0
    for name, (low, _) in bounds.items():
        layout[name] = slice(start, start + low.size)
        start += low.size
    return layout


def _factors(bounds: dict[str, Bounds], sizes: Sizes) -> Row:
    """Return what each number of an observation is multiplied by."""
    factors = {name: np.ones(low.size) for name, (low, _) in bounds.items()}
    known = {"state": sizes.state, "leader_action": sizes.leader_action}
    if "commitment" in bounds:
        largest = np.maximum(*map(np.abs, bounds["commitment"]))
        known["commitment"] = np.where(largest > 0, largest, 1.0)
    for name in factors.keys() & known.keys():
        # The global view has the states of all followers, one after the other.
        factors[name] = 1.0 / np.tile(known[name], factors[name].size // known[name].size)
    return np.concatenate(list(factors.values())).astype(np.float32)


def _box(bounds: dict[str, Bounds], factors: Row | None) -> Box:
    low = np.concatenate([part[0] for part in bounds.values()])
    high = np.concatenate([part[1] for part in bounds.values()])
    return Box(low, high, dtype=np.float32) if factors is None else Box(low * factors, high * factors, dtype=np.float32)
