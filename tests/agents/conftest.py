"""What several test files share about leaders."""

import gc
import types

import pytest

#: Options with which slow leaders do all they do in a short time.
QUICK = {
    "certainty_equivalent": {
        "explore": 1,
        "random_starts": 1,
        "continuation_starts": 1,
        "ladder": [2.0],
        "vertex_starts": 1,
        "iterations": 5,
    }
}


@pytest.fixture
def quick():
    """Options by name of the leader; most need none."""
    return QUICK


@pytest.fixture
def reachable():
    """A function: every object reachable from one through containers and attributes, short of classes and modules."""
    return _reachable


def _reachable(start):
    seen, queue = {}, [start]
    while queue:
        item = queue.pop()
        if id(item) in seen or isinstance(item, type | types.ModuleType | types.FunctionType | types.CodeType):
            continue
        seen[id(item)] = item
        if isinstance(item, types.MethodType):
            queue.append(item.__self__)
        else:
            queue.extend(gc.get_referents(item))
    return list(seen.values())
