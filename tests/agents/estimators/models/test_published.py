"""From what a game publishes about its form to what fits models of it."""

from types import SimpleNamespace

from agents.estimators.models.linear_quadratic import LinearModelClass
from agents.estimators.models.published import model_class_of
from agents.estimators.models.tax import TaxModelClass
from stackelberg_envs.envs import building_thermal_v1, guided_pendulum_v0, tax_design_v0
from stackelberg_envs.games.trajectories import Trajectories


def test_forms_that_are_data_are_fitted_by_their_class():
    assert isinstance(model_class_of(building_thermal_v1.make_game().model_class), LinearModelClass)
    assert isinstance(model_class_of(tax_design_v0.make_game().model_class), TaxModelClass)
    assert model_class_of(guided_pendulum_v0.make_game().model_class) is None


def test_an_object_with_a_fit_only_is_given_whole_records():
    own = model_class_of(SimpleNamespace(fit=len))
    record = object()
    assert own.compress(record) is record
    assert own.record_type is Trajectories
    assert own.fit([record, record]) == 2


def test_an_object_that_compresses_says_what_of():
    own = model_class_of(SimpleNamespace(fit=sum, compress=lambda record: record + 1))
    assert own.record_type is None
    assert own.fit([own.compress(1), own.compress(2)]) == 5
