"""Fill stackelberg_envs/faces/best_known.json: the yardstick on every setting, kept where it is better than before.

    python benchmarks/best_known.py [--only TEXT] [--new] [--seed 0] [--known FILE.json]

Settings are those of the tables of papers, of the suites, and of the ids with default arguments. What is known of a
setting, and of others of the same id with the same shape of commitments, is ascended from besides the yardstick's own
starts. Of random games of 10,000 states or more a few ascents are made with `--many-states`, and nothing else.
With `--only` just settings whose id or arguments contain the text, with `--new` those that
the yardstick has not searched yet.
`--known` names a list of entries by others, of which the better ones are taken in. At last, and with `--table` at once,
docs/tables/best_known_rooms.md and best_known_others.md are written.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import stackelberg_envs as se
from stackelberg_envs.envs.iterated_matrix.ordinal import ORDINAL
from stackelberg_envs.envs.matrix.named import NAMED
from stackelberg_envs.envs.random_tabular.references import ASCENDED, CERTAIN, CERTIFIED, GAP, SIZES, ascended
from stackelberg_envs.faces.best_known import FILE, BestKnown, as_entry, read

ONE_GOAL, TWO_GOALS = [[1, 9]], [[1, 9], [11, 11]]
LOW, ALL = (0.001, 0.003, 0.005), (0.001, 0.003, 0.005, 0.007, 0.01)
ROOMS, TABULAR = "stackelberg/FourRooms-v0", "stackelberg/RandomTabular-v1"
#: Goals, slip, what the follower believes, temperatures, penalties.
CASES = (
    (ONE_GOAL, 0.33, 0.33, ALL, (1.0, 3.0, 5.0)),
    (TWO_GOALS, 0.33, 0.33, LOW, (1.0, 3.0, 5.0)),
    (ONE_GOAL, 0.44, 0.44, LOW, (1.0, 3.0, 5.0)),
    (TWO_GOALS, 0.44, 0.44, LOW, (1.0, 3.0, 5.0)),
    (ONE_GOAL, 0.33, 0.44, LOW, (5.0,)),
    (TWO_GOALS, 0.33, 0.44, LOW, (1.0, 3.0, 5.0)),
)
#: How many of the commitments that are known of other settings are ascended from.
OTHERS = 3
#: How the words of what the yardstick has found begin.
OWN = "best_commitment"


def settings():
    """Yield (id, arguments)."""
    yield from (("stackelberg/Matrix-v0", {"matrix": name}) for name in NAMED)
    yield from ((f"stackelberg/{name}-v0", {}) for name in ("SecurityGame", "PostedPrice", "Wholesale", "Duopoly"))
    yield "stackelberg/EnergyPricing-v0", {}
    yield from (("stackelberg/Duopoly-v0", {"num_followers": n}) for n in (2, 3))
    yield from (("stackelberg/DynamicDuopoly-v0", {"rule": rule}) for rule in ("constant", "by_stock"))
    yield from (("stackelberg/Contract-v0", {"num_stages": stages}) for stages in (1, 2, 3))
    yield from (("stackelberg/Allocation-v0", {"num_messages": messages}) for messages in (2, 3))
    yield from (("stackelberg/IteratedMatrix-v0", {"matrix": name}) for name in ORDINAL)
    yield from (("stackelberg/DiscreteToy-v1", {"reward": reward}) for reward in (1.0, 2.0))
    yield "stackelberg/BilevelLqr-v1", {}
    yield "stackelberg/BuildingThermal-v1", {}
    yield from (("stackelberg/TaxDesign-v0", {"temperature": temperature}) for temperature in (0.1, 0.2, 0.3))
    yield TABULAR, {}
    yield TABULAR, {"S": 20, "B": 3, "D": 4, "leader_discount": 0.9}
    yield TABULAR, {"S": 10, "A": 3, "B": 3, "commitment": "policy", "leader_discount": 0.9, "seed": 1}
    yield TABULAR, {"S": 100, "A": 2, "B": 4, "K": 2, "D": 10, "terminal": 5, "seed": 2}
    yield TABULAR, {"commitment": "policy"}
    yield from ((TABULAR, {"S": states, "D": 2}) for states in SIZES if states < ASCENDED)
    yield "stackelberg/PreferenceDesign-v0", {}
    yield "stackelberg/Warehouse-v0", {}
    yield "stackelberg/SupplyContract-v0", {}
    yield "stackelberg/Pursuit-v0", {}
    for goals, slip, believed, temperatures, penalties in CASES:
        for temperature, penalty in itertools.product(temperatures, penalties):
            arguments = {"goals": goals, "slip": slip, "temperature": temperature, "penalty": penalty}
            yield ROOMS, arguments | ({} if believed == slip else {"follower_slip": believed})


def improved(spec_id, game, held, seed):
    """Return the best entry of a setting, and the yardstick's result."""
    setting, own, others = game.facts["setting"], [], []
    for entry in held:
        if entry.id == spec_id and entry.commitment.shape == game.commitment.shape:
            (own if entry.arguments == setting else others).append(entry.commitment)
    others.sort(key=lambda x: -se.solve(game, x).leader_value)
    found = se.best_commitment(game, seed=seed, known=[*own, *others[:OTHERS]])
    words = f"{OWN}, {found.hits} of {found.starts} starts"
    today = datetime.now(UTC).date().isoformat()
    made = BestKnown(spec_id, setting, found.value, found.commitment, words, today)
    if spec_id == TABULAR and setting["S"] in SIZES and setting["S"] <= CERTIFIED and setting["D"] == 2:
        proved = se.certify(game, gap=GAP, known=found.commitment)
        words += f"; certify: none is worth more than {proved.upper_bound:.6g}"
        return BestKnown(spec_id, setting, found.value, found.commitment, words, today, status=CERTAIN), found
    kept = [entry for entry in held if entry.id == spec_id and entry.arguments == setting]
    # A value that is the same but for rounding stays as it is told, unless it was found in another way.
    if kept and made.value <= kept[0].value + 1e-9 * found.range and kept[0].found_by.startswith(OWN):
        return kept[0], found
    return max([made, *kept], key=lambda entry: entry.value), found


def write(held):
    """Write the entries into the file, in order."""
    held.sort(key=lambda each: (each.id, json.dumps(each.arguments, sort_keys=True)))
    lines = ",\n".join(json.dumps(as_entry(each)) for each in held)
    FILE.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def of_many_states(held):
    """Return the entries with those of random games of so many states that only a few ascents are made."""
    for states in SIZES:
        if states < ASCENDED:
            continue
        game = se.make_game(TABULAR, S=states, D=2)
        value, x = ascended(game)
        words, today = "L-BFGS with exact gradients, few starts", datetime.now(UTC).date().isoformat()
        setting = game.facts["setting"]
        held = [each for each in held if not (each.id == TABULAR and each.arguments == setting)]
        held.append(BestKnown(TABULAR, setting, value, x, words, today))
        print(states, value, x, flush=True)
    return held


def tables(held):
    """Write the entries as tables."""
    lines = ["| goals | slip | follower believes | temperature | penalty | best known | found by |", "|" + " --- |" * 7]
    others = ["| id | arguments | best known | found by |", "|" + " --- |" * 4]
    for entry in held:
        told = entry.arguments
        if entry.id == ROOMS:
            where = [len(told["goals"]), *(told[name] for name in ("slip", "follower_slip", "temperature", "penalty"))]
            lines.append(f"| {' | '.join(map(str, where))} | {entry.value:.6f} | {entry.found_by} |")
        else:
            words = ", ".join(f"{name} = {value}" for name, value in told.items())
            others.append(f"| {entry.id.partition('/')[2]} | {words} | {entry.value:.6f} | {entry.found_by} |")
    for name, rows in (("rooms", lines), ("others", others)):
        Path(f"docs/tables/best_known_{name}.md").write_text("\n".join(rows) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--new", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--known", type=Path)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--many-states", action="store_true", help="random games of 10,000 states or more, alone")
    options = parser.parse_args()
    held = read(FILE) if FILE.exists() else []
    held += read(options.known) if options.known else []
    if options.many_states:
        write(held := of_many_states(held))
    for spec_id, arguments in [] if options.table or options.many_states else settings():
        game = se.make_game(spec_id, **arguments)
        there = any(
            (entry.id, entry.arguments) == (spec_id, game.facts["setting"]) and entry.found_by.startswith(OWN)
            for entry in held
        )
        if options.only in f"{spec_id} {arguments}" and not (options.new and there):
            began = time.process_time()
            entry, found = improved(spec_id, game, held, options.seed)
            before = [each.value for each in held if each.id == spec_id and each.arguments == entry.arguments]
            held = [each for each in held if not (each.id == spec_id and each.arguments == entry.arguments)] + [entry]
            seconds = time.process_time() - began
            print(f"{spec_id} {arguments}: {before} -> {entry.value:.8g}; {found}, {seconds:.1f} s", flush=True)
            write(held)
    tables(held)


if __name__ == "__main__":
    main()
