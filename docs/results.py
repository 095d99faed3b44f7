"""What leaders reach where, and what followers lose, for the generated pages and figures.

Of leaders the leaderboard's archives and docs/tables say it; followers are made to learn here, which takes a second.
A score is the share of the way from the start, 0, to the best known value, 1. Results are kept by an environment's name
without its version: what changes spaces or defaults only changes no score.
"""

import json
import re
from functools import cache
from pathlib import Path

import numpy as np

import stackelberg_envs as se
from agents.benchmark.leaderboard import entries
from agents.benchmark.scores import score_of, task_scales
from agents.benchmark.submission import read_submission
from agents.followers.base import FOLLOWERS
from agents.followers.several import make_follower
from stackelberg_envs.solvers.soft import response_gap, soft_best_response

DOCS = Path(__file__).parent
#: What tables call an environment, where that is not its name.
WRITTEN = {"FourRooms": "Four-Rooms", "RandomTabular": "random games"}
#: What docs/tables/guided.md calls an environment -> its name.
GUIDED = {"cartpole": "GuidedCartPole", "pendulum": "GuidedPendulum"}


def environments():
    """Return the name of an environment's files, without a version -> its id."""
    found = [se.spec(name) for name in se.registered_ids() if name.startswith("stackelberg/")]
    return {re.sub(r"_v\d+$", "", entry.module.rpartition(".")[2]): entry.id for entry in found}


def name_of(spec_id):
    """Return the name of an environment without namespace and version: FourRooms."""
    return spec_id.rpartition("/")[2].rpartition("-v")[0]


@cache
def records():
    """Return the leaderboard's finished records with their scores: list of (record, score)."""
    found = [record for path in entries(DOCS / "leaderboard") for record in read_submission(path).records]
    found = [record for record in found if record.result is not None]
    scales = task_scales(found)
    return [(record, score_of(record, scales)) for record in found]


def of_environment(spec_id):
    """Return task -> leader -> scores of its seeds."""
    found = {}
    for record, score in records():
        job = record.job
        if name_of(job.game) == name_of(spec_id):
            found.setdefault(job.task, {}).setdefault(job.leader, []).append(score)
    return {task: dict(sorted(rows.items())) for task, rows in sorted(found.items())}


def of_leader(leader):
    """Return task -> scores of its seeds."""
    found = {}
    for record, score in records():
        if record.job.leader == leader:
            found.setdefault(record.job.task, []).append(score)
    return dict(sorted(found.items()))


def leaders():
    """Return the leaders that have results."""
    return sorted({record.job.leader for record, _ in records()})


def when():
    """Return when the records were made, and with which state of the package: "2026-11-28, at 2374dcb"."""
    told = {(record.provenance.started[:10], record.provenance.commit[:7]) for record, _ in records()}
    return " and ".join(f"{date}, at `{commit}`" for date, commit in sorted(told))


def budget(task):
    """Return the observed steps and the seeds of a task's runs, in words."""
    jobs = [record.job for record, _ in records() if record.job.task == task]
    return f"{max(job.steps for job in jobs):,} observed steps", len({job.seed for job in jobs})


def levels(task):
    """Return leader -> name of the level of information at which it works there."""
    return {record.job.leader: record.result.information for record, _ in records() if record.job.task == task}


def medians(panels):
    """Return a table: a row per leader, the best first, with the median of its seeds on each task."""
    names = sorted({name for rows in panels.values() for name in rows})
    seen = {name: {task: np.median(rows[name]) for task, rows in panels.items() if name in rows} for name in names}
    sees = {name: level for task in panels for name, level in levels(task).items()}
    lines = [f"| leader | it sees | {' | '.join(panels)} |", f"| --- | --- |{' --- |' * len(panels)}"]
    for name in sorted(names, key=lambda name: -float(np.mean(list(seen[name].values())))):
        cells = [f"{seen[name][task]:.3f}" if task in seen[name] else "" for task in panels]
        lines.append(f"| [`{name}`](../leaders/{name}.md) | `{sees[name]}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def spread(rows):
    """Return a table: a row per task, with worst, median and best of a leader's seeds."""
    lines = ["| task | worst | median | best | seeds |", "| --- | --- | --- | --- | --- |"]
    for task, scores in rows.items():
        numbers = f"{min(scores):.3f} | {np.median(scores):.3f} | {max(scores):.3f} | {len(scores)}"
        lines.append(f"| {task} | {numbers} |")
    return "\n".join(lines)


@cache
def untuned():
    """Return the rows of docs/tables/untuned.md as lists of cells, "the same" replaced by what it means."""
    rows, last = [], ""
    for line in (DOCS / "tables" / "untuned.md").read_text(encoding="utf-8").splitlines()[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0].startswith("the same, "):
            last = last.partition(", temperature")[0] + cells[0].removeprefix("the same")
        elif cells[0] != "the same":
            last = cells[0]
        rows.append([last, *cells[1:]])
    return [*rows, *guided()]


def guided():
    """Return the rows of docs/tables/guided.md, whose followers plan on a grid, as rows of the same columns."""
    rows = []
    for line in (DOCS / "tables" / "guided.md").read_text(encoding="utf-8").splitlines()[2:]:
        game, leader, _, _, steps, seeds, _, _, shares, _, _ = (cell.strip() for cell in line.strip("|").split("|"))
        median, worst = shares.split(", ")
        rows.append([f"{GUIDED[game]}, {steps} steps", leader, seeds, worst, "", median])
    return rows


def against_sac():
    """Return a table of the leader's returns on the guided cart-pole, against a follower that goes on learning."""
    runs = map(json.loads, (DOCS / "tables" / "guided_cartpole.jsonl").read_text(encoding="utf-8").splitlines())
    found = {}
    for run in runs:
        found.setdefault(run["run"][0], []).append(run["final"])
    lines = ["| leader | worst | median | best | seeds |", "| --- | --- | --- | --- | --- |"]
    for leader, finals in sorted(found.items(), key=lambda item: -float(np.median(item[1]))):
        numbers = f"{min(finals):.2f} | {np.median(finals):.2f} | {max(finals):.2f} | {len(finals)}"
        lines.append(f"| [`{leader}`](../leaders/{leader}.md) | {numbers} |")
    return "\n".join(lines)


def untuned_table(rows):
    """Return rows of that table as a table of the columns that need no explanation."""
    lines = ["| task | leader | seeds | worst | median |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {cells[0]} | {cells[1]} | {cells[2]} | {cells[3]} | {cells[5]} |" for cells in rows]
    return "\n".join(lines)


def untuned_on(spec_id):
    """Return the rows on an environment."""
    name = name_of(spec_id)
    return [cells for cells in untuned() if WRITTEN.get(name, name) in cells[0]]


def untuned_of(leader):
    """Return the rows of a leader."""
    return [cells for cells in untuned() if cells[1] == f"`{leader}`"]


# --- followers -------------------------------------------------------------------------------------------

#: Where followers are watched, with how many seeds, and how often the same commitment is announced.
WATCHED, SEEDS, ANNOUNCEMENTS = "DiscreteToy", 8, 30
#: Followers of tables that need an extra.
ELSEWHERE = {"sb3"}


@cache
def losses(name):
    """Return what a follower loses by what it plays, after each announcement of one commitment, shape (seeds, n).

    The commitment is the best known one; the loss is J of the exact soft best response minus J of its policy, to the
    follower, entropy included. None for followers that are not of games of tables.
    """
    spec_id = next(found for found in environments().values() if name_of(found) == WATCHED)
    game = se.make_game(spec_id)
    kinds = [kind for kind in FOLLOWERS.named(name) if game.kind in kind.kinds]
    if not kinds or name in ELSEWHERE:
        return None
    view = game.under(game.facts["best_commitment"])
    best = soft_best_response(view.primitives).state_values
    found = np.empty((SEEDS, ANNOUNCEMENTS))
    for seed in range(SEEDS):
        follower = make_follower(kinds[0], FOLLOWERS.configure(name, kinds[0], {}), np.random.default_rng(seed), game)
        for n in range(ANNOUNCEMENTS):
            follower.learn(view)
            found[seed, n] = response_gap(view.primitives, follower.policy, best)
    return found


def loses(name):
    """Return followers of tables whose first answers are not the best: those that have a figure."""
    found = losses(name)
    return found is not None and float(np.median(found[:, 0])) > 1e-6


def told_losses(name):
    """Return in words what a follower loses, or None where nothing is known."""
    found = losses(name)
    if found is None:
        return None
    # With few digits: in the last ones of a learner, processors differ.
    first, last = (f"{loss:.2g}" if loss > 1e-3 else "less than 0.001" for loss in np.median(found[:, [0, -1]], axis=0))
    if not loses(name):
        return "On the discrete toy it plays the exact soft best response at once, to the sixth digit."
    return (
        f"On the discrete toy, under the best known commitment: after the first announcement it loses {first} "
        f"against the exact soft best response, after {ANNOUNCEMENTS} announcements of the same {last} (medians of "
        f"{SEEDS} seeds, reward units, entropy included)."
    )
