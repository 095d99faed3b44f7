"""Warnings of what will be removed name its successor, and stand at the user's line."""

import subprocess
import sys
import types
import warnings

import pytest

from stackelberg_envs.deprecation import warn_deprecated


def through(*names):
    """Return a function that warns, called through modules of these names, the innermost first."""
    call = warn_deprecated
    for name in names:
        module = types.ModuleType(name)
        module.call = call
        exec("def outer(*words):\n    call(*words)", vars(module))  # noqa: S102 - a caller of that module name
        call = module.outer
    return call


def test_it_says_what_goes_when_and_what_to_use():
    with pytest.warns(DeprecationWarning, match=r"^old is deprecated and goes in version 0\.3: use new$"):
        warn_deprecated("old", "new", "0.3")


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("stackelberg_envs.faces.registration",),
        ("stackelberg_envs", "gymnasium.envs.registration"),
        ("stackelberg_envs.faces", "functools", "importlib"),
        ("agents.cli.main",),
    ],
)
def test_it_stands_at_the_line_outside_the_package_and_the_registries(names):
    call = through(*names)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call("old", "new", "0.3")
        line = sys._getframe().f_lineno - 1
    assert [(each.filename, each.lineno) for each in caught] == [(__file__, line)]


def test_a_name_that_only_begins_like_ours_is_a_user():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        through("agents_of_mine")("old", "new", "0.3")
    assert [each.filename for each in caught] == ["<string>"]


def test_each_line_is_told_once():
    code = (
        "from stackelberg_envs.deprecation import warn_deprecated as warn\n"
        "for _ in range(3):\n    warn('old', 'new', '0.3')\n"
        "warn('old', 'new', '0.3')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.count("old is deprecated") == 2
