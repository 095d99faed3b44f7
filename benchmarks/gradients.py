"""What ``stackelberg gradients`` finds on Four-Rooms and on the discrete toy: tables and figures for the docs.

    python benchmarks/gradients.py [four_rooms discrete_toy]

Runs the commands in COMMANDS; writes docs/tables/gradients_<name>.md, with the command, and
docs/figures/gradients_<name>.png.
"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

from agents.cli.main import main as stackelberg

SIZES = "--sizes 1000,10000,100000 --seeds 20"
COMMANDS = {
    "four_rooms": f"gradients stackelberg/FourRooms-v0 --leaders bchg,hpgd,hpgd_oracle,sobirl,naive,amd {SIZES}",
    "discrete_toy": f"gradients stackelberg/DiscreteToy-v1 --leaders bchg,hpgd,sobirl,biac,naive,amd {SIZES}",
}


def quartiles(values):
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75]) + 0.0
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"


def table(command, found):
    lines = [
        f"`stackelberg {command}`",
        "",
        "| leader | level | steps | cosine: median (quartiles) | relative error: median (quartiles) | bias | spread |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in found["rows"]:
        measured = f"{quartiles(row['cosine'])} | {quartiles(row['relative_error'])}"
        lines.append(
            f"| `{row['leader']}` | `{row['information']}` | {row['size']:,} | {measured} "
            f"| {row['bias']:.3f} | {row['spread']:.3f} |"
        )
    return "\n".join(lines) + "\n"


def main():
    for name in sys.argv[1:] or COMMANDS:
        with tempfile.TemporaryDirectory() as folder:
            if stackelberg([*shlex.split(COMMANDS[name]), "--output", folder]):
                raise SystemExit(1)
            found = json.loads((Path(folder) / "gradients.json").read_text(encoding="utf-8"))
            Path(f"docs/tables/gradients_{name}.md").write_text(table(COMMANDS[name], found), encoding="utf-8")
            shutil.copy(Path(folder) / "gradients.png", f"docs/figures/gradients_{name}.png")


if __name__ == "__main__":
    main()
