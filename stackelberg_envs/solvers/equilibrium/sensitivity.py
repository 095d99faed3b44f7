"""What an equilibrium is worth to the leader, and the derivative of that through the fixed point.

With d the leader's discounted occupancy, pi the joint policy and A_L the advantage of a joint action to the leader:

    w_i(s, b_i) = d(s) g_i(b_i | s) E[A_L | b_i] / temperature        dJ/dQ_i with the fixed point left out
    z = (I - G')^-T w                                                 dJ/dQ with it
    dJ/dr_i(s, b) = z_i(s, b_i) prod_{j != i} g_j(b_j | s)
    dJ/dr_L = d pi
    dJ/dP(s' | s, b) = leader_discount d pi V_L(s') + follower_discount sum_i dJ/dr_i V_i(s')

One transposed linear system, whatever the size of the commitment. Leaving out what everybody's change
does to all others, z = w, is what a leader does that counts own actions only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.markov_primitives import MarkovPrimitives
from stackelberg_envs.solvers.equilibrium.joint import joint_policy, next_values, play_system
from stackelberg_envs.solvers.equilibrium.linearisation import Linearisation

__all__ = ["LeaderValue", "evaluate_joint", "own_reactions", "reactions", "transition_cotangent"]


@dataclass(frozen=True, eq=False)
class LeaderValue:
    """What a joint policy is worth to a player who only watches.

    Attributes
    ----------
    value
        At the initial distribution, reward units.
    values
        Of each state, shape (S,).
    occupancy
        Discounted and unnormalised, shape (S,).
    advantage
        Of each joint action, shape (S, M).
    policy
        The joint policy, shape (S, M).
    """

    value: float
    values: Array
    occupancy: Array
    advantage: Array
    policy: Array

    @cached_property
    def by_reward(self) -> Array:
        """The derivative of the value by the reward, shape (S, M)."""
        made: Array = self.occupancy[:, None] * self.policy
        return made


def evaluate_joint(game: MarkovPrimitives, policies: list[Array], reward: Array, discount: float) -> LeaderValue:
    """Return what policies are worth by a reward of shape (S, M): two linear systems in the states."""
    policy = joint_policy(policies)
    system = play_system(game, policy, discount)
    values = system((policy * reward).sum(axis=1), "N")
    q = reward + discount * next_values(game, values[None])[0]
    advantage = q - (policy * q).sum(axis=1, keepdims=True)
    return LeaderValue(float(game.initial @ values), values, system(game.initial, "T"), advantage, policy)


def own_reactions(at: Linearisation, leader: LeaderValue) -> Array:
    """Return w = dJ/dQ with what everybody's change does to all others left out, shape (S, m)."""
    weights = at.joint_weights(np.concatenate(at.policies, axis=1))
    made = np.empty_like(at.q)
    S, sizes = at.game.num_states, at.game.sizes
    for i, own in enumerate(at.own):
        axes = tuple(1 + j for j in range(len(sizes)) if j != i)
        seen = (weights[i] * leader.advantage).reshape(S, *sizes).sum(axis=axes)
        made[:, own] = leader.occupancy[:, None] * seen / at.temperature
    return made


def reactions(at: Linearisation, leader: LeaderValue) -> Array:
    """Return z = dJ/dQ through the fixed point, shape (S, m)."""
    return at.solve_transposed(own_reactions(at, leader))


def transition_cotangent(at: Linearisation, leader: LeaderValue | None, by_rewards: Array, discount: float) -> Array:
    """Return dJ/dP in the layout of the lists, (S, 1, M, N): the followers' part, and the leader's where it is given.

    Parameters
    ----------
    at
        The equilibrium.
    leader
        What it is worth to the leader; None for the followers' part alone.
    by_rewards
        dJ/dr_i, shape (n, S, M).
    discount
        The leader's.
    """
    game = at.game
    successors = game.transition.successors[:, 0]
    total = game.follower_discount * sum(
        by_rewards[i][..., None] * at.values[i][successors] for i in range(game.num_followers)
    )
    if leader is not None:
        total = total + discount * leader.by_reward[..., None] * leader.values[successors]
    made: Array = (game.continuing[:, None, None] * total)[:, None]
    return made
