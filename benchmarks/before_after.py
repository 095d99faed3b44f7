"""Speed of two revisions in one run: ``python benchmarks/before_after.py REVISION`` compares it with this checkout.

Each row is timed in processes of its own that take turns, the older revision first and then this one, so that both meet
the same machine. A process does the row's work once to compile and then several times; it reports the fastest. The
table gives the least of all rounds for each side, and their ratio. What the rows use has had its public name in both.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SETUP = """
import json, sys, time, warnings
import numpy as np
warnings.simplefilter("ignore")
import stackelberg_envs as se, agents

def seconds(do, repeats):
    do()
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        do()
        best = min(best, time.perf_counter() - start)
    return best

def updates(game, count, **options):
    return lambda: agents.run(game, updates=count, **options)

def steps(face, count):
    env = getattr(se, face)("stackelberg/FourRooms-v0")
    env.reset(seed=0)
    env.action_space("follower_0").seed(0)
    env.action_space("leader_0").seed(0)
    actions = {agent: env.action_space(agent).sample() for agent in env.possible_agents}
    def do():
        env.reset(seed=0)
        for _ in range(count):
            env.step(actions)
            if not env.agents:
                env.reset()
    return do

def vector_steps(name, count):
    env = se.vector_env(name, num_envs=256)
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = env.action_space.sample()
    def do():
        for _ in range(count):
            env.step(actions)
    return do

def solved(name, **arguments):
    game = se.make_game(name, **arguments)
    x = game.commitment.project(np.zeros(game.commitment.shape))
    return lambda: se.solve(game, x).gradient

ROOMS, TOY = "stackelberg/FourRooms-v0", "stackelberg/DiscreteToy-v1"
THERMAL, LQR, TAX = "stackelberg/BuildingThermal-v1", "stackelberg/BilevelLqr-v1", "stackelberg/TaxDesign-v0"
"""
#: Row -> an expression of a function without arguments, and how often a process calls it.
ROWS = {
    "solve and gradient, Four-Rooms": ("solved(ROOMS)", 30),
    "solve and gradient, building": ("solved(THERMAL)", 30),
    "solve and gradient, taxes": ("solved(TAX)", 3),
    "play, parallel_env, 2,000 rounds": ("steps('parallel_env', 2000)", 5),
    "play, vector_env, Four-Rooms, 256 x 200": ("vector_steps(ROOMS, 200)", 5),
    "play, vector_env, pendulum, 256 x 200": ("vector_steps('stackelberg/GuidedPendulum-v0', 200)", 5),
    "bchg, toy, 50 updates of 1,000": ("updates(TOY, 50, leader='bchg')", 5),
    "bchg, toy, 20 updates of 100,000": ("updates(TOY, 20, leader='bchg', steps_per_update=100_000)", 3),
    "bchg, Four-Rooms, 30 updates of 1,000": ("updates(ROOMS, 30, leader='bchg')", 5),
    "hpgd, Four-Rooms, 30 updates of 1,000": ("updates(ROOMS, 30, leader='hpgd')", 5),
    "certainty_equivalent, Four-Rooms, 30 of 1,000": ("updates(ROOMS, 30, leader='certainty_equivalent')", 2),
    "bchg, building, 30 updates of 1,000": ("updates(THERMAL, 30, leader='bchg')", 5),
    "bchg, LQR, 30 updates of 1,000": ("updates(LQR, 30, leader='bchg')", 5),
    "certainty_equivalent, building, 10 of 500": (
        "updates(THERMAL, 10, leader='certainty_equivalent', steps_per_update=500)",
        2,
    ),
    "cma_es, toy, 50 updates of 1,000": ("updates(TOY, 50, leader='cma_es')", 5),
    "soft_q_learning, toy, 10 updates": ("updates(TOY, 10, follower='soft_q_learning')", 3),
}


def measure(tree, expression, repeats):
    """Return the seconds of one row in one tree, in a process of its own."""
    code = f"{SETUP}\nprint(json.dumps(seconds({expression}, {repeats})))"
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tree, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{tree}: {expression}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def worktree(*arguments):
    """Let git make or remove a checkout beside this one."""
    subprocess.run(["git", "worktree", *arguments], cwd=ROOT, check=True)  # noqa: S607


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revision", help="what to compare this checkout with")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder) / "before"
        worktree("add", "--detach", "-q", str(before), arguments.revision)
        try:
            print(f"| what | {arguments.revision[:7]}, ms | now, ms | now / before |\n| --- | --- | --- | --- |")
            for name, (expression, repeats) in ROWS.items():
                if arguments.only not in name:
                    continue
                pairs = [
                    [measure(tree, expression, repeats) for tree in (before, ROOT)] for _ in range(arguments.rounds)
                ]
                old, new = (1e3 * min(side) for side in zip(*pairs, strict=True))
                print(f"| {name} | {old:.3g} | {new:.3g} | {new / old:.2f} |", flush=True)
        finally:
            worktree("remove", "--force", str(before))


if __name__ == "__main__":
    main()
