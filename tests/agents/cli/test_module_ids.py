"""``module:namespace/Name-v0`` wherever a command takes an id: the module that registers it is imported first."""

import sys

import gymnasium
import pytest

from agents.cli.main import main
from stackelberg_envs.faces import registration

MODULE = """
import stackelberg_envs as se
from stackelberg_envs.envs.discrete_toy_v1 import make_game

se.register("mine/Toy-v0", make_game)
"""
SHORT = "--updates 2 --steps-per-update 50"
COMMANDS = {
    "show": "show toys:mine/Toy-v0",
    "run": f"run toys:mine/Toy-v0 --quiet {SHORT}",
    "run by import": f"run mine/Toy-v0 --import toys --quiet {SHORT}",
    "render": "render toys:mine/Toy-v0 --output toy.png --steps 2",
    "gradients": "gradients toys:mine/Toy-v0 --sizes 200 --seeds 2",
    "sweep": "sweep toys:mine/Toy-v0 --leaders cma_es --seeds 1 --steps 200 --output swept --engine sequential",
}


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A folder with a module that nobody has imported, and nothing of it left afterwards."""
    (tmp_path / "toys.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    registries = [registration._SPECS, gymnasium.registry, *pettingzoo_registries()]
    before = [set(registry) for registry in registries]
    yield
    sys.modules.pop("toys", None)
    for registry, names in zip(registries, before, strict=True):
        for name in set(registry) - names:
            del registry[name]


def pettingzoo_registries():
    try:
        from pettingzoo.env_registry import registration as pettingzoo_registration
    except ImportError:  # below 1.27 there are none
        return []
    return [pettingzoo_registration.aec_registry, pettingzoo_registration.parallel_registry]


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_takes_an_id_with_its_module(command, capsys):
    assert main(COMMANDS[command].split()) == 0, capsys.readouterr().err
