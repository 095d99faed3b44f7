r"""The Boltzmann covariance of the observed actions of followers that affect each other, in expectation.

What follower i plays changes with the commitment by its own soft best response while all others play as they do,

.. math::
    d\log g_i(b_i|s) = \frac{1}{\lambda}\big(dQ_i(s,b_i) - E_{g_i}\, dQ_i(s,\cdot)\big) ,

and the leader's value with it by the covariance of dQ_i and of the leader's advantage, over what all play. Summed over
followers this is what a leader can learn from their actions. It leaves out the cross response: that others play
otherwise changes dQ_i, too. See "Followers that affect each other" in docs/explanation/mathematics.md.

All of it is counted on joint actions, as if one follower chose them; see :class:`agents.observing.brief.MarkovBrief`.
What a joint action pays and where it leads does not depend on who plays how, so that all play ever seen counts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.markov_primitives import MarkovPrimitives, jointly
from stackelberg_envs.games.primitives import Primitives
from stackelberg_envs.solvers.soft.linear import resolvent

from ..observing.brief import JointEffect, MarkovBrief
from ..observing.trajectories import Trajectories
from ..state import stateful
from ..state.stateful import Stateful
from .counts import TabularCounts, scatter_add
from .expected import EVALUATION_TOLERANCE, Values, counted_primitives, counted_values, known_part
from .temperature import LEAST_VISITS, TemperatureFit, fit_temperature

if TYPE_CHECKING:
    from stackelberg_envs.solvers.equilibrium.linearisation import Linearisation
    from stackelberg_envs.solvers.soft import LeaderEvaluation, SoftSolution

__all__ = [
    "Estimate",
    "InteractingCounts",
    "direct_estimate",
    "fit_common_temperature",
    "implicit_estimate",
    "known_policies",
    "own_estimate",
    "own_play",
    "own_shifts",
]


def own_play(seen: Trajectories, brief: MarkovBrief, i: int) -> Trajectories:
    """Return play with the actions of follower i alone, numbers 0..B-1."""
    place = brief.num_follower_actions ** (brief.num_followers - 1 - i)
    own = (seen.follower_action // place % brief.num_follower_actions).astype(np.int32)
    return Trajectories.of_loop(**{**vars(seen), "follower_action": own})


class InteractingCounts(Stateful):
    """What was seen of each state and joint action under all commitments.

    Parameters
    ----------
    brief
        For the sizes.

    Attributes
    ----------
    joint
        Visits, the leader's rewards, and the dynamics, over joint actions.
    paid
        Sums of the followers' rewards without what a commitment sets, shape (n, S, 1, M); zero where none are counted.
    """

    state_fields = stateful.fields(joint=stateful.Part(), paid=stateful.Array())

    def __init__(self, brief: MarkovBrief) -> None:
        shape = brief.as_one.table_shape
        self.joint = TabularCounts(shape, stationary="transition" not in brief.commitment.changes)
        self.paid = np.zeros((brief.num_followers, *shape))

    def observe(self, seen: Trajectories, effect: JointEffect, *, rewards: bool) -> None:
        """Count the recorded steps, and the followers' rewards if they are wanted."""
        self.joint.observe(seen, {"leader": effect.leader_reward})
        if rewards:
            z, a, b = seen.state, seen.leader_action, seen.follower_action
            for i, sums in enumerate(self.paid):
                own = np.asarray(seen.follower_reward)[:, i]
                announced = 0.0 if effect.follower_reward is None else effect.follower_reward[i, z, a, b]
                scatter_add(z, a, b, np.ascontiguousarray(own - announced), sums)

    def rewards(self, effect: JointEffect) -> Array:
        """Return the followers' mean rewards under a commitment, shape (n, S, 1, M); what was never seen pays 0.

        Where the commitment announces the dynamics, it pays the mean of what was seen.
        """
        seen = self.joint.visits > 0
        made = self.paid / np.maximum(self.joint.visits, 1.0)
        if effect.follower_reward is not None:
            made = np.where(seen, made + effect.follower_reward, 0.0)
        if effect.transition is None:
            return np.asarray(made)
        means = [np.average(own, weights=self.joint.visits) for own in made]
        return np.where(seen, made, np.array(means)[:, None, None, None])

    def own_visits(self, brief: MarkovBrief) -> Array:
        """Return how often each follower took each of its actions, shape (n, S, 1, B)."""
        n, S, B = brief.num_followers, brief.num_states, brief.num_follower_actions
        shaped = self.joint.visits.reshape(S, *(B,) * n)
        return np.stack([shaped.sum(axis=tuple(1 + j for j in range(n) if j != i)) for i in range(n)])[:, :, None]


class Estimate(NamedTuple):
    """Derivatives of the leader's value in the counted game, and that value, reward units."""

    cotangents: Cotangents
    value: float


def direct_estimate(
    brief: MarkovBrief, counts: InteractingCounts, effect: JointEffect, policies: Array, temperature: float = 1.0
) -> Estimate:
    """Return the derivatives while all followers play as they do; the temperature has no part in them.

    Parameters
    ----------
    brief, counts
        What is known and what was seen.
    effect
        What holds under the commitment.
    policies
        g_i(b_i | s) as observed, shape (n, S, 1, B).
    temperature
        Of the followers, reward units.
    """
    return _Counted(brief, counts, effect, policies, temperature).direct()


def own_estimate(
    brief: MarkovBrief, counts: InteractingCounts, effect: JointEffect, policies: Array, temperature: float
) -> Estimate:
    """Return the derivatives with each follower's own response to the commitment, the others' held fixed.

    Arguments are those of :func:`direct_estimate`.
    """
    counted = _Counted(brief, counts, effect, policies, temperature)
    direct = counted.direct()
    parts = [counted.through(i) for i in range(brief.num_followers)]
    moves = direct.cotangents.transition
    if moves is not None:
        moves = moves + sum(np.asarray(part.transition) for part in parts)
    own = None
    if "follower_reward" in brief.commitment.changes:
        own = np.stack([np.asarray(part.follower_reward) for part in parts])
    return direct._replace(cotangents=replace(direct.cotangents, follower_reward=own, transition=moves))


def implicit_estimate(
    brief: MarkovBrief, counts: InteractingCounts, effect: JointEffect, policies: Array, temperature: float
) -> Estimate:
    """Return the derivatives with everybody's answers to everybody, the cross response; rewards have to be counted.

    Arguments are those of :func:`direct_estimate`.
    """
    counted = _Counted(brief, counts, effect, policies, temperature)
    direct = counted.direct()
    return direct._replace(cotangents=direct.cotangents + counted.through_all())


def own_shifts(
    brief: MarkovBrief,
    counts: InteractingCounts,
    effects: tuple[JointEffect, JointEffect],
    policies: Array,
    temperature: float,
) -> Array:
    """Return how what own actions are worth changes from one commitment to another, everybody's behaviour as it was.

    In temperatures, less the mean under the own policy, shape (n, S, 1, B); zero for actions that were never seen.
    """
    found = [_Counted(brief, counts, effect, policies, temperature).own_values() for effect in effects]
    known = known_policies(brief, counts, policies)
    change = found[1] - found[0]
    change = (change - (known * change).sum(axis=3, keepdims=True)) / temperature
    return np.asarray(np.where(counts.own_visits(brief) > 0, change, 0.0))


def known_policies(brief: MarkovBrief, counts: InteractingCounts, policies: Array) -> Array:
    """Return policies without the actions that were never seen, where others of the same follower were."""
    return np.stack([known_part(g, n) for g, n in zip(policies, counts.own_visits(brief), strict=True)])


def fit_common_temperature(
    brief: MarkovBrief, counts: InteractingCounts, effect: JointEffect, policies: Array, seen: Trajectories
) -> TemperatureFit | None:
    """Return the temperature that makes the observed actions of all followers likeliest; None where they do not say.

    As :mod:`agents.estimators.temperature` has it for one follower: each evaluates what all play, once by its rewards
    and once by its entropy.
    """
    counted = _Counted(brief, counts, effect, policies, 1.0)
    paid, entropy = (counted.own_values(rewards=one, bonus=not one) for one in (True, False))
    n, S, B = brief.num_followers, brief.num_states, brief.num_follower_actions
    taken = np.zeros((n, S, 1, B))
    for i in range(n):
        np.add.at(taken[i, :, 0], (seen.state, own_play(seen, brief, i).follower_action), 1.0)
    shape, known = (n * S, 1, B), counts.own_visits(brief) >= LEAST_VISITS
    worth = paid.reshape(shape), entropy.reshape(shape)
    return fit_temperature(taken.reshape(shape), *worth, known.reshape(shape))


class _Counted:
    """The counted game under a commitment while all play as observed."""

    def __init__(
        self, brief: MarkovBrief, counts: InteractingCounts, effect: JointEffect, policies: Array, temperature: float
    ) -> None:
        self.brief, self.counts, self.effect, self.temperature = brief, counts, effect, temperature
        self.policies = known_policies(brief, counts, policies)
        one = effect._replace(follower_reward=None)
        self.game: Primitives = counted_primitives(brief.as_one, counts.joint, one, temperature)
        self.joint: Array = jointly(self.policies[:, :, 0])[:, None]
        self.system = resolvent(self.game.follower_process, self.joint)

    def direct(self) -> Estimate:
        """Return the derivatives with everybody's policy fixed."""
        from stackelberg_envs.solvers.soft import LeaderEvaluation  # only who has a model loads them

        game, joint, counts = self.game, self.joint, self.counts.joint
        system = self.system
        if game.leader_discount != game.follower_discount:
            system = resolvent(game.leader_process, joint)
        nothing = np.zeros_like(joint)
        found = counted_values(game.leader_process, system, joint, joint, nothing, counts)
        self.leader = LeaderEvaluation(joint, found.q, found.states, float(game.initial @ found.states), system)
        wanted, shape = self.brief.commitment.changes - {"follower_reward"}, self.brief.as_one.array_shape
        made = self._solution(self.leader).direct(wanted, shape)
        if made.leader_reward is not None:  # what a commitment adds by follower counts as the mean
            n = self.brief.num_followers
            made = replace(made, leader_reward=np.broadcast_to(made.leader_reward / n, (n, *joint.shape)))
        if "follower_reward" in self.brief.commitment.changes:
            made = replace(made, follower_reward=np.zeros((self.brief.num_followers, *joint.shape)))
        return Estimate(made, self.leader.value)

    def through(self, i: int) -> Cotangents:
        """Return the derivatives through the response of follower i alone, shapes (S, 1, M); after `direct`."""
        leader, wanted = self.leader, self.brief.commitment.changes - {"leader_reward"}
        advantage = leader.q - (self.joint * leader.q).sum(axis=2, keepdims=True)
        own = self._spread(self._to_own(advantage, i), i)
        values = self._values(i, rewards=True, bonus=True) if "transition" in wanted else None
        states = None if values is None else values.states
        return self._solution(replace(leader, q=own), states).through_response(wanted, self.brief.as_one.array_shape)

    def through_all(self) -> Cotangents:
        """Return the derivatives through everybody's answers to the commitment and to each other; after `direct`.

        It is the implicit gradient of the counted game, at the values for which everybody plays as observed.
        """
        from stackelberg_envs.solvers.equilibrium.sensitivity import LeaderValue, reactions, transition_cotangent

        leader, joint, at = self.leader, self.joint[:, 0], self._linearised()
        advantage = leader.q[:, 0] - (joint * leader.q[:, 0]).sum(axis=1, keepdims=True)
        occupancy = leader.system.solve_transposed(self.game.initial, EVALUATION_TOLERANCE)
        worth = LeaderValue(leader.value, leader.state_values, occupancy, advantage, joint)
        by_rewards, wanted = at.joint_weights(reactions(at, worth)), self.brief.commitment.changes
        moves = transition_cotangent(at, None, by_rewards, 0.0) if "transition" in wanted else None
        return Cotangents(
            follower_reward=by_rewards[:, :, None] if "follower_reward" in wanted else None, transition=moves
        )

    def _linearised(self) -> Linearisation:
        """Return the equations of the counted game, at the values for which the answers are the observed policies."""
        from stackelberg_envs.solvers.equilibrium.linearisation import Linearisation

        game, policies, counts = self.game, self.policies[:, :, 0], self.counts.joint
        found = [self._values(i, rewards=True, bonus=True) for i in range(len(policies))]
        unseen = (counts.visits == 0) & (game.transition.probabilities.sum(axis=3) == 0.0)
        paid = [np.where(unseen, f.q, r)[:, 0] for f, r in zip(found, self.counts.rewards(self.effect), strict=True)]
        arrays = MarkovPrimitives(
            follower_rewards=np.stack(paid),
            leader_reward=game.leader_reward[:, 0],
            transition=game.transition,
            initial=game.initial,
            continuing=game.continuing,
            feasible=tuple(policies > 0),
            leader_discount=game.leader_discount,
            follower_discount=game.follower_discount,
            temperature=self.temperature,
            zero_sum=self.brief.zero_sum,
        )
        logs = self.temperature * np.log(np.where(policies > 0, policies, 1.0))
        q = logs + np.stack([f.states for f in found])[:, :, None]
        if self.brief.zero_sum:  # values are less what the other's entropy is worth
            q -= (policies * logs).sum(axis=2, keepdims=True)[::-1]
        return Linearisation(arrays, np.concatenate(list(q), axis=1), self.temperature)

    def own_values(self, *, rewards: bool = True, bonus: bool = True) -> Array:
        """Return what own actions are worth while all play as they do, shape (n, S, 1, B), by rewards and entropy."""
        n = self.brief.num_followers
        found = [self._values(i, rewards=rewards, bonus=bonus).q for i in range(n)]
        return np.stack([self._to_own(q, i) for i, q in enumerate(found)])[:, :, None]

    def _solution(self, leader: LeaderEvaluation, states: Array | None = None) -> SoftSolution:
        from stackelberg_envs.solvers.soft import BestResponse, SoftSolution

        worth = np.zeros(len(self.joint)) if states is None else states
        best = BestResponse(np.zeros_like(self.joint), worth[:, None], worth, self.joint, 0.0)
        return SoftSolution(self.game, best, leader)

    def _values(self, i: int, *, rewards: bool, bonus: bool) -> Values:
        """Return what joint actions are worth to follower i, by its rewards and by its entropy."""
        reward = self.counts.rewards(self.effect)[i] if rewards else np.zeros_like(self.joint)
        process = self.game.follower_process._replace(reward=reward)
        extra = self._entropy_bonus(i) if bonus else np.zeros_like(self.joint)
        return counted_values(process, self.system, self.joint, self.joint, extra, self.counts.joint)

    def _entropy_bonus(self, i: int) -> Array:
        """Return what a joint action adds to the entropy of follower i, and takes where the other's is lost."""
        logs = -self.temperature * np.log(np.where(self.policies > 0, self.policies, 1.0))[:, :, 0]
        made = self._spread(logs[i], i)
        return made - self._spread(logs[1 - i], 1 - i) if self.brief.zero_sum else made

    def _to_own(self, table: Array, i: int) -> Array:
        """Return the mean of a table of joint actions by what follower i does, over what the others do: (S, B)."""
        n, S, B = self.brief.num_followers, self.brief.num_states, self.brief.num_follower_actions
        others = self.policies[:, :, 0].copy()
        others[i] = 1.0
        axes = tuple(1 + j for j in range(n) if j != i)
        return np.asarray((jointly(others) * table[:, 0]).reshape(S, *(B,) * n).sum(axis=axes))

    def _spread(self, table: Array, i: int) -> Array:
        """Return a table of what follower i does, shape (S, B), over joint actions, (S, 1, M)."""
        tables = np.ones((self.brief.num_followers, *table.shape))
        tables[i] = table
        return jointly(tables)[:, None]
