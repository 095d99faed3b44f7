"""Play as an observer sees it: single steps and whole episodes; arrays only, with no game behind them."""

from __future__ import annotations

import copy
import io
import zipfile
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, IntArray, refuse_laden
from stackelberg_envs.errors import ArgumentError

__all__ = ["Samples", "Trajectories", "concatenate"]

#: Fields with an entry per step or per episode.
PLAY = (
    "state",
    "leader_action",
    "follower_action",
    "next_state",
    "leader_reward",
    "follower_reward",
    "terminated",
    "context",
    "whole",
)


#: What has one entry a step.
STEPS = ("state", "leader_action", "follower_action", "next_state", "leader_reward", "follower_reward")


@dataclass(frozen=True, eq=False)
class Samples:
    """Recorded steps.

    Attributes
    ----------
    state, next_state
        Shape (T, W).
    leader_action
        Shape (T, A); A = 0 where the leader only configures.
    follower_action
        Shape (T, B), float64 for boxes; integers for Discrete (B = 1) and MultiDiscrete actions.
    context
        Shape (T,).
    """

    state: Array
    leader_action: Array
    follower_action: NDArray[Any]
    next_state: Array
    context: IntArray

    def __len__(self) -> int:
        """T."""
        return len(self.state)


@dataclass(frozen=True, eq=False)
class Trajectories:
    """Play of N episodes, T steps in all, as flat arrays and episode offsets.

    Attributes
    ----------
    commitment
        The x that was in force.
    num_states
        S, to tell joint states from states; 0 in vector games.
    state, leader_action, follower_action, next_state
        Shape (T,), int32; states are within their context, 0..S-1. In vector games vectors: states of shape (T, W),
        leader actions (T, A), follower actions (T, B).
    leader_reward
        Shape (T,), reward units.
    follower_reward
        Shape (T,), or None where the leader's level does not include it.
    offsets
        Episode i covers steps offsets[i]:offsets[i + 1]; shape (N + 1,).
    terminated
        Whether an episode ended in a terminal state; the others were cut by the horizon or the step budget.
    context
        Shape (N,), int32.
    response
        The follower's policy, shape (Z, A, B), for leaders of level RESPONSE and above; else None. Of several
        followers the mean of their tables. In games of vectors it is no table but an object with `sample`, and only
        leaders of level MODEL are shown it.
    whole
        Shape (N,): whether an episode was played to its end or to the horizon; the others were cut by the step budget.
        Where it is not given, those that terminated.
    """

    commitment: Array
    num_states: int
    state: Any
    leader_action: Any
    follower_action: Any
    next_state: Any
    leader_reward: Array
    follower_reward: Array | None
    offsets: NDArray[np.int64]
    terminated: NDArray[np.bool_]
    context: IntArray
    response: Any = None
    whole: Any = None

    @classmethod
    def of_loop(cls, **arrays: Any) -> Trajectories:
        """Return what a loop of the library has recorded: every field, right as it is, and what else it knows."""
        play = object.__new__(cls)
        vars(play).update(arrays)
        return play

    def __post_init__(self) -> None:
        for name, array in _checked_play(self).items():
            object.__setattr__(self, name, array)
        whole = self.terminated if self.whole is None else self.whole | self.terminated
        object.__setattr__(self, "whole", np.asarray(whole, dtype=np.bool_))

    @property
    def num_steps(self) -> int:
        """T."""
        return len(self.state)

    @cached_property
    def samples(self) -> Samples:
        """The steps of a vector game as samples, at which its commitment can be differentiated."""
        return Samples(
            state=self.state,
            leader_action=self.leader_action,
            follower_action=self.follower_action,
            next_state=self.next_state,
            context=np.repeat(self.context, self.lengths),
        )

    @property
    def num_episodes(self) -> int:
        """N."""
        return len(self.terminated)

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Steps of each episode, shape (N,)."""
        return np.diff(self.offsets)

    @cached_property
    def joint_state(self) -> IntArray:
        """Z = context * S + state, shape (T,)."""
        return self._joint(self.state)

    @cached_property
    def next_joint_state(self) -> IntArray:
        """The same for the next states, shape (T,)."""
        return self._joint(self.next_state)

    def _joint(self, states: IntArray) -> IntArray:
        if not self.context.any():
            return states
        return np.asarray(np.repeat(self.context, self.lengths) * self.num_states + states, dtype=np.int32)

    @cached_property
    def ends(self) -> NDArray[np.bool_]:
        """True at the last step of each terminated episode, shape (T,)."""
        out = np.zeros(len(self.state), dtype=np.bool_)
        out[self.offsets[1:][self.terminated] - 1] = True
        return out

    @cached_property
    def step_weights(self) -> Array:
        """Weight of the t-th step of an episode, so that cut episodes do not bias sums over time.

        One over the number of episodes not cut before t: those still running and those that had ended.
        """
        longest = int(self.lengths.max())
        cut_at = np.bincount(self.lengths[~self.terminated], minlength=longest + 1)[: longest + 1]
        at_risk = len(self.terminated) - np.cumsum(cut_at)[:longest]
        return np.asarray(1.0 / np.maximum(at_risk, 1))

    @cached_property
    def time(self) -> NDArray[np.int64]:
        """How many steps into its episode each step is, shape (T,)."""
        return np.asarray(np.arange(len(self.state)) - np.repeat(self.offsets[:-1], self.lengths))

    def mean_return(self, discount: float) -> float:
        """Estimate the expected discounted leader return of an episode as it is played, reward units.

        Play is cut at the horizon, so this estimates ``solve(game, x).episode.leader_value`` and not ``leader_value``,
        which is that of play without end.

        It is the mean over whole episodes. Where every episode fits into the step budget it is unbiased, although
        short episodes are whole more often: those before the cut one are exchangeable, so their mean has the
        expectation of the first. Where none is whole it is the return of the steps that were seen, each averaged over
        the episodes not cut before it, and of nothing beyond them.
        """
        return float(self.returns(discount).mean())

    def returns(self, discount: float) -> Array:
        """Discounted leader return of each whole episode, in order, shape (number of whole episodes,), reward units.

        An episode cut by the step budget is left out. Where none is whole there is one number, the one that
        :meth:`mean_return` describes.
        """
        rewards = discount**self.time * self.leader_reward
        if not self.whole.any():
            return np.array([rewards @ self.step_weights[self.time]])
        return np.asarray(np.add.reduceat(rewards, self.offsets[:-1])[self.whole])

    def without(self, *names: str) -> Trajectories:
        """Return the same play with the named optional fields removed: "follower_reward", "response"."""
        play = copy.copy(self)
        vars(play).update(dict.fromkeys(names))
        return play

    def to_bytes(self) -> bytes:
        """Serialise as an uncompressed npz archive, without pickle."""
        buffer = io.BytesIO()
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        np.savez(buffer, **{name: value for name, value in values.items() if value is not None})
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Trajectories:
        """Read what :meth:`to_bytes` wrote; pickled objects are refused.

        Raises
        ------
        ArgumentError
            Not such an archive, or one with fields missing.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as archive:
                values = {name: archive[name] for name in archive.files}
            values["num_states"] = int(values["num_states"])
            return cls(**{"follower_reward": None, **values})
        except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile) as exc:
            raise ArgumentError(f"trajectories: expected bytes written by to_bytes, got {exc}") from exc


def _checked_play(play: Trajectories) -> dict[str, NDArray[Any]]:
    """Return the arrays of a play, whoever made it: plain ones, as long as its steps or its episodes are many."""
    arrays = {}
    for item in fields(play):
        value = getattr(play, item.name)
        if value is None or item.name == "num_states":
            continue
        refuse_laden(value, item.name, ArgumentError)
        array = arrays[item.name] = np.asarray(value)
        if array.dtype.kind not in "fiub":
            raise ArgumentError(f"{item.name}: expected numbers, got {array.dtype}")
    T, N = len(arrays["state"]), len(np.atleast_1d(arrays["terminated"]))
    for name in STEPS:
        if name in arrays and (not arrays[name].ndim or len(arrays[name]) != T):
            raise ArgumentError(f"{name}: expected one entry for each of {T} steps, got shape {arrays[name].shape}")
    for name in ("leader_reward", "follower_reward"):
        if name in arrays and not np.isfinite(arrays[name]).all():
            raise ArgumentError(f"{name}: expected finite numbers, got {arrays[name][~np.isfinite(arrays[name])][0]}")
    if arrays["context"].shape != (N,):
        raise ArgumentError(f"context: expected shape {(N,)}, one for each episode, got {arrays['context'].shape}")
    offsets = arrays["offsets"]
    ordered = offsets.shape == (N + 1,) and offsets.dtype.kind in "iu" and (np.diff(offsets) >= 0).all()
    if not ordered or offsets[0] != 0 or offsets[-1] != T:
        raise ArgumentError(f"offsets: expected {N + 1} rising integers from 0 to {T}, got {offsets}")
    return arrays


def concatenate(parts: list[Trajectories]) -> Trajectories:
    """Return the play of all parts, one after the other, as one; what one of them lacks is left out.

    Raises
    ------
    ArgumentError
        No parts, or parts under different commitments.
    """
    if not parts:
        raise ArgumentError("concatenate: expected at least one part, got none")
    first = parts[0]
    if len(parts) == 1:
        return first
    if any(not np.array_equal(part.commitment, first.commitment) for part in parts[1:]):
        raise ArgumentError("concatenate: expected play under one commitment, got several")
    before = np.cumsum([0, *(part.num_steps for part in parts)])[:-1]
    starts = [part.offsets[:-1] + shift for part, shift in zip(parts, before, strict=True)]
    values: dict[str, Any] = {name: [getattr(part, name) for part in parts] for name in PLAY}
    joined: dict[str, Any] = {
        name: None if any(array is None for array in arrays) else np.concatenate(arrays)
        for name, arrays in values.items()
    }
    offsets = np.append(np.concatenate(starts), sum(part.num_steps for part in parts))
    return replace(first, offsets=offsets, **joined)
