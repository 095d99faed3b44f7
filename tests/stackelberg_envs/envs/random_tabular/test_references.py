"""The kept values of random games of many sizes: certified or best known, and the same by another way."""

import pytest

import stackelberg_envs as se
from stackelberg_envs.envs.random_tabular import references
from stackelberg_envs.errors import ConvergenceError

RANDOM = "stackelberg/RandomTabular-v1"


@pytest.mark.parametrize("states", references.SIZES[:4])
def test_every_size_has_a_value_and_says_how_sure_it_is(states):
    facts = se.make_game(RANDOM, S=states, D=2).facts
    status = references.CERTAIN if states <= references.CERTIFIED else "best known"
    assert facts["reference"]["status"] == status
    assert facts["reference"]["value"] == facts["best_known"]


def test_the_largest_size_has_one_too():
    setting = se.make_game(RANDOM, S=10, D=2).facts["setting"] | {"S": references.SIZES[-1]}
    assert references.reference(RANDOM, setting).status == "best known"


def test_a_certified_value_is_that_of_branch_and_bound():
    game = se.make_game(RANDOM, S=10, D=2)
    assert references.best_value(game) == pytest.approx(game.facts["reference"]["value"], abs=1e-6)


@pytest.mark.parametrize("arguments", [{"S": 1_000, "D": 2}, {}])
def test_a_best_known_value_is_that_of_ascents(arguments):
    game = se.make_game(RANDOM, **arguments)
    assert references.best_value(game) == pytest.approx(game.facts["reference"]["value"], abs=1e-6)


def test_games_of_other_settings_and_of_policies_have_none():
    assert "reference" not in se.make_game(RANDOM, S=11).facts
    known = se.make_game(RANDOM, commitment="policy").facts
    assert "best_known" in known
    assert "reference" not in known


def test_a_gap_that_is_not_reached_is_told(monkeypatch):
    certify = se.certify
    monkeypatch.setattr(references, "GAP", 1e-15)
    monkeypatch.setattr(
        "stackelberg_envs.solvers.certificates.certifying.certify",
        lambda game, gap: certify(game, gap=gap, max_boxes=5),
    )
    with pytest.raises(ConvergenceError, match=r"expected no weights worth more than -5\.63785 by 0%"):
        references.best_value(se.make_game(RANDOM, S=10, D=2))
