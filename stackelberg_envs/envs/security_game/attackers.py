"""Several attackers who each choose a target at once, and share what those find who choose the same one."""

from __future__ import annotations

from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array, frozen
from stackelberg_envs.errors import GameError
from stackelberg_envs.games.commitments.base import Effect, SimplexRows, need
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.transitions import Transition

__all__ = ["Guards", "attackers_game"]

#: Entries of all attackers' tables, at most.
MOST_ENTRIES = 2**22


class Guards(SimplexRows):
    """How likely each schedule of the guards is, against attackers who affect each other; shape (1, A).

    Parameters
    ----------
    pays
        What each schedule pays each attacker by what all choose, shape (n, M, A).
    losses
        What it costs the defender, shape (M, A).
    """

    changes = frozenset({"follower_reward", "leader_reward"})
    always_fits = True
    affine = True

    def __init__(self, pays: Array, losses: Array) -> None:
        self.pays, self.losses = frozen(pays), frozen(losses)
        super().__init__(0.0, 1.0, (1, losses.shape[-1]))

    def effect(self, x: Array) -> Effect:
        """Return what is paid on average over schedules, since nobody knows which one is in force."""
        row = x[0]
        return Effect(
            follower_reward=(self.pays @ row)[:, None, None], leader_reward=-(self.losses @ row)[None, None, None]
        )

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return dJ/dx from both rewards."""
        del x
        paid = need(cotangents.follower_reward, "follower_reward")[:, 0, 0]
        lost = need(cotangents.leader_reward, "leader_reward").sum(axis=0)[0, 0]
        return np.asarray((np.einsum("im,ima->a", paid, self.pays) - lost @ self.losses)[None])


def attackers_game(
    covered: Array, reward: Array, penalty: Array, loss: Array, n: int, *, temperature: float, facts: dict[str, Any]
) -> MarkovGame:
    """Return the game of n attackers who choose at once.

    Parameters
    ----------
    covered
        Which targets each schedule covers, shape (A, targets).
    reward, penalty, loss
        Of each target, as of the environment.
    n
        Attackers.
    temperature
        Of each of them.
    facts
        Of the game.

    Raises
    ------
    GameError
        More attackers than tables have room for.
    """
    A, T = covered.shape
    if n * T**n * A > MOST_ENTRIES:
        raise GameError(
            f"num_attackers: expected tables of at most {MOST_ENTRIES} entries, got {n} attackers with {T} targets and "
            f"{A} schedules"
        )
    chosen = np.stack(np.meshgrid(*[np.arange(T)] * n, indexing="ij")).reshape(n, -1)
    together = (chosen[:, :, None] == np.arange(T)).sum(axis=0)
    free = 1.0 - covered
    share = np.take_along_axis(together, chosen.T, axis=1).T
    found = (reward[chosen] / share)[..., None] * free.T[chosen]
    pays = found + penalty[chosen][..., None] * covered.T[chosen]
    M = chosen.shape[1]
    return MarkovGame(
        follower_rewards=np.zeros((n, 1, M)),
        leader_reward=np.zeros((1, M)),
        transition=Transition.from_dense(np.ones((1, 1, M, 1))),
        initial=np.ones(1),
        terminal=np.ones(1),
        leader_discount=0.0,
        follower_discount=0.0,
        temperature=temperature,
        commitment=Guards(pays, (together > 0) @ (loss[:, None] * free.T)),
        horizon=1,
        name="Security game",
        facts=facts,
    )
