"""The wheel in empty environments: each Python with the lowest and the newest versions of what the package depends on.

In each environment the code of README.md runs in an empty folder outside the checkout, then ``stackelberg demo``.
``make matrix`` builds the wheel, runs this and writes docs/tables/versions.md. ``python benchmarks/versions.py
--pythons 3.12`` runs a part and leaves the other rows as they are. A Python that is not on this machine has a row
that says so.
"""

import argparse
import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "docs" / "tables" / "versions.md"
PYTHONS = ("3.11", "3.12", "3.13")
SETS = ("lowest", "newest")
LIBRARIES = ("numpy", "scipy", "numba", "pettingzoo", "gymnasium", "matplotlib")
COLUMNS = ("Python", "versions", *LIBRARIES, "README", "demo", "date")
#: Asked in an environment: its versions, and the README as the wheel has it.
ASK = """
import json, platform, sys
from importlib.metadata import metadata, version
text = metadata("stackelberg-envs").json["description"]
print(json.dumps([platform.python_version(), *map(version, sys.argv[1:]), text]))
"""
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def interpreter(version):
    """Return the path of a Python of a version, from the path or from pyenv; None if there is none that starts."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [shutil.which(f"python{version}"), *sorted(map(str, pyenv.glob(f"{version}.*/bin/python")))]
    for path in filter(None, found):
        try:
            done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        except OSError:
            continue
        if done.returncode == 0 and done.stdout.startswith(f"Python {version}."):
            return path
    return None


def environment(folder, python, versions, wheel):
    """Make an environment and install the wheel; return its Python."""
    subprocess.run([python, "-m", "venv", folder], check=True)
    inside = Path(folder) / "bin" / "python"
    command = [inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"{wheel}[plots]"]
    if versions == "lowest":
        bounds = Path(folder) / "lowest.txt"
        lowest = [sys.executable, ROOT / "tests" / "lowest_versions.py", Path(folder).name]
        bounds.write_text(subprocess.run(lowest, capture_output=True, text=True, check=True).stdout)
        command += ["--constraint", bounds, "--only-binary", ":all:"]
    subprocess.run(command, check=True)
    return inside


def outcome(command, folder):
    """Run a command in an empty folder, without this process's search path; return "passes" or the last line."""
    folder.mkdir()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, cwd=folder, env=inherited, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return "passes"
    print(done.stdout[-2000:], done.stderr[-4000:], sep="\n", file=sys.stderr)
    return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1].replace("|", "/")


def row(version, versions, wheel):
    """Return the cells of one row."""
    python = interpreter(version)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    if python is None:
        return [version, versions, *["-"] * len(LIBRARIES), *["no such Python on this machine"] * 2, today]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        try:
            inside = environment(folder / version, python, versions, wheel)
        except subprocess.CalledProcessError:
            return [version, versions, *["-"] * len(LIBRARIES), *["cannot be installed"] * 2, today]
        asked = subprocess.run([inside, "-c", ASK, *LIBRARIES], capture_output=True, text=True, check=True)
        exact, *numbers, text = json.loads(asked.stdout)
        readme = folder / "readme.py"
        readme.write_text("\n".join(BLOCK.findall(text)), "utf-8")
        results = [
            outcome([inside, readme], folder / "readme"),
            outcome([inside.with_name("stackelberg"), "demo", "--output", "demo"], folder / "demo"),
        ]
    return [exact, versions, *numbers, *results, today]


def written_rows():
    """Return the rows of the table as it is, by Python's minor version and set of versions."""
    lines = TABLE.read_text("utf-8").splitlines() if TABLE.exists() else []
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| 3.")]
    return {(re.match(r"\d+\.\d+", cells[0])[0], cells[1]): cells for cells in rows}


def write(rows):
    """Write the table."""
    lines = [COLUMNS, ["---"] * len(COLUMNS), *(rows[key] for key in sorted(rows))]
    TABLE.write_text("\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n", "utf-8")


def main(pythons, sets):
    """Make rows, and write each as it is known; return whether all that could be tried passed."""
    wheels = sorted((ROOT / "dist").glob("*.whl"), key=lambda path: path.stat().st_mtime)
    if not wheels:
        sys.exit("expected a wheel in dist; `make dist` builds it")
    tried = []
    for version in pythons:
        for versions in sets:
            tried.append(row(version, versions, wheels[-1]))
            print(*tried[-1], sep="  ", flush=True)
            write(written_rows() | {(version, versions): tried[-1]})
    return all(set(cells[-3:-1]) <= {"passes", "no such Python on this machine"} for cells in tried)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pythons", nargs="+", default=PYTHONS, choices=PYTHONS)
    parser.add_argument("--versions", nargs="+", default=SETS, choices=SETS)
    options = parser.parse_args()
    sys.exit(not main(options.pythons, options.versions))
