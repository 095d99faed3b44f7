"""Certificates of small games: the best commitment found, the bound that none exceeds, and what that costs.

    python benchmarks/certificates.py [--games NAME ...] [--gap 0.01] [--processes 1]

Adds the rows of the games that it is asked for to docs/tables/certificates.jsonl, and writes
docs/tables/certificates.md from all rows. Seconds are processor seconds of all processes together, since others may use
the machine at the same time.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import stackelberg_envs as se
from benchmarks.toll_game import toll_game
from stackelberg_envs.solvers.certificates.affine import affine_game

TABLES = Path(__file__).parent.parent / "docs" / "tables"
RECORDS = TABLES / "certificates.jsonl"
GAMES = {
    "toll game, two tolls": lambda: toll_game(2),
    "DiscreteToy, reward 1": se.discrete_toy_v1.make_game,
    "DiscreteToy, reward 2": lambda: se.discrete_toy_v1.make_game(reward=2.0),
    "RandomTabular, S=10, D=2, seed 1000": lambda: se.random_tabular(S=10, D=2, seed=1000),
    "RandomTabular, S=8, K=2, D=3, seed 1001": lambda: se.random_tabular(S=8, K=2, D=3, seed=1001),
    "RandomTabular, S=4, policy, seed 1002": lambda: se.random_tabular(S=4, commitment="policy", seed=1002),
    "RandomTabular (default)": se.random_tabular,
    "toll game, six tolls": toll_game,
}
#: What is certified at temperature 0 besides, by mixed-integer programs.
HARD = {
    f"{name}, temperature 0": GAMES[name]
    for name in ("toll game, two tolls", "toll game, six tolls", "DiscreteToy, reward 1")
} | {
    "RandomTabular, S=4, D=2, seed 1000, temperature 0": lambda: se.random_tabular(S=4, D=2, seed=1000),
    "RandomTabular, S=10, D=2, seed 1000, temperature 0": GAMES["RandomTabular, S=10, D=2, seed 1000"],
}


def processor_seconds():
    """Return those of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def measured(name, gap, processes, time_limit):
    game = (GAMES | HARD)[name]()
    temperature = 0 if name in HARD else None
    se.certify(toll_game(2))  # what has to be compiled is
    began, wall = processor_seconds(), time.monotonic()
    proven = se.certify(
        game, temperature=temperature, gap=gap, processes=processes, time_limit=time_limit, progress=print
    )
    Z, A, B = game.table_shape
    return {
        "game": name,
        "shape": f"{Z}, {A}, {B}",
        "coordinates": len(affine_game(game).directions),
        "value": proven.value,
        "upper_bound": proven.upper_bound,
        "gap": proven.gap,
        "boxes": proven.boxes,
        "processor_seconds": round(processor_seconds() - began, 1),
        "wall_seconds": round(time.monotonic() - wall, 1),
        "processes": processes,
        "stopped_because": proven.stopped_because,
    }


def row_of(row):
    cells = (
        row["game"],
        row["shape"],
        row["coordinates"],
        f"{row['value']:.6g}",
        f"{row['upper_bound']:.6g}",
        f"{100 * row['gap']:.2f} %",
        f"{row['boxes']:,}",
        f"{row['processor_seconds']:g}",
        row["stopped_because"],
    )
    return f"| {' | '.join(map(str, cells))} |\n"


def table(rows):
    head = "| game | Z, A, B | D | value | upper bound | gap | boxes | processor seconds | stopped because |\n"
    return head + "| --- " * 9 + "|\n" + "".join(map(row_of, rows))


def keep(row):
    """Put a row into the records, and return them all in the order of the games."""
    lines = RECORDS.read_text(encoding="utf-8").splitlines() if RECORDS.exists() else []
    rows = {one["game"]: one for one in [*map(json.loads, lines), row]}
    kept = [rows[name] for name in [*GAMES, *HARD] if name in rows]
    RECORDS.write_text("".join(json.dumps(one) + "\n" for one in kept), encoding="utf-8")
    return kept


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--games", nargs="*", default=[*GAMES, *HARD], choices=[*GAMES, *HARD])
    parser.add_argument("--gap", type=float, default=0.01)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--time-limit", type=float, default=600.0)
    given = parser.parse_args()
    for name in given.games:
        made = table(keep(measured(name, given.gap, given.processes, given.time_limit)))
        (TABLES / "certificates.md").write_text(made, encoding="utf-8")
    print(made)


if __name__ == "__main__":
    main()
