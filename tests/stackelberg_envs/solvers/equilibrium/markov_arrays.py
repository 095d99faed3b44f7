"""Random games of interacting followers, as arrays."""

import numpy as np

from stackelberg_envs.games.markov_primitives import MarkovPrimitives
from stackelberg_envs.games.transitions import Transition


def random_arrays(S=4, sizes=(3, 2), seed=0, *, masked=False, zero_sum=False, **changes):
    """A random game whose last state ends it; `masked` takes the first action away in every other state."""
    rng = np.random.default_rng(seed)
    M, n = int(np.prod(sizes)), len(sizes)
    rewards = rng.uniform(-1.0, 1.0, size=(n, S, M))
    if zero_sum:
        rewards[1] = -rewards[0]
    feasible = [np.ones((S, B), dtype=bool) for B in sizes]
    if masked:
        for mask in feasible:
            mask[::2, 0] = False
    given = {
        "follower_rewards": rewards,
        "leader_reward": rng.uniform(-1.0, 1.0, size=(S, M)),
        "transition": Transition.from_dense(rng.dirichlet(np.ones(S), size=(S, 1, M))),
        "initial": np.full(S, 1.0 / S),
        "continuing": 1.0 - np.eye(S)[-1],
        "feasible": tuple(feasible),
        "leader_discount": 0.95,
        "follower_discount": 0.9,
        "temperature": 0.2,
        "zero_sum": zero_sum,
    }
    return MarkovPrimitives(**(given | changes))


def matrix_game(*payoffs, temperature=0.1):
    """A game of one state that ends it, as arrays of shape (B_1, ..., B_n) for each follower."""
    payoffs = np.array(payoffs, dtype=float)
    n, *sizes = payoffs.shape
    M = int(np.prod(sizes))
    return MarkovPrimitives(
        follower_rewards=payoffs.reshape(n, 1, M),
        leader_reward=np.zeros((1, M)),
        transition=Transition.from_dense(np.ones((1, 1, M, 1))),
        initial=np.ones(1),
        continuing=np.zeros(1),
        feasible=tuple(np.ones((1, B), dtype=bool) for B in sizes),
        leader_discount=0.0,
        follower_discount=0.0,
        temperature=temperature,
    )
