"""A newcomer's path, timed: clone, then the README's first command, until a leader has learned and has a picture.

``python benchmarks/newcomer.py`` clones HEAD of this checkout into an empty folder and follows README.md there, with
nothing of this process's environment but its paths: ``make demo`` sets itself up. Seconds by the clock, and processor
time, which other work on the machine changes less. It ends with an error if the picture is missing, or later than the
two minutes on two cores that a newcomer may have to wait. ``--patience`` asks for another bound, on a busy machine.
"""

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
BOUND = 120.0
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "TERM")


def timed(command, folder):
    """Run a command in a folder as a newcomer would; return seconds by the clock and of processors."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    environment["PATH"] = os.pathsep.join(
        part for part in environment["PATH"].split(os.pathsep) if part != str(Path(sys.executable).parent)
    )
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - began, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def first_command(readme):
    """Return the words of the first command that README.md shows."""
    return re.search(r"^```console\n\$ (.*?)(?: +#.*)?$", readme, re.MULTILINE)[1].split()


def main(patience):
    """Print the times of each step and of all."""
    rows = []
    with tempfile.TemporaryDirectory() as place:
        clone = Path(place) / "clone"
        rows.append(("git clone", *timed(["git", "clone", "--quiet", ROOT.as_uri(), str(clone)], place)))
        words = first_command((clone / "README.md").read_text("utf-8"))
        # Its first part is what the command does by itself where the environment is missing.
        rows.append(("setting up", *timed(["make", ".venv/.installed"], clone)))
        rows.append((" ".join(words), *timed(words, clone)))
        picture = clone / "runs" / "demo" / "run.png"
        if not picture.is_file():
            sys.exit(
                f"{' '.join(words)}: expected a picture, got {sorted(path.name for path in clone.rglob('runs/**/*'))}"
            )
    rows.append(("all", *(sum(row[column] for row in rows) for column in (1, 2))))
    print("| step | seconds | processor seconds |\n| --- | --- | --- |")
    for name, clock, processor in rows:
        print(f"| `{name}` | {clock:.0f} | {processor:.0f} |")
    if rows[-1][1] > patience:
        sys.exit(f"expected a picture within {patience:.0f} s, got it after {rows[-1][1]:.0f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patience", type=float, default=BOUND, metavar="SECONDS")
    main(parser.parse_args().patience)
