"""Small games of every kind that certificates are for, and what is true of them at a point."""

from functools import cache

import numpy as np

import stackelberg_envs as se
from stackelberg_envs.solvers.certificates.affine import affine_game
from stackelberg_envs.solvers.certificates.bounds import known_at_first
from stackelberg_envs.solvers.certificates.boxes import feasible, feasible_centre
from stackelberg_envs.solvers.certificates.directions import turned
from stackelberg_envs.solvers.certificates.linear_systems import on_box
from stackelberg_envs.solvers.certificates.quadratics import monomials
from tests.games import small_game, toll_game

S, A, B = 4, 2, 3


def paid_incentive():
    where = np.array([1.0, 0.5, 1.0, 0.0])
    low = np.array([-0.5, -0.5, -0.5, 0.0])
    return se.Joint(se.StateIncentive(low, 0.0, where), se.IncentiveCost(low, 0.0, price=0.7, where=where))


def both_signs(price=0.4):
    """Payments and fees in two states, each of which costs the leader; where the price is negative, both earn."""
    where = np.array([1.0, 0.5, 0.0, 0.0])
    low, high = np.array([-0.5, -0.2, 0.0, 0.0]), np.array([0.6, 0.8, 0.0, 0.0])
    return se.Joint(se.StateIncentive(low, high, where), se.IncentiveCost(low, high, price=price, where=np.ones(S)))


def mixture(rng):
    return se.TransitionMixture(rng.dirichlet(np.ones(S), size=(3, S, A, B)), groups=[0, 0, 1, 1])


def game_with(commitment, **changes):
    rng = np.random.default_rng(7)
    given = {
        "transition": rng.dirichlet(np.full(S, 0.5), size=(S, A, B)),
        "leader_reward": rng.standard_normal((S, A, B)),
        "follower_reward": rng.standard_normal((S, A, B)),
        "initial": rng.dirichlet(np.ones(S)),
        "leader_policy": rng.dirichlet(np.ones(A), size=S),
        "leader_discount": 0.8,
        "follower_discount": 0.7,
        "temperature": 0.3,
        "commitment": commitment,
    }
    return se.TabularGame(**(given | changes))


@cache
def games():
    """Return games by name: every kind of commitment, contexts, terminal states, wrong beliefs."""
    rng = np.random.default_rng(8)
    features = se.LinearFeatures(rng.standard_normal((S, A, B, 3)), [-1.0, 0.0, 0.5], [1.0, 0.5, 0.5])
    believed = rng.dirichlet(np.ones(S), size=(S, A, B))
    return {
        "features": game_with(features),
        "mistaken": game_with(features, believed_transition=se.Transition.from_dense(believed)),
        "both signs": game_with(both_signs()),
        "both signs earn": game_with(both_signs(-0.1)),
        "paid": game_with(paid_incentive(), terminal=np.eye(S)[3]),
        "policy": small_game(),
        "three actions": se.random_tabular(S=2, A=3, B=2, branching=2, commitment="policy", seed=5),
        "contexts": se.random_tabular(S=3, K=2, D=2, branching=2, terminal=1, seed=6),
        "mixture": game_with(mixture(rng)),
        "incentive": game_with(se.Incentive(-0.2, 0.3, (S, 1, 1))),
        "toll": toll_game(2),
        "toy": se.discrete_toy_v1.make_game(),
        "turned": toll_game(),
    }


NAMES = sorted(games())


class Box:
    """A random box of a game, and random points of it."""

    def __init__(self, name, width, seed):
        rng = self.rng = np.random.default_rng(seed)
        self.game, self.made = games()[name], affine_game(games()[name])
        # At a place where some directions leave the policy alone, in the games that have such.
        self.made = turned(self.made, np.full(len(self.made.directions), 0.3))
        self.D = len(self.made.directions)
        self.factors = monomials(self.D)
        limits = self.made.arrays.limits
        while True:
            self.low = rng.uniform(0, 1 - width, self.D)
            if len(limits):  # around a commitment
                here = self.made.coordinates(self.game.commitment.project(rng.uniform(0.2, 0.8, self.D)))
                self.low = np.clip(here - 0.5 * width, 0, 1 - width)
            self.high = self.low + width
            self.centre, self.radii = np.empty(self.D), np.empty(self.D)
            if feasible_centre(self.low, self.high, self.made.arrays.groups, limits, self.centre, self.radii):
                break
        self.arrays = self.made.on(self.low, self.high)
        self.bent = self.made.kinks.straddled(self.low, self.high).any()
        self.known = known_at_first(self.made.on(np.zeros(self.D), np.ones(self.D)))
        self.box = on_box(self.arrays, self.centre, self.radii)

    def points(self, count):
        """Yield points of the box that are commitments, corners among them, with their t."""
        left = count
        while left:
            z = self.rng.uniform(self.low, self.high)
            if left % 2 and not len(self.arrays.limits):
                z = np.where(self.rng.random(self.D) < 0.5, self.low, self.high)
            for group in set(self.arrays.groups[self.arrays.groups >= 0]):
                inside = self.arrays.groups == group
                over = z[inside].sum() - 1.0
                if over > 0:
                    room = z[inside] - self.low[inside]
                    z[inside] -= room * (over / room.sum()) if room.sum() > 0 else 0.0
            if not feasible(z, self.arrays.limits):
                continue
            left -= 1
            yield z, (z - self.centre) / np.where(self.radii > 0, self.radii, 1.0)

    def solution(self, z):
        return se.solve(self.game, self.game.commitment.project(self.made.commitment(z)))

    def terms(self, t):
        """Return the monomials at t."""
        return np.concatenate([[1.0], t, [t[i] * t[j] for i, j in self.factors[:, 1 + self.D :].T]])
