"""The best commitment in a matrix game: pure or mixed, with ties for or against the leader, to one type or several."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from stackelberg_envs.arrays import Array, frozen, require_at_least, require_positive
from stackelberg_envs.errors import ArgumentError, ConvergenceError
from stackelberg_envs.solvers.bimatrix.payoffs import TIE, Payoffs, checked_payoffs
from stackelberg_envs.solvers.bimatrix.programs import GAP, all_profiles, answered, best_profile, deepest

__all__ = ["StackelbergStrategies", "stackelberg_strategies"]

COMMITMENTS, TIE_BREAKS = ("mixed", "pure"), ("optimistic", "pessimistic")
#: Of choices of an action for each type, where all are tried.
MOST_PROFILES = 4096


@dataclass(frozen=True, eq=False)
class StackelbergStrategies:
    """A leader's best commitment, and what each type of follower answers.

    Attributes
    ----------
    value
        What the best commitment is worth to the leader, reward units. Where ties are broken against the leader this
        may be a supremum that no commitment attains.
    leader
        The commitment, shape (A,).
    responses
        The action of each type, shape (K,).
    follower_values
        What each type is paid, shape (K,), reward units.
    shortfall
        How much less than `value` the commitment is worth, reward units; 0 where it attains the value.
    """

    value: float
    leader: Array
    responses: Array
    follower_values: Array
    shortfall: float

    @property
    def attained(self) -> bool:
        """Whether the commitment is worth the value itself, and not only nearly so."""
        return self.shortfall == 0.0


def stackelberg_strategies(
    leader_payoff: ArrayLike,
    follower_payoff: ArrayLike,
    *,
    commitment: str = "mixed",
    tie_break: str = "optimistic",
    prior: ArrayLike | None = None,
    epsilon: float = 1e-6,
) -> StackelbergStrategies:
    """Return the best commitment in a matrix game, by linear programs.

    The leader commits to a strategy, the follower sees it and answers with its best action.

    Parameters
    ----------
    leader_payoff, follower_payoff
        Shape (A, B): leader actions by follower actions; with a prior also (K, A, B), by the follower's type. Reward
        units.
    commitment
        "mixed", to a distribution over actions; "pure", to one action.
    tie_break
        Which of several best actions the follower takes: "optimistic", the best for the leader (the strong Stackelberg
        equilibrium); "pessimistic", the worst.
    prior
        Probability of each type of follower, shape (K,). The leader does not see the type.
    epsilon
        Where no commitment attains a pessimistic value, the one returned is worth at most this part of the range of
        the leader's payoffs less.

    Raises
    ------
    GameError
        Shapes that do not fit, entries that are no finite numbers, a prior that does not sum to one.
    ArgumentError
        Words that are none of those above; pessimistic ties with so many types and actions that not all choices can be
        tried.
    ConvergenceError
        A program that HiGHS does not solve.

    Notes
    -----
    Payoffs that differ by less than 1e-8 of their range are ties. Optimistic: one linear program per action of the
    follower (Conitzer and Sandholm, 2006), or with several types a mixed-integer program that chooses the answers,
    and the linear program of these. Pessimistic: the same over answers that are strictly best somewhere (von Stengel
    and Zamir, 2010), which is where a commitment near the boundary can enforce them.

    Examples
    --------
    >>> import stackelberg_envs as se
    >>> best = se.stackelberg_strategies([[2, 4], [1, 3]], [[1, 0], [0, 1]])
    >>> best.value, best.leader.tolist()
    (3.5, [0.5, 0.5])
    >>> se.stackelberg_strategies([[2, 4], [1, 3]], [[1, 0], [0, 1]], commitment="pure").value
    3.0
    """
    _require_word(commitment, COMMITMENTS, "commitment")
    _require_word(tie_break, TIE_BREAKS, "tie_break")
    epsilon = require_positive(require_at_least(epsilon, 0.0, "epsilon"), "epsilon", ArgumentError)
    payoffs, worst = checked_payoffs(leader_payoff, follower_payoff, prior), tie_break == "pessimistic"
    if commitment == "pure":
        return _told(payoffs, *_best_pure(payoffs, worst=worst), worst=worst)
    if worst:
        return _told(payoffs, *_best_guarded(payoffs, epsilon), worst=True)
    return _told(payoffs, *_best_favoured(payoffs), worst=False)


def _best_pure(payoffs: Payoffs, *, worst: bool) -> tuple[float, Array]:
    rows = np.eye(payoffs.leader.shape[1])
    values = [_worth(payoffs, row, worst=worst)[0] for row in rows]
    best = int(np.argmax(values))
    return values[best], rows[best]


def _best_favoured(payoffs: Payoffs) -> tuple[float, Array]:
    """Return the best commitment where ties favour the leader."""
    if len(payoffs.prior) > 1:
        profile, bound = best_profile(payoffs)
        best = answered(payoffs, profile, worst=False)
        if best is None or bound > best.value + GAP:
            got = "none" if best is None else f"{best.value:.9g}"
            raise ConvergenceError(
                f"stackelberg_strategies: expected a commitment worth {bound:.9g} of the range, got {got}"
            )
        return best
    found = [answered(payoffs, profile, worst=False) for profile in all_profiles(payoffs)]
    # Some action is a best answer to every commitment.
    return max((each for each in found if each is not None), key=lambda each: each.value)


def _best_guarded(payoffs: Payoffs, epsilon: float) -> tuple[float, Array]:
    """Return the supremum where ties are broken against the leader, and a commitment that comes near it."""
    types, _, actions = payoffs.leader.shape
    if actions**types > MOST_PROFILES:
        raise ArgumentError(
            f"tie_break: expected at most {MOST_PROFILES} choices of an action for each type with 'pessimistic', "
            f"got {actions} actions and {types} types"
        )
    found = []
    for profile in all_profiles(payoffs):
        margin, middle = deepest(payoffs, profile)
        if margin > TIE:
            best = answered(payoffs, profile, worst=True)
            found += [] if best is None else [(best, margin, middle)]
    best, margin, middle = max(found, key=lambda each: each[0].value)
    if _worth(payoffs, best.strategy, worst=True)[0] >= best.value - TIE:
        return best
    # Towards the middle, ties vanish at once, and what is lost grows in proportion.
    loss = best.value - _worth(payoffs, middle, worst=True)[0]
    part = min(1.0, max(epsilon / max(loss, epsilon), 2.0 * TIE / margin))
    return best.value, (1.0 - part) * best.strategy + part * middle


def _worth(payoffs: Payoffs, x: Array, *, worst: bool) -> tuple[float, Array]:
    """Return what a commitment is worth, in parts of the range, and the answer of each type."""
    paid = np.einsum("a,kab->kb", x, payoffs.leader)
    own = np.einsum("a,kab->kb", x, payoffs.follower)
    ties = own >= own.max(axis=1, keepdims=True) - TIE
    choices = np.where(ties, paid, np.inf).argmin(axis=1) if worst else np.where(ties, paid, -np.inf).argmax(axis=1)
    return float(payoffs.prior @ paid[np.arange(len(paid)), choices]), choices


def _told(payoffs: Payoffs, value: float, x: Array, *, worst: bool) -> StackelbergStrategies:
    worth, responses = _worth(payoffs, x, worst=worst)
    lacking = value - worth
    own = np.einsum("a,kab->kb", x, payoffs.follower)[np.arange(len(responses)), responses]
    return StackelbergStrategies(
        value=payoffs.lowest + payoffs.width * value,
        leader=frozen(x),
        responses=frozen(responses),
        follower_values=frozen(payoffs.follower_lowest + payoffs.follower_width * own),
        shortfall=payoffs.width * lacking if lacking > TIE else 0.0,
    )


def _require_word(word: object, known: tuple[str, ...], name: str) -> None:
    if not (isinstance(word, str) and word in known):
        raise ArgumentError(f"{name}: expected {' or '.join(map(repr, known))}, got {word!r:.80}")
