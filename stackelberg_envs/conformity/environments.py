"""What a leader over an environment that nobody looks into promises; :func:`stackelberg_envs.check_game` runs it.

Nothing is known of such a game but its play, so all that can be held to something is play.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.conformity.clauses import ROUNDING, attempt, require_clause
from stackelberg_envs.conformity.derivatives import check_vjp
from stackelberg_envs.conformity.vector_games import check_sampled_derivative
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.environments import CommittedEnvironment, EnvironmentGame
from stackelberg_envs.games.observed import EnvironmentStep, Numbers, Seen, Vectors
from stackelberg_envs.play.environments import Rounds, play_environment

__all__ = ["check_environments"]

#: Rounds of an episode that are looked at.
ROUNDS = 50


@dataclass
class _Episode:
    """What an episode showed: observations by round and agent, and rewards and flags of all rounds and agents."""

    seen: list[Any] = field(default_factory=list)
    paid: list[float] = field(default_factory=list)
    ends: list[tuple[bool, bool]] = field(default_factory=list)


def check_environments(game: EnvironmentGame, commitments: list[Array], rng: np.random.Generator) -> None:
    """Check the environment and what the leader changes in it.

    Parameters
    ----------
    game
        The game.
    commitments
        Admissible ones, at least two, to try it under.
    rng
        For play and cotangents.
    """
    seed = int(rng.integers(2**31))
    with attempt("make_env returns an environment"):
        one, other = game.make_env(), game.make_env()
    require_clause(one is not other, "make_env returns a new environment at each call")
    one.close()
    other.close()
    played = []
    for x in commitments:
        committed = game.under(x)
        with attempt("the environment can be made and stepped under every admissible commitment"):
            played.append(_bare_episode(committed, seed))
            _require_same(played[-1], _bare_episode(committed, seed), "equal seeds play equal episodes")
            _check_bonus(committed, played[-1], seed)
    again = _bare_episode(game.under(commitments[0]), seed)
    _require_same(played[0], again, "a commitment leaves no trace in environments that are made under another one")
    for x in commitments if game.commitment.changes else []:
        with attempt("the commitment is known by what it adds to rewards"):
            _check_commitment(game.seen, game, x, rng)


def _bare_episode(committed: CommittedEnvironment, seed: int) -> _Episode:
    """Play an episode at random without the commitment's bonuses, and check each round of it."""
    episode = _Episode()
    for step in _rounds(committed.bare(), committed, seed, episode):
        paid = committed.paid_to_leader(step)
        require_clause(np.isfinite(paid), "the leader is paid a finite number", paid)
    return episode


def _check_bonus(committed: CommittedEnvironment, bare: _Episode, seed: int) -> None:
    """Check that the environment in which followers learn pays the bonuses beside the environment's own rewards."""
    if not committed.game.commitment.changes:
        return
    learned_in = _Episode()
    steps = _rounds(committed.make(), committed, seed, learned_in)
    bonuses = [committed.bonus(step.observation, step.action, step.next_observation)[0] for step in steps]
    expected, got = np.array(bare.paid) + np.array(bonuses), np.array(learned_in.paid)
    size = max(map(float, (np.abs(bare.paid).max(), np.abs(bonuses).max())))
    require_clause(
        expected.shape == got.shape and np.abs(expected - got).max() <= 16 * ROUNDING * size,
        "a follower is paid what the environment pays and what the commitment adds",
    )


def _rounds(env: Any, committed: CommittedEnvironment, seed: int, episode: _Episode) -> list[EnvironmentStep]:
    """Play some rounds by actions drawn from the spaces, and write down what happens."""
    rounds, steps = Rounds(env), []
    spaces = {agent: copy.deepcopy(rounds.spaces(agent)) for agent in rounds.agents}
    for i, (_, acts) in enumerate(spaces.values()):
        acts.seed(seed + i)
    observations = rounds.reset(seed)
    _check_observations(observations, spaces, episode)
    for _ in range(min(ROUNDS, committed.game.horizon)):
        actions = {agent: spaces[agent][1].sample() for agent in observations}
        made = rounds.step(actions)
        for agent, (following, reward, terminated, truncated, info) in made.items():
            require_clause(np.isfinite(reward), "rewards are finite numbers", reward)
            before = copy.deepcopy(observations[agent]), actions[agent]
            flags = bool(terminated), bool(truncated)
            steps.append(
                EnvironmentStep(
                    observation=before[0], action=before[1], reward=float(reward), next_observation=following,
                    terminated=flags[0], truncated=flags[1], info=info, agent=agent, commitment=committed.commitment,
                )
            )  # fmt: skip
            episode.paid.append(float(reward))
            episode.ends.append(flags)
        observations = {agent: step[0] for agent, step in made.items() if not (step[2] or step[3])}
        _check_observations({agent: step[0] for agent, step in made.items()}, spaces, episode)
        if not observations:
            break
    env.close()
    return steps


def _check_observations(observations: dict[str, Any], spaces: dict[str, Any], episode: _Episode) -> None:
    for agent, seen in observations.items():
        require_clause(spaces[agent][0].contains(seen), f"observations lie in their space{agent and ' of ' + agent}")
    episode.seen.append(copy.deepcopy(observations))


def _require_same(one: _Episode, other: _Episode, clause: str) -> None:
    same = one.paid == other.paid and one.ends == other.ends and _equal(one.seen, other.seen)
    require_clause(same, clause)


def _equal(one: Any, other: Any) -> bool:
    """Return whether two trees of observations are equal."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return np.array_equal(one, other)


class _Uniform:
    """A response that draws from the spaces."""

    def __init__(self, game: EnvironmentGame, seed: int) -> None:
        self.spaces = {agent: copy.deepcopy(acts) for agent, (_, acts) in game.spaces.items()}
        for i, acts in enumerate(self.spaces.values()):
            acts.seed(seed + i)

    def act(self, observation: Any, rng: np.random.Generator) -> Any:
        del rng
        if "" in self.spaces:
            return self.spaces[""].sample()
        return {agent: self.spaces[agent].sample() for agent in observation}


@singledispatch
def _check_commitment(seen: Seen, game: EnvironmentGame, x: Array, rng: np.random.Generator) -> None:
    """Check what a commitment says that it adds to rewards."""
    raise ArgumentError(f"game: expected one whose play is seen as numbers or vectors, got {type(seen).__name__}")


@_check_commitment.register
def _(seen: Numbers, game: EnvironmentGame, x: Array, rng: np.random.Generator) -> None:
    shape, before = (seen.S + 1, 1, seen.B), x.copy()
    effect = game.commitment.effect(x)
    require_clause(np.array_equal(x, before), "commitment.effect leaves x as it was")
    values: dict[str, Array] = {}
    for name in sorted(game.commitment.changes):
        values[name] = getattr(effect, name)
        require_clause(np.isfinite(values[name]).all(), f"commitment.effect's {name} is finite")
    check_vjp(game.commitment, x, {"follower_reward": shape, "leader_reward": shape}, values, rng)


@_check_commitment.register
def _(seen: Vectors, game: EnvironmentGame, x: Array, rng: np.random.Generator) -> None:
    del seen
    policy = _Uniform(game, int(rng.integers(2**31)))
    samples = play_environment(game.under(x), policy, rng, steps=ROUNDS).samples
    commitment: Any = game.commitment
    check_sampled_derivative(commitment, x, samples, rng)
