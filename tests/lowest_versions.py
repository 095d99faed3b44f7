"""Print pip constraints that pin every requirement of pyproject.toml to its declared lower bound.

Used by `make test-lowest`; the extras that the tests need are among them, the tools for linting are not.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

#: Extras whose bounds count; tools of `dev` and `docs` do not run inside anybody's program.
EXTRAS = ("plots", "clients")


def constraints(pyproject: Path) -> list[str]:
    """Return "name==lower bound" for every requirement that has one."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *(line for extra in EXTRAS for line in project["optional-dependencies"][extra])]
    found = []
    for requirement in map(Requirement, lines):
        lowest = [clause.version for clause in requirement.specifier if clause.operator == ">="]
        found += [f"{requirement.name}=={version}" for version in lowest]
    return found


if __name__ == "__main__":
    sys.stdout.write("\n".join(constraints(Path(__file__).parent.parent / "pyproject.toml")) + "\n")
