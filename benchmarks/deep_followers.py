"""What followers with networks lose against the exact best response: soft DQN in tax design, SAC in the LQ games.

A follower learns the response to one commitment from nothing. Per game: the exact value of the best response; the
value of the learned policy, reward plus temperature times entropy, by Monte Carlo; and what it loses, by the identity
J* - J = temperature * E sum gamma^t (log g - log g*) over the play of g, whose standard error is much smaller.
Writes docs/tables/deep_followers.md.

    python benchmarks/deep_followers.py [--seeds 1] [--games tax_design bilevel_lqr building_thermal] [--episodes 4000]
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np

import stackelberg_envs as se
from agents.followers import FollowerView, follower_class
from stackelberg_envs.errors import StackelbergError

TABLE = Path("docs/tables/deep_followers.md")
#: Play is followed until the discount has fallen to this.
FADED = 1e-4
#: Name -> (id, commitment, follower, its options).
GAMES = {
    "bilevel_lqr": (
        "stackelberg/BilevelLqr-v0",
        [[-1.0, -2.0]],
        "sac",
        {"steps": 40_000, "updates": 2, "quadratic": True},
    ),
    "building_thermal": (
        "stackelberg/BuildingThermal-v0",
        [0.5] * 8,
        "sac",
        {"steps": 40_000, "updates": 4, "quadratic": True, "action_scale": 5.0, "target_rate": 0.05},
    ),
    "tax_design": (
        "stackelberg/TaxDesign-v0",
        [0.3] * 4,
        "soft_dqn",
        {
            "steps": 400_000,
            "copies": 256,
            "episode_steps": 20,
            "updates": 6,
            "batch_size": 512,
            "learning_rate": 0.01,
            "last_rate": 0.01,
            "target_every": 40,
            "target_rows": 1_024,
            "replay_size": 400_000,
            "huber": 2.0,
            "afterstates": True,
        },
    ),
}


def measure(game, x, policy, best, episodes, seed):
    """Return value and loss of a policy, each with its standard error, from one set of episodes."""
    rng = np.random.default_rng(seed)
    K = game.num_contexts
    contexts = rng.choice(K, size=episodes, p=game.context_probabilities).astype(np.int32)
    states, value, loss = game.initial_states(rng, contexts), np.zeros(episodes), np.zeros(episodes)
    for t in range(math.ceil(math.log(FADED) / math.log(game.follower_discount))):
        a = game.leader_actions(rng, x, states, contexts)
        b = policy.sample(rng, states, a, contexts)
        own, other = (each.log_prob(states, a, contexts, b) for each in (policy, best))
        made = game.step(rng, x, states, contexts, a, b)
        weight = game.follower_discount**t
        value += weight * (made.follower_reward - game.temperature * own)
        loss += weight * game.temperature * (own - other)
        states = made.next_state
    return [(each.mean(), each.std(ddof=1) / math.sqrt(episodes)) for each in (value, loss)]


def rows(name, seeds, episodes):
    """Return a line of the table for each seed."""
    spec, x, kind_name, options = GAMES[name]
    game, kind, x = se.make_game(spec), follower_class(kind_name), np.array(x)
    exact = game.solve(x)
    for seed in range(seeds):
        follower = kind(kind.Config(**options), np.random.default_rng(seed))
        begun = time.process_time()
        steps = follower.learn(FollowerView(game, x))
        seconds = time.process_time() - begun
        (value, value_error), (loss, loss_error) = measure(game, x, follower.policy, exact.policy, episodes, seed + 1)
        share = 100 * loss / abs(exact.follower_value)
        yield (
            f"| `{name}` | `{kind_name}` | {seed} | {steps:,} | {seconds:.0f} | {exact.follower_value:.3f} "
            f"| {value:.3f} +- {value_error:.3f} | {loss:.4f} +- {loss_error:.4f} | {share:.2f} % |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--games", nargs="+", default=list(GAMES), choices=list(GAMES))
    parser.add_argument("--episodes", type=int, default=4_000)
    options = parser.parse_args()
    lines = [
        "| game | follower | seed | steps | CPU seconds | exact value | value of the policy | loss | of the value |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in options.games:
        try:
            for line in rows(name, options.seeds, options.episodes):
                print(line, flush=True)
                lines.append(line)
        except StackelbergError as exc:
            raise SystemExit(f"{name}: {exc}") from exc
    if options.games == list(GAMES):
        TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(f"wrote {TABLE}")


if __name__ == "__main__":
    main()
