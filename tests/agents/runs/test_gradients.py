"""The comparison of estimated gradients with the exact one."""

import json

import numpy as np
import pytest

import stackelberg_envs as se
from agents.leaders import leader_class
from agents.leaders.base import LEADERS, GradientLeader
from agents.learning.parametrisations import make_parametrisation
from agents.pictures.figures import PALETTE
from agents.pictures.gradients import plot_comparison
from agents.runs.gradients import FILE_NAME, Comparison, compare, gradient_leaders, measures
from stackelberg_envs.envs import discrete_toy_v1, four_rooms_v0
from stackelberg_envs.errors import ArgumentError, InformationError, OutputError
from stackelberg_envs.solvers.solving import solve
from tests.games import interacting_game

ROOMS = four_rooms_v0.make_game(temperature=0.05)


def test_measures_are_what_they_say():
    truth = np.array([3.0, 4.0])
    cosine, error, bias, spread = measures(np.array([[3.0, 4.0], [6.0, 8.0], [0.0, 0.0], [-4.0, 3.0]]), truth)
    np.testing.assert_allclose(cosine, [1.0, 1.0, 0.0, 0.0], atol=1e-15)
    np.testing.assert_allclose(error, [0.0, 1.0, 1.0, np.sqrt(2.0)])
    # By hand: mean (1.25, 3.75), sum of variances with 3 degrees of freedom 18.25 + 10.9167.
    assert spread == pytest.approx(np.sqrt(18.25 + 10.9166667) / 5.0)
    assert bias == 0.0  # 3.125 - 29.17 / 4 leaves nothing


def test_bias_and_spread_add_up_to_the_error_on_average():
    rng = np.random.default_rng(0)
    truth, shift, noise = np.ones(4), 0.5, 0.8
    found = [measures(truth + shift + noise * rng.standard_normal((10, 4)), truth) for _ in range(400)]
    squared = np.array([(bias**2, spread**2, (error**2).mean()) for _, error, bias, spread in found]).mean(axis=0)
    np.testing.assert_allclose(squared, [shift**2, noise**2, shift**2 + noise**2], rtol=0.05)


class Told(GradientLeader):
    """Knows the exact gradient: what a perfect estimator would be given."""

    information = leader_class("exact").information

    def gradient(self, trajectories):
        return solve(self.brief.model, trajectories.commitment).gradient, {}


def test_a_perfect_estimator_has_no_error(monkeypatch):
    monkeypatch.setitem(LEADERS.classes, "told", (Told,))
    for game in (discrete_toy_v1.make_game(), se.random_tabular(S=4, K=2, temperature=0.5, seed=0)):
        [row] = compare(game, ["told"], [50], seeds=3).rows
        np.testing.assert_allclose(row.cosine, 1.0)
        np.testing.assert_allclose(row.relative_error, 0.0, atol=1e-6)
        assert row.bias < 1e-6
        assert row.spread < 1e-12
        assert row.information == "MODEL"


def test_the_truth_is_the_derivative_of_the_leaders_value():
    game = discrete_toy_v1.make_game(temperature=0.5)
    found = compare(game, ["naive"], [10], seeds=2, theta=[0.3, -0.2, 0.1, 0.4, 0.0, 0.2])
    parametrisation = make_parametrisation(game.commitment)
    steps = 1e-5 * np.eye(6)
    differences = [
        (
            solve(game, parametrisation(found.theta + h)).leader_value
            - solve(game, parametrisation(found.theta - h)).leader_value
        )
        / 2e-5
        for h in steps
    ]
    np.testing.assert_allclose(found.gradient, differences, atol=1e-4)


def test_more_play_makes_bchg_better_and_leaves_the_naive_bias():
    found = compare(ROOMS, ["bchg", "naive"], [300, 30_000], seeds=6)
    rows = {(row.leader, row.size): row for row in found.rows}
    assert np.median(rows["bchg", 30_000].cosine) > 0.9 > np.median(rows["bchg", 300].cosine)
    assert rows["bchg", 30_000].spread < 0.3 * rows["bchg", 300].spread
    assert rows["naive", 30_000].bias > 3 * rows["naive", 30_000].spread


def test_equal_arguments_give_equal_numbers_and_other_points_others():
    one, two, other = (compare(ROOMS, ["bchg"], [200], seeds=2, point_seed=seed) for seed in (0, 0, 1))
    assert one.to_json() == two.to_json()
    assert not np.array_equal(one.theta, other.theta)


def test_every_gradient_leader_can_be_compared():
    games = (discrete_toy_v1.make_game(), ROOMS)
    assert {"bchg", "hpgd", "naive"} <= set(gradient_leaders())
    assert "exact" not in gradient_leaders()
    for name in gradient_leaders():
        served = []
        for game in games:
            try:
                served += compare(game, [name], [100], seeds=2).rows
            except ArgumentError as exc:
                assert "commitment" in str(exc)
        assert served


def test_options_reach_the_leader():
    plain, other = (
        compare(ROOMS, ["bchg"], [3_000], seeds=2, leader_options={"bchg": options})
        for options in ({}, {"critic": "monte_carlo"})
    )
    assert not np.array_equal(plain.rows[0].cosine, other.rows[0].cosine)
    with pytest.raises(ArgumentError, match="leader 'bchg': unknown option 'rate'"):
        compare(ROOMS, ["bchg"], [200], seeds=2, leader_options={"bchg": {"rate": 1}})


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"leaders": ["exact"]}, ArgumentError, "exact: expected a leader that estimates a gradient, such as amd|bchg"),
        ({"leaders": []}, ArgumentError, "expected at least one leader and one size"),
        ({"sizes": []}, ArgumentError, "expected at least one leader and one size"),
        ({"sizes": [0]}, ArgumentError, "sizes: expected an integer of at least 1, got 0"),
        ({"seeds": 1}, ArgumentError, "seeds: expected an integer of at least 2, got 1"),
        ({"theta": [1.0]}, ArgumentError, "start: expected 6 finite numbers"),
        ({"sizes": 100}, ArgumentError, "sizes: expected a list, got 100"),
        ({"leaders": "bchg"}, ArgumentError, "leaders: expected a list of words, got 'bchg'"),
        ({"leaders": [3]}, ArgumentError, "leaders: expected a list of words, got"),
        ({"point_seed": -1}, ArgumentError, "point_seed: expected an integer of at least 0, got -1"),
        ({"leader_options": 3}, ArgumentError, "leader_options: expected a dict, got 3"),
        ({"leader_options": {"bchg": 3}}, ArgumentError, "leader_options: expected a dict, got"),
        ({"leader_options": {"hpgd": {}}}, ArgumentError, "leader_options: expected leaders among .*, got hpgd"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, error, message):
    with pytest.raises(error, match=message):
        compare(discrete_toy_v1.make_game(), **arguments)


def test_private_rewards_and_points_without_direction_are_refused():
    private = discrete_toy_v1.make_game().replace(observe_rewards=False)
    with pytest.raises(InformationError, match="bchg: needs REWARDS_OBSERVED"):
        compare(private)
    toy = discrete_toy_v1.make_game()
    idle = toy.replace(leader_reward=np.zeros_like(toy.leader_reward))
    with pytest.raises(ArgumentError, match="theta: expected a point where dJ/dtheta is not zero"):
        compare(idle)


def test_numbers_and_picture_are_written(tmp_path):
    found = compare(ROOMS, ["bchg", "naive"], [1_000, 100], seeds=2)
    path = found.save(tmp_path / "new")
    assert path.name == FILE_NAME
    values = json.loads(path.read_text())
    assert values["format"] == 1
    assert [(row["leader"], row["size"]) for row in values["rows"]] == [
        ("bchg", 1_000), ("bchg", 100), ("naive", 1_000), ("naive", 100),
    ]  # fmt: skip
    np.testing.assert_array_equal(values["gradient"], found.gradient)
    picture = plot_comparison(found, tmp_path / "pictures" / "g.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ArgumentError, match=r"ending in \.png"):
        plot_comparison(found, tmp_path / "g.txt")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="expected a folder that can be written"):
        found.save(tmp_path / "file")


def test_more_leaders_than_colours_can_be_drawn(tmp_path):
    [row] = compare(ROOMS, ["naive"], [50], seeds=2).rows
    rows = [type(row)(**{**vars(row), "leader": f"leader {i}"}) for i in range(len(PALETTE) + 2)]
    assert plot_comparison(Comparison("many", np.zeros(1), np.ones(1), rows), tmp_path / "g.png").exists()


def test_games_of_vectors_with_exact_answers_can_be_compared():
    # At the middle of the building. Leaving the response out costs the direction.
    game = se.make_game("stackelberg/BuildingThermal-v1")
    found = compare(game, ["bchg", "naive"], [20_000], seeds=3, theta=np.full(8, 0.5))
    cosines = {row.leader: np.median(row.cosine) for row in found.rows}
    assert cosines["bchg"] > 0.9
    assert cosines["naive"] < 0.8


def test_with_followers_that_affect_each_other_the_bias_is_what_the_estimate_leaves_out():
    """Spreads are below 0.1 of the gradient, so those of eight seeds below 0.04. Little play adds a bias of its own."""
    game = interacting_game()
    found = compare(game, ["bchg", "naive"], [5_000], seeds=8, theta=[0.3, 0.6])
    solved = solve(game, found.theta)
    size = np.linalg.norm(solved.gradient)
    for row, part in zip(found.rows, (solved.own_gradient, solved.direct_gradient), strict=True):
        left_out = np.linalg.norm(part - solved.gradient) / size
        assert row.spread < 0.1
        assert row.bias == pytest.approx(left_out, abs=0.1)
        assert left_out > 0.2


def test_games_of_vectors_without_exact_answers_cannot():
    with pytest.raises(ArgumentError, match="Guided cart-pole: expected a game with an exact solution"):
        compare(se.make_game("stackelberg/GuidedCartPole-v0"))
    with pytest.raises(
        ArgumentError,
        match="leader 'hpgd_oracle': works on tabular games, but 'Building thermal control' is a vector one; expected",
    ):
        compare(se.make_game("stackelberg/BuildingThermal-v1"), ["hpgd_oracle"], [1_000], seeds=2)


@pytest.mark.parametrize(("horizon", "mind"), [(150, True), (2_000, False)])
def test_a_comparison_says_which_horizon_its_numbers_mean(horizon, mind, tmp_path):
    game = discrete_toy_v1.make_game(horizon=horizon)
    found = compare(game, ["naive"], [200], seeds=2)
    assert (found.horizon, found.beyond) == (horizon, pytest.approx(0.99**horizon))
    assert "exact gradient is that of play without end" in found.meaning
    assert f"cut after {horizon} steps" in found.meaning and ("22% of the discounted steps" in found.meaning) == mind
    assert json.loads(found.save(tmp_path).read_text())["horizon"] == horizon


def test_a_gradient_of_rounding_only_is_no_yardstick():
    """A follower that looks no step ahead does not care for incentives on states."""
    game = se.random_tabular(S=6, A=1, B=3, seed=1)
    game = game.replace(follower_discount=0.0, commitment=se.StateIncentive(-1.0, 1.0, where=np.ones(6)))
    x = np.linspace(-0.5, 0.5, 6)
    solution = solve(game, x)
    assert 0 < np.abs(solution.gradient).max() <= solution.gradient_error
    with pytest.raises(ArgumentError, match="dJ/dtheta is not zero, which has no direction"):
        compare(game, ["bchg"], [1_000], seeds=2)


def test_with_discount_one_the_steps_beyond_the_horizon_are_counted():
    """Play stops with a chance of a tenth, so that 0.9^H of its steps lie beyond H of them; or at once, and none do."""
    stays = np.array([[[[0.9, 0.1]] * 2], [[[0.0, 1.0]] * 2]])
    given = {
        "leader_reward": np.arange(4.0).reshape(2, 1, 2),
        "follower_reward": np.zeros((2, 1, 2)),
        "initial": [1.0, 0.0],
        "terminal": [0, 1],
        "leader_discount": 1.0,
        "follower_discount": 1.0,
        "temperature": 0.5,
        "commitment": se.Transfer(np.array([[[0.0, 1.0]], [[0.0, 0.0]]])[..., None], -1.0, 1.0),
    }
    game = se.TabularGame(transition=stays, horizon=12, **given)
    # A visit of the terminal state pays too: 10 steps, and one.
    within = (1 - 0.9**12) / 0.1 + (1 - 0.9**11)
    found = compare(game, ["naive"], [100], seeds=2)
    assert found.beyond == pytest.approx(1.0 - within / 11.0, rel=1e-12)
    at_once = se.TabularGame(transition=np.broadcast_to([0.0, 1.0], (2, 1, 2, 2)), horizon=2, **given)
    assert compare(at_once, ["naive"], [100], seeds=2).beyond == pytest.approx(0.0, abs=1e-15)
