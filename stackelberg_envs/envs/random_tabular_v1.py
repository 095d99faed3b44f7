"""Random games of any size: for tests and for measuring speed, each with an exact solution.

| | |
| --- | --- |
| id | `stackelberg/RandomTabular-v1` |
| states S, actions A, B, contexts K | arguments |
| commitment | D weights of random reward features in [-1, 1], or a policy table |
| horizon | 100 |
| discounts | 0.95, 0.9 |
| temperature | 0.2 |

What x changes
    With ``commitment="features"`` (default) the follower's reward, r_F += sum_d features x; with "policy" the
    leader's policy.
Dynamics
    Every state and pair of actions leads to ``branching`` states. These are drawn evenly, and their probabilities from
    a Dirichlet distribution.
Both rewards
    Standard normal, by state and pair of actions.
End
    In ``terminal`` states, if any (the last ones), else by the time limit.
What is known
    Everything, by :func:`stackelberg_envs.solve`.
Arguments
    See :func:`make_game`.
Sources
    Made for this project.
Version history
    v1: on the faces a policy table is one row. v0 makes the same game.
    v0: first version.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackelberg_envs.arrays import frozen, require_count, require_room, require_text
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.faces.best_known import known_facts
from stackelberg_envs.faces.registration import declare
from stackelberg_envs.games.commitments.base import Commitment
from stackelberg_envs.games.commitments.incentives import LinearFeatures
from stackelberg_envs.games.commitments.policy_table import PolicyTable
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.jit import in_parts


def make_game(
    *,
    S: int = 20,
    A: int = 2,
    B: int = 3,
    K: int = 1,
    branching: int = 4,
    terminal: int = 0,
    commitment: str = "features",
    D: int = 4,
    leader_discount: float = 0.95,
    follower_discount: float = 0.9,
    temperature: float = 0.2,
    horizon: int = 100,
    seed: int = 0,
) -> TabularGame:
    """A random tabular game.

    Parameters
    ----------
    S, A, B, K
        Numbers of states, leader actions, follower actions and contexts; contexts share their dynamics.
    branching
        Successors of each state and pair of actions (drawn with replacement).
    terminal
        How many states, the last ones, are terminal.
    commitment
        "features" or "policy".
    D
        Number of reward features.
    leader_discount, follower_discount
        Per step.
    temperature
        Weight of the follower's entropy, reward units.
    horizon
        Steps after which an episode is truncated.
    seed
        Every array is a function of it.

    Raises
    ------
    ArgumentError
        A count below its least value, or an unknown commitment.
    """
    for name, value in {"S": S, "A": A, "B": B, "K": K, "branching": branching, "D": D}.items():
        require_count(value, name)
    if require_text(commitment, "commitment", ArgumentError) not in ("features", "policy"):
        raise ArgumentError(f"commitment: expected 'features' or 'policy', got {commitment!r}")
    if require_count(terminal, "terminal", 0) >= S:
        raise ArgumentError(f"terminal: expected a number of states in 0..{S - 1}, got {terminal}")
    for name, shape in {"branching": (S, A, B, branching), "D": (K, S, A, B, D)}.items():
        require_room(shape, name, ArgumentError)
    rng = np.random.default_rng(require_count(seed, "seed", 0))
    setting: dict[str, Any] = {
        "S": S,
        "A": A,
        "B": B,
        "K": K,
        "branching": branching,
        "terminal": terminal,
        "commitment": commitment,
    }
    setting |= {"D": D, "leader_discount": leader_discount, "follower_discount": follower_discount}
    setting |= {"temperature": temperature, "seed": seed}
    lead = (K,) if K > 1 else ()
    is_terminal = np.zeros((*lead, S))
    if terminal:
        is_terminal[..., -terminal:] = 1.0
    return TabularGame(
        transition=_random_lists(rng, S, A, B, branching),
        leader_reward=rng.standard_normal((*lead, S, A, B)),
        follower_reward=rng.standard_normal((*lead, S, A, B)),
        initial=rng.dirichlet(np.ones(S), size=lead),
        terminal=is_terminal,
        leader_policy=rng.dirichlet(np.ones(A), size=S),
        leader_discount=leader_discount,
        follower_discount=follower_discount,
        temperature=temperature,
        commitment=_random_commitment(rng, commitment, (*lead, S, A, B), D),
        context_probabilities=rng.dirichlet(np.ones(K)) if K > 1 else None,
        horizon=horizon,
        name="Random tabular",
        facts=known_facts("stackelberg/RandomTabular-v1", **setting),
    )


def _random_lists(rng: np.random.Generator, S: int, A: int, B: int, branching: int) -> Transition:
    successors = rng.integers(S, size=(S, A, B, branching), dtype=np.int32)
    weights = rng.standard_exponential(successors.shape)

    def normalise(part: slice) -> None:
        # In place: there may be a hundred million. The second time removes what rounding left of the first.
        for _ in range(2):
            weights[part] /= weights[part].sum(axis=-1, keepdims=True)

    in_parts(normalise, S, weights.size)
    return Transition(frozen(successors), frozen(weights))


def _random_commitment(rng: np.random.Generator, kind: str, shape: tuple[int, ...], D: int) -> Commitment:
    S, A, _ = shape[-3:]
    if kind == "policy":
        return PolicyTable(S, A)
    return LinearFeatures(rng.standard_normal((*shape, D)), -1.0, 1.0)


FACES = declare(make_game)
raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES
followers_aec_env, leader_vector_env = FACES.followers_aec_env, FACES.leader_vector_env
parallel_vector_env = FACES.parallel_vector_env
