r"""Hypergradients at recorded steps of games whose states are vectors, from values found by least squares.

The coefficients are those of :mod:`agents.estimators.boltzmann_covariance`. In expectation an estimate from single
recorded steps is right, but the trace :math:`e_t` is mostly noise: its impulses :math:`\gamma_L^t A_L/\lambda` have
mean zero in every state, and it multiplies derivatives that are as large as all later rewards. Three replacements, each
of an average over single samples by the mean that it estimates, take that noise out:

* impulses are summed over nodes of the fitted behaviour in the state instead of the one recorded action; where actions
  are discrete, they lose their regression on what the follower saw, whose true value is zero;
* what is carried from earlier steps is replaced by its mean in each state, as a functional of the features
  (:meth:`SampledValues.carried`): with the motion K of the features, E[psi(s')|s] = psi(s) K, it solves
  :math:`m = \gamma_F (c + K^T m)`;
* the follower's values of the next state times d log P are summed over a pair of next states around the fitted mean,
  instead of the one recorded next state.

``trace="sampled"`` has none of them and is the published estimator.

With ``critic="fitted"`` values come from past play, too (:mod:`agents.estimators.fitted_values`), and the score of the
leader's own policy is summed over nodes of that policy instead of its one recorded action.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from agents.estimators.boltzmann_covariance import Coefficients, StepValues, step_coefficients
from agents.estimators.fitted_values import FittedValues, OwnPolicy, Replay, own_policy
from agents.estimators.sampled_values import PlayerValues, SampledValues
from agents.observing.brief import Brief
from agents.observing.trajectories import Trajectories
from agents.state import stateful
from agents.state.stateful import Stateful
from stackelberg_envs.arrays import Array, require_count
from stackelberg_envs.errors import ArgumentError, InformationError, InstabilityError
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.samples import SampledCommitment, Samples

__all__ = ["CRITICS", "TRACES", "Rule", "SampledEstimator"]

#: Of batched games.
CRITICS = ("lstd", "monte_carlo", "fitted")
TRACES = ("mean", "sampled")
#: Bytes; the largest block from whose size glibc learns is 32 MiB.
LARGE_BLOCK = 31 * 2**20


@dataclass(frozen=True)
class Rule:
    """What a gradient leader makes of values.

    Attributes
    ----------
    responds
        Whether the follower's response has a part in it.
    averages
        Whether derivatives are averaged over what the follower saw: impulses then lose their regression on that.
    """

    responds: bool = True
    averages: bool = False


class SampledEstimator(Stateful):
    """From one commitment's play to dJ/dx.

    Parameters
    ----------
    brief
        Of a batched game.
    critic
        "lstd", "monte_carlo" or "fitted".
    features
        "quadratic", "local", "fourier" or "network".
    trace
        "mean" or "sampled".
    rule
        What is made of the values.
    rng
        For features that are drawn.
    replay
        Past steps that "fitted" keeps.
    """

    # The generator is the leader's.
    state_fields = stateful.fields(_replay=stateful.Part(optional=True))

    def __init__(
        self,
        brief: Brief,
        critic: str,
        features: str,
        trace: str,
        rule: Rule,
        rng: np.random.Generator,
        replay: int = 0,
    ) -> None:
        if critic not in CRITICS:
            raise ArgumentError(f"critic: expected one of {', '.join(CRITICS)} on batched games, got {critic!r}")
        if trace not in TRACES:
            raise ArgumentError(f"trace: expected one of {', '.join(TRACES)}, got {trace!r}")
        if brief.temperature is None and rule.responds:
            raise InformationError("temperature: expected a public one; on batched games it is not estimated")
        if critic == "fitted" and brief.commitment.changes != {"leader_policy"}:
            # Play under other commitments would be of other dynamics or rewards.
            raise ArgumentError("critic: 'fitted' is for commitments that change the leader's policy only")
        _let_the_allocator_keep_memory()
        self._replay: Replay | None = None
        if critic == "fitted":
            follower = 0 if brief.follower_actions is None else brief.follower_actions.size
            widths = brief.state_size, brief.leader_action_size, follower, brief.num_contexts
            self._replay = Replay(require_count(replay, "replay", minimum=0), widths)
        self.brief, self.rule, self.rng = brief, rule, rng
        self.features, self.trace, self.monte_carlo = features, trace, critic == "monte_carlo"

    @property
    def _commitment(self) -> SampledCommitment:
        commitment = self.brief.commitment
        assert isinstance(commitment, SampledCommitment)  # noqa: S101 - batched games have no others
        return commitment

    @property
    def _follower_matters(self) -> bool:
        """Whether the follower's values enter."""
        return self.rule.responds and bool(self.brief.commitment.changes & {"leader_policy", "transition"})

    def gradient(self, trajectories: Trajectories) -> tuple[Array, dict[str, float]]:
        """Return dJ/dx, the shape of x, and diagnostics; zeros where play or the fit is not finite, which they tell."""
        x = trajectories.commitment
        try:
            dx, diagnostics = self._gradient(trajectories)
        except (InstabilityError, np.linalg.LinAlgError):
            return np.zeros(x.shape), {"clipped": 1.0}
        if not np.isfinite(dx).all():
            return np.zeros(x.shape), {"clipped": 1.0}
        return dx, {"clipped": 0.0, **diagnostics}

    def _gradient(self, trajectories: Trajectories) -> tuple[Array, dict[str, float]]:
        brief = self.brief
        found = self._found(trajectories)
        leader_reward, follower_reward = trajectories.leader_reward, trajectories.follower_reward
        options: dict[str, Any] = {}
        if isinstance(found, FittedValues):
            leader_reward, follower_reward = found.leader_reward, found.follower_reward
        else:
            options["monte_carlo"] = self.monte_carlo
        leader = found.player(leader_reward, brief.leader_discount, horizon=brief.horizon, **options)
        diagnostics = {"critic_error": leader.error}
        follower = None
        if self._follower_matters:
            if follower_reward is None:
                raise InformationError("expected the follower's rewards, got none; this game keeps them private")
            rewards = follower_reward + self._temperature * found.behaviour.entropy
            follower = found.player(rewards, brief.follower_discount, **options)
            diagnostics["follower_critic_error"] = follower.error
        if self.rule.responds and self.trace == "mean":
            return self._from_means(trajectories, found, leader, follower), diagnostics
        if isinstance(found, FittedValues) and not self.rule.responds:
            weights = _weights(trajectories, brief.leader_discount)
            pieces = self._by_own_plays(trajectories.samples, found, leader, None, weights, np.zeros_like(weights))
            return self._summed(trajectories.commitment, pieces), diagnostics
        return self._from_steps(trajectories, found, leader, follower), diagnostics

    def _found(self, trajectories: Trajectories) -> SampledValues | FittedValues:
        """Return what least squares finds in play."""
        brief, commitment, x = self.brief, self._commitment, trajectories.commitment
        if brief.follower_actions is None:
            raise ArgumentError("brief: expected one of a batched game")
        if self._replay is None:
            discounts = brief.leader_discount, brief.follower_discount
            return SampledValues(
                trajectories, brief.follower_actions, self.features, brief.num_contexts, self.rng, discounts
            )

        def policy(samples: Samples) -> OwnPolicy:
            return own_policy(commitment, x, samples)

        played = self._replay.add(trajectories, policy(trajectories.samples))
        return FittedValues(
            trajectories, played, brief.follower_actions, self.features, brief.num_contexts, self.rng, policy
        )

    @property
    def _temperature(self) -> float:
        return 1.0 if self.brief.temperature is None else self.brief.temperature

    def _from_steps(
        self,
        trajectories: Trajectories,
        found: SampledValues | FittedValues,
        leader: PlayerValues,
        follower: PlayerValues | None,
    ) -> Array:
        brief = self.brief
        values = self._step_values(found, leader, follower)
        discount, beta = (brief.follower_discount, 1.0 / self._temperature) if self.rule.responds else (0.0, 0.0)
        impulses = found.away_from_states if self.rule.averages else None
        made = step_coefficients(trajectories, values, brief.leader_discount, discount, beta, impulses)
        return self._pulled_back(trajectories, made)

    def _pulled_back(self, trajectories: Trajectories, made: Coefficients) -> Array:
        commitment = self._commitment
        entries: dict[str, Any] = {name: getattr(made, name) for name in commitment.changes}
        return commitment.vjp_at(trajectories.commitment, trajectories.samples, Cotangents(**entries))

    def _step_values(
        self, found: SampledValues | FittedValues, leader: PlayerValues, follower: PlayerValues | None
    ) -> StepValues:
        none = np.zeros_like(leader.advantage)
        action = leader.action, none if follower is None else follower.action
        if follower is not None and found.behaviour.base_plays:
            action = self._by_rationality(found, leader, follower, found.leader_actions)
        return StepValues(
            advantage=leader.advantage,
            leader_action=action[0],
            follower_action=action[1],
            leader_next=leader.next,
            follower_next=none if follower is None else follower.next,
        )

    def _by_rationality(
        self, found: SampledValues | FittedValues, leader: PlayerValues, follower: PlayerValues, a: Array
    ) -> tuple[Array, Array]:
        """Return Q_L(s, a) and V_F(s, a), each less its value at the leader's mean action, shape (T,).

        g(b|s,a) is g(b|s, mean) times exp((Q_F(s,a,b) - Q_F(s, mean, b)) / temperature), normalised: regression would
        not tell how b follows a where the leader hardly varies its action.
        """
        behaviour = found.behaviour
        base = behaviour.leader_means
        shares = np.array([share for share, _ in behaviour.base_plays])[:, None]
        gains = []
        for player in (follower, leader):
            here = np.stack([player.of_actions(a, b) for _, b in behaviour.base_plays])
            gains.append((here, np.stack([player.of_actions(base, b) for _, b in behaviour.base_plays])))
        (soft, soft_base), (own, own_base) = gains
        tilt = (soft - soft_base) / self._temperature
        top = tilt.max(axis=0)
        tilted = shares * np.exp(tilt - top)
        mass = tilted.sum(axis=0)
        action = (tilted * own).sum(axis=0) / mass - (shares * own_base).sum(axis=0)
        return action, self._temperature * (top + np.log(mass))

    def _by_own_plays(
        self,
        steps: Samples,
        found: FittedValues,
        leader: PlayerValues,
        follower: PlayerValues | None,
        weights: Array,
        carried: Array,
    ) -> list[tuple[Samples, Coefficients]]:
        """Return samples at nodes of the leader's policy, with the coefficients of its score."""
        pieces, zeros = [], np.zeros_like(weights)
        for share, a in found.leader_plays:
            if follower is None:
                own, soft = sum(part * leader.of_actions(a, b) for part, b in found.plays_at(a)), zeros
            else:
                own, soft = self._by_rationality(found, leader, follower, a)
            by_policy = share * (weights * own + carried * soft)
            pieces.append((replace(steps, leader_action=a), Coefficients(zeros, zeros, by_policy, zeros)))
        return pieces

    def _from_means(
        self,
        trajectories: Trajectories,
        found: SampledValues | FittedValues,
        leader: PlayerValues,
        follower: PlayerValues | None,
    ) -> Array:
        brief, plays = self.brief, found.behaviour.plays
        weights = _weights(trajectories, brief.leader_discount)
        scale = weights / self._temperature
        impulses = [share * scale * leader.advantage_of(actions) for share, actions in plays]
        if not found.behaviour.balanced:
            impulses = [found.away_from_states(impulse) for impulse in impulses]
        carried = found.carried(impulses, brief.follower_discount)
        zeros, steps = np.zeros_like(weights), trajectories.samples
        if isinstance(found, FittedValues):
            return self._summed(
                trajectories.commitment, self._by_own_plays(steps, found, leader, follower, weights, carried)
            )
        values = self._step_values(found, leader, follower)
        going = ~trajectories.ends
        direct = brief.leader_discount * weights * values.leader_next * going
        by_policy = weights * values.leader_action + carried * values.follower_action
        pieces = [(steps, Coefficients(carried, weights, by_policy, direct))]
        beyond = follower if "transition" in brief.commitment.changes else None
        if beyond is not None:
            pieces += self._beyond(steps, carried * going, beyond, found.next_pairs(steps.follower_action))
        for (_, actions), impulse in zip(plays, impulses, strict=True):
            played = replace(steps, follower_action=actions)
            pieces.append((played, Coefficients(impulse, zeros, zeros, zeros)))
            if beyond is not None:
                # Impulses add up to nothing, and so does what is common to the plays, if all have the same pairs.
                pairs = found.next_pairs(actions, drawn=len(plays) > 1)
                pieces += self._beyond(played, impulse * going, beyond, pairs)
        return self._summed(trajectories.commitment, pieces)

    def _beyond(
        self, steps: Samples, trace: Array, follower: PlayerValues, pairs: list[tuple[Array, Array, float]]
    ) -> list[tuple[Samples, Coefficients]]:
        """Return the samples at pairs of next states, with the coefficients of d log P by the follower's values."""
        pieces, zeros = [], np.zeros_like(trace)
        for one, other, share in pairs:
            # The difference, since d log P has mean zero, whatever the mean of Vbar.
            ahead = 0.5 * (follower.of_next(one) - follower.of_next(other))
            by_transition = 0.5 * share * self.brief.follower_discount * trace * ahead
            for reached, sign in ((one, 1.0), (other, -1.0)):
                made = Coefficients(zeros, zeros, zeros, sign * by_transition)
                pieces.append((replace(steps, next_state=reached), made))
        return pieces

    def _summed(self, x: Array, pieces: list[tuple[Samples, Coefficients]]) -> Array:
        """Return dJ/dx, one vector-Jacobian product over all pieces."""
        samples = Samples(
            *(np.concatenate([getattr(piece, item.name) for piece, _ in pieces]) for item in fields(Samples))
        )
        entries: dict[str, Any] = {
            name: np.concatenate([getattr(made, name) for _, made in pieces]) for name in self._commitment.changes
        }
        return self._commitment.vjp_at(x, samples, Cotangents(**entries))


def _let_the_allocator_keep_memory() -> None:
    """Free one large block.

    The C library then keeps the arrays of a few megabytes that an update frees, instead of returning their pages to
    the system and asking for them again: in Linux that is two fifths of the time of an update on 10,000 steps.
    """
    block = np.empty(LARGE_BLOCK, dtype=np.uint8)
    del block


def _weights(trajectories: Trajectories, discount: float) -> Array:
    """Return gamma_L^t over the number of episodes, shape (T,)."""
    t = np.arange(trajectories.num_steps) - np.repeat(trajectories.offsets[:-1], trajectories.lengths)
    return np.asarray(trajectories.step_weights[t] * discount**t)
