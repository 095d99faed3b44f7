r"""Hypergradients at recorded steps of games whose states are vectors, from values found by least squares.

The coefficients are those of :mod:`agents.estimators.boltzmann_covariance`. In expectation an estimate from single
recorded steps is right, but the trace :math:`e_t` is mostly noise: its increments :math:`\gamma_L^t A_L/\lambda` have
mean zero in every state, and it multiplies derivatives that are as large as all later rewards. Three replacements, each
of an average over single samples by the mean that it estimates, take that noise out:

* increments are summed over nodes of the fitted behaviour in the state instead of the one recorded action; where
  actions are discrete, they lose their regression on what the follower saw, whose true value is zero;
* what is carried from earlier steps is replaced by its mean in each state, as a functional of the features
  (:meth:`~agents.estimators.step_model.StepModel.expected_trace`): with the motion K of the features,
  E[psi(s')|s] = psi(s) K, it solves :math:`m = \gamma_F (c + K^T m)`;
* the follower's values of the next state times d log P are summed over a pair of next states around the fitted mean,
  instead of the one recorded next state.

``trace="sampled"`` has none of them and is the published estimator.

With ``critic="fitted"`` values come from past play, too (:mod:`agents.estimators.fitted_values`), and the score of the
leader's own policy is summed over nodes of that policy instead of its one recorded action.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array, require_count
from stackelberg_envs.errors import ArgumentError, InformationError, InstabilityError
from stackelberg_envs.games.cotangents import StepCotangents
from stackelberg_envs.games.samples import Samples

from ..observing.brief import VectorBrief
from ..observing.trajectories import Trajectories
from ..state import stateful
from ..state.stateful import Stateful
from .action_nodes import weighted_sum
from .boltzmann_covariance import StepValues, step_coefficients
from .first_states import FirstStates
from .fitted_values import FittedModel
from .judging import judged
from .lstd_model import LstdModel
from .occupancy import OccupancyModel
from .replay import OwnPolicy, PastPlay, own_policy
from .step_model import FELT, PlayerValues, Reached, StepModel
from .temperature import AveragedTemperature
from .vector_temperature import temperature_in

__all__ = ["CRITICS", "TRACES", "ReplayEstimator", "Rule", "VectorEstimator", "make_vector_estimator"]

#: Of vector games.
CRITICS = ("lstd", "monte_carlo", "fitted", "occupancy")
#: What "auto" stands for beside a critic; "quadratic" beside the others.
DEFAULT_FEATURES = {"fitted": "local", "occupancy": "auto"}
TRACES = ("expected", "sampled")

#: Samples, and the coefficients of the derivatives there.
Piece = tuple[Samples, StepCotangents]


@dataclass(frozen=True)
class Rule:
    """What a gradient leader makes of values.

    Attributes
    ----------
    with_response
        Whether the follower's response has a part in it.
    with_control_variate
        Whether derivatives are averaged over what the follower saw: increments then lose their regression on that.
    """

    with_response: bool = True
    with_control_variate: bool = False


class VectorEstimator(Stateful):
    """From one commitment's play to dJ/dx.

    Parameters
    ----------
    brief
        Of a vector game.
    critic
        "lstd", "monte_carlo" or "fitted"; the last is for :class:`ReplayEstimator`.
    features
        "quadratic", "local" or "network".
    trace
        "expected" or "sampled".
    rule
        What is made of the values.
    rng
        For features that are drawn.
    """

    state_fields = stateful.fields(first=stateful.Part(), estimated=stateful.Part(optional=True))

    def __init__(
        self, brief: VectorBrief, critic: str, features: str, trace: str, rule: Rule, rng: np.random.Generator
    ) -> None:
        if critic not in CRITICS:
            raise ArgumentError(f"critic: expected one of {', '.join(CRITICS)} on vector games, got {critic!r}")
        if trace not in TRACES:
            raise ArgumentError(f"trace: expected one of {', '.join(TRACES)}, got {trace!r}")
        self.brief, self.rule, self.rng = brief, rule, rng
        self.critic, self.features, self.trace = critic, features, trace
        self.commitment: Any = brief.commitment
        self.follower_actions = brief.follower_actions
        #: None where the temperature is public, or nothing depends on it.
        self.estimated: AveragedTemperature | None = None
        if rule.with_response and brief.temperature is None:
            self.estimated = AveragedTemperature()
        #: Of all play.
        self.first = FirstStates(brief.state_size)

    def gradient(self, play: Trajectories) -> tuple[Array, dict[str, float]]:
        """Return dJ/dx, the shape of x, and diagnostics; zeros where play or the fit is not finite, which they tell."""
        x, brief, diagnostics = play.commitment, self.brief, {"skipped": 0.0}
        self.first.add(play)
        dx, follower, with_response = np.zeros(x.shape), None, self.rule.with_response
        try:
            model = self.step_model(play)
            leader = model.player(model.leader_reward, brief.leader_discount, horizon=brief.horizon)
            diagnostics["critic_error"] = leader.error
            if with_response and (self.commitment.changes_play or self.estimated is not None):
                if self.estimated is not None and play.follower_reward is not None:
                    values_at = partial(self._follower, model)
                    self.estimated.see(play.follower_reward)
                    self.estimated.learn(
                        temperature_in(model, values_at, self.temperature, self.commitment, x, self.rng)
                    )
                    diagnostics["temperature"] = self.temperature
                follower = self._follower(model, self.temperature)
                diagnostics["follower_critic_error"] = follower.error
            for steps, made in self._pieces(play, model, leader, follower):
                others = dict.fromkeys(vars(made).keys() - self.commitment.changes)
                dx += self.commitment.vjp_at(x, steps, replace(made, **others))
        except (InstabilityError, np.linalg.LinAlgError):
            dx[...] = np.nan
        if not np.isfinite(dx).all():
            return np.zeros(x.shape), {"skipped": 1.0}
        return dx, diagnostics

    @property
    def temperature(self) -> float:
        """The follower's, reward units: the public one, or the estimate; 1 where nothing depends on it."""
        if self.estimated is not None:
            return self.estimated.value
        return 1.0 if self.brief.temperature is None else self.brief.temperature

    def _follower(self, model: StepModel, temperature: float) -> PlayerValues:
        """Return the follower's values at a temperature."""
        if model.follower_reward is None:
            raise InformationError("expected the follower's rewards, got none; this game keeps them private")
        rewards = model.follower_reward + temperature * model.behaviour.entropy
        return model.player(rewards, self.brief.follower_discount)

    def judge(self, play: Trajectories) -> tuple[float, float]:
        """Return what the commitment of play that was learned from is worth, and its standard error, reward units."""
        return judged(play, self.brief.leader_discount, self.first)

    def step_model(self, play: Trajectories) -> StepModel:
        """Return what least squares finds in play."""
        brief = self.brief
        discounts = brief.leader_discount, brief.follower_discount
        monte_carlo = self.critic == "monte_carlo"
        return LstdModel(
            play, self.follower_actions, self.features, brief.num_contexts, self.rng, discounts, monte_carlo=monte_carlo
        )

    def _pieces(
        self, play: Trajectories, model: Any, leader: PlayerValues, follower: PlayerValues | None
    ) -> list[Piece]:
        """Return samples and their coefficients."""
        expected = self.rule.with_response and self.trace == "expected"
        return (self._from_expected_trace if expected else self._from_steps)(play, model, leader, follower)

    def _from_steps(
        self, play: Trajectories, model: StepModel, leader: PlayerValues, follower: PlayerValues | None
    ) -> list[Piece]:
        """Return the recorded steps with the published estimator's coefficients."""
        discount, beta = 0.0, 0.0
        if self.rule.with_response:
            discount, beta = self.brief.follower_discount, 1.0 / self.temperature
        values = self._step_values(model, leader, follower)
        increments = model.control_variate if self.rule.with_control_variate else None
        made = step_coefficients(play, values, self.brief.leader_discount, discount, beta, increments)
        return [(model.steps, made)]

    def _from_expected_trace(
        self, play: Trajectories, model: StepModel, leader: PlayerValues, follower: PlayerValues | None
    ) -> list[Piece]:
        """Return the recorded steps, and these at nodes of the follower's action, with means in place of samples."""
        brief, steps, going = self.brief, model.steps, model.going
        weights = play.step_weights[play.time] * brief.leader_discount**play.time
        increments, trace = self._traces(weights, model, leader)
        values = self._step_values(model, leader, follower)
        direct = brief.leader_discount * weights * values.leader_next * going
        by_policy = weights * values.leader_action + trace * values.follower_action
        pieces = [(steps, StepCotangents(trace, weights, by_policy, direct))]
        paid = "follower_reward" in self.commitment.changes
        moved = follower if "transition" in self.commitment.changes else None
        if moved is not None:
            pieces += self._beyond(steps, trace * going, moved, model.next_pairs(model.recorded))
        for b, node, increment in zip(model.behaviour.action_nodes, model.nodes, increments, strict=True):
            here = replace(steps, follower_action=b)
            if paid:
                pieces.append((here, StepCotangents(follower_reward=increment)))
            if moved is not None:
                # Increments add up to nothing, and so does what is common to the nodes, if all have the same pairs.
                pairs = model.next_pairs(node, drawn=len(increments) > 1)
                pieces += self._beyond(here, increment * going, moved, pairs)
        return pieces

    def _traces(self, weights: Array, model: StepModel, leader: PlayerValues) -> tuple[list[Array], Array]:
        """Return the trace's increments at the nodes and the expected trace, from what each step counts, (T,) each."""
        scale, increments = weights / self.temperature, []
        for share, node in zip(model.behaviour.weights, model.nodes, strict=True):
            increment = share * scale * (leader.q(node) - leader.mean)
            increments.append(increment if model.behaviour.nodes_have_zero_mean else model.control_variate(increment))
        return increments, model.expected_trace(increments, self.brief.follower_discount)

    def _step_values(self, model: StepModel, leader: PlayerValues, follower: PlayerValues | None) -> StepValues:
        zeros = np.zeros_like(leader.advantage)
        if follower is None:
            return StepValues(leader.advantage, leader.action, zeros, leader.next, zeros)
        action = leader.action, follower.action
        if model.nodes_at_mean:
            action = self._by_rationality(model, leader, follower, model.steps.leader_action)
        return StepValues(leader.advantage, *action, leader.next, follower.next)

    def _by_rationality(
        self, model: StepModel, leader: PlayerValues, follower: PlayerValues, a: Array
    ) -> tuple[Array, Array]:
        """Return Q_L(s, a) and V_F(s, a), each less its value at the leader's mean action, shape (T,).

        g(b|s,a) is g(b|s, mean) times exp((Q_F(s,a,b) - Q_F(s, mean, b)) / temperature), normalised: regression would
        not tell how b follows a where the leader hardly varies its action.
        """
        weights, base = model.behaviour.weights[:, None], model.nodes_at_mean
        reached = [model.reach(a, b) for b in model.behaviour.action_nodes_at_mean]
        own, own_base = _at(leader, reached), _at(leader, base)
        tilt = (_at(follower, reached) - _at(follower, base)) / self.temperature
        top = tilt.max(axis=0)
        tilted = weights * np.exp(tilt - top)
        mass = tilted.sum(axis=0)
        action = (tilted * own).sum(axis=0) / mass - (weights * own_base).sum(axis=0)
        return action, self.temperature * (top + np.log(mass))

    def _beyond(
        self, steps: Samples, trace: Array, follower: PlayerValues, pairs: list[tuple[Array, Array, float]]
    ) -> list[Piece]:
        """Return the samples at pairs of next states, with the coefficients of d log P by the follower's values."""
        pieces = []
        for one, other, share in pairs:
            # The difference, since d log P has mean zero, whatever the mean of Vbar.
            ahead = 0.5 * (follower.of_next(one) - follower.of_next(other))
            by_transition = 0.5 * share * self.brief.follower_discount * trace * ahead
            for reached, sign in ((one, 1.0), (other, -1.0)):
                made = StepCotangents(transition=sign * by_transition)
                pieces.append((replace(steps, next_state=reached), made))
        return pieces


class OccupancyEstimator(VectorEstimator):
    """The same with the critic "occupancy": steps count by how often states like theirs are visited."""

    state_fields = stateful.fields()

    def __init__(
        self, brief: VectorBrief, critic: str, features: str, trace: str, rule: Rule, rng: np.random.Generator
    ) -> None:
        super().__init__(brief, critic, features, trace, rule, rng)
        if trace != "expected":
            raise ArgumentError(f"trace: expected 'expected' beside the critic 'occupancy', got {trace!r}")

    def step_model(self, play: Trajectories) -> OccupancyModel:
        """Return what least squares finds in play, and where play begins."""
        K, first = self.brief.num_contexts, self.first
        return OccupancyModel(play, self.follower_actions, self.features, K, self.rng, self.commitment, first)

    def _pieces(
        self, play: Trajectories, model: Any, leader: PlayerValues, follower: PlayerValues | None
    ) -> list[Piece]:
        """Return the recorded steps, and these at nodes of the follower's action, with means in place of samples."""
        steps, behaviour, changes = model.steps, model.behaviour, self.commitment.changes
        weights = model.visits(self.brief.leader_discount)
        increments, trace = [np.zeros_like(weights)] * len(model.nodes), np.zeros_like(weights)
        if self.rule.with_response:
            increments, trace = self._traces(weights, model, leader)
        values = self._step_values(model, leader, follower)
        by_policy = weights * values.leader_action + trace * values.follower_action
        pieces = [(steps, StepCotangents(leader_policy=by_policy))]
        for share, b, node, increment in zip(
            behaviour.weights, behaviour.action_nodes, model.nodes, increments, strict=True
        ):
            here, felt = replace(steps, follower_action=b), share * trace + increment
            pieces.append((here, StepCotangents(felt, share * weights)))
            if "transition" in changes:
                moved = [(leader, self.brief.leader_discount * share * weights * model.going)]
                if follower is not None:
                    moved.append((follower, self.brief.follower_discount * felt * model.going))
                pieces += _moved(here, moved, model.next_pairs(node))
        return pieces


def _moved(
    steps: Samples, players: Sequence[tuple[PlayerValues, Array]], pairs: list[tuple[Array, Array, float]]
) -> list[Piece]:
    """Return the samples at pairs of next states, with the coefficients of d log P by players' values there."""
    pieces = []
    for one, other, share in pairs:
        # The difference, since d log P has mean zero, whatever the mean of the values.
        felt = [weight * (player.of_next(one) - player.of_next(other)) for player, weight in players]
        ahead = 0.25 * share * np.sum(felt, axis=0)
        for reached, sign in ((one, 1.0), (other, -1.0)):
            pieces.append((replace(steps, next_state=reached), StepCotangents(transition=sign * ahead)))
    return pieces


class ReplayEstimator(VectorEstimator):
    """The same with the critic "fitted", for commitments that change the leader's policy only.

    Parameters
    ----------
    replay
        Past steps that are kept.
    """

    # The generator is the leader's.
    state_fields = stateful.fields(_replay=stateful.Part())

    def __init__(
        self,
        brief: VectorBrief,
        critic: str,
        features: str,
        trace: str,
        rule: Rule,
        rng: np.random.Generator,
        replay: int = 0,
    ) -> None:
        super().__init__(brief, critic, features, trace, rule, rng)
        if brief.commitment.changes != {"leader_policy"}:
            # Play under other commitments would be of other dynamics or rewards.
            raise ArgumentError("critic: 'fitted' is for commitments that change the leader's policy only")
        widths = brief.state_size, brief.leader_action_size, self.follower_actions.size, brief.num_contexts
        self._replay = PastPlay(require_count(replay, "replay", minimum=0), widths)

    def step_model(self, play: Trajectories) -> FittedModel:
        """Return what least squares finds in play, past play included."""

        def policy(samples: Samples) -> OwnPolicy:
            return own_policy(self.commitment, play.commitment, samples)

        played = self._replay.add(play, policy(play.samples))
        return FittedModel(
            play, played, self.follower_actions, self.features, self.brief.num_contexts, self.rng, policy
        )

    def _from_steps(
        self, play: Trajectories, model: StepModel, leader: PlayerValues, follower: PlayerValues | None
    ) -> list[Piece]:
        if self.rule.with_response:
            return super()._from_steps(play, model, leader, follower)
        weights = play.step_weights[play.time] * self.brief.leader_discount**play.time
        return self._by_leader_nodes(model, leader, None, weights, np.zeros_like(weights))

    def _from_expected_trace(
        self, play: Trajectories, model: StepModel, leader: PlayerValues, follower: PlayerValues | None
    ) -> list[Piece]:
        weights = play.step_weights[play.time] * self.brief.leader_discount**play.time
        _, trace = self._traces(weights, model, leader)
        return self._by_leader_nodes(model, leader, follower, weights, trace)

    def _by_leader_nodes(
        self, model: Any, leader: PlayerValues, follower: PlayerValues | None, weights: Array, trace: Array
    ) -> list[Piece]:
        """Return samples at nodes of the leader's policy, with the coefficients of its score."""
        pieces, zeros = [], np.zeros_like(weights)
        steps, behaviour = model.steps, model.behaviour
        for share, a in zip(model.leader_weights, model.leader_nodes, strict=True):
            if follower is None:
                nodes = behaviour.at(steps.state, a, behaviour.leader_means)
                own = weighted_sum(behaviour.weights, [leader.q(model.reach(a, b)) for b in nodes])
                soft = zeros
            else:
                own, soft = self._by_rationality(model, leader, follower, a)
            by_policy = share * (weights * own + trace * soft)
            pieces.append((replace(steps, leader_action=a), StepCotangents(leader_policy=by_policy)))
        return pieces


def _at(player: PlayerValues, reached: Sequence[Reached]) -> Array:
    """Return Q for each of several actions, shape (k, T)."""
    return np.stack([player.q(one) for one in reached])


def make_vector_estimator(
    brief: VectorBrief, critic: str, features: str, trace: str, rule: Rule, rng: np.random.Generator, replay: int = 0
) -> VectorEstimator:
    """Return the estimator for a critic; see the classes here."""
    critic = _critic_for(brief, trace) if critic == "auto" else critic
    features = DEFAULT_FEATURES.get(critic, "quadratic") if features == "auto" else features
    if critic == "fitted":
        return ReplayEstimator(brief, critic, features, trace, rule, rng, replay)
    kind = OccupancyEstimator if critic == "occupancy" else VectorEstimator
    return kind(brief, critic, features, trace, rule, rng)


def _critic_for(brief: VectorBrief, trace: str) -> str:
    """Return the critic that suits a game."""
    if trace != "expected":
        return "lstd"
    if brief.commitment.changes == {"leader_policy"}:
        gaussian = not getattr(brief.commitment, "clips_actions", False)
        return "fitted" if gaussian and brief.follower_actions.counts is None else "lstd"
    return "lstd" if brief.leader_discount**brief.horizon > FELT else "occupancy"
