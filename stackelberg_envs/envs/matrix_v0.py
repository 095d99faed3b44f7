"""Matrix games: the leader commits to a mixed strategy, and the follower, who sees it, answers.

| | |
| --- | --- |
| id | `stackelberg/Matrix-v0` |
| states S | 1 + B: the choice, and one for each answer |
| leader actions A | the rows of the game |
| follower actions B | the columns of the game |
| contexts K | one per type of follower |
| commitment | a distribution over rows, shape (1, A) |
| horizon | 2 |
| discounts | 1, 1 |
| temperature | 0.05 |

What x changes
    How likely each row is. The follower sees x, but not the row that is drawn.
Dynamics
    The follower chooses a column. Then a row is drawn from x, both are paid, and the episode is over.
Follower's reward
    ``follower_payoff`` of the row and the column.
Leader's reward
    ``leader_payoff`` of the row and the column.
End
    After one round, which has two steps.
What is known
    What the best mixed commitment is worth against a follower without errors: 3.5 at (0.5, 0.5) in
    `conitzer_sandholm`, 2.5 at (0.5, 0.5) in `game_3`, 27.5 at (0.25, 0.75, 0) in `maintain`; certified by linear
    programs, one for each answer. The best pure commitments are worth 3, 2 and 20, the best equilibria without
    commitment 2, 1 and 10. A follower with errors makes the best commitment less sharp. At temperature 0.05 it is
    worth 3.365766, 2.365766 and 27.307916, and as the temperature falls the value goes to that of the program. Any
    other game is solved by ``stackelberg_envs.stackelberg_strategies(leader_payoff, follower_payoff)``.
What learning leaders reach
    With defaults, 50 updates of 400 steps, seeds 0 and 1: shares of the way from the even mixture to the best known
    value, as ``python benchmarks/untuned.py closed-form-v1 --each`` tells them. `certainty_equivalent`: 100 % in
    `conitzer_sandholm`, `game_3`, `maintain` and `inspection`.
    `bchg`: 99.99 % and 80 %, the same in `game_3`, 98.7 % and 96.8 %, 98.4 % and 99.7 %.
Arguments
    ``matrix``, a name, or ``leader_payoff`` and ``follower_payoff``, with ``prior`` for several types; ``temperature``.
Sources
    Conitzer and Sandholm (2006), Computing the optimal strategy to commit to; von Stengel and Zamir (2010), Leadership
    games with convex strategy sets.
Version history
    v0: first version.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stackelberg_envs.envs.matrix.named import NAMED
from stackelberg_envs.errors import ArgumentError, unknown_name
from stackelberg_envs.faces.best_known import known_facts
from stackelberg_envs.faces.references import Reference
from stackelberg_envs.faces.registration import declare
from stackelberg_envs.games.simultaneous import simultaneous_game
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.solvers.bimatrix.payoffs import checked_tables

ID = "stackelberg/Matrix-v0"


def make_game(
    *,
    matrix: str | None = None,
    leader_payoff: Sequence[Any] | None = None,
    follower_payoff: Sequence[Any] | None = None,
    prior: Sequence[float] | None = None,
    temperature: float = 0.05,
) -> TabularGame:
    """Matrix games as tabular games of one round.

    Parameters
    ----------
    matrix
        Name of a game; default `conitzer_sandholm`, where no payoffs are given.
    leader_payoff, follower_payoff
        Shape (A, B), rows of the leader by columns of the follower, or by type (K, A, B); reward units.
    prior
        Probability of each type of follower, shape (K,); default one type.
    temperature
        Weight of the follower's entropy, reward units.

    Raises
    ------
    UnknownNameError
        No game of that name.
    ArgumentError
        A name and payoffs, or payoffs of one player only.
    GameError
        Payoffs whose shapes do not fit, or a prior that does not sum to one.
    """
    if matrix is None and leader_payoff is None and follower_payoff is None:
        if prior is not None:
            raise ArgumentError("prior: expected leader_payoff and follower_payoff with it, got neither")
        matrix = "conitzer_sandholm"
    given = [each is not None for each in (leader_payoff, follower_payoff)]
    if matrix is not None and (any(given) or prior is not None):
        raise ArgumentError("matrix: expected a name or payoffs, got both")
    if matrix is not None:
        return _named(matrix, temperature)
    if leader_payoff is None or follower_payoff is None:
        raise ArgumentError(f"leader_payoff, follower_payoff: expected both, got {sum(given)} of them")
    setting = {"leader_payoff": leader_payoff, "follower_payoff": follower_payoff, "prior": prior}
    return _game(
        leader_payoff, follower_payoff, prior, temperature, known_facts(ID, temperature=temperature, **setting)
    )


def _named(name: str, temperature: float) -> TabularGame:
    if name not in NAMED:
        raise unknown_name("matrix", name, NAMED)
    found = NAMED[name]
    reference = Reference(
        found.mixed, "certified by linear program", "temperature 0, ties for the leader", found.source
    )
    facts = {
        **known_facts(ID, matrix=name, temperature=temperature),
        "reference": reference.as_fact(),
        "pure_value": found.pure,
        "nash_value": found.nash,
        "rows": found.rows,
        "columns": found.columns,
    }
    return _game(found.leader, found.follower, None, temperature, facts)


def _game(leader: Any, follower: Any, prior: Any, temperature: float, facts: dict[str, Any]) -> TabularGame:
    paid, own, _ = checked_tables(leader, follower, prior)
    _, A, B = paid.shape
    names = {"rows": tuple(f"row {a}" for a in range(A)), "columns": tuple(f"column {b}" for b in range(B))}
    if prior is None:
        paid, own = paid[0], own[0]
    return simultaneous_game(
        # With types, a single state.
        paid if prior is None else paid[:, None],
        own if prior is None else own[:, None],
        temperature=temperature,
        context_probabilities=prior,
        states=("choice",),
        name="Matrix game",
        facts={"leader_payoff": paid, "follower_payoff": own, **names, **facts},
    )


FACES = declare(
    make_game,
    renderer="stackelberg_envs.pictures.tables:tables",
    reference="stackelberg_envs.envs.matrix.named:mixed_value",
)
raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES
followers_aec_env, leader_vector_env = FACES.followers_aec_env, FACES.leader_vector_env
parallel_vector_env = FACES.parallel_vector_env
