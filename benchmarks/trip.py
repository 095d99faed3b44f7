"""The way of one leader update through the house: how many functions in how many files it enters, and in which order.

Counts what a warm `Experiment.step` enters inside the two packages, with `sys.setprofile`; compiled loops count as the
functions that call them, comprehensions as entries of their own. ``python benchmarks/trip.py`` prints a table;
``python benchmarks/trip.py toy`` prints the functions of one row in the order in which they are first entered.
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
    "toy": ("stackelberg/DiscreteToy-v0", "bchg", 60, 16),
    "thermal": ("stackelberg/BuildingThermal-v0", "bchg", 80, 18),
    "rooms-ce": ("stackelberg/FourRooms-v0", "certainty_equivalent", 80, 18),
    "rooms": ("stackelberg/FourRooms-v0", "bchg", None, None),
}
STEPS = 200


def entered(game, leader, *, warm=3):
    """Return the functions that one update enters, in order: (file, name), once per entry."""
    experiment = Experiment(ExperimentConfig(game, leader=leader, steps_per_update=STEPS))
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


def main(rows):
    """Print the table, or the trips of some rows."""
    print(f"{'trip':10} {'functions':>9} {'files':>6} {'calls':>6} {'changes of file':>16}   target")
    for row, (game, leader, functions, files) in TRIPS.items():
        if rows and row not in rows:
            continue
        calls = entered(game, leader)
        first = list(dict.fromkeys(calls))
        switches = sum(one[0] != other[0] for one, other in itertools.pairwise(calls))
        target = "" if functions is None else f"{functions} in {files}"
        num_files = len({file for file, _ in first})
        print(f"{row:10} {len(first):9} {num_files:6} {len(calls):6} {switches:16}   {target}")
        if rows:
            root = Path(agents.__file__).parents[1]
            for file, name in first:
                print(f"    {Path(file).relative_to(root)}: {name} ({calls.count((file, name))})")


if __name__ == "__main__":
    main(sys.argv[1:])
