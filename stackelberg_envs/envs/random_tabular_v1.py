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
    Everything about one commitment, by :func:`stackelberg_envs.solve`. The best weights of two features, ``D=2``, are
    kept for 10, 100, 1,000, 10,000 and 100,000 states: certified within 1 % for 10 and 100 (no weights are worth more),
    best known for the others, by the yardstick at 1,000 and by ascents from few starts at more. ``stackelberg verify
    stackelberg/RandomTabular-v1 --set S=10 --set D=2`` computes them again, by branch and bound or by ascents, besides
    by the yardstick, which takes minutes at 10,000 states and an hour at 100,000: ``--evaluations 100`` bounds it. The
    more states, the less weights matter, because features are random and not what the leader is paid for. From the
    worst weights met to the best J changes by 8.8 with 10 states, 3.4 with 100 and 0.85 with 1,000.
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
from stackelberg_envs.envs.random_tabular.references import reference
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.faces.best_known import known_facts
from stackelberg_envs.faces.registration import declare
from stackelberg_envs.games.commitments.base import Commitment
from stackelberg_envs.games.commitments.incentives import LinearFeatures
from stackelberg_envs.games.commitments.policy_table import PolicyTable
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.jit import in_parts

ID = "stackelberg/RandomTabular-v1"


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
    held = reference(ID, setting)
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
        facts=known_facts(ID, **setting) | ({} if held is None else {"reference": held.as_fact()}),
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


FACES = declare(make_game, reference="stackelberg_envs.envs.random_tabular.references:best_value")
raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES
followers_aec_env, leader_vector_env = FACES.followers_aec_env, FACES.leader_vector_env
parallel_vector_env = FACES.parallel_vector_env
