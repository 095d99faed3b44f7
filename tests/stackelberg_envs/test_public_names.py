"""What is visible in the package is what it says it exports, no more and no less."""

import ast
from pathlib import Path

import pytest

import stackelberg_envs as se
from stackelberg_envs.faces import ids

SOURCE = Path(se.__file__).read_text(encoding="utf-8")


def test_all_is_the_exports_and_the_modules():
    assert set(se.__all__) == {*se._EXPORTS, "errors", *ids.env_modules()}
    assert set(dir(se)) == {*se.__all__, "__version__"}


@pytest.mark.parametrize("name", se.__all__)
def test_every_public_name_loads_and_comes_from_where_it_says(name):
    value = getattr(se, name)
    source = se._EXPORTS.get(name, name).partition(":")[0]
    module = getattr(value, "__module__", None) or value.__name__
    assert source.partition(".")[0] in module
    if not name.startswith("_") and callable(value):
        assert (value.__doc__ or "").strip()


def test_editors_and_mypy_see_every_public_name():
    block = next(node for node in ast.parse(SOURCE).body if isinstance(node, ast.If))
    imported = {alias.asname or alias.name for node in ast.walk(block) for alias in getattr(node, "names", ())}
    other_names = {target.id for node in block.body if isinstance(node, ast.Assign) for target in node.targets}
    assert imported == {*se.__all__, "agents"}
    assert other_names == set(se._FORMER)


@pytest.mark.parametrize("name", se._FORMER)
def test_a_former_name_gives_what_took_its_place_and_says_so(name):
    with pytest.warns(DeprecationWarning, match=rf"{name} is deprecated .*: use stackelberg_envs\.{se._FORMER[name]}"):
        assert getattr(se, name) is getattr(se, se._FORMER[name])


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'four_rooms_v9'"):
        _ = se.four_rooms_v9
