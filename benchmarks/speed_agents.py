"""Speed of the agents on Four-Rooms, every row measured in this run: medians in milliseconds.

    python benchmarks/speed_agents.py

Rows: the BC-HG estimate from 10,000 recorded steps (target: under 1 ms), with and without its critic, and a whole
leader update (best response, 10,000 steps, gradient; target: under 5 ms), against the exact hypergradient. For
scale: the published JAX code takes 135 ms per leader update at 10,000 steps on such a machine.
"""

from __future__ import annotations

import time

import numpy as np

import agents
import stackelberg_envs as se
from agents.estimators import boltzmann_covariance, tabulate
from agents.leaders.bchg import TabularBchgConfig

STEPS = 10_000


def median_ms(function):
    """Return the median time of a call, after a warm-up."""
    function()
    times = []
    for _ in range(200):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times))


def main():
    game = se.make_game("stackelberg/FourRooms-v0")
    experiment = agents.Experiment(agents.ExperimentConfig(game=game, updates=10, steps_per_update=STEPS))
    leader = experiment.leader
    follower = experiment.follower
    follower.learn(game.under(leader.commit()))
    seen = agents.collect(game, leader.commit(), follower, steps=STEPS, rng=0)
    values, _ = leader.estimate_values(seen)
    rng = np.random.default_rng(0)

    def estimate():
        coefficients = boltzmann_covariance(
            seen, values, leader_discount=0.99, follower_discount=0.99, temperature=game.temperature
        )
        cotangents = tabulate(coefficients, seen, game.array_shape, wanted=game.commitment.changes)
        return game.commitment.vjp(seen.commitment, cotangents)

    def update(steps=STEPS):
        view = game.under(leader.commit())
        follower.learn(view)
        leader.update(agents.collect(game, view.commitment, follower, steps=steps, rng=rng))

    moving = iter(np.random.default_rng(1).normal(size=(2_000, leader.theta.size)))

    def moved_update():
        leader.theta = 0.1 * next(moving)
        update()

    rows = {
        "exact solve and hypergradient": median_ms(lambda: se.solve(game, leader.commit()).gradient),
        f"BC-HG estimate, {STEPS:,} steps, given values": median_ms(estimate),
        f"the same with its critic ({TabularBchgConfig().critic})": median_ms(lambda: leader.gradient(seen)),
        f"collect {STEPS:,} steps": median_ms(
            lambda: agents.collect(game, seen.commitment, follower, steps=STEPS, rng=rng)
        ),
        "whole leader update, 1,000 steps": median_ms(lambda: update(1_000)),
        f"whole leader update, {STEPS:,} steps": median_ms(update),
        f"whole leader update, {STEPS:,} steps, theta moved far": median_ms(moved_update),
    }
    exact = rows["exact solve and hypergradient"]
    print("| on Four-Rooms, one process | ms | ratio to exact |\n| --- | --- | --- |")
    for name, value in rows.items():
        print(f"| {name} | {value:.3f} | {value / exact:.2f} |")


if __name__ == "__main__":
    main()
