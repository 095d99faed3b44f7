"""No committed result is above the best known value of its setting, nor that above a bound that is certified."""

import json
import warnings
import zipfile
from functools import cache
from pathlib import Path

import pytest

import stackelberg_envs as se
from benchmarks.certainty_equivalent import rooms
from benchmarks.certificates import GAMES
from benchmarks.continuous_leaders import IDS
from benchmarks.deep_followers import GAMES as DEEP
from benchmarks.guided_defaults import GAMES as GUIDED
from benchmarks.yardstick import SAME
from stackelberg_envs.faces.best_known import entries
from tests.games import TOY_OPTIMUM

DOCS = Path(__file__).parents[1] / "docs"
#: Exact values differ by less than this part of their size, rounded ones by less than half a last digit besides.
EXACT = 1e-7
#: Standard errors that a mean over play may be above another: together some hundred such means are compared.
PLAYED = 4.5


def rows(name):
    return [json.loads(line) for line in (DOCS / "tables" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


@cache
def best_of(id, arguments="{}"):  # noqa: A002
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # entries keep the ids of their day
        return se.make_game(id, **json.loads(arguments)).facts.get("best_known")


def leaderboard():
    for path in sorted((DOCS / "leaderboard" / "entries").glob("*.zip")):
        with zipfile.ZipFile(path) as packed, packed.open("records.jsonl") as file:
            for line in file:
                row = json.loads(line)
                job, result = row["job"], row["result"]
                if result and result["is_exact"]:
                    best = best_of(job["game"], json.dumps(job["game_arguments"], sort_keys=True))
                    yield f"{path.name}: {job['task']}", result["leader_value"], best, 0.0


@cache
def as_it_is_and_as_believed(goals, temperature, penalty, slips):
    """Return what is known of Four-Rooms, and of it were it as the follower believes, which papers report."""
    setting = rooms(goals, temperature, penalty, slips).facts["setting"]
    known = {(entry.id, json.dumps(entry.arguments, sort_keys=True)): entry.value for entry in entries()}
    both = setting, setting | {"slip": setting["follower_slip"]}
    return [known.get(("stackelberg/FourRooms-v0", json.dumps(one, sort_keys=True))) for one in both]


def certainty_equivalent():
    for row in rows("certainty_equivalent"):
        part, *key = row["run"][:-1]
        if part == "toy":
            true = believed = TOY_OPTIMUM[key[0]]
        else:
            cell = (1, key[0], 5.0) if part == "private" else tuple(key[:3])
            true, believed = as_it_is_and_as_believed(*cell, "consistent" if part == "consistent" else "published")
        yield f"{row['run']}, as it is", row["true"], true, 1e-6
        yield f"{row['run']}, as the follower believes", row["reported"], believed, 1e-6


def published_figures():
    for row in rows("published_figures") + rows("published_causes"):
        goals = 2 if row["part"] == "hpgd" else 1
        true, believed = as_it_is_and_as_believed(goals, row["temperature"], row["penalty"], "published")
        yield f"{row['part']}, reported", row["reported"], believed, 5e-7
        if "true" in row:
            yield f"{row['part']}, true", row["true"], true, 5e-7


def continuous():
    for row in rows("continuous_leaders"):
        yield str(row["run"]), row["value"], best_of(IDS[row["run"][0]]), 5e-7
    for row in rows("deep_followers"):
        yield row["game"], row["exact"], best_of(DEEP[row["game"]][0]), 5e-4


def guided():
    known = {entry.id: entry for entry in entries()}
    for row in rows("guided"):
        best = known[GUIDED[row["run"][0]]]
        error = (row["error"] ** 2 + best.standard_error**2) ** 0.5
        yield str(row["run"]), row["final"], best.value, PLAYED * error


def shares():
    for row in rows("learning_followers"):
        yield row["task"], row["exact"], 1.0, 5e-5
    for line in (DOCS / "tables" / "untuned.md").read_text(encoding="utf-8").splitlines()[2:]:
        for share in line.split("|")[4:7]:
            yield line, float(share), 1.0, 5e-4


@pytest.mark.parametrize(
    ("results", "least"),
    [
        (leaderboard, 1000),
        (certainty_equivalent, 200),
        (published_figures, 1000),
        (continuous, 200),
        (guided, 3),
        (shares, 50),
    ],
)
def test_nobody_is_above_the_best_known_value(results, least):
    compared, above = 0, []
    for where, value, best, room in results():
        if best is not None:
            compared += 1
            if value > best + EXACT * abs(best) + room:
                above.append((where, value, best))
    assert not above
    assert compared >= least


def test_certified_bounds_are_above_all_that_is_known():
    names = set()
    for row in rows("certificates"):
        assert row["value"] <= row["upper_bound"]
        best = GAMES[row["game"]]().facts.get("best_known") if row["game"] in GAMES else None
        if best is not None:
            names.add(row["game"])
            assert best <= row["upper_bound"]
            assert row["value"] <= best * (1 + EXACT)
    assert len(names) >= 4


def test_runs_of_the_yardstick_agree_where_its_table_says_so():
    values = {}
    for row in rows("yardstick"):
        values.setdefault((row["kind"], row["states"], row["game"]), []).append((row["value"], row["range"]))
    apart = {key for key, found in values.items() if spread(found) > SAME}
    told = (DOCS / "tables" / "yardstick.md").read_text(encoding="utf-8")
    assert all(f"| {kind}, seed {seed} | {states} |" in told for kind, states, seed in apart)


def spread(found):
    return (max(value for value, _ in found) - min(value for value, _ in found)) / max(size for _, size in found)
