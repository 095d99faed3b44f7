r"""Bi-AC: bi-level actor-critic, a Stackelberg game in every state.

Zhang et al., "Bi-level Actor-Critic for Multi-agent Coordination", AAAI 2020, arXiv 1909.03510. The critic's target
lets the leader choose anew in the next state, knowing how the follower answers each choice:

.. math::
    Q(s,a,b) = r_L + \gamma_L \, E_{s'} \max_{a'} \sum_{b'} g(b'|s',a') \, Q(s',a',b') ,

and the actor ascends :math:`\sum_a f(a|s) \sum_b g(b|s,a) Q(s,a,b)` in every state.

This is not the hypergradient, by design. The follower's policy g is held fixed while the leader's policy f moves. So
the leader does not see that a threat in one state changes what the follower does in others.

Where the algorithm settles, f is deterministic, and g is the soft best response to f. No change of f in a single state
pays as long as the follower keeps g. That is a Stackelberg equilibrium in feedback strategies, but not the commitment
that is worth the most. The two agree if the follower is myopic (follower_discount 0), because its answer to a in s then
depends on nothing else.

Deviations from the paper: docs/reproduction.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.errors import ArgumentError, ConvergenceError, InformationError
from stackelberg_envs.games.cotangents import Cotangents

from ..estimators.counts import TabularCounts
from ..observing.brief import Information, TabularBrief
from ..observing.trajectories import Trajectories
from ..state import stateful
from .base import GradientConfig, GradientLeader, register_leader

__all__ = ["Biac", "BiacConfig"]

#: A choice is changed when another one is better by this much, relative to the values: rounding never decides.
LEAST_GAIN = 1e-9
MAX_POLICY_ITERATIONS = 1_000


@dataclass(frozen=True)
class BiacConfig(GradientConfig):
    """Hyperparameters of Bi-AC: those of every gradient leader."""


@register_leader("biac")
class Biac(GradientLeader):
    """Bi-level actor-critic: a game in every state.

    It plays a Stackelberg game in every state by itself. The critic is the fixed point of its target on all steps seen
    so far.

    Its level is RESPONSE, because the target needs the follower's policy also for leader actions that were not played.
    """

    brief: TabularBrief
    information = Information.RESPONSE
    Config = BiacConfig
    serves: ClassVar[frozenset[str]] = frozenset({"feasible actions", "discount 1"})
    state_fields = stateful.fields(
        q=stateful.Array(),
        _choice=stateful.Array(low=0, high=lambda self: self.q.shape[1] - 1),
        counts=stateful.Part(),
    )

    def __init__(self, brief: TabularBrief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        changes = brief.commitment.changes
        if changes != {"leader_policy"}:
            raise ArgumentError(
                f"biac: expected a commitment that sets leader_policy and nothing else, got one that sets "
                f"{', '.join(sorted(changes)) or 'nothing'}; it learns what the leader's own choices are worth, and "
                "bchg and hpgd take any commitment"
            )
        shape = brief.table_shape
        self.q = np.zeros(shape)
        self._choice = np.zeros(shape[0], dtype=np.intp)
        self.counts = TabularCounts(shape, brief.num_contexts)

    def gradient(self, trajectories: Trajectories) -> tuple[Array, dict[str, float]]:
        """Bring the critic up to date; return the actor's gradient, states weighted by how often they were seen."""
        if trajectories.response is None:
            raise InformationError("biac: expected the follower's policy (level RESPONSE), got none")
        error = self._learn(trajectories, trajectories.response)
        action_values = np.einsum("zab,zab->za", trajectories.response, self.q)
        seen = self.counts.visits.sum(axis=(1, 2))
        cotangent = (seen / seen.sum())[:, None] * action_values
        cotangents = Cotangents(leader_policy=cotangent.reshape(self.brief.array_shape[:-1]))
        return self.brief.commitment.vjp(trajectories.commitment, cotangents), {"critic_error": error}

    def _learn(self, trajectories: Trajectories, response: Array) -> float:
        """Solve for the critic; return the mean absolute change of its values on the new steps."""
        z, a, b = trajectories.joint_state, trajectories.leader_action, trajectories.follower_action
        self.counts.observe(trajectories, {"leader": None})
        before = self.q[z, a, b]
        self._iterate(self.counts.mean_reward("leader"), response)
        return float(np.abs(self.q[z, a, b] - before).mean())

    def _iterate(self, reward: Array, response: Array) -> None:
        """Policy iteration of the leader against a fixed response, from the last choice."""
        states = np.arange(len(reward))
        for _ in range(MAX_POLICY_ITERATIONS):
            chosen = np.zeros(reward.shape[:2])
            chosen[states, self._choice] = 1.0
            self.q = self.counts.evaluate(reward, chosen, response, self.brief.leader_discount)
            values = np.einsum("zab,zab->za", response, self.q)
            margin = LEAST_GAIN * float(np.abs(values).max())
            better = values.max(axis=1) > values[states, self._choice] + margin
            if not better.any():
                return
            self._choice = np.where(better, values.argmax(axis=1), self._choice)
        raise ConvergenceError(f"biac: choices not settled after {MAX_POLICY_ITERATIONS} policy iterations")
