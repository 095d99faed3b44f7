"""The one outer loop: commit, let the follower learn, watch it play, update."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from agents.brief import Brief, Information
from agents.collection import collect
from agents.followers import Follower, FollowerView, follower_class
from agents.leaders import Leader, leader_class
from agents.parametrisations import make_parametrisation
from agents.results import RunRecord, prepare_folder
from agents.trajectories import Trajectories
from stackelberg_envs.arrays import Array, require_count
from stackelberg_envs.errors import ArgumentError, InformationError
from stackelberg_envs.games import TabularGame
from stackelberg_envs.oracles import leader_value, response_gap, soft_best_response

__all__ = ["ExperimentConfig", "Progress", "make_brief", "run"]

#: Seconds between two saves of an unfinished record.
SAVE_INTERVAL = 5.0


@dataclass(frozen=True, eq=False)
class ExperimentConfig:
    """Everything a run depends on.

    Attributes
    ----------
    game
        A game, or the id of a registered one.
    leader, follower
        Registered names.
    updates
        Leader updates.
    steps_per_update
        Follower steps the leader sees after each commitment.
    seed
        Of everything random; equal seeds give equal runs.
    game_arguments
        Arguments of the game, when `game` is an id.
    leader_options, follower_options
        Hyperparameters that differ from the defaults.
    parametrisation
        Name; default the one the commitment suggests.
    evaluate_every
        The exact leader value is computed for the record at every such update (0: only at the end).
    best_known
        Best known J, for tables and pictures; default the game's own fact, if it has one.
    """

    game: TabularGame | str
    leader: str = "bchg"
    follower: str = "soft_value_iteration"
    updates: int = 500
    steps_per_update: int = 1_000
    seed: int = 0
    game_arguments: dict[str, Any] = field(default_factory=dict)
    leader_options: dict[str, Any] = field(default_factory=dict)
    follower_options: dict[str, Any] = field(default_factory=dict)
    parametrisation: str | None = None
    evaluate_every: int = 1
    best_known: float | None = None


@dataclass(frozen=True)
class Progress:
    """What a progress display is told after each leader update."""

    update: int
    updates: int
    leader_value: float
    seconds: float


class Experiment:
    """One run in progress: the players, the generators and the record being written."""

    def __init__(self, config: ExperimentConfig) -> None:
        self.config = config
        self.game, name = _resolve(config)
        require_count(config.updates, "updates")
        require_count(config.steps_per_update, "steps_per_update")
        require_count(config.seed, "seed", minimum=0)
        kind = leader_class(config.leader)
        self.level = kind.needs(self.game.commitment)
        leader_rng, follower_rng, self._play_rng = (
            np.random.default_rng(seed) for seed in np.random.SeedSequence(config.seed).spawn(3)
        )
        leader_config = make_config(kind.Config, config.leader_options, f"leader {config.leader!r}")
        follower_kind = follower_class(config.follower)
        follower_config = make_config(follower_kind.Config, config.follower_options, f"follower {config.follower!r}")
        brief = make_brief(self.game, self.level, config.parametrisation, leader=config.leader)
        if self.level >= Information.CONTROLS_TRAINING:
            brief = replace(brief, uniform_play=self._uniform_play)
        self.leader: Leader = kind(brief, leader_config, leader_rng)
        self.follower: Follower = follower_kind(follower_config, follower_rng)
        self._columns: dict[str, list[float]] = {}
        self._started = time.perf_counter()
        self.record = RunRecord(
            game=name,
            leader=config.leader,
            follower=config.follower,
            updates=config.updates,
            steps_per_update=config.steps_per_update,
            seed=config.seed,
            game_arguments=dict(config.game_arguments),
            leader_options=asdict(leader_config),
            follower_options=asdict(follower_config),
            information=self.level.name,
            parametrisation=brief.parametrisation.name,
            best_known=self.game.facts.get("best_known") if config.best_known is None else config.best_known,
            versions=_versions(),
        )

    def step(self, update: int) -> Progress:
        """Do one leader update."""
        x = self.game.commitment.check(self.leader.commit())
        self._announced = x
        view = FollowerView(self.game, x)
        self.record.follower_steps += self.follower.learn(view)
        seen = collect(self.game, x, self.follower, steps=self.config.steps_per_update, rng=self._play_rng)
        self.record.observed_steps += seen.num_steps
        value = self._evaluate(update, view)
        diagnostics = self.leader.update(redact(seen, self.level, self.follower))
        self._note(
            observed_steps=self.record.observed_steps,
            leader_value=value,
            observed_return=float(seen.returns(self.game.leader_discount).mean()),
            **diagnostics,
        )
        self.record.seconds = time.perf_counter() - self._started
        return Progress(update + 1, self.config.updates, value, self.record.seconds)

    def close(self, status: str, error: str | None = None) -> RunRecord:
        """Evaluate the final commitment exactly and complete the record."""
        self.update_record()
        record = self.record
        record.status, record.error = status, error
        if record.commitment is not None:
            play = self.game.primitives(record.commitment)
            best = soft_best_response(play)
            record.leader_value = leader_value(play, best.policy)
            if hasattr(self.follower, "policy"):
                record.response_gap = response_gap(play, self.follower.policy, best.state_values)
        record.seconds = time.perf_counter() - self._started
        return record

    def update_record(self) -> RunRecord:
        """Bring the record up to date with what has been learned so far."""
        x = self.leader.commit()
        if np.isfinite(x).all():
            self.record.commitment = self.game.commitment.check(x)
        theta = getattr(self.leader, "theta", None)
        self.record.theta = None if theta is None else np.array(theta)
        self.record.curve = {name: np.array(column) for name, column in self._columns.items()}
        return self.record

    def _uniform_play(self, steps: int) -> Trajectories:
        """Return play from uniformly drawn states under the last commitment; it counts as observed."""
        S = self.game.shape[0]
        anywhere = self.game.replace(initial=np.full(S, 1.0 / S))
        seen = collect(anywhere, self._announced, self.follower, steps=steps, rng=self._play_rng)
        self.record.observed_steps += seen.num_steps
        return redact(seen, self.level, self.follower)

    def _evaluate(self, update: int, view: FollowerView) -> float:
        """Return the exact J under the follower's actual policy, or NaN where that was not asked for."""
        every = self.config.evaluate_every
        if update == 0:
            play = view.primitives
            self.record.start_value = leader_value(play, soft_best_response(play).policy)
        if not every or update % every:
            return float("nan")
        return leader_value(view.primitives, self.follower.policy)

    def _note(self, **values: float) -> None:
        for name, value in values.items():
            self._columns.setdefault(name, []).append(float(value))


def run(
    game: TabularGame | str,
    *,
    output: str | Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    **options: Any,
) -> RunRecord:
    """Run one leader against one follower.

    Parameters
    ----------
    game
        A game, or the id of a registered one.
    output
        Folder for ``record.json``; written every few seconds and at the end, whatever ends the run.
    progress
        Called with a :class:`Progress` after each leader update.
    options
        The other fields of :class:`ExperimentConfig`: leader, follower, updates, steps_per_update, seed,
        game_arguments, leader_options, follower_options, parametrisation, evaluate_every, best_known.

    Returns
    -------
    RunRecord
        With ``commitment``, ``leader_value``, ``observed_steps`` and ``curve``. A run stopped by Ctrl-C
        returns what it had, with status "interrupted".

    Raises
    ------
    UnknownNameError, ArgumentError, InformationError, OutputError
        Before any work is done, with what was expected and what came.

    Examples
    --------
    >>> import agents
    >>> record = agents.run("stackelberg/DiscreteToy-v0", leader="exact", updates=30)
    >>> round(record.leader_value, 4)
    34.9926
    """
    _refuse_unknown(ExperimentConfig, {"game": game, **options}, "run")
    folder = None if output is None else prepare_folder(output)
    experiment = Experiment(ExperimentConfig(game=game, **options))
    try:
        _loop(experiment, folder, progress)
        record = experiment.close("finished")
    except KeyboardInterrupt:
        record = experiment.close("interrupted")
    except Exception as exc:
        record = experiment.close("failed", f"{type(exc).__name__}: {exc}")
        raise
    finally:
        if folder is not None:
            experiment.record.save(folder)
    return record


def _loop(experiment: Experiment, folder: Path | None, progress: Callable[[Progress], None] | None) -> None:
    saved = time.perf_counter()
    for update in range(experiment.config.updates):
        state = experiment.step(update)
        if progress is not None:
            progress(state)
        if folder is not None and time.perf_counter() - saved > SAVE_INTERVAL:
            experiment.update_record().save(folder)
            saved = time.perf_counter()


def make_brief(
    game: TabularGame, level: Information, parametrisation: str | None = None, leader: str = "this leader"
) -> Brief:
    """Return what a leader of the given level may know of a game.

    Raises
    ------
    InformationError
        The game keeps private what the level includes.
    """
    if level >= Information.REWARDS_OBSERVED and not game.observe_rewards:
        raise InformationError(
            f"{leader}: needs {level.name}, but this game keeps the follower's rewards private; "
            f"leaders of level {Information.ACTIONS_ONLY.name} would work"
        )
    S, A, B = game.shape
    return Brief(
        information=level,
        commitment=game.commitment,
        parametrisation=make_parametrisation(game.commitment, parametrisation),
        num_states=S,
        num_leader_actions=A,
        num_follower_actions=B,
        num_contexts=game.num_contexts,
        leader_discount=game.leader_discount,
        follower_discount=game.follower_discount,
        temperature=game.temperature if game.publish_temperature or level >= Information.RESPONSE else None,
        horizon=game.horizon,
        leader_policy=np.full((S, A), 1.0 / A) if game.leader_policy is None else game.leader_policy,
        model=game if level >= Information.MODEL else None,
    )


def redact(seen: Trajectories, level: Information, follower: Follower) -> Trajectories:
    """Return the trajectories with just what a level of information includes."""
    if level >= Information.RESPONSE:
        return Trajectories(**{**vars_of(seen), "response": follower.policy})
    return seen if level >= Information.REWARDS_OBSERVED else seen.without("follower_reward")


def vars_of(seen: Trajectories) -> dict[str, Any]:
    """Return the fields of a Trajectories by name."""
    return {item.name: getattr(seen, item.name) for item in fields(seen)}


def make_config(kind: type[Any], options: dict[str, Any], owner: str) -> Any:
    """Return `kind(**options)`.

    Raises
    ------
    ArgumentError
        An option it does not have, with those it has.
    """
    _refuse_unknown(kind, options, owner)
    return kind(**options)


def _refuse_unknown(kind: type[Any], options: dict[str, Any], owner: str) -> None:
    known = [item.name for item in fields(kind)]
    for name in options:
        if name not in known:
            raise ArgumentError(f"{owner}: unknown option {name!r}; expected one of {', '.join(known)}")


def _resolve(config: ExperimentConfig) -> tuple[TabularGame, str]:
    if isinstance(config.game, str):
        from stackelberg_envs.registration import make_game

        return make_game(config.game, **config.game_arguments), config.game
    if not isinstance(config.game, TabularGame):
        raise ArgumentError(f"game: expected a TabularGame or an id, got {type(config.game).__name__}")
    return config.game, config.game.name


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


def final_commitment(record: RunRecord) -> Array:
    """Return the record's commitment.

    Raises
    ------
    ArgumentError
        The run ended before there was one.
    """
    if record.commitment is None:
        raise ArgumentError(f"record: expected a commitment, but the run has status {record.status!r}")
    return record.commitment
