"""Best commitments in matrix games: linear programs against enumeration, grids, minimax and known answers."""

import itertools

import numpy as np
import pytest
from scipy.optimize import linprog

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError, GameError

SANDHOLM = [[2, 4], [1, 3]], [[1, 0], [0, 1]]
GAME_3 = [[1, 3], [0, 2]], [[1, 0], [0, 1]]
MAINTAIN = [[20, 0, 0], [30, 10, 0], [0, 0, 5]], [[15, 0, 0], [0, 5, 0], [0, 0, 10]]


def drawn(seed, shape):
    """Payoffs of both players at random."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape), rng.normal(size=shape)


def worth(leader, follower, x, best):
    """What a commitment is worth where ties go to the best, or the worst, for the leader; payoffs shape (A, B)."""
    paid, own = x @ leader, x @ follower
    return best(paid[own >= own.max() - 1e-9])


def crossings(follower):
    """Every strategy at which as many actions are unplayed, or tie, as make a point: the vertices of the regions."""
    A, B = follower.shape
    ties = [follower[:, b] - follower[:, c] for b, c in itertools.combinations(range(B), 2)]
    rows = np.array([*np.eye(A), *ties])
    for chosen in itertools.combinations(range(len(rows)), A - 1):
        system = np.vstack([rows[list(chosen)], np.ones(A)])
        if abs(np.linalg.det(system)) > 1e-9:
            x = np.linalg.solve(system, np.append(np.zeros(A - 1), 1.0))
            if (x >= -1e-12).all():
                yield np.maximum(x, 0.0)


@pytest.mark.parametrize(
    ("game", "commitment", "value", "leader"),
    [
        (SANDHOLM, "mixed", 3.5, [0.5, 0.5]),
        (SANDHOLM, "pure", 3.0, [0, 1]),
        (GAME_3, "pure", 2.0, [0, 1]),
        (GAME_3, "mixed", 2.5, [0.5, 0.5]),
        (MAINTAIN, "pure", 20.0, [1, 0, 0]),
        (MAINTAIN, "mixed", 27.5, [0.25, 0.75, 0]),
    ],
)
def test_known_answers(game, commitment, value, leader):
    found = se.stackelberg_strategies(*game, commitment=commitment)
    assert found.value == pytest.approx(value, abs=1e-12)
    np.testing.assert_allclose(found.leader, leader, atol=1e-12)
    assert found.attained
    assert found.shortfall == 0.0


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("shape", [(2, 3), (3, 3), (4, 3), (3, 5)])
def test_programs_find_the_best_of_all_vertices(shape, seed):
    leader, follower = drawn(seed, shape)
    found = se.stackelberg_strategies(leader, follower)
    best = max(worth(leader, follower, x, np.max) for x in crossings(follower))
    assert found.value == pytest.approx(best, abs=1e-9)
    assert worth(leader, follower, found.leader, np.max) == pytest.approx(found.value, abs=1e-7)
    assert found.follower_values == pytest.approx((found.leader @ follower).max(), abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_without_exact_ties_in_payoffs_pessimism_costs_no_more_than_epsilon(seed):
    leader, follower = drawn(seed, (3, 4))
    kind, guarded = (
        se.stackelberg_strategies(leader, follower, tie_break=word) for word in ("optimistic", "pessimistic")
    )
    assert guarded.value == pytest.approx(kind.value, abs=1e-7)
    got = worth(leader, follower, guarded.leader, np.min)
    assert guarded.value - got == pytest.approx(guarded.shortfall, abs=1e-7)
    assert guarded.shortfall <= 1.01e-6 * np.ptp(leader)


def test_of_actions_that_are_always_the_same_a_pessimist_counts_on_the_worst():
    leader, follower = np.array([[3.0, 0.0, 1.0], [0.0, 2.0, 1.0]]), np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
    kind, guarded = (
        se.stackelberg_strategies(leader, follower, tie_break=word) for word in ("optimistic", "pessimistic")
    )
    assert kind.value == pytest.approx(3.0)
    assert guarded.value == pytest.approx(6 / 5)
    np.testing.assert_allclose(guarded.leader, [0.4, 0.6])
    assert guarded.attained


def test_a_value_that_ties_alone_lead_to_is_lost_to_a_pessimist():
    # The second answer is best nowhere strictly; only a tie on the whole set would lead there.
    leader, follower = np.array([[0.0, 9.0], [0.0, 9.0]]), np.array([[1.0, 1.0], [1.0, 0.0]])
    assert se.stackelberg_strategies(leader, follower).value == pytest.approx(9.0)
    assert se.stackelberg_strategies(leader, follower, tie_break="pessimistic").value == pytest.approx(0.0)
    assert se.stackelberg_strategies(leader, follower, commitment="pure", tie_break="pessimistic").value == 0.0


@pytest.mark.parametrize("epsilon", [1e-2, 1e-4])
def test_what_is_not_attained_is_approached_as_near_as_asked(epsilon):
    found = se.stackelberg_strategies(*SANDHOLM, tie_break="pessimistic", epsilon=epsilon)
    assert found.value == pytest.approx(3.5)
    assert not found.attained
    assert found.shortfall == pytest.approx(3 * epsilon)
    leader, follower = map(np.array, SANDHOLM)
    assert worth(leader, follower, found.leader, np.min) == pytest.approx(3.5 - 3 * epsilon)


@pytest.mark.parametrize("seed", range(4))
def test_in_zero_sum_games_commitment_is_worth_minimax(seed):
    leader, _ = drawn(seed, (4, 5))
    found = linprog([0.0] * 5 + [1.0], np.hstack([leader, -np.ones((4, 1))]), np.zeros(4), [[1.0] * 5 + [0.0]], [1.0],
                    bounds=[(0, 1)] * 5 + [(None, None)])  # fmt: skip
    for word in ("optimistic", "pessimistic"):
        assert se.stackelberg_strategies(leader, -leader, tie_break=word).value == pytest.approx(found.fun, abs=1e-7)


@pytest.mark.parametrize("seed", range(6))
def test_a_mixed_commitment_is_worth_a_pure_one_and_the_best_equilibrium_without_commitment(seed):
    leader, follower = drawn(seed, (3, 4))
    mixed = se.stackelberg_strategies(leader, follower).value
    assert mixed >= se.stackelberg_strategies(leader, follower, commitment="pure").value - 1e-9
    assert mixed >= se.nash_equilibria(leader, follower)[0].leader_value - 1e-9


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("types", [2, 3])
def test_several_types_against_enumeration_and_a_grid(types, seed):
    leader, follower = drawn(seed, (types, 3, 3))
    prior = np.random.default_rng(seed).dirichlet(np.ones(types))
    found = se.stackelberg_strategies(leader, follower, prior=prior)
    guarded = se.stackelberg_strategies(leader, follower, prior=prior, tie_break="pessimistic")

    def told(x, best):
        return sum(prior[k] * worth(leader[k], follower[k], x, best) for k in range(types))

    assert told(found.leader, np.max) == pytest.approx(found.value, abs=1e-6)
    # Pessimistic values come from all choices of answers, one by one; payoffs at random have no ties to lose.
    assert found.value == pytest.approx(guarded.value, abs=1e-6)
    grid = [np.array([i, j, 40 - i - j]) / 40 for i in range(41) for j in range(41 - i)]
    on_grid = max(told(x, np.max) for x in grid)
    assert found.value - 0.15 * np.ptp(leader) <= on_grid <= found.value + 1e-9


def test_types_that_are_all_the_same_are_one():
    leader, follower = MAINTAIN
    found = se.stackelberg_strategies(leader, [follower, follower], prior=[0.3, 0.7])
    assert found.value == pytest.approx(27.5, abs=1e-6)
    assert found.responses.tolist() == [0, 0]
    pure = se.stackelberg_strategies(leader, [follower, follower], prior=[0.3, 0.7], commitment="pure")
    assert pure.value == 20.0


def test_payoffs_in_other_units_have_the_same_answer():
    leader, follower = map(np.array, MAINTAIN)
    found = se.stackelberg_strategies(1e6 * leader - 3e7, 1e-3 * follower + 5)
    np.testing.assert_allclose(found.leader, [0.25, 0.75, 0], atol=1e-9)
    assert found.value == pytest.approx(27.5e6 - 3e7)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        (([1, 2], [[1, 2]]), {}, GameError, r"leader_payoff: expected shape \(A, B\)"),
        (([[1, 2]], [[1, 2], [3, 4]]), {}, GameError, r"follower_payoff: expected shape \(1, 2\)"),
        (([[1, np.nan]], [[1, 2]]), {}, GameError, "leader_payoff: expected finite numbers"),
        ((np.zeros((0, 2)), [[1, 2]]), {}, GameError, "leader_payoff"),
        (([[1, 2]], [[1, 2]]), {"prior": [0.5, 0.6]}, GameError, "prior: expected rows that sum to one"),
        (([[1, 2]], [[1, 2]]), {"prior": 1.0}, GameError, "prior: expected a probability of each type"),
        (([[1, 2]], [[[1, 2]]] * 3), {"prior": [0.5, 0.5]}, GameError, r"follower_payoff: .* \(2, A, B\)"),
        (([[1, 2]], [[1, 2]]), {"tie_break": np.array(["optimistic", "x"])}, ArgumentError, "tie_break: expected 'opt"),
        (([[1, 2]], [[1, 2]]), {"commitment": "blind"}, ArgumentError, "commitment: expected 'mixed' or 'pure'"),
        (([[1, 2]], [[1, 2]]), {"tie_break": "fair"}, ArgumentError, "tie_break: expected 'optimistic'"),
        (([[1, 2]], [[1, 2]]), {"epsilon": 0.0}, ArgumentError, "epsilon: expected a number greater than 0"),
        (
            (np.zeros((2, 5)), np.zeros((6, 2, 5))),
            {"prior": np.full(6, 1 / 6), "tie_break": "pessimistic"},
            ArgumentError,
            "expected at most 4096 choices",
        ),
    ],
)
def test_what_is_no_game_is_refused(arguments, options, error, words):
    with pytest.raises(error, match=words):
        se.stackelberg_strategies(*arguments, **options)
