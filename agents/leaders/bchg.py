"""BC-HG: the Boltzmann-covariance hypergradient from observed trajectories.

Kudo et al., "Sample-Efficient Hypergradient Estimation for Decentralized Bi-Level Reinforcement Learning",
ICAPS 2026, arXiv 2603.14867. Deviations from the paper: docs/reproduction.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.games.commitments.base import Commitment
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.primitives import Primitives

from ..estimators import StepCotangents, ValueEstimates, boltzmann_covariance, tabulate
from ..estimators.behaviour import CarriedBehaviour
from ..estimators.counts import BehaviourEstimate, EvaluationTask, Player, TabularCounts
from ..estimators.critics import Critic, make_critic
from ..estimators.expected import counted_primitives, counted_solution, response_shift
from ..estimators.temperature import TemperatureEstimate
from ..estimators.vector import Rule, make_vector_estimator
from ..observing.brief import Information, JointEffect, TabularBrief, VectorBrief
from ..observing.trajectories import Trajectories
from ..options import Natural, NonNegative
from ..state import stateful
from .base import ONE_ASCENT, GradientConfig, GradientLeader, register_leader

__all__ = [
    "TabularBchg",
    "TabularBchgConfig",
    "TabularGradientLeader",
    "VectorBchg",
    "VectorBchgConfig",
    "level_from_play",
]


class TabularGradientLeader(GradientLeader):
    """A gradient leader on tables, which counts all play.

    Attributes
    ----------
    counts
        All that was seen under all commitments.
    follower_critic
        Evaluates the follower; None where everything is expected in the counted game.
    """

    brief: TabularBrief
    state_fields = stateful.fields(
        counts=stateful.Part(), follower_critic=stateful.Part(optional=True), counted_value=stateful.Number()
    )

    def __init__(self, brief: TabularBrief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        stationary = "transition" not in brief.commitment.changes
        self.counts = TabularCounts(brief.table_shape, brief.num_contexts, stationary=stationary)
        self.follower_critic = self.make_critic(brief.follower_discount)
        #: What the commitment just played is worth in the counted game.
        self.counted_value = 0.0

    def make_critic(self, discount: float) -> Critic | None:
        """Return a fresh critic of the kind that was asked for."""
        return None if self.config.critic is None else make_critic(self.config.critic, self.counts, discount)

    def soft_values(self, task: EvaluationTask, temperature: float) -> tuple[Array, float]:
        """Return V_F, shape (Z, A), from evaluating the observed behaviour with its entropy, and the critic's error."""
        assert self.follower_critic is not None  # noqa: S101 - who asks has one
        bonus = -temperature * np.log(np.where(task.behaviour > 0, task.behaviour, 1.0))
        error = self.follower_critic.update(replace(task, entropy_bonus=bonus))
        return np.einsum("zab,zab->za", task.behaviour, self.follower_critic.q + bonus), error

    def tabulated(self, coefficients: StepCotangents, steps: Trajectories) -> Cotangents:
        """Return the sums of the coefficients of recorded steps over their cells, as the commitment takes them."""
        brief, effect = self.brief, self.brief.effect(steps.commitment)
        return tabulate(
            coefficients,
            steps,
            brief.array_shape,
            wanted=brief.commitment.changes,
            leader_policy=effect.leader_policy,
            transition=effect.transition,
        )

    def judge(self, trajectories: Trajectories) -> tuple[float, float]:
        """Return the commitment's value in the counted game; its noise is not known, and small."""
        del trajectories
        return self.counted_value, 0.0


@dataclass(frozen=True)
class TabularBchgConfig(GradientConfig):
    """Hyperparameters of BC-HG with tables.

    Attributes
    ----------
    critic
        None: the estimate is the expectation of the published one, in a model of all counted play; see
        :mod:`agents.estimators.expected`. A critic, "lstd", "expected_sarsa" or "monte_carlo": sums over the steps of
        the present play, as published, with values from that critic.
    prior_visits
        How much the last estimate of the follower's policy counts beside the new play: as much as so many visits of a
        state. None: the last estimate is carried along to the new commitment, and counts the less the further that is;
        see :mod:`agents.estimators.behaviour`.
    privileged
        For ablations: what the leader is told instead of estimating it, among "temperature" and "behaviour" (the
        follower's policy). Its declared level is then RESPONSE.
    """

    critic: Literal["lstd", "expected_sarsa", "monte_carlo"] | None = None
    prior_visits: NonNegative | None = None
    privileged: tuple[Literal["temperature", "behaviour"], ...] = ()


@register_leader("bchg")
class TabularBchg(TabularGradientLeader):
    """Hypergradient by Boltzmann covariance, from play.

    It learns from play alone how the leader's value changes with the commitment, the follower's reaction included. From
    the play it counts how often the follower takes each action, and where that leads, and works out what actions are
    worth.

    If the commitment changes rewards only, the follower's actions are enough. If it changes the leader's policy or the
    dynamics, the leader also needs the follower's rewards, from which it learns what states are worth to the follower,
    entropy bonus included. If the game keeps the temperature private, that is estimated from these rewards, too.

    Attributes
    ----------
    with_response
        Whether the follower's response has a part in the estimate.
    """

    information = Information.REWARDS_OBSERVED
    Config: ClassVar[type[Any]] = TabularBchgConfig
    serves: ClassVar[frozenset[str]] = frozenset({"feasible actions", "discount 1"})
    presets: ClassVar[dict[str, dict[str, Any]]] = {"published": {**ONE_ASCENT, "critic": "lstd", "prior_visits": 1.0}}
    with_response: ClassVar[bool] = True
    state_fields = stateful.fields(
        behaviour=stateful.Part(),
        critic=stateful.Part(optional=True),
        temperature_estimate=stateful.Part(optional=True),
        _last=stateful.Array(lambda self: self.brief.commitment.shape, optional=True),
    )

    def __init__(self, brief: TabularBrief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        shape, carried = brief.table_shape, config.prior_visits is None and self.with_response
        prior = 1.0 if config.prior_visits is None else config.prior_visits
        able = brief.feasible
        self.behaviour = CarriedBehaviour(shape, able) if carried else BehaviourEstimate(shape, prior, able)
        self.critic = self.make_critic(brief.leader_discount)
        #: None where the temperature is public.
        self.temperature_estimate: TemperatureEstimate | None = None
        if self.with_response and brief.temperature is None:
            self.temperature_estimate = TemperatureEstimate(self.counts, brief.follower_discount)
        #: Whether V_F enters the gradient.
        self.uses_follower_values = self.with_response and brief.commitment.changes_play
        #: The last commitment that was observed.
        self._last: Array | None = None

    @classmethod
    def required_information(cls, commitment: Commitment, config: Any, public_temperature: bool = True) -> Information:
        """Privileged truths need the response; V_F and private temperatures are estimated from rewards."""
        if config.privileged:
            return Information.RESPONSE
        return level_from_play(cls.with_response, commitment, public_temperature)

    def gradient(self, trajectories: Trajectories) -> tuple[Array, dict[str, float]]:
        """Update the estimates, then estimate dJ/dx."""
        effect = self.brief.effect(trajectories.commitment)
        behaviour = self.observe_play(trajectories, effect)
        diagnostics = self.estimate_temperature(trajectories, effect, behaviour)
        if self.critic is None:
            cotangents = self.expected(effect, behaviour)
        else:
            values, errors = self.estimate_values(self.critic, trajectories, effect, behaviour)
            cotangents = self.tabulated(self.coefficients(trajectories, values), trajectories)
            diagnostics |= errors
        return self.brief.commitment.vjp(trajectories.commitment, cotangents), diagnostics

    def observe_play(
        self, trajectories: Trajectories, effect: JointEffect, everything: Trajectories | None = None
    ) -> Array:
        """Count the play, and return the estimate of the follower's policy under the commitment, shape (Z, A, B).

        That is from `everything`, where the leader saw more of the follower than the play that is counted here.
        """
        if isinstance(self.behaviour, CarriedBehaviour) and self._last is not None:
            games = (self.counted(self.brief.effect(self._last)), self.counted(effect))
            self.behaviour.carry(response_shift(*games, self.behaviour.smoothed, self.counts))
        behaviour = trajectories.response if "behaviour" in self.config.privileged else None
        if behaviour is None:
            behaviour = self.behaviour.update(trajectories if everything is None else everything)
        self.counts.observe(trajectories, self.announced_rewards(effect))
        self._last = np.array(trajectories.commitment)
        return behaviour

    def announced_rewards(self, effect: JointEffect) -> dict[Player, Array | None]:
        """Return what the commitment adds to the rewards of each player whose rewards are counted."""
        announced: dict[Player, Array | None] = {"leader": effect.leader_reward}
        if self.temperature_estimate is not None or self.uses_follower_values:
            announced["follower"] = effect.follower_reward
        return announced

    def estimate_temperature(
        self, trajectories: Trajectories, effect: JointEffect, behaviour: Array
    ) -> dict[str, float]:
        """Learn the temperature from the follower's rewards where it is private; return it for the record."""
        if self.temperature_estimate is None:
            return {}
        self.temperature_estimate.update(self.evaluation_task("follower", trajectories, effect, behaviour))
        return {"temperature": self.temperature_estimate.value}

    def evaluation_task(
        self, player: Player, trajectories: Trajectories, effect: JointEffect, behaviour: Array
    ) -> EvaluationTask:
        """Return what a critic of a player's rewards has to evaluate."""
        own = effect.leader_reward if player == "leader" else effect.follower_reward
        return EvaluationTask(trajectories, player, effect.leader_policy, behaviour, announced_reward=own)

    def temperature(self) -> float:
        """Return the follower's temperature, reward units: the public one, or the estimate."""
        estimate = self.temperature_estimate
        return self.brief.known_temperature if estimate is None else estimate.value

    def counted(self, effect: JointEffect) -> Primitives:
        """Return the game under a commitment as far as it was counted."""
        return counted_primitives(self.brief, self.counts, effect, self.temperature())

    def expected(self, effect: JointEffect, behaviour: Array) -> Cotangents:
        """Return the expectation of the published estimate in the counted game, as the commitment takes it."""
        solution = counted_solution(self.counted(effect), behaviour, self.counts)
        self.counted_value = solution.leader.value
        wanted, shape = self.brief.commitment.changes, self.brief.array_shape
        return solution.direct(wanted, shape) + solution.through_response(wanted, shape)

    def estimate_values(
        self, critic: Critic, trajectories: Trajectories, effect: JointEffect, behaviour: Array
    ) -> tuple[ValueEstimates, dict[str, float]]:
        """Estimate Q_L by the critic and, where needed, V_F; return them and the critics' errors."""
        errors = {"critic_error": critic.update(self.evaluation_task("leader", trajectories, effect, behaviour))}
        values = None
        if self.uses_follower_values:
            task = self.evaluation_task("follower", trajectories, effect, behaviour)
            values, errors["follower_critic_error"] = self.soft_values(task, self.temperature())
        state_values = np.einsum("za,zab,zab->z", effect.leader_policy, behaviour, critic.q)
        self.counted_value = float(self.counts.starts @ state_values / self.counts.starts.sum())
        return ValueEstimates(effect.leader_policy, behaviour, critic.q, values), errors

    def coefficients(self, trajectories: Trajectories, values: ValueEstimates) -> StepCotangents:
        """Return the coefficients of the recorded steps; other estimators replace this."""
        return boltzmann_covariance(
            trajectories,
            values,
            leader_discount=self.brief.leader_discount,
            follower_discount=self.brief.follower_discount,
            temperature=self.temperature(),
        )


@dataclass(frozen=True)
class VectorBchgConfig(GradientConfig):
    """Hyperparameters of BC-HG in vector games.

    Attributes
    ----------
    critic
        How values are found. "auto" takes what suits the game: "fitted" (values from past play, too) where the
        commitment changes the leader's policy only, unclipped, and the follower's actions are a box;
        "occupancy" (values and visits from all steps alike, with the announced dynamics) where the end of an
        episode is not felt; else "lstd". "monte_carlo" fits observed returns.
    features
        What values are linear in: "quadratic", "local" or "network", see :mod:`agents.estimators.regression`; "auto"
        takes what suits the critic and the play.
    trace
        "expected" replaces averages over single steps by fitted means, which is less noisy; "sampled" is as published,
        with the critics "lstd" and "monte_carlo". See :mod:`agents.estimators.vector`.
    replay
        How many past steps the critic "fitted" keeps beside the present ones. Only whole updates are kept.
    """

    critic: Literal["auto", "lstd", "monte_carlo", "fitted", "occupancy"] = "auto"
    features: Literal["auto", "quadratic", "local", "network"] = "auto"
    trace: Literal["expected", "sampled"] = "expected"
    replay: Natural = 4_000


@register_leader("bchg")
class VectorBchg(GradientLeader):
    """Hypergradient by Boltzmann covariance, from play.

    It does the same where states are vectors and none is seen twice: values are fitted by least squares to features of
    the state, and so is what the follower plays.

    Attributes
    ----------
    rule
        What is made of the values; other estimators have another one.
    """

    brief: VectorBrief
    kinds = frozenset({"vector"})
    information = Information.REWARDS_OBSERVED
    Config: ClassVar[type[Any]] = VectorBchgConfig
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "published": {**ONE_ASCENT, "critic": "lstd", "features": "quadratic", "trace": "sampled"}
    }
    rule: ClassVar[Rule] = Rule()
    state_fields = stateful.fields(estimator=stateful.Part())

    def __init__(self, brief: VectorBrief, config: Any, rng: np.random.Generator) -> None:
        super().__init__(brief, config, rng)
        settings = config.critic, config.features, config.trace, self.rule, rng, config.replay
        self.estimator = make_vector_estimator(brief, *settings)

    @classmethod
    def required_information(cls, commitment: Commitment, config: Any, public_temperature: bool = True) -> Information:
        """V_F and private temperatures are estimated from rewards."""
        del config
        return level_from_play(cls.rule.with_response, commitment, public_temperature)

    def gradient(self, trajectories: Trajectories) -> tuple[Array, dict[str, float]]:
        """Fit the values to the play, then estimate dJ/dx."""
        return self.estimator.gradient(trajectories)

    def judge(self, trajectories: Trajectories) -> tuple[float, float]:
        """Return what the commitment just played seems to be worth, and the standard error of that, reward units."""
        return self.estimator.judge(trajectories)


def level_from_play(with_response: bool, commitment: Commitment, public_temperature: bool) -> Information:
    """Return what has to be seen: for the direct term, and in configurations with a public temperature, the actions."""
    rewards = with_response and (commitment.changes_play or not public_temperature)
    return Information.REWARDS_OBSERVED if rewards else Information.ACTIONS_ONLY
