"""Stackelberg Markov games for PettingZoo and Gymnasium, with exact oracles.

Names are loaded on first use, so that importing the package stays light: no Numba, no SciPy, no matplotlib.
Importing it also makes the ids known to PettingZoo's and Gymnasium's registries.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from stackelberg_envs import aliases
from stackelberg_envs.deprecation import warn_deprecated
from stackelberg_envs.faces.ids import earlier_modules, env_modules
from stackelberg_envs.faces.registration import earlier_module, register_with_clients

if TYPE_CHECKING:
    import agents as agents
    from stackelberg_envs import errors as errors
    from stackelberg_envs.conformity.checks import check_env as check_env
    from stackelberg_envs.conformity.checks import check_game as check_game
    from stackelberg_envs.envs import allocation_v0 as allocation_v0
    from stackelberg_envs.envs import bilevel_lqr_v1 as bilevel_lqr_v1
    from stackelberg_envs.envs import building_thermal_v1 as building_thermal_v1
    from stackelberg_envs.envs import contract_v0 as contract_v0
    from stackelberg_envs.envs import discrete_toy_v1 as discrete_toy_v1
    from stackelberg_envs.envs import duopoly_v0 as duopoly_v0
    from stackelberg_envs.envs import dynamic_duopoly_v0 as dynamic_duopoly_v0
    from stackelberg_envs.envs import energy_pricing_v0 as energy_pricing_v0
    from stackelberg_envs.envs import four_rooms_v0 as four_rooms_v0
    from stackelberg_envs.envs import guided_cartpole_v0 as guided_cartpole_v0
    from stackelberg_envs.envs import guided_pendulum_v0 as guided_pendulum_v0
    from stackelberg_envs.envs import iterated_matrix_v0 as iterated_matrix_v0
    from stackelberg_envs.envs import matrix_v0 as matrix_v0
    from stackelberg_envs.envs import posted_price_v0 as posted_price_v0
    from stackelberg_envs.envs import preference_design_v0 as preference_design_v0
    from stackelberg_envs.envs import pursuit_v0 as pursuit_v0
    from stackelberg_envs.envs import random_tabular_v1 as random_tabular_v1
    from stackelberg_envs.envs import security_game_v0 as security_game_v0
    from stackelberg_envs.envs import supply_contract_v0 as supply_contract_v0
    from stackelberg_envs.envs import tax_design_v0 as tax_design_v0
    from stackelberg_envs.envs import toll_routing_v0 as toll_routing_v0
    from stackelberg_envs.envs import warehouse_v0 as warehouse_v0
    from stackelberg_envs.envs import wholesale_v0 as wholesale_v0
    from stackelberg_envs.envs.random_tabular_v1 import make_game as random_tabular  # noqa: F401
    from stackelberg_envs.faces.clients import check_client as check_client
    from stackelberg_envs.faces.registration import EnvSpec as EnvSpec
    from stackelberg_envs.faces.registration import env as env
    from stackelberg_envs.faces.registration import follower_env as follower_env
    from stackelberg_envs.faces.registration import followers_aec_env as followers_aec_env
    from stackelberg_envs.faces.registration import followers_env as followers_env
    from stackelberg_envs.faces.registration import leader_env as leader_env
    from stackelberg_envs.faces.registration import leader_vector_env as leader_vector_env
    from stackelberg_envs.faces.registration import make_game as make_game
    from stackelberg_envs.faces.registration import parallel_env as parallel_env
    from stackelberg_envs.faces.registration import parallel_vector_env as parallel_vector_env
    from stackelberg_envs.faces.registration import raw_env as raw_env
    from stackelberg_envs.faces.registration import register as register
    from stackelberg_envs.faces.registration import registered_ids as registered_ids
    from stackelberg_envs.faces.registration import spec as spec
    from stackelberg_envs.faces.registration import vector_env as vector_env
    from stackelberg_envs.games.commitments.base import Commitment as Commitment
    from stackelberg_envs.games.commitments.base import Effect as Effect
    from stackelberg_envs.games.commitments.function import FunctionCommitment as FunctionCommitment
    from stackelberg_envs.games.commitments.incentives import Incentive as Incentive
    from stackelberg_envs.games.commitments.incentives import IncentiveCost as IncentiveCost
    from stackelberg_envs.games.commitments.incentives import LinearFeatures as LinearFeatures
    from stackelberg_envs.games.commitments.incentives import StateIncentive as StateIncentive
    from stackelberg_envs.games.commitments.joint import Joint as Joint
    from stackelberg_envs.games.commitments.policy_table import PolicyTable as PolicyTable
    from stackelberg_envs.games.commitments.tied_policy import TiedPolicy as TiedPolicy
    from stackelberg_envs.games.commitments.transfer import Transfer as Transfer
    from stackelberg_envs.games.commitments.transition_mixture import TransitionMixture as TransitionMixture
    from stackelberg_envs.games.contexts import combine as combine
    from stackelberg_envs.games.cotangents import Cotangents as Cotangents
    from stackelberg_envs.games.cotangents import StepCotangents as StepCotangents
    from stackelberg_envs.games.discretised import discretise as discretise
    from stackelberg_envs.games.environments import EnvironmentGame as EnvironmentGame
    from stackelberg_envs.games.environments import wrap_commitment as wrap_commitment
    from stackelberg_envs.games.graphs import patrol_game as patrol_game
    from stackelberg_envs.games.graphs import toll_game as toll_game
    from stackelberg_envs.games.markov import MarkovGame as MarkovGame
    from stackelberg_envs.games.observed import EnvironmentStep as EnvironmentStep
    from stackelberg_envs.games.samples import SampledCommitment as SampledCommitment
    from stackelberg_envs.games.samples import SampledEffect as SampledEffect
    from stackelberg_envs.games.simultaneous import simultaneous_game as simultaneous_game
    from stackelberg_envs.games.tabular import Game as Game
    from stackelberg_envs.games.tabular import TabularGame as TabularGame
    from stackelberg_envs.games.trajectories import Samples as Samples
    from stackelberg_envs.games.transition_tables import from_gymnasium as from_gymnasium
    from stackelberg_envs.games.transition_tables import from_transition_table as from_transition_table
    from stackelberg_envs.games.transitions import Transition as Transition
    from stackelberg_envs.games.vector import BatchStep as BatchStep
    from stackelberg_envs.games.vector import VectorGame as VectorGame
    from stackelberg_envs.solvers.best_commitment import BestCommitment as BestCommitment
    from stackelberg_envs.solvers.best_commitment import best_commitment as best_commitment
    from stackelberg_envs.solvers.bimatrix.nash import nash_equilibria as nash_equilibria
    from stackelberg_envs.solvers.bimatrix.stackelberg import stackelberg_strategies as stackelberg_strategies
    from stackelberg_envs.solvers.certificates.certificate import Certificate as Certificate
    from stackelberg_envs.solvers.certificates.certifying import certify as certify
    from stackelberg_envs.solvers.equilibrium.one_follower import one_follower as one_follower
    from stackelberg_envs.solvers.responses import hard_best_response as hard_best_response
    from stackelberg_envs.solvers.responses import soft_best_response as soft_best_response
    from stackelberg_envs.solvers.soft import occupancy as occupancy
    from stackelberg_envs.solvers.solution import Solution as Solution
    from stackelberg_envs.solvers.solving import solve as solve

    BatchedGame = VectorGame

__version__ = "0.1.0"

#: Public name -> the module it comes from (``module:name`` where the name differs there).
_EXPORTS = {
    "BatchStep": "games.vector",
    "BestCommitment": "solvers.best_commitment",
    "Certificate": "solvers.certificates.certificate",
    "Commitment": "games.commitments.base",
    "Cotangents": "games.cotangents",
    "StepCotangents": "games.cotangents",
    "Effect": "games.commitments.base",
    "EnvSpec": "faces.registration",
    "EnvironmentGame": "games.environments",
    "EnvironmentStep": "games.observed",
    "FunctionCommitment": "games.commitments.function",
    "Game": "games.tabular",
    "Incentive": "games.commitments.incentives",
    "IncentiveCost": "games.commitments.incentives",
    "Joint": "games.commitments.joint",
    "LinearFeatures": "games.commitments.incentives",
    "MarkovGame": "games.markov",
    "PolicyTable": "games.commitments.policy_table",
    "SampledCommitment": "games.samples",
    "SampledEffect": "games.samples",
    "Samples": "games.trajectories",
    "Solution": "solvers.solution",
    "StateIncentive": "games.commitments.incentives",
    "TabularGame": "games.tabular",
    "TiedPolicy": "games.commitments.tied_policy",
    "Transfer": "games.commitments.transfer",
    "Transition": "games.transitions",
    "TransitionMixture": "games.commitments.transition_mixture",
    "VectorGame": "games.vector",
    "best_commitment": "solvers.best_commitment",
    "certify": "solvers.certificates.certifying",
    "check_client": "faces.clients",
    "check_env": "conformity.checks",
    "check_game": "conformity.checks",
    "combine": "games.contexts",
    "discretise": "games.discretised",
    "env": "faces.registration",
    "follower_env": "faces.registration",
    "followers_aec_env": "faces.registration",
    "leader_vector_env": "faces.registration",
    "parallel_vector_env": "faces.registration",
    "followers_env": "faces.registration",
    "from_gymnasium": "games.transition_tables",
    "from_transition_table": "games.transition_tables",
    "hard_best_response": "solvers.responses",
    "leader_env": "faces.registration",
    "make_game": "faces.registration",
    "nash_equilibria": "solvers.bimatrix.nash",
    "occupancy": "solvers.soft",
    "one_follower": "solvers.equilibrium.one_follower",
    "parallel_env": "faces.registration",
    "patrol_game": "games.graphs",
    "random_tabular": "envs.random_tabular_v1:make_game",
    "raw_env": "faces.registration",
    "register": "faces.registration",
    "registered_ids": "faces.registration",
    "simultaneous_game": "games.simultaneous",
    "soft_best_response": "solvers.responses",
    "solve": "solvers.solving",
    "spec": "faces.registration",
    "stackelberg_strategies": "solvers.bimatrix.stackelberg",
    "toll_game": "games.graphs",
    "vector_env": "faces.registration",
    "wrap_commitment": "games.environments",
}

#: Deprecated name -> the public name that took its place.
_FORMER = {"BatchedGame": "VectorGame"}
_ENVIRONMENTS = tuple(env_modules())
#: Modules whose place others took; they go on working and say so.
_EARLIER = tuple(earlier_modules())
#: Public modules: the errors, and one per environment, found in the folder `envs`.
_MODULES = {"errors": "errors", **{name: f"envs.{name}" for name in _ENVIRONMENTS}}

__all__ = sorted([*_EXPORTS, *_MODULES])  # noqa: PLE0605 - one source for the public names


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name in _MODULES:
        value: Any = importlib.import_module(f"{__name__}.{_MODULES[name]}")
    elif name in _EARLIER or name == aliases.SHORT:
        value = importlib.import_module(f"{__name__}.{name}")
    elif name in _FORMER:
        warn_deprecated(f"{__name__}.{name}", f"{__name__}.{_FORMER[name]}", "0.3")
        return getattr(sys.modules[__name__], _FORMER[name])
    elif name in _EXPORTS:
        module, _, attribute = _EXPORTS[name].partition(":")
        value = getattr(importlib.import_module(f"{__name__}.{module}"), attribute or name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


class _EnvironmentFinder:
    """Lets `import stackelberg_envs.four_rooms_v0` find the module that the attribute of that name is."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return the spec of an environment that is named without its folder."""
        package, _, name = fullname.rpartition(".")
        known = (package == __name__ and name in _ENVIRONMENTS) or (
            package in (__name__, f"{__name__}.envs") and name in _EARLIER
        )
        return ModuleSpec(fullname, cast("Any", self)) if known else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module itself, under its own name and spec."""
        name = spec.name.rpartition(".")[2]
        module = earlier_module(name) if name in _EARLIER else importlib.import_module(f"{__name__}.envs.{name}")
        self._own_spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing but restore what the import put in its place: the module has run already."""
        module.__spec__ = self._own_spec


def __dir__() -> list[str]:
    """List the public names only."""
    return [*__all__, "__version__"]


if not any(isinstance(finder, _EnvironmentFinder) for finder in sys.meta_path):
    sys.meta_path.append(_EnvironmentFinder())
aliases.install()
register_with_clients()
