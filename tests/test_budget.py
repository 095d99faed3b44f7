"""What an import loads and an installation brings has bounds: modules and distributions are counted, not seconds."""

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires

import pytest
from packaging.requirements import Requirement

from tests.house import ROOT

OWN = ("stackelberg_envs", "agents")
LIGHT = {"numpy", "gymnasium", "pettingzoo", "cloudpickle", "farama_notifications", "typing_extensions"}
REQUIREMENTS = [
    Requirement(line) for line in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
]
#: Distributions of an installation without extras, those that others bring among them.
MOST_DISTRIBUTIONS = 20


def loaded(code):
    """Return the modules of our packages, and the other top-level modules beyond Python's own, that code loads."""
    found = "[name for name, module in sys.modules.items() if name not in before and getattr(module, '__spec__', None)]"
    code = f"import sys, json; before = set(sys.modules); {code}; print(json.dumps({found}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = json.loads(done.stdout)
    own = {name for name in names if name.partition(".")[0] in OWN}
    roots = {name.partition(".")[0] for name in names} - set(OWN) - sys.stdlib_module_names
    return own, {root for root in roots if not root.startswith("_")}


@pytest.mark.parametrize(
    ("code", "most", "libraries"),
    [
        ("import stackelberg_envs", 16, LIGHT),
        ("import agents", 1, set()),
        ("import stackelberg_envs.agents", 17, LIGHT),
        ("import stackelberg_envs_command", 0, set()),
    ],
)
def test_an_import_loads_few_modules_and_no_library_but_these(code, most, libraries):
    own, others = loaded(code)
    assert len(own) <= most, sorted(own)
    assert others - {"stackelberg_envs_command"} <= libraries


def brought(name, found):
    """Collect the distributions that one needs without extras, itself among them."""
    name = re.sub(r"[-_.]+", "-", name).lower()
    if name in found:
        return found
    found.add(name)
    try:
        lines = requires(name) or []
    except PackageNotFoundError:  # for another system or Python
        return found
    for requirement in map(Requirement, lines):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            brought(requirement.name, found)
    return found


def test_an_installation_without_extras_brings_few_distributions():
    found = set()
    for requirement in REQUIREMENTS:
        if requirement.marker is None or requirement.marker.evaluate():
            brought(requirement.name, found)
    assert {"llvmlite", "farama-notifications"} <= found
    assert len(found) <= MOST_DISTRIBUTIONS, sorted(found)


def test_each_requirement_has_its_reason():
    text = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    for requirement in REQUIREMENTS:
        assert re.search(rf"^\|[^|]*`{requirement.name}`[^|]*\|", text, re.MULTILINE), requirement.name
