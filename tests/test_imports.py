"""Imports run one way, from room to room and without circles, and importing the package stays light."""

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import stackelberg_envs
from stackelberg_envs.faces.ids import earlier_modules, env_modules
from tests.house import ROOMS, circles, graph, modules, room_of

GRAPH = graph()
#: Circles that are still there; none is to be added.
KNOWN_CIRCLES: list[list[str]] = []
#: Imports that still run up; none is to be added.
KNOWN_UP: set[tuple[str, str]] = set()


def test_every_folder_of_a_package_is_a_room():
    for module in modules():
        package, _, rest = module.partition(".")
        if rest.count("."):
            assert rest.partition(".")[0] in ROOMS[package]


@pytest.mark.parametrize("module", sorted(GRAPH))
def test_imports_run_down_the_list_of_rooms(module):
    package, room = room_of(module)
    for target in GRAPH[module]:
        other, below = room_of(target)
        if other == package:
            up = ROOMS[package].index(below) > ROOMS[package].index(room)
            assert not up or (module, target) in KNOWN_UP, f"{module} imports {target}"
        else:
            assert package == "agents", f"{module} imports {target}"


def test_there_are_no_circles():
    assert sorted(circles(GRAPH)) == sorted(KNOWN_CIRCLES)


def test_every_room_says_what_lives_there():
    for module, path in modules().items():
        if path.name == "__init__.py" and module not in ROOMS:
            text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
            assert text, f"{path}: no docstring"


def fresh_import(code):
    """Run code in a process of its own and return what it prints as JSON."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_importing_loads_no_heavy_package():
    heavy = (
        "numba",
        "torch",
        "matplotlib",
        "scipy",
        "pygame",
        "supersuit",
        "pandas",
        "PIL",
        "joblib",
        "duckdb",
        "plotly",
        "optuna",
    )
    code = f"import stackelberg_envs, sys, json; print(json.dumps([m for m in {heavy} if m in sys.modules]))"
    assert fresh_import(code) == []


def test_importing_registers_ids_without_loading_the_environments():
    code = (
        "import stackelberg_envs as se, sys, json, gymnasium;"
        "print(json.dumps([sorted(m for m in sys.modules if m.startswith('stackelberg_envs')),"
        "sorted(i for i in gymnasium.registry if i.startswith('stackelberg/'))]))"
    )
    modules, ids = fresh_import(code)
    assert not [
        name for name in modules if name.startswith(("stackelberg_envs.envs", "stackelberg_envs.games.tabular"))
    ]
    assert "stackelberg/FourRoomsFollower-v0" in ids
    assert "stackelberg/FourRoomsLeader-v0" in ids


def test_making_a_game_and_its_environment_needs_no_compiler():
    code = (
        "import stackelberg_envs as se, sys, json;"
        "env = se.four_rooms_v0.parallel_env(); env.reset(seed=0);"
        "env.step({'leader_0': env.action_space('leader_0').sample()});"
        "print(json.dumps([m for m in ('numba', 'torch', 'matplotlib', 'scipy', 'PIL') if m in sys.modules]))"
    )
    assert fresh_import(code) == []


PUBLIC = json.loads((Path(__file__).parent / "data" / "public_names.json").read_text(encoding="utf-8"))
CHANGES = (Path(__file__).parents[1] / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore:.* is deprecated and goes in version:DeprecationWarning")
@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in PUBLIC.items() for name in names])
def test_a_public_name_of_the_first_layout_imports_or_the_changelog_says_what_replaces_it(module, name):
    if not hasattr(importlib.import_module(module), name):
        assert f"`{name}`" in CHANGES or f"`{module}.{name}`" in CHANGES


@pytest.mark.parametrize("name", sorted({*env_modules(), *earlier_modules()}))
def test_an_environment_is_an_attribute_and_can_be_imported_under_that_name(name):
    code = (
        f"import importlib, json, stackelberg_envs.{name} as first; import stackelberg_envs as se;"
        f"same = first is se.{name} is importlib.import_module('stackelberg_envs.{name}');"
        f"print(json.dumps([same, first.__spec__.name, se.registered_ids()]))"
    )
    same, spec, ids = fresh_import(code)
    assert same
    assert spec == f"stackelberg_envs.envs.{name}"
    # Other tests may have registered environments of their own.
    assert ids == [known for known in stackelberg_envs.registered_ids() if known.startswith("stackelberg/")]


def test_agents_names_itself_by_where_a_file_stands():
    # The package has two names: `agents` and, where another package has that one, `stackelberg_envs.agents`.
    for module, path in modules().items():
        if module.partition(".")[0] == "agents":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [str(node.module)] if isinstance(node, ast.ImportFrom) and not node.level else []
                absolute = [name for name in names if name.partition(".")[0] == "agents"]
                assert not absolute, f"{path}, line {node.lineno}: expected `from .{absolute[0][6:]} import ...`"
