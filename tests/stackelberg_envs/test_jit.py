"""Compiled loops: Numba comes with the first call, and they are called and pickled like functions."""

import inspect
import pickle
import subprocess
import sys

from stackelberg_envs.jit import compiled


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
