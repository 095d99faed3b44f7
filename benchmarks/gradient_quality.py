"""Quality of the estimated hypergradient on Four-Rooms: cosine to the oracle against the sample size.

For each critic the response term of dJ/dx is estimated from one batch of observed steps by a fresh leader and
compared with the exact one, at random logits; the naive gradient has no response term and is left out. Writes
docs/figures/gradient_quality.png and docs/tables/gradient_quality.md.

    python benchmarks/gradient_quality.py [--seeds 20]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import agents
import stackelberg_envs as se
from agents.estimators import boltzmann_covariance, tabulate
from agents.leaders.bchg import TabularBchg, TabularBchgConfig
from agents.runs.briefing import make_brief

TEMPERATURES = (0.05, 0.01, 0.005)
SIZES = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
CRITICS = {"lstd": "#0072B2", "expected_sarsa": "#E69F00", "monte_carlo": "#009E73", "exact values": "#000000"}


def response_term(seen, values, game):
    """Return the estimated response term of dJ/dx."""
    coefficients = boltzmann_covariance(
        seen,
        values,
        leader_discount=game.leader_discount,
        follower_discount=game.follower_discount,
        temperature=game.temperature,
    )
    cotangents = tabulate(coefficients, seen, game.array_shape, wanted=frozenset({"follower_reward"}))
    return game.commitment.parts[0].vjp(seen.commitment, cotangents)


def cosine(game, critic, size, seed):
    """Return the cosine between one estimate and the oracle's response term."""
    rng = np.random.default_rng(seed)
    brief = make_brief(game, TabularBchg.required_information(game.commitment, TabularBchg.Config()))
    config = TabularBchgConfig(critic="lstd" if critic == "exact values" else critic, start="random")
    leader = TabularBchg(brief, config, rng)
    solution = se.solve(game, leader.commit())
    seen = agents.collect(game, solution.x, solution.response, steps=size, rng=rng)
    values, _ = leader.estimate_values(seen)
    if critic == "exact values":
        values = type(values)(solution.primitives.leader_policy, solution.best.policy, solution.leader.q)
    estimate, truth = response_term(seen, values, game), solution.response_gradient
    norm = np.linalg.norm(estimate) * np.linalg.norm(truth)
    return float(estimate @ truth / norm) if norm > 0 else 0.0


def measure(seeds):
    """Return {temperature: {critic: array (sizes, seeds)}}."""
    table = {}
    for temperature in TEMPERATURES:
        game = se.make_game("stackelberg/FourRooms-v0", temperature=temperature)
        table[temperature] = {
            critic: np.array([[cosine(game, critic, size, seed) for seed in range(seeds)] for size in SIZES])
            for critic in CRITICS
        }
        print(f"temperature {temperature}: done", flush=True)
    return table


def draw(table, path):
    """Draw one panel per temperature: medians and interquartile bands."""
    figure = Figure(figsize=(11, 3.8), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(table), sharey=True)
    for axes, (temperature, rows) in zip(panels, table.items(), strict=True):
        for critic, values in rows.items():
            low, middle, high = np.quantile(values, [0.25, 0.5, 0.75], axis=1)
            axes.plot(SIZES, middle, color=CRITICS[critic], marker="o", markersize=3, label=critic.replace("_", " "))
            axes.fill_between(SIZES, low, high, color=CRITICS[critic], alpha=0.15, linewidth=0)
        axes.set(xscale="log", title=f"temperature {temperature}", xlabel="observed follower steps", ylim=(-0.3, 1.02))
        axes.axhline(0.0, color="0.7", linewidth=0.8)
    panels[0].set_ylabel("cosine to the exact response term")
    panels[-1].legend(frameon=False, loc="lower right", title="leader's critic")
    figure.savefig(path)


def write(table, path):
    """Write the medians as a Markdown table."""
    lines = ["| temperature | critic | " + " | ".join(f"{size:,}" for size in SIZES) + " |"]
    lines.append("| --- " * (2 + len(SIZES)) + "|")
    for temperature, rows in table.items():
        for critic, values in rows.items():
            medians = " | ".join(f"{value:.2f}" for value in np.median(values, axis=1))
            lines.append(f"| {temperature} | {critic} | {medians} |")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    table = measure(parser.parse_args().seeds)
    for folder in ("docs/figures", "docs/tables"):
        Path(folder).mkdir(parents=True, exist_ok=True)
    draw(table, Path("docs/figures/gradient_quality.png"))
    write(table, Path("docs/tables/gradient_quality.md"))


if __name__ == "__main__":
    main()
