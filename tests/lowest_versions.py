"""Print pip constraints that pin every requirement of pyproject.toml to its declared lower bound.

Used by `make test-lowest` and `make matrix`; the extras that the tests need are among them, the tools for linting are
not. ``python tests/lowest_versions.py 3.13`` prints those for another Python than this.
"""

from __future__ import annotations

import platform
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

#: Extras whose bounds count; tools of `dev` and `docs` do not run inside anybody's program.
EXTRAS = ("plots", "clients", "window", "benchmark")


def constraints(pyproject: Path, python: str) -> list[str]:
    """Return "name==lower bound" for every requirement that has one, the highest that holds for a Python."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(line for extra in EXTRAS for line in project["optional-dependencies"][extra])]
    found: dict[str, list[Version]] = {}
    for requirement in map(Requirement, lines):
        if requirement.marker is None or requirement.marker.evaluate({"python_version": python}):
            bounds = [Version(clause.version) for clause in requirement.specifier if clause.operator == ">="]
            found.setdefault(requirement.name, []).extend(bounds)
    return [f"{name}=={max(bounds)}" for name, bounds in found.items() if bounds]


if __name__ == "__main__":
    of = sys.argv[1] if len(sys.argv) > 1 else ".".join(platform.python_version_tuple()[:2])
    sys.stdout.write("\n".join(constraints(Path(__file__).parent.parent / "pyproject.toml", of)) + "\n")
