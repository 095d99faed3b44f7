"""The yardstick: the best commitment over the closed set, by a stated rule, the same from every seed."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError, CommitmentError, InstabilityError
from stackelberg_envs.solvers import best_commitment as module
from tests.games import weakly_interacting_game

FEATURES = np.random.default_rng(3).uniform(0.0, 4.0, size=(2, 3, 1, 4, 1))
TOY, ROOMS = "stackelberg/DiscreteToy-v1", "stackelberg/FourRooms-v0"


def test_it_finds_the_optimum_of_the_toy_and_says_how_often():
    found = se.best_commitment(se.make_game(TOY), seed=1)
    assert found.value == pytest.approx(34.992641, abs=1e-6)
    assert found.value == se.solve(se.make_game(TOY), found.commitment).leader_value
    assert found.hits == found.starts == 5
    assert found.ends == 1
    assert found.unseen == pytest.approx(0.1)
    assert found.stopped_because == "at most 0.1 of starts are expected to end elsewhere"
    assert repr(found).startswith("BestCommitment(value=34.992641, found by 5 of 5 starts, ")
    assert len(repr(found)) < 200


@pytest.mark.deep
@pytest.mark.parametrize(("commitment", "seed"), [("policy", 5), ("features", 2)])
def test_independent_runs_agree_on_games_where_single_ascents_do_not(commitment, seed):
    game = se.random_tabular(commitment=commitment, seed=seed)
    found = [se.best_commitment(game, seed=run) for run in (0, 1)]
    assert abs(found[0].value - found[1].value) <= 1e-6 * found[0].range


def test_of_followers_that_affect_each_other_it_finds_the_best_of_a_grid():
    """By a second method: 101 commitments, and the parabola through the best three."""
    game = weakly_interacting_game(commitment=se.Transfer(FEATURES, 0.0, 1.0, share=0.025))
    found = se.best_commitment(game, evaluations=60)
    axis = np.linspace(0.0, 1.0, 101)
    values = np.array([se.solve(game, [u]).leader_value for u in axis])
    k = int(values.argmax())
    assert 0 < k < 100
    bent = values[k - 1] - 2.0 * values[k] + values[k + 1]
    top = values[k] - (values[k + 1] - values[k - 1]) ** 2 / (8.0 * bent)
    assert found.value == pytest.approx(top, abs=2e-6)
    assert found.value == se.solve(game, found.commitment).leader_value
    assert np.abs(se.solve(game, found.commitment).gradient).max() < 1e-5 * found.range


def test_equal_seeds_give_equal_results():
    game = se.random_tabular(S=8, commitment="policy", seed=1001)
    first, second = (se.best_commitment(game, seed=4) for _ in range(2))
    np.testing.assert_array_equal(first.commitment, second.commitment)
    assert first.evaluations == second.evaluations


def test_an_edge_of_the_set_is_reached_exactly():
    found = se.best_commitment(se.random_tabular(S=5, commitment="policy", seed=1002))
    assert ((found.commitment == 0) | (found.commitment == 1)).mean() > 0.5
    np.testing.assert_array_equal(found.commitment.sum(axis=1), 1.0)


def test_it_stops_when_its_evaluations_are_used_up():
    found = se.best_commitment(se.make_game(TOY), evaluations=1)
    assert (found.starts, found.unseen) == (1, 1.0)
    assert found.stopped_because == "its evaluations are used up"


def test_a_smaller_unseen_share_takes_more_starts():
    assert se.best_commitment(se.make_game(TOY), unseen=0.05).starts == 7


def test_at_a_low_temperature_it_looks_beyond_the_steps_of_the_leaders_value():
    setting = {"S": 3, "A": 2, "B": 2, "D": 2, "branching": 2, "leader_discount": 0.8, "seed": 1001}
    certified = 0.35809656  # by `certify(game, temperature=0)`; ascents at the true temperature all end at -0.01269
    for seed in (0, 1):
        found = se.best_commitment(se.random_tabular(**setting, temperature=2e-4), seed=seed)
        assert found.value == pytest.approx(certified, abs=1e-3)


@pytest.mark.parametrize("evaluations", [1, 10_000])
def test_a_temperature_below_what_floats_tell_apart_is_an_error_by_name(evaluations):
    game = se.random_tabular(S=3, A=2, B=2, D=2, branching=2, seed=1001, temperature=1e-30)
    told = []
    with pytest.raises(InstabilityError, match="expected a commitment whose value and gradient floats can hold"):
        se.best_commitment(game, evaluations=evaluations, progress=told.append)
    assert not told


def test_without_an_unseen_share_only_its_evaluations_stop_it():
    found = se.best_commitment(se.make_game(TOY), unseen=0, evaluations=1_000)
    assert found.stopped_because == "its evaluations are used up"


def test_known_commitments_are_ascended_from_and_are_no_starts():
    game = se.random_tabular(S=8, commitment="policy", seed=1001)
    best = se.best_commitment(game)
    told = se.best_commitment(game, seed=1, evaluations=1, known=[best.commitment])
    assert told.value >= best.value - 1e-9
    assert told.starts == 1
    with pytest.raises(CommitmentError):
        se.best_commitment(game, known=[np.full((8, 2), 2.0)])


def test_progress_is_told_after_each_start():
    told = []
    found = se.best_commitment(se.make_game(TOY), progress=told.append)
    assert [each.starts for each in told] == [1, 2, 3, 4, 5]
    assert told[-1].value == found.value
    assert repr(told[0]).endswith("; searching)")


def test_ctrl_c_gives_what_was_found_until_then():
    def interrupt(found):
        if found.starts == 2:
            raise KeyboardInterrupt

    found = se.best_commitment(se.make_game(TOY), progress=interrupt)
    assert (found.starts, found.stopped_because) == (2, "interrupted")


def test_ctrl_c_before_anything_was_found_is_not_swallowed(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        se.best_commitment(se.make_game(TOY))


def test_a_set_of_one_commitment_needs_one_start():
    game = se.random_tabular(S=4)
    x = np.full(4, 0.5)
    found = se.best_commitment(game.replace(commitment=se.LinearFeatures(game.commitment.features, x, x)))
    np.testing.assert_array_equal(found.commitment, x)
    assert found.stopped_because == "there is one commitment only"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "seed"),
        ({"evaluations": 0}, "evaluations"),
        ({"unseen": -0.1}, "unseen"),
        ({"unseen": "x"}, "unseen"),
        ({"progress": 3}, "progress: expected a function of one argument, got 3"),
    ],
)
def test_arguments_are_checked_before_any_work(options, message):
    with pytest.raises(ArgumentError, match=message):
        se.best_commitment(se.make_game(TOY), **options)


def test_what_is_no_game_is_refused():
    with pytest.raises(ArgumentError, match="game: expected a game whose exact solution is known, got str"):
        se.best_commitment(TOY)


def test_a_game_without_an_exact_solution_is_refused():
    with pytest.raises(ArgumentError, match="expected a game whose exact solution is known"):
        se.best_commitment(se.make_game("stackelberg/GuidedPendulum-v0"))


@pytest.mark.deep
@pytest.mark.parametrize("arguments", [{}, {"slip": 0.44, "temperature": 0.001}, {"slip": 0.44}])
def test_it_finds_what_is_known_of_four_rooms(arguments):
    game = se.make_game(ROOMS, **arguments)
    assert se.best_commitment(game).value > game.facts["best_known"] - 1e-4
