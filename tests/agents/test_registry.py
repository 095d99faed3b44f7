"""Classes by name and kind of game."""

import sys
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from agents.registry import Registry
from stackelberg_envs.errors import ArgumentError, UnknownNameError

INSIDE = """
from builtins import config_of_test, registry_of_test


@registry_of_test.register("inside")
class Inside:
    kinds = frozenset({"tabular"})
    Config = config_of_test
"""


@dataclass(frozen=True)
class One:
    memory: float = 1.0


@dataclass(frozen=True)
class Other:
    replay: int = 4


def player(kinds, config=One, name="Player"):
    return type(name, (), {"kinds": frozenset(kinds), "Config": config})


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A registry of a folder with one file, which registers `inside`."""
    package = "folder_of_players"
    folder = tmp_path / package
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    made = Registry("leader", package)
    (folder / "inside.py").write_text(INSIDE)
    monkeypatch.setattr("builtins.registry_of_test", made, raising=False)
    monkeypatch.setattr("builtins.config_of_test", One, raising=False)
    yield made
    for module in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[module]


def test_the_folder_is_walked_on_the_first_question(registry):
    assert registry.classes == {}
    assert registry.names() == ["inside"]
    assert registry.find("inside").name == "inside"


def test_names_of_the_folder_are_taken_before_anybody_has_asked(registry):
    with pytest.raises(ArgumentError, match=r"leader 'inside': the name is taken by folder_of_players.inside.Inside"):
        registry.register("inside")(player({"tabular"}))


def test_classes_of_one_name_share_it_by_kind_of_game(registry):
    tables, vectors = player({"tabular"}), player({"vector"}, Other, "Vectors")
    assert registry.register("mine")(tables) is tables
    registry.register("mine")(vectors)
    assert (tables.name, vectors.name) == ("mine", "mine")
    assert registry.named("mine") == (tables, vectors)
    assert registry.find("mine") is registry.find("mine", "tabular") is tables
    assert registry.find("mine", "vector") is registry.serving("mine", SimpleNamespace(kind="vector")) is vectors
    with pytest.raises(ArgumentError, match="leader 'mine': the name is taken by"):
        registry.register("mine")(player({"vector", "other"}, name="Third"))


def test_classes_of_one_name_stand_in_the_same_order_whichever_came_first(registry):
    players = [player({word}, name=word.title()) for word in ("markov", "of_my_own", "vector", "tabular")]
    for each in players:
        registry.register("mine")(each)
    assert [each.__name__ for each in registry.named("mine")] == ["Tabular", "Vector", "Markov", "Of_My_Own"]


def test_a_kind_of_game_may_go_by_its_former_name(registry):
    with pytest.warns(DeprecationWarning, match=r'kinds = {"batched"} is deprecated .* use kinds = {"vector"}'):
        registry.register("mine")(kind := player({"batched"}))
    assert registry.serving("mine", SimpleNamespace(kind="vector", name="aim")) is kind
    assert kind.kinds == {"vector"}


def test_the_same_class_again_replaces_the_first(registry):
    first, again = player({"tabular"}), player({"tabular"})
    registry.register("mine")(first)
    registry.register("mine")(again)
    assert registry.named("mine") == (again,)


def test_a_class_that_has_a_name_to_itself_is_found_whatever_the_kind_but_serves_its_own(registry):
    registry.register("mine")(vectors := player({"vector"}))
    assert registry.find("mine") is vectors
    with pytest.raises(
        ArgumentError,
        match=r"leader 'mine': works on vector games, but 'toy' is a tabular one; expected one of inside$",
    ):
        registry.serving("mine", SimpleNamespace(kind="tabular", name="toy"))


def test_options_of_the_other_class_are_told_from_those_that_nobody_has(registry):
    tables, vectors = player({"tabular"}), player({"vector"}, Other, "Vectors")
    registry.register("mine")(tables)
    registry.register("mine")(vectors)
    assert registry.configure("mine", tables, {"memory": 2}) == One(2.0)
    message = "replay: not an option of leader 'mine' on this game, but on vector games; expected one of memory; got "
    with pytest.raises(ArgumentError, match=message):
        registry.configure("mine", tables, {"replay": 4})
    with pytest.raises(ArgumentError, match="leader 'mine': unknown option 'speed'; expected one of replay"):
        registry.configure("mine", vectors, {"speed": 1})


@pytest.mark.parametrize("name", ["", "  ", None, 3])
def test_what_is_no_name_is_refused(registry, name):
    with pytest.raises(ArgumentError, match="leader: expected a name, got"):
        registry.register(name)


def test_unknown_names_are_refused_with_the_nearest(registry):
    with pytest.raises(UnknownNameError, match="unknown leader 'insid'; did you mean 'inside'"):
        registry.find("insid")
    with pytest.raises(ArgumentError, match="leader: expected a name, got None"):
        registry.named(None)


def test_a_class_without_options_or_kinds_is_refused(registry):
    for kind in (type("Bare", (), {"kinds": frozenset()}), type("Bare", (), {"Config": One})):
        with pytest.raises(ArgumentError, match="leader 'bare': expected a leader whose Config is a dataclass, got"):
            registry.register("bare")(kind)
