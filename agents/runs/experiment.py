"""The one outer loop: announce, let the follower learn, watch it play, evaluate, update, note."""

from __future__ import annotations

import time
import warnings
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array, first_index
from stackelberg_envs.errors import (
    ArgumentError,
    CommitmentError,
    ConvergenceError,
    InstabilityError,
    OutputError,
    StackelbergError,
)
from stackelberg_envs.games.committed import Committed
from stackelberg_envs.play.rollout import rollout_of
from stackelberg_envs.play.session import neutral_commitment

from ..followers import Follower
from ..followers.several import make_follower
from ..followers.training import Trainer
from ..leaders import Leader
from ..leaders.base import recommendation
from ..learning.parametrisations import Parametrisation
from ..observing.brief import Brief, Information, redact
from ..observing.trajectories import Trajectories
from .checkpoints import write_checkpoint
from .config import ExperimentConfig
from .curves import Curve, checked_diagnostics
from .ending import meanings, responding
from .evaluation import evaluation_of
from .fingerprints import fingerprint
from .lineup import Lineup, line_up
from .records import RunRecord
from .run_state import load_run, save_run
from .stationarity import drift_of

__all__ = ["Experiment", "ExperimentConfig", "Progress"]

#: Halvings of a step that left the follower without a finite response, before the whole step is taken back.
MAX_HALVINGS = 10
#: Entries of x(theta) and x closer than this, relative to the largest entry, are equal: checking x may round it.
ROUNDING = 1e-12
JUDGING_FAILS = (StackelbergError, ArithmeticError, np.linalg.LinAlgError)


@dataclass(frozen=True)
class Progress:
    """What a progress display is told after each leader update."""

    update: int
    updates: int
    leader_value: float
    seconds: float


class Experiment:
    """One run in progress: the players, the generators and the record being written."""

    def __init__(self, config: ExperimentConfig, lineup: Lineup | None = None) -> None:
        lineup = line_up(config) if lineup is None else lineup
        #: The configuration with budget and options in full.
        self.config = config = _completed(config, lineup)
        self.budget = lineup.budget
        self.game, self.level, brief = lineup.game, lineup.level, lineup.brief
        leader_config, follower_config = lineup.leader_config, lineup.follower_config
        leader_rng, follower_rng, self._play_rng = (
            np.random.default_rng(seed) for seed in np.random.SeedSequence(config.seed).spawn(3)
        )
        if self.level >= Information.CONTROLS_TRAINING:
            brief = brief.with_control(self._uniform_play, Trainer(self.game, lineup.follower, follower_config))
        self._parametrisation = brief.parametrisation
        self.leader = _start_leader(lineup.leader, brief, leader_config, leader_rng, config)
        self.follower = make_follower(lineup.follower, follower_config, follower_rng, self.game)
        self.evaluation = evaluation_of(self.game)
        self.updates_done = 0
        self.curve = Curve()
        self._drift = drift_of(self.game) if lineup.leader.needs_response and self.level < Information.MODEL else None
        #: The game under the commitment in force.
        self._committed: Committed | None = None
        # The last commitment and theta that were announced, and the last to which the follower responded soundly.
        self._latest: tuple[Array, Array | None] | None = None
        self._sound: tuple[Array, Array | None] | None = None
        # The last one whose update is complete, the first, and the one whose learning is complete.
        self._played: tuple[Array, Array | None] | None = None
        self._first: Array | None = None
        self._responded_to: Array | None = None
        # What the leader recommended after the last update, and whether that had been announced before.
        self._recommended: tuple[Array, Array | None] | None = None
        self._recommended_was_played = False
        self._between_updates = True
        #: When it was started, by the clock; earlier where it goes on from a checkpoint.
        self.started = time.perf_counter()
        self.record = RunRecord(
            game=lineup.name,
            leader=config.leader,
            follower=lineup.follower_name,
            **lineup.budget._asdict(),
            seed=config.seed,
            preset=lineup.settings.name,
            game_arguments=dict(config.game_arguments),
            leader_options=asdict(leader_config),
            follower_options=asdict(follower_config),
            information=self.level.name,
            parametrisation=brief.parametrisation.name,
            names=list(self.game.commitment.names or ()),
            best_known=self.game.facts.get("best_known") if config.best_known is None else config.best_known,
            horizon=self.game.horizon,
            game_digest=fingerprint(self.game),
            versions=_versions(),
        )

    def step(self) -> Progress:
        """Do one leader update: announce, learn, play, evaluate, update, note.

        Raises
        ------
        ConvergenceError
            The follower diverged.
        """
        self._between_updates = False
        every, record = self.config.evaluate_every, self.record
        due = bool(every) and self.updates_done % every == 0
        committed, halvings = self._announce()
        seen = rollout_of(committed, self.follower.players, self._play_rng, steps=self.budget.steps_per_update)
        record.observed_steps += len(seen.state)
        value = self.evaluation.value(committed, self.follower) if due else np.nan
        if due and self.updates_done == 0:
            self._note_start(value)
        diagnostics = self.leader.observe(redact(seen, self.level, self.follower.policy))
        recommended = self._recommend()
        found = self.evaluation.exact(recommended) if due and recommended is not None else None
        self.curve.add(
            {
                "observed_steps": record.observed_steps,
                "leader_value": value,
                "recommended_value": np.nan if found is None else found,
                "observed_return": seen.mean_return(self.game.leader_discount),
                "whole_episodes": seen.whole.sum(),
                **({"halvings": halvings} if self.game.can_be_unstable else {}),
                **(self._drift.note(committed.commitment, seen) if self._drift is not None else {}),
                **checked_diagnostics(diagnostics, self.config.leader),
            }
        )
        self._played = self._latest
        self.updates_done += 1
        self._between_updates = True
        record.seconds = time.perf_counter() - self.started
        return Progress(self.updates_done, self.budget.updates, value, record.seconds)

    def _announce(self) -> tuple[Committed, int]:
        """Put the leader's commitment in force and let the follower learn.

        A step to where the follower has no finite response is halved until it has one; the record counts how often.

        Raises
        ------
        ConvergenceError
            What the follower has learned holds other than finite numbers.
        """
        for halvings in range(MAX_HALVINGS + 2):
            self._committed = committed = self.game.under(self.leader.announce())
            x = committed.commitment
            self._latest = x, theta_giving(x, self.leader.parameters(), self._parametrisation)
            self._responded_to = None
            try:
                self.record.follower_steps += self.follower.learn(committed)
            except InstabilityError:
                whole = halvings == MAX_HALVINGS
                if halvings > MAX_HALVINGS or not self.leader.shorten(1.0 if whole else 0.5):
                    raise
            else:
                break
        self._responded_to = x
        self._first = x if self._first is None else self._first
        for name, table in self.follower.tables().items():
            if not np.isfinite(table).all():
                where, owner = first_index(~np.isfinite(table)), f"follower {self.record.follower!r}"
                raise ConvergenceError(
                    f"{owner}: at leader update {self.updates_done + 1}: expected finite numbers in {name}, "
                    f"got {table[where]} at index {where}"
                )
        self._sound = self._latest
        return committed, halvings

    def _note_start(self, value: float) -> None:
        """Say in the record what the first commitment is worth; `value` is J under the followers' actual policies."""
        if self.evaluation.is_exact:
            self._judge_others()
        else:
            self.record.start_value = value

    def _recommend(self) -> Committed | None:
        """Ask for a recommendation; None where there is none."""
        x, theta = recommendation(self.leader)
        before, self._recommended, committed = self._recommended, None, None
        # A leader that has lost its way has nothing to recommend; what it announces next says so.
        if x.dtype.kind != "f" or np.isfinite(x).all():
            try:
                committed = self.game.under(x)
            except CommitmentError as exc:
                raise CommitmentError(f"leader {self.config.leader!r}: recommend: {exc}") from exc
            x = committed.commitment
            self._recommended = x, theta_giving(x, theta, self._parametrisation)
        again = before is not None and np.array_equal(before[0], x)
        now = self._latest is not None and np.array_equal(self._latest[0], x)
        self._recommended_was_played = now or (again and self._recommended_was_played)
        return committed

    def close(self, status: str, error: str | None = None) -> RunRecord:
        """Choose the commitment the run ends with, evaluate it exactly and complete the record."""
        final, ends_with = self._ending(status)
        record = self.update_record(final)
        record.commitment, record.theta = (None, None) if final is None else final
        record.status, record.error = status, error
        if record.commitment is not None:
            record.ends_with = ends_with
            # What ended the run is what is to be told, not that its end cannot be judged.
            with suppress(*(JUDGING_FAILS if status == "failed" else ())):
                self._judge(record)
        record.seconds = self.seconds
        return record

    def _ending(self, status: str) -> tuple[tuple[Array, Array | None] | None, str]:
        """Return the commitment a run ends with, and whether that is the recommended or an announced one.

        A run that was stopped does not end with one that nobody has ever played. A leader that has lost its way, and
        recommends what is no commitment, ends with its last one.
        """
        recommended = self._recommended is not None
        if recommended and (status == "finished" or (self._between_updates and self._recommended_was_played)):
            return self._recommended, "recommended"
        if status == "interrupted" and recommended and self._recommended_was_played:
            return self._recommended, "recommended"
        return (self._played if status == "interrupted" else self._sound), "announced"

    def _judge(self, record: RunRecord) -> None:
        """Say what the final commitment is worth, after the follower has responded to it, and what others are."""
        x, found = record.commitment, self.evaluation
        assert x is not None  # noqa: S101 - the caller looks
        self._judge_others()
        view = self.game.under(x)
        record.leader_value, record.episode_value = found.exact(view), found.episode(view)
        record.response_gap = record.actual_value = None
        follower = self._response_to(view, record.status)
        if follower is not None:
            record.response_gap, record.actual_value = found.gap(view, follower), found.value(view, follower)
        elif self._played is not None and np.array_equal(self._played[0], x):
            last = record.curve["leader_value"][-1]
            record.actual_value = float(last) if np.isfinite(last) else None
        if not found.is_exact:
            record.leader_value = record.actual_value
        if record.status == "finished":
            end = np.nan if record.leader_value is None else record.leader_value
            record.curve["recommended_value"][-1] = end

    def _response_to(self, view: Committed, status: str) -> Follower | None:
        """Return the follower as it responds to a commitment; None where it would have to learn that after a stop."""
        responded = self._responded_to is not None and np.array_equal(self._responded_to, view.commitment)
        # Exact followers have no response from a checkpoint on until the next commitment.
        if responded and self.follower.learned and not self.follower.delay:
            return self.follower
        return responding(self.follower, view) if status == "finished" else None

    def _judge_others(self) -> None:
        """Evaluate the first and the neutral commitment, where the game has a solution and that was not done yet."""
        record, found = self.record, self.evaluation
        if found.is_exact and record.start_value is None and self._first is not None:
            record.start_value = found.exact(self.game.under(self._first))
            record.neutral_value = found.exact(self.game.under(neutral_commitment(self.game)))

    def values(self) -> dict[str, float]:
        """Return what the commitments of the last update are worth, NaN where that is unknown.

        That is "announced_value", "recommended_value", "actual_value" and "response_gap"; nothing of the run changes.
        """
        committed, found = self._committed, self.evaluation
        assert committed is not None  # noqa: S101 - there was an update
        recommended = None if self._recommended is None else self.game.under(self._recommended[0])
        values = {
            "announced_value": found.exact(committed),
            "recommended_value": None if recommended is None else found.exact(recommended),
            "actual_value": found.value(committed, self.follower),
            "response_gap": found.gap(committed, self.follower),
        }
        return {name: np.nan if value is None else value for name, value in values.items()}

    @property
    def announced(self) -> tuple[Array, Array | None]:
        """The commitment of the last update and the theta that it comes from, or None where it comes from none."""
        assert self._latest is not None  # noqa: S101 - there was an update
        return self._latest

    def shut(self) -> None:
        """End the leader's process, if it has one."""
        self.leader.close()

    def update_record(self, final: tuple[Array, Array | None] | None = None, *, with_curve: bool = True) -> RunRecord:
        """Bring the record up to date with what has been learned so far; the curve costs most.

        The leader is not asked for a commitment, because that may draw random numbers: saving would change the run.
        """
        final = self._sound if final is None else final
        if final is not None:
            self.record.commitment, self.record.theta = final
        if self._responded_to is not None:
            self.record.meanings = meanings(self.evaluation, self.follower)
        if with_curve:
            self.record.curve = self.curve.columns()
        return self.record

    @property
    def resumable(self) -> bool:
        """Whether the state is that between two updates; only that can be stored."""
        return self._between_updates

    def save(self, folder: Path, *, checkpoint_every: int | None = None) -> Path:
        """Write a checkpoint into a folder.

        Parameters
        ----------
        folder
            Where.
        checkpoint_every
            What whoever goes on with the run is to know of how often it is saved.

        Raises
        ------
        ArgumentError
            A player does not say what its state is, or holds what cannot be stored.
        OutputError
            The folder cannot be written.
        """
        game = self.record.game if isinstance(self.config.game, str) else None
        options = {item.name: getattr(self.config, item.name) for item in fields(self.config)}
        content = {
            "config": {**options, "game": game},
            "checkpoint_every": checkpoint_every,
            "game_digest": self.record.game_digest,
            "versions": self.record.versions,
            "state": save_run(self),
        }
        return write_checkpoint(folder, {**content, "curve": asdict(self.curve.write(folder))})

    def restore(self, content: dict[str, Any], where: str) -> None:
        """Go on from where a checkpoint was written; this has to be a fresh experiment of the same configuration.

        `where` is the checkpoint's file, beside which the curve lies.

        Raises
        ------
        OutputError
            The checkpoint belongs to another game or to other players, or its parts do not fit together.
        """
        if content["game_digest"] != self.record.game_digest:
            raise OutputError(f"{where}: expected the game {self.record.game!r} the run was started with, got another")
        old, package = content["versions"], "stackelberg-envs"
        if old.get(package) != self.record.versions[package]:
            raise OutputError(
                f"{where}: expected a checkpoint of {package} {self.record.versions[package]}, "
                f"got one of {old.get(package)}"
            )
        if old != self.record.versions:
            changed = ", ".join(f"{name} {was}" for name, was in old.items() if self.record.versions.get(name) != was)
            warnings.warn(f"{where}: written with {changed}; the run may differ in the last digits", stacklevel=3)
        load_run(self, content["state"], Curve.read(Path(where).parent, content["curve"]), where)

    @property
    def seconds(self) -> float:
        """Wall-clock time the run has taken so far, that before it was stopped included."""
        return time.perf_counter() - self.started

    def _uniform_play(self, steps: int) -> Trajectories:
        """Return play from uniformly drawn states under the commitment in force; it counts as observed.

        Leaders that control the follower's training ask for it in their update.
        """
        if self._committed is None:
            raise ArgumentError("uniform_play: expected a commitment in force, got none")
        seen = rollout_of(self._committed.from_every_state(), self.follower.players, self._play_rng, steps=steps)
        self.record.observed_steps += len(seen.state)
        return redact(seen, self.level, self.follower.policy)


def _start_leader(
    kind: type[Leader], brief: Brief, config: Any, rng: np.random.Generator, options: ExperimentConfig
) -> Leader:
    if not options.leader_process:
        return kind(brief, config, rng)
    from .remote.client import RemoteLeader

    return RemoteLeader(kind, brief, config, rng, options.timeout)


def _completed(config: ExperimentConfig, lineup: Lineup) -> ExperimentConfig:
    """Return a configuration that needs no default of a leader and no file of presets."""
    options = {**lineup.settings.options, **config.leader_options}
    return replace(config, steps=None, preset=None, leader_options=options, **lineup.budget._asdict())


def _versions() -> dict[str, str]:
    import platform

    import numba
    import scipy

    import stackelberg_envs

    return {
        "stackelberg-envs": stackelberg_envs.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "numba": numba.__version__,
    }


def theta_giving(x: Array, theta: Any, parametrisation: Parametrisation) -> Array | None:
    """Return the parameters, if they are those of the commitment x; None for those of another one, or for none."""
    try:
        theta = np.array(theta, dtype=np.float64)
    except (TypeError, ValueError):  # what somebody's own leader returns
        return None
    if theta.shape != (parametrisation.size,) or not np.isfinite(theta).all():
        return None
    given = parametrisation(theta)
    scale = max(float(np.abs(x).max(initial=0.0)), float(np.abs(given).max(initial=0.0)))
    same = given.shape == x.shape and bool((np.abs(given - x) <= ROUNDING * scale).all())
    return theta if same else None
