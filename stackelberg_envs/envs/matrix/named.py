"""Matrix games with a name, and what commitment is worth in them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from stackelberg_envs.solvers.bimatrix.nash import nash_equilibria
from stackelberg_envs.solvers.bimatrix.stackelberg import stackelberg_strategies

__all__ = ["NAMED", "NamedMatrix", "mixed_value", "values"]

Table = tuple[tuple[float, ...], ...]


class NamedMatrix(NamedTuple):
    """Payoffs, and the leader's values in them.

    Attributes
    ----------
    leader, follower
        Payoffs, a row per action of the leader.
    mixed, pure
        Value of the best mixed and of the best pure commitment, ties for the leader.
    nash
        The leader's value in its best equilibrium without commitment.
    rows, columns
        Names of the players' actions.
    source
        Where the game is from.
    """

    leader: Table
    follower: Table
    mixed: float
    pure: float
    nash: float
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    source: str


NAMED = {
    "conitzer_sandholm": NamedMatrix(
        ((2, 4), (1, 3)),
        ((1, 0), (0, 1)),
        3.5,
        3.0,
        2.0,
        ("up", "down"),
        ("left", "right"),
        "Conitzer and Sandholm (2006), section 1",
    ),
    "game_3": NamedMatrix(
        ((1, 3), (0, 2)),
        ((1, 0), (0, 1)),
        2.5,
        2.0,
        1.0,
        ("up", "down"),
        ("left", "right"),
        "the same with the leader's payoffs one lower",
    ),
    "maintain": NamedMatrix(
        ((20, 0, 0), (30, 10, 0), (0, 0, 5)),
        ((15, 0, 0), (0, 5, 0), (0, 0, 10)),
        27.5,
        20.0,
        10.0,
        ("maintain", "exploit", "leave"),
        ("trust", "guard", "leave"),
        "a standard example of mixed commitment in three actions",
    ),
    "battle_of_the_sexes": NamedMatrix(
        ((2, 0), (0, 1)),
        ((1, 0), (0, 2)),
        2.0,
        2.0,
        2.0,
        ("opera", "match"),
        ("opera", "match"),
        "Luce and Raiffa (1957)",
    ),
    "matching_pennies": NamedMatrix(
        ((1, -1), (-1, 1)),
        ((-1, 1), (1, -1)),
        0.0,
        -1.0,
        0.0,
        ("heads", "tails"),
        ("heads", "tails"),
        "von Neumann (1928): in a zero-sum game commitment is worth minimax",
    ),
    "inspection": NamedMatrix(
        ((-1, -6), (0, -10)),
        ((0, -90), (0, 10)),
        -0.1,
        -1.0,
        -2.0,
        ("inspect", "rest"),
        ("comply", "cheat"),
        "Avenhaus, von Stengel and Zamir (2002), the inspector as leader; numbers of our own",
    ),
}


def values(leader: Any, follower: Any) -> dict[str, float]:
    """Return the leader's values in a game by name: "mixed", "pure" and "nash"."""
    return {
        "mixed": stackelberg_strategies(leader, follower).value,
        "pure": stackelberg_strategies(leader, follower, commitment="pure").value,
        "nash": nash_equilibria(leader, follower)[0].leader_value,
    }


def mixed_value(game: Any) -> float:
    """Return the value of the best mixed commitment, computed again by linear programs."""
    facts = game.facts
    return float(
        stackelberg_strategies(
            np.asarray(facts["leader_payoff"]), np.asarray(facts["follower_payoff"]), prior=game.context_probabilities
        ).value
    )
