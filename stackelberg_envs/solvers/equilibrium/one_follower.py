"""One follower of a game of interacting followers, while the others do what they do: a game of tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from stackelberg_envs.arrays import Array, require_count
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.commitments.base import Commitment, Effect
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.markov_primitives import MarkovPrimitives, checked_policies
from stackelberg_envs.games.primitives import Primitives
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.solvers.equilibrium.joint import entropies, expected, others
from stackelberg_envs.solvers.equilibrium.solution import equilibrium_of
from stackelberg_envs.solvers.soft import response_gap, soft_best_response

__all__ = ["faced", "largest_loss", "one_follower"]


class AgainstOthers(Commitment):
    """What the leader announces, as one follower meets it: the others have answered it and each other.

    Parameters
    ----------
    game
        Of all followers.
    follower
        The number of the one.
    policies
        What the others play under every commitment, shape (n, S, B); None for their equilibrium under each.
    """

    changes = frozenset({"follower_reward", "leader_reward", "transition"})

    def __init__(self, game: MarkovGame, follower: int, policies: Array | None = None) -> None:
        own = game.commitment
        super().__init__(own.low, own.high, names=own.names)
        self.game, self.follower, self.parametrisation = game, follower, own.parametrisation
        self.policies = policies
        self._last: tuple[Array, Effect] | None = None

    def project(self, x: Array) -> Array:  # type: ignore[override]
        """Project by the rule of the commitment itself."""
        return self.game.commitment.project(x)

    def effect(self, x: Array) -> Effect:
        """Return expected rewards and moves against the others' equilibrium policies.

        Raises
        ------
        ConvergenceError
            No equilibrium was found; the message has the residual.
        """
        if self._last is None or not np.array_equal(self._last[0], x):
            self._last = x.copy(), self._against(x)
        return self._last[1]

    def _against(self, x: Array) -> Effect:
        arrays = self.game.under(x).arrays
        policies = equilibrium_of(arrays).policies if self.policies is None else list(self.policies)
        follower, leader, moves = faced(arrays, policies, self.follower)
        return Effect(follower_reward=follower, leader_reward=leader, transition=moves)


def faced(arrays: MarkovPrimitives, policies: Sequence[Array], i: int) -> tuple[Array, Array, Transition]:
    """Return what follower i meets while all others play their policies: its decision process.

    Parameters
    ----------
    arrays
        The game under a commitment.
    policies
        g_j(b_j | s) of every follower, shape (S, B_j).
    i
        The follower; its own policy is not looked at.

    Returns
    -------
    tuple
        Its own and the leader's expected reward of each of its actions, shape (S, 1, B_i), and where they lead.
    """
    S, sizes = arrays.num_states, arrays.sizes
    lists = arrays.transition
    own, leader = expected(arrays.follower_rewards[i], policies, i), expected(arrays.leader_reward, policies, i)
    # A row of each own action: what the others do, and where that leads.
    weights = np.broadcast_to(others(policies, i), (S, *sizes))[..., None] * lists.probabilities.reshape(S, *sizes, -1)
    ends = lists.successors.reshape(S, *sizes, -1)
    own_first = [np.moveaxis(each, 1 + i, 1).reshape(S, 1, sizes[i], -1) for each in (ends, np.asarray(weights))]
    return own[:, None], leader[:, None], Transition.from_lists(own_first[0], own_first[1])


def largest_loss(arrays: MarkovPrimitives, policies: Sequence[Array]) -> float:
    """Return the most that a follower could gain by another policy while the others play theirs, reward units.

    It is zero in an equilibrium, and nowhere else.

    Parameters
    ----------
    arrays
        The game under a commitment.
    policies
        g_i(b_i | s) of every follower, shape (S, B_i), of feasible actions only.
    """
    losses = []
    for i in range(arrays.num_followers):
        reward, leader, moves = faced(arrays, policies, i)
        if arrays.zero_sum:
            reward = reward - arrays.temperature * entropies(policies[1 - i])[:, None, None]
        alone = Primitives(
            leader_policy=np.ones((arrays.num_states, 1)),
            follower_reward=reward,
            leader_reward=leader,
            transition=moves,
            believed_transition=moves,
            initial=arrays.initial,
            continuing=arrays.continuing,
            leader_discount=arrays.leader_discount,
            follower_discount=arrays.follower_discount,
            temperature=arrays.temperature,
            num_contexts=1,
            feasible=None if arrays.feasible[i].all() else arrays.feasible[i][:, None],
        )
        losses.append(response_gap(alone, policies[i][:, None], soft_best_response(alone).state_values))
    return max(losses)


def one_follower(game: MarkovGame, follower: int = 0, *, policies: ArrayLike | None = None) -> TabularGame:
    """Return the game of one follower, while all others play their part of the equilibrium under each commitment.

    Its soft best response is its own part of the equilibrium. What one follower does is not answered by the others:
    they have answered already. The derivative of its commitment is one by central differences.

    Parameters
    ----------
    game
        Of all followers.
    follower
        Which one, 0 to n - 1.
    policies
        What the others play instead, under every commitment: shape (n, S, B), in which its own row is not looked at.

    Raises
    ------
    ArgumentError
        No MarkovGame, a follower that the game does not have, policies that are none, or a game whose followers lose
        the entropy of others.
    """
    if not isinstance(game, MarkovGame):
        raise ArgumentError(f"game: expected a MarkovGame, got {type(game).__name__}")
    if require_count(follower, "follower", 0) >= game.num_followers:
        raise ArgumentError(f"follower: expected a number in 0..{game.num_followers - 1}, got {follower}")
    if game.zero_sum:
        raise ArgumentError(
            f"{game.name}: expected a game in which followers have their own entropy only; with zero_sum one follower "
            "alone loses the entropy of the other besides, which is no reward of its actions"
        )
    S, B, _ = game.shape
    if policies is not None:
        middle = game.commitment.project(0.5 * (game.commitment.low + game.commitment.high))
        policies = checked_policies(policies, game.under(middle).arrays)
    zeros, commitment = np.zeros((S, 1, B)), AgainstOthers(game, follower, policies)
    answered = {"temperature": game.temperature, "follower_discount": game.follower_discount}
    # It is replaced by each commitment's own; many copies make room for lists as long as these.
    usual = commitment.effect(commitment.project(0.5 * (commitment.low + commitment.high))).transition
    return TabularGame(
        leader_reward=zeros,
        follower_reward=zeros,
        initial=game.initial,
        terminal=game.terminal,
        feasible=None if game.feasible is None else game.feasible[follower],
        leader_discount=game.leader_discount,
        follower_discount=game.follower_discount,
        temperature=game.temperature,
        # The others' part of the equilibrium is that of these.
        made_for=answered if policies is None else None,
        commitment=commitment,
        transition=usual,
        horizon=game.horizon,
        observe_rewards=game.observe_rewards,
        publish_temperature=game.publish_temperature,
        name=game.name,
        facts=game.facts,
    )
