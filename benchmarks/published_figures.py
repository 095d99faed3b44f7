"""The gradient leaders beside their published results on Four-Rooms, with the published settings.

    python benchmarks/published_figures.py rates       # the grids that the learning rates are chosen from
    python benchmarks/published_figures.py results     # the tables, with the rates chosen
    python benchmarks/published_figures.py ablation    # from our default settings to the published ones, one by one
    python benchmarks/published_figures.py tables      # runs nothing: the tables from the runs there are

Options: `--part bchg_100 bchg_1000 hpgd`, `--leaders bchg ...`, `--seeds 0 10`, `--processes 2`.

Parts: BC-HG's figures at 100 and at 1,000 steps per update (one goal, penalty 5, three temperatures), and the nine
(temperature, penalty) cells of HPGD's table (two goals, 10,000 steps per update). 10,000 updates each. Walkers slip at
0.33; the follower's plans, and the reported value, are made at 0.44, as in the papers' code.

One line per finished run is appended to docs/tables/published_figures.jsonl, and runs found there are not repeated: an
interrupted benchmark goes on where it was. The tables docs/tables/published_*.md are made of these lines.
"""

from __future__ import annotations

import argparse
import itertools
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from published.four_rooms import PublishedBchg, PublishedHpgd, PublishedNaive

import stackelberg_envs as se
from agents.leaders import leader_class
from agents.observing.brief import redact
from agents.observing.trajectories import Trajectories
from agents.runs.briefing import make_brief
from stackelberg_envs.play.rollout import GameTables, tabular_rollout
from stackelberg_envs.solvers.responses import soft_best_response
from stackelberg_envs.solvers.soft import leader_value

UPDATES = 10_000
#: The papers report the mean over the last 1,000 updates; here of every 50th commitment among them.
LAST, EVERY = 1_000, 50
TABLES = Path("docs/tables")
RESULTS = TABLES / "published_figures.jsonl"
TEMPERATURES = (0.001, 0.003, 0.005)
GOALS = {1: ((1, 9),), 2: ((1, 9), (11, 11))}

#: Penalties, goals, steps per update, and how many walkers share them, each in a run of its own that is cut at its end.
PARTS = {
    "bchg_100": {"penalties": (5.0,), "goals": 1, "steps": 100, "walkers": 1},
    "bchg_1000": {"penalties": (5.0,), "goals": 1, "steps": 1_000, "walkers": 5},
    "hpgd": {"penalties": (1.0, 3.0, 5.0), "goals": 2, "steps": 10_000, "walkers": 5},
}
#: Final values of BC-HG's figures (read off, about 0.02) and of the table in HPGD's repository.
PUBLISHED = {
    "bchg_100": {
        "bchg": (0.668, 0.548, 1.333),
        "hpgd": (-0.01, 0.108, 1.196),
        "naive": (0.001, 0.001, 0.018),
    },
    "bchg_1000": {
        "bchg": (0.195, 0.265, 1.054),
        "hpgd": (0.198, 0.265, 1.213),
        "naive": (0.001, 0.001, 0.018),
    },
    "hpgd": {
        "hpgd": (0.91, 0.51, 0.46, 0.95, 0.73, 0.29, 1.17, 1.01, 0.87),
        "amd": (0.58, 0.51, 0.46, 1.00, 0.39, 0.32, 1.28, 1.13, 0.97),
        "zero_order": (0.59, 0.50, 0.46, 0.91, 0.40, 0.32, 1.15, 1.02, 0.79),
    },
}
#: As published, in akimotolab/BC-HG (configurable_mdp/train_four_rooms_*.py, data/*/config.yaml) and lasgroup/HPGD
#: (train_*.py, src/models/IncentiveModel.py, data/*/config.yaml): plain ascent at a constant rate, the gradient's norm
#: limited to 1, logits near zero.
ASCENT = {"optimizer": "sgd", "decay": 0.0, "max_norm": 1.0}
START_DEVIATION = 0.01
SETTINGS = {
    # The published code lets cut episodes end, averages over the present batch only, and gives BC-HG the true policy.
    "bchg": {"critic": "sarsa", "bootstrap": False, "weights": "finished", "privileged": ("behaviour",)},
    "hpgd": {"critic": "monte_carlo", "bootstrap": False, "weights": "finished", "prior_visits": 0.0},
    "naive": {"critic": "monte_carlo", "bootstrap": False, "prior_visits": 0.0},
    "amd": {"inner_iterations": 100},
    "zero_order": {"values": "exact", "shrinking": 1.0},
}
#: Leaders that have options for what the published code does otherwise.
PUBLISHED_LEADERS = {"bchg": PublishedBchg, "hpgd": PublishedHpgd, "naive": PublishedNaive}
#: Read from the matrix at slip 0.44 and never from play; nothing is collected for them.
PLANNERS = ("amd", "zero_order")
LEADERS = ("bchg", "hpgd", "naive", "zero_order", "amd")
#: The published grids, made smaller: one or two of four rates (0.05 and 0.01 left out), one to three of six critic
#: steps, two of four perturbations; on seeds that are not reported. What has the best mean report there is used.
GRIDS = {
    ("bchg_100", "bchg"): {"learning_rate": (0.5, 0.1), "critic_step": (0.1, 0.5)},
    ("bchg_100", "hpgd"): {"learning_rate": (0.5, 0.1)},
    # At 0.1 with the steps 0.1 and 0.5, seeds 100 and 101 ended at "no incentive" at all three temperatures.
    ("bchg_1000", "bchg"): {"learning_rate": (0.5,), "critic_step": (0.1, 0.5, 1.0)},
    ("bchg_1000", "hpgd"): {"learning_rate": (0.5, 0.1)},
    ("hpgd", "hpgd"): {"learning_rate": (0.5, 0.1)},
    ("hpgd", "zero_order"): {"learning_rate": (0.5,), "perturbation": (0.1, 1.0)},
}
#: Without a grid.
DEFAULT_RATES = {
    "bchg": {"learning_rate": 0.5, "critic_step": 0.1},
    "naive": {"learning_rate": 0.1},
    "amd": {"learning_rate": 0.5},
    "zero_order": {"learning_rate": 0.5},
}
RATE_SEEDS = {"bchg_100": (100, 101, 102), "bchg_1000": (100, 101, 102, 103), "hpgd": (100,)}
#: One setting at a time, one goal, 100 steps per update.
ABLATION_SEEDS = (3, 4, 5)
ABLATIONS = (("bchg", 0.005), ("hpgd", 0.005), ("bchg", 0.003))
#: What our defaults have instead of each published setting.
OURS: dict[str, dict[str, Any]] = {
    "plain ascent with a limited norm": {"optimizer": "adam", "decay": 0.02, "max_norm": None},
    "a limited norm": {"max_norm": None},
    "a start near zero instead of zeros": {"start": "zeros"},
    "the published critic": {"critic": "lstd"},
    "cut episodes that end": {"bootstrap": True},
    "the published weights": {"weights": "at_risk"},
    "the published estimate of the policy": {"privileged": (), "prior_visits": 1.0},
}


def published(name):
    """Return the published settings of a leader, but for its learning rate."""
    return {**ASCENT, **SETTINGS[name]}


def kind_of_leader(name):
    """Return the class that runs under a name of the tables."""
    return PUBLISHED_LEADERS.get(name) or leader_class(name)


def make_game(part, temperature, penalty):
    goals = GOALS[PARTS[part]["goals"]]
    arguments = {"temperature": temperature, "penalty": penalty, "goals": goals, "slip": 0.33, "follower_slip": 0.44}
    return se.make_game("stackelberg/FourRooms-v0", **arguments)


def watch(game, x, play, response, steps, walkers, rng):
    """Return what `agents.collect` returns for several walkers, without the checks and copies of each."""
    share, tables = steps // walkers, GameTables.of(play, game.horizon)
    starts = range(0, steps, share)
    parts = [tabular_rollout(rng, tables, response, min(share, steps - first), share) for first in starts]
    z, a, b, following = (np.concatenate(arrays) for arrays in zip(*(part[:4] for part in parts), strict=True))
    ends = [first + part.offsets[1:] for first, part in zip(starts, parts, strict=True)]
    offsets, (S, A, B) = np.concatenate([np.zeros(1, dtype=np.int64), *ends]), game.shape
    cell = (z * A + a) * B + b
    return Trajectories(
        commitment=x,
        num_states=S,
        state=z % S,
        leader_action=a,
        follower_action=b,
        next_state=following % S,
        leader_reward=play.leader_reward.ravel()[cell],
        follower_reward=None,
        offsets=offsets,
        terminated=play.continuing[z[offsets[1:] - 1]] == 0.0,
        context=z[offsets[:-1]] // S,
    )


def run(part, name, temperature, penalty, seed, options):
    """Return (reported value, true value of the final commitment) of one run."""
    setting = PARTS[part]
    game = make_game(part, temperature, penalty)
    report = game.as_believed()
    played = report if name in PLANNERS else game
    start_rng, leader_rng, play_rng = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3))
    kind = kind_of_leader(name)
    start = list(START_DEVIATION * start_rng.standard_normal(105))
    config = kind.Config(**{"start": start, **options})
    level = kind.required_information(played.commitment, config)
    leader = kind(make_brief(played, level), config, leader_rng)
    values, reports = None, []
    for update in range(UPDATES):
        x = leader.commit()
        if update >= UPDATES - LAST and update % EVERY == 0:
            reports.append(se.solve(report, x).leader_value)
        if name in PLANNERS:
            leader.update(None)
            continue
        play = game.primitives(x)
        best = soft_best_response(play, start=values)
        values = best.state_values
        seen = watch(game, x, play, best.policy, setting["steps"], setting["walkers"], play_rng)
        leader.update(redact(seen, level, best.policy))
    final = game.primitives(leader.commit())
    return float(np.mean(reports)), float(leader_value(final, soft_best_response(final).policy))


# --- what is run -----------------------------------------------------------------------------------------


def job(part, name, temperature, penalty, seed, options, purpose="results"):
    return {
        "purpose": purpose,
        "part": part,
        "leader": name,
        "temperature": temperature,
        "penalty": penalty,
        "seed": seed,
        "options": options,
    }


def key(item):
    """Return what tells runs apart, as text; JSON has lists where we have tuples."""
    return json.dumps({name: item[name] for name in job(*[None] * 6)}, sort_keys=True)


def finished():
    """Return all finished runs by key."""
    if not RESULTS.exists():
        return {}
    rows = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    return {key(row): row for row in rows}


def cells(part):
    return list(itertools.product(TEMPERATURES, PARTS[part]["penalties"]))


def grid(part, name):
    """Return the settings that a leader's rate is chosen from."""
    names, values = zip(*GRIDS[part, name].items(), strict=True)
    return [dict(zip(names, chosen, strict=True)) for chosen in itertools.product(*values)]


def rate_jobs(part, name, temperature, penalty):
    """Return the runs of each setting of a grid."""
    return [
        [
            job(part, name, temperature, penalty, seed, {**published(name), **setting}, "rates")
            for seed in RATE_SEEDS[part]
        ]
        for setting in grid(part, name)
    ]


def rate_means(part, name, temperature, penalty, done):
    """Return the mean report of each setting of a grid, or None while it is not finished."""
    rows = [[done.get(key(item)) for item in jobs] for jobs in rate_jobs(part, name, temperature, penalty)]
    if any(None in each for each in rows):
        return None
    return [float(np.mean([row["reported"] for row in each])) for each in rows]


def rate(part, name, temperature, penalty, done):
    """Return the settings chosen for a leader, or None while their grid is not finished."""
    if (part, name) not in GRIDS:
        return DEFAULT_RATES[name]
    means = rate_means(part, name, temperature, penalty, done)
    return None if means is None else grid(part, name)[int(np.argmax(means))]


def result_jobs(part, name, seeds, done):
    """Return the runs of one leader in one part; planners see no play, so steps per update change nothing."""
    found = []
    part = "bchg_100" if part == "bchg_1000" and name in PLANNERS else part
    for temperature, penalty in cells(part):
        chosen = rate(part, name, temperature, penalty, done)
        if chosen is not None:
            options = {**published(name), **chosen}
            found += [job(part, name, temperature, penalty, seed, options) for seed in seeds]
    return found


def ablation_jobs(name, temperature):
    """Return (label, runs): our settings, one published setting put in, one taken out, and all published ones."""
    there = {**published(name), "learning_rate": 0.1}
    here = {"learning_rate": 0.1, "start": "zeros"}
    kinds = [("ours", here)]
    for label, ours in OURS.items():
        known = {option: there[option] for option in ours if option in there}
        if label.startswith("a start"):
            kinds.append((f"ours with {label}", {"learning_rate": 0.1}))
        elif label.startswith("cut") and name == "bchg":
            # The default critic, LSTD, has no use for it.
            kinds.append((f"ours with the published critic and {label}", {**here, "critic": "sarsa", **known}))
        elif known and known != ours and (label != "the published critic" or name == "bchg"):
            kinds.append((f"ours with {label}", {**here, **known}))
    kinds.append(("published", there))
    for label, ours in OURS.items():
        if set(ours) & {*there, "start"} and (label != "the published critic" or name == "bchg"):
            known = {option: value for option, value in ours.items() if option in there or option == "start"}
            kinds.append((f"published without {label}", {**there, **known}))
    if name == "bchg":
        both = {**OURS["cut episodes that end"], **OURS["the published estimate of the policy"]}
        kinds.append(("published without that, and without cut episodes that end", {**there, **both}))
    # What made no difference at one temperature is left out at the other.
    kinds = [kind for kind in kinds if temperature == 0.005 or not kind[0].endswith(("a limited norm", "of zeros"))]
    return [
        (label, [job("bchg_100", name, temperature, 5.0, seed, options, "ablation") for seed in ABLATION_SEEDS])
        for label, options in kinds
    ]


def work(item):
    """Run one job and return it with its results."""
    reported, true = run(*(item[name] for name in ("part", "leader", "temperature", "penalty", "seed", "options")))
    return {**item, "reported": round(reported, 6), "true": round(true, 6)}


def carry_out(jobs, processes):
    """Run what is not finished; append each result and renew the tables."""
    done = finished()
    jobs = [item for item in jobs if key(item) not in done]
    with ProcessPoolExecutor(processes) as pool:
        for row in pool.map(work, jobs):
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(key(row), row["reported"], row["true"], flush=True)
            write_tables()


# --- tables ----------------------------------------------------------------------------------------------


def spread(values):
    """Return mean and quartiles as text."""
    low, high = np.quantile(values, [0.25, 0.75])
    return f"{np.mean(values):.3f} ({low:.3f} to {high:.3f})"


def result_table(part, done):
    lines = [
        "| temperature | penalty | leader | published | reported: mean (quartiles) | difference | seeds "
        "| each seed, sorted | true value: mean (quartiles) | settings |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for index, (temperature, penalty) in enumerate(cells(part)):
        for name in LEADERS:
            jobs = result_jobs(part, name, range(10), done)
            jobs = [item for item in jobs if (item["temperature"], item["penalty"]) == (temperature, penalty)]
            rows = [done[key(item)] for item in jobs if key(item) in done]
            if not rows:
                continue
            reported, true = ([row[which] for row in rows] for which in ("reported", "true"))
            known, difference = "", ""
            if name in PUBLISHED[part]:
                known = PUBLISHED[part][name][index]
                difference = f"{np.mean(reported) - known:+.3f}"
            each = " ".join(f"{value:.2f}" for value in sorted(reported))
            chosen = rate(jobs[0]["part"], name, temperature, penalty, done)
            settings = ", ".join(f"{option} {value}" for option, value in chosen.items())
            lines.append(
                f"| {temperature} | {penalty:g} | `{name}` | {known} | {spread(reported)} | {difference} "
                f"| {len(rows)} | {each} | {spread(true)} | {settings.replace('_', ' ')} |"
            )
    return lines


def rate_table(done):
    lines = [
        "| part | leader | temperature | penalty | reported, by setting | seeds |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for part, name, temperature, penalty in ((*pair, *cell) for pair in GRIDS for cell in cells(pair[0])):
        means = rate_means(part, name, temperature, penalty, done)
        if means is None:
            continue
        shown = [
            f"{'/'.join(str(value) for value in setting.values())}: {mean:.3f}"
            for setting, mean in zip(grid(part, name), means, strict=True)
        ]
        best = int(np.argmax(means))
        shown[best] = f"**{shown[best]}**"
        settings = f"{'/'.join(GRIDS[part, name])}: {'; '.join(shown)}".replace("_", " ")
        lines.append(f"| {part} | `{name}` | {temperature} | {penalty:g} | {settings} | {len(RATE_SEEDS[part])} |")
    return lines


def ablation_table(done):
    lines = ["| leader | temperature | settings | reported: mean | each seed |", "| --- | --- | --- | --- | --- |"]
    for name, temperature in ABLATIONS:
        for label, jobs in ablation_jobs(name, temperature):
            values = [done[key(item)]["reported"] for item in jobs if key(item) in done]
            if len(values) == len(jobs):
                each = " ".join(f"{value:.2f}" for value in values)
                lines.append(f"| `{name}` | {temperature} | {label} | {np.mean(values):.3f} | {each} |")
    return lines


def write_tables():
    done = finished()
    tables = {part: result_table(part, done) for part in PARTS}
    tables |= {"rates": rate_table(done), "ablation": ablation_table(done)}
    for name, lines in tables.items():
        (TABLES / f"published_{name}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("rates", "results", "ablation", "tables"))
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--leaders", nargs="+", choices=LEADERS, default=list(LEADERS))
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 10))
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args()
    done, jobs = finished(), []
    wanted = list(itertools.product(given.part, given.leaders))
    if given.what == "rates":
        grids = [rate_jobs(*pair, *cell) for pair in wanted if pair in GRIDS for cell in cells(pair[0])]
        jobs = [item for each in itertools.chain(*grids) for item in each]
    elif given.what == "results":
        jobs = [item for pair in wanted for item in result_jobs(*pair, range(*given.seeds), done)]
    elif given.what == "ablation":
        jobs = [item for pair in ABLATIONS for _, items in ablation_jobs(*pair) for item in items]
    carry_out(jobs, given.processes)
    write_tables()


if __name__ == "__main__":
    main()
