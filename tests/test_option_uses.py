"""Every option is set in a test or on a page, and not only to its default or to be refused; else nobody needs it."""

import ast
import importlib
import inspect
import re
from collections import defaultdict
from dataclasses import MISSING, fields, is_dataclass

import pytest

from agents.followers.base import FOLLOWERS
from agents.leaders.base import LEADERS
from agents.runs.config import ExperimentConfig
from tests.house import ROOT

#: Where options are set: tests, but the one that looks, and the code blocks of pages.
TESTS = sorted(path for path in ROOT.glob("tests/**/*.py") if path.name != "test_option_uses.py")
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
BLOCK = re.compile(r"^```(\{?[\w-]*\}?)[^\n]*\n(.*?)^```", re.M | re.S)
#: As on a command line, and in the words of a page.
WRITTEN = re.compile(r"\b([A-Za-z]\w*)=([^\s,)`\"']+)")


def declared(kind, name):
    """Return the class that declares a field of a dataclass."""
    return next(each for each in reversed(kind.__mro__) if is_dataclass(each) and name in each.__annotations__)


def options():
    """Yield (who has it, option, default, the words of which a file has one that sets it for them)."""
    owners = defaultdict(set)
    for registry in (LEADERS, FOLLOWERS):
        for player in registry.names():
            for kind in registry.named(player):
                for item in fields(kind.Config):
                    first = declared(kind.Config, item.name)
                    owners[first, item.name] |= {player, first.__name__, kind.Config.__name__, kind.__name__}
    owners |= {(ExperimentConfig, item.name): set() for item in fields(ExperimentConfig)}
    for (kind, name), words in owners.items():
        item = kind.__dataclass_fields__[name]
        made = item.default_factory() if item.default_factory is not MISSING else item.default
        yield kind.__name__, name, made, words
    for path in sorted((ROOT / "stackelberg_envs" / "envs").glob("*_v[0-9]*.py")):
        module = importlib.import_module(f"stackelberg_envs.envs.{path.stem}")
        ids = {path.stem, "".join(part.capitalize() for part in path.stem.rpartition("_v")[0].split("_"))}
        for name, argument in inspect.signature(module.make_game).parameters.items():
            yield path.stem, name, argument.default, ids


def refused(tree):
    """Return the nodes in which something is set only to be refused."""
    found = set()
    for node in ast.walk(tree):
        raises = isinstance(node, ast.With) and "raises" in ast.unparse(node.items[0])
        beside = isinstance(node, ast.Tuple) and any("expected" in ast.unparse(item) for item in node.elts)
        if raises or beside:
            found |= {id(item) for item in ast.walk(node)}
    return found


def settings_in(tree):
    """Yield (name, value as source) of keyword arguments, of dicts and of words as on a command line."""
    without = refused(tree)
    for node in ast.walk(tree):
        if id(node) in without:
            continue
        if isinstance(node, ast.Call):
            yield from ((item.arg, ast.unparse(item.value)) for item in node.keywords if item.arg)
        elif isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            yield from ((key.value, ast.unparse(value)) for key, value in pairs if isinstance(key, ast.Constant))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from WRITTEN.findall(node.value)


def pieces():
    """Yield (path, text, settings) of every test and page."""
    for path in TESTS:
        text = path.read_text(encoding="utf-8")
        yield path, text, list(settings_in(ast.parse(text)))
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        found = []
        for language, block in BLOCK.findall(text):
            found += settings_in(ast.parse(block)) if language == "python" else WRITTEN.findall(block)
        yield path, text, found


def is_default(value, default):
    """Whether source stands for the default; what is no literal is something else."""
    try:
        return ast.literal_eval(value) == default
    except (ValueError, SyntaxError):
        return value == str(default)


SET = defaultdict(list)
for _path, _text, _settings in pieces():
    _words = set(re.findall(r"\w+", _text))
    for _name, _value in _settings:
        SET[_name].append((_value, _words, _path))


OPTIONS = sorted(options(), key=lambda option: option[:2])


@pytest.mark.parametrize(("owner", "name", "default", "words"), OPTIONS, ids=[f"{row[0]}-{row[1]}" for row in OPTIONS])
def test_an_option_is_set_to_something_else_than_its_default(owner, name, default, words):
    others = [path for value, near, path in SET[name] if not is_default(value, default) and (not words or words & near)]
    assert others, f"{owner}: {name} is set nowhere in tests/ and docs/"
