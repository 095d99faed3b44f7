"""Processor time of whole processes: what a person waits for before anything is done. ``python benchmarks/startup.py``.

Each row is the median of seven processes after one that fills the caches, and the number of modules loaded.
"""

import resource
import statistics
import subprocess
import sys

RUNS = 7
MAIN = "import sys; from stackelberg_envs_command import main; sys.exit(main())"
COUNT = "import atexit, sys; atexit.register(lambda: sys.stderr.write(f'\\n{len(sys.modules)}'));"
ROWS = {
    "stackelberg --help": [MAIN, "--help"],
    "stackelberg list": [MAIN, "list"],
    "stackelberg show stackelberg/FourRooms-v0": [MAIN, "show", "stackelberg/FourRooms-v0"],
    "stackelberg show leader:bchg": [MAIN, "show", "leader:bchg"],
    "import agents": ["import agents"],
    "import stackelberg_envs": ["import stackelberg_envs"],
    "import stackelberg_envs.agents": ["import stackelberg_envs.agents"],
}


def seconds(words):
    """Return the processor time of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", *words], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def modules(words):
    """Return the number of modules that one process has loaded at its end."""
    command = [sys.executable, "-c", COUNT + words[0], *words[1:]]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stderr.split()[-1])


if __name__ == "__main__":
    print("| command | seconds | modules |\n| --- | --- | --- |")
    for name, words in ROWS.items():
        count = modules(words)
        print(f"| `{name}` | {statistics.median(seconds(words) for _ in range(RUNS)):.2f} | {count} |")
