"""A model of the game made of what was observed, and nothing else: counts, mean rewards, ends of episodes.

It is one file because all of it reads the same counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, IntArray, require_at_least
from stackelberg_envs.errors import InformationError, OutputError
from stackelberg_envs.games.primitives import Primitives
from stackelberg_envs.games.transitions import Transition

from ...observing.brief import TabularBrief
from ...observing.trajectories import Trajectories
from ...state import stateful
from ...state.stateful import Pending, Stateful
from ...state.tree import Tree
from ..counted_ends import CountedEnd, counted_end
from ..counts import Player, TabularCounts, rewards_of
from ..likelihood import (
    BehaviourModel,
    CommitmentHistory,
    PlayFit,
    PlayLikelihood,
    action_likelihood,
    likeliest_temperature,
    trembled,
)

__all__ = ["CountedModel", "ObservedModel"]

#: Nats. By chance alone, a parameter that is not there gains so much in one of 600 fits.
LEAST_GAIN = 5.0
#: Rewards of one (z, a, b) that differ by less than this part of what those of its neighbours do, differ by rounding.
SCATTERED = 1e-6
#: Bound on the error of the follower's values, in temperatures.
TOLERANCE = 1e-9
#: Temperatures that the penalty of an untried action may fall or rise by at once.
FALLS, RISES = -1.0, 5.0


@dataclass(frozen=True, eq=False)
class CountedModel:
    """The averages of what was counted.

    Attributes
    ----------
    leader_reward, follower_reward
        Without what commitments set, reward units, shape (Z, A, B).
    untried
        Whether an action was never taken where others were, shape (Z, A, B).
    known
        1 - 1 / (1 + visits): how much of what is believed of (z, a, b) was seen, shape (Z, A, B).
    initial
        Distribution of first states, shape (Z,).
    continuing
        1 where play was seen to go on, shape (Z,).
    transition
        The dynamics, corrected by the last fit; lists name the same successors for every action of (z, a).
    end
        How soon play ends in it, where a discount is 1.
    """

    leader_reward: Array
    follower_reward: Array
    untried: Array
    known: Array
    initial: Array
    continuing: Array
    transition: Transition
    end: CountedEnd


class ObservedModel(Stateful):
    """What the leader believes the game to be.

    Rewards and dynamics of (z, a, b) are averages over its visits, shrunk towards those of (z, a), whatever the
    follower did there: what an untried action does is guessed to be what the tried ones do. But a follower that
    did not take it in n visits finds it worse: its reward is guessed lower by temperature * log(1 + n), at which
    it would be taken about once in n visits, or by more if what was done elsewhere says so (:meth:`calibrate`). The
    part of the rewards that the commitment itself sets is known, taken out and put back. :meth:`fit` fits the
    dynamics, and what is not known of the follower, to its actions as well.

    Parameters
    ----------
    brief
        What the leader knows beforehand.
    shrinkage
        Weight of the average over follower actions, in visits.

    Attributes
    ----------
    behaviour
        How the follower is taken to behave; None while its temperature is unknown. May be set.
    counts
        All that was seen.
    """

    state_fields = stateful.fields(
        **{name: stateful.Array(low=0.0) for name in ("_starts", "_ends", "_penalty")},
        _scatter=stateful.Array((2,), low=0.0),
        counts=stateful.Part(),
        behaviour=stateful.Record(
            BehaviourModel,
            temperature=stateful.Number(low=1e-300, high=1e300),
            tremble=stateful.Number(high=1.0),
            optional=True,
        ),
        _correction=stateful.Tuple(
            stateful.Array(
                lambda self: self.lists_shape, dtype=np.int32, low=0, high=lambda self: len(self._starts) - 1
            ),
            stateful.Array(lambda self: self.lists_shape),
            optional=True,
        ),
    )

    def __init__(self, brief: TabularBrief, shrinkage: float = 1.0) -> None:
        shape = brief.table_shape
        self.brief = brief
        self.shrinkage = require_at_least(shrinkage, 0.0, "shrinkage")
        self.behaviour = None if brief.temperature is None else BehaviourModel(brief.temperature)
        self.counts = TabularCounts(shape)
        self._starts, self._ends = np.zeros(shape[0]), np.zeros(shape[0])
        #: Sums over steps of how far a reward was from the mean of its (z, a, b): the leader's, the follower's.
        self._scatter = np.zeros(2)
        #: Successors, and what the last fit added to the counts.
        self._correction: tuple[IntArray, Array] | None = None
        self._counted: CountedModel | None = None
        #: What the play says of actions never taken, in temperatures.
        self._penalty = np.zeros(shape)
        #: The last tremble that was asked for, and the dynamics believed with it.
        self._trembled: tuple[float, Transition] | None = None

    @property
    def lists_shape(self) -> tuple[int | None, ...]:
        """Z, A, B, and any width."""
        return self.counts.lists_shape

    def checked_state(self, tree: Tree, where: str) -> Pending:
        """Return a state that was checked; what follows from counts and fits is worked out again."""
        pending = super().checked_state(tree, where)

        def apply() -> None:
            pending.apply()
            self._counted = self._trembled = None

        return Pending(apply)

    def check_state(self, loaded: dict[str, Any], where: str) -> None:
        """Raise OutputError unless the last fit has a number for each successor, and a public temperature its value."""
        behaviour, public = loaded["behaviour"], self.brief.temperature
        if public is not None and (behaviour is None or behaviour.temperature != public):
            raise OutputError(f"{where}.behaviour: expected the public temperature {public}, got another")
        if loaded["_correction"] is not None and np.shape(loaded["_correction"][0]) != loaded["_correction"][1].shape:
            raise OutputError(f"{where}._correction: expected as many numbers as successors, got others")

    def observe(self, seen: Trajectories) -> None:
        """Add the play under one commitment.

        Raises
        ------
        InformationError
            The follower's rewards were not observed.
        """
        z, own = seen.joint_state, self.brief.effect(seen.commitment)
        announced: dict[Player, Array | None] = {"leader": own.leader_reward, "follower": own.follower_reward}
        self.counts.observe(seen, announced)
        at = z, seen.leader_action, seen.follower_action
        for i, (player, part) in enumerate(announced.items()):
            means = self.counts.mean_reward(player)[at] + (0.0 if part is None else part[at])
            self._scatter[i] += float(np.abs(rewards_of(seen, player) - means).sum())
        np.add.at(self._starts, z[seen.offsets[:-1]], 1.0)
        np.add.at(self._ends, z[seen.ends], 1.0)
        self._counted = self._trembled = None

    @property
    def size(self) -> int:
        """How many probabilities its transition lists hold: what one evaluation reads at least once."""
        return self.counted.transition.probabilities.size

    @property
    def counted(self) -> CountedModel:
        """The averages of all that was observed, and of the last fit."""
        if self._counted is None:
            self._counted = self._averages()
        return self._counted

    def primitives(self, x: Array, behaviour: BehaviourModel | None = None) -> Primitives:
        """Return the model under a commitment, with the observed dynamics unless the commitment sets them.

        Parameters
        ----------
        x
            The commitment.
        behaviour
            The follower's; default the model's own.

        Raises
        ------
        InformationError
            The temperature is private, and no behaviour is given or set.
        """
        brief = self.brief
        behaviour = self.behaviour if behaviour is None else behaviour
        if behaviour is None:
            raise InformationError("model: expected the follower's temperature, got none; this game keeps it private")
        counted = self.counted
        effect = brief.effect(x)
        transition, believed = self._dynamics(effect.transition, behaviour.tremble)
        leader = counted.leader_reward
        follower = counted.follower_reward - behaviour.temperature * self.untried_penalty
        follower = follower if effect.follower_reward is None else follower + effect.follower_reward
        leader = leader if effect.leader_reward is None else leader + effect.leader_reward
        if brief.feasible is not None:
            follower, leader = (np.where(brief.feasible, reward, 0.0) for reward in (follower, leader))
        ends, most = counted.end if effect.transition is None else self._end(transition, counted.continuing)
        return Primitives(
            leader_policy=effect.leader_policy,
            follower_reward=follower,
            leader_reward=leader,
            transition=transition,
            believed_transition=believed,
            initial=counted.initial,
            continuing=counted.continuing,
            leader_discount=min(brief.leader_discount, most),
            follower_discount=min(brief.follower_discount, most),
            temperature=behaviour.temperature,
            num_contexts=brief.num_contexts,
            feasible=brief.feasible,
            ends=ends,
        )

    @property
    def able(self) -> NDArray[np.bool_]:
        """Which actions can be taken, shape (Z, A, B)."""
        feasible = self.brief.feasible
        return np.ones(self.brief.table_shape, dtype=np.bool_) if feasible is None else feasible

    def _end(self, transition: Transition, continuing: Array) -> CountedEnd:
        return counted_end(self.brief.longest_discount, transition, continuing, float(self.counts.visits.sum()))

    @property
    def _leads(self) -> Array | None:
        """1 where something was seen of (z, a), else 0, shape (Z, A, B); None where what was never seen stays in place.

        With discount 1 it leads nowhere: to stay would be to play for ever.
        """
        if self.brief.longest_discount < 1.0:
            return None
        seen = self.counts.counts.sum(axis=(2, 3)) > 0
        return np.repeat(seen[:, :, None], self.brief.table_shape[2], axis=2).astype(np.float64)

    @property
    def untried_penalty(self) -> Array:
        """By so many temperatures the reward of an action that was never taken is guessed to be lower, (Z, A, B)."""
        least = np.log1p(self.counts.visits.sum(axis=2, keepdims=True))
        return np.where(self.counted.untried, np.maximum(least, self._penalty), 0.0)

    def calibrate(self, seen: list[tuple[Array, Array]], *, whole: bool = True, rounds: int = 1) -> None:
        """Move the penalties of untried actions to the least ones that fit the play.

        Whoever would walk towards an untried action if that were better, and did not, says as much of it as who stood
        before it. So what counts is the derivative of the log-likelihood of all actions by the penalty of one: it is
        to be one, as where one visit would be expected and none was seen.

        Parameters
        ----------
        seen
            Commitments with the actions seen under each, shape (Z, A, B).
        whole
            Whether that is all that is kept; from a part of it, penalties only rise.
        rounds
            How often at most. Where an action would be taken all the time, that says only that its penalty is too
            small; then it is raised to the one at which the action would be taken once, and all are looked at again.
        """
        untried = self.counted.untried
        if self.behaviour is None or not untried.any():
            return
        for number in range(rounds):
            missed, now = np.zeros(untried.shape), self.untried_penalty
            for x, counts in seen:
                missed -= action_likelihood(self.primitives(x), counts, self.able, None)[1]
            change = np.log(np.maximum(self.behaviour.temperature * missed, 1e-300))
            change = np.clip(change, FALLS if whole else 0.0, RISES)
            tempting = np.logical_and(untried, change >= RISES)
            if number + 1 < rounds and tempting.any():
                least = self._least_penalty(seen, self.behaviour.temperature)
                more = np.logical_and(tempting, least <= now)
                self._penalty = np.where(more, now + RISES, np.maximum(now, least))
            else:
                self._penalty = np.where(untried, np.maximum(now + change, 0.0), 0.0)
                return

    def _least_penalty(self, seen: list[tuple[Array, Array]], temperature: float) -> Array:
        """Return penalties of untried actions at which each would be taken once where the follower was, or less."""
        from stackelberg_envs.solvers.soft import soft_best_response  # only who plans loads solvers

        untried, tried = self.counted.untried, self.counts.visits > 0
        least = np.zeros(untried.shape)
        for x, counts in seen:
            n = counts.sum(axis=2, keepdims=True)
            scaled = soft_best_response(self.primitives(x), tolerance=TOLERANCE).q / temperature
            known = np.where(tried, scaled, -np.inf)
            most = known.max(axis=2, keepdims=True, initial=-1e300)
            values = most + np.log(np.maximum(np.exp(known - most).sum(axis=2, keepdims=True), 1e-300))
            excess = self.untried_penalty + scaled - values + np.log(np.maximum(n, 1.0))
            least = np.where(np.logical_and(untried, n > 0), np.maximum(least, excess), least)
        return least

    def optimistic(self, x: Array, heaven: float) -> Primitives:
        """Return the model under a commitment, in which little known pairs may be worth as much as the best known.

        As if each had been visited once more and had led there. The follower believes nothing of it.

        Parameters
        ----------
        x
            The commitment.
        heaven
            What the leader gets there in all, reward units.
        """
        made, own, known = self.primitives(x), self.brief.effect(x), self.counted.known
        announced = 0.0 if own.leader_reward is None else own.leader_reward
        reward = announced + known * (made.leader_reward - announced) + (1.0 - known) * heaven
        if own.transition is not None:  # nothing is unknown of the dynamics
            return replace(made, leader_reward=reward)
        lists = made.transition
        moves = Transition(lists.successors, lists.probabilities * known[..., None])
        return replace(made, leader_reward=reward, transition=moves)

    def _dynamics(self, announced: Transition | None, tremble: float) -> tuple[Transition, Transition]:
        """Return the dynamics and what the follower believes; it believes those that the commitment sets."""
        if announced is not None:
            return announced, announced
        own = self.counted.transition
        if tremble == 0.0:
            return own, own
        if self._trembled is None or self._trembled[0] != tremble:
            self._trembled = tremble, trembled(own, tremble)
        return own, self._trembled[1]

    def _first_temperature(self) -> float:
        """Return a temperature of the size of the follower's rewards, for what nobody ever did while it is unknown."""
        seen = self.counted.follower_reward[self.counts.visits > 0]
        # Where all rewards are alike any temperature is as good as another.
        return float(np.ptp(seen)) or float(np.abs(seen).max(initial=0.0)) or 1.0

    def _averages(self) -> CountedModel:
        visits = self.counts.visits
        successors, counts, correction = self._lists()
        weights, leads = np.maximum(counts + correction, 0.0), self._leads
        probabilities = weights / weights.sum(axis=-1, keepdims=True)
        transition = Transition(successors, probabilities if leads is None else probabilities * leads[..., None])
        # A state only seen as the last of a cut episode: nothing is known of what follows, so nothing does.
        continuing = ((visits.sum(axis=(1, 2)) > 0) & (self._ends == 0)).astype(np.float64)
        return CountedModel(
            leader_reward=self._shrunk(self.counts.leader_reward, self._scatter[0]),
            follower_reward=self._shrunk(self.counts.follower_reward, self._scatter[1]),
            untried=(visits == 0) & (visits.sum(axis=2, keepdims=True) > 0) & self.able,
            known=visits / (1.0 + visits),
            initial=self._starts / self._starts.sum(),
            continuing=continuing,
            transition=transition,
            end=self._end(transition, continuing),
        )

    def _shrunk(self, totals: Array, scatter: float) -> Array:
        """Return mean rewards, those of rare visits nearer to the mean of (z, a) where rewards scatter.

        That mean counts as so many visits as the variance of one reward is larger than that between actions, and as
        `shrinkage` ones at most; as none where a reward seen once is known.
        """
        visits = self.counts.visits
        pooled = totals.sum(axis=2, keepdims=True) / np.maximum(visits.sum(axis=2, keepdims=True), 1.0)
        means = np.where(visits > 0, totals / np.maximum(visits, 1.0), pooled)
        steps = float(visits.sum())
        again, between = steps - float((visits > 0).sum()), float((visits * np.abs(means - pooled)).sum())
        ratio = scatter * steps / (again * between) if again > 0 and between > 0 else 1.0
        k = self.shrinkage * (0.0 if ratio < SCATTERED else min(ratio, 1.0) ** 2)
        return np.asarray(np.where(visits > 0, (totals + k * pooled) / np.maximum(visits + k, 1.0), pooled))

    def _lists(self) -> tuple[IntArray, Array, Array]:
        """Return successors, counts with pseudo-counts, and the correction by the last fit, of one shape.

        The lists name, for every action of (z, a), all that any of them led to.
        """
        successors, counts = self.counts.successors, self.counts.counts
        correction = np.zeros_like(counts)
        if self._correction is not None:
            fitted, change = self._correction
            successors = np.concatenate([successors, fitted], axis=-1)
            counts, correction = (
                np.concatenate(pair, axis=-1) for pair in ((counts, np.zeros_like(change)), (correction, change))
            )
        successors, (counts, correction) = common_lists(successors, counts, correction)
        pooled = counts.sum(axis=2, keepdims=True)
        counts += self.shrinkage * pooled / np.maximum(pooled.sum(axis=-1, keepdims=True), 1.0)
        # A pair (z, a) never seen stays where it is.
        unseen = counts.sum(axis=-1) == 0
        successors[unseen, 0] = np.nonzero(unseen)[0]
        counts[unseen, 0] = 1.0
        return successors, counts, correction

    def fit(self, commitments_seen: CommitmentHistory, *, belief: bool, iterations: int) -> PlayFit | None:
        """Fit the dynamics, the temperature where it is private and, on demand, the belief to all that was seen.

        Later play adds to the fitted dynamics as to counts.

        Parameters
        ----------
        commitments_seen
            The actions seen under commitments.
        belief
            Whether the tremble is estimated; otherwise it stays. It has to raise the log-likelihood by
            ``LEAST_GAIN``: in a small game it can hardly be told from the temperature.
        iterations
            At most; see :meth:`agents.estimators.likelihood.PlayLikelihood.fit`.

        Returns
        -------
        PlayFit or None
            None where the actions do not tell the temperature: nothing has changed then; and where the commitment
            sets the dynamics: there is nothing to fit but the temperature, and the follower believes what is set.
        """
        tables = commitments_seen.tables()
        counts, choices = [n for _, n in tables], self.counts.visits > 0
        games = [self.primitives(x, self.behaviour or BehaviourModel(self._first_temperature())) for x, _ in tables]
        announced = "transition" in self.brief.commitment.changes
        start, private = self.behaviour, self.brief.temperature is None
        if start is None or (private and announced):
            found = likeliest_temperature(games, counts, choices)
            start = None if found is None else BehaviourModel(found)
        if start is None or announced or not iterations:
            self.behaviour = start or self.behaviour
            return None
        successors, seen, correction = self._lists()
        corrected = np.maximum(seen + correction, 0.0)
        first = corrected / corrected.sum(axis=-1, keepdims=True)
        likelihood = PlayLikelihood(games, counts, choices, seen, self._leads)
        fit = likelihood.fit(start, first, free=(private, start.tremble != 0.0), iterations=iterations)
        if belief and start.tremble == 0.0:
            wider = likelihood.fit(fit.behaviour, fit.probabilities, free=(private, True), iterations=iterations)
            fit = wider if wider.value > fit.value + LEAST_GAIN else fit
        self.behaviour = fit.behaviour
        self._correction = successors, seen.sum(axis=-1, keepdims=True) * fit.probabilities - seen
        self._counted = self._trembled = None
        return fit


def common_lists(successors: IntArray, *weights: Array) -> tuple[IntArray, list[Array]]:
    """Return weights of successors in lists that name, for every follower action of (z, a), the same ones.

    Parameters
    ----------
    successors
        Shape (Z, A, B, N); where all weights are zero the successor means nothing.
    *weights
        One or more arrays of that shape.

    Returns
    -------
    tuple
        Successors in rising order, shape (Z, A, B, W) with W the longest list needed, and each array of weights in
        that shape; weights of the same successor are added.
    """
    Z, A, B, N = successors.shape
    used = np.any([array != 0 for array in weights], axis=0)
    # Z stands for "none": it sorts last, and ends in a place of its own behind the lists.
    states = np.where(used, successors, Z).reshape(Z, A, B * N)
    order = np.argsort(states, axis=-1, kind="stable")
    ranked = np.take_along_axis(states, order, axis=-1)
    new = np.diff(ranked, axis=-1, prepend=-1) != 0
    width = max(1, int((new & (ranked < Z)).sum(axis=-1).max()))
    rank = np.minimum(np.cumsum(new, axis=-1) - 1, width)
    own = np.arange(Z, dtype=np.int32)[:, None, None]
    lists = np.broadcast_to(own, (Z, A, width + 1)).copy()
    np.put_along_axis(lists, rank, np.where(ranked < Z, ranked, own), axis=-1)
    place = np.empty_like(rank)
    np.put_along_axis(place, order, rank, axis=-1)
    index = (*np.indices((Z, A, B, N), sparse=True)[:3], place.reshape(Z, A, B, N))
    shared = np.broadcast_to(lists[:, :, None, :width], (Z, A, B, width))
    return np.ascontiguousarray(shared), [_gathered(array, index, width) for array in weights]


def _gathered(weights: Array, index: tuple[NDArray[np.intp], ...], width: int) -> Array:
    out = np.zeros((*weights.shape[:3], width + 1))
    np.add.at(out, index, weights)
    return np.ascontiguousarray(out[..., :width])
