"""Reference agents: decentralised followers that learn, and leaders that see only what an observer sees.

Names are loaded on first use, so that importing the package stays light. ``stackelberg_envs.agents`` is the same
package, by a name that no other distribution takes.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .benchmark.comparison import Comparison, compare
    from .benchmark.report.page import report
    from .benchmark.suite_files import load_suite, suite_names
    from .benchmark.suites import Player, Suite, Task
    from .benchmark.sweep import SweepResult, sweep
    from .benchmark.tuning import Tuned, tune
    from .followers import Follower, FollowerView, follower_names, register_follower, register_learner
    from .leaders import GradientConfig, GradientLeader, Leader, leader_names, register_leader
    from .learning.parametrisations import make_parametrisation
    from .observing.brief import Brief, Information
    from .observing.trajectories import Trajectories
    from .pictures.plotting import plot_learning_curve, plot_run
    from .runs.callbacks import Callback
    from .runs.collection import collect
    from .runs.config import ExperimentConfig
    from .runs.experiment import Experiment, Progress
    from .runs.records import RunRecord, load_record
    from .runs.running import run

__distribution__ = "stackelberg-envs"
if __name__ == "agents" and "stackelberg_envs.agents" in sys.modules:
    # A process has the package once, under the name that was imported first.
    sys.modules[__name__] = sys.modules["stackelberg_envs.agents"]

#: Public name -> the module it comes from.
_EXPORTS = {
    "Brief": "observing.brief",
    "Comparison": "benchmark.comparison",
    "Callback": "runs.callbacks",
    "Experiment": "runs.experiment",
    "ExperimentConfig": "runs.config",
    "Follower": "followers",
    "FollowerView": "followers",
    "GradientConfig": "leaders",
    "GradientLeader": "leaders",
    "Information": "observing.brief",
    "Leader": "leaders",
    "Player": "benchmark.suites",
    "Progress": "runs.experiment",
    "RunRecord": "runs.records",
    "Suite": "benchmark.suites",
    "SweepResult": "benchmark.sweep",
    "Task": "benchmark.suites",
    "Trajectories": "observing.trajectories",
    "Tuned": "benchmark.tuning",
    "collect": "runs.collection",
    "compare": "benchmark.comparison",
    "follower_names": "followers",
    "leader_names": "leaders",
    "load_record": "runs.records",
    "load_suite": "benchmark.suite_files",
    "make_parametrisation": "learning.parametrisations",
    "plot_learning_curve": "pictures.plotting",
    "plot_run": "pictures.plotting",
    "register_follower": "followers",
    "register_leader": "leaders",
    "register_learner": "followers",
    "report": "benchmark.report.page",
    "run": "runs.running",
    "suite_names": "benchmark.suite_files",
    "sweep": "benchmark.sweep",
    "tune": "benchmark.tuning",
}

__all__ = [
    "Brief",
    "Callback",
    "Comparison",
    "Experiment",
    "ExperimentConfig",
    "Follower",
    "FollowerView",
    "GradientConfig",
    "GradientLeader",
    "Information",
    "Leader",
    "Player",
    "Progress",
    "RunRecord",
    "Suite",
    "SweepResult",
    "Task",
    "Trajectories",
    "Tuned",
    "collect",
    "compare",
    "follower_names",
    "leader_names",
    "load_record",
    "load_suite",
    "make_parametrisation",
    "plot_learning_curve",
    "plot_run",
    "register_follower",
    "register_leader",
    "register_learner",
    "report",
    "run",
    "suite_names",
    "sweep",
    "tune",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module."""
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_EXPORTS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
