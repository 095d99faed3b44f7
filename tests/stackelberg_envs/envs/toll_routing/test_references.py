import pytest

import stackelberg_envs as se
from stackelberg_envs.envs.toll_routing.references import least_mean_time, reference

ID = "stackelberg/TollRouting-v0"


@pytest.mark.parametrize(
    "arguments", [{"power": 0.5}, {"power": 1.0}, {"power": 2.0}, {"power": 4.0}, {"network": "braess"}]
)
def test_formulas_agree_with_a_program_over_routes(arguments):
    game = se.make_game(ID, **arguments)
    assert game.facts["reference"]["value"] == pytest.approx(least_mean_time(game), abs=1e-7)
    assert game.facts["reference"]["status"] == "closed form"


def test_where_tolls_cannot_be_large_enough_nothing_is_claimed():
    assert reference("pigou", 1.0, 0.4, 0.05) is None
    assert reference("braess", 1.0, 1.0, 1.0) is None
    assert reference("sioux_falls", 1.0, 10.0, 0.5) is None
    assert "reference" not in se.make_game(ID, commuters=2).facts


def test_the_least_mean_time_is_found_without_the_facts_of_the_game():
    made = se.make_game("stackelberg/TollRouting-v0", power=2.0).replace(facts={})
    assert least_mean_time(made) == pytest.approx(-0.6150998, abs=1e-6)


def test_on_a_second_road_that_is_as_slow_whoever_is_there_all_shares_are_as_good():
    assert reference("pigou", 1e-320, 1.0, 0.05).value == -1.0
