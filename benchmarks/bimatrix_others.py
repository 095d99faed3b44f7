"""Equilibria of matrix games beside those of pygambit, and what commitment is worth beside them.

    python benchmarks/bimatrix_others.py [--others PYTHON] [--check]

54 games with fixed seeds, from 2 x 2 to 6 x 6: payoffs with two decimals; whole numbers from 0 to 2, most of which have
ties; and zero-sum games. Each is handed as fractions to pygambit, in the Python of `--others` (an environment with
``pip install --pre pygambit``, version 17; by default this one). In exact arithmetic it finds all extreme equilibria
(`enummixed_solve`), those at the ends of Lemke's paths (`lcp_solve`), and one of each zero-sum game by a linear program
(`lp_solve`). Ours are `stackelberg_envs.nash_equilibria` and `stackelberg_strategies`, whose best commitment is worth
at least the best equilibrium, and exactly that in zero-sum games.

Writes docs/tables/bimatrix_others.md, with the version and the date; `--check` writes nothing. It ends with an error if
anything differs.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent.parent))

import stackelberg_envs as se
from stackelberg_envs.arrays import Array

TABLE = Path(__file__).parent.parent / "docs" / "tables" / "bimatrix_others.md"
SHAPES = ((2, 2), (2, 5), (3, 3), (4, 4), (5, 3), (6, 6))
KINDS = ("two decimals", "whole numbers 0 to 2", "zero-sum")
SEEDS = 3
#: How far strategies and values may lie apart; payoffs range over 2 or 4.
NEAR = 1e-9
Hundredths = NDArray[np.int64]
COLUMNS = (
    "payoffs",
    "actions",
    "games",
    "extreme equilibria",
    "pygambit's",
    "farthest apart",
    "of its other methods, and among ours",
    "commitment adds, at least",
    "at most",
)
#: What pygambit does: games come in as tables of hundredths, and solutions go out as numbers.
OTHER = """
import json, sys
from fractions import Fraction
import numpy as np
import pygambit

def told(profile):
    return [float(part) for strategy in profile for _, part in strategy], [float(paid) for _, paid in profile.payoffs]

def solved(leader, follower):
    tables = [np.array([[Fraction(one, 100) for one in row] for row in table]) for table in (leader, follower)]
    game = pygambit.StrategicGame.from_arrays(*tables)
    found = {method: getattr(pygambit.nash, f"{method}_solve")(game).equilibria for method in ("enummixed", "lcp")}
    if all(a == -b for row, other in zip(leader, follower) for a, b in zip(row, other)):
        found["lp"] = [pygambit.nash.lp_solve(game).equilibrium]
    return {name: [told(each) for each in solutions] for name, solutions in found.items()}

games = json.load(sys.stdin)
print(json.dumps([pygambit.__version__, [solved(*game) for game in games]]))
"""


class Compared(NamedTuple):
    """What a game says: numbers of equilibria, how far they lie apart, and what commitment adds.

    Attributes
    ----------
    ours, theirs
        Numbers of extreme equilibria.
    apart
        The farthest that one of either list lies from the nearest of the other, probabilities and values.
    paths, found
        How many solutions the other package's further methods have, and how many of them are among ours.
    gain
        Value of the best commitment, ties in favour of the leader, less that of the best equilibrium.
    """

    ours: int
    theirs: int
    apart: float
    paths: int
    found: int
    gain: float


def drawn(kind: str, shape: tuple[int, int], seed: int) -> tuple[Hundredths, Hundredths]:
    """Return payoffs of both players, in hundredths, whole numbers."""
    rng = np.random.default_rng([KINDS.index(kind), *shape, seed])
    if kind == "whole numbers 0 to 2":
        return 100 * rng.integers(0, 3, shape), 100 * rng.integers(0, 3, shape)
    leader, follower = rng.integers(-200, 201, (2, *shape))
    return leader, -leader if kind == "zero-sum" else follower


def asked(python: str, games: list[tuple[Hundredths, Hundredths]]) -> tuple[str, list[dict[str, Any]]]:
    """Return pygambit's version, and its solutions of each game by method."""
    text = json.dumps([[leader.tolist(), follower.tolist()] for leader, follower in games])
    try:
        run = subprocess.run([python, "-c", OTHER], input=text, capture_output=True, text=True, check=False)
        error = run.stderr.strip().rpartition("\n")[2] if run.returncode else ""
    except OSError as failed:
        error = str(failed)
    if error:
        sys.exit(f"--others: expected a Python that has pygambit 17, got {python}: {error}")
    version, found = json.loads(run.stdout.splitlines()[-1])
    return version, found


def compared(leader: Hundredths, follower: Hundredths, theirs: dict[str, Any]) -> Compared:
    """Compare a game's solutions with those of pygambit."""
    tables = leader / 100, follower / 100
    ours = se.nash_equilibria(*tables)
    best = se.stackelberg_strategies(*tables).value
    mine = np.array([[*each.leader, *each.follower, each.leader_value, each.follower_value] for each in ours])
    other = flat(theirs["enummixed"])
    paths = flat(theirs["lcp"] + theirs.get("lp", []))
    between = np.abs(mine[:, None] - other).max(axis=2)
    nearest = np.abs(mine[:, None] - paths).max(axis=2).min(axis=0)
    apart = max(between.min(axis=0).max(), between.min(axis=1).max())
    return Compared(
        len(mine), len(other), float(apart), len(paths), int((nearest <= NEAR).sum()), best - ours[0].leader_value
    )


def flat(solutions: list[list[list[float]]]) -> Array:
    """Return different solutions as rows: both strategies, then both values."""
    return np.unique([strategies + values for strategies, values in solutions], axis=0)


def agrees(kind: str, one: Compared) -> bool:
    """Whether all equilibria are the same, and commitment worth what theory says."""
    same = one.ours == one.theirs and one.apart <= NEAR and one.found == one.paths
    return same and one.gain >= -NEAR and (kind != "zero-sum" or one.gain <= NEAR)


def table(rows: dict[tuple[str, tuple[int, int]], list[Compared]], version: str) -> str:
    """Return the comparisons as a table in Markdown, a row for the games of one kind and size."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    says = f"`python benchmarks/bimatrix_others.py`, pygambit {version}, stackelberg-envs {se.__version__}, {today}"
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
    for (kind, (A, B)), each in rows.items():
        total = [sum(getattr(one, name) for one in each) for name in ("ours", "theirs", "paths", "found")]
        gains = [0.0 if abs(one.gain) <= NEAR else one.gain for one in each]
        lines.append(
            f"| {kind} | {A} x {B} | {len(each)} | {total[0]} | {total[1]} | {max(one.apart for one in each):.0e} "
            f"| {total[3]} of {total[2]} | {min(gains):.4f} | {max(gains):.4f} |"
        )
    return f"{says}\n\n" + "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--others", metavar="PYTHON", default=sys.executable, help="a Python that has pygambit")
    parser.add_argument("--check", action="store_true", help="write no table")
    arguments = parser.parse_args()
    places = [(kind, shape) for kind in KINDS for shape in SHAPES for _ in range(SEEDS)]
    games = [drawn(kind, shape, seed) for kind in KINDS for shape in SHAPES for seed in range(SEEDS)]
    version, theirs = asked(arguments.others, games)
    rows: dict[tuple[str, tuple[int, int]], list[Compared]] = {}
    for place, game, solutions in zip(places, games, theirs, strict=True):
        rows.setdefault(place, []).append(compared(*game, solutions))
    text = table(rows, version)
    print(text)
    if not arguments.check:
        TABLE.write_text(text, encoding="utf-8")
    wrong = [place for place, each in rows.items() if not all(agrees(place[0], one) for one in each)]
    if wrong:
        sys.exit(f"expected the same equilibria, and commitments that are worth as much; they differ in {wrong}")


if __name__ == "__main__":
    main()
