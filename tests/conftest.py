"""What all tests share."""

import sys

import pytest


@pytest.fixture(autouse=True)
def no_players_of_tests_are_left():
    """Forget the leaders and followers that a test has registered, as sweeps do for their workers."""
    before = {role: set(registry.classes) for role, registry in registries().items()}
    yield
    for role, registry in registries().items():
        for name in set(registry.classes) - before.get(role, set()):
            if not any(kind.__module__.startswith("agents.") for kind in registry.classes[name]):
                del registry.classes[name]


def registries():
    """The registries that have been loaded so far, by what is in them."""
    found = {role: sys.modules.get(f"agents.{role.lower()}.base") for role in ("LEADERS", "FOLLOWERS")}
    return {role: getattr(module, role) for role, module in found.items() if module is not None}
