"""Stackelberg Markov games for PettingZoo and Gymnasium, with exact oracles.

Names are loaded on first use, so that importing the package stays light: no Numba, no SciPy, no matplotlib.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

#: Public name -> the module it comes from.
_EXPORTS = {
    "Commitment": "commitments",
    "Cotangents": "cotangents",
    "Effect": "commitments",
    "EnvSpec": "registration",
    "FunctionCommitment": "commitments",
    "Game": "games",
    "Incentive": "commitments",
    "IncentiveCost": "commitments",
    "Joint": "commitments",
    "LinearFeatures": "commitments",
    "PolicyTable": "commitments",
    "Solution": "oracles",
    "StateIncentive": "commitments",
    "TabularGame": "games",
    "Transition": "transitions",
    "TransitionMixture": "commitments",
    "check_env": "checks",
    "check_game": "checks",
    "combine": "contexts",
    "env": "registration",
    "follower_env": "registration",
    "followers_env": "registration",
    "hard_best_response": "oracles",
    "leader_env": "registration",
    "make_game": "registration",
    "occupancy": "oracles",
    "parallel_env": "registration",
    "raw_env": "registration",
    "register": "registration",
    "registered_ids": "registration",
    "soft_best_response": "oracles",
    "solve": "oracles",
    "spec": "registration",
    "vector_env": "registration",
}
