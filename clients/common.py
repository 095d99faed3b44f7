"""What every client's script measures in the same way, and the row of the table that it writes.

``python -m clients.common`` writes docs/tables/clients.md from docs/tables/clients.jsonl anew. A script ends with
``sys.exit(finish(results))``, where results come from :func:`follower_result` and :func:`leader_result`.

A row of the records is one line of JSON: ``client`` (the folder), ``version`` (of the library), ``date``, ``game``
(the id), ``view`` (which face of the game, with its arguments), ``role`` ("follower" or "leader"), ``start`` and
``learned`` (returns in the game's reward units), ``error`` (standard error of `learned`), ``exact`` (null where none is
known), ``steps`` (of training), ``seconds``, ``seed``, ``glue`` (lines between the library and the game), ``passed``.
A row takes the place of an earlier one with the same client, game, view and role.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import stackelberg_envs as se
from stackelberg_envs.solvers.soft import episode_values

TABLES = Path(__file__).parents[1] / "docs" / "tables"
RECORDS, TABLE = TABLES / "clients.jsonl", TABLES / "clients.md"
#: Of the networks and of play in training. Settings were chosen with other seeds than this one, whose runs are told.
SEED = int(os.environ.get("CLIENT_SEED", "1"))
#: A follower has learned if it falls short of the exact response by at most this share.
SHARE = 0.05
#: Where no exact response is known: standard errors by which it must be better than random play.
BETTER = 5.0
#: In games of vectors the hard response is that of a temperature so much lower than the game's; "soft" keeps that.
HARDNESS = {"hard": 1e-2, "soft": 1.0}
GLUE = "# --- glue", "# --- end of glue"
#: Under the commitment nearest to zero the building runs away, and what is exact ignores that its states are clipped.
#: In Matrix all that a follower can do is worth the same under equal odds.
COMMITMENTS = {"stackelberg/BuildingThermal-v1": np.full(8, 0.5), "stackelberg/Matrix-v0": np.array([[0.25, 0.75]])}
KEY = ("client", "game", "view", "role")
#: How episodes are played side by side in games of tables, and in games of vectors, where one stream for all is fast.
TABLES_PLAYED, VECTORS_PLAYED = {"num_envs": 2_048}, {"num_envs": 16_384, "shared_stream": True}


@dataclass(frozen=True)
class Result:
    """What a client has learned in one game: a row of the records, without what all rows of a run share."""

    game: str
    view: str
    role: str
    start: float
    learned: float
    error: float
    exact: float | None
    steps: int
    seconds: float
    passed: bool


# --- exact values and play -----------------------------------------------------------------------------------


def neutral(id: str) -> np.ndarray:  # noqa: A002
    """Return the commitment that faces use when none is given: the one nearest to zero."""
    return np.asarray(se.vector_env(id).commitment)


def commitment_of(id: str) -> np.ndarray:  # noqa: A002
    """Return the commitment under which followers are trained and measured: the neutral one, but for two games."""
    return COMMITMENTS[id] if id in COMMITMENTS else neutral(id)


def exact_return(id: str, commitment: Any = None, *, response: str = "hard") -> float | None:  # noqa: A002
    """Return what the follower's exact best response earns in an episode, discounted; None where none is known.

    Parameters
    ----------
    id
        Of the game, with its default arguments.
    commitment
        In force; default that of :func:`commitment_of`.
    response
        "hard", or "soft" for learners with an entropy bonus at the game's temperature.
    """
    game = se.make_game(id)
    x = commitment_of(id) if commitment is None else commitment
    if not getattr(game, "has_solution", True):
        return None
    if isinstance(game, se.TabularGame) and response == "hard":
        # Another temperature would change rewards that hold it, as PreferenceDesign's do.
        best, under = se.hard_best_response(game, x), se.solve(game, x).primitives
        return episode_values(under, best.policy, game.horizon)[2]
    colder = se.make_game(id, temperature=game.temperature * HARDNESS[response])
    return float(se.solve(colder, x).episode.follower_reward_value)


def played_return(
    id: str,  # noqa: A002
    act: Callable[..., Any] | None = None,
    *,
    seed: int = 10_000,
    **face: Any,
) -> tuple[float, float]:
    """Return the follower's mean discounted return of one episode, and its standard error.

    Parameters
    ----------
    id
        Of the game.
    act
        Observations, shape (episodes, n) -> actions of the copies; default uniformly random ones. In games with
        feasible actions it is given their masks besides, shape (episodes, B).
    seed
        Of the copies.
    face
        Arguments of ``vector_env``, the same that the policy was trained with; the commitment is that of
        :func:`commitment_of`.
    """
    game = se.make_game(id)
    played = TABLES_PLAYED if isinstance(game, se.TabularGame) else VECTORS_PLAYED
    envs = se.vector_env(id, **{"commitment": commitment_of(id), **played, **face})
    episodes, discount = envs.num_envs, game.follower_discount
    observations, infos = envs.reset(seed=seed)
    envs.action_space.seed(seed)
    returns, factor, playing = np.zeros(episodes), 1.0, np.ones(episodes, dtype=bool)
    while playing.any():
        masks = (infos["action_mask"],) if "action_mask" in infos else ()
        actions = envs.action_space.sample(*map(tuple, masks)) if act is None else act(observations, *masks)
        observations, _, terminated, truncated, infos = envs.step(actions)
        returns += np.where(playing, factor * infos["follower_reward"], 0.0)
        factor *= discount
        playing &= ~(terminated | truncated)
    return float(returns.mean()), float(returns.std(ddof=1) / np.sqrt(episodes))


def tolerance(id: str, exact: float) -> float:  # noqa: A002
    """Return by how much a follower may fall short: 5 % of the exact return, or of a stated typical reward if more."""
    typical = se.make_game(id).facts.get("typical", {}).get("follower_reward", 0.0)
    return SHARE * max(abs(exact), float(typical))


# --- results -------------------------------------------------------------------------------------------------


def follower_result(
    id: str,  # noqa: A002
    view: str,
    act: Callable[..., Any],
    *,
    steps: int,
    seconds: float,
    response: str = "hard",
    **face: Any,
) -> Result:
    """Play what a follower has learned, and compare it with the exact best response under the same commitment.

    Parameters
    ----------
    id, act, face
        See :func:`played_return`.
    view
        Which face it was trained on, for the table: "follower_env".
    steps, seconds
        Of training.
    response
        See :func:`exact_return`.
    """
    start, spread = played_return(id, **face)
    learned, error = played_return(id, act, **face)
    exact = exact_return(id, response=response)
    needed = start + BETTER * float(np.hypot(error, spread)) if exact is None else exact - tolerance(id, exact)
    return told(Result(id, view, "follower", start, learned, error, exact, steps, seconds, learned >= needed))


def leader_result(
    id: str,  # noqa: A002
    view: str,
    first: Any,
    last: Any,
    *,
    steps: int,
    seconds: float,
    value: Callable[[Any], float] | None = None,
) -> Result:
    """Compare a leader's commitments before and after training, by what each is worth against the exact soft response.

    Parameters
    ----------
    first, last
        Commitments in the game's units.
    value
        Commitment -> what it is worth, where another measure is wanted, such as play against the learned followers.
        By default what is inadmissible is projected, as in play.
    """
    game = se.make_game(id)

    def solved(x: Any) -> float:
        return float(se.solve(game, game.commitment.project(np.reshape(x, game.commitment.shape))).leader_value)

    worth = value or solved
    start, learned = worth(first), worth(last)
    best = game.facts.get("best_known")
    return told(Result(id, view, "leader", start, learned, 0.0, best, steps, seconds, learned > start))


def told(result: Result) -> Result:
    """Print a result, and return it."""
    sys.stdout.write(f"{json.dumps(asdict(result))}\n")
    sys.stdout.flush()
    return result


def glue_lines(script: Path) -> int:
    """Return how many lines of a script, blank ones and remarks apart, stand between the two marks of glue."""
    count, inside = 0, False
    for line in script.read_text(encoding="utf-8").splitlines():
        text = line.strip()
        if text in GLUE:
            inside = text == GLUE[0]
        elif inside and text and not text.startswith("#"):
            count += 1
    return count


def report(client: str, package: str, results: Iterable[Result]) -> None:
    """Write a row for each result into the records, and the table anew.

    Parameters
    ----------
    client
        The folder in `clients`.
    package
        Whose version is told; the name it is installed by.
    results
        See :class:`Result`.
    """
    shared = {
        "client": client,
        "version": metadata.version(package),
        "date": datetime.now(UTC).date().isoformat(),
        "seed": SEED,
        "glue": glue_lines(Path(__file__).parent / client / "train.py"),
    }
    rows = {tuple(row[name] for name in KEY): row for row in recorded()}
    for result in results:
        row = {**shared, **{name: _rounded(value) for name, value in asdict(result).items()}}
        rows[tuple(row[name] for name in KEY)] = row
    ordered = [rows[key] for key in sorted(rows)]
    RECORDS.write_text("".join(json.dumps(row) + "\n" for row in ordered), encoding="utf-8")
    TABLE.write_text(table(ordered), encoding="utf-8")


def finish(client: str, package: str, results: list[Result]) -> int:
    """Write the rows, and return what the process is to exit with: 0 if all was learned."""
    report(client, package, results)
    failed = [result for result in results if not result.passed]
    for result in failed:
        sys.stdout.write(f"NOT LEARNED: {result.role} of {result.game} through {result.view}: {result.learned:.4g}\n")
    return int(bool(failed) or not results)


# --- the table -----------------------------------------------------------------------------------------------


def recorded() -> list[dict[str, Any]]:
    """Return the rows of the records."""
    if not RECORDS.exists():
        return []
    return [json.loads(line) for line in RECORDS.read_text(encoding="utf-8").splitlines()]


def table(rows: list[dict[str, Any]]) -> str:
    """Return the table of the docs, as Markdown."""
    heads = (
        "client",
        "version",
        "date",
        "game",
        "through",
        "who",
        "random or start",
        "learned to",
        "exact",
        "seed",
        "glue lines",
    )
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for row in rows:
        exact = "not known" if row["exact"] is None else f"{row['exact']:.4g}"
        learned = f"{row['learned']:.4g}" if row["passed"] else f"{row['learned']:.4g}, **not learned**"
        name = row["game"].removeprefix("stackelberg/")
        cells = row["client"], row["version"], row["date"], name, f"`{row['view']}`", row["role"]
        lines.append(
            f"| {' | '.join(cells)} | {row['start']:.4g} | {learned} | {exact} | {row['seed']} | {row['glue']} |"
        )
    return "\n".join(lines) + "\n"


def _rounded(value: Any) -> Any:
    return float(f"{value:.5g}") if isinstance(value, float) else value


if __name__ == "__main__":
    TABLE.write_text(table(recorded()), encoding="utf-8")
