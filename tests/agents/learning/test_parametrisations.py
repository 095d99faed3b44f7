import numpy as np
import pytest

from agents.learning.parametrisations import PARAMETRISATIONS, make_parametrisation
from stackelberg_envs.errors import ArgumentError, UnknownNameError
from stackelberg_envs.games.commitments.incentives import Incentive, StateIncentive
from stackelberg_envs.games.commitments.policy_table import PolicyTable

CASES = [
    ("softmax_budget", StateIncentive(-0.2, 0.0, where=np.ones(5))),
    ("sigmoid", Incentive(-1.0, 2.0, (4, 1, 3))),
    ("softmax_table", PolicyTable(3, 4)),
    ("projection", Incentive(-1.0, 2.0, (4, 1, 3))),
]


@pytest.mark.parametrize(("name", "commitment"), CASES)
def test_commitments_are_admissible_and_the_derivative_is_that_of_the_map(name, commitment):
    rng = np.random.default_rng(0)
    parametrisation = make_parametrisation(commitment, name)
    theta = 0.5 * rng.standard_normal(parametrisation.size)
    commitment.check(parametrisation(theta))
    dx = rng.standard_normal(commitment.shape)
    step = 1e-6
    numeric = [
        ((parametrisation(theta + e) - parametrisation(theta - e)) * dx).sum() / (2 * step)
        for e in step * np.eye(parametrisation.size)
    ]
    np.testing.assert_allclose(parametrisation.vjp(theta, dx), numeric, rtol=1e-6, atol=1e-9)


def test_every_parametrisation_is_covered_above():
    assert {name for name, _ in CASES} == set(PARAMETRISATIONS)


def test_softmax_budget_spends_at_most_the_budget_and_keeps_a_slot_unused():
    parametrisation = make_parametrisation(CASES[0][1], "softmax_budget")
    assert parametrisation.size == 6
    assert parametrisation(np.zeros(6)).sum() == pytest.approx(-0.2 * 5 / 6)
    assert parametrisation(np.array([0, 0, 0, 0, 0, 50.0])) == pytest.approx(np.zeros(5))


def test_softmax_budget_survives_logits_of_a_thousand():
    parametrisation = make_parametrisation(CASES[0][1], "softmax_budget")
    theta = np.array([1000.0, 0, 0, 0, 0, -1000.0])
    np.testing.assert_allclose(parametrisation(theta), [-0.2, 0, 0, 0, 0], atol=1e-12)
    assert np.isfinite(parametrisation.vjp(theta, np.ones(5))).all()


def test_projection_moves_theta_back_into_the_box():
    parametrisation = make_parametrisation(CASES[3][1], "projection")
    assert parametrisation.retract(np.full(12, 9.0)) == pytest.approx(np.full(12, 2.0))


def test_the_commitment_names_its_default():
    assert make_parametrisation(PolicyTable(2, 2)).name == "softmax_table"
    assert make_parametrisation(StateIncentive(0.0, 1.0, where=np.ones(2))).name == "sigmoid"


def test_a_budget_needs_a_bound_at_zero():
    with pytest.raises(ArgumentError, match="expected a commitment with low = 0 or high = 0"):
        make_parametrisation(StateIncentive(-1.0, 1.0, where=np.ones(2)), "softmax_budget")


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown parametrisation 'sigmoidd'; did you mean 'sigmoid'"):
        make_parametrisation(PolicyTable(2, 2), "sigmoidd")


def test_a_softmax_table_needs_rows_of_probabilities():
    with pytest.raises(ArgumentError, match="softmax_table: expected rows of probabilities in"):
        make_parametrisation(StateIncentive(-1.0, 0.0, where=np.ones(2)), "softmax_table")


@pytest.mark.parametrize("bad", [[1], 5, b"sigmoid", ["sigmoid"]])
def test_a_name_is_a_string(bad):
    with pytest.raises(ArgumentError, match="parametrisation: expected a string, got "):
        make_parametrisation(PolicyTable(2, 2), bad)


@pytest.mark.parametrize("bad", [None, "sigmoid", [0.0, 1.0]])
def test_a_parametrisation_needs_a_commitment(bad):
    with pytest.raises(ArgumentError, match="commitment: expected a Commitment, got "):
        make_parametrisation(bad)
