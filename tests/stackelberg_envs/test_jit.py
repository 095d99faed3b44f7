"""Compiled loops: Numba comes with the first call, and they are called and pickled like functions."""

import inspect
import pickle
import subprocess
import sys

from stackelberg_envs import jit
from stackelberg_envs.jit import compiled, in_parts, sum_of_parts


@compiled
def twice(x: float) -> float:
    """Double a number."""
    return 2.0 * x


@compiled
def twice_and_one(x: float) -> float:
    return twice(x) + 1.0


def test_one_loop_may_call_another_before_that_was_called():
    assert twice_and_one(3.0) == 7.0
    assert twice_and_one(x=3) == 7.0
    assert twice_and_one.dispatcher.signatures


def test_it_looks_like_the_function_it_was_made_from():
    assert (twice.__name__, twice.__doc__, twice.__module__) == ("twice", "Double a number.", __name__)
    assert list(inspect.signature(twice).parameters) == ["x"]
    assert twice.py_func(4.0) == twice(4.0) == 8.0


def test_it_is_pickled_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or inspect.getmodule(twice))
    monkeypatch.setattr(sys.modules[__name__], "twice", twice, raising=False)
    assert pickle.loads(pickle.dumps(twice)) is twice  # noqa: S301


def test_numba_is_imported_by_the_first_call_only():
    code = (
        "import sys, agents.leaders, agents.followers as followers;"
        "agents.leaders.leader_names(), followers.follower_names();"
        "assert not {'numba', 'scipy.special', 'scipy.optimize', 'scipy.sparse'} & set(sys.modules);"
        "from stackelberg_envs.solvers.soft.best_response import gibbs_policy as loop;"
        "assert 'numba' not in sys.modules; loop.dispatcher; assert 'numba' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_short_loop_is_left_in_one_part():
    assert in_parts(lambda part: part, 5, jit.WORTH_PARTS - 1) == [slice(0, 5)]


def test_parts_cover_a_range_in_order_whatever_the_number_of_threads(monkeypatch):
    import numba

    found = []
    for threads in (1, 2, 100):
        monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", threads)
        found.append(in_parts(lambda part: list(range(21))[part], 21, jit.WORTH_PARTS))
        assert sum_of_parts(lambda part: list(range(21))[part], 21, jit.WORTH_PARTS) == list(range(21))
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == jit.PARTS
    assert [number for part in found[0] for number in part] == list(range(21))


def test_parts_run_side_by_side(monkeypatch):
    import threading

    import numba

    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", jit.PARTS)
    all_at_once = threading.Barrier(jit.PARTS, timeout=60)
    in_parts(lambda part: all_at_once.wait(), jit.PARTS, jit.WORTH_PARTS)
