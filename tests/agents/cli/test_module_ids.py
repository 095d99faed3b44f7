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
#: Environments that nobody looks into have ids, too.
WRAPPED = """
import numpy as np
import stackelberg_envs as se
from gymnasium.spaces import Box
from tests.environments import Ladder, Slide

def ladder():
    "A ladder with bonuses."
    return se.wrap_commitment(Ladder, None, se.StateIncentive(0.0, 1.0, np.ones(3)), horizon=9, evaluation_episodes=2)

def slide():
    "A slide of which nothing is known."
    return se.wrap_commitment(Slide, lambda env, x: env, Box(0.0, 1.0, (1,), np.float64), names=["push"])

se.register("mine/Ladder-v0", ladder)
se.register("mine/Slide-v0", slide)
"""
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
    (tmp_path / "wrapped.py").write_text(WRAPPED)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    registries = [registration._SPECS, gymnasium.registry, *pettingzoo_registries()]
    yield
    for name in ("toys", "wrapped"):
        sys.modules.pop(name, None)
    for registry in registries:
        for name in [name for name in registry if name.startswith("mine/")]:
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


@pytest.mark.usefixtures("module")
def test_what_a_page_says_to_try_names_the_module_too(capsys):
    assert main(["show", "toys:mine/Toy-v0"]) == 0
    assert capsys.readouterr().out.rstrip().endswith("Try it: stackelberg run toys:mine/Toy-v0")


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize(("name", "told"), [("Ladder", "S = 3, A = 0 (leader), B = 2"), ("Slide", "not known")])
def test_environments_that_nobody_looks_into_are_shown(name, told, capsys):
    assert main(["show", f"wrapped:mine/{name}-v0"]) == 0
    assert told in " ".join(capsys.readouterr().out.split())


@pytest.mark.usefixtures("module")
def test_environments_that_nobody_looks_into_are_led(capsys, tmp_path):
    words = f"run wrapped:mine/Ladder-v0 --leader bchg --quiet --output run {SHORT} --follower-option steps=100"
    assert main(words.split()) == 0, capsys.readouterr().err
    assert (tmp_path / "run" / "record.json").exists() and (tmp_path / "run" / "run.png").exists()
