"""What several test files share about leaders."""

import gc
import signal
import types

import pytest

#: Options with which slow leaders do all they do in a short time.
QUICK = {
    "certainty_equivalent": {
        "explore": 1,
        "vertices": 4,
        "starts": 1,
        "iterations": 5,
    }
}


@pytest.fixture(autouse=True, scope="session")
def heeded_signals():
    """Signals as in a terminal: one that is ignored (a job in the background, nohup) would stop no run, by design."""
    defaults = dict.fromkeys([signal.SIGTERM, signal.SIGHUP], signal.SIG_DFL) | {
        signal.SIGINT: signal.default_int_handler
    }
    ignored = [number for number in defaults if signal.getsignal(number) == signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, defaults[number])
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


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
