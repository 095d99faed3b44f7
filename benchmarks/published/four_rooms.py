"""What the Four-Rooms code published with BC-HG does otherwise than our leaders, as options of leaders of its own.

akimotolab/BC-HG, configurable_mdp/train_four_rooms_*.py. The three classes are `bchg`, `hpgd` and `naive` on tables,
with :class:`PublishedOptions` beside their own. ``agents.register_leader("published_bchg")(PublishedBchg)`` names one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from agents.estimators.counts import EvaluationTask
from agents.leaders.bchg import TabularBchg, TabularBchgConfig
from agents.leaders.hpgd import TabularHpgd, TabularHpgdConfig
from agents.leaders.naive import TabularNaive
from agents.observing.trajectories import Trajectories
from agents.options import NonNegative, Options, Positive, Share
from agents.state import stateful
from agents.state.stateful import Stateful
from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.errors import ArgumentError

__all__ = ["PublishedBchg", "PublishedHpgd", "PublishedNaive", "PublishedOptions", "Sarsa", "ended"]

Critic = Literal["lstd", "expected_sarsa", "monte_carlo", "sarsa"]


@dataclass(frozen=True)
class PublishedOptions(Options):
    """Options for published peculiarities; the defaults are those of one ascent.

    Attributes
    ----------
    learning_rate
        Of the ascent.
    prior_visits
        How much the last estimate of the follower's policy counts.
    critic
        "sarsa" too: one pass over the batch in random order, with a fixed step.
    critic_step
        Step of "sarsa", in (0, 1]; published: the best of 0.1, 0.3, 0.5, 0.7, 0.9 and 1.
    critic_start
        Of the table of "sarsa": "zeros", or "random" (standard normal) as published.
    bootstrap
        Whether an episode cut by the step budget or the horizon goes on, as the critic says and, for HPGD, as the
        average visit of its last state does; the published code lets it end there, which biases what is near the cut.
        "lstd" has no use for it: it counts where a cut step led.
    weights
        Of cut episodes. "at_risk": a step counts among the episodes not cut before it, which is unbiased. "finished":
        as published, for configurations only: the direct term is the mean over all episodes, as if the cut ones had
        ended, and the sum of their response terms is divided by the number of those that ended.
    """

    learning_rate: Positive = 0.05
    prior_visits: NonNegative = 1.0
    critic_step: Share = 0.5
    critic_start: Literal["zeros", "random"] = "zeros"
    bootstrap: bool = True
    weights: Literal["at_risk", "finished"] = "at_risk"


class Sarsa(Stateful):
    """Tabular SARSA with a fixed step, one pass over the batch in random order.

    Parameters
    ----------
    shape
        (Z, A, B).
    discount
        Per play step.
    rng
        Draws the order, and the table where it starts at random.
    config
        Its step, and what its table starts with.
    """

    uses_counts = False
    state_fields = stateful.fields(q=stateful.Array())

    def __init__(
        self, shape: tuple[int, int, int], discount: float, rng: np.random.Generator, config: PublishedOptions
    ) -> None:
        self.q = rng.standard_normal(shape) if config.critic_start == "random" else np.zeros(shape)
        self.discount, self.rng, self.step = discount, rng, config.critic_step

    def update(self, task: EvaluationTask) -> float:
        """Learn from one commitment's play; return the mean absolute temporal-difference error."""
        seen = task.trajectories
        cuts = np.zeros(seen.num_steps, dtype=np.bool_)
        cuts[seen.offsets[1:][~seen.terminated] - 1] = True
        error = _sarsa(
            seen.joint_state,
            seen.leader_action,
            seen.follower_action,
            seen.next_joint_state,
            seen.ends,
            cuts,
            task.rewards,
            self.rng.permutation(seen.num_steps),
            task.leader_policy,
            task.behaviour,
            np.zeros_like(self.q) if task.entropy_bonus is None else task.entropy_bonus,
            self.discount,
            self.step,
            self.q,
        )
        return error / seen.num_steps


@njit  # without a cache on disk, which knows one name of this module only
def _sarsa(
    states: IntArray,
    leader_actions: IntArray,
    follower_actions: IntArray,
    next_states: IntArray,
    ends: NDArray[np.bool_],
    cuts: NDArray[np.bool_],
    rewards: Array,
    order: NDArray[np.int64],
    leader_policy: Array,
    behaviour: Array,
    bonus: Array,
    discount: float,
    step: float,
    q: Array,
) -> float:
    """Update `q` (Z, A, B) in place at the recorded steps, once, in `order` (T,); return the sum of absolute errors.

    The target is reward + discount * (q + bonus) at what was played next. After the last step of a cut episode that
    was not seen: there it is the average under f and g.
    """
    error = 0.0
    for t in order:
        target = rewards[t]
        u = next_states[t]
        if cuts[t]:
            for a in range(q.shape[1]):
                for b in range(q.shape[2]):
                    target += discount * leader_policy[u, a] * behaviour[u, a, b] * (q[u, a, b] + bonus[u, a, b])
        elif not ends[t]:
            a, b = leader_actions[t + 1], follower_actions[t + 1]
            target += discount * (q[u, a, b] + bonus[u, a, b])
        gap = target - q[states[t], leader_actions[t], follower_actions[t]]
        q[states[t], leader_actions[t], follower_actions[t]] += step * gap
        error += abs(gap)
    return error


def ended(trajectories: Trajectories) -> Trajectories:
    """Return the same play as if every episode that was cut had ended there."""
    return replace(trajectories, terminated=np.ones_like(trajectories.terminated))


class _Published(TabularBchg):
    """What the three have in common; stands before the class that it changes."""

    def __init__(self, brief, config, rng):
        if config.weights == "finished" and brief.commitment.changes_play:
            raise ArgumentError("weights: 'finished' is for configurations, which change rewards only")
        super().__init__(brief, config, rng)

    def make_critic(self, discount):
        """Return a fresh critic."""
        if self.config.critic == "sarsa":
            return Sarsa(self.brief.table_shape, discount, self.rng, self.config)
        return super().make_critic(discount)

    def estimate_values(self, critic, trajectories, effect, behaviour):
        """Estimate them from cut episodes as they are, or as if they had ended."""
        ends = not self.config.bootstrap and self.config.critic != "lstd"
        return super().estimate_values(critic, ended(trajectories) if ends else trajectories, effect, behaviour)

    def coefficients(self, trajectories, values):
        """Return the coefficients, with the weights of the option."""
        if self.config.weights == "at_risk":
            return super().coefficients(trajectories, values)
        finished = trajectories.terminated | (trajectories.lengths >= self.brief.horizon)
        count = max(int(finished.sum()), 1)
        seen = replace(trajectories)
        # The weights are worked out when they are first asked for.
        vars(seen)["step_weights"] = np.full(seen.lengths.max(), 1.0 / count)
        found = super().coefficients(seen, values)
        return replace(found, leader_reward=found.leader_reward * (count / seen.num_episodes))


@dataclass(frozen=True)
class PublishedBchgConfig(PublishedOptions, TabularBchgConfig):
    """Hyperparameters of `bchg` with published peculiarities."""

    critic: Critic = "lstd"


class PublishedBchg(_Published, TabularBchg):
    """`bchg` with published peculiarities."""

    name = "published_bchg"
    Config = PublishedBchgConfig
    state_fields = stateful.fields()


@dataclass(frozen=True)
class PublishedHpgdConfig(PublishedOptions, TabularHpgdConfig):
    """Hyperparameters of `hpgd` with published peculiarities."""

    critic: Critic = "monte_carlo"


class PublishedHpgd(_Published, TabularHpgd):
    """`hpgd` with published peculiarities."""

    name = "published_hpgd"
    Config = PublishedHpgdConfig
    state_fields = stateful.fields()

    def response(self, weights, visits, values):
        """Return the coefficients of the response term, from cut episodes as they are, or as if they had ended."""
        return super().response(weights, visits if self.config.bootstrap else ended(visits), values)


@dataclass(frozen=True)
class PublishedNaiveConfig(PublishedOptions, TabularBchgConfig):
    """Hyperparameters of `naive` with published peculiarities."""

    critic: Critic = "lstd"


class PublishedNaive(_Published, TabularNaive):
    """`naive` with published peculiarities."""

    name = "published_naive"
    Config = PublishedNaiveConfig
    state_fields = stateful.fields()
