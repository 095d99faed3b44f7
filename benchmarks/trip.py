"""The way of one leader update through the house: how many functions in how many files it enters, and in which order.

Counts what a warm `Experiment.step` enters inside the two packages, with `sys.setprofile`; comprehensions count as
entries of their own. Each row is counted twice: as runs are by default, where every update also finds the exact value
of what was announced and of what is recommended, and without that (``evaluate_every=0``), from the commitment to the
step of the optimizer. ``python benchmarks/trip.py`` prints a table; ``python benchmarks/trip.py toy`` prints the
functions of one row in the order in which they are first entered.
"""

import itertools
import sys
from pathlib import Path

import agents
import stackelberg_envs
from agents.runs.experiment import Experiment, ExperimentConfig

PACKAGES = tuple(str(Path(package.__file__).parent) for package in (agents, stackelberg_envs))
#: Row -> game and leader, and the most functions and files that the house is to need.
TRIPS = {
    "toy": ("stackelberg/DiscreteToy-v1", "bchg", 60, 16),
    "thermal": ("stackelberg/BuildingThermal-v1", "bchg", 80, 18),
    "rooms-ce": ("stackelberg/FourRooms-v0", "certainty_equivalent", 80, 18),
    "rooms": ("stackelberg/FourRooms-v0", "bchg", None, None),
}
STEPS = 200


def entered(game, leader, *, evaluate_every=1, warm=3):
    """Return the functions that one update enters, in order: (file, name), once per entry."""
    experiment = Experiment(
        ExperimentConfig(game, leader=leader, steps_per_update=STEPS, evaluate_every=evaluate_every)
    )
    for _ in range(warm):
        experiment.step()
    calls = []

    def note(frame, event, _):
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGES):
            calls.append((frame.f_code.co_filename, frame.f_code.co_qualname))

    sys.setprofile(note)
    try:
        experiment.step()
    finally:
        sys.setprofile(None)
    experiment.shut()
    return calls


def counted(calls):
    """Return the numbers of functions, files and changes of file."""
    functions = set(calls)
    switches = sum(one[0] != other[0] for one, other in itertools.pairwise(calls))
    return len(functions), len({file for file, _ in functions}), switches


def main(rows):
    """Print the table, or the trips of some rows."""
    print("| trip | functions | files | changes of file | without evaluation | target |")
    print("| --- | --- | --- | --- | --- | --- |")
    root = Path(agents.__file__).parents[1]
    for row, (game, leader, functions, files) in TRIPS.items():
        if rows and row not in rows:
            continue
        calls = entered(game, leader)
        bare = counted(entered(game, leader, evaluate_every=0))
        target = "" if functions is None else f"{functions} in {files}"
        whole = " | ".join(map(str, counted(calls)))
        print(f"| {row} | {whole} | {bare[0]} in {bare[1]} | {target} |")
        if rows:
            for file, name in dict.fromkeys(calls):
                print(f"    {Path(file).relative_to(root)}: {name} ({calls.count((file, name))})")


if __name__ == "__main__":
    main(sys.argv[1:])
