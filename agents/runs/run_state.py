"""What of a run changes from one update to the next, and how a fresh run takes it over.

Everything is checked against the run that takes it over before any of it is in force: a state that comes from a file
may have been made by anybody.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from stackelberg_envs.errors import CommitmentError, OutputError

from ..state.fields import Array, Count, Flag, Number, Rng, Text, Tuple, fields, require_names
from ..state.stateful import Part, assign, load_fields, save_fields
from ..state.tree import Tree
from .curves import Curve

if TYPE_CHECKING:
    from .experiment import Experiment

__all__ = ["load_run", "save_run"]


class _Commitment(Array):
    """A commitment of the run's game."""

    def __init__(self, *, optional: bool = False) -> None:
        super().__init__(lambda run: run.game.commitment.shape, dtype=np.float64, optional=optional)

    def load(self, tree: Tree, own: Any, owner: Any, where: str) -> Any:
        found = super().load(tree, own, owner, where)
        try:
            return owner.game.commitment.check(found)
        except CommitmentError as exc:
            raise OutputError(f"{where}: {exc}") from exc


#: A commitment, and the theta it comes from, if there is one.
PAIR = Tuple(_Commitment(), Array(lambda run: None, dtype=np.float64, optional=True), optional=True)
#: Attributes of a run.
PROGRESS = fields(
    updates_done=Count(high=lambda run: run.budget.updates),
    _latest=PAIR,
    _sound=PAIR,
    _played=PAIR,
    _recommended=PAIR,
    _first=_Commitment(optional=True),
    _responded_to=_Commitment(optional=True),
    _recommended_was_played=Flag(),
    leader=Part(),
    follower=Part(),
    _drift=Part(optional=True),
    _play_rng=Rng(),
)
#: Those that are there as soon as an update is complete.
AFTER_ONE = ("_latest", "_sound", "_played", "_first", "_responded_to")
#: Attributes of its record.
RECORD = fields(
    preset=Text(),
    start_value=Number(optional=True),
    neutral_value=Number(optional=True),
    observed_steps=Count(),
    follower_steps=Count(),
)
WHOLE = fields(run=Flag(), record=Flag(), seconds=Number(low=0.0, high=1e12))


def save_run(run: Experiment) -> dict[str, Tree]:
    """Return the state of a run between two updates.

    Raises
    ------
    ArgumentError
        A player does not say what its state is, or holds what cannot be stored.
    """
    return {"run": save_fields(run, PROGRESS), "record": save_fields(run.record, RECORD), "seconds": run.seconds}


def load_run(run: Experiment, tree: Tree, curve: Curve, where: str) -> None:
    """Let a fresh run go on from a state; nothing is changed unless all of it is right.

    Parameters
    ----------
    run
        The run, between being made and its first update.
    tree
        What :func:`save_run` returned.
    curve
        The rows of the updates that are done.
    where
        Whence the state comes, for the message.

    Raises
    ------
    OutputError
        The state is none of this run, with the first thing that is wrong and the way to it.
    """
    require_names(tree, WHOLE, where)
    progress = load_fields(run, PROGRESS, tree["run"], f"{where}: run")
    record = load_fields(run.record, RECORD, tree["record"], f"{where}: record")
    seconds = load_fields(None, {"seconds": WHOLE["seconds"]}, {"seconds": tree["seconds"]}, where)["seconds"]
    _check_progress(progress, record, curve, where)
    assign(run, progress)
    assign(run.record, record)
    run.curve = curve
    run.started = time.perf_counter() - seconds


def _check_progress(progress: dict[str, Any], record: dict[str, Any], curve: Curve, where: str) -> None:
    """Raise OutputError unless what is done, what it left and the curve of it fit together."""
    done = progress["updates_done"]
    if curve.rows != done:
        raise OutputError(f"{where}: expected a row of the curve for each of {done} updates, got {curve.rows}")
    missing = [name.strip("_") for name in AFTER_ONE if done and progress[name] is None]
    if missing:
        raise OutputError(f"{where}: expected {', '.join(missing)} after {done} updates, got none")
    steps = curve.columns().get("observed_steps", np.zeros(0))
    if done and not (len(steps) == done and steps[-1] == record["observed_steps"]):
        raise OutputError(f"{where}: expected as many observed steps as the curve ends with, got other numbers")
