"""How good estimated hypergradients are: gradient leaders against the oracle, at fixed sample sizes.

At one point theta each leader estimates dJ/dtheta from one batch of observed play against a follower that responds
exactly; the truth is the oracle's, that of play without end, while the observed episodes are cut at the horizon. Over
seeds, which change the play and nothing else:

* cosine between estimate and truth, relative error |estimate - truth| / |truth|;
* bias |mean estimate - truth| / |truth| and spread, the root of the summed variance over |truth|. Both are corrected
  for the number of seeds, so that the squares add up to the mean squared error on average; a bias of which the
  correction leaves nothing is zero.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np

from stackelberg_envs.arrays import Array, ratio, require_count
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.committed import Committed
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.vector import AnyGame, SampledSolution, VectorGame
from stackelberg_envs.play.rollout import rollout_of
from stackelberg_envs.solvers.soft.evaluation import episode_values, leader_value
from stackelberg_envs.solvers.solution import Solution
from stackelberg_envs.solvers.solving import solve
from stackelberg_envs.validation import checked, shown

from ..followers.training import Trainer
from ..leaders import GradientLeader, leader_class, leader_names
from ..leaders.base import LEADERS, starting_point
from ..learning.parametrisations import make_parametrisation, unit_of
from ..observing.brief import Information, redact
from ..observing.trajectories import Trajectories
from .briefing import make_brief
from .files import write_atomically
from .records import prepare_folder
from .summary import HORIZON_MATTERS

__all__ = ["Comparison", "Quality", "compare", "gradient_leaders"]

AnySolution: TypeAlias = Solution | SampledSolution

#: A gradient of less than this many times its stated error is zero up to rounding.
UNSURE = 10.0
FORMAT = 1
FILE_NAME = "gradients.json"


@dataclass(frozen=True)
class Quality:
    """One leader at one sample size; arrays and numbers without unit.

    Attributes
    ----------
    leader
        Its name.
    information
        The level it works at in this game.
    size
        Observed follower steps per estimate.
    cosine, relative_error
        One number per seed, shape (seeds,).
    bias, spread
        Relative to the norm of the truth.
    """

    leader: str
    information: str
    size: int
    cosine: Array
    relative_error: Array
    bias: float
    spread: float


@dataclass(frozen=True)
class Comparison:
    """Gradient leaders on one game at one point.

    Attributes
    ----------
    game
        Its name.
    theta
        Where the gradients were estimated, shape (P,).
    gradient
        The oracle's dJ/dtheta there, of play without end, shape (P,), reward units.
    rows
        One per leader and sample size.
    horizon
        Steps after which the observed episodes are cut; None in comparisons of earlier versions.
    beyond
        leader_discount^horizon, the share of the discounted steps that lies beyond: estimates may be off by about so
        much in ways that more play does not mend. Episodes that end before by themselves do not suffer from it. With
        discount 1, the share of the steps against the exact response.
    """

    game: str
    theta: Array
    gradient: Array
    rows: list[Quality] = field(default_factory=list)
    horizon: int | None = None
    beyond: float | None = None

    @property
    def meaning(self) -> str:
        """What is compared with what, in words."""
        text = "The exact gradient is that of play without end"
        if self.horizon is None or self.beyond is None:
            return text + "."
        text += f"; observed episodes are cut after {self.horizon} steps"
        if self.beyond > HORIZON_MATTERS:
            text += f", beyond which lie {self.beyond:.0%} of the discounted steps: mind the bias that comes of it"
        return text + "."

    def to_json(self) -> str:
        """Return the comparison as JSON text."""
        values = {"format": FORMAT, **asdict(self)}
        return json.dumps(values, indent=1, default=lambda array: np.asarray(array).tolist())

    def save(self, folder: str | Path) -> Path:
        """Write ``gradients.json`` into a folder.

        Raises
        ------
        OutputError
            The folder cannot be written.
        """
        return write_atomically(prepare_folder(folder) / FILE_NAME, self.to_json().encode())


def gradient_leaders() -> list[str]:
    """Return the names of the leaders that estimate a gradient from one batch."""
    return [name for name in leader_names() if issubclass(leader_class(name), GradientLeader)]


def compare(
    game: AnyGame,
    leaders: Iterable[str] = ("bchg", "naive"),
    sizes: Iterable[int] = (1_000, 10_000),
    *,
    seeds: int = 10,
    theta: Any = "random",
    point_seed: int = 0,
    leader_options: Mapping[str, Mapping[str, Any]] | None = None,
) -> Comparison:
    """Compare estimates of dJ/dtheta with the oracle.

    Parameters
    ----------
    game
        A tabular game, one of followers that affect each other, or a vector one whose exact solution is known.
    leaders
        Names of gradient leaders; see :func:`gradient_leaders`.
    sizes
        Observed follower steps per estimate.
    seeds
        Estimates per leader and size, at least 2.
    theta
        Where: "random" (standard normal, drawn with `point_seed`), "zeros", or an array of the parametrisation's size.
    point_seed
        See `theta`.
    leader_options
        Leader -> hyperparameters that differ from the defaults.

    Raises
    ------
    ArgumentError
        A leader that estimates no gradient, a size or number of seeds that is too small, or a point where the
        gradient is zero.
    InformationError
        The game keeps private what a leader needs.

    Examples
    --------
    >>> import stackelberg_envs as se
    >>> from agents.runs.gradients import compare
    >>> found = compare(se.make_game("stackelberg/DiscreteToy-v1"), ["bchg"], [2_000], seeds=3)
    >>> [row.leader for row in found.rows]
    ['bchg']
    """
    seeds = require_count(seeds, "seeds", minimum=2)
    point_seed = require_count(point_seed, "point_seed", minimum=0)
    sizes = [require_count(size, "sizes") for size in checked(_listed(sizes), list, "sizes")]
    options = _options_of(leaders, leader_options)
    if not (options and sizes):
        raise ArgumentError("compare: expected at least one leader and one size")
    if not isinstance(game, TabularGame | VectorGame | MarkovGame):
        raise ArgumentError(f"game: expected a game, got {shown(game)}")
    point, solution = _point(game, theta, point_seed)
    makers = {name: _Maker(game, name, given, point) for name, given in options.items()}
    truth = next(iter(makers.values())).brief.parametrisation.vjp(point, solution.gradient)
    _require_direction(solution, truth)
    found = Comparison(game.name, point, truth, horizon=game.horizon, beyond=_beyond(game, solution))
    for name, maker in makers.items():
        for size in sizes:
            estimates = np.array([maker.estimate(solution, size, seed) for seed in range(seeds)])
            found.rows.append(Quality(name, maker.level.name, size, *measures(estimates, truth)))
    return found


def _beyond(game: AnyGame, solution: AnySolution) -> float:
    """Return which share of the leader's discounted steps lies beyond the horizon, if nothing ends before by itself."""
    if game.leader_discount < 1.0:
        return float(game.leader_discount**game.horizon)
    # All steps pay alike, so that values count them.
    steps, response = game.under(solution.x).primitives, cast(Array, solution.policy)
    steps = replace(steps, leader_reward=np.ones_like(steps.leader_reward))
    within = episode_values(steps, response, game.horizon)[0]
    return 1.0 - within / leader_value(steps, response)


def _listed(values: Any) -> Any:
    """Return what can be gone through as a list; text and the rest as they are, for the check to refuse."""
    return list(values) if isinstance(values, Iterable) and not isinstance(values, str | bytes) else values


def _options_of(leaders: Any, given: Any) -> dict[str, dict[str, Any]]:
    """Return the options of each leader that takes part."""
    names = checked(_listed(leaders), list[str], "leaders")
    options = checked({} if given is None else given, dict[str, dict[str, Any]], "leader_options")
    absent = [name for name in options if name not in names]
    if absent:
        raise ArgumentError(f"leader_options: expected leaders among {', '.join(names)}, got {', '.join(absent)}")
    return {name: options.get(name, {}) for name in names}


def _require_direction(solution: AnySolution, truth: Array) -> None:
    """Raise where dJ/dtheta, or the dJ/dx that it comes from, is zero up to what the oracle is unsure of."""
    size = float(np.abs(solution.gradient).max(initial=0.0))
    # Solutions that users write may not state an error; then only a true zero is known to be one.
    unsure = float(getattr(solution, "gradient_error", 0.0))
    if not (np.linalg.norm(truth) > 0 and size > UNSURE * unsure):
        raise ArgumentError(
            "theta: expected a point where dJ/dtheta is not zero, which has no direction; the largest entry of dJ/dx "
            f"is {size:.1e} there, with an error of up to {unsure:.1e}"
        )


def measures(estimates: Array, truth: Array) -> tuple[Array, Array, float, float]:
    """Return cosines and relative errors, shape (seeds,), bias and spread of estimates, shape (seeds, P)."""
    scale = float(np.linalg.norm(truth))
    norms = np.linalg.norm(estimates, axis=1)
    cosine = ratio(estimates @ truth, norms * scale)
    error = np.linalg.norm(estimates - truth, axis=1) / scale
    variance = float(estimates.var(axis=0, ddof=1).sum())
    squared_bias = float(((estimates.mean(axis=0) - truth) ** 2).sum()) - variance / len(estimates)
    return cosine, error, float(np.sqrt(max(squared_bias, 0.0))) / scale, float(np.sqrt(variance)) / scale


class _Maker:
    """Makes fresh leaders of one kind at one point."""

    def __init__(self, game: AnyGame, name: str, options: dict[str, Any], point: Array) -> None:
        kind = LEADERS.serving(name, game)
        if not issubclass(kind, GradientLeader):
            raise ArgumentError(
                f"{name}: expected a leader that estimates a gradient, such as {', '.join(gradient_leaders())}"
            )
        self.game, self._kind = game, kind
        self._config = LEADERS.configure(name, kind, {**options, "start": point.tolist()})
        public = game.publish_temperature
        self.level = kind.required_information(game.commitment, self._config, public_temperature=public)
        self.brief = make_brief(game, self.level, leader=name)

    def estimate(self, solution: AnySolution, size: int, seed: int) -> Array:
        """Return one estimate of dJ/dtheta, shape (P,)."""
        play_rng, leader_rng = (np.random.default_rng(part) for part in np.random.SeedSequence(seed).spawn(2))
        brief, committed = self.brief, self.game.under(solution.x)

        def play(where: Committed, steps: int) -> Trajectories:
            seen = rollout_of(where, [solution], play_rng, steps=steps)
            return redact(seen, self.level, solution.policy)

        if self.level >= Information.CONTROLS_TRAINING:
            anywhere = committed.from_every_state
            brief = brief.with_control(lambda steps: play(anywhere(), steps), Trainer(self.game))
        leader = self._kind(brief, self._config, leader_rng)
        dx, _ = leader.gradient(play(committed, size))
        return self.brief.parametrisation.vjp(leader.theta, dx)


def _point(game: AnyGame, theta: Any, seed: int) -> tuple[Array, AnySolution]:
    parametrisation = make_parametrisation(game.commitment)
    point = starting_point(theta, parametrisation.size, np.random.default_rng(seed), unit_of(parametrisation))
    return point, solve(game, parametrisation(point))
