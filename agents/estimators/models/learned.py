r"""A model of a game of vectors that publishes no form: regressions on random features, fitted to all play.

A step is a regression of the change of the state, the leader's reward and the end of the episode on the state, both
actions and the context. The follower's response is a regression of its action on the state, the leader's action, the
context and the commitment; so is the leader's own action, unless the commitment can draw it. Each is linear in a
constant, the whitened row and hyperbolic tangents of it, of which half see one coordinate and half all of them. What is
left is Gaussian noise. Several members have different features and different play, and what they disagree on is not
known.

Letters: n commitments, m first states, T steps of play, W state size, D entries of x, F features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import OutputError
from stackelberg_envs.games.samples import Actions, ActionSpec, Samples

from ...observing.brief import VectorBrief
from ...observing.trajectories import Trajectories
from ...state import stateful
from ...state.stateful import Stateful
from ..action_nodes import encode
from ..regression import LeastSquares, Whitening

__all__ = ["LearnedModel", "PlayMemory"]

#: Steps that are kept of play under one commitment, and in all.
STEPS_EACH, STEPS = 200, 20_000
#: Steps that a member is fitted to.
FITTED = 6_000
#: Hyperbolic tangents, their steepness, and the ridge of the regression, relative to its diagonal.
TANGENTS, STEEP, RIDGE = 96, 1.5, 1e-6
MEMBERS = 2
#: First states of imagined play.
STARTS = 16
#: Imagined states stay within this many times the range of those seen, around its middle.
BEYOND = 1.5


class PlayMemory(Stateful):
    """Steps of play under all commitments so far, thinned out evenly.

    Attributes
    ----------
    commitments
        Flat, shape (n, D).
    place
        Under which of them each step was, shape (T,).
    """

    state_fields = stateful.fields(
        commitments=stateful.Array(lambda self: (None, self.commitments.shape[1])),
        place=stateful.Array((None,), dtype=np.int64, low=0),
        state=stateful.Array(lambda self: (None, self.state.shape[1])),
        leader_action=stateful.Array(lambda self: (None, self.leader_action.shape[1])),
        follower_action=stateful.Array(lambda self: (None, self.follower_action.shape[1])),
        next_state=stateful.Array(lambda self: (None, self.next_state.shape[1])),
        leader_reward=stateful.Array((None,)),
        ended=stateful.Array((None,)),
        context=stateful.Array((None,), dtype=np.int64, low=0),
        first=stateful.Array((None,)),
    )

    def __init__(self, brief: VectorBrief) -> None:
        W = brief.state_size
        self.commitments = np.empty((0, brief.commitment.low.size))
        self.place, self.context = np.empty(0, np.int64), np.empty(0, np.int64)
        self.state, self.next_state = np.empty((0, W)), np.empty((0, W))
        self.leader_action = np.empty((0, brief.leader_action_size))
        self.follower_action = np.empty((0, brief.follower_actions.size))
        self.leader_reward, self.ended, self.first = np.empty(0), np.empty(0), np.empty(0)

    def check_state(self, loaded: dict[str, Any], where: str) -> None:
        """Raise OutputError unless there is as much of everything."""
        columns = [name for name in self.state_fields if name != "commitments"]
        if len({len(loaded[name]) for name in columns}) > 1:
            raise OutputError(f"{where}: expected as much of every part of a step, got different numbers")
        if len(loaded["place"]) and loaded["place"].max() >= len(loaded["commitments"]):
            raise OutputError(f"{where}: expected a commitment for each step, got too few")

    def add(self, play: Trajectories, rng: np.random.Generator) -> None:
        """Keep some steps of play under one commitment, first ones among them."""
        T, begins = play.num_steps, play.offsets[:-1]
        chosen = np.unique([*begins[:STARTS], *rng.choice(T, min(T, STEPS_EACH), replace=False)])
        samples, ended, first = play.samples, np.zeros(T), np.zeros(T)
        ended[play.ends], first[begins] = 1.0, 1.0
        added = {
            "place": np.full(len(chosen), len(self.commitments)),
            "state": samples.state[chosen],
            "leader_action": samples.leader_action[chosen],
            "follower_action": np.asarray(samples.follower_action[chosen], np.float64),
            "next_state": samples.next_state[chosen],
            "leader_reward": play.leader_reward[chosen],
            "ended": ended[chosen],
            "context": samples.context[chosen].astype(np.int64),
            "first": first[chosen],
        }
        self.commitments = np.vstack([self.commitments, np.ravel(play.commitment)])
        for name, rows in added.items():
            setattr(self, name, np.concatenate([getattr(self, name), rows]))
        if len(self.place) > STEPS:
            for name in added:
                setattr(self, name, getattr(self, name)[::2])


@dataclass(frozen=True, eq=False)
class _Fit:
    """Targets as a function of rows, and what is left.

    Attributes
    ----------
    whitening
        Of rows.
    mix, shift
        What the tangents see: shapes (R, F) and (F,).
    weights
        Shape (1 + R + F, C).
    noise
        A root of the covariance of what is left, shape (C, C).
    """

    whitening: Whitening
    mix: Array
    shift: Array
    weights: Array
    noise: Array

    @classmethod
    def of(cls, rows: Array, targets: Array, rng: np.random.Generator) -> _Fit:
        whitening = Whitening.of(rows)
        z = whitening(rows)
        R, half = z.shape[1], TANGENTS // 2
        mix = STEEP * rng.standard_normal((R, TANGENTS)) / np.sqrt(R)
        mix[:, :half] = 0.0
        mix[rng.integers(R, size=half), np.arange(half)] = STEEP * np.exp(rng.uniform(0.0, 2.0, half))
        shift = -(z[rng.integers(len(z), size=TANGENTS)] * mix.T).sum(axis=1)
        columns = _columns(z, mix, shift)
        weights = LeastSquares(columns, ridge=RIDGE).solve(targets)
        left = targets - columns @ weights
        noise = np.asarray(np.linalg.qr(left, mode="r")).T / np.sqrt(len(left))
        return cls(whitening, mix, shift, weights, noise)

    def __call__(self, rows: Array, normal: Array) -> Array:
        """Return a draw of the targets, shape (n, C), from standard normal numbers of that shape."""
        return np.asarray(_columns(self.whitening(rows), self.mix, self.shift) @ self.weights + normal @ self.noise.T)


def _columns(z: Array, mix: Array, shift: Array) -> Array:
    return np.concatenate([np.ones((len(z), 1)), z, np.tanh(z @ mix + shift)], axis=1)


@dataclass(frozen=True, eq=False)
class _Member:
    """One model of the game.

    `own` is the leader's action, None where the commitment draws it.
    """

    step: _Fit
    response: _Fit
    own: _Fit | None


class LearnedModel:
    """What a game of vectors looks like after the play that a memory holds.

    Parameters
    ----------
    brief
        Of the leader.
    memory
        The play.
    rng
        Draws features, the play that each member is fitted to, and imagined play.
    """

    def __init__(self, brief: VectorBrief, memory: PlayMemory, rng: np.random.Generator) -> None:
        self.brief, self._memory = brief, memory
        self._moves = "transition" in brief.commitment.changes
        self._pays = "leader_reward" in brief.commitment.changes
        states = np.concatenate([memory.state, memory.next_state])
        low, high = states.min(axis=0), states.max(axis=0)
        self._low, self._high = ((low + high) / 2 + side * BEYOND * (high - low) / 2 for side in (-1, 1))
        begun = np.flatnonzero(memory.first)
        drawn = begun[rng.integers(len(begun), size=STARTS)]
        self._starts, self._contexts = memory.state[drawn], memory.context[drawn]
        C = 2 + brief.state_size + brief.leader_action_size + sum(self._parts)
        self._normal = rng.standard_normal((brief.horizon, STARTS, C))
        self._members = [self._fitted(rng) for _ in range(MEMBERS)]

    @property
    def _parts(self) -> list[int]:
        """How many numbers the response regression gives for each part of the follower's action."""
        spec = self.brief.follower_actions
        return [1] * spec.size if spec.counts is None else [count - 1 for count in spec.counts]

    def values(self, points: Array) -> Array:
        """Return what members expect of commitments of shape (n, D), shape (members, n), reward units."""
        return np.array([self._play(member, points) for member in self._members])

    def _fitted(self, rng: np.random.Generator) -> _Member:
        memory, brief = self._memory, self.brief
        rows = rng.integers(len(memory.place), size=min(FITTED, len(memory.place)))
        state, action, context = memory.state[rows], memory.leader_action[rows], memory.context[rows]
        points = memory.commitments[memory.place[rows]]
        acted = encode(memory.follower_action[rows], brief.follower_actions)
        paid = memory.leader_reward[rows]
        if self._pays:
            paid = paid - self._paid(
                points, state, action, memory.follower_action[rows], memory.next_state[rows], context
            )
        targets = np.column_stack([memory.next_state[rows] - state, paid, memory.ended[rows]])
        step = _Fit.of(self._rows(state, context, action, acted, points if self._moves else None), targets, rng)
        step.noise[brief.state_size :] = 0.0  # rewards and ends count by their means
        response = _Fit.of(self._rows(state, context, action, points), acted, rng)
        drawn = not brief.leader_action_size or hasattr(brief.commitment, "draw")
        own = None if drawn else _Fit.of(self._rows(state, context, points), action, rng)
        return _Member(step, response, own)

    def _rows(self, state: Array, context: NDArray[np.int64], *others: Array | None) -> Array:
        K = self.brief.num_contexts
        indicators = np.eye(K)[context][:, 1:]
        return np.concatenate([state, indicators, *(other for other in others if other is not None)], axis=1)

    def _paid(self, points: Array, *step: Any) -> Array:
        """Return what commitments add to the leader's rewards at steps, one commitment for each."""
        state, action, acted, following, context = step
        commitment: Any = self.brief.commitment
        out, shape = np.zeros(len(state)), commitment.low.shape
        unique, place = np.unique(points, axis=0, return_inverse=True)
        for i, point in enumerate(unique):
            here = place.ravel() == i
            samples = Samples(
                state=state[here],
                leader_action=action[here],
                follower_action=acted[here],
                next_state=following[here],
                context=context[here].astype(np.int32),
            )
            added = commitment.effect_at(point.reshape(shape), samples).leader_reward
            out[here] = 0.0 if added is None else added
        return out

    def _play(self, member: _Member, points: Array) -> Array:
        """Return discounted returns of imagined play under commitments, shape (n,), from the same first states."""
        brief, W, A = self.brief, self.brief.state_size, self.brief.leader_action_size
        n, m = len(points), STARTS
        state, context = np.tile(self._starts, (n, 1)), np.tile(self._contexts, n)
        under, goes, total = np.repeat(points, m, axis=0), np.ones(n * m), np.zeros(n * m)
        for t in range(brief.horizon):
            normal = np.tile(self._normal[t], (n, 1))
            action = self._action(member, state, context, under, normal[:, :A], t)
            drawn = member.response(self._rows(state, context, action, under), normal[:, A + W + 2 :])
            acted, code = _legal(drawn, brief.follower_actions, self._parts)
            rows = self._rows(state, context, action, code, under if self._moves else None)
            made = member.step(rows, normal[:, A : A + W + 2])
            following = np.clip(state + made[:, :W], self._low, self._high)
            paid = made[:, W]
            if self._pays:
                paid = paid + self._paid(under, state, action, acted, following, context)
            total += brief.leader_discount**t * goes * paid
            goes *= 1.0 - np.clip(made[:, W + 1], 0.0, 1.0)
            state = following
        return np.asarray(total.reshape(n, m).mean(axis=1))

    def _action(
        self, member: _Member, state: Array, context: NDArray[np.int64], under: Array, normal: Array, t: int
    ) -> Array:
        """Return the leader's actions, shape (n m, A)."""
        commitment: Any = self.brief.commitment
        A = self.brief.leader_action_size
        if not A:
            return np.empty((len(state), 0))
        if member.own is not None:
            return member.own(self._rows(state, context, under), normal)
        parts = []
        for i in range(0, len(state), STARTS):
            x = under[i].reshape(commitment.low.shape)
            parts.append(commitment.draw(np.random.default_rng(t), x, state[i : i + STARTS]))
        return np.concatenate(parts)


def _legal(drawn: Array, spec: ActionSpec, parts: list[int]) -> tuple[Actions, Array]:
    """Return follower actions and their code from draws of the regression: clipped, or the likeliest choices."""
    if spec.counts is None:
        clipped = np.clip(drawn, spec.low, spec.high)
        return clipped, clipped
    choices = []
    for columns in np.split(drawn, np.cumsum(parts)[:-1], axis=1):
        first = 1.0 - columns.sum(axis=1, keepdims=True)
        choices.append(np.argmax(np.concatenate([first, columns], axis=1), axis=1))
    actions = np.stack(choices, axis=1)
    return actions, encode(actions, spec)
