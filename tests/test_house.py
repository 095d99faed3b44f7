"""The rules of the house that source alone can show: who asks what kind a game is, and how long files are."""

import ast

import pytest

from tests.house import ROOT, modules

FILES = modules()
#: Classes of games, of briefs and of followers' views: one class or one registered function for each, no questions.
KINDS = {"TabularGame", "VectorGame", "LinearQuadraticGame", "TaxGame", "TabularBrief", "VectorBrief"}
#: Lines of a file that need no reason.
LONGEST = 450
#: What the first docstring of a longer file says.
REASON = "one file because"


def names_in(node):
    return {item.id for item in ast.walk(node) if isinstance(item, ast.Name)} | {
        item.attr for item in ast.walk(node) if isinstance(item, ast.Attribute)
    }


def refusals(tree):
    """Yield the conditions of statements that only refuse what is of no known kind: checks at the door."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.body[-1], ast.Raise) and not node.orelse:
            yield node.test


def questions(path):
    """Return the lines that ask what kind a game is."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    at_the_door = {id(item) for test in refusals(tree) for item in ast.walk(test)}
    found = []
    for node in ast.walk(tree):
        asks = (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("isinstance", "issubclass")
            and names_in(node.args[1]) & KINDS
        )
        compares = isinstance(node, ast.Compare) and any(
            isinstance(item, ast.Constant) and item.value in ("tabular", "vector", "vector") for item in ast.walk(node)
        )
        if (asks or compares) and id(node) not in at_the_door:
            found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    return found


def test_nothing_asks_what_kind_a_game_is():
    assert [line for path in FILES.values() for line in questions(path)] == []


@pytest.mark.parametrize("module", sorted(FILES))
def test_a_long_file_says_why(module):
    text = FILES[module].read_text(encoding="utf-8")
    if text.count("\n") > LONGEST:
        assert REASON in " ".join((ast.get_docstring(ast.parse(text)) or "").split())
