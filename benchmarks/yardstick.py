"""Do independent runs of the yardstick agree? Ten seeds of `best_commitment` on fifty random games of up to 100 states.

    python benchmarks/yardstick.py [--runs 10] [--games 50] [--table]

Half of the games have weights of features as their commitments, half a policy table; sizes go from 10 to 100 states,
the rest is at its default. No game is one that anything was tuned on. Each run is appended to
docs/tables/yardstick.jsonl, and those that are there already are not made again; then docs/tables/yardstick.md is
written, with `--table` nothing else. The range is that of all values that any run has met.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

import stackelberg_envs as se

RECORDS, TABLE = Path("docs/tables/yardstick.jsonl"), Path("docs/tables/yardstick.md")
#: Seeds of the games begin here.
FIRST_GAME = 2000
#: Ends closer than this, relative to the range of a game's values, are the same.
SAME = 1e-6


def games(count):
    """Return (kind, states, seed) of each game."""
    sizes = np.geomspace(10, 100, (count + 1) // 2).round().astype(int)
    return [(kind, int(S), FIRST_GAME + i) for i, S in enumerate(sizes) for kind in ("features", "policy")][:count]


def record(kind, S, game_seed, run):
    """Return what one run of the yardstick finds."""
    began = time.process_time()
    found = se.best_commitment(se.random_tabular(S=S, commitment=kind, seed=game_seed), seed=run)
    return {
        **{"kind": kind, "states": S, "game": game_seed, "run": run, "value": found.value, "range": found.range},
        **{"starts": found.starts, "hits": found.hits, "ends": found.ends, "evaluations": found.evaluations},
        **{"stopped_because": found.stopped_because, "seconds": round(time.process_time() - began, 2)},
    }


def lines(records):
    """Yield the rows of the table: one for each kind and class of sizes, then one for each game with a disagreement."""
    names = ("games", "states", "runs of each", "games whose runs agree", "starts, median", "evaluations, median")
    yield f"| {' | '.join(names)} | seconds, median and longest |"
    yield "|" + " --- |" * 7
    odd = []
    for kind in ("features", "policy"):
        for least, most in ((10, 31), (32, 100)):
            rows = [row for row in records if row["kind"] == kind and least <= row["states"] <= most]
            by_game = {}
            for row in rows:
                by_game.setdefault((row["states"], row["game"]), []).append(row)
            apart = {game: spread(each) for game, each in by_game.items() if spread(each)[0] > SAME}
            odd += [(kind, *game, *gap) for game, gap in apart.items()]
            runs = sorted({len(each) for each in by_game.values()})
            seconds = [row["seconds"] for row in rows]
            middle = [f"{np.median([row[name] for row in rows]):.0f}" for name in ("starts", "evaluations")]
            agree = f"{len(by_game) - len(apart)} of {len(by_game)}"
            told = [kind, f"{least} to {most}", " to ".join(map(str, sorted({runs[0], runs[-1]}))), agree, *middle]
            yield f"| {' | '.join(told)} | {np.median(seconds):.1f}, {max(seconds):.1f} |"
    for kind, S, seed, gap, below in odd:
        yield f"| {kind}, seed {seed} | {S} | | {below} runs end up to {gap:.1e} of the range below the best | | | |"


def spread(rows):
    """Return how far the lowest run of a game is below the highest, and how many runs are below it."""
    values, size = np.array([row["value"] for row in rows]), max(row["range"] for row in rows)
    gaps = (values.max() - values) / size
    return gaps.max(), int((gaps > SAME).sum())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--games", type=int, default=50)
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    records = [json.loads(line) for line in RECORDS.read_text().splitlines()] if RECORDS.exists() else []
    done = {(row["kind"], row["states"], row["game"], row["run"]) for row in records}
    # The small games first: what is stopped early has all runs of these.
    wanted = [(*game, run) for game in games(options.games) for run in range(options.runs)]
    for job in [] if options.table else [job for job in wanted if job not in done]:
        records.append(record(*job))
        with RECORDS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(records[-1]) + "\n")
    TABLE.write_text("\n".join(lines(records)) + "\n", encoding="utf-8")
    print(TABLE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
