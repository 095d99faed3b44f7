"""Imports run one way, and importing the package stays light."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import stackelberg_envs

ROOT = Path(stackelberg_envs.__file__).parent
#: Module or folder -> its floor. Imports go down or stay on the floor.
FLOORS = {
    "errors": 0,
    "jit": 0,
    "arrays": 1,
    "validation": 1,
    "docstrings": 1,
    "transitions": 2,
    "resets": 2,
    "cotangents": 2,
    "kernels": 2,
    "precise_kernels": 2,
    "matrices": 2,
    "actions": 2,
    "tax_economy": 2,
    "commitment_base": 3,
    "commitments": 3,
    "primitives": 3,
    "planning": 4,
    "samples": 4,
    "linear_forms": 4,
    "tabular_checks": 4,
    "games": 4,
    "leader_policies": 5,
    "batched": 5,
    "grids": 6,
    "contexts": 5,
    "oracles": 6,
    "linear_quadratic": 6,
    "guided": 6,
    "simulation": 6,
    "rendering": 7,
    "rendering_linear": 7,
    "rendering_generic": 7,
    "rendering_guided": 7,
    "rendering_tax": 7,
    "adapters": 8,
    "registration": 9,
    "envs": 10,
    "checks": 11,
    "checks_batched": 11,
    "checks_clauses": 11,
    "checks_effects": 11,
    "checks_faces": 11,
    "checks_travel": 11,
    "checks_values": 11,
    "checks_vector": 11,
}
#: Imports made when a function runs, because the solvers bring Numba and SciPy.
DEFERRED = {
    ("adapters", "oracles"),
    ("checks", "oracles"),
    ("checks_values", "kernels"),
    ("checks_values", "oracles"),
    ("envs", "oracles"),
    ("envs", "planning"),
    ("linear_quadratic", "oracles"),
    ("linear_quadratic", "planning"),
    ("registration", "games"),
    ("registration", "validation"),
}
FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def floor_of(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def rooms_in(nodes):
    """Return the rooms of this package that some import statements name."""
    names = []
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return {name.split(".")[1] for name in names if name.startswith("stackelberg_envs.")}


def test_every_file_has_a_floor():
    assert {floor_of(path) for path in FILES} == set(FLOORS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path):
    here, tree = floor_of(path), ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    at_top = rooms_in(tree.body)
    deferred = rooms_in(inner for function in functions for inner in ast.walk(function))
    up = {room for room in at_top | deferred if FLOORS[room] > FLOORS[here]}
    assert not up, f"{path.name} ({here}) imports {up}"
    # An import inside a function needs a reason.
    assert {(here, room) for room in deferred - at_top} <= DEFERRED


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_imports_the_agents(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert all(alias.name.split(".")[0] != "agents" for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] != "agents"


def fresh_import(code):
    """Run code in a process of its own and return what it prints as JSON."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_importing_loads_no_heavy_package():
    heavy = ("numba", "torch", "matplotlib", "scipy", "pygame", "supersuit", "pandas")
    code = f"import stackelberg_envs, sys, json; print(json.dumps([m for m in {heavy} if m in sys.modules]))"
    assert fresh_import(code) == []


def test_importing_registers_ids_without_loading_the_environments():
    code = (
        "import stackelberg_envs as se, sys, json, gymnasium;"
        "print(json.dumps([sorted(m for m in sys.modules if m.startswith('stackelberg_envs')),"
        "sorted(i for i in gymnasium.registry if i.startswith('stackelberg/'))]))"
    )
    modules, ids = fresh_import(code)
    assert not [name for name in modules if name.startswith(("stackelberg_envs.envs", "stackelberg_envs.games"))]
    assert "stackelberg/FourRoomsFollower-v0" in ids
    assert "stackelberg/FourRoomsLeader-v0" in ids


def test_making_a_game_and_its_environment_needs_no_compiler():
    code = (
        "import stackelberg_envs as se, sys, json;"
        "env = se.four_rooms_v0.parallel_env(); env.reset(seed=0);"
        "env.step({'leader_0': env.action_space('leader_0').sample()});"
        "print(json.dumps([m for m in ('numba', 'torch', 'matplotlib', 'scipy') if m in sys.modules]))"
    )
    assert fresh_import(code) == []
