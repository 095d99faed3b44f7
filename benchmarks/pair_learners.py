"""How near learners, one for each pair of origin and destination of Sioux Falls, come to the logit equilibrium.

    python benchmarks/pair_learners.py

All 528 pairs, no tolls, temperature 0.5, seeds 0 to 2: `agents.followers.origin_destination.PairLearners` against
`traffic_equilibrium`, whose residual is below 1e-12 of all traffic. Errors are parts: of the sum of all link flows,
and of the flow of the link. Writes docs/tables/pair_learners.md.
"""

from pathlib import Path

import numpy as np

import stackelberg_envs as se
from agents.followers.origin_destination import PairLearners
from agents.followers.tabular import TabularLearnerConfig
from stackelberg_envs.solvers.equilibrium.congestion import traffic_equilibrium

ROUNDS, SEEDS = (0, 1, 10, 100, 300, 1000, 3000), 3
#: Some two trips of each pair in a round. What is explored moves no traffic, and without it links that were crowded
#: once are tried too rarely to learn that they are so no more.
CONFIG = TabularLearnerConfig(steps=5000, least_step=0.02, exploration=0.3)


def main():
    """Write the table."""
    game = se.make_game("stackelberg/TollRouting-v0", network="sioux_falls")
    network, free = game.commitment.network, np.zeros(76)
    truth = traffic_equilibrium(network, free, game.temperature)
    found = []
    for seed in range(SEEDS):
        learners = PairLearners(network, free, game.temperature, CONFIG, np.random.default_rng(seed))
        for before, rounds in zip((0, *ROUNDS), ROUNDS, strict=False):
            if rounds:
                learners.learn(rounds - before)
            flows = learners.flows
            apart = np.abs(flows - truth.flows)
            mean_time = flows @ network.latencies(flows) / network.total
            found.append((apart.sum() / truth.flows.sum(), (apart / truth.flows).max(), mean_time))
            print(seed, rounds, found[-1], flush=True)
    means = np.array(found).reshape(SEEDS, len(ROUNDS), 3)
    lines = [
        "`python benchmarks/pair_learners.py`",
        "",
        "| rounds | error of link flows: mean of 3 seeds (worst) | of the worst link: mean | mean time of a trip |",
        "| --- | --- | --- | --- |",
    ]
    for rounds, made in zip(ROUNDS, means.swapaxes(0, 1), strict=True):
        error, link, time = made.mean(axis=0)
        lines.append(f"| {rounds:,} | {error:.2%} ({made[:, 0].max():.2%}) | {link:.1%} | {time:.3f} |")
    lines.append(f"| equilibrium | 0 | 0 | {truth.total_time / network.total:.3f} |")
    Path("docs/tables/pair_learners.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
