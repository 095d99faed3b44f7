"""Leaders on the guided cart-pole with a soft actor-critic as the follower: curves of the leader's return.

    python benchmarks/guided_leaders.py [bchg naive cma_es] [--seeds 2] [--figures]

One line per finished run is appended to docs/tables/guided_cartpole.jsonl, and runs found there are not repeated.
docs/figures/guided_cartpole.png is drawn from these lines (`--figures`: from the runs there are).

The follower learns between the leader's updates and goes on where it was: 40,000 steps after the first
commitment, 6,400 after every other. The leader sees 2,000 steps per update. Its return is the discounted one
of the play it sees, at most 86.6. All leaders begin with a wind in one direction: without
any, the reward is never seen.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import agents

RESULTS = Path("docs/tables/guided_cartpole.jsonl")
TABLE, FIGURE = Path("docs/tables/guided_cartpole.md"), Path("docs/figures/guided_cartpole.png")
UPDATES, STEPS = 24, 2_000
FOLLOWER = {"steps": 6_400, "first_steps": 40_000}
START = [0.0, 0.0, 0.0, 0.0, 0.5]
#: Width of the box of commitments, in which leaders measure their steps.
WIDTH = 20.0
OPTIONS = {
    "bchg": {"learning_rate": 0.1 / WIDTH, "features": "local"},
    "naive": {"learning_rate": 0.1 / WIDTH, "features": "local"},
    "cma_es": {"sigma": 0.5 / WIDTH},
}
COLOURS = {"bchg": "#0072B2", "naive": "#E69F00", "cma_es": "#009E73"}


def measure(leader, seed):
    """Return the curve of one run: discounted observed returns per update."""
    record = agents.run(
        "stackelberg/GuidedCartPole-v0",
        leader=leader,
        follower="sac",
        updates=UPDATES,
        steps_per_update=STEPS,
        seed=seed,
        leader_options={"start": START, **OPTIONS[leader]},
        follower_options=FOLLOWER,
        evaluate_every=0,
    )
    return {
        "returns": np.round(record.curve["observed_return"], 3).tolist(),
        "final": round(float(record.leader_value), 3),
        "commitment": np.round(record.commitment, 3).tolist(),
        "observed_steps": record.observed_steps,
        "follower_steps": record.follower_steps,
    }


def results():
    """Return the runs there are, by (leader, seed)."""
    if not RESULTS.exists():
        return {}
    lines = (json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines())
    return {tuple(line.pop("run")): line for line in lines}


def draw(found):
    """Draw one thin line per run and a thick one per leader, the mean; only seeds that all leaders have."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shared = set.intersection(*({seed for name, seed in found if name == leader} for leader in COLOURS))
    figure, axes = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    for leader, colour in COLOURS.items():
        curves = np.array([line["returns"] for run, line in found.items() if run[0] == leader and run[1] in shared])
        if len(curves):
            axes.plot(1 + np.arange(curves.shape[1]), curves.T, color=colour, alpha=0.35, linewidth=1)
            label = f"{leader}, {len(curves)} seeds"
            axes.plot(1 + np.arange(curves.shape[1]), curves.mean(axis=0), color=colour, linewidth=2, label=label)
    axes.set_xlabel("leader update")
    axes.set_ylabel("leader's discounted return in the play it sees")
    axes.legend(frameon=False)
    figure.savefig(FIGURE, dpi=150)


def write_table(found):
    """Write final values of all runs."""
    rows = ["| leader | seed | first return | last return | J at the end | observed steps | follower's steps |"]
    rows.append("| --- | --- | --- | --- | --- | --- | --- |")
    for (leader, seed), line in sorted(found.items()):
        ends = f"{line['returns'][0]:.2f} | {line['returns'][-1]:.2f} | {line['final']:.2f}"
        rows.append(f"| `{leader}` | {seed} | {ends} | {line['observed_steps']:,} | {line['follower_steps']:,} |")
    TABLE.write_text("\n".join(rows) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("leaders", nargs="*", default=list(OPTIONS))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--figures", action="store_true", help="only draw")
    arguments = parser.parse_args()
    for seed in range(0 if arguments.figures else arguments.seeds):
        for leader in arguments.leaders:
            if (leader, seed) in results():
                continue
            line = {"run": [leader, seed], **measure(leader, seed)}
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(leader, seed, line["returns"], line["final"], flush=True)
    draw(results())
    write_table(results())


if __name__ == "__main__":
    main()
