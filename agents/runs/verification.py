"""Best known values, computed again: exactly, by play, and by the yardstick; and what to do with a better one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.faces.best_known import FILE, BestKnown, as_entry, entries
from stackelberg_envs.faces.constructors import load
from stackelberg_envs.faces.ids import newest_id
from stackelberg_envs.faces.registration import EnvSpec, spec
from stackelberg_envs.play.rollout import rollout
from stackelberg_envs.solvers.best_commitment import EVALUATIONS, BestCommitment, best_commitment
from stackelberg_envs.solvers.solving import solve

from .records import RunRecord
from .summary import exceeds_best_known

__all__ = ["EPISODES", "FALSE_ALARM", "Verification", "as_played", "entry_in_words", "entry_of", "verify"]

#: Episodes that are played, with random numbers of their own seed.
EPISODES = 2_000
#: Probability that the play of a value that is right is called wrong, where means of so many returns are about normal.
FALSE_ALARM = 1e-4
#: Values that differ by less than this part of the range of values are the same.
SAME = 1e-6


@dataclass(frozen=True, eq=False)
class Verification:
    """What was computed again.

    Attributes
    ----------
    known
        The entry that was verified.
    exact
        J at its commitment.
    episode
        J of an episode that is cut at the horizon, exact.
    played, room
        The mean return of the episodes played, and how far from `episode` it may be by chance.
    found
        What the yardstick finds without knowing the commitment.
    disagreements
        Sentences, one for each thing that is not as the entry says. Empty: all agrees.
    better
        The entry to be put in its place, where the yardstick has found a better one; else None.
    reference, again
        The game's reference value with its status and source, a dict, and that value computed again by another way;
        None where there is none.
    """

    known: BestKnown
    exact: float
    episode: float
    played: float
    room: float
    found: BestCommitment
    disagreements: list[str] = field(default_factory=list)
    better: BestKnown | None = None
    reference: dict[str, Any] | None = None
    again: float | None = None


def verify(
    id: str,  # noqa: A002 - as registries call it
    *,
    seed: int = 0,
    evaluations: int = EVALUATIONS,
    progress: Callable[[BestCommitment], object] | None = None,
    **arguments: Any,
) -> Verification:
    """Compute a best known value again.

    A value that is known from a formula or a certificate is computed by another way. The commitment is solved exactly;
    it is played against the best response, and the mean return has to be that of the exact solution, up to chance; and
    :func:`stackelberg_envs.best_commitment` searches without knowing it.

    Parameters
    ----------
    id
        A registered id.
    seed
        Of play and of the search.
    evaluations
        After how many of them the search makes no further start.
    progress
        Called after each start of the search.
    arguments
        The game's.

    Raises
    ------
    ArgumentError
        A setting of which no best value is known, with those that are; or a game without an exact solution.
    """
    entry = spec(id)
    game: Any = entry.make(**arguments)
    known = _known(newest_id(entry.id), game.facts.get("setting"))
    if not game.has_solution:
        raise ArgumentError(f"{entry.id}: expected a game with an exact solution; its best known value is one of play")
    solution = solve(game, known.commitment)
    played, room = as_played(game, solution, seed)
    found = best_commitment(game, seed=seed, progress=progress, evaluations=evaluations)
    exact, episode = float(solution.leader_value), float(solution.episode.leader_value)
    near = SAME * found.range
    faults = []
    if abs(exact - known.value) > near:
        faults.append(f"the commitment is worth {exact:.10g}, and not {known.value:.10g}")
    if abs(played - episode) > room:
        faults.append(f"its play is worth {played:.6g} an episode, and not {episode:.6g}, {room:.2g} being chance")
    if found.value > known.value + near:
        faults.append(f"the yardstick finds a better one, worth {found.value:.10g}")
    elif found.value < known.value - near:
        faults.append(f"the yardstick does not find it: the best of its {found.starts} starts is {found.value:.10g}")
    reference, again = _again(entry, game)
    if reference is not None and again is not None and abs(again - reference["value"]) > SAME * max(1.0, abs(again)):
        faults.append(f"the reference value is {again:.10g}, and not {reference['value']:.10g}")
    better = None
    if found.value > known.value + near:
        words = f"best_commitment, {found.hits} of {found.starts} starts"
        better = _entry(known.id, known.arguments, found.value, found.commitment, words)
    return Verification(known, exact, episode, played, room, found, faults, better, reference, again)


def _again(entry: EnvSpec, game: Any) -> tuple[dict[str, Any] | None, float | None]:
    """Return the reference value among a game's facts, and what the environment's own function computes for it."""
    reference = game.facts.get("reference")
    if reference is None or not entry.reference:
        return None, None
    return reference, float(load(entry.reference)(game))


def as_played(game: Any, solution: Any, seed: int) -> tuple[float, float]:
    """Return the mean return of :data:`EPISODES` episodes, and how far off it may be at :data:`FALSE_ALARM`."""
    from scipy.stats import norm

    play = rollout(game.under(solution.x), solution.policy, np.random.default_rng(seed), episodes=EPISODES)
    returns = play.returns(game.leader_discount)
    error = float(returns.std(ddof=1)) / math.sqrt(len(returns))
    # Where nothing is left to chance, sums of floats are all that differs.
    return float(returns.mean()), float(norm.ppf(1.0 - FALSE_ALARM / 2.0)) * error + 1e-9 * float(np.abs(returns).max())


def entry_of(record: RunRecord, game: Any) -> BestKnown | None:
    """Return the entry for a run that ended above the best known value, else None."""
    setting = game.facts.get("setting")
    if setting is None or record.commitment is None or not exceeds_best_known(record):
        return None
    assert record.leader_value is not None  # noqa: S101 - it exceeds a value
    words = f"{record.leader}, seed {record.seed}"
    return _entry(record.game, setting, record.leader_value, record.commitment, words)


def entry_in_words(entry: BestKnown) -> str:
    """Return what to do with a better value: the line for the file."""
    return f"It belongs into {FILE.name} of stackelberg_envs/faces, as this entry:\n{json.dumps(as_entry(entry))}"


def _entry(id: str, setting: dict[str, Any], value: float, x: Any, words: str) -> BestKnown:  # noqa: A002
    return BestKnown(id, setting, float(value), np.asarray(x), words, datetime.now(UTC).date().isoformat())


def _known(id: str, setting: dict[str, Any] | None) -> BestKnown:  # noqa: A002
    of_id = [each for each in entries() if each.id == id]
    for each in of_id:
        if each.arguments == setting:
            return each
    if not of_id:
        names = ", ".join(sorted({each.id for each in entries()}))
        raise ArgumentError(f"verify: expected an id of which a best value is known, got {id!r}; known are {names}")
    raise ArgumentError(
        f"verify: expected arguments for which a best value of {id} is known, got {setting}; "
        f"{len(of_id)} settings are known, such as {of_id[0].arguments}"
    )
