"""Who is better than whom, in the papers and here: read from the tables that ``published_figures.py`` wrote.

``python benchmarks/published_orderings.py`` prints docs/tables/published_orderings.md.
"""

from itertools import combinations, pairwise
from pathlib import Path

import numpy as np

TABLES = Path(__file__).parents[1] / "docs" / "tables"
PARTS = {
    "published_bchg_100": "BC-HG, 100 steps",
    "published_bchg_1000": "BC-HG, 1,000 steps",
    "published_hpgd": "HPGD, 10,000 steps",
}
#: Published values have two or three digits.
ROUNDING = {"published_bchg_100": 0.0005, "published_bchg_1000": 0.0005, "published_hpgd": 0.005}


def rows(name):
    """Return cell -> leader -> (published value, values of our seeds)."""
    cells = {}
    for line in (TABLES / f"{name}.md").read_text(encoding="utf-8").splitlines()[2:]:
        words = [word.strip() for word in line.strip("|").split("|")]
        temperature, penalty, leader, published, _, _, _, seeds = words[:8]
        if published:
            values = np.array([float(word) for word in seeds.split()])
            cells.setdefault((temperature, penalty), {})[leader] = float(published), values
    return cells


def order(values, same):
    """Return leaders from the best to the worst as text; neighbours that `same` cannot tell apart have a tie."""
    ranked = sorted(values, key=lambda leader: -values[leader])
    text = f"{ranked[0]} {values[ranked[0]]:.3f}"
    for one, other in pairwise(ranked):
        text += f" {'=' if same(one, other) else '>'} {other} {values[other]:.3f}"
    return text


def error(values):
    """Return the standard error of a mean over seeds."""
    return values.std(ddof=1) / np.sqrt(values.size)


def line(part, name, cell, found):
    """Return one row of the table."""
    published = {leader: value for leader, (value, _) in found.items()}
    ours = {leader: float(values.mean()) for leader, (_, values) in found.items()}

    def same_there(one, other):
        return abs(published[one] - published[other]) <= 2 * ROUNDING[name]

    def same_here(one, other):
        noise = 2 * np.hypot(error(found[one][1]), error(found[other][1])) + 0.01
        return abs(ours[one] - ours[other]) <= noise

    told = [pair for pair in combinations(found, 2) if not same_there(*pair)]
    tied = [pair for pair in told if same_here(*pair)]
    turned = [(a, b) for a, b in told if (a, b) not in tied and (published[a] > published[b]) != (ours[a] > ours[b])]
    parts = [("tied here", tied), ("reversed", turned)]
    verdict = ". ".join(f"{word}: {'; '.join(f'{a}, {b}' for a, b in pairs)}" for word, pairs in parts if pairs)
    verdict = verdict or "the same"
    return f"| {part} | {cell[0]} | {cell[1]} | {order(published, same_there)} | {order(ours, same_here)} | {verdict} |"


if __name__ == "__main__":
    print("| source | temperature | penalty | published | here, ten seeds | order |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, part in PARTS.items():
        for cell, found in rows(name).items():
            print(line(part, name, cell, found))
