"""solve: one function for all games, one set of names for all solutions."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError, CommitmentError
from stackelberg_envs.solvers.solving import solve

SOLVED = {
    "stackelberg/DiscreteToy-v1": np.full((3, 2), 0.5),
    "stackelberg/BuildingThermal-v1": np.full(8, 0.5),
    "stackelberg/TaxDesign-v0": np.full(4, 0.3),
}
NAMES = (
    *("x", "leader_value", "follower_value", "follower_reward_value", "episode", "policy", "response"),
    *("direct_gradient", "response_gradient", "gradient"),
)


@pytest.mark.parametrize("spec_id", SOLVED)
def test_every_solution_has_the_same_names(spec_id):
    x = SOLVED[spec_id]
    solution = solve(se.make_game(spec_id), x)
    assert isinstance(solution, se.Solution)
    assert all(getattr(solution, name) is not None for name in NAMES)
    np.testing.assert_array_equal(solution.x, x)
    np.testing.assert_array_equal(solution.gradient, solution.direct_gradient + solution.response_gradient)
    assert solution.episode.horizon == se.make_game(spec_id).horizon
    assert repr(solution).startswith(f"{type(solution).__name__}(leader_value=")


@pytest.mark.parametrize("spec_id", SOLVED)
def test_an_option_that_the_solver_does_not_know_is_refused_by_name(spec_id):
    with pytest.raises(ArgumentError, match=r"expected .*options.*, got fineness"):
        solve(se.make_game(spec_id), SOLVED[spec_id], fineness=3)


def test_options_reach_the_solver():
    assert solve(se.make_game("stackelberg/TaxDesign-v0"), np.full(4, 0.3), nodes=5).nodes == 5
    coarse = solve(se.make_game("stackelberg/DiscreteToy-v1"), np.full((3, 2), 0.5), tolerance=1e-3)
    assert coarse.best.policy_error <= 1e-3


@pytest.mark.parametrize("spec_id", SOLVED)
def test_a_commitment_outside_its_space_is_refused(spec_id):
    with pytest.raises(CommitmentError):
        solve(se.make_game(spec_id), SOLVED[spec_id] + 9.0)


def test_what_is_no_game_is_refused():
    with pytest.raises(ArgumentError, match="expected a game whose exact solution is known, got str"):
        solve("stackelberg/DiscreteToy-v1", np.zeros(2))


def test_a_kind_of_game_can_join():
    class Coin:
        """A game of another kind."""

    solve.register(Coin, lambda game, x, **options: ("solved", x, options))
    assert solve(Coin(), 1, deep=True) == ("solved", 1, {"deep": True})
    assert se.solve is solve
