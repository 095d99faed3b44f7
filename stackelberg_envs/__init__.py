"""Stackelberg Markov games for PettingZoo and Gymnasium, with exact oracles.

Names are loaded on first use, so that importing the package stays light: no Numba, no SciPy, no matplotlib.
Importing it also makes the ids known to PettingZoo's and Gymnasium's registries.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from stackelberg_envs.registration import env_modules, register_with_clients

if TYPE_CHECKING:
    from stackelberg_envs import errors as errors
    from stackelberg_envs.batched import BatchedGame as BatchedGame
    from stackelberg_envs.batched import BatchStep as BatchStep
    from stackelberg_envs.checks import check_env as check_env
    from stackelberg_envs.checks import check_game as check_game
    from stackelberg_envs.commitment_base import Commitment as Commitment
    from stackelberg_envs.commitment_base import Effect as Effect
    from stackelberg_envs.commitments import FunctionCommitment as FunctionCommitment
    from stackelberg_envs.commitments import Incentive as Incentive
    from stackelberg_envs.commitments import IncentiveCost as IncentiveCost
    from stackelberg_envs.commitments import Joint as Joint
    from stackelberg_envs.commitments import LinearFeatures as LinearFeatures
    from stackelberg_envs.commitments import PolicyTable as PolicyTable
    from stackelberg_envs.commitments import StateIncentive as StateIncentive
    from stackelberg_envs.commitments import TransitionMixture as TransitionMixture
    from stackelberg_envs.contexts import combine as combine
    from stackelberg_envs.cotangents import Cotangents as Cotangents
    from stackelberg_envs.envs import bilevel_lqr_v0 as bilevel_lqr_v0
    from stackelberg_envs.envs import building_thermal_v0 as building_thermal_v0
    from stackelberg_envs.envs import discrete_toy_v0 as discrete_toy_v0
    from stackelberg_envs.envs import four_rooms_v0 as four_rooms_v0
    from stackelberg_envs.envs import guided_cartpole_v0 as guided_cartpole_v0
    from stackelberg_envs.envs import guided_pendulum_v0 as guided_pendulum_v0
    from stackelberg_envs.envs import random_tabular_v0 as random_tabular_v0
    from stackelberg_envs.envs import tax_design_v0 as tax_design_v0
    from stackelberg_envs.envs.random_tabular_v0 import make_game as random_tabular  # noqa: F401
    from stackelberg_envs.games import Game as Game
    from stackelberg_envs.games import TabularGame as TabularGame
    from stackelberg_envs.grids import discretise as discretise
    from stackelberg_envs.oracles import Solution as Solution
    from stackelberg_envs.oracles import hard_best_response as hard_best_response
    from stackelberg_envs.oracles import soft_best_response as soft_best_response
    from stackelberg_envs.oracles import solve as solve
    from stackelberg_envs.planning import occupancy as occupancy
    from stackelberg_envs.registration import EnvSpec as EnvSpec
    from stackelberg_envs.registration import env as env
    from stackelberg_envs.registration import follower_env as follower_env
    from stackelberg_envs.registration import followers_env as followers_env
    from stackelberg_envs.registration import leader_env as leader_env
    from stackelberg_envs.registration import make_game as make_game
    from stackelberg_envs.registration import parallel_env as parallel_env
    from stackelberg_envs.registration import raw_env as raw_env
    from stackelberg_envs.registration import register as register
    from stackelberg_envs.registration import registered_ids as registered_ids
    from stackelberg_envs.registration import spec as spec
    from stackelberg_envs.registration import vector_env as vector_env
    from stackelberg_envs.samples import SampledCommitment as SampledCommitment
    from stackelberg_envs.samples import SampledEffect as SampledEffect
    from stackelberg_envs.samples import Samples as Samples
    from stackelberg_envs.transitions import Transition as Transition

__version__ = "0.1.0"

#: Public name -> the module it comes from (``module:name`` where the name differs there).
_EXPORTS = {
    "BatchStep": "batched",
    "BatchedGame": "batched",
    "Commitment": "commitment_base",
    "Cotangents": "cotangents",
    "Effect": "commitment_base",
    "EnvSpec": "registration",
    "FunctionCommitment": "commitments",
    "Game": "games",
    "Incentive": "commitments",
    "IncentiveCost": "commitments",
    "Joint": "commitments",
    "LinearFeatures": "commitments",
    "PolicyTable": "commitments",
    "SampledCommitment": "samples",
    "SampledEffect": "samples",
    "Samples": "samples",
    "Solution": "oracles",
    "StateIncentive": "commitments",
    "TabularGame": "games",
    "Transition": "transitions",
    "TransitionMixture": "commitments",
    "check_env": "checks",
    "check_game": "checks",
    "combine": "contexts",
    "discretise": "grids",
    "env": "registration",
    "follower_env": "registration",
    "followers_env": "registration",
    "hard_best_response": "oracles",
    "leader_env": "registration",
    "make_game": "registration",
    "occupancy": "planning",
    "parallel_env": "registration",
    "random_tabular": "envs.random_tabular_v0:make_game",
    "raw_env": "registration",
    "register": "registration",
    "registered_ids": "registration",
    "soft_best_response": "oracles",
    "solve": "oracles",
    "spec": "registration",
    "vector_env": "registration",
}

#: Public modules: the errors, and one per environment, found in the folder `envs`.
_MODULES = {"errors": "errors", **{name: f"envs.{name}" for name in env_modules()}}

__all__ = sorted([*_EXPORTS, *_MODULES])  # noqa: PLE0605 - one source for the public names


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name in _MODULES:
        value: Any = importlib.import_module(f"{__name__}.{_MODULES[name]}")
    elif name in _EXPORTS:
        module, _, attribute = _EXPORTS[name].partition(":")
        value = getattr(importlib.import_module(f"{__name__}.{module}"), attribute or name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names only."""
    return [*__all__, "__version__"]


register_with_clients()
