"""What the leader of a warehouse sets: what cells cost in the robots' route planner, and which way aisles are open."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, frozen
from stackelberg_envs.games.commitments.base import Commitment, Effect, need, on_lists, sum_to
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.transitions import Transition

__all__ = ["FloorRules"]


class FloorRules(Commitment):
    """Costs of places, and shares of time for which a direction of an aisle is closed.

    x has first a cost for each place, then a share for each gate. r_F(s, b) -= cost of the place of s. A move
    through a gate that is closed for a share of the time fails so often, and the robot stays where it is.

    Parameters
    ----------
    place
        The place of each state, shape (S,), -1 for those that cost nothing.
    gate
        The gate that each move from each state goes through, shape (S, B), -1 for none.
    open_floor
        The dynamics with all gates open, successors of shape (S, 1, B, N): first where a move leads, then the
        state itself.
    highest
        Largest cost, reward units per step.
    names
        A name for each entry of x.
    """

    changes = frozenset({"follower_reward", "transition"})
    always_fits = True
    affine = True

    def __init__(
        self,
        place: NDArray[np.int64],
        gate: NDArray[np.int64],
        open_floor: Transition,
        highest: float,
        names: Sequence[str],
    ) -> None:
        self.place_of, self.gate, self.open_floor = frozen(place), frozen(gate), open_floor
        self.num_places = int(place.max()) + 1
        costs, gates = np.full(self.num_places, highest), np.ones(int(gate.max()) + 1)
        super().__init__(0.0, np.concatenate([costs, gates]), names=names)

    def effect(self, x: Array) -> Effect:
        """Return the costs, and the dynamics with the gates closed so far."""
        costs, shares = np.append(x[: self.num_places], 0.0), np.append(x[self.num_places :], 0.0)
        moved = self._closed(shares[self.gate])
        return Effect(follower_reward=-costs[self.place_of][:, None, None], transition=moved)

    def _closed(self, shares: Array) -> Transition:
        """Return the dynamics where moves are closed for a share of the time, shape (S, B)."""
        probabilities = self.open_floor.probabilities.copy()
        lost = probabilities[..., 0] * shares[:, None, :]
        probabilities[..., 0] -= lost
        probabilities[..., 1] += lost
        return Transition(self.open_floor.successors, probabilities)

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return -dJ/dr_F by place, and by gate how much more it is worth to stay than to go through."""
        out = np.zeros(x.size + 1)
        paid = need(cotangents.follower_reward, "follower_reward").sum(axis=(-2, -1)).reshape(-1, len(self.place_of))
        np.add.at(out, np.where(self.place_of < 0, x.size, self.place_of), -paid.sum(axis=0))
        ahead = on_lists(need(cotangents.transition, "transition"), self.open_floor)
        weight = sum_to(ahead, self.open_floor.successors.shape)
        stays = ((weight[..., 1] - weight[..., 0]) * self.open_floor.probabilities[..., 0])[:, 0]
        np.add.at(out, np.where(self.gate < 0, x.size, self.num_places + self.gate), stays)
        return out[:-1]

    def possible_transitions(self) -> list[Transition]:
        """Return the dynamics with all gates open, and with all closed."""
        return [self.open_floor, self._closed(np.where(self.gate < 0, 0.0, 1.0))]
