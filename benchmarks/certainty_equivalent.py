"""Certainty equivalence on Four-Rooms and the discrete toy against what was published, and what its parts do.

    python benchmarks/certainty_equivalent.py [published consistent toy private ablation] [--seeds 10] [--tables]

One line per finished run is appended to docs/tables/certainty_equivalent.jsonl, and runs found there are not repeated:
an interrupted benchmark goes on where it was. The tables docs/tables/certainty_equivalent_*.md are made of these
lines (`--tables`: from the runs there are). Delete the lines to measure anew.

published: Four-Rooms as the papers' code has it: play at slip 0.33, the follower's plans and the report at 0.44. HPGD's
table: two goals, 100,000,000 observed steps a run (10,000 updates of 10,000 steps); BC-HG's figures: one goal,
penalty 5, 10,000 updates of 100 or 1,000 steps. Published numbers are the best of the algorithms shown there. Here:
100 updates of 1,000 steps. The leader is told nothing of the two slips: it maximises its
return in the dynamics it sees, with a follower whose belief it fits to the actions.
consistent: slip 0.44 throughout.
private: the follower's temperature is not told.
ablation: one part of the leader changed at a time, 49 updates of 1,000 steps.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import agents
import stackelberg_envs as se

TABLES = Path("docs/tables")
RESULTS = TABLES / "certainty_equivalent.jsonl"
GOALS = {1: ((1, 9),), 2: ((1, 9), (11, 11))}
#: (goals, temperature, penalty) -> best published: of HPGD's table.
HPGD = {
    (2, 0.001, 1.0): 0.91,
    (2, 0.001, 3.0): 0.51,
    (2, 0.001, 5.0): 0.46,
    (2, 0.003, 1.0): 1.00,
    (2, 0.003, 3.0): 0.73,
    (2, 0.003, 5.0): 0.32,
    (2, 0.005, 1.0): 1.28,
    (2, 0.005, 3.0): 1.13,
    (2, 0.005, 5.0): 0.97,
}
#: The best of BC-HG and HPGD (without its oracle variant) at 100 and at 1,000 steps per update.
BCHG = {(1, 0.001, 5.0): (0.668, 0.198), (1, 0.003, 5.0): (0.548, 0.265), (1, 0.005, 5.0): (1.333, 1.213)}
CELLS = (*BCHG, *HPGD)
SLIPS = {"published": {"slip": 0.33, "follower_slip": 0.44}, "consistent": {"slip": 0.44}}
ROOMS_RUN = {"updates": 100, "steps_per_update": 1_000}
ROOMS_OPTIONS: dict[str, object] = {}
TOY_RUN = {"updates": 15, "steps_per_update": 1_500}
TOY_OPTIONS = {"start": "random"}
TOY_OPTIMA = {1.0: 34.992641, 2.0: 39.940211}
PRIVATE_TEMPERATURES = (0.003, 0.005)
ABLATION_RUN = {"updates": 49, "steps_per_update": 1_000}
ABLATION_OPTIONS: dict[str, object] = {}
ABLATION = {
    "as it is": {},
    "no exploration": {"explore": 0},
    "the follower believes what was observed": {"belief": "observed"},
    "dynamics by counts alone": {"fit_iterations": 0},
}


def rooms(goals, temperature, penalty, slips="published"):
    return se.make_game(
        "stackelberg/FourRooms-v0", goals=GOALS[goals], temperature=temperature, penalty=penalty, **SLIPS[slips]
    )


def toy(reward):
    return se.make_game("stackelberg/DiscreteToy-v1", reward=reward)


def rooms_settings(slips):
    for cell in CELLS:
        yield cell, rooms(*cell, slips), ROOMS_RUN, ROOMS_OPTIONS


def toy_settings():
    for reward in TOY_OPTIMA:
        yield (reward,), toy(reward), TOY_RUN, TOY_OPTIONS


def private_settings():
    for temperature in PRIVATE_TEMPERATURES:
        game = rooms(1, temperature, 5.0).replace(publish_temperature=False)
        yield (temperature,), game, ROOMS_RUN, ROOMS_OPTIONS


def ablation_settings():
    for cell in BCHG:
        for name, changed in ABLATION.items():
            yield (*cell, name), rooms(*cell), ABLATION_RUN, {**ABLATION_OPTIONS, **changed}


#: Part -> its settings, each a key, the game, the run and the leader's options.
SETTINGS = {
    "published": lambda: rooms_settings("published"),
    "consistent": lambda: rooms_settings("consistent"),
    "toy": toy_settings,
    "private": private_settings,
    "ablation": ablation_settings,
}


def runs(parts, seeds):
    """Yield (key, game, run, options) of every run; seeds before settings, so that all cells grow together."""
    for part in parts:
        for seed in range(seeds):
            for key, game, run, options in SETTINGS[part]():
                yield (part, *key, seed), game, run, options


def measure(game, run, options, seed):
    """Return what a run came to: its report, its true value, and what it thinks of the follower."""
    record = agents.run(game, leader="certainty_equivalent", seed=seed, evaluate_every=0, leader_options=options, **run)
    return {
        "reported": round(se.solve(game.as_believed(), record.commitment).leader_value, 6),
        "true": round(se.solve(game, record.commitment).leader_value, 6),
        "temperature": round(record.curve["temperature"][-1], 6),
        "tremble": round(record.curve["tremble"][-1], 4),
        "observed_steps": record.observed_steps,
    }


def results():
    """Return the runs there are, by key."""
    if not RESULTS.exists():
        return {}
    lines = (json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines())
    return {tuple(line.pop("run")): line for line in lines}


def summary(values):
    """Mean and interquartile range as text."""
    low, high = np.quantile(values, [0.25, 0.75])
    return f"{np.mean(values):.3f} ({low:.3f} to {high:.3f})"


def column(found, key, name="reported"):
    """Return a summary of all seeds of one setting, with their number where it is not ten."""
    values = [line[name] for run, line in found.items() if run[:-1] == key]
    if not values:
        return "-"
    return summary(values) + ("" if len(values) == 10 else f", {len(values)} seeds")


def rooms_row(found, cell):
    published = ("published", *cell)
    columns = [column(found, published), column(found, published, "true"), column(found, ("consistent", *cell))]
    return " | ".join([*columns, column(found, published, "tremble")])


def hpgd_table(found):
    yield (
        "| temperature | penalty | published, 100,000,000 steps | as published, 100,000 steps | its true value "
        "| consistent, 100,000 | tremble, as published |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for cell, best in HPGD.items():
        yield f"| {cell[1]} | {cell[2]:g} | {best:.2f} | {rooms_row(found, cell)} |"


def bchg_table(found):
    yield (
        "| temperature | published, 1,000,000 steps | published, 10,000,000 | as published, 100,000 steps "
        "| its true value | consistent, 100,000 | tremble, as published |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for cell, (few, many) in BCHG.items():
        yield f"| {cell[1]} | {few} | {many} | {rooms_row(found, cell)} |"


def toy_table(found):
    yield "| reward | optimum | mean (quartiles) at 22,500 steps | worst seed |"
    yield "| --- | --- | --- | --- |"
    for reward, optimum in TOY_OPTIMA.items():
        values = [line["true"] for run, line in found.items() if run[:-1] == ("toy", reward)]
        if values:
            yield f"| {reward:g} | {optimum} | {summary(values)} | {min(values):.3f} |"


def private_table(found):
    yield "| temperature | estimated, 100,000 steps | as published | its true value |"
    yield "| --- | --- | --- | --- |"
    for temperature in PRIVATE_TEMPERATURES:
        key = ("private", temperature)
        lines = [line for run, line in found.items() if run[:-1] == key]
        if lines:
            low, high = np.quantile([line["temperature"] for line in lines], [0.25, 0.75])
            mean = np.mean([line["temperature"] for line in lines])
            estimate = f"{mean:.5f} ({low:.5f} to {high:.5f})"
            yield f"| {temperature} | {estimate} | {column(found, key)} | {column(found, key, 'true')} |"


def ablation_table(found):
    yield f"| report at 49,000 steps | {' | '.join(f'temperature {cell[1]}' for cell in BCHG)} |"
    yield f"| --- {'| --- ' * len(BCHG)}|"
    for name in ABLATION:
        yield f"| {name} | {' | '.join(column(found, ('ablation', *cell, name)) for cell in BCHG)} |"


def write_tables():
    found = results()
    tables = {
        "hpgd": hpgd_table,
        "bchg": bchg_table,
        "toy": toy_table,
        "private": private_table,
        "ablation": ablation_table,
    }
    for name, table in tables.items():
        path = TABLES / f"certainty_equivalent_{name}.md"
        path.write_text("\n".join(table(found)) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(SETTINGS)}; default: all")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--tables", action="store_true", help="run nothing")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(SETTINGS)
    if unknown:
        parser.error(f"expected parts among {', '.join(SETTINGS)}, got {', '.join(sorted(unknown))}")
    done = results()
    for key, game, run, options in () if arguments.tables else runs(arguments.parts or SETTINGS, arguments.seeds):
        if key in done:
            continue
        line = {"run": key, **measure(game, run, options, key[-1])}
        print(line, flush=True)
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    write_tables()


if __name__ == "__main__":
    main()
