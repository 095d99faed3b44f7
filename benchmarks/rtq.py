"""RT-Q's two facts, and their price: the bias falls with the number of levels K, the expected cost grows like K.

The estimate's expectation is computed by enumeration over the levels, in the true model, and compared with the exact
hypergradient; so is the truncated estimate of equal expected cost, which stops after the 2 K / (1 - 2^-K)
iterations RT-Q spends on average. Standard deviations are exact, too. Writes docs/figures/rtq.png.

    python benchmarks/rtq.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import stackelberg_envs as se
from agents.estimators.expected import solution_with
from agents.followers.training import Trainer
from agents.leaders.rtq import expected_iterations, level_probabilities, truncated_estimate

LEVELS = range(1, 11)
COLORS = {"discrete toy": "#0072B2", "Four-Rooms": "#E69F00", "random game": "#009E73"}
FIGURE = Path("docs/figures/rtq.png")


def games():
    """Return {name: (game, commitment)}; each commitment is a fixed random one."""
    chosen = {
        "discrete toy": se.make_game("stackelberg/DiscreteToy-v1", temperature=0.5),
        "Four-Rooms": se.make_game("stackelberg/FourRooms-v0", temperature=0.05),
        "random game": se.make_game("stackelberg/RandomTabular-v1", S=50, A=2, B=4, commitment="policy", seed=1),
    }
    rng = np.random.default_rng(0)
    out = {}
    for name, game in chosen.items():
        x = rng.uniform(0.25 * game.commitment.high + 0.75 * game.commitment.low, game.commitment.high)
        out[name] = game, game.commitment.project(x)
    return out


def gradients(game, x, counts):
    """Return the hypergradients at the responses after so many iterations."""
    wanted, shape = game.commitment.changes, game.array_shape
    plans = (solution_with(game.primitives(x), g) for g in Trainer(game)(x, counts, np.random.default_rng(0)))
    return [game.commitment.vjp(x, p.direct(wanted, shape) + p.through_response(wanted, shape)) for p in plans]


def moments(h, K):
    """Return the mean of RT-Q's estimate over its levels, and the root of its total variance."""
    p = level_probabilities(K)
    estimates = np.array([truncated_estimate(h[0], h[k - 1], h[k], p[k - 1]).ravel() for k in range(1, K + 1)])
    mean = p @ estimates
    return mean, float(np.sqrt(p @ ((estimates - mean) ** 2).sum(axis=1)))


def measure(game, x):
    """Return relative errors by K: RT-Q's bias, its deviation, and the error of stopping at its expected cost."""
    truth = se.solve(game, x).gradient.ravel()
    size = np.linalg.norm(truth)
    h = gradients(game, x, [2**k for k in range(1, max(LEVELS) + 2)])
    rows = []
    for K in LEVELS:
        mean, deviation = moments(h, K)
        (stopped,) = gradients(game, x, [max(1, round(expected_iterations(K)))])
        bias, equal_cost = (np.linalg.norm(value.ravel() - truth) / size for value in (mean, stopped))
        rows.append((bias, deviation / size, equal_cost))
    return np.array(rows)


def draw(table, path):
    """Draw bias, expected cost and standard deviation against K."""
    figure = Figure(figsize=(13, 4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    left, right, spread = figure.subplots(1, 3)
    for name, rows in table.items():
        left.plot(LEVELS, rows[:, 0], color=COLORS[name], marker="o", markersize=4, label=name)
        left.plot(LEVELS, rows[:, 2], color=COLORS[name], linestyle=":", linewidth=1.5)
        # K = 1 draws nothing: its deviation is zero and has no place on a logarithmic axis.
        spread.plot(LEVELS[1:], rows[1:, 1], color=COLORS[name], marker="o", markersize=4)
    left.plot([], [], color="0.4", linestyle=":", label="stopped at RT-Q's expected cost")
    left.set(yscale="log", ylim=(1e-14, 1e6), ylabel="bias / norm of the hypergradient", title="Bias")
    left.legend(frameon=False, ncols=2, fontsize="small", loc="upper left")
    spread.set(yscale="log", ylabel="standard deviation / norm of the hypergradient", title="Price: spread over levels")
    right.plot(LEVELS, [expected_iterations(K) for K in LEVELS], color="black", marker="o", markersize=4, label="RT-Q")
    right.plot(LEVELS, [2 * K for K in LEVELS], color="0.5", linestyle="--", label="2 K")
    right.plot(
        LEVELS, [2 ** (K + 1) for K in LEVELS], color="#D55E00", marker="s", markersize=4, label="always 2^(K+1)"
    )
    right.set(yscale="log", ylabel="expected iterations per update", title="Cost")
    right.legend(frameon=False)
    for axes in (left, right, spread):
        axes.set_xlabel("levels K")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def main():
    table = {name: measure(game, x) for name, (game, x) in games().items()}
    print(f"{'game':14} K  cost      bias   deviation  stopped at that cost")
    for name, rows in table.items():
        for K, (bias, deviation, stopped) in zip(LEVELS, rows, strict=True):
            print(f"{name:14} {K:<2} {expected_iterations(K):6.2f} {bias:10.2e} {deviation:10.2e} {stopped:10.2e}")
    draw(table, FIGURE)


if __name__ == "__main__":
    main()
