"""Numbers have no hidden scale: rewards, temperature and bounds in other units give the same run in these units.

Powers of two change no digit of a number, so that runs in units of one have to agree to the last bit wherever nothing
absolute is added, compared or floored; powers of ten change the last digits.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.estimators.models.published import model_class_of
from agents.estimators.temperature import fit_temperature
from agents.learning.optimizers import Adam, Sgd, clip_norm, length
from agents.learning.parametrisations import make_parametrisation, unit_of
from agents.planning.box import BoxObjective, BoxSearchConfig, box_search
from agents.planning.search import ascend
from stackelberg_envs.envs import building_thermal_v1
from stackelberg_envs.errors import InstabilityError
from stackelberg_envs.games.linear_quadratic import LinearQuadraticGame
from stackelberg_envs.play.rollout import rollout

#: Powers of two and of ten at both ends of what is promised, and in between.
TWOS, TENS = (2.0**-332, 2.0**332), (1e-100, 1e-8, 1e100)
TABULAR = [name for name in agents.leader_names() if name != "biac"]
#: Steps in theta itself are held to other units in the quick set only where leaders differ in them.
CASES = [
    *(pytest.param(name, "sigmoid") for name in TABULAR),
    *(pytest.param(name, "projection") for name in ("bchg", "zero_order", "cma_es", "random_search")),
    *(
        pytest.param(name, "projection", marks=pytest.mark.deep)
        for name in TABULAR
        if name not in ("bchg", "zero_order", "cma_es", "random_search")
    ),
]
#: Searches in a model take seconds.
DEEP = pytest.param("certainty_equivalent", marks=pytest.mark.deep)
#: Options with which a leader does all it does in a short time.
QUICK: dict[str, dict[str, Any]] = {
    "certainty_equivalent": {
        "explore": 3, "vertices": 8, "starts": 2, "iterations": 10, "fit_iterations": 10, "replan": 4.0, "refine": 2,
        "refit": 4.0,
    },
    "rtq": {"levels": 4},
    "amd": {"inner_iterations": 40},
}  # fmt: skip
STEEP = {"optimizer": "sgd", "max_norm": 0.5, "learning_rate": 0.3}
S, B = 4, 3


def game(c: float = 1.0, *, width: float = 1.0, kind: str = "features", by: str | None = None, **more: Any) -> Any:
    """Return a small game in units of c; features are measured in `width`, so x is in units of c * width."""
    rng = np.random.default_rng(3)
    A = 2 if kind == "policy" else 1
    P = rng.dirichlet(np.ones(S), (S, A, B))
    leader, follower = rng.standard_normal((2, S, A, B))
    commitment: Any = se.PolicyTable(S, A)
    if kind == "features":
        bounds = np.array([1.0, 1.0, 2.0])
        commitment = se.LinearFeatures(
            rng.standard_normal((S, A, B, 3)) / width, -width * c * bounds, width * c * bounds
        )
        commitment.parametrisation = by or commitment.parametrisation
    return se.TabularGame(
        transition=P, leader_reward=c * leader, follower_reward=c * follower, initial=np.full(S, 1 / S),
        leader_discount=0.9, follower_discount=0.9, temperature=0.3 * c, commitment=commitment, horizon=50, **more,
    )  # fmt: skip


def run(c: float, leader: str, follower: str = "soft_value_iteration", **options: Any) -> Any:
    """Return the commitment, in units of c, that 30 updates come to."""
    about = {name: options.pop(name) for name in ("width", "kind", "by", "publish_temperature") if name in options}
    taught = {"steps": 100} if follower in ("soft_q_learning", "expected_sarsa") else {}
    record = agents.run(
        game(c, **about), leader=leader, follower=follower, updates=30, steps_per_update=60, seed=1, evaluate_every=0,
        leader_options={**QUICK.get(leader, {}), **options}, follower_options=taught,
    )  # fmt: skip
    unit = 1.0 if about.get("kind") == "policy" else c * about.get("width", 1.0)
    return record.commitment / unit


@pytest.mark.parametrize(("leader", "by"), CASES)
def test_thirty_updates_of_every_leader_in_other_units(leader: str, by: str) -> None:
    same = run(1.0, leader, by=by)
    for c in TWOS:
        np.testing.assert_array_equal(run(c, leader, by=by), same)


@pytest.mark.parametrize("leader", ["bchg", "biac", "naive", DEEP])
def test_policies_do_not_depend_on_units(leader: str) -> None:
    same = run(1.0, leader, kind="policy")
    for c in TWOS:
        np.testing.assert_array_equal(run(c, leader, kind="policy"), same)


@pytest.mark.parametrize("leader", ["bchg", "hpgd", "zero_order", "amd", "exact"])
def test_units_that_are_no_powers_of_two_change_last_digits(leader: str) -> None:
    same = run(1.0, leader)
    for c in TENS:
        np.testing.assert_allclose(run(c, leader), same, rtol=0, atol=1e-9)


@pytest.mark.parametrize("follower", ["soft_q_learning", "expected_sarsa", "hard_best_response"])
@pytest.mark.parametrize("leader", ["bchg", "zero_order"])
def test_followers_in_other_units(leader: str, follower: str) -> None:
    same = run(1.0, leader, follower)
    for c in TWOS:
        np.testing.assert_array_equal(run(c, leader, follower), same)


@pytest.mark.parametrize("leader", ["bchg", "hpgd", DEEP])
def test_private_temperatures_are_identified_in_any_unit(leader: str) -> None:
    same = run(1.0, leader, publish_temperature=False)
    for c in TWOS:
        np.testing.assert_array_equal(run(c, leader, publish_temperature=False), same)


@pytest.mark.parametrize("leader", ["bchg", "zero_order", "amd"])
def test_plain_ascent_and_limited_norms_in_other_units(leader: str) -> None:
    same = run(1.0, leader, **STEEP)
    assert np.abs(same - run(1.0, leader)).max() > 1e-3  # the options have an effect
    for c in TWOS:
        np.testing.assert_array_equal(run(c, leader, **STEEP), same)


@pytest.mark.parametrize("leader", ["bchg", "zero_order", "cma_es", "random_search", "exact", "penalty"])
def test_a_wide_box_gives_the_same_run_in_its_widths(leader: str) -> None:
    same = run(1.0, leader, by="projection")
    np.testing.assert_array_equal(run(1.0, leader, by="projection", width=2.0**10), same)
    if leader != "exact":  # which ends where last digits say, at the walls of the box
        np.testing.assert_allclose(run(1.0, leader, by="projection", width=1000.0), same, rtol=0, atol=1e-9)


def test_a_search_on_a_box_of_a_thousand_finds_what_it_finds_on_a_box_of_one() -> None:
    wide, narrow = (game(width=width, by="projection") for width in (500.0, 0.5))
    best = agents.run(narrow, leader="exact", updates=60, steps_per_update=10, evaluate_every=0).leader_value
    start = se.solve(narrow, np.zeros(3)).leader_value
    for leader in ("cma_es", "random_search", "zero_order"):
        found = agents.run(wide, leader=leader, updates=80, steps_per_update=200, seed=0, evaluate_every=0).leader_value
        assert found - start > 0.7 * (best - start), leader


def test_units_of_parametrisations() -> None:
    box = se.LinearFeatures(np.ones((S, 1, B, 2)), [0.0, 5.0], [1000.0, 5.0])
    np.testing.assert_array_equal(unit_of(make_parametrisation(box, "projection")), [1000.0, 1.0])
    np.testing.assert_array_equal(unit_of(make_parametrisation(box, "sigmoid")), [1.0, 1.0])


# Games whose states are vectors


def building(c: float) -> LinearQuadraticGame:
    """Return building thermal control with all rewards, the price and the temperature times c."""
    made = building_thermal_v1.make_game(horizon=20)
    numbers = replace(made.numbers, state_cost=c * made.numbers.state_cost, action_cost=c * made.numbers.action_cost)
    reward = replace(made.reward, state_cost=c * made.reward.state_cost, action_cost=c * made.reward.action_cost)
    form = replace(made.form, price=c * made.form.price)
    return made.replace(numbers=numbers, reward=reward, form=form, temperature=c * made.temperature)


@pytest.mark.parametrize("leader", ["bchg", "naive", "hpgd", "zero_order", "cma_es", "random_search", DEEP, "exact"])
def test_leaders_of_games_of_vectors_in_other_units(leader: str) -> None:
    options: dict[str, Any] = {"start": [0.5] * 8}
    if leader == "certainty_equivalent":
        options |= {"box_draws": 8, "box_starts": 1, "box_ladder": [2.0], "box_iterations": 8, "polish": 5}
    if leader == "exact":
        options |= {"evaluations": 300}
    found = [
        agents.run(
            building(c), leader=leader, updates=4, steps_per_update=300, evaluate_every=0, leader_options=options
        ).commitment
        for c in (1.0, 2.0**-100, 2.0**100)
    ]
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=0, atol=1e-9)


@pytest.mark.parametrize("c", [2.0**-100, 2.0**100])
def test_identified_numbers_have_the_unit_of_the_rewards(c: float) -> None:
    models = []
    for scale in (1.0, c):
        made = building(scale).replace(publish_temperature=False)
        rng = np.random.default_rng(0)
        xs = [np.full(8, level) for level in (0.2, 0.7)]
        models.append(
            model_class_of(made.model_class).fit(
                [rollout(made.under(x), made.solve(x).policy, rng, steps=400) for x in xs]
            )
        )
    one, other = models
    np.testing.assert_allclose(other.numbers.state_cost, c * one.numbers.state_cost, rtol=1e-9)
    np.testing.assert_allclose(other.numbers.action_cost, c * one.numbers.action_cost, rtol=1e-9)
    np.testing.assert_allclose(other.numbers.weights, one.numbers.weights, rtol=1e-9)
    assert other.temperature == pytest.approx(c * one.temperature, rel=1e-9)
    assert one.temperature == pytest.approx(0.1, rel=0.2)


# The parts


@pytest.mark.parametrize("c", [1e-200, 1e-100, 1e100, 1e200])
def test_steps_of_adam_depend_on_no_unit(c: float) -> None:
    rng, one, other = np.random.default_rng(0), Adam(0.1), Adam(0.1)
    for _ in range(20):
        g = rng.standard_normal(5)
        np.testing.assert_allclose(other.step(c * g), one.step(g), rtol=1e-12)


def test_adam_leaves_entries_alone_that_are_rounding_beside_the_others() -> None:
    step = Adam(0.1).step(np.array([1.0, 1e-17, 0.0]))
    assert step[0] == pytest.approx(0.1) and abs(step[1]) < 1e-9 and step[2] == 0.0
    np.testing.assert_array_equal(Adam(0.1).step(np.zeros(2)), np.zeros(2))


def test_plain_steps_and_limits_are_in_units_of_the_rewards() -> None:
    assert Sgd(0.1, unit=1e-50).step(np.array([2e-50])) == pytest.approx([0.2])
    assert clip_norm(np.array([3e-50, 4e-50]), 1.0, 1e-50) == pytest.approx([0.6e-50, 0.8e-50], rel=1e-12)
    assert length(np.array([3e-300, 4e-300])) == pytest.approx(5e-300)
    assert length(np.array([3e300, 4e300])) == pytest.approx(5e300)


@pytest.mark.parametrize("c", TENS)
def test_a_fitted_temperature_has_the_unit_of_the_values(c: float) -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((6, 1, 4))
    logits = np.exp(values / 0.4)
    counts = np.array([rng.multinomial(500, row / row.sum()) for row in logits[:, 0]])[:, None, :].astype(float)
    one, other = (fit_temperature(counts, scale * values, np.zeros_like(values)) for scale in (1.0, c))
    assert one is not None and other is not None
    assert other.temperature == pytest.approx(c * one.temperature, rel=1e-9)
    assert other.relative_error == pytest.approx(one.relative_error, rel=1e-9)
    assert one.temperature == pytest.approx(0.4, rel=4 * one.relative_error)


def hill(c: float, offset: float = 0.0) -> BoxObjective:
    """Return a hill on a box, worth `offset` more everywhere, undefined in one corner."""

    def value(x: Any, scale: float) -> Any:
        if (x < 0.2).all():
            raise InstabilityError("x: expected less", 2.0)
        away = x - np.array([0.3, 0.6])
        return c * (offset + np.exp(-4.0 * away @ away)), c * np.exp(-4.0 * away @ away) * -8.0 * away

    return BoxObjective(value, np.zeros(2), np.ones(2))


@pytest.mark.parametrize("c", TWOS)
def test_a_search_in_a_box_depends_on_no_unit(c: float) -> None:
    config = BoxSearchConfig(box_draws=8, box_starts=2)
    one, other = (
        box_search(2, config, np.random.default_rng(0), [np.full(2, 0.5)]).run(hill(scale)) for scale in (1.0, c)
    )
    np.testing.assert_array_equal(other.point, one.point)
    assert other.value == pytest.approx(c * one.value, rel=1e-12)
    np.testing.assert_allclose(one.point, [0.3, 0.6], atol=1e-4)


def test_what_has_no_value_is_never_the_best_however_low_the_others_are() -> None:
    low, nowhere = hill(1.0, offset=-1e6), np.full(2, 0.1)
    assert ascend(low, nowhere, iterations=5).value == -np.inf
    found = box_search(2, BoxSearchConfig(box_draws=8, box_starts=1), np.random.default_rng(0), [nowhere]).run(low)
    np.testing.assert_allclose(found.point, [0.3, 0.6], atol=1e-3)
