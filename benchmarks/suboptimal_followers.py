"""Leaders against followers that stop early: n soft Bellman sweeps after each commitment, table kept or reset.

Per game and leader: the leader's value at the last update against the follower as it plays, and that of the final
commitment against the exact best response; mean and quartiles over seeds. The last column is the exact follower.
Writes docs/tables/suboptimal_followers.md.

    python benchmarks/suboptimal_followers.py [--seeds 10] [--leaders naive bchg exact]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

import agents

TABLE = Path("docs/tables/suboptimal_followers.md")
SWEEPS = (1, 2, 5, 10, 20, 50, None)
LEADERS = ("naive", "bchg", "exact")
TITLES = (
    "J at the last update, against the follower as it plays",
    "J of the final commitment, against the exact best response",
)
#: Name -> (id, arguments, budget, options of gradient leaders).
GAMES = {
    "toy, R = 1": (
        "stackelberg/DiscreteToy-v0",
        {"reward": 1.0},
        {"updates": 100, "steps_per_update": 1_500},
        {},
    ),
    "toy, R = 2": (
        "stackelberg/DiscreteToy-v0",
        {"reward": 2.0},
        {"updates": 100, "steps_per_update": 1_500},
        {},
    ),
    "Four-Rooms": (
        "stackelberg/FourRooms-v0",
        {"temperature": 0.007, "penalty": 5.0},
        {"updates": 200, "steps_per_update": 3_000},
        {"learning_rate": 0.1, "decay": 0.0},
    ),
}


def runs(game, leader, sweeps, restart, seeds):
    """Return the values of every seed, shape (2, seeds): as played, and against the best response."""
    name, arguments, budget, gradient_options = GAMES[game]
    # The exact leader looks at no play and starts at zeros: its runs are all the same.
    options, seeds = ({}, 1) if leader == "exact" else (gradient_options, seeds)
    records = [
        agents.run(
            name,
            game_arguments=arguments,
            leader=leader,
            leader_options=options if leader in ("naive", "bchg") else {},
            follower_options={"sweeps": sweeps, "restart": restart},
            evaluate_every=budget["updates"] - 1,
            seed=seed,
            **budget,
        )
        for seed in range(seeds)
    ]
    return np.array([(record.curve["leader_value"][-1], record.leader_value) for record in records]).T


def cell(values):
    """Return "mean (first quartile to third)"; a single value alone."""
    if len(values) == 1:
        return f"{values[0]:.2f}"
    low, high = np.quantile(values, [0.25, 0.75])
    return f"{values.mean():.2f} ({low:.2f} to {high:.2f})"


def measure(leaders, seeds):
    """Return {(game, leader, restart): list over sweeps of arrays (2, seeds)}."""
    out = {}
    for game in GAMES:
        for leader in leaders:
            started = time.perf_counter()
            for restart in (False, True):
                out[game, leader, restart] = [runs(game, leader, n, restart, seeds) for n in SWEEPS]
            print(f"{game}, {leader}: {time.perf_counter() - started:.0f} s", flush=True)
    return out


def tables(measured, seeds, leaders):
    """Return both tables as Markdown."""
    command = f"python benchmarks/suboptimal_followers.py --seeds {seeds} --leaders {' '.join(leaders)}"
    budgets = "; ".join(
        f"{game}: {budget['updates']} updates of {budget['steps_per_update']:,} observed steps"
        for game, (_, _, budget, _) in GAMES.items()
    )
    lines = [f"`{command}`: mean and quartiles of {seeds} seeds (`exact` needs one). {budgets}.", ""]
    for i, title in enumerate(TITLES):
        names = " | ".join("to the end" if n is None else f"{n} sweep{'s' * (n > 1)}" for n in SWEEPS)
        lines += [f"**{title}**", "", f"| game | leader | table | {names} |", "| --- " * (3 + len(SWEEPS)) + "|"]
        for (game, leader, restart), row in measured.items():
            cells = " | ".join(cell(values[i]) for values in row)
            lines.append(f"| {game} | `{leader}` | {'reset' if restart else 'kept'} | {cells} |")
        lines.append("")
    return "\n".join(lines).replace("-0.00", "0.00")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--leaders", nargs="+", default=list(LEADERS))
    parser.add_argument("--output", type=Path, default=TABLE)
    options = parser.parse_args()
    text = tables(measure(options.leaders, options.seeds), options.seeds, options.leaders)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
