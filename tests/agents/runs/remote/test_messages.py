"""What is sent between processes, and what cannot be."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from agents.leaders import leader_class
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from agents.runs.remote.client import RemoteLeader
from stackelberg_envs.envs import discrete_toy_v1
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.commitments.base import Effect
from stackelberg_envs.games.commitments.function import FunctionCommitment
from tests.agents.runs.remote.leaders import BARRED


def leader_of(box, kind="bchg", **options):
    brief = make_brief(discrete_toy_v1.make_game(), Information.REWARDS_OBSERVED)
    kind = leader_class(kind)
    return RemoteLeader(kind, replace(brief, commitment=box), kind.Config(), np.random.default_rng(0), **options)


def box_of(function):
    return FunctionCommitment(function, np.zeros((3, 2)), np.ones((3, 2)), frozenset({"leader_policy"}))


def test_functions_that_no_module_has_go_along():
    shift = 0.25
    leader = leader_of(box_of(lambda x: Effect(leader_policy=x + shift)))
    try:
        assert leader.commit().shape == (3, 2)
        assert not [module for module in leader.modules() if module.startswith(BARRED)]
    finally:
        leader.close()


def test_what_cannot_be_sent_is_named():
    lock = threading.Lock()

    def guarded(x):
        with lock:
            return Effect(leader_policy=x)

    with pytest.raises(ArgumentError, match=r"brief\.commitment\.function\.lock: expected what .* got _thread\.lock"):
        leader_of(box_of(guarded))

    class Local(leader_class("bchg")):
        pass

    brief = make_brief(discrete_toy_v1.make_game(), Information.REWARDS_OBSERVED)
    with pytest.raises(ArgumentError, match="expected a leader in a module of its own"):
        RemoteLeader(Local, brief, Local.Config(), np.random.default_rng(0))
