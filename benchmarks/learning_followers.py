"""Leaders that see play alone, without any option, against followers that learn: how far they come.

    python benchmarks/learning_followers.py [--seeds 3] [--suite learning-followers-v1] [--leaders NAME ...]

One line per finished run is appended to docs/tables/learning_followers.jsonl, and runs found there are not repeated;
the table docs/tables/learning_followers.md is made of these lines. A cell has the median share of the way from the
default start to the best known value: of the final commitment against a follower that responds exactly, and, after a
stroke, against the follower as it plays. With a star the run said that the follower still learns, in half of the seeds
or more. Games and followers are those of the suite; another one, as benchmarks/learning-followers-deep.toml, may need
PyTorch.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import agents
from agents.benchmark.suites import Task
from agents.runs.stationarity import has_settled
from benchmarks.untuned import best_known, default_start

RESULTS = Path("docs/tables/learning_followers.jsonl")


def measure(task: Task, leader: str, seed: int, steps: int) -> dict[str, Any]:
    """Return what one run came to."""
    follower = task.followers[0] if task.followers else None
    record = agents.run(
        task.game,
        game_arguments=task.arguments,
        leader=leader,
        follower=None if follower is None else follower.kind,
        follower_options={} if follower is None else follower.options,
        steps=task.steps or steps,
        seed=seed,
        evaluate_every=0,
    )
    start = default_start(task)
    way = best_known(task) - start
    settled, drift = has_settled(record.curve)
    return {
        "exact": round((record.leader_value - start) / way, 4),
        "played": round((record.actual_value - start) / way, 4),
        "settled": settled,
        "drift": None if np.isnan(drift) else round(drift, 5),
        "seconds": round(record.seconds, 1),
    }


def cell(lines: Sequence[dict[str, Any]]) -> str:
    """Return the runs of one leader on one task in a few characters."""
    if not lines:
        return ""
    exact, played = (np.median([line[name] for line in lines]) for name in ("exact", "played"))
    noticed = 2 * sum(not line["settled"] for line in lines) >= len(lines)
    return f"{exact:.2f} / {played:.2f}" + (" *" if noticed else "")


def table(lines: Sequence[dict[str, Any]], tasks: Iterable[str], leaders: Iterable[str]) -> str:
    """Return one table per game, with a row per leader that played it and a column per follower."""
    games: dict[str, list[str]] = {}
    for task in tasks:
        game, _, follower = task.partition(", ")
        games.setdefault(game, []).append(follower)
    made = []
    for game, followers in games.items():
        made += [f"| {game} | {' | '.join(followers)} |", "| --- " * (len(followers) + 1) + "|"]
        for leader in leaders:
            found = [
                cell([line for line in lines if (line["task"], line["leader"]) == (f"{game}, {follower}", leader)])
                for follower in followers
            ]
            if any(found):
                made.append(f"| `{leader}` | {' | '.join(found)} |")
        made.append("")
    return "\n".join(made).replace("-0.00", "0.00")


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", default="learning-followers-v1")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--leaders", nargs="+", metavar="NAME")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args(words)
    suite = agents.load_suite(options.suite)
    leaders = options.leaders or [player.kind for player in suite.leaders]
    results: Path = options.results
    lines = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    done = {(line["task"], line["leader"], line["seed"]) for line in lines}
    for seed in range(options.seeds):
        for task in suite.tasks:
            for leader in leaders:
                if (task.name, leader, seed) not in done:
                    asked = {"task": task.name, "leader": leader, "seed": seed}
                    lines.append({**asked, **measure(task, leader, seed, suite.steps)})
                    with results.open("a") as file:
                        file.write(json.dumps(lines[-1]) + "\n")
    tasks = list(dict.fromkeys([*(line["task"] for line in lines), *(task.name for task in suite.tasks)]))
    players = list(dict.fromkeys([*(player.kind for player in suite.leaders), *(line["leader"] for line in lines)]))
    results.with_suffix(".md").write_text(table(lines, tasks, players))


if __name__ == "__main__":
    main()
