"""Processor time of whole processes: what a person waits for before anything is done. ``python benchmarks/startup.py``.

Each row is the median of seven processes after one that fills the caches.
"""

import resource
import statistics
import subprocess
import sys

RUNS = 7
MAIN = "import sys; from agents.cli.entry import main; sys.exit(main())"
ROWS = {
    "stackelberg --help": [MAIN, "--help"],
    "stackelberg list": [MAIN, "list"],
    "stackelberg show stackelberg/FourRooms-v0": [MAIN, "show", "stackelberg/FourRooms-v0"],
    "stackelberg show leader:bchg": [MAIN, "show", "leader:bchg"],
    "import stackelberg_envs": ["import stackelberg_envs"],
}


def seconds(words):
    """Return the processor time of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", *words], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    print("| command | seconds |\n| --- | --- |")
    for name, words in ROWS.items():
        seconds(words)
        print(f"| `{name}` | {statistics.median(seconds(words) for _ in range(RUNS)):.2f} |")
