"""Leaders on games of vectors: what they reach from trajectories alone, beside what was published.

    python benchmarks/continuous_leaders.py [building lqr tax] [--leaders bchg naive ...] [--seeds 10] [--tables]

One line per finished run is appended to docs/tables/continuous_leaders.jsonl, and runs found there are not repeated:
an interrupted benchmark goes on where it was. docs/tables/continuous_leaders.md is made of these lines (`--tables`:
from the runs there are). Delete the lines to measure anew.

Followers respond exactly. Values are the exact ones of the commitments that the leaders recommend at the end.

building: score (J - J_mid) / (J* - J_mid) with J_mid = -261.96 at one half everywhere and J* = -162.50, the best known.
    Leaders with a start begin at one half. Published (akimotolab/BC-HG, configurable_mdp/data/
    experiment_bilevel_lqr__reg_lambda_0_1_steps_10000/config.yaml): 2,000 updates of 10,000 steps.
lqr: undiscounted return over 100 steps; the best known is 18.4. Starts are standard normal, as published. Published
    (markov_game/config/LQREnv-v4/config_bchg.yaml): 500 updates of 400 steps, after 4,000 steps of random play; ten
    steps of Adam at a constant 0.1 per update, gradients shortened to norm 1, the follower's policy and values known.
    Gradient leaders here make one step of Adam per update, at a rate that falls from 0.1 to 0.04, gradients shortened
    to norm 1. "exact gradient" and "exact direct term" are as many such steps along what the game itself says.
    "(lstd)" is the critic that knows present play only.
tax: J over the J of the best known rates on the grid of assets. Half of the households seen are of each type. Starts
    at 0.3 everywhere, as published (lasgroup/HPGD, data/experiment_tax_design_reg_lambda_0_1/config.yaml): 1,000
    updates of 60,000 steps.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import agents
import stackelberg_envs as se
from agents.learning.optimizers import clip_norm, make_optimizer

TABLES = Path("docs/tables")
RESULTS = TABLES / "continuous_leaders.jsonl"
IDS = {
    "building": "stackelberg/BuildingThermal-v1",
    "lqr": "stackelberg/BilevelLqr-v1",
    "tax": "stackelberg/TaxDesign-v0",
}
PUBLISHED = {
    "building": "0.66 (BC-HG), 0.51 (naive), -0.03 (HPGD), 20,000,000 steps",
    "lqr": "0.15, 204,000 steps",
    "tax": "60,000,000 steps; no value in these units",
}
MIDDLE, START_RATES = [0.5] * 8, [0.3] * 4
QUICK_SEARCH = {"box_draws": 16, "box_starts": 2, "box_ladder": (2.0,), "polish": 20}
#: Widths of the boxes of commitments, in which leaders measure their steps.
GAINS, RATES = 24.0, 2.0
#: Starts that are drawn, each entry from a normal distribution of standard deviation 1.
NEAR_ZERO = "near zero"
#: Steps of 0.1 in each gain, and gradients by the gains limited to 1: no reward is larger than 1.
RATE, LIMIT, DECAY = 0.1, 1.0, 0.005
CLIMB = {"start": NEAR_ZERO, "learning_rate": RATE / GAINS, "decay": DECAY, "max_norm": GAINS * LIMIT}
FITTED = {**CLIMB, "critic": "fitted", "features": "local"}
#: Critics of the rows, as they were run.
LSTD = {"critic": "lstd", "features": "quadratic"}
SAMPLED = {**LSTD, "critic": "monte_carlo", "trace": "sampled"}
STEPPED = {**LSTD, "start": START_RATES, "features": "local", "learning_rate": 0.05 / RATES}
#: Entries of an exact solution to climb along, by what the table calls it.
EXACT = {"exact gradient": "gradient", "exact direct term": "direct_gradient"}
#: (task, leader and what else its row is called) -> updates, steps per update, options that differ from the defaults.
RUNS = {
    ("building", "certainty_equivalent"): (10, 1_000, {"start": MIDDLE}),
    ("building", "bchg"): (60, 2_000, {**LSTD, "start": MIDDLE, "learning_rate": 0.05}),
    ("building", "naive"): (60, 2_000, {**LSTD, "start": MIDDLE, "learning_rate": 0.05}),
    ("building", "hpgd"): (60, 2_000, {**SAMPLED, "start": MIDDLE, "learning_rate": 0.05}),
    ("building", "zero_order"): (120, 1_000, {"start": MIDDLE}),
    ("building", "cma_es"): (120, 1_000, {"start": MIDDLE}),
    ("lqr", "certainty_equivalent"): (10, 400, {"start": NEAR_ZERO}),
    ("lqr", "exact gradient"): (300, 0, {}),
    ("lqr", "exact direct term"): (300, 0, {}),
    ("lqr", "bchg"): (300, 400, FITTED),
    ("lqr", "naive"): (300, 400, FITTED),
    ("lqr", "bchg (lstd)"): (300, 400, {**CLIMB, **LSTD}),
    ("lqr", "hpgd"): (300, 400, {**CLIMB, **SAMPLED}),
    ("lqr", "zero_order"): (
        500,
        400,
        {"start": NEAR_ZERO, "learning_rate": RATE / GAINS, "perturbation": 0.3 / GAINS},
    ),
    ("lqr", "cma_es"): (500, 400, {"start": NEAR_ZERO, "sigma": 3.0 / GAINS}),
    ("tax", "certainty_equivalent"): (6, 2_000, {"start": START_RATES, **QUICK_SEARCH}),
    ("tax", "bchg"): (40, 10_000, STEPPED),
    ("tax", "bchg (5,000 steps)"): (40, 5_000, STEPPED),
    ("tax", "naive"): (40, 5_000, STEPPED),
    ("tax", "hpgd"): (40, 5_000, {**STEPPED, **SAMPLED, "features": "local"}),
    ("tax", "zero_order"): (
        100,
        2_000,
        {"start": START_RATES, "learning_rate": 0.05 / RATES, "perturbation": 0.3 / RATES},
    ),
    ("tax", "cma_es"): (100, 2_000, {"start": START_RATES, "sigma": 0.5 / RATES}),
}
#: Discount at which a value is a sum of a hundred rewards.
NONE_AT_ALL = 1.0 - 1e-9


def score(task, x):
    """Return what the table shows of a commitment."""
    if task == "building":
        game = se.make_game(IDS[task])
        middle, best = (game.solve(point).leader_value for point in (MIDDLE, game.facts["best_commitment"]))
        return (game.solve(x).leader_value - middle) / (best - middle)
    if task == "lqr":
        return se.make_game(IDS[task], leader_discount=NONE_AT_ALL).solve(x).leader_value
    game = se.make_game(IDS[task])
    return game.solve(x).leader_value / game.facts["best_known"]


def climb(task, entry, updates, seed):
    """Return what steps of Adam along an entry of the exact solution come to, from where the leaders begin."""
    game = se.make_game(IDS[task])
    low, high = game.commitment.low, game.commitment.high
    x = np.random.default_rng(seed).standard_normal(low.shape)
    optimizer = make_optimizer("adam", RATE)
    for i in range(updates):
        step = optimizer.step(clip_norm(getattr(game.solve(x), entry).ravel(), LIMIT))
        x = np.clip(x + step.reshape(x.shape) / (1.0 + DECAY * i), low, high)
    return {
        "score": round(float(score(task, x)), 6),
        "value": round(game.solve(x).leader_value, 6),
        "commitment": np.round(x, 4).tolist(),
        "observed_steps": 0,
        "skipped": 0,
        "halvings": 0,
        "information": "MODEL",
    }


def measure(task, name, seed):
    """Return what one run came to."""
    updates, steps, options = RUNS[task, name]
    if options.get("start") == NEAR_ZERO:
        options = {**options, "start": np.random.default_rng(seed).standard_normal(2).tolist()}
    if name in EXACT:
        return climb(task, EXACT[name], updates, seed)
    record = agents.run(
        IDS[task],
        leader=name.split()[0],
        updates=updates,
        steps_per_update=steps,
        seed=seed,
        leader_options=options,
        evaluate_every=0,
    )
    curve = record.curve
    return {
        "score": round(float(score(task, record.commitment)), 6),
        "value": round(record.leader_value, 6),
        "commitment": np.round(record.commitment, 4).tolist(),
        "observed_steps": record.observed_steps,
        "skipped": int(np.nansum(curve.get("skipped", [0.0]))),
        "halvings": int(np.nansum(curve["halvings"])),
        "information": record.information,
    }


def results():
    """Return the runs there are, by (task, leader, seed)."""
    if not RESULTS.exists():
        return {}
    lines = (json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines())
    return {tuple(line.pop("run")): line for line in lines}


def table(found):
    yield "| task | leader | sees | observed steps | median | worst to best | seeds | skipped or halved steps |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for task, leader in RUNS:
        lines = [line for run, line in found.items() if run[:2] == (task, leader)]
        if not lines:
            continue
        scores = [line["score"] for line in lines]
        trouble = sum(line["skipped"] + line["halvings"] for line in lines)
        yield (
            f"| {task} | `{leader}` | `{lines[0]['information']}` | {lines[0]['observed_steps']:,} "
            f"| {np.median(scores):.3f} | {min(scores):.3f} to {max(scores):.3f} | {len(lines)} | {trouble} |"
        )
        if leader == "naive":
            # Beside the leaders that it was published for.
            yield f"| {task} | published | | {PUBLISHED[task]} | | | | |"


def write_table():
    (TABLES / "continuous_leaders.md").write_text("\n".join(table(results())) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", default=list(IDS))
    parser.add_argument("--leaders", nargs="*", default=None)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--tables", action="store_true", help="only write the table")
    arguments = parser.parse_args()
    wanted = [run for run in RUNS if run[0] in arguments.tasks]
    wanted = [run for run in wanted if arguments.leaders is None or run[1] in arguments.leaders]
    for task, leader in [] if arguments.tables else wanted:
        for seed in range(arguments.seeds):
            if (task, leader, seed) in results():
                continue
            line = {"run": [task, leader, seed], **measure(task, leader, seed)}
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(task, leader, seed, line["score"], flush=True)
    write_table()


if __name__ == "__main__":
    main()
