"""Gradient leaders without any option on commitments that are networks: how far they come.

    python benchmarks/neural_commitments.py [--seeds 3] [--games NAME ...]

One line per finished run is appended to docs/tables/neural_commitments.jsonl, and runs found there are not repeated;
docs/tables/neural_commitments.md is made of them. On tables the leader's policy is a network of random features of the
state, and the share is the way from the even policy to the best policy table that is known, which no network exceeds.
On the guided games the wind is a network of the state, and the best known value is that of the best linear policy;
values there are means over play.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy

import agents
import stackelberg_envs as se
from benchmarks.guided_defaults import value as value_by_play
from stackelberg_envs.arrays import Array
from stackelberg_envs.games.commitments.base import Commitment, Effect
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.leader_policies import MeanNetwork

__all__ = ["NetworkPolicy", "random_game"]

RESULTS = Path("docs/tables/neural_commitments.jsonl")
LEADERS = ("bchg", "hpgd", "naive")


class NetworkPolicy(Commitment):
    """The leader's policy on a table is a network: f(. | s) = softmax of its outputs at features of s.

    Parameters
    ----------
    features
        Of the states, shape (S, W).
    actions
        A.
    hidden
        Units of each hidden layer.
    bound
        Weights, which are added to the network's starting values, lie in [-bound, bound].
    """

    changes = frozenset({"leader_policy"})

    def __init__(self, features: Array, actions: int, hidden: Sequence[int], bound: float = 5.0) -> None:
        self.features = features
        self.network = MeanNetwork(features.shape[1], actions, hidden=list(hidden))
        super().__init__(-bound, bound, (self.network.size,))

    def effect(self, x: Array) -> Effect:
        """Return the policy."""
        return Effect(leader_policy=scipy.special.softmax(self.network.mean(x, self.features), axis=1))

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return dJ/dx by backpropagation through the softmax."""
        outputs = self.network.activations(x, self.features)
        policy = scipy.special.softmax(outputs[-1], axis=1)
        slope = np.asarray(cotangents.leader_policy).reshape(-1, *policy.shape).sum(axis=0)
        slope = policy * (slope - (policy * slope).sum(axis=1, keepdims=True))
        return self.network.vjp(x, outputs, slope)


def random_game(seed: int, *, features: int = 8, hidden: Sequence[int] = (16,), **sizes: Any) -> Any:
    """Return a random game in which the leader commits to a network, and the same one with a policy table."""
    table: Any = se.make_game("stackelberg/RandomTabular-v1", commitment="policy", seed=seed, **sizes)
    S, A, _ = table.shape
    seen = np.random.default_rng(seed).standard_normal((S, features))
    return table.replace(commitment=NetworkPolicy(seen, A, hidden), facts={}), table


class Task(NamedTuple):
    """A game, the value of its default start, the best known value, and what tells the value of a commitment."""

    game: Any
    start: float
    best: float
    value: Callable[[Array], float]


def random_task(seed: int) -> Task:
    """Return the task of a random game of 20 states, of which the best policy table is searched for."""
    game, table = random_game(seed)
    best = se.best_commitment(table).value
    even = np.zeros(game.commitment.shape)
    return Task(game, se.solve(game, even).leader_value, best, lambda x: float(se.solve(game, x).leader_value))


def guided_task(name: str) -> Task:
    """Return the task of a guided game with a network of one hidden layer of eight units."""
    spec = f"stackelberg/{name}-v0"
    game, linear = se.make_game(spec, policy="mlp", hidden=(8,)), se.make_game(spec)
    by_play: Any = value_by_play
    best, start = by_play(linear, linear.facts["best_commitment"])[0], by_play(game, np.zeros(game.commitment.shape))[0]
    return Task(game, start, best, lambda x: float(by_play(game, x)[0]))


TASKS: dict[str, tuple[Callable[[], Task], int]] = {
    **{f"RandomTabular, seed {seed}": (partial(random_task, seed), 100_000) for seed in range(3)},
    "GuidedCartPole": (partial(guided_task, "GuidedCartPole"), 60_000),
    "GuidedPendulum": (partial(guided_task, "GuidedPendulum"), 60_000),
}


def measure(task: Task, leader: str, seed: int, steps: int) -> dict[str, Any]:
    """Return what one run came to."""
    begun = time.process_time()
    record = agents.run(task.game, leader=leader, steps=steps, seed=seed, evaluate_every=0)
    if record.status != "finished":
        raise SystemExit(f"{leader}, seed {seed}: {record.status}")
    value = task.value(np.asarray(record.commitment))
    return {
        "weights": int(np.prod(task.game.commitment.shape)),
        "steps": record.observed_steps,
        "start": round(task.start, 4),
        "best": round(task.best, 4),
        "value": round(value, 4),
        "share": round((value - task.start) / (task.best - task.start), 4),
        "seconds": round(time.process_time() - begun, 1),
    }


def table(lines: Sequence[dict[str, Any]]) -> str:
    """Return a row for each task and leader."""
    made = ["| game | weights | steps | leader | seeds | from, best known | median | worst | share: median, worst |"]
    made.append("| --- " * 9 + "|")
    for task, leader in dict.fromkeys((line["task"], line["leader"]) for line in lines):
        mine = [line for line in lines if (line["task"], line["leader"]) == (task, leader)]
        values, shares = (np.array([line[name] for line in mine]) for name in ("value", "share"))
        one = mine[0]
        made.append(
            f"| {task} | {one['weights']} | {one['steps']:,} | `{leader}` | {len(mine)} | {one['start']:.2f}, "
            f"{one['best']:.2f} | {np.median(values):.2f} | {values.min():.2f} | {np.median(shares):.2f}, "
            f"{shares.min():.2f} |"
        )
    return "\n".join(made) + "\n"


def main(words: Sequence[str] | None = None) -> None:
    """Measure what is missing, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--games", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args(words)
    results: Path = options.results
    lines = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    done = {(line["task"], line["leader"], line["seed"]) for line in lines}
    for name in options.games:
        make, steps = TASKS[name]
        missing = [
            (leader, seed) for seed in range(options.seeds) for leader in LEADERS if (name, leader, seed) not in done
        ]
        task = make() if missing else None
        for leader, seed in missing:
            assert task is not None  # noqa: S101 - it was made
            lines.append({"task": name, "leader": leader, "seed": seed, **measure(task, leader, seed, steps)})
            with results.open("a") as file:
                file.write(json.dumps(lines[-1]) + "\n")
    results.with_suffix(".md").write_text(table(lines))


if __name__ == "__main__":
    main()
