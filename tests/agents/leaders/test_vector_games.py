"""Leaders on games whose states are vectors."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.estimators.models.published import model_class_of
from agents.leaders import leader_class, leader_names
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from agents.runs.collection import collect
from stackelberg_envs.errors import ArgumentError, InformationError, InstabilityError

BUILDING, LQR, TAX = "stackelberg/BuildingThermal-v0", "stackelberg/BilevelLqr-v0", "stackelberg/TaxDesign-v0"
MIDDLE = [0.5] * 8
#: Of all games of vectors; `exact` and `certainty_equivalent` need a solver or a published form.
GENERAL = ("bchg", "naive", "hpgd", "zero_order", "cma_es", "random_search")
J_MIDDLE, J_BEST = -261.96313, -162.50345
SMALL = {"box_draws": 8, "box_starts": 1, "box_ladder": (2.0,), "box_iterations": 10, "polish": 5, "draws": 1}


def run(game: str, leader: str, updates: int, steps: int, **options: Any) -> Any:
    return agents.run(
        game, leader=leader, updates=updates, steps_per_update=steps, evaluate_every=0, leader_options=options
    )


def score(record: Any) -> float:
    return float((record.leader_value - J_MIDDLE) / (J_BEST - J_MIDDLE))


@pytest.mark.parametrize("game", [BUILDING, LQR, TAX])
@pytest.mark.parametrize("leader", GENERAL)
def test_every_general_leader_runs_on_every_game(game: str, leader: str) -> None:
    record = run(game, leader, 3, 600)
    low, high = (getattr(se.make_game(game).commitment, name) for name in ("low", "high"))
    assert ((record.commitment >= low) & (record.commitment <= high)).all()
    assert np.isfinite(record.leader_value)
    assert record.observed_steps == 1_800
    assert not np.isnan(np.array([*record.curve.get("skipped", [0.0])], dtype=np.float64)).any()


@pytest.mark.parametrize(
    "leader", [name for name in leader_names() if "vector" not in leader_class(name, "vector").kinds]
)
def test_leaders_of_tables_are_refused_with_those_that_would_work(leader: str) -> None:
    with pytest.raises(ArgumentError, match=f"leader '{leader}': works on tabular games.*expected one of .*bchg"):
        run(BUILDING, leader, 1, 100)


def level(name: str, commitment: Any) -> Information:
    kind = leader_class(name, "vector")
    return kind.required_information(commitment, kind.Config())


def test_information_levels_are_those_of_the_kind_of_commitment() -> None:
    commitments = {name: se.make_game(name).commitment for name in (BUILDING, LQR, TAX)}
    for commitment in commitments.values():
        assert level("bchg", commitment) == Information.REWARDS_OBSERVED
        assert level("naive", commitment) == Information.ACTIONS_ONLY


def test_bchg_climbs_the_building() -> None:
    # Published: 0.66 after 2,000 updates of as many steps.
    assert score(run(BUILDING, "bchg", 20, 10_000, start=MIDDLE)) > 0.75


@pytest.mark.deep
def test_bchg_climbs_the_tax_game_with_local_features() -> None:
    record = run(TAX, "bchg", 12, 5_000, start=[0.3] * 4, features="local")
    assert record.leader_value > 36.0


def test_certainty_equivalent_reaches_the_bar_of_the_lqr_on_few_steps() -> None:
    # 15 undiscounted is about 9.2 discounted.
    assert run(LQR, "certainty_equivalent", 5, 400).leader_value > 11.3


@pytest.mark.deep
def test_certainty_equivalent_reaches_the_other_bars_on_few_steps() -> None:
    assert score(run(BUILDING, "certainty_equivalent", 6, 1_000, start=MIDDLE)) > 0.95
    tax = run(TAX, "certainty_equivalent", 2, 2_000, start=[0.3] * 4, **SMALL)
    assert tax.leader_value > 0.99 * se.make_game(TAX).facts["best_known"]


def test_exact_finds_the_best_known_commitments() -> None:
    assert run(BUILDING, "exact", 1, 100, start=MIDDLE, box_draws=16).commitment is not None
    game = se.make_game(BUILDING)
    brief = make_brief(game, Information.MODEL)
    kind = leader_class("exact", "vector")
    leader = kind(brief, kind.Config(start=MIDDLE), np.random.default_rng(0))
    for _ in range(200):
        leader.update(None)  # type: ignore[arg-type]
    assert game.solve(leader.recommend()).leader_value == pytest.approx(J_BEST, abs=1e-3)


@pytest.mark.parametrize("leader", ["bchg", "hpgd", "certainty_equivalent", "cma_es"])
def test_a_stopped_run_goes_on_with_the_same_bits(leader: str, tmp_path: Any) -> None:
    def stop(state: Any) -> None:
        if state.update == 2:
            raise KeyboardInterrupt

    settings = {"leader": leader, "updates": 4, "steps_per_update": 300, "evaluate_every": 0}
    settings["leader_options"] = SMALL if leader == "certainty_equivalent" else {}
    whole = agents.run(BUILDING, **settings)
    agents.run(BUILDING, output=tmp_path / "run", checkpoint_every=1, progress=stop, **settings)
    resumed = agents.run(resume=tmp_path / "run")
    one, other = (json.loads(record.to_json()) for record in (whole, resumed))
    assert {**one, "seconds": 0} == {**other, "seconds": 0}


def test_a_private_temperature_is_refused_by_leaders_that_need_it() -> None:
    game = se.make_game(BUILDING).replace(publish_temperature=False)
    with pytest.raises(InformationError, match="temperature: expected a public one"):
        agents.run(game, leader="bchg", updates=1, steps_per_update=100)
    assert agents.run(game, leader="naive", updates=1, steps_per_update=300, evaluate_every=0).status == "finished"


def test_options_of_the_other_kind_of_game_are_refused() -> None:
    with pytest.raises(
        ArgumentError, match=r"critic: expected 'lstd', 'monte_carlo' or 'fitted', got 'expected_sarsa'"
    ):
        run(BUILDING, "bchg", 1, 100, critic="expected_sarsa")
    with pytest.raises(
        ArgumentError, match="privileged: not an option of leader 'bchg' on this game, but on tabular games"
    ):
        run(BUILDING, "bchg", 1, 100, privileged=("behaviour",))
    with pytest.raises(ArgumentError, match=r"features: expected 'quadratic', .*, got 'cubic'"):
        run(BUILDING, "bchg", 1, 100, features="cubic")
    with pytest.raises(ArgumentError, match="replay: expected an integer of at least 0, got -5"):
        run(BUILDING, "bchg", 1, 100, replay=-5)


class Unsolvable:
    """A form whose models are all unstable."""

    def fit(self, data: list[Any]) -> Any:
        del data
        return self

    def value_and_gradient(self, x: Any, scale: float = 1.0) -> Any:
        raise InstabilityError("closed loop: unstable", 1.5)


def planner(model_class: Any, **options: Any) -> Any:
    from dataclasses import replace

    game = se.make_game(BUILDING)
    brief = replace(make_brief(game, Information.REWARDS_OBSERVED), model_class=model_class_of(model_class))
    kind = leader_class("certainty_equivalent", "vector")
    return kind(brief, kind.Config(**{**SMALL, **options, "start": [0.5] * 8}), np.random.default_rng(0))


def test_a_model_without_a_stable_commitment_is_reported_and_looking_goes_on() -> None:
    game = se.make_game(BUILDING)
    leader = planner(Unsolvable())
    for _ in range(3):
        seen = collect(game, leader.x, game.solve(leader.x), steps=200, rng=0)
        told = leader.update(seen)
        assert ((leader.x >= 0) & (leader.x <= 1)).all()
    assert told["model_unstable"] > 0
    assert told["exploring"] == 1.0
    np.testing.assert_array_equal(leader.recommend(), leader.x)


def test_a_game_that_keeps_its_form_private_is_named() -> None:
    with pytest.raises(ArgumentError, match=r"expected a game that publishes its form.*bchg"):
        planner(None)


def test_shortening_goes_half_of_the_way_back_to_what_was_played() -> None:
    game = se.make_game(BUILDING)
    leader = planner(Unsolvable())
    leader.update(collect(game, MIDDLE, game.solve(MIDDLE), steps=200, rng=0))
    announced = leader.x
    assert leader.shorten()
    np.testing.assert_allclose(leader.x, 0.5 * (announced + 0.5))
