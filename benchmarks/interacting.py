"""What `bchg` leaves out where followers affect each other, and what leaders reach there all the same: two tables.

    python benchmarks/interacting.py [gradients leaders]

Gradients: on each game, at 20 commitments drawn evenly from the box, the expectation of the estimate of `bchg` (each
follower's own response, `solve(game, x).own_gradient`) against the implicit gradient through the equilibrium; both are
exact, without play. Leaders: runs with a budget of 10,000 steps, seeds 0 and 1, the share of the way from no
payments to the best that `exact` finds; "one ascent" is `preset="published"` with 250 steps after each commitment.
Writes docs/tables/interacting_gradients.md and docs/tables/interacting_leaders.md, with the command.
"""

import sys
from pathlib import Path

import numpy as np

import agents
import stackelberg_envs as se

POINTS, STEPS = 20, 10_000
ROUTING = "stackelberg/TollRouting-v0"
#: Of the games of toll routing with a few commuters, and how the tables call them.
TOLLS = {
    "Pigou, 2 commuters": {"commuters": 2},
    "Pigou, 4 commuters": {"commuters": 4},
    "Pigou, 8 commuters": {"commuters": 8},
    "Pigou, 4 commuters, warm": {"commuters": 4, "temperature": 0.5},
    "Braess, 2 commuters": {"network": "braess", "commuters": 2},
    "Braess, 4 commuters": {"network": "braess", "commuters": 4},
}
PLAYED = ("Pigou, 2 commuters", "Pigou, 4 commuters", "Braess, 2 commuters")
PLAYED += ("random, 2 followers, 100% by others, cold", "random, zero-sum, temperature 0.1")
ANSWER = {"others": "answer"}
#: Leaders and how the second table calls them: name, options, preset.
LEADERS = {
    "`bchg`": ("bchg", {}, None),
    '`bchg`, `others="answer"`': ("bchg", ANSWER, None),
    "`bchg`, one ascent": ("bchg", {}, "published"),
    '`bchg`, one ascent, `others="answer"`': ("bchg", ANSWER, "published"),
    "`naive`": ("naive", {}, None),
    "`zero_order`": ("zero_order", {}, None),
    "`random_search`": ("random_search", {}, None),
    "`cma_es`": ("cma_es", {}, None),
}


def random_game(followers, meeting, temperature, *, zero_sum=False, seed=0):
    """Return five states, two actions each; `meeting` is the weight of what others do beside the own choice."""
    rng, S, B = np.random.default_rng(seed), 5, 2
    M = B**followers
    own, joint = rng.uniform(-1.0, 1.0, (followers, S, B)), rng.uniform(-1.0, 1.0, (followers, S, M))
    digits = np.stack(np.unravel_index(np.arange(M), (B,) * followers))
    rewards = (1.0 - meeting) * np.stack([table[:, b] for table, b in zip(own, digits, strict=True)]) + meeting * joint
    features = rng.uniform(size=(followers, S, 1, M, 3))
    if zero_sum:
        rewards[1], features[1] = -rewards[0], -features[0]
    return se.MarkovGame(
        follower_rewards=rewards,
        leader_reward=rng.uniform(-1.0, 1.0, (S, M)),
        transition=rng.dirichlet(np.ones(S), size=(S, M)),
        initial=np.full(S, 1.0 / S),
        leader_discount=0.9,
        follower_discount=0.8,
        temperature=temperature,
        commitment=se.Transfer(features, 0.0, 1.0, share=0.0),
        zero_sum=zero_sum,
    )


def games():
    """Return all games by the names of the first table."""
    made = {name: se.make_game(ROUTING, **arguments) for name, arguments in TOLLS.items()}
    for followers in (2, 4):
        for meeting in (0.1, 0.5, 1.0):
            made[f"random, {followers} followers, {meeting:.0%} by others"] = random_game(followers, meeting, 0.5)
    made["random, 2 followers, 100% by others, cold"] = random_game(2, 1.0, 0.1)
    for temperature in (0.5, 0.1):
        made[f"random, zero-sum, temperature {temperature}"] = random_game(2, 1.0, temperature, zero_sum=True)
    return made


def errors(game):
    """Return cosine, relative error and relative length of the estimate at each point, shape (3, points)."""
    commitment, rng = game.commitment, np.random.default_rng(0)
    found = []
    for _ in range(POINTS):
        at = se.solve(game, commitment.project(rng.uniform(commitment.low, commitment.high)))
        truth, guess = at.gradient.ravel(), at.own_gradient.ravel()
        size, length = np.linalg.norm(truth), np.linalg.norm(guess)
        found.append((guess @ truth / (size * length), np.linalg.norm(guess - truth) / size, length / size))
    return np.array(found).T


def gradients():
    """Write the first table."""
    lines = [
        "`python benchmarks/interacting.py gradients`",
        "",
        "| game | cosine: median (worst) | relative error: median (worst) | length, relative: median |",
        "| --- | --- | --- | --- |",
    ]
    for name, game in games().items():
        cosine, error, length = errors(game)
        cells = f"{np.median(cosine):.3f} ({cosine.min():.3f}) | {np.median(error):.3f} ({error.max():.3f})"
        lines.append(f"| {name} | {cells} | {np.median(length):.3f} |")
        print(lines[-1], flush=True)
    Path("docs/tables/interacting_gradients.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def leaders():
    """Write the second table."""
    lines = [
        "`python benchmarks/interacting.py leaders`",
        "",
        "| game | leader | share of the way, seed 0 | seed 1 |",
        "| --- | --- | --- | --- |",
    ]
    for name in PLAYED:
        game = games()[name]
        best = agents.run(game, leader="exact", updates=6, steps_per_update=1, evaluate_every=0).leader_value
        start = se.solve(game, game.commitment.low).leader_value
        for called, (leader, options, preset) in LEADERS.items():
            given = {"leader": leader, "leader_options": options, "preset": preset, "evaluate_every": 0}
            pace = {"steps_per_update": 250} if preset else {}
            values = [agents.run(game, steps=STEPS, seed=seed, **given, **pace).leader_value for seed in (0, 1)]
            shares = " | ".join(f"{(value - start) / (best - start):.3f}" for value in values)
            lines.append(f"| {name} | {called} | {shares} |")
            print(lines[-1], flush=True)
    Path("docs/tables/interacting_leaders.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    """Write the tables that are asked for, by default both."""
    makers = {"gradients": gradients, "leaders": leaders}
    for name in sys.argv[1:] or makers:
        makers[name]()


if __name__ == "__main__":
    main()
