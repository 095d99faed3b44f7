"""What all leaders have in common: levels of information, refusals, options."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.estimators.models.published import model_class_of
from agents.followers import follower_class
from agents.leaders import leader_class, leader_names
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from agents.runs.collection import collect
from stackelberg_envs.envs import discrete_toy_v1, four_rooms_v0
from stackelberg_envs.errors import ArgumentError, InformationError, InstabilityError, UnknownNameError
from stackelberg_envs.solvers.solving import solve


def make_leader(name, game, seed=0, **options):
    kind = leader_class(name)
    brief = make_brief(game, kind.required_information(game.commitment, kind.Config()))
    return kind(brief, kind.Config(**options), np.random.default_rng(seed))


def level(name, game):
    kind = leader_class(name)
    return kind.required_information(game.commitment, kind.Config())


def test_levels_are_declared_and_depend_on_the_commitment():
    toy, rooms = discrete_toy_v1.make_game(), four_rooms_v0.make_game()
    assert level("bchg", toy) == Information.REWARDS_OBSERVED
    assert level("bchg", rooms) == Information.ACTIONS_ONLY
    assert level("naive", toy) == Information.ACTIONS_ONLY
    assert level("exact", rooms) == Information.MODEL
    assert {"bchg", "exact", "naive"} <= set(leader_names())


def test_private_rewards_are_refused_where_they_are_needed():
    private = discrete_toy_v1.make_game().replace(observe_rewards=False)
    with pytest.raises(InformationError, match=r"needs REWARDS_OBSERVED.*ACTIONS_ONLY would work"):
        agents.run(private, leader="bchg", updates=1)
    assert agents.run(private, leader="naive", updates=1, steps_per_update=10).status == "finished"


def test_play_under_another_commitment_is_refused_and_changes_nothing():
    game = discrete_toy_v1.make_game()
    leader = make_leader("bchg", game)
    x, before = leader.commit(), leader.theta
    elsewhere = x.copy()
    elsewhere[1] = (0.25, 0.75)
    seen = agents.collect(game, elsewhere, solve(game, elsewhere).response, steps=50, rng=0)
    with pytest.raises(
        ArgumentError, match=r"bchg: expected play under its last commitment.* got 0.25 .* index \(1, 0\)"
    ):
        leader.observe(seen)
    assert leader.theta is before
    other = agents.collect(four_rooms_v0.make_game(), np.zeros(104), np.full((104, 1, 4), 0.25), steps=9, rng=0)
    with pytest.raises(ArgumentError, match=r"expected play under a commitment of shape \(3, 2\), got \(104,\)"):
        leader.observe(other)
    rounded = x.astype(np.float32)
    leader.observe(agents.collect(game, rounded, solve(game, rounded).response, steps=50, rng=0))


def test_a_leader_that_declares_itself_off_policy_takes_any_play():
    class Tolerant(leader_class("bchg")):
        off_policy = True

    game = discrete_toy_v1.make_game()
    leader = Tolerant(make_brief(game, Information.REWARDS_OBSERVED), Tolerant.Config(), np.random.default_rng(0))
    elsewhere = np.full((3, 2), (0.25, 0.75))
    leader.observe(agents.collect(game, elsewhere, solve(game, elsewhere).response, steps=50, rng=0))


def test_an_unknown_leader_is_refused_with_the_nearest_names():
    with pytest.raises(UnknownNameError, match="unknown leader 'bcgh'; did you mean 'bchg'"):
        leader_class("bcgh")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": "middle"}, "start: expected 'zeros', 'random' or an array of finite numbers, got 'middle'"),
        ({"start": [1.0]}, "start: expected 6 finite numbers, got an array of size 1"),
        ({"start": [np.nan] * 6}, "start: expected 'zeros', 'random' or an array of finite numbers, got"),
        ({"learning_rate": 0.0}, "learning_rate: expected a number greater than 0"),
    ],
)
def test_bad_options_are_refused_by_name(options, message):
    with pytest.raises(ArgumentError, match=message):
        make_leader("bchg", discrete_toy_v1.make_game(), **options)


def test_random_starts_follow_the_seed():
    game = discrete_toy_v1.make_game()
    one, two, other = (make_leader("bchg", game, seed=seed, start="random").theta for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_a_name_that_is_taken_is_refused():
    with pytest.raises(ArgumentError, match=r"leader 'naive': the name is taken by agents.leaders.naive.TabularNaive"):
        agents.register_leader("naive")(type("Other", (leader_class("naive"),), {}))
    with pytest.raises(ArgumentError, match="follower 'soft_q_learning': the name is taken by"):
        agents.register_follower("soft_q_learning")(type("Other", (follower_class("soft_q_learning"),), {}))
    with pytest.raises(ArgumentError, match="leader 'odd': expected a leader whose Config is a dataclass"):
        agents.register_leader("odd")(type("Other", (), {}))


@pytest.mark.parametrize(
    ("leader", "options", "message"),
    [
        ("bchg", {"prior_visits": -1.0}, "prior_visits: expected a finite number of at least 0, got -1.0"),
        ("bchg", {"decay": float("nan")}, "decay: expected a finite number of at least 0, got nan"),
        ("bchg", {"max_norm": 0.0}, "max_norm: expected a number greater than 0, got 0.0"),
        ("certainty_equivalent", {"replan": float("nan")}, "replan: expected a finite number of at least 1, got nan"),
        ("certainty_equivalent", {"explore": -1}, "explore: expected an integer of at least 0, got -1"),
        ("certainty_equivalent", {"shrinkage": -1.0}, "shrinkage: expected a finite number of at least 0, got -1.0"),
    ],
)
def test_options_out_of_range_are_refused_by_name(leader, options, message):
    with pytest.raises(ArgumentError, match=message):
        make_leader(leader, discrete_toy_v1.make_game(), **options)


TOY = "stackelberg/DiscreteToy-v1"


@pytest.mark.parametrize("leader", sorted(leader_names()))
def test_play_under_another_commitment_is_refused_by_every_leader_that_is_not_off_policy(leader):
    kind = leader_class(leader)
    game = se.make_game(TOY)
    x = foreign = np.array([[0.3, 0.7], [0.6, 0.4], [0.5, 0.5]])

    def play_from_anywhere(steps):
        return agents.collect(game, x, se.solve(game, x).response, steps=steps, rng=0)

    brief = replace(
        make_brief(game, kind.required_information(game.commitment, kind.Config())), uniform_play=play_from_anywhere
    )
    made = kind(brief, kind.Config(), np.random.default_rng(0))
    assert made.name == leader
    x = np.array(made.announce())
    response = se.solve(game, foreign).response
    seen = replace(agents.collect(game, foreign, response, steps=50, rng=0), response=response)
    if kind.off_policy:
        return
    with pytest.raises(ArgumentError, match=rf"^{leader}: expected play under its last commitment"):
        made.observe(seen)
    response = se.solve(game, x).response
    seen = replace(agents.collect(game, x, response, steps=3_000, rng=0), response=response)
    made.observe(seen)
    with pytest.raises(ArgumentError, match=rf"^{leader}: expected play under its last commitment"):
        for _ in range(2):  # a search may stay where it is, once
            made.observe(seen)


def test_a_small_commitment_is_told_from_another_small_one(monkeypatch):
    game = se.random_tabular_v1.make_game(S=3, A=1, B=2, commitment="features", seed=0)
    kind = leader_class("naive")
    brief = make_brief(game, agents.Information.REWARDS_OBSERVED)
    made = kind(brief, kind.Config(), np.random.default_rng(0))
    monkeypatch.setattr(kind, "commit", lambda self: np.full(game.commitment.shape, 1e-9))
    other = np.full(game.commitment.shape, 2e-9)
    seen = agents.collect(game, other, se.solve(game, other).response, steps=20, rng=0)
    with pytest.raises(ArgumentError, match="naive: expected play under its last commitment"):
        made.observe(seen)


BUILDING, LQR, TAX = "stackelberg/BuildingThermal-v1", "stackelberg/BilevelLqr-v1", "stackelberg/TaxDesign-v0"


MIDDLE = [0.5] * 8


#: Of all games of vectors; `exact` and `certainty_equivalent` need a solver or a published form.
GENERAL = ("bchg", "naive", "hpgd", "zero_order", "cma_es", "random_search")


SMALL = {"box_draws": 8, "box_starts": 1, "box_ladder": (2.0,), "box_iterations": 10, "polish": 5, "draws": 1}


def run(game: str, leader: str, updates: int, steps: int, **options: Any) -> Any:
    return agents.run(
        game, leader=leader, updates=updates, steps_per_update=steps, evaluate_every=0, leader_options=options
    )


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


def level_on_vectors(name: str, commitment: Any) -> Information:
    kind = leader_class(name, "vector")
    return kind.required_information(commitment, kind.Config())


def test_information_levels_are_those_of_the_kind_of_commitment() -> None:
    commitments = {name: se.make_game(name).commitment for name in (BUILDING, LQR, TAX)}
    for commitment in commitments.values():
        assert level_on_vectors("bchg", commitment) == Information.REWARDS_OBSERVED
        assert level_on_vectors("naive", commitment) == Information.ACTIONS_ONLY


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


@pytest.mark.parametrize("leader", ["bchg", "hpgd"])
@pytest.mark.parametrize(("game", "within"), [(BUILDING, 0.2), (LQR, 0.3), (TAX, 0.4)])
def test_a_private_temperature_is_estimated_on_games_of_vectors(leader: str, game: str, within: float) -> None:
    private = se.make_game(game).replace(publish_temperature=False)
    options = {"start": [0.3, 0.3, 0.3, 0.3]} if game == TAX else {}
    record = agents.run(
        private, leader=leader, updates=3, steps_per_update=800, evaluate_every=0, leader_options=options
    )
    assert record.information == "REWARDS_OBSERVED"
    assert record.curve["temperature"][-1] == pytest.approx(private.temperature, rel=within)


def test_nothing_of_the_naive_leader_depends_on_a_private_temperature() -> None:
    game = se.make_game(BUILDING).replace(publish_temperature=False)
    record = agents.run(game, leader="naive", updates=1, steps_per_update=300, evaluate_every=0)
    assert record.information == "ACTIONS_ONLY"
    assert "temperature" not in record.curve


def test_options_of_the_other_kind_of_game_are_refused() -> None:
    with pytest.raises(
        ArgumentError,
        match=r"critic: expected 'auto', 'lstd', 'monte_carlo', 'fitted' or 'occupancy', got 'expected_sarsa'",
    ):
        run(BUILDING, "bchg", 1, 100, critic="expected_sarsa")
    with pytest.raises(
        ArgumentError, match="privileged: not an option of leader 'bchg' on this game, but on tabular games"
    ):
        run(BUILDING, "bchg", 1, 100, privileged=("behaviour",))
    with pytest.raises(ArgumentError, match=r"features: expected 'auto', 'quadratic', .*, got 'cubic'"):
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


def test_shortening_goes_half_of_the_way_back_to_what_was_played() -> None:
    game = se.make_game(BUILDING)
    leader = planner(Unsolvable())
    leader.update(collect(game, MIDDLE, game.solve(MIDDLE), steps=200, rng=0))
    announced = leader.x
    assert leader.shorten()
    np.testing.assert_allclose(leader.x, 0.5 * (announced + 0.5))


@pytest.mark.parametrize(("leader", "option"), [("bchg", {"decay": 0.1}), ("rtq", {"max_norm": 3.0})])
def test_an_option_of_one_ascent_alone_is_refused(leader, option):
    name = next(iter(option))
    with pytest.raises(ArgumentError, match=f"{leader}: {name}: expected learning_rate beside it"):
        agents.run("stackelberg/DiscreteToy-v1", leader=leader, leader_options=option, updates=1)
    agents.run(
        "stackelberg/DiscreteToy-v1", leader=leader, leader_options={**option, "learning_rate": 0.1},
        updates=1, steps_per_update=20,
    )  # fmt: skip
