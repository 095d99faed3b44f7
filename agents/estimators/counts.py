"""What an observer counts: actions, visits, rewards, and the dynamics in successor lists that grow as they fill.

And what follows from counts: the follower's policy, and values by least-squares temporal differences.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, IntArray, require_at_least
from stackelberg_envs.errors import InformationError, OutputError
from stackelberg_envs.games.primitives import DecisionProcess
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.jit import compiled, slice_of
from stackelberg_envs.solvers.soft.linear import action_values, resolvent

from ..observing.trajectories import Trajectories
from ..state import stateful
from ..state.stateful import Stateful
from .counted_ends import counted_end

__all__ = [
    "Announced",
    "BehaviourEstimate",
    "EvaluationTask",
    "Lstd",
    "Player",
    "RecordedSteps",
    "TabularCounts",
    "count_actions",
    "count_successors",
    "even_policy",
    "rewards_of",
    "scatter_add",
]

Player = Literal["leader", "follower"]
#: By player, the part of the rewards that a commitment sets, shape (Z, A, B), or None.
Announced = Mapping[Player, Array | None]

FIRST_WIDTH = 4


class RecordedSteps(NamedTuple):
    """What was recorded, as compiled loops take it: joint states and actions of each step, shape (T,).

    Attributes
    ----------
    state, leader_action, follower_action, next_state
        Each of shape (T,).
    ends
        True at the last step of each terminated episode.
    """

    state: IntArray
    leader_action: IntArray
    follower_action: IntArray
    next_state: IntArray
    ends: NDArray[np.bool_]

    @classmethod
    def of(cls, seen: Trajectories) -> RecordedSteps:
        """Return those of some play."""
        return cls(seen.joint_state, seen.leader_action, seen.follower_action, seen.next_joint_state, seen.ends)


#: Relative to the largest expected reward of a step.
EVALUATION_TOLERANCE = 1e-9


class TabularCounts(Stateful):
    """What was seen of each (z, a, b) under all commitments: visits, rewards, and where it led.

    Counted once an update, for all that evaluate with it. Rewards are summed without the part that a commitment sets,
    so that the sums serve every commitment.

    Parameters
    ----------
    shape
        (Z, A, B).
    num_contexts
        K: the first Z / K joint states belong to context 0, and so on; no step leads from one to another.
    stationary
        Whether the dynamics are the same under every commitment. If not, successors are those under the present one.

    Attributes
    ----------
    starts, ends
        How many episodes began and ended where, shape (Z,).
    visits
        Shape (Z, A, B).
    leader_reward, follower_reward
        Sums, reward units, shape (Z, A, B); the latter zero where it is not observed.
    successors, counts
        How often each (z, a, b) led where, shape (Z, A, B, N); rows never seen lead nowhere.
    """

    state_fields = stateful.fields(
        starts=stateful.Array(low=0.0),
        ends=stateful.Array(low=0.0),
        visits=stateful.Array(low=0.0),
        leader_reward=stateful.Array(),
        follower_reward=stateful.Array(),
        # Kernels use successors as they are, so none may lie outside the table.
        successors=stateful.Array(lambda self: self.lists_shape, low=0, high=lambda self: len(self.visits) - 1),
        counts=stateful.Array(lambda self: self.lists_shape, low=0.0),
    )

    def __init__(self, shape: tuple[int, int, int], num_contexts: int = 1, *, stationary: bool = True) -> None:
        self.num_contexts, self.stationary = num_contexts, stationary
        self.starts, self.ends = np.zeros(shape[0]), np.zeros(shape[0])
        self.visits, self.leader_reward, self.follower_reward = (np.zeros(shape) for _ in range(3))
        self._forget_successors()

    def _forget_successors(self) -> None:
        shape = (*self.visits.shape, FIRST_WIDTH)
        self.successors, self.counts = np.zeros(shape, dtype=np.int32), np.zeros(shape)

    @property
    def lists_shape(self) -> tuple[int | None, ...]:
        """Z, A, B, and any width."""
        return (*self.visits.shape, None)

    def check_state(self, loaded: dict[str, Any], where: str) -> None:
        """Raise OutputError unless there is a count for each successor."""
        shapes = loaded["successors"].shape, loaded["counts"].shape
        if shapes[0] != shapes[1] or not shapes[0][-1]:
            raise OutputError(f"{where}: expected as many counts as successors, got {shapes[1]} and {shapes[0]}")

    def observe(self, trajectories: Trajectories, announced: Announced, *, usual_starts: bool = True) -> None:
        """Count the recorded steps.

        Parameters
        ----------
        trajectories
            What was observed under one commitment.
        announced
            By player whose rewards are to be counted, the part of them that this commitment sets.
        usual_starts
            Whether its episodes began where those of the game do.

        Raises
        ------
        InformationError
            Rewards that are to be counted were not observed.
        """
        z, a, b = trajectories.joint_state, trajectories.leader_action, trajectories.follower_action
        steps, paid = RecordedSteps(z, a, b, trajectories.next_joint_state, trajectories.ends), []
        for player, own in announced.items():
            rewards = rewards_of(trajectories, player)
            paid.append((player, rewards if own is None else rewards - own[z, a, b]))
        if usual_starts:
            np.add.at(self.starts, z[trajectories.offsets[:-1]], 1.0)
        np.add.at(self.ends, z[trajectories.ends], 1.0)
        count_actions(z, a, b, self.visits)
        for player, rewards in paid:
            scatter_add(z, a, b, rewards, getattr(self, f"{player}_reward"))
        if not self.stationary:
            self._forget_successors()
        done, T = 0, len(z)
        while done < T:
            last = min(T, done + slice_of(self.counts.shape[3]))
            done = count_successors(steps, done, last, self.successors, self.counts)
            if done < last:  # at a list without a free place
                self.successors = np.concatenate([self.successors, np.zeros_like(self.successors)], axis=-1)
                self.counts = np.concatenate([self.counts, np.zeros_like(self.counts)], axis=-1)

    def mean_reward(self, player: Player, announced: Array | None = None) -> Array:
        """Return the mean reward of each (z, a, b), shape (Z, A, B), zero where none was seen.

        Parameters
        ----------
        player
            Whose.
        announced
            The part that the present commitment sets, shape (Z, A, B); it is put back.
        """
        mean: Array = getattr(self, f"{player}_reward") / np.maximum(self.visits, 1.0)
        return mean if announced is None else np.where(self.visits > 0, mean + announced, 0.0)

    def evaluate(
        self, reward: Array, leader_policy: Array, behaviour: Array, discount: float, entropy_bonus: Array | None = None
    ) -> Array:
        """Return the action values of both policies in the counted model, shape (Z, A, B).

        Parameters
        ----------
        reward
            Mean reward, shape (Z, A, B).
        leader_policy, behaviour
            f(a | z), shape (Z, A), and g(b | z, a), shape (Z, A, B).
        discount
            Per play step.
        entropy_bonus
            Added to the action values wherever they are averaged, shape (Z, A, B).
        """
        # Relative frequencies; rows never seen lead nowhere.
        totals = self.counts.sum(axis=-1, keepdims=True)
        model = Transition(self.successors, self.counts / np.maximum(totals, 1.0))
        going = np.ones(len(reward))
        ends, most = counted_end(discount, model, going, float(self.visits.sum()))
        process = DecisionProcess(reward, model, going, min(discount, most), self.num_contexts, ends)
        joint_policy = leader_policy[:, :, None] * behaviour
        system = resolvent(process, joint_policy)
        earned = reward if entropy_bonus is None else reward + entropy_bonus
        expected = np.einsum("zab,zab->z", joint_policy, earned)
        values = system.solve(expected, EVALUATION_TOLERANCE * float(np.abs(expected).max()))
        return action_values(process, values)


@dataclass(frozen=True, eq=False)
class EvaluationTask:
    """What a critic evaluates: a player's rewards under a leader's policy and the follower's behaviour.

    Attributes
    ----------
    trajectories
        What was observed under the present commitment.
    player
        Whose rewards.
    leader_policy, behaviour
        f, shape (Z, A), and the estimated g, shape (Z, A, B).
    entropy_bonus
        Added to q wherever it is averaged, shape (Z, A, B): the follower's entropy.
    announced_reward
        The part of the rewards that the present commitment sets, shape (Z, A, B).
    """

    trajectories: Trajectories
    player: Player
    leader_policy: Array
    behaviour: Array
    entropy_bonus: Array | None = None
    announced_reward: Array | None = None

    @property
    def rewards(self) -> Array:
        """The observed rewards, reward units, shape (T,).

        Raises
        ------
        InformationError
            They were not observed.
        """
        return rewards_of(self.trajectories, self.player)


class Lstd(Stateful):
    """Least-squares temporal differences on the table: expected SARSA's fixed point on all steps seen, solved.

    Dynamics are counted over all commitments (they do not depend on an incentive or a policy); rewards too,
    less the part the leader itself sets and knows. Only the behaviour has to be the present one.

    Parameters
    ----------
    counts
        All that was seen, the play to learn from included; others may read it too.
    discount
        Per play step.
    """

    uses_counts = True
    state_fields = stateful.fields(q=stateful.Array())

    def __init__(self, counts: TabularCounts, discount: float) -> None:
        self.q = np.zeros(counts.visits.shape)
        self.counts = counts
        self.discount = discount

    def update(self, task: EvaluationTask) -> float:
        """Solve for the values; return their mean absolute change at the steps of the present commitment."""
        seen = task.trajectories
        z, a, b = seen.joint_state, seen.leader_action, seen.follower_action
        mean = self.counts.mean_reward(task.player, task.announced_reward)
        before = self.q[z, a, b]
        self.q = self.counts.evaluate(mean, task.leader_policy, task.behaviour, self.discount, task.entropy_bonus)
        return float(np.abs(self.q[z, a, b] - before).mean())


class BehaviourEstimate(Stateful):
    """Counts of follower actions under the present commitment, backed by the last estimate.

    Parameters
    ----------
    shape
        (Z, A, B).
    prior_visits
        Weight of the last commitment's estimate, in visits: it decides where the present one was never seen,
        and steadies rows seen a few times.
    feasible
        Which actions can be taken, shape (Z, A, B); default all.

    Attributes
    ----------
    policy
        The estimate of g(b | z, a), shape (Z, A, B); the last axis sums to one, rows never seen are uniform.
    """

    state_fields = stateful.fields(policy=stateful.Array(low=0.0, high=1.0), _seen=stateful.Array())

    def __init__(
        self, shape: tuple[int, int, int], prior_visits: float = 1.0, feasible: NDArray[np.bool_] | None = None
    ) -> None:
        self.policy = even_policy(shape, feasible)
        self.prior_visits = require_at_least(prior_visits, 0.0, "prior_visits")
        self._seen = np.zeros((*shape[:2], 1), dtype=np.bool_)

    def update(self, trajectories: Trajectories) -> Array:
        """Return the estimate after one more commitment's play, shape (Z, A, B)."""
        counts = np.where(self._seen, self.prior_visits * self.policy, 0.0)
        count_actions(trajectories.joint_state, trajectories.leader_action, trajectories.follower_action, counts)
        totals = counts.sum(axis=2, keepdims=True)
        self.policy = np.divide(counts, totals, out=self.policy.copy(), where=totals > 0)
        self._seen |= totals > 0
        return self.policy


def even_policy(shape: tuple[int, int, int], feasible: NDArray[np.bool_] | None) -> Array:
    """Return the policy that takes all feasible actions alike, shape (Z, A, B)."""
    if feasible is None:
        return np.full(shape, 1.0 / shape[2])
    return np.asarray(feasible / feasible.sum(axis=2, keepdims=True))


def rewards_of(trajectories: Trajectories, player: Player) -> Array:
    """Return the observed rewards of a player, reward units, shape (T,).

    Raises
    ------
    InformationError
        They were not observed.
    """
    rewards = trajectories.leader_reward if player == "leader" else trajectories.follower_reward
    if rewards is None:
        raise InformationError(f"expected the {player}'s rewards, got none; this game keeps them private")
    return rewards


@compiled
def count_actions(states: IntArray, leader_actions: IntArray, follower_actions: IntArray, out: Array) -> None:
    """Add one to `out` (Z, A, B) for every recorded step."""
    for t in range(states.shape[0]):
        out[states[t], leader_actions[t], follower_actions[t]] += 1.0


@compiled
def scatter_add(
    states: IntArray, leader_actions: IntArray, follower_actions: IntArray, values: Array, out: Array
) -> None:
    """Add `values` (T,) to `out` (Z, A, B) where the steps were."""
    for t in range(states.shape[0]):
        out[states[t], leader_actions[t], follower_actions[t]] += values[t]


@compiled
def count_successors(
    steps: RecordedSteps,
    first: int,
    last: int,
    successors: IntArray,
    counts: Array,
) -> int:
    """Count where the steps from `first` to `last` - 1 led; returns the step reached.

    `successors` and `counts` (Z, A, B, N) are modified in place; a place with count zero is free. Stops at
    the first step whose list is full. Steps that end an episode lead nowhere and are passed over.
    """
    N = counts.shape[3]
    for t in range(first, last):
        if steps.ends[t]:
            continue
        s, a, b, u = steps.state[t], steps.leader_action[t], steps.follower_action[t], steps.next_state[t]
        n = 0
        while n < N and counts[s, a, b, n] > 0.0 and successors[s, a, b, n] != u:
            n += 1
        if n == N:
            return t
        successors[s, a, b, n] = u
        counts[s, a, b, n] += 1.0
    return last
