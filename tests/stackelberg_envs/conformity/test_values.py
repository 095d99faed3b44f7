"""Play is held to the exact solution, in any unit; solutions and players that differ from it are found."""

from dataclasses import replace

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.conformity.clauses import FALSE_ALARM, require_mean
from stackelberg_envs.conformity.values import check_tabular_values, check_vector_values
from stackelberg_envs.envs import tax_design_v0
from stackelberg_envs.envs.tax_design import game as tax_game
from stackelberg_envs.errors import ConformityError
from stackelberg_envs.solvers.soft.solution import TabularSolution
from tests.games import small_game

TOY = "stackelberg/DiscreteToy-v1"


def in_units(game, c):
    return game.replace(
        leader_reward=c * game.leader_reward, follower_reward=c * game.follower_reward, temperature=c * game.temperature
    )


@pytest.mark.parametrize("c", [1e-100, 1e-8, 1.0, 1e8, 1e100])
@pytest.mark.parametrize("arguments", [{"commitment": "policy"}, {"commitment": "policy", "K": 2, "terminal": 2}])
def test_games_conform_in_any_unit(c, arguments):
    game = in_units(se.random_tabular(S=4, **arguments), c)
    check_tabular_values(game, game.commitment.project(game.commitment.high), np.random.default_rng(0))
    se.check_game(game)


ENDS = {"leader_discount": 1.0, "follower_discount": 1.0, "feasible": [[1, 0], [1, 1], [0, 1]]}
#: Play that never comes back: by the number of the state.
ONWARDS = np.triu(np.ones((3, 3)), 1) + np.diag([0.0, 0.0, 1.0])


@pytest.mark.parametrize("moves", [None, ONWARDS / ONWARDS.sum(axis=1, keepdims=True)])
def test_games_with_discount_one_and_feasible_actions_conform(moves):
    changes = ENDS if moves is None else {**ENDS, "transition": np.tile(moves[:, None, None], (1, 2, 2, 1))}
    game = small_game(**changes)
    se.check_game(game)


def test_with_discount_one_wrong_values_are_found(monkeypatch):
    wrong = TabularSolution.leader_value.fget
    monkeypatch.setattr(TabularSolution, "leader_value", property(lambda s: 1.1 * wrong(s)))
    with pytest.raises(ConformityError, match="leader_value"):
        check_tabular_values(small_game(**ENDS), np.full((3, 2), 0.5), np.random.default_rng(0))


@pytest.mark.parametrize("c", [1e-100, 1.0, 1e100])
@pytest.mark.parametrize("name", ["leader_value", "follower_reward_value", "follower_value"])
def test_a_value_that_play_does_not_earn_is_found_in_any_unit(c, name, monkeypatch):
    """Off by a tenth: the value of an episode, which play earns, or that of endless play, which follows from it."""
    game = in_units(se.make_game(TOY, leader_discount=0.9, follower_discount=0.9), c)
    x = np.full((3, 2), 0.5)
    right = TabularSolution.episode.func
    with monkeypatch.context() as patch:
        patch.setattr(
            TabularSolution, "episode", property(lambda s: replace(right(s), **{name: 1.1 * getattr(right(s), name)}))
        )
        with pytest.raises(ConformityError, match=r"exact value|leader_value|follower_value"):
            check_tabular_values(game, x, np.random.default_rng(0))
    if name != "follower_reward_value":
        wrong = getattr(TabularSolution, name).fget
        monkeypatch.setattr(TabularSolution, name, property(lambda s: 1.1 * wrong(s)))
        with pytest.raises(ConformityError, match=name):
            check_tabular_values(game, x, np.random.default_rng(0))


def in_turn(rng, probabilities, n):
    return np.arange(n) % 2 if n > 1 else rng.integers(2, size=1)


def test_households_of_which_play_favours_a_type_are_found(monkeypatch):
    """Types one after the other, always from the first on: a third more of it among three households."""
    monkeypatch.setattr(tax_game, "_types_in_turn", in_turn)
    for n in (1, 4):
        check = tax_design_v0.make_game(num_households=n, horizon=3, leader_discount=0.3, follower_discount=0.3)
        se.check_game(check)
    with pytest.raises(ConformityError, match="initial_states draws alike 3 at a time"):
        se.check_game(tax_design_v0.make_game(num_households=3))


def test_households_whose_solution_weighs_types_otherwise_are_found(monkeypatch):
    monkeypatch.setattr(tax_game, "_types_in_turn", lambda rng, p, n: (rng.random(n) < 2 / 3).astype(int))
    with pytest.raises(ConformityError, match="play is worth the solution's leader_value"):
        check_vector_values(
            tax_design_v0.make_game(num_households=3), np.array([0.0, 2.0, 0.0, 0.64]), np.random.default_rng(0)
        )


def test_a_loud_game_is_not_refused_for_its_noise():
    """Rewards that are almost never paid: means of play never see them, and the bound knows that."""
    rare = np.array([[[[1.0, 0.0]]], [[[1.0, 0.0]]]])
    rare[0, 0, 0] = [1.0 - 1e-5, 1e-5]
    game = se.TabularGame(
        transition=rare,
        leader_reward=[[[0.0]], [[1e6]]],
        follower_reward=[[[0.0]], [[1e6]]],
        initial=[1.0, 0.0],
        leader_discount=0.9,
        follower_discount=0.9,
        temperature=1.0,
        commitment=se.StateIncentive(0.0, 1.0, where=[1.0, 1.0]),
    )
    for seed in range(2):
        check_tabular_values(game, np.zeros(2), np.random.default_rng(seed))


@pytest.mark.parametrize("spread", [None, 2.0])
def test_means_are_refused_where_they_are_off_and_only_there(spread):
    """Of 500 sound means of uniform numbers none is refused: expected are less than 500 * 1e-9."""
    rng = np.random.default_rng(0)
    assert FALSE_ALARM == 1e-6
    for unit in (1e-200, 1.0, 1e200):
        for _ in range(500):
            require_mean(unit * rng.uniform(-1, 1, 400), 0.0, 0.0, spread and spread * unit, "mean")
        with pytest.raises(ConformityError, match=r"mean: .* standard errors apart"):
            require_mean(unit * rng.uniform(-1, 1, 4_000), 0.3 * unit, 0.0, spread and spread * unit, "mean")
        require_mean(unit * rng.uniform(-1, 1, 4_000), 0.3 * unit, 0.3 * unit, spread and spread * unit, "mean")


def corridor(c):
    """A corridor in units of c, in which x is in these units too."""
    S = 5
    stay, move = np.eye(S), np.eye(S, k=1)
    move[-1, -1] = 1.0
    goal, shop = np.eye(S)[-1], np.eye(S)[2]
    return se.TabularGame(
        transition=np.stack([stay, move], axis=1)[:, None],
        follower_reward=c * np.tile(goal[:, None, None], (1, 1, 2)),
        leader_reward=c * np.tile(shop[:, None, None], (1, 1, 2)),
        initial=np.eye(S)[0],
        terminal=goal,
        leader_discount=0.95,
        follower_discount=0.95,
        temperature=0.05 * c,
        horizon=50,
        commitment=se.Joint(
            se.StateIncentive(0.0, 0.3 * c, where=1 - goal),
            se.IncentiveCost(np.zeros(S), np.full(S, 0.3 * c), price=2.0, where=goal),
        ),
    )


@pytest.mark.parametrize("c", [1e-100, 1e-8, 1.0, 1e8, 1e100])
def test_commitments_in_units_of_rewards_conform(c):
    se.check_game(corridor(c))


def linear(c):
    game = se.make_game("stackelberg/BuildingThermal-v1")
    return game.replace(
        numbers=replace(game.numbers, state_cost=c * game.numbers.state_cost, action_cost=c * game.numbers.action_cost),
        form=replace(game.form, price=c * game.form.price),
        reward=type(game.reward)(state_cost=c * game.reward.state_cost, action_cost=c * game.reward.action_cost),
        temperature=c * game.temperature,
    )


@pytest.mark.parametrize("c", [1e-100, 1e-8, 1e8, 1e98])
def test_linear_games_conform_in_any_unit(c):
    se.check_game(linear(c))


@pytest.mark.parametrize("c", [1e-100, 1.0, 1e100])
def test_faces_of_a_game_conform_in_any_unit(c):
    game = in_units(se.make_game(TOY, horizon=9), c)
    for face in ("parallel_env", "leader_env"):
        se.check_env(getattr(se, face)(game=game))


@pytest.mark.parametrize("c", [1e-100, 1.0, 1e100])
def test_pay_that_is_not_the_games_is_found_in_any_unit(c, monkeypatch):
    from stackelberg_envs.play.tabular import TabularSimulator

    right = TabularSimulator.step

    def generous(simulator, *arguments):
        following, to_leader, to_follower, over = right(simulator, *arguments)
        return following, to_leader, 1.001 * to_follower, over

    monkeypatch.setattr(TabularSimulator, "step", generous)
    with pytest.raises(ConformityError, match="paid under what it saw"):
        se.check_env(se.parallel_env(game=in_units(se.make_game(TOY, horizon=9), c)))


def paid_per_step(horizon):
    """The leader is paid 1 a step, the follower nothing."""
    return se.TabularGame(
        transition=np.ones((1, 1, 2, 1)),
        leader_reward=np.ones((1, 1, 2)),
        follower_reward=np.zeros((1, 1, 2)),
        initial=[1.0],
        leader_discount=0.99,
        follower_discount=0.2,
        temperature=1.0,
        commitment=se.StateIncentive(0.0, 1.0, where=[1.0]),
        horizon=horizon,
        name="Payday",
    )


def test_a_horizon_that_cuts_off_much_is_told(caplog):
    se.check_game(paid_per_step(5))
    (message,) = [record.getMessage() for record in caplog.records if "leader_value" in record.getMessage()]
    assert "Payday: leader_value is 100 over endless play and 4.901 over the 5 steps" in message
    assert "follower_value" not in caplog.text.replace(message, "")
    caplog.clear()
    se.check_game(paid_per_step(1_000))
    assert not caplog.records
