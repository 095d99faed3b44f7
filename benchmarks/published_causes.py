"""What separates our runs from the published results on Four-Rooms: two settings that `published_figures.py` lacks.

    python benchmarks/published_causes.py            # runs what is missing, then the table
    python benchmarks/published_causes.py tables     # runs nothing

The published `bchg` starts its critic at a standard normal table; the published `zero_order`, `amd` and `hpgd` draw one
goal per update. `benchmarks/published_figures.py` has the rest of the settings; the seeds are not reported there.
Option: `--leaders bchg ...`.

One line per finished run is appended to docs/tables/published_causes.jsonl; runs found there are not repeated.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from published_figures import (
    DEFAULT_RATES,
    EVERY,
    LAST,
    PARTS,
    PLANNERS,
    START_DEVIATION,
    kind_of_leader,
    make_game,
    published,
    watch,
)

import stackelberg_envs as se
from agents.estimators.unrolled import unrolled_solution
from agents.leaders.amd import Amd
from agents.observing.brief import redact
from agents.runs.briefing import make_brief
from stackelberg_envs.solvers.responses import soft_best_response
from stackelberg_envs.solvers.soft import Flows

RESULTS = Path("docs/tables/published_causes.jsonl")
TABLE = Path("docs/tables/published_causes.md")
#: The short runs are to see whether `bchg` leaves "no incentive".
SHORT, LONG = 1_500, 10_000
#: The published grid.
CRITIC_STEPS = (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
SEEDS = range(100, 110)


class OneGoal:
    """A game in which all play, and all of J, is in one context until the next draw.

    Parameters
    ----------
    game
        The game.
    rng
        Draws the contexts.
    """

    def __init__(self, game, rng):
        self.game, self.rng = game, rng
        self.draw()

    def draw(self):
        """Go to another context."""
        self.context = self.rng.choice(self.game.num_contexts)

    def primitives(self, x):
        """Return the game under x, with the initial distribution of the context."""
        play = self.game.primitives(x)
        initial = np.zeros_like(play.initial).reshape(self.game.num_contexts, -1)
        initial[self.context] = play.initial.reshape(initial.shape)[self.context]
        return replace(play, initial=initial.ravel() / initial.sum())


class OneGoalAmd(Amd):
    """AMD that sweeps for all goals in every update, but follows the gradient of the one that was drawn."""

    def gradient(self, trajectories):
        """Return the gradient of the goal that was drawn."""
        del trajectories
        x, model = self.brief.commitment.check(self.commit()), self.brief.model
        plan = unrolled_solution(model.game.primitives(x), self.config.inner_iterations, self._start)
        self._start, flows, K = plan.warm_start, plan.given, model.game.num_contexts
        share = K * np.repeat(np.arange(K) == model.context, len(flows.occupancy) // K)
        of_goal = Flows(share * flows.occupancy, share[:, None, None] * flows.reward_flow, share * flows.state_flow)
        plan = replace(plan, given=of_goal)
        wanted = self.brief.commitment.changes, self.brief.array_shape
        return self.brief.commitment.vjp(x, plan.direct(*wanted) + plan.through_response(*wanted)), {}


def run(part, name, temperature, penalty, seed, updates, options):
    """Return the reported value of one run with one goal per update; with one goal there is nothing to draw."""
    game = make_game(part, temperature, penalty)
    report = game.as_believed()
    start_rng, leader_rng, play_rng, goal_rng = (
        np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(4)
    )
    kind = OneGoalAmd if name == "amd" else kind_of_leader(name)
    config = kind.Config(**{"start": list(START_DEVIATION * start_rng.standard_normal(105)), **options})
    played = OneGoal(report if name in PLANNERS else game, goal_rng)
    level = kind.required_information(played.game.commitment, config)
    leader = kind(make_brief(played.game, level), config, leader_rng)
    if name in PLANNERS:
        leader.brief = replace(leader.brief, model=played)
    values, reports = None, []
    for update in range(updates):
        x = leader.commit()
        if update >= updates - LAST and update % EVERY == 0:
            reports.append(se.solve(report, x).leader_value)
        played.draw()
        if name in PLANNERS:
            leader.update(None)
            continue
        play = played.primitives(x)
        best = soft_best_response(play, start=values)
        values = best.state_values
        setting = PARTS[part]
        seen = watch(game, x, play, best.policy, setting["steps"], setting["walkers"], play_rng)
        leader.update(redact(seen, level, best.policy))
    return float(np.mean(reports))


def kinds():
    """Return (part, leader, temperature, penalty, updates, options), the runs of one row but for their seeds."""
    found = []
    critics = [(0.001, "zeros", step) for step in (0.1, 0.5, 1.0)]
    critics += [(0.001, "random", step) for step in CRITIC_STEPS]
    critics += [(0.003, start, 1.0) for start in ("zeros", "random")]
    for temperature, start, step in critics:
        options = {**published("bchg"), "learning_rate": 0.5, "critic_step": step, "critic_start": start}
        found.append(("bchg_1000", "bchg", temperature, 5.0, SHORT, options))
    cells = ((0.005, 1.0), (0.005, 3.0), (0.005, 5.0), (0.003, 1.0))
    for (temperature, penalty), perturbation in [*((cell, 1.0) for cell in cells), (cells[2], 0.1)]:
        options = {**published("zero_order"), **DEFAULT_RATES["zero_order"], "perturbation": perturbation}
        found.append(("hpgd", "zero_order", temperature, penalty, LONG, options))
    for temperature, penalty in cells[:3]:
        found.append(("hpgd", "amd", temperature, penalty, LONG, {**published("amd"), **DEFAULT_RATES["amd"]}))
    found.append(("hpgd", "hpgd", 0.005, 1.0, LONG, {**published("hpgd"), "learning_rate": 0.1}))
    return found


def jobs():
    """Return each row's runs."""
    names = ("part", "leader", "temperature", "penalty", "updates", "options")
    return [[{**dict(zip(names, kind, strict=True)), "seed": seed} for seed in SEEDS] for kind in kinds()]


def key(item):
    """Return what tells runs apart, as text."""
    return json.dumps({name: value for name, value in item.items() if name != "reported"}, sort_keys=True)


def finished():
    """Return the reported value of each finished run."""
    if not RESULTS.exists():
        return {}
    rows = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    return {key(row): row["reported"] for row in rows}


def write_table():
    done = finished()
    lines = [
        "| leader | temperature | penalty | settings | updates | reported: mean | standard error | each seed, sorted |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for items in jobs():
        values = [done[key(item)] for item in items if key(item) in done]
        if not values:
            continue
        first, shown = items[0], ("learning_rate", "critic_step", "critic_start", "perturbation")
        settings = ", ".join(f"{name} {first['options'][name]}" for name in shown if name in first["options"])
        error = f"{np.std(values, ddof=1) / np.sqrt(len(values)):.3f}" if len(values) > 1 else ""
        each = " ".join(f"{value:.2f}" for value in sorted(values))
        lines.append(
            f"| `{first['leader']}` | {first['temperature']} | {first['penalty']:g} | {settings.replace('_', ' ')} "
            f"| {first['updates']:,} | {np.mean(values):.3f} | {error} | {each} |"
        )
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("runs", "tables"), default="runs")
    leaders = sorted({kind[1] for kind in kinds()})
    parser.add_argument("--leaders", nargs="+", choices=leaders, default=leaders)
    given = parser.parse_args()
    done = finished()
    for item in [item for items in jobs() for item in items if item["leader"] in given.leaders]:
        if given.what == "tables" or key(item) in done:
            continue
        names = ("part", "leader", "temperature", "penalty", "seed", "updates", "options")
        row = {**item, "reported": round(run(*(item[name] for name in names)), 6)}
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(key(row), row["reported"], flush=True)
    write_table()


if __name__ == "__main__":
    main()
