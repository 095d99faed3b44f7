"""Leaders against followers that stop early: n soft Bellman sweeps after each commitment, table kept or reset.

Per game and leader: the leader's value at the last update against the follower as it plays, and that of the final
commitment against the exact best response; mean and quartiles over seeds. The last column is the exact follower.
Leaders of level MODEL draw nothing at random and see no play: one seed tells all. A leader whose kind of commitment a
game does not have is left out. Values are kept in benchmarks/suboptimal_followers.json, cell by cell, so that a run
that was stopped goes on where it was; --again measures what is kept anew. The tables
docs/tables/suboptimal_followers_<game>.md are written from all cells there are.

    python benchmarks/suboptimal_followers.py [--seeds 10] [--games toy_1 toy_2 four_rooms] [--leaders naive bchg ...]
                                              [--again]
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from dataclasses import fields
from pathlib import Path

import numpy as np

import agents
from agents.leaders import leader_class, leader_names
from agents.observing.brief import Information
from agents.runs.experiment import Experiment, ExperimentConfig
from stackelberg_envs.errors import ArgumentError, InformationError

KEPT = Path("benchmarks/suboptimal_followers.json")
SWEEPS = (1, 2, 5, 10, 20, 50, None)
TITLES = (
    "J at the last update, against the follower as it plays",
    "J of the final commitment, against the exact best response",
)
TOY, ROOMS = "stackelberg/DiscreteToy-v1", "stackelberg/FourRooms-v0"
TOY_RUN, ROOMS_RUN = {"updates": 100, "steps_per_update": 1_500}, {"updates": 200, "steps_per_update": 3_000}
#: Name -> (id, arguments, budget, options of leaders that have them).
GAMES = {
    "toy_1": (TOY, {"reward": 1.0}, TOY_RUN, {"explore": 8}),
    "toy_2": (TOY, {"reward": 2.0}, TOY_RUN, {"explore": 8}),
    "four_rooms": (
        ROOMS,
        {"temperature": 0.007, "penalty": 5.0},
        ROOMS_RUN,
        {"learning_rate": 0.1, "decay": 0.0, "explore": 40},
    ),
}


def options_of(game, leader):
    """Return the game's options for leaders, as far as this one has them."""
    known = {item.name for item in fields(leader_class(leader).Config)}
    return {name: value for name, value in GAMES[game][3].items() if name in known}


def takes(game, leader):
    """Whether the leader takes the game's kind of commitment."""
    name, arguments, _, _ = GAMES[game]
    try:
        Experiment(ExperimentConfig(name, game_arguments=arguments, leader=leader))
    except (ArgumentError, InformationError):
        return False
    return True


def runs(game, leader, sweeps, restart, seeds):
    """Return the values of every seed, shape (2, seeds): as played, and against the best response."""
    name, arguments, budget, _ = GAMES[game]
    seeds = 1 if leader_class(leader).information >= Information.MODEL else seeds
    records = [
        agents.run(
            name,
            game_arguments=arguments,
            leader=leader,
            leader_options=options_of(game, leader),
            follower_options={"sweeps": sweeps, "restart": restart},
            evaluate_every=budget["updates"] - 1,
            seed=seed,
            **budget,
        )
        for seed in range(seeds)
    ]
    return np.array([(record.curve["leader_value"][-1], record.leader_value) for record in records]).T


def measure(game, leader, seeds, rows):
    """Measure the cells that are missing in the rows "kept" and "reset" of a leader; yield after each."""
    for i, sweeps in enumerate(SWEEPS):
        for kind, restart in (("kept", False), ("reset", True)):
            if rows[kind][i] is None:
                rows[kind][i] = runs(game, leader, sweeps, restart, seeds).tolist()
                yield


def cell(values):
    """Return "mean (first quartile to third)"; a single value alone; nothing where nothing was measured."""
    if values is None:
        return ""
    if len(values) == 1:
        return f"{values[0]:.2f}"
    low, high = np.quantile(values, [0.25, 0.75])
    return f"{np.mean(values):.2f} ({low:.2f} to {high:.2f})"


def table(game, measured):
    """Return both tables of a game as Markdown."""
    budget = GAMES[game][2]
    rows = [row for tables in measured.values() for row in tables.values()]
    seeds = max(len(found[0]) for row in rows for found in row if found is not None)
    lines = [
        f"Mean and quartiles of {seeds} seeds (one where a single number stands). {budget['updates']} updates of "
        f"{budget['steps_per_update']:,} observed steps.",
        "",
    ]
    for i, title in enumerate(TITLES):
        names = " | ".join("to the end" if n is None else f"{n} sweep{'s' * (n > 1)}" for n in SWEEPS)
        lines += [f"**{title}**", "", f"| leader | table | {names} |", "| --- " * (2 + len(SWEEPS)) + "|"]
        for leader, tables in sorted(measured.items()):
            for kind, row in tables.items():
                lines.append(f"| `{leader}` | {kind} | {' | '.join(cell(found and found[i]) for found in row)} |")
        lines.append("")
    return "\n".join(lines).replace("-0.00", "0.00")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--games", nargs="+", choices=GAMES, default=list(GAMES))
    parser.add_argument("--leaders", nargs="+", default=leader_names())
    parser.add_argument("--again", action="store_true")
    arguments = parser.parse_args()
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    for game, leader in itertools.product(arguments.games, arguments.leaders):
        if not takes(game, leader):
            continue
        started, of_game = time.perf_counter(), kept.setdefault(game, {})
        if arguments.again or leader not in of_game:
            of_game[leader] = {kind: [None] * len(SWEEPS) for kind in ("kept", "reset")}
        for _ in measure(game, leader, arguments.seeds, of_game[leader]):
            KEPT.write_text(json.dumps(kept, sort_keys=True) + "\n", encoding="utf-8")
            Path(f"docs/tables/suboptimal_followers_{game}.md").write_text(table(game, of_game), encoding="utf-8")
        print(f"{game}, {leader}: {time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
